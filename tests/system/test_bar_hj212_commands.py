"""The bar of commands: what an HJ 212 platform may ask, from both sides, 2017 and 2025.

The platform is simulated with a codec of its own, strict; every test ends with its
conformance report: nothing of what we said may deviate. One test a command; then what
goes wrong: no answer, split frames, a wrong password, MN, ST, CN and CRC.
"""

from __future__ import annotations

import asyncio
from fractions import Fraction

import msgspec
import pytest

from gateway.config.rights import Order, Shown
from simulators.hj212_platform_faults import Fault, Faults
from simulators.hj212_platform_script import Script
from simulators.hj212_platform_words import Wrong
from tests.support.hj212_home import MINUTE_MS, STATION, T0_MS, factor, period
from tests.support.hj212_pair import FACTORS, MN, Pair
from tests.support.virtual import running_loop, virtual

VERSIONS = pytest.mark.parametrize("version", [2017, 2025])


def clean(pair):
    ledger = pair.host.finish()
    assert ledger.clean, ledger.text("en")
    deviating = [name for name, found in ledger.standing().items() if found == "noted"]
    assert deviating == [], ledger.text("en")


async def begun(pair):
    """Real-time values of both factors; the platform knows the device."""
    pair.shows(so2="12.3", dust="1")
    await pair.host.arrived(MN)


# -- settings -------------------------------------------------------------------


@VERSIONS
@virtual
async def test_1000_time_out_and_repeats(version, tmp_path):
    async with Pair(tmp_path, version=version) as pair:
        await begun(pair)
        told = await pair.host.ask(MN, 1000, "OverTime=2;ReCount=1")

        assert told.order == [9011, 9012]
        assert told.outcome == "done"
        assert (pair.settings.overtime_s, pair.settings.recount) == (2, 1)
        assert {one["setting"] for one in pair.told("platform_setting")} == {
            "overtime_s",
            "recount",
        }
        # The device is held to it at once: a frame without answer goes out twice.
        pair.faults.kinds = {Fault.DROP}
        pair.minute()
        await asyncio.sleep(3.5)
        pair.faults.kinds = set()
        assert pair.host.uploads.repeats >= 1
        await pair.again()
        assert (pair.settings.overtime_s, pair.settings.recount) == (2, 1)
        clean(pair)


@VERSIONS
@pytest.mark.parametrize(
    "cp",
    ["OverTime=100;ReCount=1", "OverTime=5;ReCount=100", "OverTime=5", "", "ReCount=x"],
)
@virtual
async def test_1000_out_of_range_is_refused(version, cp, tmp_path):
    async with Pair(tmp_path, version=version) as pair:
        await begun(pair)
        told = await pair.host.ask(MN, 1000, cp)

        assert told.outcome == "refused"
        assert told.qn_rtn == (100 if "x" in cp else 2)  # no number: it cannot be read
        assert (pair.settings.overtime_s, pair.settings.recount) == (5, 3)
        clean(pair)


@VERSIONS
@virtual
async def test_1011_the_time(version, tmp_path):
    async with Pair(tmp_path, version=version) as pair:
        await begun(pair)
        told = await pair.host.ask(MN, 1011)

        assert told.order == [9011, 1011, 9012]
        assert told.values == {"SystemTime": pair.host.now()}
        assert pair.host.ledger.standing()["clock.near"] == "passed"
        clean(pair)


@VERSIONS
@virtual
async def test_1011_and_1012_of_an_instrument(version, tmp_path):
    rights = {
        "shown": (
            Shown(code="SystemTime", factor="a21026", device="cems", point="time"),
        ),
        "orders": (
            Order(
                command=1012,
                factor="a21026",
                device="cems",
                point="time",
                field="SystemTime",
            ),
        ),
        "allow": (1012,),
    }
    async with Pair(tmp_path, version=version, **rights) as pair:
        await begun(pair)
        pair.instruments.values["cems", "time"] = "20251201075900"
        told = await pair.host.ask(MN, 1011, "PolId=a21026")
        assert told.values == {"PolId": "a21026", "SystemTime": "20251201075900"}
        told = await pair.host.ask(MN, 1012, "PolId=a21026;SystemTime=20251201080000")
        assert told.outcome == "done"
        assert [point for _, point, _ in pair.instruments.written] == ["time"]
        assert pair.told("platform_command")[0]["cn"] == 1012
        told = await pair.host.ask(MN, 1011, "PolId=a34013")
        assert told.outcome == "refused"
        # The instrument's clock is a minute slow: that is what the report says.
        assert pair.host.ledger.failed == ["clock.near"]


@VERSIONS
@virtual
async def test_1012_our_clock_is_set_by_nobody(version, tmp_path):
    async with Pair(tmp_path, version=version) as pair:
        await begun(pair)
        agrees = await pair.host.ask(MN, 1012, f"SystemTime={pair.host.now()}")
        assert agrees.outcome == "done"
        told = await pair.host.ask(MN, 1012, "SystemTime=20251201090000")

        assert (told.outcome, told.exe_rtn) == ("failed", 2)
        said = pair.told("platform_clock")
        assert [one["said"] for one in said][-1] == "20251201090000"
        assert (await pair.host.ask(MN, 1011)).values["SystemTime"] == pair.host.now()
        clean(pair)


@VERSIONS
@virtual
async def test_1013_an_untrusted_clock_asks_for_the_time(version, tmp_path):
    async with Pair(tmp_path, version=version, trusted=False) as pair:
        pair.shows(so2="12.3", dust="1")
        await asyncio.sleep(20)

        standing = pair.host.ledger.standing()
        assert standing["cmd.1013"] == "passed"
        # 9013, then the platform runs 1012: told to people, the clock stays as it is.
        assert len(pair.told("platform_clock")) == 1
        assert pair.host.ledger.failed == ["cmd.1012"]


@VERSIONS
@virtual
async def test_1061_1062_how_often_real_time_values_come(version, tmp_path):
    async with Pair(tmp_path, version=version) as pair:
        await begun(pair)
        told = await pair.host.ask(MN, 1061)
        assert told.order == [9011, 1061, 9012]
        assert told.values == {"RtdInterval": "30"}
        assert (await pair.host.ask(MN, 1062, "RtdInterval=120")).outcome == "done"
        assert (await pair.host.ask(MN, 1061)).values == {"RtdInterval": "120"}
        for cp in ("RtdInterval=29", "RtdInterval=3601", ""):
            assert (await pair.host.ask(MN, 1062, cp)).qn_rtn == 2
        await asyncio.sleep(130)
        before = pair.host.held.sets[MN, 2011]
        await asyncio.sleep(1200)
        assert pair.host.held.sets[MN, 2011] - before == 10
        await pair.again()
        assert (await pair.host.ask(MN, 1061)).values == {"RtdInterval": "120"}
        clean(pair)


@VERSIONS
@virtual
async def test_1063_1064_the_length_of_minutes(version, tmp_path):
    async with Pair(tmp_path, version=version) as pair:
        await begun(pair)
        told = await pair.host.ask(MN, 1063)
        assert told.order == [9011, 1063, 9012]
        assert told.values == {"MinInterval": "1"}
        assert (await pair.host.ask(MN, 1064, "MinInterval=1")).outcome == "done"
        for value in ("10", "7", "0", "60"):
            assert (await pair.host.ask(MN, 1064, f"MinInterval={value}")).qn_rtn == 2
        assert (await pair.host.ask(MN, 1063)).values == {"MinInterval": "1"}
        clean(pair)


@VERSIONS
@virtual
async def test_1072_a_new_password(version, tmp_path):
    async with Pair(tmp_path, version=version) as pair:
        await begun(pair)
        for bad in ("NewPW=12345", "NewPW=1234567", ""):
            assert (await pair.host.ask(MN, 1072, bad)).qn_rtn == 2
        told = await pair.host.ask(MN, 1072, "NewPW=654321")
        assert told.outcome == "done"
        old = await pair.host.ask(MN, 1011, wrong=Wrong(pw="123456"))
        assert old.qn_rtn == 3
        assert (await pair.host.ask(MN, 1011)).outcome == "done"
        # What it sends bears the new one, also after a restart.
        pair.minute()
        await pair.host.has(MN, 2051)
        await pair.again()
        assert (await pair.host.ask(MN, 1011)).outcome == "done"
        words = repr(pair.events)
        assert "654321" not in words
        assert "123456" not in words
        clean(pair)


# -- switches -------------------------------------------------------------------


@VERSIONS
@virtual
async def test_2011_2012_real_time_values_on_and_off(version, tmp_path):
    async with Pair(tmp_path, version=version) as pair:
        await begun(pair)
        told = await pair.host.ask(MN, 2012)
        assert told.order == [9013]
        before = pair.host.held.sets[MN, 2011]
        await asyncio.sleep(300)
        assert pair.host.held.sets[MN, 2011] == before
        pair.minute()  # minutes go on
        await pair.host.has(MN, 2051)
        told = await pair.host.ask(MN, 2011)
        assert (told.outcome, told.order) == ("done", [9011, 9012])
        await asyncio.sleep(300)
        assert pair.host.held.sets[MN, 2011] - before >= 9
        clean(pair)


@VERSIONS
@virtual
async def test_2021_2022_facilities_on_and_off(version, tmp_path):
    async with Pair(tmp_path, version=version) as pair:
        await begun(pair)
        assert (await pair.host.ask(MN, 2022)).order == [9013]
        assert (await pair.host.ask(MN, 2021)).qn_rtn == 2  # this station has none
        clean(pair)


FANS = msgspec.structs.replace(
    STATION,
    factors=(
        *STATION.factors,
        factor("fan", "SB1", unit="1", decimals=0, cou_unit="h", cou_decimals=1),
    ),
)


@VERSIONS
@virtual
async def test_2021_2022_2041_states_and_running_hours_of_facilities(version, tmp_path):
    more = {"station": FANS, "facilities": True, "facilities_s": None}
    async with Pair(tmp_path, version=version, **more) as pair:
        await begun(pair)
        told = await pair.host.ask(MN, 2021)
        assert (told.outcome, told.order) == ("done", [9011, 9012])
        for _ in range(32):
            pair.shows(fan=1)
            await asyncio.sleep(1)
        (label,) = pair.host.held.periods(MN, 2021)
        assert pair.host.held.values(MN, 2021, label) == {"SB1": {"RS": "1"}}
        assert (await pair.host.ask(MN, 2022)).order == [9013]
        for _ in range(100):
            pair.shows(fan=1)
            await asyncio.sleep(1)
        assert list(pair.host.held.periods(MN, 2021)) == [label]
        pair.remember(1, "day", so2="1.0", dust="1", fan="1")
        ((key, day),) = list(pair.history.items())
        hours = msgspec.structs.replace(day.factors["fan"], cou=Fraction(47, 2))
        pair.history[key] = msgspec.structs.replace(
            day,
            factors={**day.factors, "fan": hours},
            figures={**day.figures, "fan": {"avg": "1", "cou": "23.5"}},
        )
        label = pair.label(key[1])
        told = await pair.host.pull(MN, 2041, label, label)
        assert (told.outcome, told.periods) == ("done", {label: {"SB1": "SB1-RT=23.5"}})
        told = await pair.host.pull(MN, 2031, label, label)
        assert set(told.periods[label]) == FACTORS
        clean(pair)


# -- history --------------------------------------------------------------------

PULLS = {2051: ("minute", 60), 2061: ("hour", 3600), 2031: ("day", 86400)}


@VERSIONS
@pytest.mark.parametrize("answer", [True, False])
@pytest.mark.parametrize("cn", PULLS)
@virtual
async def test_history(version, cn, answer, tmp_path):
    kind, length = PULLS[cn]
    async with Pair(tmp_path, version=version, answer=answer) as pair:
        await begun(pair)
        last = pair.remember(5, kind)
        labels = [pair.label(last - n * length * 1000) for n in range(5)]
        told = await pair.host.pull(MN, cn, labels[3], labels[1])

        assert told.outcome == "done"
        assert (told.order[0], told.order[-1]) == (9011, 9012)
        assert sorted(told.periods) == sorted(labels[1:4])
        assert len({one.qn for one in told.data}) == 3
        assert told.qn not in {one.qn for one in told.data}
        assert all(one.wants_answer is answer for one in told.data)
        proved = {(kind_, proof) for _, _, kind_, _, proof in pair.marks.marked}
        assert proved == {(kind, "proved" if answer else "written")}
        assert told.periods[labels[1]]["a21026"].endswith("a21026-Flag=N")
        empty = await pair.host.pull(MN, cn, "20200101000000", "20200102000000")
        assert (empty.outcome, empty.exe_rtn) == ("no data", 100)
        for begin, end in ((labels[1], labels[3]), ("x", labels[0])):
            assert (await pair.host.pull(MN, cn, begin, end)).data == []
        clean(pair)


@VERSIONS
@virtual
async def test_2041_running_hours_where_there_are_none(version, tmp_path):
    async with Pair(tmp_path, version=version) as pair:
        await begun(pair)
        pair.remember(2, "day")
        told = await pair.host.pull(MN, 2041, "20251101000000", "20251201000000")
        assert told.outcome == "no data"
        clean(pair)


# -- instruments ------------------------------------------------------------------

SHOWN = (
    Shown(code="CstartTime", factor="w01018", text="000000"),
    Shown(code="Ctime", factor="w01018", device="cod", point="cycle"),
    Shown(code="Stime", factor="w01018", text="45"),
    Shown(code="SN", factor="w01018", text="010000A8900016F000169DC0"),
    Shown(code="i13008", factor="w01018", device="cod", point="slope"),
    Shown(code="i21001", text="restarted"),
)
READS = {
    3017: ("PolId=w01018", {"CstartTime": "000000", "Ctime": "2"}),
    3018: ("PolId=w01018", {"Stime": "45"}),
    3019: ("PolId=w01018", {"w01018-SN": "010000A8900016F000169DC0"}),
    3020: ("PolId=w01018;InfoId=i13008", {"i13008-Info": "1.05"}),
}


@VERSIONS
@pytest.mark.parametrize("cn", READS)
@virtual
async def test_what_instruments_say(version, cn, tmp_path):
    cp, values = READS[cn]
    async with Pair(tmp_path, version=version, shown=SHOWN) as pair:
        await begun(pair)
        pair.instruments.values = {("cod", "cycle"): 2, ("cod", "slope"): 1.05}
        told = await pair.host.ask(MN, cn, cp)

        assert told.order == [9011, cn, 9012]
        assert values.items() <= told.values.items()
        assert told.values["PolId"] == "w01018"
        if cn == 3020:
            assert told.values["DataTime"] == pair.host.now()
        other = await pair.host.ask(MN, cn, cp.replace("w01018", "w21003"))
        assert (other.outcome, other.qn_rtn) == ("refused", 2)
        clean(pair)


@VERSIONS
@virtual
async def test_3020_the_loggers_own_log(version, tmp_path):
    async with Pair(tmp_path, version=version, shown=SHOWN) as pair:
        await begun(pair)
        told = await pair.host.ask(MN, 3020, "InfoId=i21001")
        assert told.values["i21001-Info"] == "//restarted//"
        assert (await pair.host.ask(MN, 3020)).qn_rtn == 2
        clean(pair)


ACTS = {
    3011: "PolId=w01018",
    3012: "PolId=w01018",
    3013: "PolId=w01018",
    3014: "PolId=w01018",
    3015: "",
    3016: "PolId=w01018;CstartTime=000000;Ctime=2",
    3021: "PolId=w01018;InfoId=i13008;i13008-Info=1.1",
    3022: "PolId=w01018",
    3024: "PolId=w01018",
}
ORDERS = (
    *(
        Order(command=cn, factor="w01018", device="cod", point="start", value=1)
        for cn in (3011, 3012, 3013, 3014, 3022, 3024)
    ),
    Order(command=3015, device="cod", point="retain", value=1),
    Order(command=3016, factor="w01018", device="cod", point="cycle", field="Ctime"),
    Order(command=3021, factor="w01018", device="cod", point="slope", field="i13008"),
)
WRITTEN = {3015: ("retain", 1), 3016: ("cycle", 2), 3021: ("slope", 1.1)}


@VERSIONS
@pytest.mark.parametrize("cn", ACTS)
@virtual
async def test_what_acts_on_instruments(version, cn, tmp_path):
    new = cn in {3022, 3024}
    vase = Shown(code="VaseNo", text="7")
    allowed = {"orders": ORDERS, "allow": (cn,), "shown": (vase,)}
    async with Pair(tmp_path, version=version, orders=ORDERS, allow=()) as pair:
        await begun(pair)
        told = await pair.host.ask(MN, cn, ACTS[cn])
        assert told.qn_rtn == (8 if new and version == 2017 else 2)
        assert pair.instruments.written == []
        if told.qn_rtn == 2:
            assert pair.told("platform_refused")[0]["cn"] == cn
        clean(pair)
    if new and version == 2017:
        return
    async with Pair(tmp_path, version=version, **allowed) as pair:
        await begun(pair)
        told = await pair.host.ask(MN, cn, ACTS[cn], qn="20251201080000777")
        assert told.outcome == "done", (told.qn_rtn, told.exe_rtn)
        point, value = WRITTEN.get(cn, ("start", 1))
        assert pair.instruments.written == [("cod", point, value)]
        assert [one["cn"] for one in pair.told("platform_command")] == [cn]
        if cn == 3015:
            assert told.values["VaseNo"] == "7"
        # The same request again: answered again, and not done a second time.
        again = await pair.host.ask(MN, cn, ACTS[cn], qn="20251201080000777")
        assert again.outcome == "done"
        await pair.again()
        again = await pair.host.ask(MN, cn, ACTS[cn], qn="20251201080000777")
        assert again.outcome == "done"
        assert len(pair.instruments.written) == 1
        clean(pair)


# -- 2025 alone -------------------------------------------------------------------


@virtual
async def test_1001_1002_activation(tmp_path):
    ids = {"i23005": "LOGGER1", "i23006": "CPU1", "i23007": "MAC1", "i23008": "MAC2"}
    async with Pair(tmp_path, version=2025, hardware=ids) as pair:
        await begun(pair)
        await asyncio.sleep(5)
        (said,) = pair.host.heard[MN, 1001]
        assert said.values == {f"{name}-Info": value for name, value in ids.items()}
        new = MN.replace("A", "B")
        other = await pair.host.ask(MN, 1002, "i23005-Info=X", wrong=Wrong(mn=new))
        assert other.qn_rtn == 4
        told = await pair.host.ask(MN, 1002, "i23005-Info=LOGGER1", wrong=Wrong(mn=new))
        assert told.outcome == "done"
        assert pair.settings.mn == new
        clean(pair)
    async with Pair(tmp_path, version=2017) as pair:
        await begun(pair)
        assert (await pair.host.ask(MN, 1002, "i23005-Info=1")).qn_rtn == 8


@pytest.mark.parametrize("form", ["raw", "literal"])
@virtual
async def test_1014_a_new_key_and_everything_encrypted(form, tmp_path):
    new = "9c0e7d15a4f3b2861d5e0f7a6b3c2d48"
    more = {"sealed": form, "account": {"sealed": form}}
    async with Pair(tmp_path, version=2025, encrypted=True, **more) as pair:
        await begun(pair)
        pair.minute()
        await pair.host.has(MN, 2051)
        await pair.host.change_key(MN, new)
        assert pair.host.accounts[MN].key == bytes.fromhex(new)
        first = pair.label(T0_MS - MINUTE_MS)
        await asyncio.sleep(60)
        second = pair.minute()
        await pair.host.has(MN, 2051, second)
        told = await pair.host.pull(MN, 2051, first, second)
        assert len(told.periods) == 2
        await pair.again()
        await asyncio.sleep(60)
        assert pair.host.ledger.lines["seal.used"].passed > 3
        sent = b"".join(frame for _, frame in pair.host.links[-1].trace)
        assert new.encode() not in sent
        assert new not in repr(pair.events)
        clean(pair)


@virtual
async def test_1014_without_a_key_is_refused(tmp_path):
    async with Pair(tmp_path, version=2025) as pair:
        await begun(pair)
        told = await pair.host.ask(
            MN, 1014, "SKCreateTime=20251201080000;NewSK=" + "1" * 32
        )
        assert told.qn_rtn == 2
    async with Pair(tmp_path, version=2017) as pair:
        await begun(pair)
        assert (await pair.host.ask(MN, 1014)).qn_rtn == 8


@virtual
async def test_9015_heartbeats(tmp_path):
    async with Pair(tmp_path, version=2025, heartbeat_s=60.0, realtime_s=None) as pair:
        await pair.host.arrived(MN)
        await asyncio.sleep(601)
        beats = pair.host.heard[MN, 9015]
        assert 9 <= len(beats) <= 11
        assert {one.cp for one in beats} == {b""}
        clean(pair)
    async with Pair(tmp_path, version=2017, heartbeat_s=60.0) as pair:
        await begun(pair)
        await asyncio.sleep(120)
        assert (MN, 9015) not in pair.host.heard


@VERSIONS
@pytest.mark.parametrize("cn", [2013, 2052, 2062, 2111])
@virtual
async def test_what_a_station_does_not_have(version, cn, tmp_path):
    async with Pair(tmp_path, version=version) as pair:
        await begun(pair)
        told = await pair.host.ask(
            MN, cn, "BeginTime=20251201000000;EndTime=20251201010000"
        )
        assert told.qn_rtn == (8 if version == 2017 else 2)
        clean(pair)


# -- uploads ----------------------------------------------------------------------


@VERSIONS
@virtual
async def test_2081_the_start_is_told_once_a_run(version, tmp_path):
    async with Pair(tmp_path, version=version) as pair:
        await begun(pair)
        await asyncio.sleep(10)
        pair.host.drop()
        await asyncio.sleep(60)
        assert len(pair.host.heard[MN, 2081]) == 1
        await pair.again()
        await asyncio.sleep(10)
        assert len(pair.host.heard[MN, 2081]) == 2
        clean(pair)


@VERSIONS
@pytest.mark.parametrize("answer", [True, False])
@virtual
async def test_uploads_are_proved_by_9014_or_written(version, answer, tmp_path):
    # The day ended hours ago in this test; back-fill has one of its own.
    late = {"backfill_after_s": 90_000.0}
    async with Pair(tmp_path, version=version, answer=answer, host=late) as pair:
        await begun(pair)
        for number in range(-5, 0):
            pair.put(period(T0_MS + number * MINUTE_MS, so2="1.0", dust="1"))
        pair.put(period(T0_MS - 60 * MINUTE_MS, "hour", so2="1.0", dust="1"))
        pair.put(period(T0_MS - 32 * 60 * MINUTE_MS, "day", so2="1.0", dust="1"))
        for cn in (2051, 2061, 2031):
            await pair.host.has(MN, cn)
        await asyncio.sleep(30)
        first, last = (pair.label(T0_MS + n * MINUTE_MS) for n in (-5, -1))
        assert pair.host.held.faulty(MN, 2051, first, last, 60, FACTORS) == []
        proofs = {proof for *_, proof in pair.marks.marked}
        assert proofs - {"sent"} == {"proved" if answer else "written"}
        health = pair.pump.health()
        assert health.proves is answer
        assert health.backlog == 0
        clean(pair)


NINE = {
    "so2": ("a21026", "mg/m3"),
    "nox": ("a21002", "mg/m3"),
    "dust": ("a34013", "mg/m3"),
    "o2": ("a19001", "%"),
    "flow": ("a00000", "m3/s"),
    "t": ("a01012", "Cel"),
    "p": ("a01013", "kPa"),
    "v": ("a01011", "m/s"),
    "h2o": ("a01014", "%"),
}
CODES = frozenset(code for code, _ in NINE.values())
FIGURES = ("avg", "min", "max", "cou", "zs_avg", "zs_min", "zs_max")


def nine(t_ms):
    """A nine-factor minute with everything a frame can hold."""
    made = period(t_ms, **dict.fromkeys(NINE, "10"))
    numbers = dict.fromkeys(FIGURES, Fraction(10))
    factors = {
        name: msgspec.structs.replace(found, **numbers)
        for name, found in made.factors.items()
    }
    figures = {name: dict.fromkeys(FIGURES, "10") for name in NINE}
    return msgspec.structs.replace(made, factors=factors, figures=figures)


STACK = msgspec.structs.replace(
    STATION,
    factors=tuple(
        factor(name, code, unit=unit, decimals=0, converted=True, total=True)
        for name, (code, unit) in NINE.items()
    ),
)


@pytest.mark.parametrize("answer", [True, False])
@pytest.mark.parametrize(
    ("version", "encrypted"), [(2017, False), (2025, False), (2025, True)]
)
@virtual
async def test_a_split_frame_waits_packet_by_packet_where_answers_are_wanted(
    version, encrypted, answer, tmp_path
):
    account = {"factors": CODES}
    faults = Faults({Fault.LATE}, late_s=1.0)
    more = {"station": STACK, "answer": answer, "account": account, "faults": faults}
    more["encrypted"] = encrypted
    async with Pair(tmp_path, version=version, realtime_s=None, **more) as pair:
        loop = running_loop()
        await pair.host.arrived(MN)
        await asyncio.sleep(5)
        begun_s = loop.time()
        pair.put(nine(T0_MS - MINUTE_MS))
        label = pair.label(T0_MS - MINUTE_MS)
        await pair.host.has(MN, 2051, label, 60, factors=9)
        frames = [
            f for way, f in pair.host.links[-1].trace if way == "<" and b"CN=2051" in f
        ]
        assert len(frames) >= 2
        assert all(
            b"PNUM=%d;PNO=%d;" % (len(frames), n) in f for n, f in enumerate(frames, 1)
        )
        assert all(int(f[2:6]) <= 1024 for f in frames)
        qns = {f[9:26] for f in frames}
        assert len(qns) == len(frames)
        base = {2017: 6, 2025: 10}[version] + answer
        assert all(b"Flag=%d;" % base in f for f in frames)
        if answer:
            assert loop.time() - begun_s >= 1.0 * (len(frames) - 1)
            assert pair.host.ledger.standing()["upload.waits"] == "passed"
        await asyncio.sleep(5)
        assert pair.host.held.faulty(MN, 2051, label, label, 60, CODES) == []
        told = await pair.host.pull(MN, 2051, label, label)
        assert (told.outcome, len(told.data)) == ("done", len(frames))
        clean(pair)


# -- what goes wrong --------------------------------------------------------------


@VERSIONS
@virtual
async def test_no_9014_the_frame_is_repeated_as_told_and_arrives_once(
    version, tmp_path
):
    async with Pair(tmp_path, version=version, overtime_s=7.0, realtime_s=None) as pair:
        await pair.host.arrived(MN)
        await asyncio.sleep(10)
        pair.faults.kinds = {Fault.DROP}
        label = pair.minute()
        await pair.host.has(MN, 2051)
        await asyncio.sleep(7 * 2.5)
        assert pair.host.uploads.repeats == 2
        assert set(pair.fates()) <= {"sent"}
        pair.faults.kinds = set()
        await asyncio.sleep(10)
        assert pair.fates()[-1] == "proved"
        count = pair.host.held.count(MN, 2051, label, "a21026")
        assert count[:3] == (1, 0, 0)
        clean(pair)


@VERSIONS
@virtual
async def test_never_a_9014_nothing_is_proved_and_the_line_is_tried_anew(
    version, tmp_path
):
    async with Pair(tmp_path, version=version, realtime_s=None) as pair:
        await pair.host.arrived(MN)
        await asyncio.sleep(10)
        pair.faults.kinds = {Fault.DROP}
        pair.minute()
        await asyncio.sleep(600)
        assert pair.host.connections >= 2
        assert set(pair.fates()) <= {"sent"}
        assert pair.pump.health().backlog == 1
        pair.faults.kinds = set()
        await asyncio.sleep(700)
        assert pair.fates()[-1] == "proved"
        assert pair.pump.health().backlog == 0
        clean(pair)


@VERSIONS
@pytest.mark.parametrize(
    "fault",
    [fault for fault in Fault if fault is not Fault.DROP],
)
@virtual
async def test_a_bad_platform_gets_every_minute_once_it_behaves(
    version, fault, tmp_path, seed
):
    faults = Faults(share=0.4, late_s=8.0, seed=seed)
    async with Pair(tmp_path, version=version, realtime_s=None, faults=faults) as pair:
        await pair.host.arrived(MN)
        faults.kinds = {fault}
        for number in range(20):
            await asyncio.sleep(60)
            pair.put(period(T0_MS + number * MINUTE_MS, so2=f"{number}.0", dust="1"))
        faults.kinds = set()
        await asyncio.sleep(1800)
        held = pair.host.held.periods(MN, 2051)
        assert sorted(held) == [pair.label(T0_MS + n * MINUTE_MS) for n in range(20)], (
            seed
        )
        assert not any(kept.changed for kept in held.values()), seed
        assert pair.pump.health().backlog == 0
        assert len(pair.marks.marked) >= 20
        assert pair.fates().count("proved") >= 20
        pair.host.finish()
        # Of a reset the platform sees a frame cut short, no other fault of ours.
        assert set(pair.host.ledger.failed) <= {"frame.start"}, pair.host.ledger.text(
            "en"
        )


@VERSIONS
@virtual
async def test_what_is_sent_late_says_so_in_2025(version, tmp_path):
    async with Pair(tmp_path, version=version, realtime_s=None) as pair:
        await pair.host.arrived(MN)
        pair.host.shut()
        for number in range(30):
            await asyncio.sleep(60)
            pair.put(period(T0_MS + number * MINUTE_MS, so2="1.0", dust="1"))
        await pair.host.open("127.0.0.1", pair.port)
        await pair.host.arrived(MN, 900)
        await asyncio.sleep(120)
        first, last = pair.label(T0_MS), pair.label(T0_MS + 29 * MINUTE_MS)
        held = pair.host.held
        assert held.faulty(MN, 2051, first, last, 60, FACTORS) == []
        rf = [
            held.count(MN, 2051, label, "a21026").rf
            for label in sorted(held.periods(MN, 2051))
        ]
        assert set(rf[:20]) == ({1} if version == 2025 else {0})
        told = await pair.host.pull(MN, 2051, first, last)
        assert told.periods == {
            label: kept.items for label, kept in held.periods(MN, 2051).items()
        }
        clean(pair)


@VERSIONS
@pytest.mark.parametrize(
    ("name", "wrong", "code"),
    [
        ("password", Wrong(pw="000000"), 3),
        ("empty password", Wrong(pw=""), 3),
        ("MN", Wrong(mn="F0F0F0F0F0F0F0F0F0F0F0F0"), 4),
        ("ST", Wrong(st="32"), 5),
        ("Flag", Wrong(flag=1), 6),
    ],
)
@virtual
async def test_a_wrong_request_is_refused_by_its_code(
    version, name, wrong, code, tmp_path
):
    async with Pair(tmp_path, version=version) as pair:
        await begun(pair)
        told = await pair.host.ask(MN, 1062, "RtdInterval=60", wrong=wrong)
        assert (told.qn_rtn, told.order) == (code, [9011]), name
        assert pair.settings.realtime_s == 30
        assert (await pair.host.ask(MN, 1011)).outcome == "done"
        clean(pair)


@VERSIONS
@pytest.mark.parametrize("cn", [1003, 2999, 3023, 9999])
@virtual
async def test_an_unknown_command_is_refused(version, cn, tmp_path):
    async with Pair(tmp_path, version=version) as pair:
        await begun(pair)
        told = await pair.host.ask(MN, cn)
        assert (told.qn_rtn, told.order) == (8, [9011])
        clean(pair)


@VERSIONS
@virtual
async def test_a_wrong_crc_is_heard_by_nobody(version, tmp_path):
    async with Pair(tmp_path, version=version) as pair:
        await begun(pair)
        told = await pair.host.ask(
            MN, 1062, "RtdInterval=60", wrong=Wrong(damaged=True), tries=3
        )
        assert (told.outcome, told.sendings) == ("silent", 3)
        assert pair.settings.realtime_s == 30
        clean(pair)


@VERSIONS
@virtual
async def test_a_request_that_wants_no_answer_is_carried_out_in_silence(
    version, tmp_path
):
    async with Pair(tmp_path, version=version) as pair:
        await begun(pair)
        flag = {2017: 4, 2025: 8}[version]
        told = await pair.host.ask(MN, 1062, "RtdInterval=60", wrong=Wrong(flag=flag))
        assert told.outcome == "silent"
        assert pair.settings.realtime_s == 60
        clean(pair)


@VERSIONS
@virtual
async def test_a_request_sent_again_is_answered_again_and_done_once(version, tmp_path):
    async with Pair(tmp_path, version=version) as pair:
        await begun(pair)
        for _ in range(2):
            told = await pair.host.ask(
                MN, 1062, "RtdInterval=60", qn="20251201080000555"
            )
            assert told.outcome == "done"
        assert len(pair.told("platform_setting")) == 1
        clean(pair)


@VERSIONS
@virtual
async def test_the_whole_script_of_commands_and_history(version, tmp_path):
    async with Pair(
        tmp_path, version=version, encrypted=version == 2025, shown=SHOWN
    ) as pair:
        await begun(pair)
        pair.instruments.values = {("cod", "cycle"): 2, ("cod", "slope"): 1.05}
        for number in range(-10, 0):
            pair.put(period(T0_MS + number * MINUTE_MS, so2="1.0", dust="1"))
        await asyncio.sleep(30)
        script = Script(pair.host, MN, polid="w01018", infoid="i13008", act=True)
        await script.commands()
        await script.pull()
        clean(pair)
        standing = pair.host.ledger.standing()
        refused = {name for name, found in standing.items() if found == "refused"}
        acting = {f"cmd.{cn}" for cn in ACTS if version == 2025 or cn < 3022}
        assert refused == acting | {"cmd.2021"}
