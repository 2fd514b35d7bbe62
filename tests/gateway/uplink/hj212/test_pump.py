"""The pump against a platform in memory, in virtual time."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from itertools import pairwise

import pytest
from msgspec.structs import replace

from buffer import PriorityClass
from drivers.hj212.build import flag
from drivers.hj212.segment import Segment
from gateway.config.rights import Shown
from gateway.media import Media
from gateway.record import Event
from gateway.record import encode as stored
from gateway.uplink.hj212.seams import Handled, Upload
from tests.support.hj212_home import (
    AT,
    MINUTE_MS,
    MN,
    STATION,
    T0_MS,
    Home,
    Newest,
    factor,
    period,
)
from tests.support.virtual import virtual


def names(segment):
    """Everything a segment says."""
    return dict(pair for item in segment.items for pair in item)


@virtual
async def test_a_minute_is_proved_by_9014():
    async with Home() as home:
        home.put(period(so2="12.3", dust=None))
        await home.until(lambda: home.floor == 1)

        assert names(home.platform.segments(2051)[0]) == {
            "DataTime": "20251201080000",
            "a21026-Min": "12.3",
            "a21026-Avg": "12.3",
            "a21026-Max": "12.3",
            "a21026-Flag": "N",
            "a34013-Flag": "D",
        }
        assert home.ledger.fates == {"sent": 1, "proved": 1}
        key = ("city", "DA001", "minute", T0_MS)
        assert home.marks.marked == [(*key, "sent"), (*key, "proved")]
        assert home.health().written == 0


@pytest.mark.parametrize("before", [True, False])
@virtual
async def test_pictures_are_passed_by_and_hold_nothing_back(before):
    def show(home):
        for part, cls in enumerate((PriorityClass.EVIDENCE, PriorityClass.MEDIA), 1):
            made = Media(
                event="north-1",
                n=1,
                part=part,
                parts=2,
                offset=0,
                size=90_000,
                sha256="0" * 64,
                type="image/jpeg",
                role="at",
                annotated=False,
                camera="north",
                name="a.jpg",
                at=AT,
                data=bytes(90_000),
            )
            home.source.append(stored(made, "0000002a"), cls, "north", T0_MS)

    home = Home()
    if before:
        show(home)
    async with home:
        await asyncio.sleep(5)
        if not before:
            show(home)
        home.put(period())
        await home.until(lambda: home.floor == 3)

        assert len(home.platform.times(2051)) == 1
        assert home.ledger.fates == {"filtered": 2, "sent": 1, "proved": 1}
        assert "media" not in home.health().lanes


@virtual
async def test_without_the_answer_bit_a_record_is_written_and_never_proved():
    async with Home(answer=False) as home:
        home.put(period())
        await home.until(lambda: home.floor == 1)

        assert home.platform.segments(2051)[0].flag == 4
        assert home.ledger.fates == {"sent": 1, "written": 1}
        assert [m[-1] for m in home.marks.marked] == ["sent", "written"]
        health = home.health()
        assert (health.proves, health.written, health.records) == (False, 1, 1)


@virtual
async def test_what_was_written_just_before_the_connection_went_is_sent_again():
    async with Home(answer=False) as home:
        home.put(period())
        await home.until(lambda: home.platform.segments(2051))
        home.platform.cut()
        await home.until(lambda: home.floor == 1)

        assert home.platform.times(2051) == ["20251201080000"] * 2
        assert home.ledger.fates == {"sent": 2, "written": 1}


@virtual
async def test_an_unanswered_frame_is_repeated_with_its_qn_then_the_connection_ends():
    async with Home(overtime_s=5.0, recount=2) as home:
        home.platform.mute = lambda _segment: True
        home.put(period())
        await home.until(lambda: home.platform.connections == 2)
        came = [c for c in home.platform.came if c.connection == 1]
        sent = [c for c in came if c.segment.cn == 2051]

        assert len({c.segment.qn for c in sent}) == 1
        gaps = [b.time_s - a.time_s for a, b in pairwise(sent)]
        assert gaps == pytest.approx([5.0, 5.0], abs=0.1)
        assert home.floor == 0
        assert home.states[1][0] == "offline"
        assert "2051" in home.states[1][1] or "2081" in home.states[1][1]


@virtual
async def test_a_platform_that_answers_nothing_is_not_online_until_it_does():
    async with Home(overtime_s=5.0, recount=2) as home:
        home.platform.mute = lambda _segment: True
        home.put(period())
        await home.until(lambda: home.platform.connections == 4)

        assert [state for state, _ in home.states] == ["online", "offline"]
        assert home.health().state == "offline"
        assert all(word in home.health().reason for word in ("MN", "PW", "ST"))

        home.platform.mute = lambda _segment: False
        await home.until(lambda: home.floor == 1)

        assert [state for state, _ in home.states] == ["online", "offline", "online"]
        assert home.health().reason == ""


@virtual
async def test_a_platform_that_refuses_us_is_not_online_between_two_tries():
    async with Home() as home:
        home.platform.rejects = lambda _segment: "3"
        home.put(period())
        await home.until(lambda: home.platform.connections == 4)

        assert [state for state, _ in home.states] == ["online", "refused"]

        home.platform.rejects = lambda _segment: None
        await home.until(lambda: home.floor == 1)

        assert home.states[-1] == ("online", "")


@virtual
async def test_an_answer_that_comes_late_but_before_the_last_repeat_is_one():
    async with Home(overtime_s=5.0, recount=3) as home:
        home.platform.delay_s = 12.0
        home.put(period())
        await home.until(lambda: home.floor == 1)

        assert home.platform.connections == 1
        assert len({s.qn for s in home.platform.segments(2051)}) == 1


@virtual
async def test_nothing_is_lost_over_an_outage_and_new_data_is_on_time_after_it():
    async with Home(version=2025, backfill_per_s=1.0) as home:
        home.minutes(1)
        await home.until(lambda: home.floor == 1)
        await home.platform.down()
        await asyncio.sleep(1)
        home.minutes(60, first=1)
        await asyncio.sleep(3600)
        await home.platform.up()
        await home.until(lambda: home.health().state == "online")
        back_s = asyncio.get_running_loop().time()
        await asyncio.sleep(5)
        home.minutes(1, first=61)
        born_s = asyncio.get_running_loop().time()
        await home.until(lambda: home.floor == 62)

        sent = {c.segment.get("DataTime"): c for c in home.platform.came}
        last = next(
            c
            for c in home.platform.came
            if c.segment.get(
                "DataTime",
            )
            == "20251201090100"
        )
        assert last.time_s - born_s < 1
        assert not last.segment.rf
        late = [c for c in home.platform.came if c.connection > 1 and c.segment.rf]
        assert len(late) == 60
        assert late[-1].time_s - back_s >= 58  # at its own pace
        assert len([s for s in sent if s]) >= 62


@virtual
async def test_rf_is_a_matter_of_2025_and_of_what_is_late():
    async with Home(version=2017) as home:
        await home.platform.down()
        home.minutes(1)
        await asyncio.sleep(5)
        await home.platform.up()
        await home.until(lambda: home.floor == 1)
        assert not any(s.rf for s in home.platform.segments())

    async with Home(version=2025) as home:
        await home.until(lambda: home.health().state == "online")
        home.put(period(rev=1))
        await home.until(lambda: home.floor == 1)
        assert home.platform.segments(2051)[0].rf


@virtual
async def test_a_record_the_platform_never_takes_is_set_aside_and_blocks_nobody():
    async with Home(overtime_s=1.0, recount=0) as home:
        home.platform.mute = lambda s: s.get("a21026-Avg") == "13.0"
        home.minutes(40)
        await home.until(lambda: home.aside, limit_s=20_000)
        await home.until(lambda: home.floor == 40)

        assert [seq for seq, _ in home.aside] == [14]
        got = {s.get("DataTime") for s in home.platform.segments(2051)}
        assert len(got) == 40
        assert home.health().set_aside == 1


@virtual
async def test_real_time_never_waits_behind_back_fill_or_unanswered_minutes():
    async with Home(realtime_s=30.0, overtime_s=10.0, recount=3) as home:
        home.platform.mute = lambda s: s.cn == 2051
        home.minutes(100)
        home.board["so2"] = Newest(Fraction(5))
        await asyncio.sleep(600)

        times = [c.time_s for c in home.platform.came if c.segment.cn == 2011]
        assert all(b - a < 32 for a, b in pairwise(times))
        assert len(times) >= 18


@virtual
async def test_a_wrong_password_is_told_and_tried_rarely():
    async with Home() as home:
        home.platform.rejects = lambda s: "3" if s.cn == 2051 else None
        home.put(period())
        await home.until(lambda: home.states[-1:] and home.states[-1][0] == "refused")
        before = home.platform.connections
        await asyncio.sleep(600)

        assert any(state == "refused" and "PW" in why for state, why in home.states)
        assert home.floor == 0
        assert home.aside == []
        assert home.platform.connections - before < 60


@virtual
async def test_a_frame_the_platform_refuses_is_set_aside_when_others_get_through():
    async with Home() as home:
        home.platform.rejects = lambda s: "2" if s.get("a21026-Avg") == "3.0" else None
        home.minutes(30)
        await home.until(lambda: home.floor == 30)

        assert [seq for seq, _ in home.aside] == [4]
        assert home.platform.connections == 1


@virtual
async def test_each_packet_of_a_long_minute_has_its_qn_and_waits_for_the_one_before():
    many = tuple(factor(f"f{n}", f"a{21000 + n}", converted=True) for n in range(30))
    station = STATION.__class__(name="DA001", kind="flue_gas", factors=many)
    async with Home(station) as home:
        home.platform.delay_s = 1.0
        for minute in range(2):
            values = {f.name: "123.4" for f in many}
            home.put(period(T0_MS + minute * MINUTE_MS, **values))
        await home.until(lambda: home.floor == 2)

        came = [c for c in home.platform.came if c.segment.cn == 2051]
        first = [c for c in came if c.segment.get("DataTime") == "20251201080000"]
        assert [c.segment.pno for c in first] == list(range(1, len(first) + 1))
        assert {c.segment.pnum for c in first} == {len(first)}
        assert all(c.segment.flag == 7 for c in first)
        assert len({c.segment.qn for c in came}) == len(came)
        assert all(b.time_s - a.time_s >= 0.99 for a, b in pairwise(first))
        # One message after the other: packets of two minutes cannot be told apart.
        assert [c.segment.pno for c in came] == [*range(1, len(first) + 1)] * 2
        together = {k for c in first for k in names(c.segment)} - {"DataTime"}
        assert len(together) == 30 * 4


@virtual
async def test_a_request_is_answered_and_its_work_sent_one_after_the_other():
    async with Home() as home:
        answers = []

        def on(segment):
            if segment.cn != 2061:
                return Handled()
            reply = Segment(
                qn=segment.qn,
                st="91",
                cn=9011,
                pw="123456",
                mn=MN,
                flag=flag(2017, answer=False),
                items=((("QnRtn", "1"),),),
            )

            async def work():
                for hour in range(3):
                    when = (("DataTime", f"202512010{hour}0000"),)
                    answers.append((yield Upload(cn=2061, items=(when,))))
                yield Segment(
                    qn=segment.qn,
                    st="91",
                    cn=9012,
                    pw="123456",
                    mn=MN,
                    flag=flag(2017, answer=False),
                    items=((("ExeRtn", "1"),),),
                )

            return Handled(replies=(reply,), work=work)

        home.host.on = on
        await home.until(lambda: home.platform.segments(2081))
        home.platform.request(
            2061, BeginTime="20251201000000", EndTime="20251201020000"
        )
        await home.until(lambda: home.platform.segments(9012))

        got = [s.cn for s in home.platform.segments(9011, 2061, 9012)]
        assert got == [9011, 2061, 2061, 2061, 9012]
        assert [a.cn for a in answers] == [9014] * 3


@virtual
async def test_2081_once_a_run_and_heartbeats_while_connected():
    async with Home(version=2025, heartbeat_s=60.0) as home:
        await asyncio.sleep(150)
        home.platform.cut()
        await asyncio.sleep(150)

        started = home.platform.segments(2081)
        assert [names(s)["RestartTime"] for s in started] == ["20251201080000"]
        beats = home.platform.segments(9015)
        assert len(beats) == 4
        assert {s.st for s in beats} == {"91"}


@virtual
async def test_what_the_platform_asks_for_changes_the_interval_at_once():
    async with Home(realtime_s=3600.0) as home:
        home.board["so2"] = Newest(Fraction(5))
        await asyncio.sleep(100)
        home.settings.change(realtime_s=30.0)
        await asyncio.sleep(95)
        home.settings.change(realtime_s=None)
        told = len(home.platform.segments(2011))
        await asyncio.sleep(600)

        assert told == 3
        assert len(home.platform.segments(2011)) == told


@virtual
async def test_records_of_others_are_passed_by_and_counted():
    async with Home(kinds=("hour",)) as home:
        home.put(period())
        home.put(period(kind="hour"))
        await home.until(lambda: home.floor == 2)

        assert home.platform.segments(2051) == []
        assert len(home.platform.segments(2061)) == 1
        assert home.ledger.fates == {"filtered": 1, "sent": 1, "proved": 1}


@virtual
async def test_what_is_never_sent_here_is_no_backlog_while_the_platform_is_away():
    async with Home() as home:
        await home.until(lambda: home.health().state == "online")
        await home.platform.down()
        await home.until(lambda: home.health().state == "offline")
        for _ in range(20):
            home.source.append(b"scan", PriorityClass.LIVE, "cems", T0_MS)
        home.minutes(3)

        assert home.health().backlog == 3
        assert sum(home.health().lanes.values()) == 3


@virtual
async def test_noise_and_strange_answers_change_nothing():
    async with Home(overtime_s=2.0) as home:
        await home.until(lambda: home.health().state == "online")
        home.platform.mute = lambda s: s.cn == 2051
        home.put(period())
        await home.until(lambda: home.platform.segments(2051))
        sent = home.platform.segments(2051)[0]
        home.platform.raw(b"\x00##12##0001x")
        for cn in (9013, 9012, 9014):
            home.platform.say(
                Segment(
                    qn=sent.qn if cn != 9014 else "20250101000000000",
                    st="91",
                    cn=cn,
                    pw="123456",
                    mn=MN,
                    flag=4,
                )
            )
        await asyncio.sleep(1)

        assert home.floor == 0
        home.platform.mute = lambda _segment: False
        await home.until(lambda: home.floor == 1)


def change(point="slope", value=1.05, device="cod-1"):
    """A parameter of an instrument is another now."""
    return Event(
        id="x",
        type="parameter_changed",
        severity="warning",
        at=AT,
        device=device,
        values={"point": point, "before": 1.0, "value": value},
    )


@virtual
async def test_a_parameter_that_changed_is_told_where_the_target_shows_it():
    shown = (
        Shown(code="i13008", factor="w01018", device="cod-1", point="slope"),
        Shown(code="SN", factor="w01018", device="cod-1", point="serial"),
    )
    async with Home(shown=shown) as home:
        for event in (
            change(),
            change("serial", 42),
            change("span"),
            change(device="x"),
        ):
            home.source.append(
                stored(event, "0000002a"), PriorityClass.EVENT, event.device, T0_MS
            )
        await home.until(lambda: home.floor == 4)

        told = [names(s) for s in home.platform.segments(3019, 3020)]
        when = {"DataTime": "20251201080000", "PolId": "w01018"}
        assert told == [when | {"i13008-Info": "1.05"}, when | {"w01018-SN": "42"}]
        assert home.ledger.fates == {"filtered": 2, "sent": 2, "proved": 2}


@virtual
async def test_a_platform_that_knows_no_3020_keeps_its_connection():
    shown = (Shown(code="i13008", factor="w01018", device="cod-1", point="slope"),)
    async with Home(shown=shown, overtime_s=1.0, recount=1) as home:
        home.platform.mute = lambda s: s.cn == 3020
        home.source.append(
            stored(change(), "0000002a"), PriorityClass.EVENT, "cod-1", T0_MS
        )
        home.minutes(1)
        await home.until(lambda: home.floor == 2)

        assert [seq for seq, _ in home.aside] == [1]
        assert home.platform.connections == 1


@virtual
async def test_a_record_that_ends_every_connection_is_set_aside_and_blocks_nobody():
    async with Home() as home:
        home.platform.hangs_up = lambda s: s.get("a21026-Avg") == "7.0"
        home.minutes(30)
        await home.until(lambda: home.aside, limit_s=3600)
        home.minutes(5, first=30)
        await home.until(lambda: home.floor == 35)

        assert [seq for seq, _ in home.aside] == [8]


@virtual
async def test_2081_that_ends_connections_is_given_up():
    async with Home() as home:
        home.platform.hangs_up = lambda s: s.cn == 2081
        home.put(period())
        await home.until(lambda: home.floor == 1, limit_s=60)
        await asyncio.sleep(60)

        assert len(home.platform.segments(2081)) == 3
        assert home.health().state == "online"


@virtual
async def test_a_refused_heartbeat_is_a_sign_of_life():
    async with Home(version=2025, heartbeat_s=30.0) as home:
        home.platform.rejects = lambda s: "8" if s.cn == 9015 else None
        await asyncio.sleep(600)

        assert home.platform.connections == 1
        assert len(home.platform.segments(9015)) > 15


@virtual
async def test_an_answer_to_another_mn_proves_nothing():
    async with Home() as home:
        home.platform.mute = lambda s: s.cn == 2051
        home.put(period())
        await home.until(lambda: home.platform.segments(2051))
        sent = home.platform.segments(2051)[0]
        other = Segment(
            qn=sent.qn, st="91", cn=9014, pw="123456", mn=MN[:-1] + "1", flag=4
        )
        home.platform.say(other)
        await asyncio.sleep(1)
        before = home.floor
        home.platform.say(replace(other, mn=MN.lower()))
        await home.until(lambda: home.floor == 1)

        assert before == 0


@virtual
async def test_what_was_revised_never_comes_after_its_revision():
    async with Home(backfill_per_s=1.0) as home:
        await home.platform.down()
        await asyncio.sleep(1)
        home.minutes(60)
        await home.platform.up()
        await home.until(lambda: home.health().state == "online")
        home.put(period(T0_MS + 50 * MINUTE_MS, rev=1, so2="99.0"))
        home.put(period(T0_MS + 70 * MINUTE_MS, so2="70.0"))
        await home.until(lambda: len(home.platform.segments(2051)) > 5)
        assert "70.0" in [s.get("a21026-Avg") for s in home.platform.segments(2051)]
        await home.until(lambda: home.floor == 62)

        revised = [
            s.get("a21026-Avg")
            for s in home.platform.segments(2051)
            if s.get("DataTime") == "20251201085000"
        ]
        assert revised == ["50.0", "99.0"]


@virtual
async def test_without_answers_a_record_that_ends_connections_blocks_nobody_either():
    async with Home(answer=False) as home:
        home.platform.hangs_up = lambda s: s.get("a21026-Avg") == "7.0"
        home.minutes(20)
        await home.until(lambda: home.floor == 20, limit_s=3600)
        await asyncio.sleep(60)
        home.minutes(50, first=20)
        before = asyncio.get_running_loop().time()
        await home.until(lambda: home.floor == 70)

        assert [seq for seq, _ in home.aside] == [8]
        assert asyncio.get_running_loop().time() - before < 60  # and not one by one
