"""From what is to be said to bytes: segments, and their split into packets.

Strict: what leaves here has the standard's order, forms and limits. Numbers are text
that the caller wrote in the factor's format; nothing is rounded here.

Source: HJ 212-2017, 6.3.2 and annex C (C.47 to C.50: each packet has a QN of its own
and is answered by itself); HJ 212-2025, 6.3.2 and 8.1.2.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec.structs import replace

from drivers.hj212.cp import parse
from drivers.hj212.fields import NUMBER, NUMBERS, OF_FACTOR, OF_FRAME, TIMES, is_time
from drivers.hj212.frame import SEGMENT_LIMIT
from drivers.hj212.segment import ANSWER_WANTED, CP_LIMIT, SPLIT, VERSIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from drivers.hj212.cp import Item
    from drivers.hj212.deviations import Deviation
    from drivers.hj212.segment import Segment

_MOST_PACKETS = {2005: 9999, 2017: 9999, 2025: 9}
"""PNUM has four digits; with HJ 212-2025's total length of six, one is left."""
_MISSPELT = "CTime"
_TIME_DIGITS = 14
_FACTOR = re.compile(r"[0-9A-Za-z]{0,24}")
_FORMS = {"Flag": re.compile(r"[0-9A-Za-z]{1,2}"), "Time": re.compile(r"[0-9]{14}")}
_CODES = {year: code for code, year in VERSIONS.items()}


def flag(version: int, *, answer: bool, split: bool = False) -> int:
    """The Flag of a version: 2017 gives 4 to 7, 2025 gives 8 to 11."""
    return _CODES[version] << 2 | (SPLIT if split else 0) | (ANSWER_WANTED & answer)


def encode_items(items: Sequence[Item]) -> str:
    """What stands between ``CP=&&`` and ``&&``."""
    return ";".join(
        ",".join(f"{name}={value}" for name, value in item) for item in items
    )


def encode(segment: Segment) -> bytes:
    """The bytes of a segment; ``frame.pack`` puts the frame around them.

    Raises:
        SegmentError: A name or value is none of the standard's.
        ValueError: Something that a segment of ours always says is missing, or it is
            longer than the standard allows: ``split`` it.
    """
    if segment.qn is None or segment.flag is None:
        raise ValueError("expected QN and Flag in a segment of ours")
    if (segment.pnum is None) == bool(segment.flag & SPLIT):
        raise ValueError(f"expected PNUM and PNO with Flag bit 1, got {segment.flag}")
    inside = encode_items(segment.items)
    if not _plain(segment.items):
        noted: list[Deviation] = []
        if parse(inside, (), noted) != segment.items or noted:
            raise ValueError(f"expected items of the standard's form, got {noted}")
    data = _around(segment, inside)
    size = len(inside.encode())
    if size > CP_LIMIT or len(data) > SEGMENT_LIMIT:
        raise ValueError(
            f"expected at most {CP_LIMIT} bytes of CP and {SEGMENT_LIMIT} in all, got"
            f" {size} and {len(data)}; split it"
        )
    return data


def split(whole: Segment, next_qn: Callable[[], str]) -> list[Segment]:
    """One segment as packets that each keep to the limits.

    Items stay whole, and each packet repeats the names that stand alone at the front
    (``DataTime``), so that each says by itself what its values are of.

    Args:
        whole: Everything; its QN is the first packet's.
        next_qn: Gives the QN of each further packet, since each is answered alone.

    Raises:
        ValueError: An item is too long for any packet, or there are too many packets.
    """
    # With the ; behind each, of which the last is not written.
    sizes = [len(encode_items((item,)).encode()) + 1 for item in whole.items]
    if sum(sizes) - 1 <= _room(whole):
        return [whole]
    with_numbers = replace(whole, flag=(whole.flag or 0) | SPLIT, pnum=9999, pno=9999)
    room = _room(with_numbers)
    common = leading(whole.items)
    first = sum(sizes[: len(common)]) - 1
    groups: list[list[Item]] = [[]]
    filled = longest = first
    for item, size in zip(
        whole.items[len(common) :], sizes[len(common) :], strict=True
    ):
        if groups[-1] and filled + size > room:
            groups.append([])
            filled = first
        groups[-1].append(item)
        filled += size
        longest = max(longest, filled)
    most = _MOST_PACKETS[whole.version]
    if len(groups) > most or longest > room:
        raise ValueError(
            f"expected at most {most} packets of {room} bytes, got {len(groups)}"
            f" of up to {longest}"
        )
    return [
        replace(
            with_numbers,
            qn=whole.qn if number == 1 else next_qn(),
            pnum=len(groups),
            pno=number,
            items=(*common, *group),
        )
        for number, group in enumerate(groups, 1)
    ]


def _plain(items: Sequence[Item]) -> bool:
    """Whether reading them back would give the same: surely so, or not known.

    Numbers, times and marks of one factor after the other, as nearly all there is:
    their forms hold nothing that the grammar uses.
    """
    names: set[str] = set()
    bases: set[str] = set()
    pairs = 0
    for item in items:
        base = ""
        for name, value in item:
            factor, field, form = _known(name)
            if form is None or form.fullmatch(value) is None:
                return False
            if field in TIMES and (len(value) != _TIME_DIGITS or not is_time(value)):
                return False
            own = factor or field
            if base not in ("", own):
                return False
            base = own
            names.add(name)
            pairs += 1
        if base in bases or not item:
            return False
        bases.add(base)
    return len(names) == pairs


@lru_cache(maxsize=4096)
def _known(name: str) -> tuple[str, str, re.Pattern[str] | None]:
    """Factor, field and form of a name; no form: it takes a closer look."""
    factor, _, field = name.rpartition("-")
    allowed = OF_FACTOR if factor else OF_FRAME
    usual = field in allowed and field != _MISSPELT and _FACTOR.fullmatch(factor)
    word = field == "Rtd" and factor.startswith("p")
    if not usual or word:
        return factor, field, None
    if field in NUMBERS:
        return factor, field, NUMBER
    return factor, field, _FORMS.get("Time" if field in TIMES else field)


def _around(segment: Segment, inside: str) -> bytes:
    head = [
        f"QN={segment.qn}",
        f"ST={segment.st}",
        f"CN={segment.cn}",
        f"PW={segment.pw}",
        f"MN={segment.mn}",
        f"Flag={segment.flag}",
    ]
    if segment.pnum is not None:
        head += [f"PNUM={segment.pnum}", f"PNO={segment.pno}"]
    if segment.rf:
        head.append("RF=1")
    return f"{';'.join(head)};CP=&&{inside}&&".encode()


def leading(items: Sequence[Item]) -> tuple[Item, ...]:
    """The items at the front that are of no factor, such as DataTime."""
    count = 0
    while count < len(items) and "-" not in items[count][0][0]:
        count += 1
    return tuple(items[:count])


def _room(segment: Segment) -> int:
    """Bytes that the items of such a segment may have."""
    return min(CP_LIMIT, SEGMENT_LIMIT - len(_around(segment, "")))
