"""How an ASCII instrument is spoken to, as data: the ``dialogue`` of a profile.

    dialogue:
      mode: ask                 # or listen, for instruments that speak unasked
      frame: {end: <CR>}
      asks:
        so2: {send: "{id}so2<CR>", pattern: "so2 {value} {unit}"}

An **ask** is one question and the one message that answers it; a dialogue of mode
``listen`` has **messages** instead, which come by themselves. A message is *framed*
(where it begins and ends), *checked*, told by how it *starts* or by its pattern, and
*cut* into named fields; points say which field they are (``ascii_points``).

No expression is evaluated and no regular expression is taken from here: what a pattern
may say is in ``dialogue_text``, and matching is one pass from left to right.
"""

from __future__ import annotations

from typing import Literal

import msgspec

CheckKind = Literal[
    "none", "xor", "xor_all", "sum8", "sum16", "complement", "crc3", "nmea"
]
"""How a message proves that it is whole:

``xor``         two hex digits: exclusive or of the body
``xor_all``     two hex digits: the same over start sign, body and end sign
``sum8``        two hex digits: sum of the body, modulo 256
``sum16``       four hex digits: sum of the body, modulo 65536
``complement``  one byte: two's complement of the low seven bits of the sum of
                everything before it, start and end signs included (Toledo)
``crc3``        three characters: CRC-16 (polynomial A001h reflected, start 0) over all
                before them, six bits each on 40h (Vaisala)
``nmea``        ``*`` and two hex digits: exclusive or between ``$`` and ``*``
"""
Mode = Literal["ask", "listen"]
Written = Literal["number", "hex", "byte", "text"]
"""How a field is written: a decimal number, a whole hexadecimal one, one character that
stands for its code, or text."""

Part = tuple[str, str]
"""(kind, text) of a text with placeholders or of a pattern; see ``dialogue_text``."""
Parts = tuple[Part, ...]


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """Where a message begins and ends."""

    start: bytes = b""
    ends: tuple[bytes, ...] = ()
    """Any of these ends it; they belong to no field."""
    after: int = 0
    """Bytes that follow the end and still belong to it: a trailing check."""
    size: int = 0
    """Bytes of the whole message, start and end included; 0: the end says."""
    gap_s: float = 0.0
    """Silence that ends it, where no sign does."""
    limit: int = 1024
    """A message longer than this is none."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What proves a message whole."""

    kind: CheckKind = "none"
    mark: bytes = b""
    """Text between the body and the check digits, such as ``<LF>sum ``."""


class Columns(msgspec.Struct, frozen=True, kw_only=True):
    """Fields between separators, numbered from 1."""

    separator: str = ","
    """Empty: any run of blanks."""
    least: int = 1
    most: int = 256
    header: bool = False
    """Fields are named by a line of names that comes before, in the same answer."""


class Pairs(msgspec.Struct, frozen=True, kw_only=True):
    """``key=value`` between separators."""

    separator: str = ","
    equals: str = "="


class Groups(msgspec.Struct, frozen=True, kw_only=True):
    """Columns that repeat in groups, as in NMEA's XDR: a name, a value, a unit."""

    separator: str = ","
    every: int = 4
    name: tuple[int, ...] = (1, 4)
    """Columns of the group that together are the field's name."""
    value: int = 2
    unit: int = 3
    """Column of the unit, 0: none; it is put behind the value."""


class Positions(msgspec.Struct, frozen=True, kw_only=True):
    """Characters at fixed places: a field is ``5-10``, counted from 1."""

    size: int
    """Characters the message has."""


class Pattern(msgspec.Struct, frozen=True, kw_only=True):
    """Literal text and named fields; see ``dialogue_text``."""

    parts: Parts


Cut = Columns | Pairs | Groups | Positions | Pattern


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """A field that says whether the message's values may be used."""

    field: str
    written: Written = "text"
    mask: int = 0
    """Of ``hex``, ``byte`` and whole numbers; 0: all of it."""
    good: tuple[str, ...]
    reason: str = "device_fault"
    """Why the values are BAD otherwise."""
    points: tuple[str, ...] = ()
    """Of which points; none named: of all of the message."""


class RecordTime(msgspec.Struct, frozen=True, kw_only=True):
    """When the instrument says it took what it sends."""

    fields: tuple[str, ...]
    """Joined by a blank."""
    form: str
    """``MM/DD/YY hh:mm``: YYYY YY MM DD hh mm ss, MON for a month's three letters."""
    zone_min: int | None = None
    """Minutes that the instrument's clock is ahead of UTC; None: the site's zone."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """Something to send on the way to the question."""

    send: Parts
    until: bytes = b""
    """What the instrument says when it is ready for the next; none: nothing."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One question and its answer, or one message that comes by itself."""

    name: str
    steps: tuple[Step, ...] = ()
    """The last one asks; none: it comes unasked."""
    frame: Frame
    check: Check = Check()
    starts: Parts = ()
    """How the message begins; taken away before it is cut."""
    cut: Cut
    status: tuple[Status, ...] = ()
    time: RecordTime | None = None
    stale_after_s: float | None = None
    """The same record for longer than this is no fresh one: UNCERTAIN ``stale``."""


class Dialogue(msgspec.Struct, frozen=True, kw_only=True):
    """How an instrument is spoken to."""

    mode: Mode = "ask"
    address: str | None = None
    """Taken where the site file gives none."""
    any_case: bool = False
    """Letters of answers may be capital or small."""
    prompts: str = ""
    """Characters that may stand before an answer, such as ``>``."""
    invalid: tuple[str, ...] = ()
    """What stands for a value that the instrument does not have."""
    errors: dict[str, str] = {}
    """Text in an answer -> why its points are BAD."""
    asks: tuple[Ask, ...]

    def ask(self, name: str) -> Ask | None:
        """The ask of this name; an empty name is the only one's."""
        if not name:
            return self.asks[0] if len(self.asks) == 1 else None
        return next((ask for ask in self.asks if ask.name == name), None)
