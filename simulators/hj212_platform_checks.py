"""One frame against the standard: clauses it was held to, and those it does not meet.

Nothing here knows of frames before it; what only a row of frames shows (repeats, gaps,
answers) is judged by ``hj212_platform_uploads``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from simulators.hj212_codec import check_of
from simulators.hj212_platform_account import is_aligned, qn_seconds, seconds
from simulators.hj212_segment import (
    ANSWER,
    CP_ROOM,
    PACKETS,
    SEGMENT_ROOM,
    VERSIONS,
    Deviation,
    Segment,
    cp_range,
    read,
)
from simulators.hj212_sm4 import opened
from simulators.hj212_tables import (
    ASKED,
    DONE,
    FLAGS,
    HEARTBEAT,
    INTERACTION,
    MEANS,
    NOTED,
    NUMBERS,
    PERIODS,
    READS,
    TAKEN,
    forms,
    is_sealed,
    misfit,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from simulators.hj212_codec import Cut
    from simulators.hj212_platform_account import Account

_MN = re.compile(r"MN=([^;,]*)")
_CN = re.compile(r"CN=([0-9]+)")
_LENGTHS = {2017: (4, 4), 2025: (1, 1)}
"""Digits of PNUM and PNO; of 2025 as the lengths of its table 3 leave room for."""
_MN_LENGTH = 24
_SLACK_S = 1.0


class Examined(NamedTuple):
    """What one frame was found to be."""

    segment: Segment | None
    """None: broken, nothing of it is believed."""
    account: Account | None
    checked: tuple[str, ...]
    """Clauses that applied."""
    deviations: tuple[Deviation, ...]
    sealed: bool = False


def examine(cut: Cut, accounts: Mapping[str, Account]) -> Examined:
    """Hold a frame against every clause that one frame can show."""
    known = accounts.get(_peek(_MN, cut.segment))
    plain, sealed = _plain(cut, known)
    found = list(_envelope(cut, plain))
    checked = ["frame.start", "frame.length", "frame.crc"]
    if plain is None:
        found.append(Deviation("frame.crc", f"got {cut.check!r}"))
        return Examined(None, known, tuple(checked), tuple(found))
    checked += ["frame.crc_case", "frame.tail", "segment.read"]
    try:
        segment = read(plain)
    except ValueError as exc:
        found.append(Deviation("segment.read", str(exc)))
        return Examined(None, known, tuple(checked), tuple(found))
    checked += ["frame.utf8", "segment.order", "segment.mn", "cp.grammar"]
    found += segment.deviations
    account = accounts.get(segment.mn)
    if account is None:
        found.append(Deviation("segment.mn", f"nobody here is {segment.mn!r}"))
        return Examined(segment, None, tuple(checked), tuple(found))
    checked += _SEGMENT
    found += _segment(segment, account)
    if account.key is not None and account.new and is_sealed(segment.cn):
        checked.append("seal.used")
        if not sealed and segment.cp:
            found.append(Deviation("seal.used", f"CN={segment.cn} in plain"))
    if segment.factors or segment.cn in READS:
        checked += _CONTENT
        found += _content(segment, account)
    return Examined(segment, account, tuple(checked), tuple(found), sealed)


_SEGMENT = (
    "segment.qn",
    "segment.st",
    "segment.cn",
    "segment.pw",
    "segment.mn_form",
    "segment.flag",
    "segment.packets",
    "segment.rf",
    "segment.cp_limit",
)
_CONTENT = (
    "cp.time",
    "cp.aligned",
    "cp.ended",
    "cp.names",
    "cp.factor",
    "cp.number",
    "cp.flag",
    "cp.ordered",
)


def _envelope(cut: Cut, plain: bytes | None) -> list[Deviation]:
    data = cut.segment if plain is None else plain  # the literal form makes it longer
    found = []
    if cut.before:
        found.append(Deviation("frame.start", f"{cut.before[:40]!r} before it"))
    if len(data) > SEGMENT_ROOM:
        found.append(Deviation("frame.length", f"{len(data)} bytes of {SEGMENT_ROOM}"))
    if cut.check != cut.check.upper():
        found.append(Deviation("frame.crc_case", f"got {cut.check!r}"))
    if cut.tail != b"\r\n":
        found.append(Deviation("frame.tail", f"got {cut.tail!r}"))
    return found


def _plain(cut: Cut, account: Account | None) -> tuple[bytes | None, bool]:
    """The segment without its encryption; None: no reading of it has this check."""
    data, check = cut.segment, cut.check.upper()
    if account is not None and account.key is not None and account.new:
        span = cp_range(data)
        if span is not None and is_sealed(int(_peek(_CN, data) or 0)):
            start, end = span
            body = opened(data[start:end], account.key, account.sealed)
            plain = data[:start] + body + data[end:]
            if check_of(plain) == check and plain != data:
                return plain, True
    return (data, False) if check_of(data) == check else (None, False)


def _peek(what: re.Pattern[str], data: bytes) -> str:
    head = data.partition(b"CP=&&")[0].decode("ascii", "replace")
    match = what.search(head)
    return match[1] if match else ""


def _segment(segment: Segment, account: Account) -> list[Deviation]:
    found = []

    def say(clause: str, text: str) -> None:
        found.append(Deviation(clause, text))

    if qn_seconds(segment.qn) is None:
        say("segment.qn", f"got {segment.qn!r}")
    answers = segment.cn in {ASKED, DONE, NOTED, TAKEN}
    allowed = {account.st, *account.also_st}
    if answers:
        allowed = {INTERACTION}
    elif segment.cn == HEARTBEAT:
        allowed.add(INTERACTION)  # which one it has is not confirmed
    if segment.st not in allowed:
        say("segment.st", f"expected {'/'.join(sorted(allowed))}, got {segment.st!r}")
    if not (answers or _may_send(segment.cn, account)):
        say("segment.cn", f"got {segment.fields.get('CN')!r}")
    if segment.pw != account.pw:
        say("segment.pw", f"got {segment.pw!r}")
    if re.fullmatch(r"[0-9A-F]{24}", segment.mn) is None:
        say("segment.mn_form", f"got {segment.mn!r}, {len(segment.mn)} of {_MN_LENGTH}")
    version = VERSIONS[account.version]
    packets = "PNUM" in segment.fields or "PNO" in segment.fields
    if segment.flag & ~(ANSWER | PACKETS) != version or (
        bool(segment.flag & PACKETS) is not packets
    ):
        expected = version | (PACKETS if packets else 0)
        say(
            "segment.flag",
            f"expected {expected} or {expected | ANSWER},"
            f" got {segment.fields.get('Flag')!r}",
        )
    if packets:
        _packets(segment, account, say)
    rf = segment.fields.get("RF")
    if rf is not None and (rf != "1" or not account.new):
        say("segment.rf", f"RF={rf} of version {account.version}")
    if len(segment.cp) + 4 > CP_ROOM:
        say("segment.cp_limit", f"{len(segment.cp) + 4} bytes")
    return found


def _may_send(cn: int, account: Account) -> bool:
    """A device also answers requests by frames of the request's own code."""
    return cn in account.uploads | account.notices or cn in _READ_BACK


_READ_BACK = frozenset((1011, 1061, 1063, 3015, 3016, 3017, 3018, 3019, 3020))


def _packets(
    segment: Segment, account: Account, say: Callable[[str, str], None]
) -> None:
    total, number = segment.fields.get("PNUM", ""), segment.fields.get("PNO", "")
    room = _LENGTHS[account.version]
    fits = all(
        text.isdigit() and len(text) <= most
        for text, most in zip((total, number), room, strict=True)
    )
    if not fits or not 1 <= int(number) <= int(total):
        say("segment.packets", f"PNUM={total!r}, PNO={number!r}")


def _content(segment: Segment, account: Account) -> list[Deviation]:
    found = _times(segment, account)
    table = forms(account.version)
    letters = FLAGS[account.version]
    names = READS.get(segment.cn)
    for code, told in segment.factors.items():
        if names is not None:
            if code not in table and not code.startswith(("SB", "e", "g", "d", "p")):
                found.append(Deviation("cp.factor", f"unknown code {code!r}"))
            strange = told.keys() - names
            if strange:
                found.append(
                    Deviation("cp.names", f"{code}: {'/'.join(sorted(strange))}")
                )
            flag = told.get("Flag")
            if flag is not None and flag not in letters:
                found.append(Deviation("cp.flag", f"{code}-Flag={flag}"))
            found += _numbers(code, told, table.get(code))
    return found


def _times(segment: Segment, account: Account) -> list[Deviation]:
    if segment.cn not in READS:
        return []
    at = seconds(segment.data_time)
    if at is None:
        return [Deviation("cp.time", f"DataTime={segment.data_time!r}")]
    found = []
    length = account.length_s(segment.cn)
    if segment.cn in PERIODS and not is_aligned(segment.cn, at, account.minute_min):
        found.append(Deviation("cp.aligned", f"DataTime={segment.data_time}"))
    said = qn_seconds(segment.qn)
    if said is not None and said + _SLACK_S < at + length:
        found.append(
            Deviation("cp.ended", f"DataTime={segment.data_time}, QN={segment.qn}")
        )
    return found


def _numbers(
    code: str, told: dict[str, str], form: tuple[int, int] | None
) -> list[Deviation]:
    found = []
    for what, text in told.items():
        if what not in NUMBERS:
            continue
        wrong = misfit(text, form if what in MEANS else None)
        if wrong:
            found.append(Deviation("cp.number", f"{code}-{what}: {wrong}"))
    for low, mean, high in (("Min", "Avg", "Max"), ("ZsMin", "ZsAvg", "ZsMax")):
        row = [_float(told[name]) for name in (low, mean, high) if name in told]
        if None not in row and row != sorted(row, key=lambda one: one or 0.0):
            found.append(
                Deviation("cp.ordered", f"{code}: {low} {mean} {high} = {row}")
            )
    return found


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
