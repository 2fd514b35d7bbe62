"""Which meters are on a line: the next probe, given what came of the last. Pure.

    13 to AA..AA           one meter alone tells its address
    11 04000401 to AA..AA  a meter that knows no 13
    01 9010 to AA..AA      a meter of 1997

Several meters answer such a probe together, and what arrives is no frame. They are then
told apart by shortened addresses: the last two digits known, AA before them, two digits
more wherever answers still collide. So n meters are found with 100 probes for each
place where their digits differ, and every one of them answers with its whole address.

A search may be stopped and gone on with: it is a list of probes still to be made.

Source: DL/T 645-2007 by descriptions of its text (shortened addresses); 13 with AA..AA
by recorded frames.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Literal, NamedTuple

from drivers.dlt645.frame import ANY_METER, Frame, Function, di_bytes, request

if TYPE_CHECKING:
    from drivers.profiles.dlt645_items import Edition

ASKED_2007, ASKED_1997 = "04000401", "9010"
"""Any answer tells the address, an error too. In 2007 an item that nobody polls: a
search on a running line must leave no answer out that a poll could take for its own."""
_DIGITS = 12


class Probe(NamedTuple):
    """One question that any meter it fits answers with its address."""

    function: Function
    address: str
    di: str = ""

    @property
    def edition(self) -> Edition:
        """The edition it is asked in."""
        return "1997" if self.function is Function.READ_1997 else "2007"

    def request(self) -> bytes:
        """The bytes to send."""
        return request(self.function, self.address, di_bytes(self.di))

    def answered_by(self, frame: Frame) -> str | None:
        """The address of the meter that answers it with this frame; None: none does.

        An error answer tells the address as well as data does.
        """
        if not frame.from_meter or frame.control & 0x1F != self.function.value:
            return None
        if self.function is Function.READ_ADDRESS:
            told = frame.data[::-1].hex()
            well = len(told) == _DIGITS and told.isdecimal()
            return told if well and frame.address in (told, ANY_METER) else None
        return frame.address if frame.address.isdecimal() else None


class Outcome(NamedTuple):
    """What came of a probe."""

    kind: Literal["silent", "answer", "collision"]
    """collision: bytes, but no frame; or a frame and more bytes beside it."""
    addresses: tuple[str, ...] = ()
    """Of every whole answer."""


class Found(NamedTuple):
    """One meter."""

    address: str
    edition: Edition


class AddressSearch:
    """The probes of one line, in order; ask ``probe``, tell ``outcome``, repeat."""

    def __init__(self, *, editions: tuple[Edition, ...] = ("2007", "1997")) -> None:
        """Begin a search.

        Args:
            editions: Which ones to ask for, in this order.
        """
        self._left: deque[Probe] = deque()
        for edition in editions:
            if edition == "2007":
                self._left.append(Probe(Function.READ_ADDRESS, ANY_METER))
            self._left.append(_read(edition, ANY_METER))
        self.found: dict[str, Found] = {}
        self.probes = 0
        """Made so far."""

    @property
    def probe(self) -> Probe | None:
        """The next one; None: the search is over."""
        return self._left[0] if self._left else None

    @property
    def left(self) -> int:
        """Probes known to be needed still."""
        return len(self._left)

    def outcome(self, outcome: Outcome) -> None:
        """Take in what came of ``probe``."""
        probe = self._left.popleft()
        self.probes += 1
        for address in outcome.addresses:
            self.found.setdefault(address, Found(address, probe.edition))
        to_any = probe.address == ANY_METER
        if outcome.kind == "silent":
            return
        if outcome.kind == "collision":
            self._narrow(probe)
        if to_any:
            # Whoever answers here is told apart below; asking all of them again in
            # another way brings the same collision, or the same meter.
            self._left = deque(p for p in self._left if not _asks_all(p, probe.edition))

    def _narrow(self, probe: Probe) -> None:
        known = probe.address.lstrip("A")
        if len(known) == _DIGITS:
            return
        wider = "A" * (_DIGITS - len(known) - 2)
        for pair in range(99, -1, -1):
            address = f"{wider}{pair:02d}{known}"
            if address != "9" * _DIGITS:
                self._left.appendleft(_read(probe.edition, address))


def _read(edition: Edition, address: str) -> Probe:
    if edition == "1997":
        return Probe(Function.READ_1997, address, ASKED_1997)
    return Probe(Function.READ, address, ASKED_2007)


def _asks_all(probe: Probe, edition: Edition) -> bool:
    return probe.address == ANY_METER and probe.edition == edition
