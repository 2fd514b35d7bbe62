"""Platforms that answer for others, hang up at what they do not know, ask too much."""

from __future__ import annotations

import asyncio
from fractions import Fraction

from buffer import DiskTroubleError, PriorityClass
from drivers.hj212.build import encode
from drivers.hj212.frame import pack
from drivers.hj212.segment import Segment
from gateway.config.rights import Shown
from gateway.record import encode as stored
from gateway.uplink.hj212.seams import Handled, Upload
from tests.gateway.uplink.hj212.test_pump import change
from tests.support.hj212_home import MINUTE_MS, MN, T0_MS, Home, Newest, period
from tests.support.hj212_pair import Pair
from tests.support.virtual import virtual


@virtual
async def test_an_answer_that_names_another_mn_proves_nothing():
    async with Home(overtime_s=2.0) as home:
        await home.until(lambda: home.platform.segments(2081))
        home.platform.mute = lambda s: s.cn == 2051
        home.put(period())
        await home.until(lambda: home.platform.segments(2051))
        sent = home.platform.segments(2051)[0]
        other = MN[:-1] + "9"
        home.platform.say(
            Segment(qn=sent.qn, st="91", cn=9014, pw="123456", mn=other, flag=4)
        )
        await asyncio.sleep(1)

        assert home.floor == 0
        home.platform.mute = lambda _segment: False
        await home.until(lambda: home.floor == 1)


@virtual
async def test_a_platform_that_knows_no_heartbeat_keeps_its_connection():
    async with Home(version=2025, heartbeat_s=60.0) as home:
        home.platform.rejects = lambda s: "8" if s.cn == 9015 else None
        await asyncio.sleep(600)

        assert home.platform.connections == 1
        assert len(home.platform.segments(9015)) == 9


@virtual
async def test_a_notice_that_the_platform_hangs_up_at_does_not_hold_data_back():
    async with Home() as home:
        home.host.first = (Upload(cn=1013, answer=True),)
        home.platform.hangs_up = lambda s: s.cn == 1013
        home.minutes(400)
        await home.until(lambda: home.floor == 400, limit_s=300)

        assert home.platform.connections < 10
        assert home.aside == []


@virtual
async def test_of_a_flood_of_requests_none_is_promised_and_forgotten():
    async with Home() as home:
        await home.until(lambda: home.platform.segments(2081))
        promised, done = [], []

        def on(segment):
            promised.append(segment.qn)

            async def work():
                done.append(segment.qn)
                yield Upload(cn=2061, items=((("DataTime", "20251201000000"),),))

            return Handled(work=work)

        home.host.on = on
        asked = [
            Segment(
                qn=f"20251201080000{n:03d}",
                st="31",
                cn=2061,
                pw="123456",
                mn=MN,
                flag=5,
            )
            for n in range(100)
        ]
        home.platform.raw(b"".join(pack(encode(one)) for one in asked))
        await asyncio.sleep(60)

        assert done == promised
        assert 0 < len(done) < 100
        home.platform.say(asked[-1])
        await home.until(lambda: asked[-1].qn in done)


@virtual
async def test_a_change_that_asks_for_no_answer_is_written_when_it_has_left():
    shown = (Shown(code="i13008", factor="w01018", device="cod-1", point="slope"),)
    async with Home(answer=False, shown=shown) as home:
        home.source.append(
            stored(change(), "0000002a"), PriorityClass.EVENT, "cod-1", T0_MS
        )
        await home.until(lambda: home.platform.segments(3020))
        home.platform.cut()
        await home.until(lambda: home.floor == 1)

        assert len(home.platform.segments(3020)) == 2
        assert home.ledger.fates == {"sent": 2, "written": 1}


@virtual
async def test_what_is_never_answered_is_set_aside_with_that_reason():
    async with Home(overtime_s=1.0, recount=0) as home:
        home.platform.mute = lambda s: s.get("a21026-Avg") == "3.0"
        home.minutes(30)
        await home.until(lambda: home.aside, limit_s=20_000)

        ((seq, why),) = home.aside
        assert seq == 4
        assert "2051" in why


@virtual
async def test_a_history_that_cannot_be_read_ends_a_pull_and_no_connection(tmp_path):
    async def refuses(*_asked):
        raise DiskTroubleError("minute-20251201.sqlite: disk I/O error")

    async with Pair(tmp_path, strict=False) as pair:
        await pair.host.arrived(MN)
        pair.history.read = refuses
        told = await pair.host.pull(MN, 2051, "20251201080000", "20251201083000")

        assert (told.qn_rtn, told.exe_rtn) == (1, 6)
        assert pair.host.connections == 1
        assert told.lost is False


@virtual
async def test_old_records_that_end_every_connection_do_not_hold_back_new_ones():
    async with Home() as home:
        await home.platform.down()
        home.minutes(60)
        home.platform.hangs_up = lambda s: (s.get("DataTime") or "") < "20251201090000"
        await asyncio.sleep(5)
        await home.platform.up()
        await home.until(lambda: home.platform.connections)
        loop, born_s = asyncio.get_running_loop(), {}
        for number in range(60, 70):
            seq = home.put(period(T0_MS + number * MINUTE_MS))
            born_s[f"2025120109{number - 60:02d}00"] = loop.time()
            await asyncio.sleep(20.3)

        came_s = {c.segment.get("DataTime"): c.time_s for c in home.platform.came}
        waits = [came_s[label] - born for label, born in born_s.items()]
        assert max(waits) < 3
        assert seq == 70


@virtual
async def test_silence_about_one_record_ends_no_connection_that_answers_others():
    async with Home(realtime_s=5.0, overtime_s=5.0, recount=1) as home:
        home.board["so2"] = Newest(Fraction(5))
        home.platform.mute = lambda s: s.get("a21026-Avg") == "3.0"
        await home.until(lambda: home.platform.segments(2011))
        home.minutes(30)
        await home.until(lambda: home.floor == 30)

        assert [seq for seq, _ in home.aside] == [4]
        assert home.platform.connections == 1


@virtual
async def test_hours_that_get_through_say_nothing_about_minutes():
    async with Home() as home:
        home.platform.rejects = lambda s: "2" if s.cn == 2051 else None
        for hour in range(3):
            home.minutes(4, first=60 * hour)
            await asyncio.sleep(10)
            home.put(period(T0_MS + 60 * hour * MINUTE_MS, kind="hour"))
            await asyncio.sleep(10)
        assert home.aside == []

        home.platform.rejects = lambda _segment: None
        await home.until(lambda: home.floor == 15)
        assert home.aside == []


@virtual
async def test_who_does_not_know_the_password_makes_one_event_a_minute(tmp_path):
    async with Pair(tmp_path, strict=False) as pair:
        await pair.host.arrived(MN)
        for number in range(200):
            pair.host.links[-1].send(
                pack(
                    encode(
                        Segment(
                            qn=f"20251201080000{number:03d}",
                            st="31",
                            cn=1000 + number,
                            pw="nobody",
                            mn=MN,
                            flag=4,
                        )
                    )
                )
            )
        await asyncio.sleep(30)

        assert [event.type for event in pair.events] == ["platform_refused"]
