"""Every command that a platform may send, 2017 and 2025, and what is said to it."""

from __future__ import annotations

import asyncio
import json
import stat

import pytest
from msgspec.structs import replace

from drivers.errors import PointError, ResponseTimeoutError
from drivers.hj212.build import encode
from drivers.hj212.frame import pack
from drivers.hj212.segment import SegmentError, parse
from drivers.values import Flaw, Quality
from gateway.commands import BusyError
from gateway.config.rights import Order, Shown
from gateway.secrets import SecretError
from gateway.uplink.hj212.pull import utc_ms
from tests.support.hj212_host import MN, T0, RefusedError, Site, shown

KEY = "msbE74gsiSHSEh5e"
OTHER_KEY = "AezF0nZRs4kypuGO"
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
WILL, DONE, FAILED = "9011 QnRtn=1", "9012 ExeRtn=1", "9012 ExeRtn=2"
REFUSED = "9011 QnRtn=2"


def pw_of(site):
    return site.settings.password


@pytest.fixture(params=[2017, 2025])
def site(request, tmp_path):
    return Site(tmp_path, request.param)


@pytest.fixture
def site25(tmp_path):
    return Site(tmp_path, 2025, key=KEY)


# -- who asks ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"pw": "654321"}, 3),
        ({"pw": ""}, 3),
        ({"mn": MN[:-1] + "1"}, 4),
        ({"st": "32"}, 5),
        ({"flag": 1}, 6),
        ({"pw": "x", "mn": "y", "st": "32"}, 3),
        ({"mn": "y", "st": "32"}, 4),
    ],
)
async def test_what_is_not_for_us_is_answered_with_its_code(site, wrong, code):
    said = await site.ask(1061, **wrong)

    assert shown(said) == [f"9011 QnRtn={code}"]
    # What was wrong is repeated: a refusal teaches nobody our password.
    assert said[0].pw == wrong.get("pw", "123456")


async def test_another_version_is_a_wrong_flag(site):
    other = {2017: 9, 2025: 5}[site.conf.version]

    assert shown(await site.ask(1061, flag=other)) == ["9011 QnRtn=6"]


@pytest.mark.parametrize("cn", [1001, 2081, 3019 + 4])
async def test_a_command_that_no_platform_sends_is_unknown(site, cn):
    assert shown(await site.ask(cn)) == ["9011 QnRtn=8"]


@pytest.mark.parametrize("cn", [1002, 1014, 2013, 2052, 2062, 2111, 3022, 3024, 9015])
async def test_2017_does_not_know_what_2025_added(tmp_path, cn):
    assert shown(await Site(tmp_path, 2017).ask(cn)) == ["9011 QnRtn=8"]


@pytest.mark.parametrize(
    ("segment", "code"),
    [
        ("QN=20240703174640001;ST=31;CN=4711;PW=123456;MN={mn};Flag=5;CP=&&&&", 8),
        ("QN=20240703174640001;ST=31;CN=1061;PW=123456;MN={mn};Flag=5;CP=&&A=1&&", 100),
        ("QN=20249903174640001;ST=31;CN=1061;PW=123456;MN={mn};Flag=5;CP=&&&&", 7),
        ("QN=20240703174640001;ST=31;CN=4711;PW=654321;MN={mn};Flag=5;CP=&&&&", 3),
        ("QN=20240703174640001;ST=31;CN=1061;PW=123456;MN={mn};Flag=99;CP=&&&&", 6),
        ("QN=2024;ST=31;CN=1061;PW=123456;MN={mn};Flag=5;CP=&&&&", None),
        ("ST=31;CN=4711;PW=123456;MN={mn};CP=&&&&", None),
        ("QN=20240703174640001;ST=31;CN=4711;PW=123456;MN={mn};Flag=4;CP=&&&&", None),
        ("\x80\x81", None),
    ],
)  # fmt: skip
async def test_what_cannot_be_read_is_answered_as_far_as_it_says_who_it_is(
    tmp_path, segment, code
):
    site = Site(tmp_path, 2017)
    data = segment.format(mn=MN).encode("latin-1")
    with pytest.raises(SegmentError) as caught:
        parse(data)

    handled = site.host.refused(str(caught.value.cause), data)

    assert shown(handled.replies) == ([f"9011 QnRtn={code}"] if code else [])
    assert handled.work is None


async def test_answers_that_come_late_are_not_answered(site):
    for cn in (9011, 9012, 9013, 9014):
        assert await site.ask(cn) == []
    assert await site.ask(1061, qn=None) == []


async def test_without_the_answer_bit_it_is_done_in_silence(site):
    flag = {2017: 4, 2025: 8}[site.conf.version]

    said = await site.ask(1062, "RtdInterval=60", flag=flag)
    asked = await site.ask(1061, flag=flag)

    assert shown(said) == []
    assert shown(asked) == ["1061 RtdInterval=60"]
    assert site.settings.realtime_s == 60


async def test_replies_are_of_system_interaction_and_repeat_the_qn(site):
    request = site.request(1061)

    will, upload, done = await site.say(request)

    assert {will.qn, upload.qn, done.qn} == {request.qn}
    assert {will.st, done.st} == {"91"}
    assert {will.flag, done.flag} == {{2017: 4, 2025: 8}[site.conf.version]}
    assert upload.answer is False
    for reply in (will, done):
        assert pack(encode(reply)).startswith(b"##00")


async def test_a_wrong_password_is_told_once_a_minute(site):
    for _ in range(50):
        await site.ask(1061, pw="guess1")
    site.wall_ms += 61_000
    await site.ask(1061, pw="guess2")

    told = site.told("platform_refused")
    assert [event.values["count"] for event in told] == [1, 50]
    assert "guess" not in str(told)
    assert "访问密码错误" in told[0].text["zh"]


# -- settings ------------------------------------------------------------------


async def test_1000_sets_time_out_and_repeats(site):
    assert shown(await site.ask(1000, "OverTime=7;ReCount=2")) == [WILL, DONE]

    assert (site.settings.overtime_s, site.settings.recount) == (7.0, 2)
    told = site.told("platform_setting")
    assert {(e.values["setting"], e.values["old"], e.values["new"]) for e in told} == {
        ("overtime_s", 10, 7),
        ("recount", 3, 2),
    }


@pytest.mark.parametrize(
    "overtime", ["", "OverTime=100", "OverTime=-1", "OverTime=1.5"]
)
async def test_values_out_of_range_are_refused(site, overtime):
    assert shown(await site.ask(1000, f"ReCount=3;{overtime}")) == [REFUSED]
    assert shown(await site.ask(1000, "OverTime=5")) == [REFUSED]
    assert site.settings.overtime_s == 10


async def test_zero_is_a_time_out_in_2025_only(site):
    said = shown(await site.ask(1000, "OverTime=0;ReCount=0"))

    if site.conf.version == 2017:
        assert said == [REFUSED]
    else:
        assert said == [WILL, DONE]
        assert (site.settings.overtime_s, site.settings.recount) == (1.0, 0)


async def test_1061_and_1062_read_and_set_the_interval(site):
    woken = []
    forget = site.settings.on_change(lambda: woken.append(1))

    assert shown(await site.ask(1061)) == [WILL, "1061 RtdInterval=30", DONE]
    assert shown(await site.ask(1062, "RtdInterval=60")) == [WILL, DONE]
    assert shown(await site.ask(1061)) == [WILL, "1061 RtdInterval=60", DONE]
    assert shown(await site.ask(1062, "RtdInterval=29")) == [REFUSED]
    assert shown(await site.ask(1062, "RtdInterval=3601")) == [REFUSED]
    assert site.settings.realtime_s == 60
    assert woken == [1]
    forget()
    await site.ask(1062, "RtdInterval=90")
    assert woken == [1]


async def test_1063_reads_and_1064_sets_what_the_station_has_already(site):
    assert shown(await site.ask(1063)) == [WILL, "1063 MinInterval=1", DONE]
    assert shown(await site.ask(1064, "MinInterval=1")) == [WILL, DONE]
    assert shown(await site.ask(1064, "MinInterval=7")) == [REFUSED]
    assert not site.told("platform_refused")
    # All platforms of a station see the same minutes: the site file says which.
    assert shown(await site.ask(1064, "MinInterval=10")) == [REFUSED]
    assert [e.values["reason"] for e in site.told("platform_refused")] == ["minutes"]


async def test_1072_changes_the_password_which_is_then_required(site):
    assert shown(await site.ask(1072, "NewPW=abcdef")) == [WILL, DONE]

    assert shown(await site.ask(1061)) == ["9011 QnRtn=3"]
    assert shown(await site.ask(1061, pw="abcdef"))[0] == WILL
    assert pw_of(site) == "abcdef"
    assert "abcdef" not in str(site.events)
    assert "123456" not in str(site.events)
    file = site.folder / "hj212" / "city.password"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700

    site.start()
    assert pw_of(site) == "abcdef"
    assert shown(await site.ask(1061)) == ["9011 QnRtn=3"]


@pytest.mark.parametrize("inside", ["", "NewPW=short", "NewPW=toolong"])
async def test_a_password_has_six_characters(site, inside):
    assert shown(await site.ask(1072, inside)) == [REFUSED]


async def test_a_password_the_disk_refused_does_not_hold(site):
    (site.folder / "hj212").write_text("no folder")

    assert shown(await site.ask(1072, "NewPW=abcdef")) == [WILL, "9012 ExeRtn=6"]
    assert pw_of(site) == "123456"
    assert not site.told("platform_setting")


async def test_another_password_in_the_site_file_is_meant(site):
    await site.ask(1072, "NewPW=abcdef")
    site.put(site.password, "999999")

    site.start()

    assert pw_of(site) == "999999"


async def test_a_change_of_password_that_comes_again_is_answered_again(site):
    request = site.request(1072, "NewPW=abcdef")

    first, second = await site.say(request), await site.say(request)

    assert shown(first) == shown(second) == [WILL, DONE]
    assert len(site.told("platform_setting")) == 1


async def test_2011_and_2012_start_and_stop_real_time_data(site):
    assert shown(await site.ask(2012)) == ["9013"]
    assert site.settings.realtime_s is None
    assert shown(await site.ask(2011)) == [WILL, DONE]
    assert site.settings.realtime_s == 30
    assert [e.values["new"] for e in site.told("platform_setting")] == [False, True]


async def test_2021_and_2022_start_and_stop_facility_states(site):
    assert site.settings.facilities_s is None
    assert shown(await site.ask(2021)) == [WILL, DONE]
    assert site.settings.facilities_s == 30
    assert shown(await site.ask(2022)) == ["9013"]
    assert site.settings.facilities_s is None


async def test_settings_hold_over_a_restart_until_the_site_file_says_else(site):
    await site.ask(1000, "OverTime=7;ReCount=2")
    await site.ask(1062, "RtdInterval=60")
    await site.ask(2012)

    site.start()
    assert (site.settings.overtime_s, site.settings.recount) == (7.0, 2)
    assert (site.settings.realtime_s, site.settings.rtd_interval_s) == (None, 60)

    site.start(replace(site.conf, overtime_s=20.0))
    assert (site.settings.overtime_s, site.settings.recount) == (20.0, 2)


async def test_damaged_settings_are_those_of_the_site_file(site):
    await site.ask(1062, "RtdInterval=60")
    site.store.notes["hj212:city"] = b"{"

    site.start()

    assert site.settings.realtime_s == 30


# -- the clock -----------------------------------------------------------------


async def test_1011_tells_our_time(site):
    assert shown(await site.ask(1011)) == [WILL, "1011 SystemTime=20240703174640", DONE]


async def test_1012_never_sets_our_clock_and_is_told(site):
    right = await site.ask(1012, "SystemTime=20240703174643")
    wrong = await site.ask(1012, "SystemTime=20240703184640")

    assert shown(right) == [WILL, DONE]
    assert shown(wrong) == [WILL, FAILED]
    agreed, told = site.told("platform_clock")
    assert (agreed.severity, told.severity) == ("info", "warning")
    assert told.values["said"] == "20240703184640"
    assert told.values["ours"] == "20240703174640"
    assert shown(await site.ask(1012)) == [REFUSED]


async def test_1013_is_asked_where_nobody_says_that_our_clock_is_right(site):
    assert [upload.cn for upload in site.errands] == []

    site.trusted = False
    site.start()

    assert [(u.cn, u.answer, u.st) for u in site.errands] == [(1013, True, "31")]
    assert shown(await site.ask(1012, "SystemTime=20240703174640")) == [WILL, FAILED]


# -- history -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cn", "kind", "step", "begin", "end", "times"),
    [
        (2051, "minute", MINUTE, "20240703100000", "20240703100200",
         ["20240703100000", "20240703100100", "20240703100200"]),
        (2061, "hour", HOUR, "20240703080000", "20240703090000",
         ["20240703080000", "20240703090000"]),
        (2031, "day", DAY, "20240628000000", "20240629000000",
         ["20240628000000", "20240629000000"]),
        (2041, "day", DAY, "20240628000000", "20240628000000", ["20240628000000"]),
    ],
)  # fmt: skip
async def test_history_is_pulled_label_by_label(
    site, cn, kind, step, begin, end, times
):
    start = utc_ms(
        "20240628000000" if kind == "day" else "20240703000000", "Asia/Shanghai"
    )
    site.store.fill(kind, start, step, 5 if kind == "day" else 17 * HOUR // step)

    said = await site.ask(cn, f"BeginTime={begin};EndTime={end}")

    will, *uploads, done = said
    assert shown([will, done]) == [WILL, DONE]
    assert [upload.items[0][0] for upload in uploads] == [
        ("DataTime", t) for t in times
    ]
    assert {(u.cn, u.qn, u.rf) for u in uploads} == {(cn, None, False)}
    assert [mark[3:] for mark in site.store.marks] == [
        (utc_ms(time, "Asia/Shanghai"), 0, True, False) for time in times
    ]


async def test_what_is_not_stored_is_no_data(site):
    said = await site.ask(2051, "BeginTime=20230101000000;EndTime=20230101010000")

    assert shown(said) == [WILL, "9012 ExeRtn=100"]


@pytest.mark.parametrize(
    "inside",
    ["", "BeginTime=20240703000000", "BeginTime=20240703000000;EndTime=20240702000000"],
)
async def test_a_pull_names_both_ends_in_order(site, inside):
    assert shown(await site.ask(2061, inside)) == [REFUSED]


async def test_a_pull_of_all_times_reads_piece_by_piece(site):
    site.store.fill("minute", T0 - 10 * DAY, MINUTE, 100)

    said = await site.ask(2051, "BeginTime=00010101000000;EndTime=99991231235959")

    assert len(said) == 102
    assert max(until - since for since, until in site.store.reads) <= 6 * HOUR
    assert len(site.store.reads) < 8000


async def test_a_pull_that_nobody_confirms_ends(site):
    site.store.fill("minute", T0 - HOUR, MINUTE, 30)

    said = await site.ask(
        2051, "BeginTime=20240703000000;EndTime=20240704000000", proves=False
    )

    assert shown(said)[0] == WILL
    assert [each.cn for each in said[1:]] == [2051, 9012]
    assert shown(said)[-1] == "9012 ExeRtn=4"
    assert site.store.marks == []


async def test_without_the_answer_bit_pulled_periods_are_sent_and_not_proved(tmp_path):
    site = Site(tmp_path, answer=False)
    site.store.fill("minute", T0 - HOUR, MINUTE, 3)

    said = await site.ask(2051, "BeginTime=20240703000000;EndTime=20240704000000")

    assert [each.cn for each in said] == [9011, 2051, 2051, 2051, 9012]
    assert [mark[-2:] for mark in site.store.marks] == [(False, True)] * 3


async def test_a_pull_is_a_stream(site):
    site.store.fill("minute", T0 - DAY, MINUTE, 1000)
    request = site.request(2051, "BeginTime=20240702000000;EndTime=20240704000000")

    work = site.host.handle(request).work()
    await work.asend(None)
    reads = len(site.store.reads)
    await work.aclose()

    assert reads <= 4
    # The connection ended; the platform asks again, with the same QN.
    site.host.connected()
    assert len(await site.say(request)) == 1002


@pytest.mark.parametrize("cn", [2013, 2052, 2062, 2111])
async def test_2025_what_we_have_nothing_of_is_refused(site25, cn):
    said = await site25.ask(cn, "BeginTime=20240703000000;EndTime=20240704000000")

    assert shown(said) == [REFUSED]


async def test_real_time_data_of_the_past_are_not_kept(site25):
    said = await site25.ask(2011, "BeginTime=20240703000000;EndTime=20240704000000")

    assert shown(said) == [REFUSED]
    assert site25.settings.realtime_s == 30


# -- the same request again ----------------------------------------------------


async def test_a_request_under_way_is_not_begun_again(site):
    request = site.request(1061)

    first = site.host.handle(request)
    second = site.host.handle(request)

    assert shown(first.replies) == shown(second.replies) == [WILL]
    assert first.work is not None
    assert second.work is None


async def test_a_qn_belongs_to_one_request(site):
    request = site.request(1062, "RtdInterval=60")
    await site.say(request)

    said = await site.say(replace(request, items=((("RtdInterval", "90"),),)))

    assert shown(said) == ["9011 QnRtn=7"]
    assert site.settings.realtime_s == 60


async def test_a_setting_is_not_set_twice_by_one_request(site):
    first = site.request(1062, "RtdInterval=60")
    await site.say(first)
    await site.ask(1062, "RtdInterval=90")

    assert shown(await site.say(first)) == [WILL, DONE]
    assert site.settings.realtime_s == 90

    stop = site.request(2012)
    await site.say(stop)
    await site.ask(2011)
    assert shown(await site.say(stop)) == ["9013"]
    assert site.settings.realtime_s == 90


async def test_requests_that_wait_are_bounded(site):
    said = [site.host.handle(site.request(1061)) for _ in range(12)]

    assert [shown(each.replies)[0] for each in said] == [WILL] * 8 + [REFUSED] * 4
    site.host.connected()
    assert shown(await site.ask(1061))[0] == WILL


async def test_what_is_remembered_is_bounded(site):
    for number in range(300):
        await site.ask(
            1062, f"RtdInterval={30 + number}", qn=f"20240703174641{number:03d}"
        )

    assert len(site.host._known) <= 64
    assert len(site.store.notes["hj212:city"]) < 2000


# -- instruments ---------------------------------------------------------------

ORDERS = (
    Order(command=3012, factor="w01018", device="cod", point="start", value=1),
    Order(command=3011, device="cod", point="zero", value=1),
    Order(command=3011, device="cod", point="kind", field="CalibrationType"),
    Order(command=3016, factor="w01018", device="cod", point="cycle", field="Ctime"),
    Order(command=3021, factor="w01018", device="cod", point="slope", field="i13008"),
    Order(command=3015, device="cod", point="keep", value=1),
    Order(
        command=1012, factor="w01018", device="cod", point="time", field="SystemTime"
    ),
)
SHOWN = (
    Shown(code="i13008", factor="w01018", device="cod", point="slope"),
    Shown(code="i12001", factor="w01018", device="cod", point="state"),
    Shown(code="i11001", factor="w01018", text="清洗管路"),
    Shown(code="i22001", text="0"),
    Shown(code="SN", factor="w01018", text="A0123"),
    Shown(code="CstartTime", factor="w01018", device="cod", point="first"),
    Shown(code="Ctime", factor="w01018", device="cod", point="cycle"),
    Shown(code="Stime", factor="w01018", device="cod", point="takes"),
    Shown(code="VaseNo", factor="w01018", device="cod", point="bottle"),
    Shown(code="SystemTime", factor="w01018", device="cod", point="time"),
)
ACTS = (3011, 3012, 3013, 3014, 3015, 3016, 3021)


@pytest.fixture(params=[2017, 2025])
def works(request, tmp_path):
    allow = (1012, 3011, 3012, 3013, 3015, 3016, 3021, 3022)
    site = Site(tmp_path, request.param, allow=allow, orders=ORDERS, shown=SHOWN)
    site.bench.points = {
        ("cod", "start"): 0, ("cod", "zero"): 0, ("cod", "kind"): 0, ("cod", "keep"): 0,
        ("cod", "cycle"): 2, ("cod", "slope"): 1.05, ("cod", "state"): 7,
        ("cod", "first"): 80000, ("cod", "takes"): 45.0, ("cod", "bottle"): 3,
        ("cod", "time"): "2024-07-03 17:46:12",
    }  # fmt: skip
    return site


@pytest.mark.parametrize("cn", [*ACTS, 3022, 3024])
async def test_what_acts_on_an_instrument_is_refused_and_told(site, cn):
    said = await site.ask(cn, "PolId=w01018")

    if cn in (3022, 3024) and site.conf.version == 2017:
        assert shown(said) == ["9011 QnRtn=8"]
        return
    assert shown(said) == [REFUSED]
    (told,) = site.told("platform_refused")
    assert told.values["cn"] == cn
    assert told.values["reason"] == "not_allowed"
    assert site.bench.written == []


async def test_what_is_allowed_and_has_no_order_is_refused(works):
    assert shown(await works.ask(3013, "PolId=w01018")) == [REFUSED]
    assert shown(await works.ask(3012, "PolId=w21003")) == [REFUSED]
    assert shown(await works.ask(3012)) == [REFUSED]
    assert {e.values["reason"] for e in works.told("platform_refused")} == {"no_order"}


async def test_3012_writes_what_the_site_file_says(works):
    said = await works.ask(3012, "PolId=w01018")

    assert shown(said) == [WILL, DONE]
    assert works.bench.written == [("cod", "start", 1)]
    (told,) = works.told("platform_command")
    assert told.device == "cod"
    assert told.values == {
        "target": "city",
        "cn": 3012,
        "point": "start",
        "value": 1,
        "result": "done",
    }
    assert "即时采样" in told.text["zh"]
    assert "sample now" in told.text["en"]


async def test_several_points_are_written_in_their_order(works):
    said = await works.ask(3011, "PolId=w01018;CalibrationType=1")

    assert shown(said) == [WILL, DONE]
    assert works.bench.written == [("cod", "zero", 1), ("cod", "kind", 1)]
    assert shown(await works.ask(3011, "PolId=w01018")) == [REFUSED]


async def test_3016_and_3021_write_what_the_platform_says(works):
    assert shown(
        await works.ask(3016, "PolId=w01018;CstartTime=000000;Ctime=4")
    ) == [WILL, DONE]  # fmt: skip
    assert shown(
        await works.ask(3021, "PolId=w01018;InfoId=i13008;i13008-Info=1.02")
    ) == [WILL, DONE]  # fmt: skip
    assert shown(
        await works.ask(3021, "PolId=w01018;InfoId=i13007;i13007-Info=1.02")
    ) == [REFUSED]  # fmt: skip
    assert works.bench.written == [("cod", "cycle", 4), ("cod", "slope", 1.02)]


async def test_3015_says_which_bottle(works):
    said = await works.ask(3015, "PolId=w01018")

    assert shown(said) == [WILL, "3015 PolId=w01018 VaseNo=3", DONE]


async def test_an_instruments_clock_is_set_only_where_it_is_allowed(works):
    said = await works.ask(1012, "PolId=w01018;SystemTime=20240703174640")

    assert shown(said) == [WILL, DONE]
    assert works.bench.written == [("cod", "time", 20240703174640)]
    assert works.told("platform_clock") == []
    works.start(replace(works.conf, allow=(3012,)))
    assert shown(await works.ask(1012, "PolId=w01018;SystemTime=20240703174640")) == [
        REFUSED
    ]


@pytest.mark.parametrize(
    ("error", "code", "word"),
    [
        (ResponseTimeoutError("no answer"), 4, "timeout"),
        (TimeoutError(), 4, "timeout"),
        (BusyError("full"), 5, "busy"),
        (PointError("out of its limits"), 3, "condition"),
        (RefusedError("anything"), 2, "failed"),
        (KeyError("gone"), 6, "system"),
    ],
)
async def test_how_it_went_is_said_and_told(works, error, code, word):
    works.bench.error = error

    assert shown(await works.ask(3012, "PolId=w01018")) == [WILL, f"9012 ExeRtn={code}"]
    assert [e.values["result"] for e in works.told("platform_command")] == [word]


async def test_a_command_is_carried_out_once_however_often_it_comes(works):
    request = works.request(3012, "PolId=w01018")
    first = await works.say(request)

    assert shown(await works.say(request)) == shown(first) == [WILL, DONE]
    works.start()
    assert shown(await works.say(request)) == [WILL, DONE]
    assert shown(await works.say(replace(request, pw="654321"))) == ["9011 QnRtn=3"]
    assert shown(await works.say(replace(request, cn=3015))) == ["9011 QnRtn=7"]
    assert works.bench.written == [("cod", "start", 1)]


async def test_a_command_cut_short_is_not_carried_out_again(works):
    request = works.request(3012, "PolId=w01018")
    works.bench.hold = asyncio.Event()
    work = works.host.handle(request).work()
    step = asyncio.create_task(anext(work))
    await asyncio.sleep(0)
    step.cancel()
    with pytest.raises(asyncio.CancelledError):
        await step
    await work.aclose()
    works.bench.hold = None

    for _ in range(2):
        assert shown(await works.say(request)) == [WILL, FAILED]
        works.start()
    assert works.bench.written == []
    assert [e.values["result"] for e in works.told("platform_command")] == ["failed"]


async def test_a_kill_while_it_is_carried_out_counts_as_done(works):
    request = works.request(3012, "PolId=w01018")
    works.bench.hold = asyncio.Event()
    work = works.host.handle(request).work()
    step = asyncio.create_task(anext(work))
    await asyncio.sleep(0)
    note = dict(works.store.notes)
    works.bench.hold.set()
    await step
    await work.aclose()

    works.store.notes = note  # what was stored when the power went
    works.start()

    assert shown(await works.say(request)) == [WILL, FAILED]
    assert works.bench.written == [("cod", "start", 1)]


async def test_a_command_that_was_never_begun_is_carried_out_when_it_comes_again(works):
    request = works.request(3012, "PolId=w01018")
    works.host.handle(request)
    works.host.connected()

    assert shown(await works.say(request)) == [WILL, DONE]
    assert works.bench.written == [("cod", "start", 1)]


# -- what may be read ----------------------------------------------------------


@pytest.mark.parametrize(
    ("cn", "inside", "reply"),
    [
        (1011, "PolId=w01018", "1011 PolId=w01018 SystemTime=20240703174612"),
        (3017, "PolId=w01018", "3017 PolId=w01018 CstartTime=080000 Ctime=2"),
        (3018, "PolId=w01018", "3018 PolId=w01018 Stime=45"),
        (3019, "PolId=w01018", "3019 PolId=w01018 w01018-SN=A0123"),
        (3020, "PolId=w01018;InfoId=i13008",
         "3020 DataTime=20240703174640 PolId=w01018 i13008-Info=1.05"),
        (3020, "PolId=w01018;InfoId=i12001",
         "3020 DataTime=20240703174640 PolId=w01018 i12001-Info=7"),
        (3020, "PolId=w01018;InfoId=i11001",
         "3020 DataTime=20240703174640 PolId=w01018 i11001-Info=//清洗管路//"),
        (3020, "InfoId=i22001", "3020 DataTime=20240703174640 i22001-Info=0"),
    ],
)  # fmt: skip
async def test_what_the_site_file_names_can_be_read(works, cn, inside, reply):
    said = await works.ask(cn, inside)

    assert shown(said) == [WILL, reply, DONE]
    upload = said[1]
    whole = replace(said[0], cn=upload.cn, items=upload.items, flag=4)
    assert encode(whole)  # it stands in a frame as the standard has it


@pytest.mark.parametrize(
    ("cn", "inside"),
    [(3017, ""), (3018, "PolId=w21003"), (3019, ""), (1011, "PolId=w21003"),
     (3020, "PolId=w01018;InfoId=i13001"), (3020, "PolId=w01018")],
)  # fmt: skip
async def test_what_it_does_not_name_is_refused(works, cn, inside):
    assert shown(await works.ask(cn, inside)) == [REFUSED]


async def test_a_value_that_is_not_good_is_not_said(works):
    works.bench.flaws = {"slope": Flaw(Quality.UNCERTAIN, "stale")}
    ask = (3020, "PolId=w01018;InfoId=i13008")

    assert shown(await works.ask(*ask)) == [WILL, FAILED]
    works.bench.answered = False
    assert shown(await works.ask(*ask)) == [WILL, "9012 ExeRtn=4"]
    works.bench.error = BusyError("full")
    assert shown(await works.ask(*ask)) == [WILL, "9012 ExeRtn=5"]


@pytest.mark.parametrize("text", ["a;b", "a=1", "&&", "##0001", "a//b", "line\nline"])
async def test_text_that_would_break_a_frame_is_not_said(works, text):
    works.bench.points["cod", "state"] = text

    said = await works.ask(3020, "PolId=w01018;InfoId=i12001")

    assert shown(said) == [WILL, FAILED]


# -- 2025: keys, activation, heart beat ------------------------------------------


async def test_9015_from_a_platform_is_confirmed(site25):
    assert shown(await site25.ask(9015)) == ["9013"]


async def test_1014_sets_the_key_and_the_old_one_opens_for_a_while(site25):
    ring = site25.access.open()
    segment = encode(
        replace(site25.request(2061), items=((("DataTime", "20240703170000"),),))
    )
    old = pack(segment, ring.seal(segment))
    finder = ring.finder()

    said = await site25.ask(1014, f"SKCreateTime=20240703000000;NewSK={OTHER_KEY}")

    assert shown(said) == [WILL, DONE]
    new = pack(segment, ring.seal(segment))
    assert new != old
    for frame in (old, new):
        assert [f.segment for f in finder.feed(frame)] == [segment]
    site25.wall_ms += 25 * HOUR
    assert ring.finder().feed(old) == []
    assert len(ring.finder().feed(new)) == 1
    (told,) = site25.told("platform_setting")
    assert OTHER_KEY not in str(told)
    file = site25.folder / "hj212" / "city.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    site25.start()
    assert site25.access.keyring.text == OTHER_KEY


async def test_the_old_key_opens_after_a_restart_too(site25):
    ring = site25.access.keyring
    segment = encode(site25.request(2061, "DataTime=20240703170000;a21026-Avg=1.5"))
    old = pack(segment, ring.seal(segment))
    await site25.ask(1014, f"SKCreateTime=20240703000000;NewSK={OTHER_KEY}")

    site25.start()

    assert len(site25.access.keyring.finder().feed(old)) == 1


async def test_the_key_changes_once_the_platform_was_told(site25):
    ring = site25.access.keyring
    handled = site25.host.handle(site25.request(1014, f"NewSK={OTHER_KEY}"))
    work = handled.work()

    done = await work.asend(None)

    assert shown([done]) == [DONE]
    assert ring.text == KEY
    with pytest.raises(StopAsyncIteration):
        await work.asend(None)
    assert ring.text == OTHER_KEY


@pytest.mark.parametrize("inside", ["NewSK=short", "NewSK="])
async def test_what_is_no_key_is_not_taken(site25, inside):
    said = shown(await site25.ask(1014, inside))

    assert said in ([WILL, FAILED], [REFUSED])
    assert site25.access.keyring.text == KEY


async def test_a_patterned_key_is_taken_and_told(site25):
    assert shown(await site25.ask(1014, "NewSK=1234567890123456")) == [WILL, DONE]

    assert [e.severity for e in site25.told("platform_setting")] == ["warning"]


async def test_without_a_first_key_nobody_makes_us_encrypt(tmp_path):
    site = Site(tmp_path, 2025)

    assert shown(await site.ask(1014, f"NewSK={OTHER_KEY}")) == [REFUSED]
    assert site.access.open() is None


async def test_a_new_key_is_asked_for_ahead_and_once_a_day(site25):
    await site25.ask(1014, f"NewSK={OTHER_KEY}")
    assert list(site25.host.due()) == []

    site25.wall_ms += 84 * DAY
    asked = list(site25.host.due())
    assert [(u.cn, u.answer) for u in asked] == [(1014, True)]
    assert asked[0].items == ((("SKCreateTime", "20240703174640"),),)
    assert list(site25.host.due()) == []
    site25.wall_ms += DAY
    assert [u.cn for u in site25.host.connected()] == [1014]


async def test_activation_sends_who_we_are_and_takes_the_mn(tmp_path):
    hardware = {
        "i23005": "EG2511-0042",
        "i23006": "CPU1",
        "i23007": "02-00-00-00-00-01",
    }
    site = Site(tmp_path, 2025, hardware=hardware)
    new = "A" * 24

    (asked,) = site.errands
    assert asked.cn == 1001
    assert asked.items == tuple(
        ((f"{code}-Info", value),) for code, value in hardware.items()
    )
    wrong = await site.ask(1002, "i23005-Info=EG0000-0000", mn=new)
    short = await site.ask(1002, "i23005-Info=EG2511-0042", mn="A" * 14)
    said = await site.ask(1002, "i23005-Info=EG2511-0042", mn=new)

    assert shown(wrong) == ["9011 QnRtn=4"]
    assert shown(short) == [REFUSED]
    assert shown(said) == [WILL, DONE]
    assert site.settings.mn == new
    assert shown(await site.ask(1061)) == ["9011 QnRtn=4"]
    site.start()
    assert site.settings.mn == new
    assert site.errands == []


async def test_who_has_no_hardware_ids_is_not_activated(site25):
    assert site25.errands == []
    assert shown(await site25.ask(1002, "i23005-Info=x")) == [REFUSED]
    assert shown(await site25.ask(1002, mn="A" * 24)) == ["9011 QnRtn=4"]


# -- secrets on disk -------------------------------------------------------------


async def test_a_secret_that_others_can_read_is_set_aside(site):
    await site.ask(1072, "NewPW=abcdef")
    (site.folder / "hj212" / "city.password").chmod(0o644)

    site.start()

    assert pw_of(site) == "123456"


async def test_a_damaged_secret_is_set_aside(site):
    await site.ask(1072, "NewPW=abcdef")
    (site.folder / "hj212" / "city.password").write_text("{")

    site.start()

    assert pw_of(site) == "123456"


async def test_no_secret_stands_in_the_notes(site25):
    await site25.ask(1072, "NewPW=abcdef")
    await site25.ask(1014, f"NewSK={OTHER_KEY}", pw="abcdef")

    kept = str(site25.store.notes)
    assert "abcdef" not in kept
    assert OTHER_KEY not in kept
    assert json.loads(site25.store.notes["hj212:city"])["done"]


async def test_a_password_that_is_not_there_yet_is_read_later(tmp_path):
    site = Site(tmp_path)
    site.password.unlink()
    site.start()
    with pytest.raises(SecretError):
        _ = site.settings.password
    assert shown(await site.ask(1061)) == ["9011 QnRtn=3"]

    site.put(site.password, "123456")

    assert pw_of(site) == "123456"
