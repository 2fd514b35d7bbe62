"""The factors of HJ 212 by their code, out of ``factors.yaml``.

A code that is not here is no mistake: provinces have their own, and the 2025 annex was
not at hand. Whoever uses one says its unit and decimals.

Source: HJ 212-2017, annex B, tables B.1 to B.3; HJ 212-2025 where publicly quoted.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from importlib import resources
from typing import Final, Literal

import msgspec

from drivers.profiles.document import load_document
from gateway.factors.number import Format
from gateway.factors.units import unit

Version = Literal[2017, 2025]
_FILE: Final = "factors.yaml"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What the standard says of one factor."""

    code: str
    zh: str
    en: str
    unit: str | None = None
    """UCUM code of the standard's default unit; None: it is a word, not a number."""
    mass: str | None = None
    """UCUM code of the period total; None: it has none."""
    n2017: Format | None = None
    n2025: Format | None = None
    """As quoted publicly; None: nobody did."""
    old: str | None = None
    """Code of HJ/T 212-2005."""
    confirmed: bool = True
    """False: seen in use, in no table of the standard that we could read."""

    def format(self, version: Version) -> Format | None:
        """Its numeric type; for 2025 that of 2017 where nothing newer is known."""
        if version == 2017:  # noqa: PLR2004 - the year of a standard
            return self.n2017
        return self.n2025 or self.n2017


class _Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    zh: str
    en: str
    unit: str | None = None
    mass: str | None = None
    n2017: str | None = None
    n2025: str | None = None
    old: str | None = None
    seen: bool = False
    digits: int | None = None


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    factors: dict[str, _Row]
    schemes: dict[str, _Row]
    molar_masses: dict[str, str]
    molar_volume: str


@cache
def table() -> dict[str, Entry]:
    """Every factor that has a code of its own."""
    return {code: _entry(code, row) for code, row in _file().factors.items()}


def entry(code: str) -> Entry | None:
    """What a code stands for, by itself or by its scheme; None: we do not know it."""
    found = table().get(code)
    return found if found is not None else _by_scheme(code)


def schemes() -> tuple[Entry, ...]:
    """Codes that end in a device's number; ``xx`` stands for it."""
    return tuple(
        _entry(stem + "x" * (row.digits or 0), row)
        for stem, row in _file().schemes.items()
    )


@cache
def molar_masses() -> dict[str, Fraction]:
    """g/mol by formula, in small letters."""
    return {gas: Fraction(text) for gas, text in _file().molar_masses.items()}


@cache
def molar_volume() -> Fraction:
    """L/mol in the standard state."""
    return Fraction(_file().molar_volume)


def _by_scheme(code: str) -> Entry | None:
    for stem, row in _file().schemes.items():
        number = code.removeprefix(stem)
        if number == code or len(number) != row.digits or not number.isdecimal():
            continue
        if int(number):
            return _entry(code, row)
    return None


def _entry(code: str, row: _Row) -> Entry:
    for ucum in (row.unit, row.mass):
        if ucum is not None:
            unit(ucum)
    return Entry(
        code=code,
        zh=row.zh,
        en=row.en,
        unit=row.unit,
        mass=row.mass,
        n2017=None if row.n2017 is None else Format.read(row.n2017),
        n2025=None if row.n2025 is None else Format.read(row.n2025),
        old=row.old,
        confirmed=not row.seen,
    )


@cache
def _file() -> _File:
    text = resources.files("gateway.factors").joinpath(_FILE).read_text("utf-8")
    return msgspec.convert(load_document(text, _FILE).plain(), _File, str_keys=True)
