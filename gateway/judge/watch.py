"""What is watched at one device: state, events, and what a restart must not forget.

Each watch takes every scan of its device and gives the events that follow from it. The
judging itself is pure and stands in the module of its subject.
"""

from __future__ import annotations

import hashlib
import sys
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from gateway.judge.fix import Fix, NoFix
from gateway.judge.told import Teller, Told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drivers.profiles.model import Point
    from drivers.values import Value
    from gateway.clock import Instant
    from gateway.config.model import Device
    from gateway.record import Record, Scan

Moment = Fix | NoFix | None
"""What a scan says about the position; None: nothing."""


class Noted(msgspec.Struct, frozen=True, array_like=True):
    """What is kept of one watch."""

    device: str
    state: msgspec.Raw
    told: dict[str, Told] = {}
    source: str = ""
    """What the state was read from; see ``source_of``. Empty: no matter."""


class Watch(Protocol):
    """One thing that is judged."""

    key: str
    """Names it, in the site and in the store."""
    conf: object
    """What it was made from: a reload keeps a watch whose ``conf`` did not change."""

    def take(self, scan: Scan, moment: Moment) -> Iterator[Record]:
        """Judge one scan of its device."""
        ...

    def note(self) -> Noted | None:
        """What a restart must not forget; None: nothing."""
        ...

    def restore(self, noted: Noted) -> None:
        """Go on from there.

        Raises:
            msgspec.MsgspecError: It is of another release.
        """
        ...

    def retire(self) -> Iterator[Record]:
        """Another one takes over: it takes no scan that is still on its way."""
        ...

    def drop(self, at: Instant) -> Iterator[Record]:
        """Nobody watches it from here on: end what is open."""
        ...


class Kept:
    """Keeping and dropping, alike for all with a state of one type."""

    state: Any
    _type: type[msgspec.Struct]

    def __init__(
        self, key: str, conf: object, teller: Teller, source: str = ""
    ) -> None:
        self.key = key
        self._source = source
        self.conf = conf
        self.teller = teller
        self.retired = False

    def note(self) -> Noted | None:
        """See ``Watch``; candidates are left out by who restores them."""
        state = msgspec.Raw(msgspec.msgpack.encode(self.state))
        return Noted(self.teller.device, state, self.teller.told, self._source)

    def restore(self, noted: Noted) -> None:
        """See ``Watch``: what was read elsewhere or otherwise is not compared."""
        if noted.source == self._source:
            self.state = msgspec.msgpack.decode(noted.state, type=self._type)
        self.teller.told = dict(noted.told)

    def retire(self) -> Iterator[Record]:
        """See ``Watch``."""
        self.retired = True
        yield from ()

    def drop(self, at: Instant) -> Iterator[Record]:
        """See ``Watch``."""
        self.retired = True
        yield from self.teller.drop(at)


_NOT_READING = frozenset(
    (
        "name", "label", "code", "contact", "counter", "every_s", "minimum", "maximum",
        "decimals",
    )
)  # fmt: skip
"""What a point says beside how its value is read."""


def source_of(device: Device, *points: Point) -> str:
    """Names where and how these are read: other readings say nothing beside theirs."""
    said = [
        (info.name, getattr(point, info.name))
        for point in points
        for info in msgspec.structs.fields(point)
        if info.name not in _NOT_READING
        # A field that a later release adds changes nothing until it is used.
        and getattr(point, info.name) != info.default
    ]
    place = (device.bus, device.address, device.ct, device.pt, said)
    return hashlib.sha256(repr(place).encode()).hexdigest()[:8]


def kept_number(value: Value) -> Value:
    """The value as it can be kept: no 64 bits hold a whole number beyond these."""
    if type(value) is int and not -(2**63) <= value < 2**64:
        try:
            return float(value)
        except OverflowError:
            return sys.float_info.max if value > 0 else -sys.float_info.max
    return value
