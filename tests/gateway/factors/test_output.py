from fractions import Fraction

import pytest

from gateway.config.model import FactorMap
from gateway.config.stations import Factor
from gateway.factors.number import shown
from gateway.factors.output import FactorError, Output, over_oxygen, resolve
from gateway.texts import known, set_language, t

F = Fraction

SO2 = Factor(
    name="so2",
    device="cems",
    point="so2",
    code="a21026",
    unit="mg/m3",
    decimals=2,
    cou_unit="kg",
    cou_decimals=3,
    every_ms=5000,
)
FLOW = Factor(
    name="flow",
    device="cems",
    point="flue_flow",
    code="a00000",
    unit="m3/h",
    decimals=0,
    cou_unit="m3",
    every_ms=5000,
)
PM10 = Factor(
    name="pm10",
    device="dust",
    point="pm10",
    code="a34002",
    unit="ug/m3",
    decimals=1,
    every_ms=60_000,
)


def resolved(factor: Factor, override: FactorMap | None = None) -> Output:
    found = resolve(factor, override, 2017)
    assert found is not None
    return found


def codes(found: Output) -> list[str]:
    return [remark.code for remark in found.remarks]


def test_without_an_override_digits_are_the_stations() -> None:
    found = resolved(SO2)

    assert (found.code, found.unit, found.decimals) == ("a21026", "mg/m3", 2)
    assert found.digits(F("35.125")) == shown(F("35.125"), 2) == "35.12"
    assert found.cou_digits(F("0.0125")) == "0.012"
    assert found.remarks == ()


def test_a_platform_that_wants_other_units_gets_the_exact_number_rounded_once() -> None:
    found = resolved(FLOW, FactorMap(unit="m3/s", decimals=4))

    # 123456 m3/h / 3600 = 34.29333...
    assert found.digits(F(123456)) == "34.2933"
    assert codes(found) == ["factor_decimals_more"]  # N6.1


def test_ng_and_ug_are_a_matter_of_the_target() -> None:
    assert codes(resolved(PM10)) == ["factor_unit_other"]

    found = resolved(PM10, FactorMap(unit="ng/m3", decimals=0))

    # 85.3 ug/m3 = 85300 ng/m3: more digits than N3.3 has, and none is cut
    assert found.digits(F("85.3")) == "85300"


def test_a_total_in_another_unit() -> None:
    found = resolved(SO2, FactorMap(cou_unit="g", cou_decimals=1))

    assert found.cou_digits(F("0.01255")) == "12.6"  # 12.55: half to the even 12.6
    assert found.cou_unit == "g"


def test_another_code_and_no_code() -> None:
    silent = Factor(
        name="x", device="d", point="p", unit="mg/m3", decimals=1, every_ms=1000
    )

    assert resolve(silent, None, 2017) is None
    assert resolved(silent, FactorMap(code="a99999")).code == "a99999"
    assert codes(resolved(silent, FactorMap(code="a99999"))) == ["factor_code_unknown"]


def test_at_21_percent_oxygen_2025_sends_the_greatest_number_and_2017_nothing():
    assert over_oxygen("a21002", 2025) == "9999.99"  # N4.2 of 2025
    assert over_oxygen("a21026", 2025) == "99999.99"  # N5.2: 2017's, none is quoted
    assert over_oxygen("a34013", 2025) == "9999.9"  # N4.1
    assert over_oxygen("a21002", 2017) is None
    assert over_oxygen("a99999", 2025) is None


@pytest.mark.parametrize(
    ("override", "code", "found"),
    [
        (FactorMap(unit="kg"), "factor_units", "kg"),
        (FactorMap(unit="mg/m³"), "unit_unknown", "mg/m³"),
        (FactorMap(cou_unit="m3"), "factor_units", "m3"),
        (FactorMap(decimals=13), "factor_decimals", 13),
        (FactorMap(cou_decimals=-1), "factor_decimals", -1),
        (FactorMap(code="a21026-Rtd"), "hj212_code", "a21026-Rtd"),
        (FactorMap(code="a01012"), "factor_unit_kind", "mg/m3"),
    ],
)
def test_what_cannot_be_sent_is_an_error(
    override: FactorMap, code: str, found: object
) -> None:
    with pytest.raises(FactorError) as caught:
        resolve(SO2, override, 2017)

    assert caught.value.code == code
    assert caught.value.values["found"] == found
    set_language("en")
    text = t(f"config.{code}", **caught.value.values)
    assert str(caught.value).replace("'", "") == text.replace("'", "")


def test_a_total_that_the_station_has_not_cannot_be_asked_for() -> None:
    with pytest.raises(FactorError, match="pm10 has no total"):
        resolve(PM10, FactorMap(cou_unit="g"), 2017)


def test_a_platform_that_takes_another_quantity_says_so() -> None:
    co2 = Factor(
        name="co2",
        device="cems",
        point="co2_percent",
        code="a05001",
        unit="%",
        decimals=2,
        every_ms=5000,
    )

    with pytest.raises(FactorError, match="converts to mg/m3, the default of a05001"):
        resolve(co2, None, 2017)
    assert codes(resolved(co2, FactorMap(unit="%"))) == ["factor_unit_other"]


def test_fewer_digits_by_a_larger_unit_are_told() -> None:
    remarks = codes(resolved(SO2, FactorMap(unit="g/m3")))

    assert remarks == ["factor_decimals_kept"]


def test_a_unit_that_the_target_names_is_no_question_any_more() -> None:
    assert codes(resolved(PM10, FactorMap(unit=PM10.unit))) == []


@pytest.mark.parametrize(
    "code",
    [
        "factor_code_unknown",
        "factor_code_unconfirmed",
        "factor_unit_other",
        "factor_decimals_more",
        "factor_decimals_kept",
        "factor_units",
        "factor_no_total",
        "factor_decimals",
        "factor_unit_kind",
        "unit_unknown",
    ],
)
def test_everything_said_has_its_text(code: str) -> None:
    assert known(f"config.{code}")
