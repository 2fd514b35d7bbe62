"""A data segment taken apart, and put together: HJ 212, 6.3, a second reading.

    QN;ST;CN;PW;MN;Flag;[PNUM;PNO;][RF;]CP=&&name=value,name=value;name=value&&

Reading is lenient, and says where it had to be: each deviation has a clause of
``hj212_clauses.yaml``. Source: HJ 212-2017, 6.3.2 and 6.3.3.1; RF: HJ 212-2025.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ORDER = ("QN", "ST", "CN", "PW", "MN", "Flag", "PNUM", "PNO", "RF")
CP_ROOM = 950
"""Characters between ``CP=`` and the end, without the name."""
SEGMENT_ROOM = 1024
ANSWER, PACKETS = 1, 2
"""Bits of Flag; its upper six are the version: 0, 1 (2017), 2 (2025)."""
VERSIONS = {2017: 1 << 2, 2025: 2 << 2}

_CANON = {name.lower(): name for name in ORDER}
_START, _END = b"CP=&&", b"&&"
_QUOTE = "//"


class Deviation(NamedTuple):
    """What is not as the standard has it, and whose rule that is."""

    clause: str
    text: str


Pair = tuple[str, str]


@dataclass(frozen=True)
class Segment:
    """One data segment."""

    fields: dict[str, str]
    items: tuple[tuple[Pair, ...], ...]
    """Of CP: what stands between semicolons, cut at its commas."""
    cp: bytes
    """Plain, without its ``&&``."""
    deviations: tuple[Deviation, ...] = ()

    @property
    def qn(self) -> str:
        """Empty where it has none."""
        return self.fields.get("QN", "")

    @property
    def st(self) -> str:
        """System code."""
        return self.fields.get("ST", "")

    @property
    def mn(self) -> str:
        """Who it is from, or for."""
        return self.fields.get("MN", "")

    @property
    def pw(self) -> str:
        """Password."""
        return self.fields.get("PW", "")

    @property
    def cn(self) -> int:
        """Command; 0 where it is none."""
        return _number(self.fields.get("CN"))

    @property
    def flag(self) -> int:
        """0 where it has none, as HJ/T 212-2005."""
        return _number(self.fields.get("Flag"))

    @property
    def wants_answer(self) -> bool:
        """Its sender waits for 9014 or 9013."""
        return bool(self.flag & ANSWER)

    @property
    def packet(self) -> tuple[int, int]:
        """(PNO, PNUM); (1, 1) of a whole one."""
        return _number(self.fields.get("PNO")) or 1, _number(
            self.fields.get("PNUM")
        ) or 1

    @property
    def again(self) -> bool:
        """RF=1: sent later than it was due (2025)."""
        return self.fields.get("RF") == "1"

    @cached_property
    def values(self) -> dict[str, str]:
        """Every name of CP with its value; the last one of a name that came twice."""
        return {name: value for item in self.items for name, value in item}

    @property
    def data_time(self) -> str:
        """``YYYYMMDDhhmmss`` or empty."""
        return self.values.get("DataTime", "")

    @cached_property
    def factors(self) -> dict[str, dict[str, str]]:
        """``{"a21026": {"Avg": "5.1", "Flag": "N"}}``, in their order."""
        found: dict[str, dict[str, str]] = {}
        for item in self.items:
            for name, value in item:
                code, cut, what = name.rpartition("-")
                if cut:
                    found.setdefault(code, {})[what] = value
        return found


def read(data: bytes) -> Segment:
    """Take a plain segment apart.

    Raises:
        ValueError: It has no CP, or no field at all can be read.
    """
    start = data.find(_START)
    if start < 0:
        raise ValueError("no CP=&& in the data segment")
    end = data.rfind(_END)
    if end < start + len(_START):
        raise ValueError("CP has no && at its end")
    deviations: list[Deviation] = []
    if data[end + 2 :]:
        deviations.append(Deviation("cp.grammar", f"after CP: {data[end + 2 :]!r}"))
    head = data[:start].decode("ascii", "replace")
    if head and not head.endswith(";"):
        deviations.append(Deviation("segment.order", "no ; before CP"))
    fields = _head(head, deviations)
    cp = data[start + len(_START) : end]
    try:
        text = cp.decode("utf-8")
    except UnicodeDecodeError as exc:
        deviations.append(Deviation("frame.utf8", str(exc)))
        text = cp.decode("utf-8", "replace")
    return Segment(fields, _items(text, deviations), cp, tuple(deviations))


def write(
    fields: Iterable[Pair | None], cp: str | bytes = b"", *, check: bool = False
) -> bytes:
    """A segment of these fields, in this order; ``check`` refuses what is too long.

    Raises:
        ValueError: Longer than the standard allows.
    """
    body = cp.encode() if isinstance(cp, str) else cp
    head = "".join(f"{name}={value};" for name, value in filter(None, fields))
    data = head.encode() + _START + body + _END
    if check and (len(body) + 4 > CP_ROOM or len(data) > SEGMENT_ROOM):
        raise ValueError(
            f"CP of {len(body) + 4} bytes, segment of {len(data)}:"
            f" at most {CP_ROOM} and {SEGMENT_ROOM}; split it"
        )
    return data


def split(items: Sequence[str], *, room: int = CP_ROOM, first: str = "") -> list[str]:
    """Items of CP in as few packets as hold them, each beginning with ``first``.

    Raises:
        ValueError: One item alone is longer than a packet.
    """
    packets: list[str] = []
    for item in items:
        if packets and len(f"{packets[-1]};{item}".encode()) + 4 <= room:
            packets[-1] = f"{packets[-1]};{item}"
            continue
        begun = f"{first};{item}" if first else item
        if len(begun.encode()) + 4 > room:
            raise ValueError(f"an item of {len(begun.encode())} bytes: {begun[:40]!r}")
        packets.append(begun)
    return packets or [first]


def cp_range(data: bytes) -> tuple[int, int] | None:
    """Where CP's content lies in a segment, encrypted or not; None: there is none."""
    start = data.find(_START)
    end = len(data) - len(_END)
    if start < 0 or end < start + len(_START) or not data.endswith(_END):
        return None
    return start + len(_START), end


def _head(head: str, deviations: list[Deviation]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for part in filter(None, re.split(r"[;,]", head)):
        name, cut, value = part.strip().partition("=")
        canon = _CANON.get(name.lower())
        if not cut or canon is None:
            deviations.append(Deviation("segment.order", f"no such field: {part!r}"))
            continue
        if name != canon or part != part.strip():
            deviations.append(Deviation("segment.order", f"written {part!r}"))
        if canon in fields:
            deviations.append(Deviation("segment.order", f"{canon} twice"))
        fields[canon] = value
    if "," in head:
        deviations.append(Deviation("segment.order", "a comma between fields"))
    came = [name for name in fields if name in ORDER]
    if came != [name for name in ORDER if name in fields]:
        deviations.append(Deviation("segment.order", f"order {';'.join(came)}"))
    return fields


def _items(text: str, deviations: list[Deviation]) -> tuple[tuple[Pair, ...], ...]:
    items = []
    for item in _cut(text, ";"):
        if not item.strip():
            if text:
                deviations.append(Deviation("cp.grammar", "an empty item (;; or ;&&)"))
            continue
        pairs = []
        for pair in _cut(item, ","):
            name, cut, value = pair.partition("=")
            if not cut:
                deviations.append(Deviation("cp.grammar", f"no name=value: {pair!r}"))
                continue
            if name != name.strip() or value != value.strip():
                deviations.append(Deviation("cp.grammar", f"blanks in {pair!r}"))
            pairs.append((name.strip(), value.strip()))
        if len({name.rpartition("-")[0] for name, _ in pairs}) > 1:
            deviations.append(
                Deviation("cp.grammar", f"a comma between two items: {item!r}")
            )
        items.append(tuple(pairs))
    return tuple(items)


def _cut(text: str, at: str) -> list[str]:
    """Cut outside of ``//...//``, where a log's text stands."""
    if _QUOTE not in text:
        return text.split(at)
    parts = [""]
    for number, piece in enumerate(text.split(_QUOTE)):
        if number:
            parts[-1] += _QUOTE
        if number % 2:  # inside
            parts[-1] += piece
            continue
        first, *more = piece.split(at)
        parts[-1] += first
        parts += more
    return parts


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else 0
