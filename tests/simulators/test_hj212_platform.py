"""A platform that hears, answers, asks and keeps, and a device made for this."""

from __future__ import annotations

import asyncio
import json

import pytest

from simulators.hj212_codec import Cutter
from simulators.hj212_platform_account import Account, seconds, stamp, stamp_ms
from simulators.hj212_platform_faults import Fault, Faults
from simulators.hj212_platform_held import Count, Held
from simulators.hj212_platform_host import Host, NobodyThereError
from simulators.hj212_platform_words import Wrong
from tests.support.clock import EPOCH_MS
from tests.support.hj212_device import MN, Device, wrap
from tests.support.virtual import running_loop, virtual

MINUTE_AT = "20251121155{}00"


def minute(number, value="5.1", codes=("a21026",)):
    items = ";".join(
        f"{code}-Min=1.0,{code}-Avg={value},{code}-Max=9.0,{code}-Flag=N"
        for code in codes
    )
    return f"DataTime={MINUTE_AT.format(number)};{items}"


class Bench:
    """A host and a device that is connected to it, on the virtual loop."""

    def __init__(self, *, version=2017, strict=True, connect=True, faults=None, **more):
        self.connect = connect
        self.device = Device(version=version)
        self.device_answers = self.device.answers
        account = more.pop("account", {})
        self.more = {"strict": strict, "faults": faults or Faults(), **more}
        self.version, self.account = version, account

    async def __aenter__(self):
        loop = running_loop()
        started = loop.time()
        self.host = Host(
            [Account(MN, version=self.version, **self.account)],
            utc_s=lambda: EPOCH_MS / 1000 + loop.time() - started,
            **self.more,
        )
        self.port = await self.host.open("127.0.0.1", 0)
        if self.connect:
            await self.device.call("127.0.0.1", self.port)
        return self

    async def __aexit__(self, *exc):
        await self.host.close()
        await asyncio.sleep(0)

    def standing(self, clause):
        return self.host.ledger.standing()[clause]

    def problem(self, clause):
        return self.host.ledger.lines[clause].examples[0][0]

    async def said(self, cn, cp, **more):
        """Let the device say something, and wait until it was dealt with."""
        self.device.say(cn, cp, **more)
        await asyncio.sleep(0.1)


# -- uploads --------------------------------------------------------------------


@pytest.mark.parametrize("version", [2017, 2025])
@virtual
async def test_what_asks_for_an_answer_gets_9014_and_is_held(version):
    async with Bench(version=version) as bench:
        await bench.said(2051, minute(0), qn="20251121155200001")

        flag = {2017: 4, 2025: 8}[version]
        (answer,) = bench.device.heard
        assert answer[2] == (
            f"QN=20251121155200001;ST=91;CN=9014;PW=123456;MN={MN};Flag={flag};CP=&&&&"
        )
        assert bench.host.held.values(MN, 2051, MINUTE_AT.format(0)) == {
            "a21026": {"Min": "1.0", "Avg": "5.1", "Max": "9.0", "Flag": "N"}
        }
        assert bench.host.ledger.clean, bench.host.ledger.text("en")


@virtual
async def test_what_asks_for_none_gets_none():
    async with Bench() as bench:
        await bench.said(2051, minute(0), qn="20251121155200001", flag=4)

        assert bench.device.heard == []
        assert bench.host.held.count(MN, 2051, MINUTE_AT.format(0), "a21026").first == 1


@virtual
async def test_a_wrong_crc_is_dropped_in_silence():
    async with Bench(strict=False) as bench:
        frame = bench.device.frame(2051, minute(0))
        bench.device.transport.write(frame[:-6] + b"0000\r\n")
        await asyncio.sleep(1)

        assert bench.device.heard == []
        assert bench.host.held.series() == []
        assert bench.host.ledger.failed == ["frame.crc"]
        assert bench.host.dropped == 1


@pytest.mark.parametrize("strict", [True, False])
@virtual
async def test_another_form_is_refused_by_a_strict_platform_alone(strict):
    async with Bench(strict=strict) as bench:
        await bench.said(2051, minute(0) + ";", qn="20251121155200001")

        assert bool(bench.device.heard) is not strict
        assert bool(bench.host.held.series()) is not strict
        assert bench.standing("cp.grammar") == ("failed" if strict else "noted")


@virtual
async def test_nobody_it_knows():
    async with Bench() as bench:
        bench.device.mn = MN.replace("A", "B")
        await bench.said(2051, minute(0))

        assert bench.device.heard == []
        assert "segment.mn" in bench.host.ledger.failed


@virtual
async def test_the_last_thing_a_connection_says_is_no_frame():
    async with Bench() as bench:
        bench.device.transport.write(b"##0100QN=")
        await asyncio.sleep(1)
        bench.device.transport.close()
        await asyncio.sleep(1)

        assert bench.problem("frame.start") == "the connection ended in a frame"


@virtual
async def test_periods_are_held_once_and_whatever_is_not_is_said():
    async with Bench() as bench:
        for number in (0, 1, 3):
            await bench.said(2051, minute(number), qn=f"2025112115590{number}001")
        held = bench.host.held
        first, last = MINUTE_AT.format(0), MINUTE_AT.format(3)

        assert held.faulty(MN, 2051, first, MINUTE_AT.format(1), 60) == []
        assert held.faulty(MN, 2051, first, last, 60) == ["20251121155200: missing"]
        assert held.missing(MN, 2051, 60) == ["20251121155200"]
        assert bench.host.finish().failed == ["series.2051"]

        await bench.said(2051, minute(0), qn="20251121155909001")
        assert held.count(MN, 2051, first, "a21026") == Count(1, 1, 0, 0)
        await bench.said(2051, minute(0, "5.2"), qn="20251121155910001")
        assert held.count(MN, 2051, first, "a21026") == Count(1, 1, 1, 0)
        assert bench.problem("upload.changed").endswith("other content for a21026")
        assert len(held.faulty(MN, 2051, first, first, 60)) == 1
        assert held.faulty(MN, 2051, last, last, 60, factors=["a21026", "a00000"]) == [
            "20251121155300 a00000: missing"
        ]
        assert held.again(MN, 2051) == Count(3, 1, 1, 0)


@virtual
async def test_the_set_of_factors_is_that_of_the_first_frame_or_as_agreed():
    async with Bench() as bench:
        await bench.said(2051, minute(0), qn="20251121155900001")
        await bench.said(
            2051, minute(1, codes=("a21026", "a21002")), qn="20251121155901001"
        )

        assert bench.problem("cp.set") == "CN=2051: a21002 are missing or new"
    async with Bench(account={"factors": frozenset(("a21026", "a21002"))}) as bench:
        await bench.said(2051, minute(0), qn="20251121155900001")
        assert bench.problem("cp.set") == "CN=2051: a21002 are missing or new"


@virtual
async def test_one_qn_for_two_frames():
    async with Bench() as bench:
        for number in (0, 1):
            await bench.said(2051, minute(number), qn="20251121155900001")

        assert "segment.qn_unique" in bench.host.ledger.failed


@virtual
async def test_repeats_come_after_the_time_out_and_not_too_often():
    faults = Faults({Fault.DROP})
    async with Bench(faults=faults) as bench:
        for wait in (10, 10, 10):
            await bench.said(2051, minute(0), qn="20251121155900001")
            await asyncio.sleep(wait - 0.1)
        await bench.said(2051, minute(0), qn="20251121155900001")
        assert bench.device.heard == []
        assert bench.host.ledger.clean
        assert bench.host.uploads.repeats == 3

        await bench.said(2051, minute(0), qn="20251121155900001")

        assert bench.problem("upload.overtime") == "again after 0.10 s of 10 s"
        assert bench.problem("upload.recount") == "sent again 4 times of 3"
        # A repeat is no second value.
        count = bench.host.held.count(MN, 2051, MINUTE_AT.format(0), "a21026")
        assert count == Count(1, 0, 0, 0)


@virtual
async def test_a_new_connection_counts_anew():
    async with Bench(faults=Faults({Fault.DROP})) as bench:
        await bench.said(2051, minute(0), qn="20251121155900001")
        bench.host.drop()
        await asyncio.sleep(0.1)
        await bench.device.call("127.0.0.1", bench.port)
        await bench.said(2051, minute(0), qn="20251121155900001")

        assert bench.host.ledger.clean
        assert bench.host.connections == 2


# -- packets --------------------------------------------------------------------


async def _packets(bench, numbers, flag=7, wait=0.1, second=0):
    for number in numbers:
        bench.device.say(
            2051,
            minute(0, codes=(("a21026",), ("a21002",), ("a34013",))[number - 1])
            .replace("5.1", "5")
            .replace("1.0", "1")
            .replace("9.0", "9"),
            qn=f"202511211559{second:02d}{number:03d}",
            flag=flag,
            more=f"PNUM=3;PNO={number};",
        )
        await asyncio.sleep(wait)


@virtual
async def test_packets_make_one_period():
    account = {"factors": frozenset(("a21026", "a21002", "a34013"))}
    async with Bench(account=account) as bench:
        await _packets(bench, (1, 2, 3))

        assert len(bench.device.heard) == 3
        assert bench.host.ledger.clean, bench.host.ledger.text("en")
        values = bench.host.held.values(MN, 2051, MINUTE_AT.format(0))
        assert list(values) == ["a21026", "a21002", "a34013"]
        assert bench.standing("upload.waits") == "passed"
        assert bench.standing("upload.whole") == "passed"


@virtual
async def test_packets_do_not_wait_without_answers():
    async with Bench() as bench:
        await _packets(bench, (1, 2, 3), flag=6)

        assert bench.host.ledger.clean
        assert bench.standing("upload.waits") == "not seen"


@virtual
async def test_a_packet_that_does_not_wait_for_its_answer():
    async with Bench(faults=Faults({Fault.DROP})) as bench:
        await _packets(bench, (1, 2))

        assert bench.host.ledger.failed == ["upload.waits"]


@virtual
async def test_a_packet_that_never_comes():
    async with Bench() as bench:
        await _packets(bench, (1, 3))
        await _packets(bench, (1,), second=1)

        assert bench.problem("upload.whole") == "packets [2] are missing"


# -- back-fill ------------------------------------------------------------------


@virtual
async def test_late_data_of_2025_say_so():
    async with Bench(version=2025) as bench:
        old = "DataTime=20251121120000;a21026-Avg=5.1,a21026-Flag=N"
        await bench.said(2051, old, qn="20251121155900001", more="RF=1;")
        assert bench.standing("upload.rf") == "passed"
        assert bench.host.held.count(MN, 2051, "20251121120000", "a21026").rf == 1

        old = old.replace("1200", "1201")
        await bench.said(2051, old, qn="20251121155901001")
        assert bench.host.ledger.failed == ["upload.rf"]
    async with Bench() as bench:
        await bench.said(2051, old, qn="20251121155901001")
        assert bench.standing("upload.rf") == "not seen"


# -- asking ---------------------------------------------------------------------


@pytest.mark.parametrize("version", [2017, 2025])
@virtual
async def test_a_request_its_data_and_its_result(version):
    async with Bench(version=version) as bench:
        bench.device.does(1061, lambda _: "RtdInterval=30")

        told = await bench.host.ask(MN, 1061)

        flag = {2017: 5, 2025: 9}[version]
        assert bench.device.heard[0][2] == (
            f"QN=20251121160000000;ST=31;CN=1061;PW=123456;MN={MN};Flag={flag};CP=&&&&"
        )
        assert told.outcome == "done"
        assert told.order == [9011, 1061, 9012]
        assert told.values == {"RtdInterval": "30"}
        assert bench.host.ledger.clean, bench.host.ledger.text("en")


@virtual
async def test_settings_that_were_taken_are_what_it_is_held_to():
    async with Bench() as bench:
        for cn in (1000, 1062, 1064, 1072):
            bench.device.does(cn)
        await bench.host.ask(MN, 1000, "OverTime=5;ReCount=2")
        await bench.host.ask(MN, 1062, "RtdInterval=60")
        await bench.host.ask(MN, 1064, "MinInterval=10")
        told = await bench.host.ask(MN, 1072, "NewPW=654321")

        account = bench.host.accounts[MN]
        assert told.outcome == "done"
        assert (account.overtime_s, account.recount) == (5, 2)
        assert (account.rtd_s, account.minute_min, account.pw) == (60, 10, "654321")
        bench.device.pw = "654321"
        await bench.said(2051, minute(1), qn="20251121161000001")
        assert bench.host.ledger.failed == ["cp.aligned"]


@virtual
async def test_a_setting_that_failed_changes_nothing():
    async with Bench() as bench:
        bench.device.does(1062, exe=2)
        told = await bench.host.ask(MN, 1062, "RtdInterval=60")

        assert told.outcome == "failed"
        assert bench.host.accounts[MN].rtd_s == 30


@virtual
async def test_silence_refusal_and_an_end_that_never_comes():
    async with Bench(account={"execution_s": 20.0}) as bench:
        loop = running_loop()
        begun = loop.time()
        silent = await bench.host.ask(MN, 1061, tries=3)
        assert (silent.outcome, silent.sendings) == ("silent", 3)
        assert loop.time() - begun == pytest.approx(30)
        assert len({qn for qn, _, _ in bench.device.heard}) == 1

        bench.device.refuses(1061, 3)
        refused = await bench.host.ask(MN, 1061, wrong=Wrong(pw="000000"))
        assert (refused.outcome, refused.qn_rtn) == ("refused", 3)
        assert ";PW=000000;" in bench.device.heard[-1][2]

        bench.device.answers[1061] = lambda qn, _: [
            bench.device.reply(9011, qn, "QnRtn=1")
        ]
        begun = loop.time()
        left = await bench.host.ask(MN, 1061)
        assert left.outcome == "unfinished"
        assert loop.time() - begun == pytest.approx(20)


@virtual
async def test_wrong_on_purpose_and_what_the_device_echoes():
    async with Bench() as bench:
        bench.device.refuses(1061, 4)
        other = MN.replace("A", "C")
        echoing = bench.device.answers[1061]

        def echo(qn, cp):
            return [
                wrap(f[6:-6].replace(MN.encode(), other.encode()))
                for f in echoing(qn, cp)
            ]

        for answers in (echoing, echo):
            bench.device.answers[1061] = answers
            told = await bench.host.ask(MN, 1061, wrong=Wrong(mn=other))
            assert told.qn_rtn == 4
        bench.device.answers[1061] = echoing
        await bench.host.ask(MN, 1061, wrong=Wrong(st="32", flag=9))
        assert ";ST=32;" in bench.device.heard[-1][2]
        assert ";Flag=9;" in bench.device.heard[-1][2]
        heard = len(bench.device.heard)
        told = await bench.host.ask(MN, 1061, wrong=Wrong(damaged=True))
        assert told.outcome == "silent"
        assert len(bench.device.heard) == heard  # the device's own check refused it
        assert bench.host.ledger.clean, bench.host.ledger.text("en")


@virtual
async def test_answers_that_nobody_asked_for_or_in_another_form():
    async with Bench() as bench:
        bench.device.transport.write(
            bench.device.reply(9011, "20251121155900001", "QnRtn=1")
        )
        await asyncio.sleep(1)
        assert bench.host.ledger.failed == ["answer.known"]
    for frames, wrong in (
        (lambda d, q: [d.reply(9012, q, "ExeRtn=1")], "9012 before 9011"),
        (
            lambda d, q: (
                [
                    d.frame(9011, "QnRtn=1", qn=q, st="91", flag=5),
                    d.reply(9012, q, "ExeRtn=1"),
                ]
            ),
            "9011 wants an answer itself",
        ),
        (
            lambda d, q: (
                [d.reply(9011, q, "QnRtn=1")] * 2 + [d.reply(9012, q, "ExeRtn=1")]
            ),
            "9011 twice",
        ),
        (
            lambda d, q: [d.reply(9014, q), d.reply(9012, q, "ExeRtn=1")],
            "9014 is a platform's answer",
        ),
    ):
        async with Bench() as bench:
            bench.device.answers[1061] = lambda qn, _, f=frames, b=bench: f(
                b.device, qn
            )
            await bench.host.ask(MN, 1061)
            assert bench.problem("answer.echo") == wrong
    async with Bench() as bench:
        bench.device.answers[1061] = lambda qn, _: [
            bench.device.frame(9011, "QnRtn=2", qn=qn, flag=4)
        ]
        told = await bench.host.ask(MN, 1061)
        assert bench.host.ledger.failed == ["segment.st"]
        assert told.outcome == "silent"  # a strict platform does not believe it


@virtual
async def test_a_notice_ends_with_9013():
    async with Bench() as bench:
        bench.device.answers[2012] = lambda qn, _: [bench.device.reply(9013, qn)]
        told = await bench.host.ask(MN, 2012)

        assert (told.outcome, told.order) == ("done", [9013])


@virtual
async def test_a_request_ends_with_its_connection():
    async with Bench() as bench:
        bench.device.answers[1061] = lambda *_: bench.device.transport.abort() or []
        await bench.said(
            2011,
            "DataTime=20251121160000;a21026-Rtd=1.0,a21026-Flag=N",
            qn="20251121160000001",
        )
        told = await bench.host.ask(MN, 1061)
        assert (told.lost, told.outcome) == (True, "silent")
        with pytest.raises(NobodyThereError, match=f"MN {MN}: no connection"):
            await bench.host.ask(MN, 1061)


@virtual
async def test_the_clock_of_a_device():
    for off, standing in (("20251121160020", "passed"), ("20251121160040", "failed")):
        async with Bench() as bench:
            bench.device.does(1011, lambda _, at=off: f"SystemTime={at}")
            await bench.host.ask(MN, 1011)
            assert bench.standing("clock.near") == standing


@virtual
async def test_who_asks_for_the_time_is_given_it():
    async with Bench() as bench:
        bench.device.does(1012)
        await bench.said(1013, "PolId=w01018", qn="20251121160000001")
        await asyncio.sleep(1)

        assert bench.device.codes() == [9013, 1012]
        assert (
            "CP=&&PolId=w01018;SystemTime=20251121160000&&" in bench.device.heard[1][2]
        )
        assert bench.standing("cmd.1013") == "passed"
        assert bench.standing("cmd.1012") == "passed"


@virtual
async def test_heartbeat_and_hardware_of_2025():
    async with Bench(version=2025) as bench:
        await bench.said(9015, "", qn="20251121160000001")
        await bench.said(9015, "", qn="20251121160000002", st="91")
        await bench.said(1001, "i23005-Info=1;i23006-Info=2", qn="20251121160000003")

        assert bench.device.codes() == [9013, 9013, 9013]
        assert bench.host.ledger.clean, bench.host.ledger.text("en")
    async with Bench() as bench:
        await bench.said(9015, "", qn="20251121160000001")
        assert bench.host.ledger.failed == ["segment.cn"]


@virtual
async def test_a_new_key_holds_from_its_9012_on():
    old, new = b"0" * 16, "00112233445566778899AABBCCDDEEFF"
    more = {"account": {"key": old}, "new_key": new}
    async with Bench(version=2025, **more) as bench:
        bench.device.does(1014)
        frames = []
        bench.device.data_received = frames.append
        await bench.said(1014, "SKCreateTime=20251121160000", qn="20251121160000001")
        await asyncio.sleep(1)

        (cut, key_cut) = Cutter().feed(b"".join(frames))
        assert b"CN=9013" in cut.segment
        assert new.encode() not in key_cut.segment
        assert bench.host.accounts[MN].key == old
        bench.device.transport.write(
            b"".join(
                bench.device.reply(cn, key_cut.segment[3:20].decode(), cp)
                for cn, cp in ((9011, "QnRtn=1"), (9012, "ExeRtn=1"))
            )
        )
        await asyncio.sleep(1)
        assert bench.host.accounts[MN].key == bytes.fromhex(new)


# -- history --------------------------------------------------------------------


@virtual
async def test_history_is_compared_with_what_was_sent():
    async with Bench() as bench:
        for number in (0, 1):
            await bench.said(2051, minute(number), qn=f"2025112115590{number}001")

        def history(qn, cp):
            assert cp == "BeginTime=20251121155000;EndTime=20251121155200"
            device = bench.device
            return [
                device.reply(9011, qn, "QnRtn=1"),
                device.frame(2051, minute(0), qn="20251121160001001"),
                device.frame(2051, minute(1, "5.2"), qn="20251121160001002"),
                device.frame(2051, minute(2), qn="20251121160001003"),
                device.reply(9012, qn, "ExeRtn=1"),
            ]

        bench.device.answers[2051] = history
        told = await bench.host.pull(MN, 2051, MINUTE_AT.format(0), MINUTE_AT.format(2))
        await asyncio.sleep(0.1)

        assert told.outcome == "done"
        assert list(told.periods) == [MINUTE_AT.format(n) for n in (0, 1, 2)]
        assert bench.device.codes().count(9014) == 5
        assert bench.host.ledger.failed == ["pull.same"]
        assert bench.problem("pull.same").startswith("DataTime=20251121155100")
        # What was pulled is not what it sent by itself.
        assert not bench.host.held.periods(MN, 2051).get(MINUTE_AT.format(2))


@virtual
async def test_no_history():
    async with Bench() as bench:
        bench.device.does(2061, exe=100)
        told = await bench.host.pull(MN, 2061, "20251121080000", "20251121090000")
        assert told.outcome == "no data"


# -- faults ---------------------------------------------------------------------


@pytest.mark.parametrize("fault", list(Fault))
@virtual
async def test_what_a_bad_platform_does(fault):
    async with Bench(faults=Faults({fault}, late_s=15)) as bench:
        device, loop = bench.device, running_loop()
        raw = []
        take = device.data_received
        device.data_received = lambda data: (
            raw.append((loop.time(), data)),
            take(data),
        )
        begun = loop.time()
        await bench.said(2051, minute(0), qn="20251121155900001")
        await asyncio.sleep(20)

        codes = device.codes()
        heard = b"".join(data for _, data in raw)
        match fault:
            case Fault.DROP | Fault.BAD_CRC:
                assert codes == []
                assert bool(heard) is (fault is Fault.BAD_CRC)
            case Fault.LATE:
                assert codes == [9014]
                assert raw[0][0] - begun == pytest.approx(15, abs=0.1)
            case Fault.WRONG_QN:
                assert [qn for qn, _, _ in device.heard] == ["20251121155900002"]
            case Fault.DOUBLE:
                assert codes == [9014, 9014]
            case Fault.GARBAGE:
                assert codes == [9014]
                assert not heard.startswith(b"##")
            case Fault.PIECES:
                assert codes == [9014]
                assert len(raw) > 2
            case Fault.RESET:
                assert device.hung_up()
            case Fault.HALF_OPEN:
                device.say(2051, minute(1))
                await asyncio.sleep(5)
                assert not device.hung_up()
                assert heard == b""
                assert len(bench.host.held.periods(MN, 2051)) == 1
        assert bench.host.faults.met == {fault: 1}


@virtual
async def test_a_slow_reader_and_faults_by_share_and_command():
    faults = Faults(read_bytes_s=10.0)
    async with Bench(faults=faults) as bench:
        await bench.said(2051, minute(0), qn="20251121155900001")
        bench.device.say(2051, minute(1), qn="20251121155901001")
        await asyncio.sleep(5)
        assert len(bench.host.held.periods(MN, 2051)) == 1
        await asyncio.sleep(60)
        assert len(bench.host.held.periods(MN, 2051)) == 2
    faults = Faults({Fault.DROP}, share=0.5, seed=3)
    dropped = sum(faults.next(2051) is Fault.DROP for _ in range(1000))
    assert 400 < dropped < 600
    assert Faults({Fault.DROP}, only=frozenset((2061,))).next(2051) is None


@virtual
async def test_an_outage_and_waiting():
    async with Bench() as bench:
        await bench.said(2051, minute(0), qn="20251121155900001")
        await bench.host.arrived(MN)
        await bench.host.has(MN, 2051, MINUTE_AT.format(0))
        bench.host.shut()
        await asyncio.sleep(1)
        assert bench.device.hung_up()
        with pytest.raises(TimeoutError):
            await bench.host.arrived(MN, 1)
        with pytest.raises(ConnectionRefusedError):
            await bench.device.call("127.0.0.1", bench.port)
        assert await bench.host.open("127.0.0.1", bench.port) == bench.port
        await bench.device.call("127.0.0.1", bench.port)


# -- times, report ----------------------------------------------------------------


def test_times_are_beijings():
    assert stamp(EPOCH_MS / 1000) == "20251121160000"
    assert stamp_ms(EPOCH_MS + 7) == "20251121160000007"
    assert seconds("20251121160000") == EPOCH_MS // 1000
    assert seconds("20251321160000") is None
    with pytest.raises(ValueError, match="14 digits"):
        Held().take("m", 2051, "x", {}) or list(Held().faulty("m", 2051, "x", "y", 60))


@virtual
async def test_the_report_in_both_languages():
    async with Bench() as bench:
        await bench.said(
            2051, minute(0).replace("5.1", "5.123"), qn="20251121155900001"
        )
        ledger = bench.host.finish()

        zh, en = ledger.text("zh"), ledger.text("en")
        assert "[不通过] 1/1 cp.number 数值位数与小数位" in zh
        assert "[FAILED] 1/1 cp.number" in en
        assert "a21026-Avg: '5.123' is not N5.2" in en
        assert "frame: ##" in en
        assert "[not seen] cmd.3015" in en
        assert zh.count("\n[") == en.count("\n[")
        told = json.loads(ledger.json())
        assert told["clean"] is False
        assert told["clauses"]["cp.number"]["standing"] == "failed"
        assert told["clauses"]["frame.crc"]["passed"] == 1


def test_only_the_newest_real_time_values_are_kept():
    held = Held(realtime=3)
    for n in range(5):
        held.take("m", 2011, f"2025112116000{n}", {"a": "a-Rtd=1"})

    assert list(held.periods("m", 2011)) == [f"2025112116000{n}" for n in (2, 3, 4)]
    assert held.sets["m", 2011] == 5
