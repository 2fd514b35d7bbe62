"""What is watched at one device: state, events, and what a restart must not forget.

Each watch takes every scan of its device and gives the events that follow from it. The
judging itself is pure and stands in the module of its subject.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from gateway.judge.fix import Fix, NoFix
from gateway.judge.told import Teller, Told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.clock import Instant
    from gateway.record import Record, Scan

Moment = Fix | NoFix | None
"""What a scan says about the position; None: nothing."""


class Noted(msgspec.Struct, frozen=True, array_like=True):
    """What is kept of one watch."""

    device: str
    state: msgspec.Raw
    told: dict[str, Told] = {}


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

    def __init__(self, key: str, conf: object, teller: Teller) -> None:
        self.key = key
        self.conf = conf
        self.teller = teller
        self.retired = False

    def note(self) -> Noted | None:
        """See ``Watch``; candidates are left out by who restores them."""
        state = msgspec.Raw(msgspec.msgpack.encode(self.state))
        return Noted(self.teller.device, state, self.teller.told)

    def restore(self, noted: Noted) -> None:
        """See ``Watch``."""
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
