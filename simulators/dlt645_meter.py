"""Meters: what an identifier brings at an instant.

:class:`ProfileMeter` shows what a profile describes, moving plausibly; the layout of
an item is the table's (data), how it is written is written here a second time.
:class:`SerialMeter` gives each answer a number of its own, so that whoever reads it can
tell exactly when it was asked and for what.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple, Protocol

from drivers.profiles.dlt645_items import Item, Part, blocks, items
from drivers.profiles.dlt645_points import Dlt645Point
from simulators.dlt645_codec import bcd
from simulators.waveform import state, wave

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from drivers.profiles.model import Profile

NO_DATA = 0x02
"""Error word: bit 1."""
_BLOCKS = {block.di: block for block in blocks()}


class Refused(Exception):  # noqa: N818 - what a meter does, not what went wrong
    """The meter has no such data; ``word`` is its error word."""

    def __init__(self, word: int = NO_DATA) -> None:
        super().__init__(f"error word {word:02X}")
        self.word = word


class Meter(Protocol):
    """One meter."""

    address: str
    """Twelve digits."""

    def read(self, di: str, *, aside: bool = False) -> bytes:
        """The data of an identifier, as of now. Raises Refused.

        Args:
            di: 8 hex digits as written, 4 for the edition of 1997.
            aside: Not asked by anybody: count nothing.
        """
        ...


class ProfileMeter:
    """A meter that shows what its profile describes.

    Args:
        address: Its twelve digits.
        profile: Says which identifiers it has.
        seed: Of its waves.
        utc_s: The time.
        block: Whether it knows block identifiers.
        refuse: Identifiers it does not have.
        missing: Identifiers that are all FF, as another phase's.
    """

    def __init__(
        self,
        address: str,
        profile: Profile,
        *,
        seed: int = 1,
        utc_s: Callable[[], float] = time.time,
        block: bool = True,
        refuse: Iterable[str] = (),
        missing: Iterable[str] = (),
    ) -> None:
        self.address = address
        self._points = {
            (point.di, point.part): point
            for point in profile.points
            if isinstance(point, Dlt645Point)
        }
        self._known = {di for di, _ in self._points}
        self._items = {p.di: p.item for p in self._points.values()}
        self._seed, self._utc_s = seed, utc_s
        self._block = block
        self._refuse, self._missing = frozenset(refuse), frozenset(missing)
        self.said: Callable[[str, float], None] | None = None
        """Told each number that was asked for, by point, in its item's unit."""

    def read(self, di: str, *, aside: bool = False) -> bytes:
        """See :class:`Meter`."""
        del aside
        if di in self._refuse:
            raise Refused
        if di == "04000401":
            return bytes.fromhex(self.address)[::-1]
        if di in _BLOCKS and self._block:
            wanted = _BLOCKS[di].items
            if not self._known.intersection(wanted):
                raise Refused
            return b"".join(self._item(one) for one in wanted)
        if di not in self._known:
            raise Refused
        return self._item(di)

    def _item(self, di: str) -> bytes:
        item = self._items.get(di) or items()[di]
        if di in self._missing or di not in self._known:
            return b"\xff" * item.size
        return b"".join(self._part(item, part) for part in item.parts)

    def value(self, di: str, part: str = "") -> float:
        """What a number is now, in its item's unit."""
        found = items()[di].place(part)
        assert found is not None  # noqa: S101 - of the table
        return float(self._number(items()[di], found[1]) / _ten(found[1]))

    def _number(self, item: Item, part: Part) -> int:
        point = self._points.get((item.di, part.name))
        name = point.name if point is not None else item.di + part.name
        top = 10 ** (2 * part.size) - 1
        signed = part.sign != "no"
        high = min(top, 8 * 10 ** (2 * part.size - 1) - 1) if signed else top
        high /= _ten(part)
        meter = int(self.address) % 10_000
        low = -high if part.sign == "yes" else 0.0
        moving = wave(self._seed, meter, name, part.unit, low=low, high=high)
        return round(moving.value(self._utc_s()) * _ten(part))

    def _part(self, item: Item, part: Part) -> bytes:
        kind, now = part.format[0], self._utc_s()
        if kind == "X":
            number = self._number(item, part)
            point = self._points.get((item.di, part.name))
            if self.said is not None and point is not None:
                self.said(point.name, number / _ten(part))
            return bcd(abs(number), part.size, minus=number < 0)
        if kind == "B":
            meter = int(self.address) % 10_000
            word = state(self._seed, meter, item.di, now, 4)
            return ((1 << word) & 0b10010).to_bytes(part.size, "little")
        if kind == "N":
            return bytes.fromhex(self.address)[::-1][: part.size]
        if kind == "A":
            return b"SIM"[::-1].rjust(part.size, b"\x00")
        if kind == "S":
            return bytes(part.size)
        local = time.gmtime(now + 8 * 3600)
        weekday = (local.tm_wday + 1) % 7
        fields = {
            "YYMMDDWW": f"{time.strftime('%y%m%d', local)}{weekday:02d}",
            "hhmmss": time.strftime("%H%M%S", local),
            "YYMMDDhhmm": time.strftime("%y%m%d%H%M", local),
            "YYMMDDhhmmss": time.strftime("%y%m%d%H%M%S", local),
        }
        return bytes.fromhex(fields[part.format])[::-1]


class Numbered(NamedTuple):
    """One answered item: the number it bore, and what it answered."""

    number: int
    meter: str
    di: str
    at_s: float


class SerialMeter:
    """A meter whose every answered item bears a new number.

    Args:
        address: Its twelve digits.
        book: Takes each number with what it answered; shared by all meters.
        now_s: The time that goes into the book.
        block: Whether it knows block identifiers.
        refuse: Identifiers it does not have.
        following: Data of one frame at most; what is longer comes in several.
    """

    def __init__(
        self,
        address: str,
        book: list[Numbered],
        now_s: Callable[[], float],
        *,
        block: bool = True,
        refuse: Iterable[str] = (),
    ) -> None:
        self.address = address
        self.book = book
        self._now_s = now_s
        self._block = block
        self._refuse = frozenset(refuse)

    def read(self, di: str, *, aside: bool = False) -> bytes:
        """See :class:`Meter`; numbers go on in any case, each stands in the book."""
        del aside
        if di in self._refuse:
            raise Refused
        if di in _BLOCKS and self._block:
            return b"".join(self._item(one) for one in _BLOCKS[di].items)
        if di not in items():
            raise Refused
        return self._item(di)

    def _item(self, di: str) -> bytes:
        number = len(self.book) + 1
        self.book.append(Numbered(number, self.address, di, self._now_s()))
        size = items()[di].parts[0].size
        # The top digit stays free of a sign.
        return bcd(number % (8 * 10 ** (2 * size - 1)), size)


def _ten(part: Part) -> int:
    """How many of the last digit make one."""
    return int(10 ** len(part.format.partition(".")[2]))
