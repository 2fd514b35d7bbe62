"""Flue gas at 20.9, 21 and 22 % oxygen, from the reading to what platforms are sent."""

from fractions import Fraction

import pytest

from gateway.aggregate import FactorPeriod, Period
from gateway.average.longer import Part, longer_of
from gateway.average.minute import minute_of
from gateway.average.readings import Reading
from gateway.average.samples import Beside, Sampler
from gateway.clock import Instant
from gateway.config.model import Hj212Target
from gateway.config.stations import Factor, FlueGas, Station
from gateway.record import decode, encode
from gateway.uplink.hj212.formats import forms

F = Fraction
AT = Instant(0, 0, "0badcafe", trusted=True)


def factor(name, code, unit, decimals, **more):
    return Factor(
        name=name,
        device="cems",
        point=name,
        code=code,
        unit=unit,
        decimals=decimals,
        every_ms=5000,
        **more,
    )


SO2 = factor("so2", "a21026", "mg/m3", 2, converted=True)
O2 = factor("o2", "a19001", "%", 2)
STACK = Station(
    name="DA001",
    kind="flue_gas",
    factors=(SO2, O2),
    flue_gas=FlueGas(oxygen="o2", reference_oxygen=F(6)),
)


def minute(so2, oxygen):
    """A minute of twelve readings each."""
    of_so2 = [Reading(5000 * i, so2, "valid") for i in range(12)]
    of_o2 = [Reading(5000 * i, percent, "valid") for i, percent in enumerate(oxygen)]
    sampler = Sampler(STACK)
    samples = sampler.samples(0, of_so2, Beside({0: of_so2, 1: of_o2}), 5000)
    return minute_of(STACK, SO2, samples, {}, 5000)


def sent(found, version):
    target = Hj212Target(
        name="t",
        host="127.0.0.1",
        port=9003,
        version=version,
        mn="010000A8900016F000169DC0",
        station="DA001",
        st="31",
    )
    numbers = forms(target, STACK)["so2"].numbers(found, {})
    return {key: text for key, text in numbers.items() if key.startswith("zs")}


def test_at_20_9_percent_the_value_is_worked_out():
    # 1.24 * (21 - 6) / (21 - 20.9) = 1.24 * 150 = 186
    found = minute(1.24, [20.9] * 12)

    assert (found.zs_avg, found.zs_min, found.zs_max) == (186, 186, 186)
    assert found.over_oxygen == 0
    for version in (2017, 2025):
        assert sent(found, version)["zs_avg"] == "186.00"


@pytest.mark.parametrize("oxygen", [21, 22])
def test_at_21_percent_and_above_2017_is_sent_none_and_2025_the_greatest(oxygen):
    found = minute(1.24, [oxygen] * 12)

    assert found.avg == F("1.24")
    assert (found.zs_avg, found.zs_min, found.zs_max) == (None, None, None)
    assert found.over_oxygen == 12
    assert sent(found, 2017) == {}
    assert sent(found, 2025) == dict.fromkeys(
        ("zs_min", "zs_avg", "zs_max"), "99999.99"
    )


def test_the_mean_is_of_the_readings_that_have_a_converted_value():
    # eight at 9 %: 1.2 * 15 / 12 = 1.5; four at 21 %: none
    found = minute(1.2, [9] * 8 + [21] * 4)

    assert found.zs_avg == F("1.5")
    assert found.over_oxygen == 4
    assert sent(found, 2025)["zs_avg"] == "1.50"


def test_without_a_reading_of_oxygen_nothing_stands_in():
    found = minute(1.24, [])

    assert found.zs_avg is None
    assert found.over_oxygen == 0
    assert sent(found, 2025) == {}


def test_zero_is_converted_to_zero():
    found = minute(0.0, [9] * 12)

    assert found.zs_avg == 0


def test_an_hour_counts_minutes_that_have_none():
    plain, over = minute(1.2, [9] * 12), minute(1.2, [21] * 12)
    mixed = minute(1.2, [9] * 8 + [21] * 4)
    parts = [Part(0, one) for one in (plain, mixed, over)]

    found = longer_of(STACK, SO2, "hour", parts, 60)

    assert found.zs_avg == F("1.5")
    assert found.over_oxygen == 1


def test_a_record_keeps_it():
    found = minute(1.24, [21] * 12)
    period = Period(
        kind="minute",
        station="DA001",
        t_ms=0,
        until_ms=60_000,
        factors={"so2": found, "o2": FactorPeriod(n=0, of=12, mark="missing")},
        at=AT,
    )

    back, _ = decode(encode(period, "00000001"))

    assert back.factors["so2"].over_oxygen == 12
    assert back.factors["so2"] == found
    assert b'"over_oxygen":12' in encode(period, "00000001")
