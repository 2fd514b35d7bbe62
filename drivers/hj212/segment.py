"""The data segment: who says what, in which version, and the named values.

    QN=20160801085857223;ST=32;CN=2011;PW=123456;MN=010000A8900016F000169DC0;Flag=5;
    PNUM=2;PNO=1;RF=1;CP=&&DataTime=20160801085857;a34013-Rtd=2.3,a34013-Flag=N&&

Read strictly: with a check of eight bits, every rule of the grammar is part of the
proof. What real devices do otherwise is accepted from a list (``Deviation``), each met
one noted; all else is refused with its cause (``Refusal``).

Source: HJ 212-2017, 6.3.2 and 6.3.3, tables 3 and 4; HJ 212-2025, 6.3.4 (RF, version).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from drivers.hj212 import cp
from drivers.hj212.commands import KNOWN
from drivers.hj212.cp import Item, SegmentError
from drivers.hj212.deviations import Deviation, Refusal
from drivers.hj212.fields import read_time

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["Item", "Segment", "SegmentError", "parse"]

VERSIONS = {0: 2005, 1: 2017, 2: 2025}
"""Bits 7..2 of Flag -> the standard's year; later ones are not known here."""
ANSWER_WANTED = 1
SPLIT = 2
CP_LIMIT = 950
"""Bytes of named values in one segment; more must be split."""

_OPEN, _CLOSE = "CP=&&", "&&"
_ORDER = ("QN", "ST", "CN", "PW", "MN", "Flag", "PNUM", "PNO", "RF")
_ORDER_2005 = ("QN", "PNUM", "PNO", "ST", "CN", "PW", "MN", "Flag", "RF")
_FORMS = {
    "QN": (re.compile(r"[0-9]{17}"), Refusal.QN),
    "ST": (re.compile(r"[0-9A-Z]{2}|[0-9]{3}"), Refusal.ST),
    "CN": (re.compile(r"[0-9]{4}"), Refusal.COMMAND),
    "PW": (re.compile(r"[!-~]{0,32}"), Refusal.PW),
    "MN": (re.compile(r"[0-9A-Za-z_.-]{0,32}"), Refusal.MN),
    "Flag": (re.compile(r"[0-9]{1,3}"), Refusal.FLAG),
    "PNUM": (re.compile(r"[0-9]{1,4}"), Refusal.PACKET_NUMBERS),
    "PNO": (re.compile(r"[0-9]{1,4}"), Refusal.PACKET_NUMBERS),
    "RF": (re.compile(r"1"), Refusal.RF),
}
_MN = re.compile(r"[0-9A-F]{24}")
_MN_2005 = re.compile(r"[0-9A-Za-z]{14}|[0-9A-F]{24}")
_PW = re.compile(r".{6}")
_ST_LENGTH = 2


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """What one frame says."""

    qn: str | None = None
    """When it was made, 17 digits; an answer repeats it."""
    st: str
    cn: int
    pw: str
    mn: str
    """What the instrument calls itself; may be empty."""
    flag: int | None = None
    pnum: int | None = None
    pno: int | None = None
    rf: bool = False
    """Sent again later (HJ 212-2025)."""
    items: tuple[Item, ...] = ()

    @property
    def version(self) -> int:
        """The standard's year: 2005, 2017 or 2025; frames without Flag are of 2005."""
        return VERSIONS[(self.flag or 0) >> 2]

    @property
    def wants_answer(self) -> bool:
        """Whether the other side waits for 9013 or 9014."""
        return bool((self.flag or 0) & ANSWER_WANTED)

    def get(self, name: str) -> str | None:
        """The value of a name such as ``a21026-Rtd``; None: not there."""
        for item in self.items:
            for own, value in item:
                if own == name:
                    return value
        return None


def parse(
    data: bytes, known: Collection[str] = ()
) -> tuple[Segment, tuple[Deviation, ...]]:
    """Read a data segment whose check holds.

    Args:
        data: The segment's bytes.
        known: Names that may stand behind a factor's hyphen beside the standard's.

    Returns:
        What it says, and how it differs from the standard.

    Raises:
        SegmentError: It differs in another way than those that are known.
    """
    text = _text(data)
    head, opened, rest = text.partition(_OPEN)
    if not opened or not rest.endswith(_CLOSE):
        raise SegmentError(Refusal.GRAMMAR, f"expected {_OPEN}...{_CLOSE}", text)
    inside = rest.removesuffix(_CLOSE)
    noted: list[Deviation] = []
    fields = _read_head(head, noted)
    segment = _build(fields, cp.parse(inside, known, noted), noted)
    if len(inside.encode()) > CP_LIMIT:
        noted.append(Deviation.LONG_SEGMENT)
    return segment, tuple(dict.fromkeys(noted))


def _text(data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError as exc:
        raise SegmentError(Refusal.TEXT, "expected UTF-8", repr(data[:60])) from exc
    if not text.isprintable():
        raise SegmentError(Refusal.TEXT, "expected no control characters", text)
    return text


def _read_head(head: str, noted: list[Deviation]) -> dict[str, str]:
    """What stands before CP, name by name, in its order."""
    parts = head.split(";")
    if parts[-1].strip():
        noted.append(Deviation.NO_SEMICOLON_BEFORE_CP)
    else:
        parts.pop()
    fields: dict[str, str] = {}
    for part in parts:
        if part.startswith(","):
            noted.append(Deviation.SEMICOLON_COMMA)
        pieces = part.removeprefix(",").split(",")
        if len(pieces) > 1:
            noted.append(Deviation.COMMA_BETWEEN_FIELDS)
        for piece in pieces:
            name, value = _field(piece, noted)
            if name in fields:
                raise SegmentError(Refusal.DUPLICATE, f"expected one {name}", head)
            fields[name] = value
    _check_order(fields, head, noted)
    return fields


def _field(piece: str, noted: list[Deviation]) -> tuple[str, str]:
    if piece != piece.strip(" "):
        noted.append(Deviation.BLANKS)
    name, equals, value = piece.strip(" ").partition("=")
    if name == "FLAG":
        noted.append(Deviation.FLAG_UPPER_CASE)
        name = "Flag"
    if not equals or name not in _FORMS:
        raise SegmentError(Refusal.GRAMMAR, "expected a field and its value", piece)
    form, cause = _FORMS[name]
    if form.fullmatch(value) is None:
        raise SegmentError(cause, f"expected {name} in its form", value)
    return name, value


def _check_order(fields: dict[str, str], head: str, noted: list[Deviation]) -> None:
    order = list(fields)
    if order == [name for name in _ORDER if name in fields]:
        return
    if order != [name for name in _ORDER_2005 if name in fields]:
        raise SegmentError(Refusal.GRAMMAR, "expected QN;ST;CN;PW;MN;Flag;...", head)
    noted.append(Deviation.NUMBERS_AFTER_QN)


def _build(
    fields: dict[str, str], items: tuple[Item, ...], noted: list[Deviation]
) -> Segment:
    for name in ("ST", "CN", "PW", "MN"):
        if name not in fields:
            raise SegmentError(Refusal.GRAMMAR, f"expected {name}", ";".join(fields))
    cn = int(fields["CN"])
    if cn not in KNOWN:
        raise SegmentError(Refusal.COMMAND, "expected a known CN", fields["CN"])
    flag = _flag(fields.get("Flag"), noted)
    qn = fields.get("QN")
    if qn is None:
        noted.append(Deviation.NO_QN)
    elif read_time(qn) is None:
        raise SegmentError(Refusal.QN, "expected a date and time", qn)
    if len(fields["ST"]) > _ST_LENGTH:
        noted.append(Deviation.ST_THREE_DIGITS)
    if _PW.fullmatch(fields["PW"]) is None:
        noted.append(Deviation.PW_FORM)
    _note_mn(fields["MN"], flag, noted)
    pnum, pno = _numbers(fields, flag, noted)
    return Segment(
        qn=qn,
        st=fields["ST"],
        cn=cn,
        pw=fields["PW"],
        mn=fields["MN"],
        flag=flag,
        pnum=pnum,
        pno=pno,
        rf="RF" in fields,
        items=items,
    )


def _flag(text: str | None, noted: list[Deviation]) -> int | None:
    if text is None:
        noted.append(Deviation.NO_FLAG)
        return None
    flag = int(text)
    if flag >> 2 not in VERSIONS:
        raise SegmentError(Refusal.FLAG, "expected the Flag of a known version", text)
    return flag


def _note_mn(mn: str, flag: int | None, noted: list[Deviation]) -> None:
    if not mn:
        noted.append(Deviation.MN_EMPTY)
    elif not (_MN if (flag or 0) >> 2 else _MN_2005).fullmatch(mn):
        noted.append(Deviation.MN_FORM)


def _numbers(
    fields: dict[str, str], flag: int | None, noted: list[Deviation]
) -> tuple[int | None, int | None]:
    """How many packets, and which one: both or none, as Flag says."""
    given = [name for name in ("PNUM", "PNO") if name in fields]
    split = bool((flag or 0) & SPLIT)
    if not given:
        if split:
            noted.append(Deviation.FLAG_WITHOUT_NUMBERS)
        return None, None
    pnum, pno = int(fields.get("PNUM", 0)), int(fields.get("PNO", 0))
    if not split or not 1 <= pno <= pnum:
        found = ", ".join(f"{name}={fields[name]}" for name in given)
        raise SegmentError(
            Refusal.PACKET_NUMBERS, "expected 1 <= PNO <= PNUM and Flag bit 1", found
        )
    return pnum, pno
