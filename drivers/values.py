"""What a device answered: the values every driver hands to whoever polls it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

Value = bool | int | float | str


class Quality(StrEnum):
    """Whether a value may be used. A BAD point carries a reason and no value."""

    GOOD = "good"
    UNCERTAIN = "uncertain"
    BAD = "bad"


class Flaw(msgspec.Struct, frozen=True, array_like=True):
    """Why one point is not GOOD: ``reason`` is a stable word such as ``timeout``."""

    quality: Quality
    reason: str


class OwnTime(msgspec.Struct, frozen=True):
    """A time that an instrument told, and when it came in."""

    utc_ms: int
    loop_s: float
    """Loop time at the first byte of what told it."""


class Answer(msgspec.Struct, frozen=True):
    """What one device answered in one scan.

    Every point asked for is in ``values``, in ``flaws``, or (UNCERTAIN) in both:
    never in neither. A BAD point is in ``flaws`` only. Numbers are finite.
    """

    values: dict[str, Value]
    flaws: dict[str, Flaw]
    answered: bool
    """Whether the device gave any sign of life: an exception reply is one."""
    raw: dict[str, bytes] | None = None
    """The bytes behind each point, as received; only where they were asked for."""
    detail: str = ""
    """For people: what was sent and received when something went wrong."""
    waited_s: float = 0.0
    """From the call to the moment the first answered request left: a bus may be busy,
    or hold a request back until its answer can be proved."""
    sampled: dict[str, int] | None = None
    """When the instrument says it took a point, UTC ms by its own clock."""
    age_ms: dict[str, int] | None = None
    """How long ago the data of a point came in, where the instrument speaks unasked."""
    flags: dict[str, str] | None = None
    """The instrument's own mark of a point, such as HJ 212's N, D, C, M, T."""
    own_time: OwnTime | None = None
    """The time the instrument knows, where it is worth offering to our clock."""

    def beside(self) -> dict[str, dict[str, Any]]:
        """What stands beside values and flaws, by its names on the wire.

        Only what says something: ``flag``, ``sampled``, ``age_ms``, each point -> word.
        """
        said = {"flag": self.flags, "sampled": self.sampled, "age_ms": self.age_ms}
        return {name: points for name, points in said.items() if points}


class Device(Protocol):
    """One configured instrument behind its driver, as a bus worker sees it."""

    async def scan(
        self,
        points: Sequence[str],
        *,
        wait_s: float | None = None,
        want_raw: bool = False,
    ) -> Answer:
        """Ask for these points now.

        Args:
            points: Names of configured points.
            wait_s: Shortens each reply's time-out (a probe of a dead device).
            want_raw: Fill ``Answer.raw``: somebody looks. Of an instrument that speaks
                unasked, a look takes nothing that the next scan is to have.

        Raises:
            BusError: The port is gone; all other failures are flaws of the answer.
        """
        ...

    async def write(self, point: str, value: Value) -> None:
        """Write one writable point within its limits and confirm the echo.

        Raises:
            DriverError: The point is not writable, the value is out of its limits,
                or the device refused or did not answer.
        """
        ...

    def worst_case_s(self, points: Sequence[str]) -> float:
        """The longest time this scan can hold the bus if nothing answers."""
        ...
