"""What cannot be used is refused with its reason, in a child, and trips nobody."""

from __future__ import annotations

import numpy as np
import pytest

from gateway.texts import both, catalogue
from tests.support import small_models as small
from tests.support.broken_models import cases
from tests.support.onnx_writer import block, tensor, varint
from vision.detect import onnx_file, trial
from vision.detect.detector import Detector
from vision.detect.errors import ModelError
from vision.detect.protobuf import Reader
from vision.messages import Model

IN_A_CHILD = (
    "out_batch",
    "out_rows",
    "logits",
    "op_unknown",
    "opset_99",
    "memory_some",
    "endless",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def broken(folder):
    return cases(folder, seed=7, cuts=20, flips=0)


def refusal(model):
    with pytest.raises(ModelError) as caught:
        Detector.open(model)
    assert caught.value.key in catalogue()
    for text in both(caught.value.key, **caught.value.args_).values():
        assert "{" not in text.replace("{'", "")
    return caught.value.key.removeprefix("vision.model.")


def test_files_that_are_no_models_need_no_child(broken, monkeypatch):
    def nobody(*_):
        raise AssertionError("it was handed to onnxruntime")

    monkeypatch.setattr(trial, "tried", nobody)

    wrong = [
        (case.name, found)
        for case in broken
        if not case.child and (found := refusal(case.model)) not in case.words
    ]

    assert wrong == []
    assert sum(not case.child for case in broken) >= 50


@pytest.mark.parametrize("name", IN_A_CHILD)
def test_what_only_running_shows_is_found_in_a_child(broken, name):
    case = next(case for case in broken if case.name == name)

    assert refusal(case.model) in case.words


def test_a_cut_file_is_refused_at_every_place(folder, seed):
    whole = small.grid()
    path = folder / "cut.onnx"
    rng = np.random.default_rng(seed)
    passed = []
    for at in [1, len(whole) - 1, *rng.integers(1, len(whole), 60)]:
        path.write_bytes(whole[: int(at)])
        try:
            found = onnx_file.read(path)
        except ModelError:
            continue
        passed.append(len(found.data))

    # Only where a message happens to end is a cut one whole: without its card, say.
    assert len(passed) < 10, (seed, passed)


def test_weights_beside_the_model_are_used_and_counted_in_the_hash(tmp_path):
    data = small.yolov8()
    base = np.zeros((1, 6, 84), np.float32)
    base[0, :4] = small.centres((64, 64)).T
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "base.bin").write_bytes(base.tobytes())
    claim = {"location": "w/base.bin", "offset": 0, "length": base.nbytes}
    inside = block(5, tensor("base", base))
    assert inside in data
    outside = block(5, tensor("base", base, external=claim))
    path = tmp_path / "own.onnx"
    path.write_bytes(_with(data, inside, outside))
    model = Model(path=str(path), classes={"smoke": "dust"})

    detector = Detector.open(model)
    before = detector.sha256
    # What was opened stays what it was, whatever is done to its files.
    (tmp_path / "w" / "base.bin").write_bytes((base + 0.25).tobytes())

    assert detector(np.full((64, 64, 3), 255, np.uint8)).image_scores[2] == 1
    assert onnx_file.read(path).sha256 != before


def _with(data, old, new):
    """The model with another part in its graph: lengths are written anew."""
    for field in Reader(data).fields(0, len(data)):
        if field.number == 7 and field.end:
            content = data[field.value : field.end].replace(old, new)
            head = data[: field.value]
            length = varint(field.end - field.value)
            head = head[: -len(length)] + varint(len(content))
            return head + content + data[field.end :]
    raise AssertionError("no graph")


def test_a_file_that_changes_while_it_is_tried_is_refused(tmp_path):
    path = tmp_path / "own.onnx"
    path.write_bytes(small.grid())

    with pytest.raises(ModelError, match="changed"):
        trial.tried(Model(path=str(path)), "another")


def test_what_a_maker_wrote_at_length_is_not_read(tmp_path):
    path = tmp_path / "own.onnx"
    licence = b"\xff" * 5_000_000
    path.write_bytes(small.grid() + block(14, block(1, "license") + block(2, licence)))

    assert "license" not in onnx_file.read(path).metadata
    assert onnx_file.read(path).metadata


def test_many_long_names_are_refused_by_their_sum(tmp_path):
    path = tmp_path / "own.onnx"
    name = block(8, block(1, b"\xff" * 60_000))
    path.write_bytes(small.grid() + name * 100)

    assert refusal(Model(path=str(path))) == "text_long"


def test_a_refusal_of_many_inputs_is_a_sentence(tmp_path):
    path = tmp_path / "own.onnx"
    data = b"".join(block(11, block(1, f"n{i}" * 2000)) for i in range(200))
    path.write_bytes(small.model(data))

    with pytest.raises(ModelError) as caught:
        Detector.open(Model(path=str(path)))

    assert caught.value.key == "vision.model.inputs"
    assert len(caught.value.args_["found"]) < 1000


def test_a_slow_machine_gives_more_time():
    assert trial._allowed(0.1) == trial.CPU_S
    assert trial._allowed(2.0) == pytest.approx(8.0)
