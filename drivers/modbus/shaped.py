"""Registers that hold no plain number: BCD digits, characters, dates.

Pure, and each chosen once when its block is compiled. What cannot be read is BAD and
nothing is guessed: a digit above nine (``bad_bcd``), a character that its encoding does
not have, or a control character inside a text (``bad_text``; NUL and spaces at its end
are padding), a date or an hour that never was (``bad_time``).

A time is delivered as ISO 8601 text with its offset: ``2026-11-22T08:00:00+08:00``.
Instruments keep civil time without saying which, so it is read as the site's; an hour
that a zone has twice, or not at all, is BAD.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from drivers.profiles.layouts import layout_of
from drivers.values import Flaw, Quality

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivers.modbus.convert import Flaws, Step, Values
    from drivers.profiles.model import ModbusPoint, WordOrder

BAD_BCD = Flaw(Quality.BAD, "bad_bcd")
BAD_TEXT = Flaw(Quality.BAD, "bad_text")
BAD_TIME = Flaw(Quality.BAD, "bad_time")

_CENTURY = 2000
_TWO_DIGITS = 100
_FIRST_YEAR = 1970
_PADDING = "\0 \u3000"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_WHOLE = {"words": 2, "bytes": 1, "bcd": 1}
"""Bytes of one field."""


def digits(raw: int) -> int | None:
    """The number that packed decimal digits stand for; None: one is above nine."""
    try:
        return int(f"{raw:x}")
    except ValueError:
        return None


def packed(number: int, registers: int) -> int | None:
    """The inverse of :func:`digits`; None: negative, or more digits than there are."""
    text = str(number)
    if number < 0 or len(text) > 4 * registers:
        return None
    return int(text, 16)


def shaped_step(point: ModbusPoint, zone: tzinfo | None) -> Step:
    """What the bytes of one text or one time become."""
    if point.type == "text":
        read: Callable[[bytes], str | None] = _text_reader(point)
        flaw = BAD_TEXT
    else:
        read = _time_reader(point, zone or UTC)
        flaw = BAD_TIME
    name = point.name

    def step(raw: Any, values: Values, flaws: Flaws) -> None:  # noqa: ANN401 - bytes
        value = read(raw)
        if value is None:
            flaws[name] = flaw
        else:
            values[name] = value

    return step


# -- texts --------------------------------------------------------------------


def _text_reader(point: ModbusPoint) -> Callable[[bytes], str | None]:
    layout, encoding = point.layout, point.encoding

    def read(raw: bytes) -> str | None:
        if layout == "low_high":
            raw = ordered(raw, "BADC")
        elif layout == "low":
            if any(raw[::2]):
                return None
            raw = raw[1::2]
        try:
            text = raw.decode(encoding).rstrip(_PADDING)
        except UnicodeDecodeError:
            return None
        # The wide space is as ordinary inside Chinese text as a space is.
        return text if text.replace("\u3000", "").isprintable() else None

    return read


# -- times --------------------------------------------------------------------


def _time_reader(point: ModbusPoint, zone: tzinfo) -> Callable[[bytes], str | None]:
    layout = layout_of(point.layout)
    assert layout is not None  # noqa: S101 - the profile was read
    order = point.word_order
    if layout.form.startswith("unix"):
        unit = timedelta(milliseconds=1) if layout.form == "unix64ms" else _SECOND

        def read_unix(raw: bytes) -> str | None:
            number = int.from_bytes(ordered(raw, order), "big")
            if not number or not (number + 1) % (1 << 8 * len(raw)):
                return None  # never set, or erased memory
            try:
                return _said((_EPOCH + number * unit).astimezone(zone))
            except OverflowError:
                return None

        return read_unix
    form, fields = layout.form, layout.fields
    width = _WHOLE[form]

    def read_civil(raw: bytes) -> str | None:
        raw = ordered(raw, order)
        found = dict.fromkeys("YMDhms", 0)
        for index, letter in enumerate(fields):
            number: int | None = int.from_bytes(
                raw[index * width : (index + 1) * width], "big"
            )
            if letter in "Wx":
                continue
            number = digits(number or 0) if form == "bcd" else number
            if number is None:
                return None
            base = 100 if form == "bcd" else 256
            found[letter] = found[letter] * base + number
        return _civil(found, zone)

    return read_civil


def _civil(found: dict[str, int], zone: tzinfo) -> str | None:
    year = found["Y"]
    year += _CENTURY if year < _TWO_DIGITS else 0
    if year < _FIRST_YEAR:
        return None  # years since 1900, or no year at all
    try:
        moment = datetime(
            year,
            found["M"],
            found["D"],
            found["h"],
            found["m"],
            found["s"],
            tzinfo=zone,
        )
        if moment.utcoffset() != moment.replace(fold=1).utcoffset():
            return None
    except (ValueError, OverflowError):
        return None
    return _said(moment)


def _said(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds" if moment.microsecond else "auto")


def ordered(raw: bytes, order: WordOrder) -> bytes:
    """Bytes with the most significant first."""
    if order in {"CDAB", "DCBA"}:
        raw = b"".join(raw[i : i + 2] for i in range(len(raw) - 2, -1, -2))
    if order in {"BADC", "DCBA"}:
        raw = b"".join(raw[i : i + 2][::-1] for i in range(0, len(raw), 2))
    return raw
