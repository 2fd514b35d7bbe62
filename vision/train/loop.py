"""The training loop over cached crops: seeded, checkpointed, resumed by itself."""

from __future__ import annotations

import math
import os
import time
from copy import deepcopy
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch.nn import functional

from vision.train import head

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from vision.train.cache import Batch, Crops
    from vision.train.head import Net, Shape

_CHECKPOINT_EVERY_S = 300.0
_SAY_EVERY = 100
_WARM_STEPS = 100
_EASY = 0.1  # what a cell that is already right still weighs
_DARK_SHARE = 0.5  # of the loss: the colour is asked in few cells and must not drown
_CLIP = 2.0


class Recipe(NamedTuple):
    """How a net is trained.

    Attributes:
        steps: Updates.
        batch: Crops an update.
        head_rate: Peak learning rate of the head.
        backbone_rate: Of the stages with ImageNet weights.
        decay: Weight decay.
        average: Largest factor of the running average of weights.
        drop: Share of feature channels zeroed, per crop.
        seed: Of everything random.
    """

    steps: int = 5000
    batch: int = 16
    head_rate: float = 1.5e-3
    backbone_rate: float = 1.5e-4
    decay: float = 1e-2
    average: float = 0.998
    drop: float = 0.05
    seed: int = 1


def _tensor(array: NDArray[np.float32]) -> Tensor:
    """Channels-last rows as a (B,C,h,w) view, the layout the nets expect."""
    return torch.from_numpy(array).permute(0, 3, 1, 2)


def loss_of(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Cross entropy a cell, weighted by how wrong the cell is.

    Args:
        logits: (B,3,h,w): smoke, dark, dust.
        target: Same shape, 0..1.
        weight: Same shape; 0 is not asked.
    """
    cost = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    wrong = (torch.sigmoid(logits.detach()) - target).abs() + _EASY
    kept = weight * wrong
    total = (cost * kept).sum((0, 2, 3)) / (weight.sum((0, 2, 3)) + 1)
    return total[0] + _DARK_SHARE * total[1] + total[2]


def rate(step: int, recipe: Recipe) -> float:
    """Factor on the learning rates: a short rise, then half a cosine to zero."""
    if step < _WARM_STEPS:
        return (step + 1) / _WARM_STEPS
    done = (step - _WARM_STEPS) / max(1, recipe.steps - _WARM_STEPS)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def rows_of(step: int, count: int, recipe: Recipe) -> NDArray[np.intp]:
    """Which crops a step sees: epochs of a shuffled list, from the seed alone."""
    first = step * recipe.batch
    picks = []
    for place in range(first, first + recipe.batch):
        epoch, at = divmod(place, count)
        picks.append(_order(recipe.seed, epoch, count)[at])
    return np.array(picks, np.intp)


_orders: dict[tuple[int, int, int], NDArray[np.intp]] = {}


def _order(seed: int, epoch: int, count: int) -> NDArray[np.intp]:
    key = (seed, epoch, count)
    if key not in _orders:
        while len(_orders) > 1:
            _orders.pop(next(iter(_orders)))
        _orders[key] = np.random.default_rng((seed, epoch)).permutation(count)
    return _orders[key]


class Training:
    """A net in training: the net, its average, the optimizer and the step."""

    def __init__(self, shape: Shape, recipe: Recipe, state: dict[str, Tensor]) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.net = head.fresh(shape, state)
        self.mean = deepcopy(self.net).eval()
        for parameter in self.mean.parameters():
            parameter.requires_grad_(requires_grad=False)
        self.optimizer = torch.optim.AdamW(
            head.groups(self.net, recipe.head_rate, recipe.backbone_rate),
            weight_decay=recipe.decay,
        )
        self._peaks = [g["lr"] for g in self.optimizer.param_groups]
        self.step = 0

    def save(self, path: Path) -> None:
        """Write everything a later process needs, whole or not at all."""
        part = path.with_suffix(".part")
        content = {
            "step": self.step,
            "recipe": self.recipe._asdict(),
            "shape": self.net.shape._asdict(),
            "net": self.net.state_dict(),
            "mean": self.mean.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "random": torch.get_rng_state(),
        }
        with part.open("wb") as out:
            torch.save(content, out)
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)

    def resume(self, path: Path) -> bool:
        """Go on from a checkpoint of the same recipe and shape; False if there is none.

        Raises:
            ValueError: the checkpoint was written for another recipe or shape.
        """
        if not path.is_file():
            return False
        content = torch.load(path, map_location="cpu", weights_only=True)
        for name, mine in (("recipe", self.recipe), ("shape", self.net.shape)):
            if content[name] != mine._asdict():
                raise ValueError(
                    f"{path}: expected {name} {mine._asdict()}, found {content[name]}; "
                    "choose another --work or remove the file"
                )
        self.net.load_state_dict(content["net"])
        self.mean.load_state_dict(content["mean"])
        self.optimizer.load_state_dict(content["optimizer"])
        torch.set_rng_state(content["random"])
        self.step = content["step"]
        return True

    def begin_with(self, path: Path) -> int:
        """Start from the averaged weights of another training; return its steps.

        Raises:
            ValueError: that training was of another shape.
        """
        content = torch.load(path, map_location="cpu", weights_only=True)
        if content["shape"] != self.net.shape._asdict():
            raise ValueError(
                f"{path}: expected shape {self.net.shape._asdict()}, found "
                f"{content['shape']}; begin with a training of the same shape"
            )
        self.net.load_state_dict(content["mean"])
        self.mean.load_state_dict(content["mean"])
        return int(content["step"])

    def update(self, batch: Batch) -> float:
        """Take one step; return its loss."""
        factor = rate(self.step, self.recipe)
        for group, peak in zip(self.optimizer.param_groups, self._peaks, strict=True):
            group["lr"] = peak * factor
        features = _tensor(batch.features)
        if self.recipe.drop:
            kept = torch.rand(features.shape[0], features.shape[1], 1, 1)
            features = features * (kept >= self.recipe.drop)
        change = _tensor(batch.change) if self.net.shape.change else None
        loss = loss_of(
            self.net(features, change), _tensor(batch.target), _tensor(batch.weight)
        )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), _CLIP)
        self.optimizer.step()
        self.step += 1
        self._average()
        return float(loss.detach())

    def _average(self) -> None:
        factor = min(self.recipe.average, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mean, now in zip(
                self.mean.parameters(), self.net.parameters(), strict=True
            ):
                mean.lerp_(now, 1 - factor)


def run(
    training: Training,
    crops: Crops,
    *,
    rows: NDArray[np.intp] | None = None,
    checkpoint: Path | None = None,
    say: str = "",
) -> Net:
    """Train to the recipe's end and return the averaged net.

    Args:
        training: New or resumed.
        crops: The cache.
        rows: The crops to train on; all where not given.
        checkpoint: Written every five minutes and at the end.
        say: Prefix of the progress lines; none are printed where it is empty.
    """
    mine = np.arange(len(crops)) if rows is None else rows
    written = started = time.monotonic()
    first, losses = training.step, []
    training.net.train()
    while training.step < training.recipe.steps:
        picks = mine[rows_of(training.step, len(mine), training.recipe)]
        losses.append(training.update(crops.batch(picks)))
        now = time.monotonic()
        if say and training.step % _SAY_EVERY == 0:
            pace = (now - started) / (training.step - first) * 1000
            mean = np.mean(losses[-_SAY_EVERY:])
            print(
                f"{say} step {training.step} loss {mean:.4f} {pace:.0f} ms", flush=True
            )
        if checkpoint is not None and now - written > _CHECKPOINT_EVERY_S:
            training.save(checkpoint)
            written = now
    if checkpoint is not None:
        training.save(checkpoint)
    return training.mean


def probabilities(
    net: Net,
    features: NDArray[np.float16],
    change: NDArray[np.float16] | None = None,
) -> NDArray[np.float32]:
    """Run a net over whole-picture features, one by one.

    Args:
        net: In evaluation state.
        features: (n,H/8,W/8,40).
        change: (n,H/16,W/16,4) or None.

    Returns:
        (n,3,H/16,W/16): dark smoke, light smoke, dust, as the exported graph gives.
    """
    out = []
    with torch.no_grad():
        for i in range(len(features)):
            x = _tensor(features[i : i + 1].astype(np.float32))
            c = (
                None
                if change is None
                else _tensor(change[i : i + 1].astype(np.float32))
            )
            smoke, dark, dust = torch.sigmoid(net(x, c))[0]
            out.append(torch.stack([smoke * dark, smoke * (1 - dark), dust]).numpy())
    return np.stack(out)
