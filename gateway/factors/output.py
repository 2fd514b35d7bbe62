"""How one target is sent one factor: its code, its unit, its digits.

    station's factor        what its records say: unit, decimals, total's unit
    target's override       what this platform wants otherwise
    factors.yaml            what the standard says of the code

What a target says wins over the station, and the station over the standard: the table
converts nothing by itself. It is held against what is sent, though, and where they
differ a remark says so at ``ecogate check``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from gateway.config.model import FactorMap
from gateway.factors.number import shown
from gateway.factors.table import Entry, Version, entry, table
from gateway.factors.units import (
    SAME,
    Conversion,
    UnitError,
    conversion,
    meant_by,
    unit,
    units,
)

if TYPE_CHECKING:
    from fractions import Fraction

    from gateway.config.stations import Factor
    from gateway.factors.number import Format

MOST_DECIMALS: Final = 12
"""Derived values are rounded to 1e-12; digits behind that would mean nothing."""
_CODE = re.compile(r"[A-Za-z0-9]{1,20}\Z")
_AS_IT_IS: Final = FactorMap()


class Remark(msgspec.Struct, frozen=True):
    """Something about a factor that a person should know: ``config.<code>``."""

    code: str
    values: dict[str, object]
    meant: str = ""


class FactorError(ValueError):
    """A factor cannot be sent as it is configured; ``config.<code>`` words it."""

    def __init__(
        self, code: str, text: str, meant: str = "", /, **values: object
    ) -> None:
        super().__init__(text.format_map(values))
        self.code = code
        self.text = text
        self.meant = meant
        self.values: dict[str, object] = values


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """One factor as one target is sent it."""

    factor: str
    """Its name in the station's records."""
    code: str
    unit: str
    decimals: int
    convert: Conversion = SAME
    """From the station's unit to this one."""
    cou_unit: str | None = None
    """None: it has no total."""
    cou_decimals: int = 3
    cou_convert: Conversion = SAME
    remarks: tuple[Remark, ...] = ()

    def digits(self, value: Fraction) -> str:
        """A value of the station's record (avg, min, max, -Zs, extra), as it is sent.

        Nothing is cut off, however many digits the standard's type has.
        """
        return shown(self.convert(value), self.decimals)

    def cou_digits(self, value: Fraction) -> str:
        """A total of the station's record, as it is sent."""
        return shown(self.cou_convert(value), self.cou_decimals)


def over_oxygen(code: str, version: Version) -> str | None:
    """What stands for a converted value (``-Zs``) where oxygen is 21 % or more.

    The formula has none there. By HJ 212-2025, chapter 8 as publicly quoted, the
    greatest number of the code's default type is sent: 99999.99 for N5.2. The type is
    that of 2017 where no newer one is quoted.

    Returns:
        The digits; None: nothing is sent, as 2017 defines nothing, or we know no type.
    """
    known = entry(code)
    form = None if known is None else known.format(version)
    if version == 2017 or form is None:  # noqa: PLR2004 - the year of a standard
        return None
    return shown(form.greatest, form.decimals)


def resolve(
    factor: Factor, override: FactorMap | None, version: Version
) -> Output | None:
    """How a target of this version is sent a factor.

    Returns:
        None where neither the target nor the station names a code: it is not sent.

    Raises:
        FactorError: A code, unit or number of decimals that cannot be.
    """
    wanted = override or _AS_IT_IS
    code = wanted.code or factor.code
    if code is None:
        return None
    if not _CODE.match(code):
        raise FactorError(
            "hj212_code",
            "expected a factor code of letters and digits such as a21026, "
            "found {found!r}",
            found=code,
        )
    known = entry(code)
    form = None if known is None else known.format(version)
    sent = wanted.unit or factor.unit
    decimals = _decimals("decimals", wanted.decimals, factor.decimals)
    remarks = [
        *_of_code(code, known),
        *_of_unit(code, known, sent, stated=wanted.unit is not None),
        *_of_decimals(code, form, decimals),
    ]
    convert = _between(factor.unit, sent)
    if wanted.decimals is None and abs(convert.factor) < 1:
        values: dict[str, object] = {
            "unit": sent,
            "own": factor.unit,
            "decimals": decimals,
        }
        remarks.append(Remark("factor_decimals_kept", values))
    cou_unit = wanted.cou_unit or factor.cou_unit
    if wanted.cou_unit is not None and factor.cou_unit is None:
        raise FactorError(
            "factor_no_total",
            "expected no cou_unit: {factor} has no total",
            factor=factor.name,
        )
    return Output(
        factor=factor.name,
        code=code,
        unit=sent,
        decimals=decimals,
        convert=convert,
        cou_unit=cou_unit,
        cou_decimals=_decimals(
            "cou_decimals", wanted.cou_decimals, factor.cou_decimals
        ),
        cou_convert=_between(factor.cou_unit, cou_unit),
        remarks=tuple(remarks),
    )


def _between(own: str | None, sent: str | None) -> Conversion:
    if own is None or sent is None:
        return SAME
    for code in (own, sent):
        _known_unit(code)
    try:
        return conversion(own, sent)
    except UnitError:
        raise FactorError(
            "factor_units",
            "expected a unit that {own} converts to, found {found!r}",
            own=own,
            found=sent,
        ) from None


def _known_unit(code: str) -> None:
    if code not in units():
        raise FactorError(
            "unit_unknown",
            "expected a UCUM code such as mg/m3, m3/h, Cel, kW.h, found {found!r}",
            meant_by(code) or "",
            found=code,
        )


def _decimals(key: str, wanted: int | None, own: int) -> int:
    found = own if wanted is None else wanted
    if not 0 <= found <= MOST_DECIMALS:
        raise FactorError(
            "factor_decimals",
            "expected {key} from 0 to {high}, found {found}",
            key=key,
            high=MOST_DECIMALS,
            found=found,
        )
    return found


def _of_code(code: str, known: Entry | None) -> list[Remark]:
    if known is None:
        same = {other.lower(): other for other in table()}.get(code.lower(), "")
        return [Remark("factor_code_unknown", {"found": code}, same)]
    if not known.confirmed:
        return [Remark("factor_code_unconfirmed", {"found": code})]
    return []


def _of_unit(
    code: str, known: Entry | None, sent: str, *, stated: bool
) -> list[Remark]:
    """What differs from the code's default unit.

    Raises:
        FactorError: It is another kind of quantity, and the target does not say that
            its platform takes it so.
    """
    _known_unit(sent)
    if known is None or known.unit is None:
        return []
    if unit(sent).row != unit(known.unit).row:
        if known.confirmed and not stated:
            raise FactorError(
                "factor_unit_kind",
                "expected a unit that converts to {default}, the default of {code}, "
                "found {found!r}: name the unit at the target if its platform takes it",
                default=known.unit,
                code=code,
                found=sent,
            )
    elif stated or conversion(sent, known.unit) == SAME:
        return []  # where the target says it, somebody has asked the platform
    values: dict[str, object] = {"unit": sent, "code": code, "default": known.unit}
    return [Remark("factor_unit_other", values)]


def _of_decimals(code: str, form: Format | None, decimals: int) -> list[Remark]:
    if form is None or decimals <= form.decimals:
        return []
    values: dict[str, object] = {
        "form": str(form),
        "code": code,
        "decimals": decimals,
    }
    return [Remark("factor_decimals_more", values)]
