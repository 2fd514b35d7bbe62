"""What the gateway keeps and sends: records to stored bytes and on to wire JSON.

Stored form, version 1 (big endian); the tail is finished JSON, so that publishing
only joins bytes:

    0   u8   version, 1
    1   u8   kind: 1 scan, 2 gap, 3 lost, 4 event, 5 ledger, 6 track, 7 minute, 8 hour,
             9 day, 10 media
    2   u8   flags: bit 0 the wall clock was trusted, bit 1 a second instant follows,
             bit 2 the JSON names a ``t`` of its own
    3   u8   0
    4   u32  boot id          8   u32  meta id
    12  i64  wall clock, ms since 1970 UTC, as read at acquisition
    20  i64  monotonic clock, ms since boot
    28  [u8 trusted, u32 boot, i64 wall, i64 monotonic: the end of a gap, event, track]
    ..  UTF-8: a JSON object without its opening brace; of a minute, hour or day then a
        zero byte and its exact numbers (see ``period_form``), which stay here; of a
        part of a picture a zero byte and its bytes (see ``media``)

The date is worked out when a record is sent (``to_wire``), never in the stored bytes.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

import msgspec

from drivers.values import Flaw, Value
from gateway import media as media_form
from gateway import period_form
from gateway.aggregate import Period
from gateway.clock import Instant
from gateway.media import Media, MediaRef

VERSION = 1
EXACT_INT = 2**53
"""Largest integer every JSON reader keeps exactly (IEEE 754 double, RFC 8259, 6)."""

Kind = Literal[
    "scan",
    "gap",
    "lost",
    "event",
    "ledger",
    "track",
    "minute",
    "hour",
    "day",
    "media",
]
Severity = Literal["info", "warning", "alarm"]
EventState = Literal["raised", "updated", "acknowledged", "cleared"]
Told = Value | tuple[float | str, ...] | dict[str, Value]
"""What an event may say of one thing: a value, several of a kind, values by name."""
When = Callable[[Instant], "DatedTime | None"]
"""Dates an instant of an untrusted clock; None: not yet, its record waits."""

_KINDS: tuple[Kind, ...] = get_args(Kind)
_LOST, _LEDGER = 3, 5
_PERIODS = {"minute": 7, "hour": 8, "day": 9}
_MEDIA = 10
_OWN_TIMES = frozenset((_LEDGER, *_PERIODS.values()))
_HEAD = struct.Struct(">BBBxIIqq")
PERIOD_AT = _HEAD.size
"""Where the JSON of a stored period begins, without its brace."""
_SECOND = struct.Struct(">BIqq")
_TRUSTED, _HAS_SECOND, _OWN_T = 1, 2, 4
_JSON = msgspec.json.Encoder()
_Form = tuple[int, Instant, Instant | None, bytes]
"""Kind, first and second instant, JSON."""


class RecordError(ValueError):
    """A record that cannot be stored, or stored bytes that cannot be read."""


class UndatedError(Exception):
    """Nobody can say yet when this record was acquired: it waits, nothing is wrong."""


class Scan(msgspec.Struct, frozen=True):
    """What one device answered in one poll."""

    device: str
    at: Instant
    values: dict[str, Value]
    flaws: dict[str, Flaw] = {}
    flags: dict[str, str] | None = None
    """The instrument's own marks, beside our quality."""
    sampled: dict[str, int] | None = None
    """When the instrument says it took a point, UTC ms by its own clock."""
    age_ms: dict[str, int] | None = None
    """How long before ``at`` the data of a point came in, where not at once."""
    pos: dict[str, Value] | None = None
    """Where a mobile station was at that second, or why that is not known."""
    states: dict[str, str] | None = None
    """The state the instrument was in, point by point, where it was not the normal one:
    see ``judge.states``."""


class Gap(msgspec.Struct, frozen=True):
    """Slots in which points were not asked, and why."""

    device: str
    points: tuple[str, ...]
    since: Instant
    until: Instant
    slots: int
    cause: str
    open: bool = False
    every_ms: int = 0
    """The k-th slot, from 0, was due at ``since + k * every_ms``; 0: not known."""
    certain: bool = True
    """False: some of its slots may have been asked, by a run that was killed."""


class Lost(msgspec.Struct, frozen=True):
    """Seqs that will never arrive: together with the records they cover every seq."""

    first: int
    last: int
    t_ms: int
    """Acquisition time of the first and last of them, UTC ms; 0: not known."""
    until_ms: int
    counts: dict[str, int]
    cause: str
    certain: bool
    at_most: int
    at: Instant
    """When the loss was noticed."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something a person or the platform should know."""

    id: str
    type: str
    severity: Severity
    state: EventState = "raised"
    at: Instant
    """When it began."""
    until: Instant | None = None
    device: str | None = None
    bus: str | None = None
    asset: str | None = None
    values: Mapping[str, Told] = {}
    text: dict[str, str] = {}
    """The same sentence in ``zh`` and ``en``."""
    of: tuple[str, ...] = ()
    """The ids of the events it stands for, where it stands for many."""
    media: tuple[MediaRef, ...] = ()
    """Its pictures, as far as they are known when it is told."""


class DayLedger(msgspec.Struct, frozen=True, kw_only=True):
    """What became of everything scheduled of one device on one day; see ``ledger``."""

    device: str
    day: str
    """ISO date in ``tz``; empty: of what no trusted clock dated."""
    tz: str
    t_ms: int
    """The UTC hours it covers begin here, UTC ms."""
    until_ms: int
    scheduled: int
    """Point-slots: ``value + bad + gap``."""
    value: int
    bad: int
    gap: int
    records: int
    """Records stored, of every kind."""
    lost: int = 0
    unsure: int = 0
    targets: dict[str, dict[str, int]] = {}
    """Target -> sent, proved, refused, filtered; zeros are left out."""
    incomplete: bool = False
    """A kill took some of the counts; gaps of its last minute may be too high."""
    at: Instant
    """When the sums were made."""


class Track(msgspec.Struct, frozen=True, kw_only=True):
    """Where a receiver went, with fewer corners than fixes; see ``judge.thin``."""

    device: str
    since: Instant
    until: Instant
    line: tuple[tuple[int, float, float], ...]
    """Corners: milliseconds since ``since``, longitude, latitude."""
    within_m: float
    """No fix that was left out lies farther from the line, at its own time."""
    fixes: int
    """How many it stands for."""
    datum: str


Record = Scan | Gap | Lost | Event | DayLedger | Track | Period | Media


class DatedTime(msgspec.Struct, frozen=True):
    """What is known now about when an instant of an untrusted clock was."""

    t: int
    """UTC ms, the best estimate."""
    clock: Literal["corrected", "unknown"]
    t_min: int | None = None
    t_max: int | None = None


class Head(msgspec.Struct, frozen=True):
    """What a stored record says about itself without reading its JSON."""

    kind: Kind
    meta: str
    at: Instant


class _ScanTail(msgspec.Struct, omit_defaults=True):
    device: str
    values: dict[str, Value]
    q: dict[str, Flaw] = {}
    flag: dict[str, str] | None = None
    sampled: dict[str, int] | None = None
    age_ms: dict[str, int] | None = None
    pos: dict[str, Value] | None = None
    state: dict[str, str] | None = None


class _GapTail(msgspec.Struct, omit_defaults=True):
    device: str
    points: tuple[str, ...]
    slots: int
    cause: str
    open: bool = False
    every_ms: int = 0
    certain: bool = True


class _LostTail(msgspec.Struct, omit_defaults=True):
    seq_from: int
    seq_to: int
    counts: dict[str, int]
    cause: str
    certain: bool
    at_most: int
    t: int = 0
    until: int = 0


class _EventTail(msgspec.Struct, omit_defaults=True):
    id: str
    type: str
    severity: Severity
    state: EventState
    device: str | None = None
    bus: str | None = None
    asset: str | None = None
    values: Mapping[str, Told] = {}
    text: dict[str, str] = {}
    of: tuple[str, ...] = ()
    media: tuple[MediaRef, ...] = ()


class _TrackTail(msgspec.Struct):
    device: str
    line: tuple[tuple[int, float, float], ...]
    within_m: float
    fixes: int
    datum: str


class _DayTail(msgspec.Struct, omit_defaults=True):
    t: int
    until: int
    device: str
    day: str
    tz: str
    scheduled: int
    value: int
    bad: int
    gap: int
    records: int
    lost: int = 0
    unsure: int = 0
    targets: dict[str, dict[str, int]] = {}
    incomplete: bool = False


def dated_as_read(at: Instant) -> DatedTime:
    """The wall clock's own word, marked as unknown: what can always be said."""
    return DatedTime(at.wall_ms, "unknown")


def encode(record: Record, meta: str) -> bytes:
    """The stored form of a record.

    Args:
        record: Its numbers must be finite.
        meta: Eight hex digits: the version of the site it is to be read with.

    Raises:
        RecordError: NaN, infinity, or an id that is not eight hex digits.
    """
    until: Instant | None = None
    if type(record) is Scan:
        kind, at = 1, record.at
        tail = _JSON.encode(
            _ScanTail(
                record.device,
                _wire_values(record.values),
                record.flaws,
                record.flags,
                record.sampled,
                record.age_ms,
                record.pos,
                record.states,
            )
        )
        if b"null" in tail:
            _refuse_not_finite(record.values, f"scan of {record.device}")
    else:
        form = _FORMS.get(type(record))
        if form is None:
            raise RecordError(f"cannot store a {type(record).__name__}")
        kind, at, until, tail = form(record)
    flags = _TRUSTED if at.trusted else 0
    if until is not None:
        flags |= _HAS_SECOND
    elif kind in _OWN_TIMES or (type(record) is Lost and record.t_ms):
        flags |= _OWN_T
    try:
        head = _HEAD.pack(
            VERSION, kind, flags, _id32(at.boot), _id32(meta), at.wall_ms, at.mono_ms
        )
    except struct.error as exc:
        raise RecordError(f"instant out of range: {at!r}") from exc
    if until is not None:
        head += _SECOND.pack(
            until.trusted, _id32(until.boot), until.wall_ms, until.mono_ms
        )
    return head + tail[1:]


def _gap_form(gap: Gap) -> _Form:
    tail = _GapTail(
        gap.device,
        gap.points,
        gap.slots,
        gap.cause,
        gap.open,
        gap.every_ms,
        gap.certain,
    )
    return 2, gap.since, gap.until, _JSON.encode(tail)


def _lost_form(lost: Lost) -> _Form:
    tail = _LostTail(
        lost.first,
        lost.last,
        lost.counts,
        lost.cause,
        lost.certain,
        lost.at_most,
        lost.t_ms,
        lost.until_ms,
    )
    return _LOST, lost.at, None, _JSON.encode(tail)


def _event_form(event: Event) -> _Form:
    _refuse_not_finite(event.values, f"event {event.id}")
    tail = _EventTail(
        event.id,
        event.type,
        event.severity,
        event.state,
        event.device,
        event.bus,
        event.asset,
        _wire_told(event.values),
        event.text,
        event.of,
        event.media,
    )
    return 4, event.at, event.until, _JSON.encode(tail)


def _ledger_form(day: DayLedger) -> _Form:
    return _LEDGER, day.at, None, _JSON.encode(_day_tail(day))


def _track_form(track: Track) -> _Form:
    tail = _TrackTail(
        track.device, track.line, track.within_m, track.fixes, track.datum
    )
    return 6, track.since, track.until, _JSON.encode(tail)


def _period_form(period: Period) -> _Form:
    return _PERIODS[period.kind], period.at, None, period_form.tail(period)


def _media_form(media: Media) -> _Form:
    return _MEDIA, media.at, None, media_form.tail(media)


_FORMS: dict[type, Callable[[Any], _Form]] = {
    Gap: _gap_form,
    Lost: _lost_form,
    Event: _event_form,
    DayLedger: _ledger_form,
    Track: _track_form,
    Period: _period_form,
    Media: _media_form,
}


def head(data: bytes) -> Head:
    """Kind, meta id and instant of a stored record.

    Raises:
        RecordError: Unknown version or kind, or too short.
    """
    kind, flags, boot, meta, wall, mono = _open(data)
    return Head(
        _KINDS[kind - 1],
        f"{meta:08x}",
        Instant(wall, mono, f"{boot:08x}", bool(flags & _TRUSTED)),
    )


def meta_of(data: bytes) -> bytes:
    """The four bytes that name the meta version: enough to tell batches apart."""
    return data[8:12]


def dated(record: Record) -> bool:
    """Whether a trusted clock said every instant of a record."""
    if type(record) is Scan:
        return record.at.trusted
    if isinstance(record, Gap | Track):
        return record.since.trusted and record.until.trusted
    until = record.until if type(record) is Event else None
    return record.at.trusted and (until is None or until.trusted)


def is_dated(data: bytes) -> bool:
    """The same of stored bytes; nothing is decoded."""
    try:
        flags = data[2]
        if not flags & _HAS_SECOND:
            return bool(flags & _TRUSTED)
        return bool(flags & _TRUSTED and data[_HEAD.size])
    except IndexError:
        return False  # cut off: nobody can read it, and it is counted all the same


def kind_of(data: bytes) -> Kind:
    """The record's kind; see ``head``."""
    return _KINDS[_open(data)[0] - 1]


def to_wire(seq: int, data: bytes, when: When = dated_as_read) -> bytes:
    """One JSON object of a message's ``records``; the stored JSON is not read again.

    Args:
        seq: The record's place in the store.
        data: Its stored form.
        when: Dates instants whose clock was not trusted; others keep their time.

    Raises:
        RecordError: Unknown version or kind, or too short.
        UndatedError: ``when`` cannot date it yet.
    """
    kind, flags, boot, _meta, wall, mono = _open(data)
    if flags == _TRUSTED and kind == 1:  # nearly every record there is
        return b'{"seq":%d,"kind":"scan","t":%d,%b' % (seq, wall, data[28:])
    at = Instant(wall, mono, f"{boot:08x}", bool(flags & _TRUSTED))
    dated = None if at.trusted else _dated(at, when)
    t = at.wall_ms if dated is None else dated.t
    parts = [b'{"seq":%d,"kind":"%b"' % (seq, _KINDS[kind - 1].encode())]
    if kind == _LOST or kind in _OWN_TIMES:
        parts.append(b',"noted":%d' % t)
    if not flags & _OWN_T:
        parts.append(b',"t":%d' % t)
    start = _HEAD.size
    end: DatedTime | None = None
    if flags & _HAS_SECOND:
        until = _instant2(data)
        start += _SECOND.size
        end = None if until.trusted else _dated(until, when)
        parts.append(b',"until":%d' % (until.wall_ms if end is None else end.t))
        at = until if dated is None else at
    if dated is not None or end is not None:
        parts.append(_clock_words(at, dated, end))
    if dated is not None:
        parts.append(_bounds(b"noted" if flags & _OWN_T else b"t", dated))
    if end is not None:
        parts.append(_bounds(b"until", end))
    stop: int | None = None
    if kind in _PERIODS.values():
        stop = period_form.wire_end(data, start)
    elif kind == _MEDIA:
        stop = _media_cut(data)
    parts.extend((b",", data[start:stop]))
    return b"".join(parts)


def media_topic(data: bytes) -> str:
    """Where a stored part of a picture goes: ``{event}/{n}``.

    Raises:
        RecordError: Damaged.
    """
    try:
        return media_form.topic_end(b"{" + data[_HEAD.size : _media_cut(data)])
    except msgspec.MsgspecError as exc:
        raise RecordError(f"stored media: {exc}") from exc


def media_bytes(data: bytes) -> bytes:
    """The picture's bytes in a stored part of it; ``to_wire`` says the rest.

    Raises:
        RecordError: Damaged.
    """
    return data[_media_cut(data) + 1 :]


def decode(data: bytes) -> tuple[Record, str]:
    """The record behind stored bytes, and its meta id; for export and inspection.

    Raises:
        RecordError: Unknown version or kind, or damaged.
    """
    first = head(data)
    flags = data[2]
    start = _HEAD.size
    until: Instant | None = None
    if flags & _HAS_SECOND:
        until = _instant2(data)
        start += _SECOND.size
    body = b"{" + data[start:]
    try:
        return _record(first, until, body), first.meta
    except msgspec.MsgspecError as exc:
        raise RecordError(f"stored {first.kind}: {exc}") from exc


def shown(data: bytes) -> period_form.Shown | None:
    """A stored period's digits, its exact numbers left unread; None: it is none.

    Raises:
        RecordError: Unknown version or kind, or damaged.
    """
    kind, flags, *_ = _open(data)
    name = _KINDS[kind - 1]
    if name != "minute" and name != "hour" and name != "day":  # noqa: PLR1714 - mypy
        return None
    start = _HEAD.size + (_SECOND.size if flags & _HAS_SECOND else 0)
    try:
        return period_form.shown(name, b"{" + data[start:])
    except msgspec.MsgspecError as exc:
        raise RecordError(f"stored {name}: {exc}") from exc


def _day_tail(day: DayLedger) -> _DayTail:
    return _DayTail(
        t=day.t_ms,
        until=day.until_ms,
        device=day.device,
        day=day.day,
        tz=day.tz,
        scheduled=day.scheduled,
        value=day.value,
        bad=day.bad,
        gap=day.gap,
        records=day.records,
        lost=day.lost,
        unsure=day.unsure,
        targets=day.targets,
        incomplete=day.incomplete,
    )


def _record(first: Head, until: Instant | None, body: bytes) -> Record:
    at = first.at
    match first.kind:
        case "scan":
            s = msgspec.json.decode(body, type=_ScanTail)
            found: Record = Scan(
                s.device, at, s.values, s.q, s.flag, s.sampled, s.age_ms, s.pos, s.state
            )
        case "gap":
            g = msgspec.json.decode(body, type=_GapTail)
            found = Gap(since=at, until=until or at, **msgspec.structs.asdict(g))
        case "lost":
            found = _lost(at, msgspec.json.decode(body, type=_LostTail))
        case "ledger":
            d: dict[str, Any] = msgspec.structs.asdict(
                msgspec.json.decode(body, type=_DayTail)
            )
            found = DayLedger(at=at, t_ms=d.pop("t"), until_ms=d.pop("until"), **d)
        case "track":
            line = msgspec.structs.asdict(msgspec.json.decode(body, type=_TrackTail))
            found = Track(since=at, until=until or at, **line)
        case "event":
            fields: dict[str, Any] = msgspec.structs.asdict(
                msgspec.json.decode(body, type=_EventTail)
            )
            found = Event(at=at, until=until, **fields)
        case "media":
            found = media_form.read(at, body)
        case kind:
            found = period_form.read(kind, at, body)
    return found


def _lost(at: Instant, x: _LostTail) -> Lost:
    return Lost(
        x.seq_from,
        x.seq_to,
        x.t,
        x.until,
        x.counts,
        x.cause,
        x.certain,
        x.at_most,
        at,
    )


def _open(data: bytes) -> tuple[int, int, int, int, int, int]:
    if len(data) <= _HEAD.size:
        raise RecordError(f"expected more than {_HEAD.size} bytes, got {len(data)}")
    version, kind, flags, boot, meta, wall, mono = _HEAD.unpack_from(data)
    if version != VERSION:
        raise RecordError(
            f"expected stored version {VERSION}, got {version}: "
            "written by another release of ecogate"
        )
    if not 1 <= kind <= len(_KINDS):
        raise RecordError(f"expected a kind of 1..{len(_KINDS)}, got {kind}")
    return kind, flags, boot, meta, wall, mono


def _media_cut(data: bytes) -> int:
    try:
        return media_form.wire_end(data, _HEAD.size)
    except ValueError as exc:
        raise RecordError("stored media: the bytes of the picture are missing") from exc


def _instant2(data: bytes) -> Instant:
    try:
        trusted, boot, wall, mono = _SECOND.unpack_from(data, _HEAD.size)
    except struct.error as exc:
        raise RecordError(f"cut off after {len(data)} bytes") from exc
    return Instant(wall, mono, f"{boot:08x}", bool(trusted))


def _dated(at: Instant, when: When) -> DatedTime:
    dated = when(at)
    if dated is None:
        raise UndatedError(f"boot {at.boot}, {at.mono_ms} ms: the clock is not known")
    return dated


def _clock_words(at: Instant, first: DatedTime | None, end: DatedTime | None) -> bytes:
    """The mark of a time that was not trusted; the less certain end counts."""
    unknown = any(one is not None and one.clock == "unknown" for one in (first, end))
    mark = b"unknown" if unknown else b"corrected"
    return b',"clock":"%b","boot":"%b","mono":%d' % (mark, at.boot.encode(), at.mono_ms)


def _bounds(key: bytes, dated: DatedTime) -> bytes:
    words = b""
    if dated.t_min is not None:
        words += b',"%b_min":%d' % (key, dated.t_min)
    if dated.t_max is not None:
        words += b',"%b_max":%d' % (key, dated.t_max)
    return words


def _wire_values(values: dict[str, Value]) -> dict[str, Value]:
    """The same dict, or a copy in which integers no double can hold are text."""
    for value in values.values():
        if type(value) is int and not -EXACT_INT <= value <= EXACT_INT:
            break
    else:
        return values
    return {
        name: str(value)
        if type(value) is int and not -EXACT_INT <= value <= EXACT_INT
        else value
        for name, value in values.items()
    }


def _wire_told(values: Mapping[str, Told]) -> dict[str, Told]:
    """The same of an event, whose values may have names of their own inside."""
    plain: dict[str, Value] = {}
    nested: dict[str, Told] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            nested[name] = _wire_values(value)
        elif isinstance(value, tuple):
            nested[name] = value
        else:
            plain[name] = value
    wire = _wire_values(plain)
    if not nested:
        return dict(wire)
    return {name: nested[name] if name in nested else wire[name] for name in values}


def _refuse_not_finite(values: Mapping[str, Told], where: str) -> None:
    # msgspec writes NaN and infinities as null: "null" in a text is the other reason.
    for name, value in values.items():
        if isinstance(value, dict):
            _refuse_not_finite(value, f"{where}, {name}")
        elif isinstance(value, tuple):
            several = {f"{name}[{i}]": one for i, one in enumerate(value)}
            _refuse_not_finite(several, where)
        elif type(value) is float and not math.isfinite(value):
            raise RecordError(
                f"{where}, {name}: expected a finite number, got {value!r}: "
                "say BAD with a reason instead"
            )


def _id32(text: str) -> int:
    if len(text) == 8:  # noqa: PLR2004 - eight hex digits, as the stored form says
        try:
            return int(text, 16)
        except ValueError:
            pass
    raise RecordError(f"expected eight hex digits, got {text!r}")
