"""Training itself; collected where the ``train`` extra is installed."""

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch

from vision.train import backbone, graph, head, loop
from vision.train.cache import Batch
from vision.train.head import Shape


class Crops:
    """Crops made of noise; bright first channel is smoke."""

    def __init__(self, count: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.features = rng.normal(0, 1, (count, 8, 8, 40)).astype(np.float32)
        smoke = self.features[:, ::2, ::2, 0] > 0
        self.target = np.stack([smoke, smoke, ~smoke], -1).astype(np.float32)

    def __len__(self) -> int:
        return len(self.features)

    def batch(self, rows: np.ndarray) -> Batch:
        target = self.target[rows]
        change = np.zeros((*target.shape[:3], 4), np.float32)
        return Batch(self.features[rows], target, np.ones_like(target), change)


@pytest.fixture(scope="module")
def state() -> dict:
    """Weights of the published layout, random: the real ones are 13 MB."""
    torch.manual_seed(0)
    out = {}

    def norm(name: str, channels: int) -> None:
        out[f"{name}.weight"] = torch.rand(channels) + 0.5
        out[f"{name}.bias"] = torch.randn(channels) / 4
        out[f"{name}.running_mean"] = torch.randn(channels) / 4
        out[f"{name}.running_var"] = torch.rand(channels) + 0.5

    out["_conv_stem.weight"] = torch.randn(32, 3, 3, 3) / 5
    norm("_bn0", 32)
    for index, plan in enumerate(backbone.BLOCKS):
        name, wide = f"_blocks.{index}.", plan.channels_in * plan.expand
        if plan.expand > 1:
            out[name + "_expand_conv.weight"] = (
                torch.randn(wide, plan.channels_in, 1, 1) / plan.channels_in**0.5
            )
            norm(name + "_bn0", wide)
        kernel = plan.kernel
        out[name + "_depthwise_conv.weight"] = (
            torch.randn(wide, 1, kernel, kernel) / kernel
        )
        norm(name + "_bn1", wide)
        out[name + "_project_conv.weight"] = (
            torch.randn(plan.channels_out, wide, 1, 1) / wide**0.5
        )
        norm(name + "_bn2", plan.channels_out)
    return out


RECIPE = loop.Recipe(steps=6, batch=2)


def weights(net: head.Net) -> np.ndarray:
    return torch.cat([p.flatten() for p in net.parameters()]).detach().numpy()


def test_a_resumed_run_ends_where_an_unbroken_one_does(
    state: dict, tmp_path: Path, seed: int
) -> None:
    crops = Crops(12, seed)
    whole = loop.run(loop.Training(Shape(), RECIPE, state), crops)
    first = loop.Training(Shape(), RECIPE, state)
    first.net.train()
    for step in range(3):
        first.update(crops.batch(loop.rows_of(step, len(crops), RECIPE)))
    path = tmp_path / "c.pt"
    first.save(path)
    second = loop.Training(Shape(), RECIPE, state)
    assert second.resume(path)
    assert second.step == 3
    resumed = loop.run(second, crops, checkpoint=path)
    np.testing.assert_allclose(weights(resumed), weights(whole), atol=1e-6)


def test_a_checkpoint_of_another_recipe_is_refused(state: dict, tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    loop.Training(Shape(), RECIPE, state).save(path)
    other = loop.Training(Shape(), RECIPE._replace(steps=7), state)
    with pytest.raises(ValueError, match="expected recipe"):
        other.resume(path)


def test_an_epoch_shows_every_crop_once() -> None:
    rows = [loop.rows_of(s, 10, RECIPE._replace(batch=5)) for s in range(4)]
    assert sorted(np.concatenate(rows[:2])) == list(range(10))
    assert sorted(np.concatenate(rows[2:])) == list(range(10))
    assert (np.concatenate(rows[:2]) != np.concatenate(rows[2:])).any()


def test_what_is_not_asked_does_not_count() -> None:
    logits = torch.zeros(1, 3, 2, 2)
    target = torch.ones(1, 3, 2, 2)
    assert loop.loss_of(logits, target, torch.zeros_like(target)) == 0
    assert loop.loss_of(logits, target, torch.ones_like(target)) > 0


@pytest.mark.parametrize("shape", [Shape(), Shape(head="plain"), Shape(deep=True)])
def test_the_file_answers_as_the_net_does(
    state: dict, shape: Shape, tmp_path: Path, seed: int
) -> None:
    trunk, net = backbone.trunk(state), head.fresh(shape, state).eval()
    path = tmp_path / "m.onnx"
    path.write_bytes(graph.write(trunk, net).SerializeToString())
    model = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    picture = np.random.default_rng(seed).integers(0, 256, (1, 64, 96, 3), np.uint8)
    (cells,) = model.run(None, {"image": picture})
    with torch.no_grad():
        image = torch.from_numpy(picture).permute(0, 3, 1, 2).float()
        smoke, dark, dust = torch.sigmoid(net(trunk(image)))[0].numpy()
    assert cells.shape == (1, 3, 4, 6)
    expected = np.stack([smoke * dark, smoke * (1 - dark), dust])
    np.testing.assert_allclose(cells[0], expected, atol=1e-4)
