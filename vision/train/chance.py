"""Dice of the renderers: every draw comes from one generator made from one seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

T = TypeVar("T")
Dice = np.random.Generator


def dice(*seed: int) -> Dice:
    """A generator that gives the same draws for the same numbers, on every machine."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))


def often(rng: Dice, share: float) -> bool:
    """True in ``share`` of all calls."""
    return bool(rng.random() < share)


def between(rng: Dice, low: float, high: float) -> float:
    """Evenly between two numbers."""
    return float(low + (high - low) * rng.random())


def decades(rng: Dice, low: float, high: float) -> float:
    """Evenly on the logarithm: as many from 1 to 2 as from 2 to 4."""
    return float(low * (high / low) ** rng.random())


def one_of(rng: Dice, things: Sequence[T]) -> T:
    """One of several, each as likely."""
    return things[int(rng.integers(len(things)))]


def weighted(rng: Dice, shares: Mapping[T, float]) -> T:
    """One of several, as likely as its share."""
    left = rng.random() * sum(shares.values())
    for thing, share in shares.items():
        left -= share
        if left < 0:
            return thing
    return next(reversed(list(shares)))
