"""What a stored state may be: whatever lies there, it takes little and ends nothing."""

import io
import tracemalloc

import msgspec
import numpy as np
import pytest

from tests.support.vision_scene import Scene
from vision.alarms.memory import LARGEST, unpack


def stored():
    scene = Scene().learned()
    scene.run(20, [("dark_smoke", 0.8)])
    with np.load(io.BytesIO(scene.watcher.state(1))) as found:
        arrays = {name: found[name] for name in found.files}
    return arrays, msgspec.json.decode(arrays["head"].tobytes())


def packed(arrays, head=None):
    if head is not None:
        text = np.frombuffer(msgspec.json.encode(head), np.uint8)
        arrays = arrays | {"head": text}
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def test_a_state_is_what_was_packed():
    arrays, head = stored()
    found, maps = unpack(packed(arrays))

    assert len(found.alarms) == len(head["alarms"]) == 1
    assert sorted(maps) == sorted(set(arrays) - {"head"})
    for name, values in maps.items():
        np.testing.assert_array_equal(values, arrays[name])
        assert values.flags.writeable  # it is learned on in it


@pytest.mark.parametrize(
    "mean",
    [
        np.full((3, 24, 40), "x"),
        np.zeros((3, 24, 40), np.float64),
        np.zeros((3, 24, 40), object),
        np.zeros((3, 24, 41), np.float32),
        np.zeros((3, 24), np.float32),
    ],
    ids=["text", "double", "object", "wider", "flat"],
)
def test_a_map_of_another_kind_or_shape_is_none(mean):
    arrays, _ = stored()
    assert unpack(packed(arrays | {"mean": mean})) is None


def test_a_map_that_is_not_there_costs_the_background_and_no_alarm():
    arrays, _ = stored()
    arrays.pop("mean")
    after = Scene()

    assert not after.watcher.restore(packed(arrays), 1, 0.0)
    assert len(after.watcher.open) == 1


def test_a_small_file_does_not_unpack_to_much():
    arrays, _ = stored()
    huge = np.zeros(40_000_000, np.uint8)
    for name in ("junk", "mean", "head"):
        state = packed(arrays | {name: huge})
        assert len(state) < LARGEST
        tracemalloc.start()
        try:
            found = unpack(state)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert (found is not None) == (name == "junk")
        assert most < 4_000_000
    assert unpack(bytes(LARGEST + 1)) is None


def test_alarms_without_end_are_not_taken_over():
    arrays, head = stored()
    (alarm,) = head["alarms"]
    over = [alarm | {"id": f"x-{n}", "cleared_s": -1.0} for n in range(5000)]
    found, _ = unpack(packed(arrays, head | {"alarms": [alarm, *over]}))

    assert len(found.alarms) == 64
    assert [one.id for one in found.alarms if one.open] == [alarm["id"]]
