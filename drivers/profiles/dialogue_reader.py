"""The ``dialogue`` of a profile as it is written, turned into ``Dialogue``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast, get_args

from drivers.profiles.ascii_points import (
    FIELDS_MOST,
    WRITTEN,
    AsciiPoint,
    field_name,
    texts,
)
from drivers.profiles.dialogue import (
    Ask,
    Check,
    CheckKind,
    Columns,
    Cut,
    Dialogue,
    Frame,
    Groups,
    Mode,
    Pairs,
    Parts,
    Pattern,
    Positions,
    RecordTime,
    Status,
    Step,
    Written,
)
from drivers.profiles.dialogue_text import (
    DialogueTextError,
    fields_of,
    pattern_parts,
    sign,
    text_parts,
)
from drivers.profiles.reading import Section, Word, closest, join, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from drivers.profiles.document import Mark, Node
    from drivers.profiles.model import Point
    from drivers.profiles.reading import Report

KEYS = (
    "mode", "address", "any_case", "prompts", "invalid", "errors", "frame", "check",
    "asks", "messages",
)  # fmt: skip
CUTS = ("columns", "pairs", "groups", "positions", "pattern")
ASK_KEYS = (
    "send", "steps", "starts", "frame", "check", "status", "time", "stale_after", *CUTS,
)  # fmt: skip
FRAME_KEYS = ("start", "end", "after", "size", "gap", "limit")
CHECKS: tuple[str, ...] = get_args(CheckKind)
_REASON = re.compile(r"[a-z][a-z0-9_]{0,31}\Z")
_POSITIONS = re.compile(r"([1-9][0-9]{0,3})(?:-([1-9][0-9]{0,3}))?\Z")
_ZONE = re.compile(r"([+-])([01][0-9]):([0-5][0-9])\Z")
_TIME_WORDS = re.compile(r"YYYY|YY|MON|MM|DD|hh|mm|ss")
_LINE = Frame(ends=(b"\r", b"\n"))
_MOST_ASKS = 64
_LARGEST_ID = 127
_OF_NUMBERS = frozenset("0123456789+-.")


def read_dialogue(section: Section, key: str = "dialogue") -> Dialogue | None:
    """Read it; None where it is absent or wrong, which has been reported."""
    node = section.get(key)
    if node is None:
        return None
    inner = Section.open(section.report, node, section.path_of(key), KEYS)
    if inner is None:
        return None
    mode = inner.choice("mode", get_args(Mode)) or "ask"
    frame = _frame(inner) or _LINE
    check = _check(inner) or Check()
    listed = "asks" if mode == "ask" else "messages"
    other = "messages" if mode == "ask" else "asks"
    if inner.has(other):
        _wrong(inner, other, f"expected {listed} in mode {mode}, found {other}")
    inner.get(listed, required=True)
    asks = [
        ask
        for name, ask_node, mark in inner.entries(listed)
        if (
            ask := _ask(
                inner, listed, name, ask_node, mark, frame, check, asked=mode == "ask"
            )
        )
    ]
    if not 1 <= len(asks) <= _MOST_ASKS:
        if not inner.entries(listed):
            inner.wrong(listed, "empty")
        return None
    return Dialogue(
        mode=cast("Mode", mode),
        address=_address(inner),
        any_case=inner.boolean("any_case") or False,
        prompts=_prompts(inner),
        invalid=texts(inner, "invalid") or (),
        errors=_errors(inner),
        asks=tuple(asks),
    )


def report_points(
    report: Report,
    dialogue: Dialogue | None,
    points: Iterable[tuple[Point, Node | Mark]],
    path: str,
) -> None:
    """Report points that name no ask of the dialogue, or a field it cannot have."""
    for point, place in points:
        if not isinstance(point, AsciiPoint):
            continue
        where = join(path, point.name)
        if dialogue is None:
            report.add(
                place,
                where,
                "dialogue_missing",
                text="expected a profile with a dialogue, found none",
            )
            return
        ask = dialogue.ask(point.ask)
        if ask is None:
            names = [each.name for each in dialogue.asks]
            report.add(
                place,
                join(where, "ask"),
                "choice",
                choices=", ".join(names),
                found=point.ask,
                meant=closest(point.ask, names) if point.ask else "",
            )
            continue
        for field in _fields_wanted(point, ask):
            if not _may_have(ask.cut, field):
                report.add(
                    place,
                    join(where, "field"),
                    "field",
                    text="expected a field of {ask} ({fields}), found {found}",
                    ask=ask.name,
                    fields=_fields_there(ask.cut),
                    found=field,
                )


def report_address(
    section: Section, dialogue: Dialogue | None, address: str | None
) -> None:
    """Report what a device's address lacks, or that it has no dialogue at all."""
    if dialogue is None:
        section.report.add(
            section.node,
            section.path,
            "dialogue_missing",
            text="expected a profile with a dialogue, found none",
        )
        return
    own = address or dialogue.address
    wants = {kind for ask in dialogue.asks for kind in _wanted_of_address(ask)}
    if "address" in wants and not own:
        section.report.add(
            section.node,
            section.path,
            "dialogue_address",
            text="expected an address, as the dialogue needs one, found none",
        )
    if "id" in wants and own and not (own.isdecimal() and int(own) <= _LARGEST_ID):
        section.wrong(
            "address",
            "dialogue_id",
            text="expected an instrument id from 0 to 127, found {found}",
            found=own,
        )


def _wanted_of_address(ask: Ask) -> Iterable[str]:
    """Which placeholders of an address are not left out where there is none."""
    texts_ = [step.send for step in ask.steps]
    for parts in (*texts_, ask.starts):
        optional = False
        for kind, _ in parts:
            optional = kind == "if" or (optional and kind != "end")
            if kind in ("address", "id") and not optional:
                yield kind


def _fields_wanted(point: AsciiPoint, ask: Ask) -> list[str]:
    wanted = [point.field, *(times.field for times in point.times)]
    wanted += [status.field for status in ask.status]
    wanted += ask.time.fields if ask.time else ()
    return [*wanted, point.unit_field] if point.unit_field else wanted


def _may_have(cut: Cut, field: str) -> bool:
    match cut:
        case Columns(header=False):
            return field.isdecimal() and 1 <= int(field) <= cut.most
        case Pattern():
            return field in fields_of(cut.parts)
        case Positions():
            found = _POSITIONS.match(field)
            last = int(found[2] or found[1]) if found else 0
            return found is not None and int(found[1]) <= last <= cut.size
        case _:
            return bool(field)


def _fields_there(cut: Cut) -> str:
    match cut:
        case Columns():
            return f"1 to {cut.most}"
        case Pattern():
            return ", ".join(fields_of(cut.parts))
        case Positions():
            return f"1-{cut.size}"
        case _:
            return "any key"


# -- one ask -----------------------------------------------------------------


def _ask(
    outer: Section,
    listed: str,
    name: str,
    node: Node,
    mark: Mark,
    frame: Frame,
    check: Check,
    *,
    asked: bool,
) -> Ask | None:
    before = len(outer.report.problems)
    path = join(outer.path_of(listed), name)
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,31}", name):
        outer.report.add(mark, path, "name", found=name)
    section = Section.open(outer.report, node, path, ASK_KEYS)
    if section is None:
        return None
    steps = _steps(section, asked=asked)
    fields: dict[str, Any] = {
        "name": name,
        "steps": steps,
        "frame": _frame(section) or frame,
        "check": _check(section) or check,
        "starts": _parts(section, "starts", text_parts) or (),
        "cut": _cut(section),
        "status": _statuses(section),
        "time": _time(section),
        "stale_after_s": section.duration("stale_after", 1.0, 366 * 86_400.0),
    }
    _check_frame(section, fields["frame"], fields["check"])
    if any(not problem.warning for problem in outer.report.problems[before:]):
        return None
    return Ask(**fields) if fields["cut"] is not None else None


def _steps(section: Section, *, asked: bool) -> tuple[Step, ...]:
    if not asked:
        for key in ("send", "steps"):
            if section.has(key):
                _wrong(section, key, f"expected no {key} in mode listen")
        return ()
    steps = []
    for index, node in enumerate(section.items("steps")):
        path = f"{section.path_of('steps')}[{index}]"
        inner = Section.open(section.report, node, path, ("send", "until"))
        if inner is None:
            continue
        send = _parts(inner, "send", text_parts, required=True)
        if send is not None:
            steps.append(Step(send=send, until=_sign(inner, "until") or b""))
    last = _parts(section, "send", text_parts, required=True)
    return (*steps, Step(send=last)) if last is not None else ()


def _cut(section: Section) -> Cut | None:  # noqa: PLR0911 one for each way
    given = [key for key in CUTS if section.has(key)]
    if not given:
        found = f"expected one of {', '.join(CUTS)}, found none"
        section.report.add(section.node, section.path, "cut_missing", text=found)
        return None
    for key in given[1:]:
        _wrong(section, key, f"expected {given[0]} or {key}, found both")
    key = given[0]
    if key == "pattern":
        parts = _parts(section, key, pattern_parts, required=True)
        return Pattern(parts=parts) if parts is not None else None
    node = section.at(key)
    keys = {
        "columns": ("separator", "count", "header"),
        "pairs": ("separator", "equals"),
        "groups": ("separator", "every", "name", "value", "unit"),
        "positions": ("size",),
    }[key]
    inner = Section.open(section.report, node, section.path_of(key), keys)
    if inner is None:
        return None
    if key == "positions":
        size = inner.integer("size", 1, 8192, required=True)
        return Positions(size=size) if size is not None else None
    separator = inner.text("separator")
    given_fields: dict[str, Any] = {}
    if separator is not None:
        given_fields["separator"] = separator.strip(" ")
    if key == "columns":
        given_fields |= _count(inner)
        given_fields["header"] = inner.boolean("header")
        return Columns(**_there(given_fields))
    if key == "pairs":
        given_fields["equals"] = inner.text("equals")
        return Pairs(**_there(given_fields))
    every = inner.integer("every", 2, 16)
    given_fields |= {
        "every": every,
        "name": _numbers(inner, "name"),
        "value": inner.integer("value", 1, every or 4),
        "unit": inner.integer("unit", 0, every or 4),
    }
    return Groups(**_there(given_fields))


def _count(section: Section) -> dict[str, Any]:
    """``count: 21`` or ``count: 5-7``."""
    node = section.get("count")
    if node is None:
        return {}
    found = _POSITIONS.match(node.text)
    if found is None:
        _wrong(section, "count", "expected a number or a range such as 5-7")
        return {}
    return {"least": int(found[1]), "most": int(found[2] or found[1])}


def _numbers(section: Section, key: str) -> tuple[int, ...] | None:
    nodes = section.items(key)
    numbers = [node.value for node in nodes if type(node.value) is int]
    if len(numbers) != len(nodes):
        section.wrong(key, "type", expected=Word("int"), found=shown(section.at(key)))
    return tuple(numbers) or None


def _statuses(section: Section) -> tuple[Status, ...]:
    read = []
    for index, node in enumerate(section.items("status")):
        path = f"{section.path_of('status')}[{index}]"
        keys = ("field", "written", "mask", "good", "reason", "points")
        inner = Section.open(section.report, node, path, keys)
        if inner is None:
            continue
        field = field_name(inner, "field", required=True)
        written = inner.choice("written", WRITTEN)
        mask = inner.integer("mask", 1, 0xFFFF_FFFF)
        inner.get("good", required=True)
        good = texts(inner, "good")
        reason = inner.text("reason") or "device_fault"
        if not _REASON.match(reason):
            inner.wrong("reason", "name", found=reason)
        if field is not None and good:
            chosen = written or ("byte" if mask else "text")
            read.append(
                Status(
                    field=field,
                    written=cast("Written", chosen),
                    mask=mask or 0,
                    good=good,
                    reason=reason,
                    points=texts(inner, "points") or (),
                )
            )
    return tuple(read)


def _time(section: Section) -> RecordTime | None:
    node = section.get("time")
    if node is None:
        return None
    keys = ("field", "form", "zone")
    inner = Section.open(section.report, node, section.path_of("time"), keys)
    if inner is None:
        return None
    at = inner.get("field", required=True)
    fields: tuple[str, ...] = ()
    if at is not None:
        listed = at.value if isinstance(at.value, list) else [at]
        fields = tuple(each.text for each in listed)
    form = inner.text("form", required=True)
    if form is not None:
        found = _TIME_WORDS.findall(form)
        words = set(found)
        year, month = words & {"YYYY", "YY"}, words & {"MM", "MON"}
        once = len(year) == len(month) == 1 and len(found) == len(words)
        if not (once and {"DD", "hh", "mm"} <= words):
            _wrong(
                inner,
                "form",
                "expected year, month, day, hh and mm, each once, as MM/DD/YY hh:mm",
            )
    zone = inner.text("zone")
    zone_min: int | None = None
    if zone is not None:
        ahead = _ZONE.match(zone)
        if ahead is None:
            _wrong(inner, "zone", 'expected hours ahead of UTC such as "+08:00"')
        else:
            zone_min = int(ahead[2]) * 60 + int(ahead[3])
            zone_min = -zone_min if ahead[1] == "-" else zone_min
    if not fields or form is None or len(fields) > FIELDS_MOST:
        return None
    return RecordTime(fields=fields, form=form, zone_min=zone_min)


# -- framing -----------------------------------------------------------------


def _frame(section: Section) -> Frame | None:
    node = section.get("frame")
    if node is None:
        return None
    path = section.path_of("frame")
    inner = Section.open(section.report, node, path, FRAME_KEYS)
    if inner is None:
        return None
    ends: list[bytes] = []
    end = inner.get("end")
    if end is not None:
        listed = end.value if isinstance(end.value, list) else [end]
        for each in listed:
            found = _bytes(inner, "end", each)
            if found:
                ends.append(found)
    fields = {
        "start": _sign(inner, "start"),
        "ends": tuple(ends),
        "after": inner.integer("after", 0, 16),
        "size": inner.integer("size", 1, 8192),
        "gap_s": inner.duration("gap", 0.005, 5.0),
        "limit": inner.integer("limit", 8, 8192),
    }
    frame = Frame(**_there(fields))
    if not (frame.ends or frame.gap_s or (frame.size and frame.start)):
        _wrong(section, "frame", "expected an end, a gap, or a start with a size")
    return frame


def _check(section: Section) -> Check | None:
    """``check: xor``, or ``check: {kind: sum16, mark: "<LF>sum "}``."""
    node = section.get("check")
    if node is None:
        return None
    if node.kind != "map":
        kind = section.choice("check", CHECKS)
        return Check(kind=cast("CheckKind", kind)) if kind else None
    path = section.path_of("check")
    inner = Section.open(section.report, node, path, ("kind", "mark"))
    if inner is None:
        return None
    kind = inner.choice("kind", CHECKS, required=True)
    if kind is None:
        return None
    return Check(kind=cast("CheckKind", kind), mark=_sign(inner, "mark") or b"")


def _check_frame(section: Section, frame: Frame, check: Check) -> None:
    """What does not go together."""
    if check.kind == "xor_all" and not (frame.start and frame.ends):
        _wrong(section, "check", "expected start and end signs with xor_all")
    if check.kind == "complement" and (frame.after != 1 and not frame.size):
        _wrong(section, "check", "expected a frame with after: 1 with complement")


def _prompts(section: Section) -> str:
    """Characters before an answer; what a number begins with is none of them."""
    text = section.text("prompts") or ""
    try:
        sign(text)
    except DialogueTextError as exc:
        _wrong(section, "prompts", str(exc))
        return ""
    if not _OF_NUMBERS.isdisjoint(text):
        _wrong(section, "prompts", "expected no digit, sign or point among prompts")
    return text


def _address(section: Section) -> str | None:
    node = section.get("address")
    if node is None:
        return None
    if node.kind not in ("text", "int") or not node.text.isascii():
        section.wrong("address", "type", expected=Word("text"), found=shown(node))
    return node.text


def _errors(section: Section) -> dict[str, str]:
    errors: dict[str, str] = {}
    for name, node, mark in section.entries("errors"):
        if not name.strip() or not _REASON.match(node.text):
            path = join(section.path_of("errors"), name)
            section.report.add(mark, path, "name", found=node.text)
        errors[name] = node.text
    return errors


def _parts(
    section: Section,
    key: str,
    read: Callable[[str], Parts],
    *,
    required: bool = False,
) -> Parts | None:
    text = section.text(key, required=required)
    if text is None:
        return None
    try:
        return read(text)
    except DialogueTextError as exc:
        _wrong(section, key, str(exc))
        return None


def _sign(section: Section, key: str) -> bytes | None:
    node = section.get(key)
    return None if node is None else _bytes(section, key, node)


def _bytes(section: Section, key: str, node: Node) -> bytes | None:
    if node.kind in ("map", "list"):
        section.wrong(key, "type", expected=Word("text"), found=shown(node))
        return None
    try:
        return sign(node.text)
    except DialogueTextError as exc:
        _wrong(section, key, str(exc))
        return None


def _wrong(section: Section, key: str, text: str) -> None:
    # Its braces are a text's own, not placeholders of the message.
    escaped = text.replace("{", "{{").replace("}", "}}")
    found = shown(section.at(key))
    section.wrong(key, "dialogue", text=f"{escaped}; found {{found}}", found=found)


def _there(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}
