"""Questions and answers on a line: proof, late answers, what comes unasked."""

import asyncio

import pytest

from drivers.ascii import AsciiDevice, ListeningDevice, Timing, make_device
from drivers.ascii.line import AsciiLine
from drivers.byte_line import ByteLine
from drivers.errors import BusError, PointError, ProfileError
from drivers.profiles.library import load_profile, profile_from_text
from drivers.values import Flaw, Quality
from simulators import analyzer_kinds as kinds
from simulators.analyzer_line import AnalyzerLine, AnalyzerServer
from tests.support.play_ascii import ZONE
from tests.support.virtual import run_virtual, running_loop

TIMING = Timing(0.5)


def bad(reason):
    return Flaw(Quality.BAD, reason)


class Scripted(asyncio.Protocol):
    """Answers by ``say(transport, data)``."""

    def __init__(self, say):
        self.say = say

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.say(self, data)

    def later(self, delay_s, data):
        asyncio.get_running_loop().call_later(delay_s, self.transport.write, data)


def on_line(body, *, say=None, instruments=None):
    """Run body(port, wire) in virtual time against a script or simulated analyzers."""

    async def work():
        wire = running_loop().line("line")
        if instruments is not None:
            station = AnalyzerLine(instruments)
            wire.attach(lambda: AnalyzerServer(station))
        else:
            wire.attach(lambda: Scripted(say))
        port = AsciiLine(ByteLine("line", wire.open_port))
        await port.open()
        try:
            return await body(port, wire)
        finally:
            await port.close()

    return run_virtual(work())


def device(port, name, address=None, timing=TIMING):
    profile = load_profile(name)
    return make_device(
        name, address, port, profile.points, profile.dialogue, timing, zone=ZONE
    )


def poll(dialogue, points='[{name: p, field: v, unit: "1"}]'):
    return profile_from_text(
        f"""
profile: x
maker: x
models: [x]
protocol: ascii
evidence: generic
source: x
dialogue: {{{dialogue}}}
points: {points}
""",
        "x",
    )


def own(port, dialogue, timing=TIMING, **more):
    profile = poll(dialogue, **more)
    return make_device("x", None, port, profile.points, profile.dialogue, timing)


def still(value=1.0):
    return lambda _quantity: value


def test_two_thermos_share_a_line_by_their_ids():
    async def body(port, _wire):
        one, two = (device(port, "thermo-43i", i) for i in ("14", "15"))
        return await one.scan(["so2_ppb"]), await two.scan(["so2_ppb"])

    one, two = on_line(
        body,
        instruments=[kinds.Thermo(still(1.5), 14), kinds.Thermo(still(2.5), 15)],
    )

    assert (one.values, two.values) == ({"so2_ppb": 1.5}, {"so2_ppb": 2.5})


def test_a_teledyne_with_a_report_between_its_echo_and_its_answer():
    def say(line, data):
        line.later(0.01, b"T SO2\r\nW 194:11:29 0000 SAMPLE FLOW WARN\r\n")
        line.later(0.02, b"T 194:11:29 0000 SO2=261.4 PPB\r\n")

    async def body(port, _wire):
        answer = await device(port, "teledyne-t100").scan(["so2_ppb"])
        return answer, port.stats(None)

    answer, stats = on_line(body, say=say)

    assert answer.values == {"so2_ppb": 261.4}
    assert (stats.good, stats.line_unused) == (1, 2)


def test_a_menu_in_three_steps():
    bam = kinds.Bam(still(0.084), lambda: "01/30/08 16:00")

    async def body(port, _wire):
        it = device(port, "met-one-bam-1020-pm10")
        return [await it.scan(["pm10", "maintenance"]) for _ in range(2)]

    for answer in on_line(body, instruments=[bam]):
        assert answer.values == {"pm10": 84.0, "maintenance": False}
        assert set(answer.sampled.values()) == {1_201_680_000_000}


def test_an_hourly_record_that_stays_is_doubted():
    bam = kinds.Bam(still(0.084), lambda: "01/30/08 16:00")

    async def body(port, _wire):
        it = device(port, "met-one-bam-1020-pm10")
        answers = []
        for _ in range(80):
            answers.append(await it.scan(["pm10"]))
            await asyncio.sleep(60)
        return answers

    answers = on_line(body, instruments=[bam])

    doubted = [answer.flaws.get("pm10") for answer in answers]
    assert doubted[:75] == [None] * 75
    assert doubted[-1] == Flaw(Quality.UNCERTAIN, "stale")
    assert all(answer.values == {"pm10": 84.0} for answer in answers)


def test_a_menu_may_be_slower_than_the_answers_it_leads_to():
    bam = kinds.Bam(still(0.084), lambda: "01/30/08 16:00")

    def say(line, data):
        for reply in bam.heard(data):
            line.later(0.4 if reply.data.endswith(b"*") else 0.01, reply.data)

    async def body(port, _wire):
        it = device(port, "met-one-bam-1020-pm10")
        return [await it.scan(["pm10"]) for _ in range(30)]

    for answer in on_line(body, say=say):
        assert answer.values == {"pm10": 84.0}


def test_a_blank_in_front_counts_where_places_do():
    positions = "mode: listen, messages: {a: {positions: {size: 4}}}"

    async def body(port, wire):
        it = own(port, positions, points='[{name: p, field: 2-4, unit: "1"}]')
        wire.far.write(b"\r 123\r")
        await asyncio.sleep(0.01)
        return await it.scan(["p"])

    assert on_line(body, say=lambda *_: None).values == {"p": 123.0}


def test_a_flag_makes_an_hour_s_value_bad():
    bam = kinds.Bam(still(0.084), lambda: "01/30/08 16:00")
    bam.invalid = True

    async def body(port, _wire):
        return await device(port, "met-one-bam-1020-pm10").scan(["pm10"])

    assert on_line(body, instruments=[bam]).flaws == {"pm10": bad("device_fault")}


def test_an_instrument_that_says_no_is_alive():
    def say(line, data):
        line.later(0.01, b"so2 bad cmd\r")

    async def body(port, _wire):
        answer = await device(port, "thermo-43i").scan(["so2_ppb"])
        return answer, port.stats(None)

    answer, stats = on_line(body, say=say)

    assert (answer.flaws, answer.answered) == ({"so2_ppb": bad("unsupported")}, True)
    assert stats.refused == 1


def test_silence_ends_a_scan_and_is_the_reason_until_something_comes():
    asked = []

    async def body(port, _wire):
        it = device(port, "thermo-43i")
        first = await it.scan(["so2_ppb", "status_word"])
        again = await it.scan(["so2_ppb"])
        return first, again

    first, again = on_line(body, say=lambda _line, data: asked.append(data))

    assert asked == [b"so2\r"]
    assert first.flaws == dict.fromkeys(("so2_ppb", "status_word"), bad("timeout"))
    assert again.flaws == {"so2_ppb": bad("timeout")}
    assert "not asked" in again.detail
    assert not first.answered


LATE = 'asks: {a: {send: "A<CR>", pattern: "{v:number}"}}'


def test_a_late_answer_is_not_the_next_one_s():
    """No echo, no check: what comes after a time-out could be the old answer."""
    replies = iter([(0.9, b"1\r"), (0.01, b"2\r"), (0.01, b"3\r")])

    def say(line, data):
        line.later(*next(replies))

    async def body(port, _wire):
        it = own(port, LATE)
        found = [await it.scan(["p"])]
        found.append(await it.scan(["p"]))
        await asyncio.sleep(0.5)  # the late one comes while nothing is asked
        found.append(await it.scan(["p"]))
        return found, port.stats(None)

    (first, held, good), stats = on_line(body, say=say)

    assert first.flaws == held.flaws == {"p": bad("timeout")}
    assert good.values == {"p": 2.0}
    assert (stats.late_discarded, stats.unprovable) == (1, 1)


def test_an_echo_lets_the_other_questions_go_on():
    def say(line, data):
        word = data.strip().decode()
        delay_s = 0.9 if word == "so2" else 0.01
        line.later(delay_s, b"flags 0A\r" if word == "flags" else b"so2 1 ppb\r")

    async def body(port, _wire):
        it = device(port, "thermo-43i")
        await it.scan(["so2_ppb"])
        flags = await it.scan(["status_word"])
        held = await it.scan(["so2_ppb"])
        return flags, held

    flags, held = on_line(body, say=say)

    assert flags.values == {"status_word": 10}
    assert held.flaws == {"so2_ppb": bad("timeout")}


def test_questions_that_look_alike_wait_for_each_other_across_devices():
    """Two of one model on one line: the answer does not say whose it is."""

    def say(line, data):
        if data[0] == 128 + 1:
            line.later(0.9, b"so2 1 ppb\r")
        else:
            line.later(0.6, b"so2 2 ppb\r")

    async def body(port, _wire):
        one, two = (device(port, "thermo-43i", i) for i in ("1", "2"))
        await one.scan(["so2_ppb"])
        return await two.scan(["so2_ppb"])

    assert on_line(body, say=say).flaws == {"so2_ppb": bad("unprovable")}


def test_an_answer_that_an_earlier_question_could_have_had_is_not_believed():
    """Their forms differ, but what came fits both."""
    asks = (
        'asks: {a: {send: "A<CR>", pattern: "{v:number}"},'
        ' b: {send: "B<CR>", pattern: "{v}"}}'
    )
    points = (
        '[{name: p, ask: a, field: v, unit: "1"},'
        ' {name: q, ask: b, field: v, unit: "1"}]'
    )

    def say(line, data):
        line.later(0.9 if data == b"A\r" else 0.01, b"7\r")

    async def body(port, _wire):
        it = own(port, asks, points=points)
        await it.scan(["p"])
        return await it.scan(["q"])

    assert on_line(body, say=say).flaws == {"q": bad("unprovable")}


def test_the_end_of_an_old_message_is_no_answer():
    def say(line, data):
        line.later(0.0, b"87\r")

    async def body(port, wire):
        it = own(port, LATE, Timing(0.5, pause_s=0.0))
        wire.far.write(b"2.")
        await asyncio.sleep(0.005)
        return await it.scan(["p"])

    assert on_line(body, say=say).flaws == {"p": bad("bad_frame")}


def test_an_echoed_question_is_no_answer():
    def say(line, data):
        line.later(0.0, data)
        line.later(0.01, b"5\r")

    async def body(port, _wire):
        return await own(port, 'asks: {a: {send: "7<CR>", pattern: "{v}"}}').scan(["p"])

    assert on_line(body, say=say).values == {"p": 5.0}


def test_silence_ends_an_answer_that_has_no_end():
    def say(line, data):
        line.later(0.01, b"2.")
        line.later(0.02, b"87")

    async def body(port, _wire):
        it = own(
            port, 'frame: {gap: 50ms}, asks: {a: {send: "A", pattern: "{v:number}"}}'
        )
        found = await it.scan(["p"])
        await asyncio.sleep(2)
        return found, await it.scan(["p"])

    first, second = on_line(body, say=say)

    assert first.values == second.values == {"p": 2.87}


def test_a_lost_connection_is_the_worker_s_and_its_answer_a_ghost():
    lines = []

    def say(line, data):
        lines.append(line)
        if len(lines) == 1:
            line.transport.abort()
        else:
            line.later(0.01, b"2\r")

    async def body(port, wire):
        it = own(port, LATE)
        with pytest.raises(BusError):
            await it.scan(["p"])
        await port.open()
        wire.far.write(b"1\r")  # the answer that was on its way
        await asyncio.sleep(0.01)
        await asyncio.sleep(1)
        return await it.scan(["p"])

    assert on_line(body, say=say).values == {"p": 2.0}


def test_asked_at_a_port_that_is_gone():
    async def body(port, _wire):
        await port.close()
        with pytest.raises(BusError):
            await own(port, LATE).scan(["p"])
        with pytest.raises(BusError):
            await device(port, "gill-windsonic").scan(["wind_speed"])

    on_line(body, say=lambda *_: None)


def test_nothing_is_written_and_unknown_points_are_a_mistake():
    async def body(port, _wire):
        for it in (own(port, LATE), device(port, "gill-windsonic")):
            with pytest.raises(PointError, match="nothing is written"):
                await it.write("p", 1)
            with pytest.raises(ProfileError, match="no point named"):
                await it.scan(["nothing"])
            assert it.worst_case_s([]) == 0
            assert 0.5 <= it.worst_case_s(["p", "wind_speed"]) < 3

    on_line(body, say=lambda *_: None)


def test_a_device_without_the_address_it_needs_is_bad_and_says_so():
    async def body(port, _wire):
        it = own(port, 'asks: {a: {send: "{address}<CR>", pattern: "{v}"}}')
        return await it.scan(["p"])

    answer = on_line(body, say=lambda *_: None)

    assert answer.flaws == {"p": bad("profile")}
    assert "address" in answer.detail


def test_raw_bytes_for_those_who_ask():
    async def body(port, _wire):
        it = device(port, "thermo-43i")
        return await it.scan(["so2_ppb"], want_raw=True)

    answer = on_line(body, instruments=[kinds.Thermo(still(1.5))])

    assert answer.raw == {"so2_ppb": b"so2 1.500 ppb"}


# -- those that speak unasked -------------------------------------------------


def test_the_newest_unused_measurement_once():
    async def body(port, _wire):
        it = device(port, "gill-windsonic", timing=Timing(3.0))
        assert isinstance(it, ListeningDevice)
        await asyncio.sleep(5.5)
        first = await it.scan(["wind_speed"])
        second = await it.scan(["wind_speed"])
        return first, second, port.stats(None)

    first, second, stats = on_line(
        body, instruments=[kinds.WindSonic(still(2.74), "Q", 1.0)]
    )

    assert first.values == second.values == {"wind_speed": 2.74}
    assert 400 <= first.age_ms["wind_speed"] <= 600
    assert second.age_ms["wind_speed"] == 0
    # 5.05 s after the line was opened it spoke again: that is the scan's time.
    assert first.waited_s == 0
    assert second.waited_s == pytest.approx(0.55, abs=0.01)
    assert stats.heard == 7
    assert stats.superseded == 5


WIND = b"\x02Q,229,002.74,M,00,\x0316\r\n"


async def has(it, *names, **how):
    """What a scan of it gives at once."""
    return (await it.scan(names, wait_s=0.001, **how)).values


def test_points_of_two_periods_get_the_same_message_each_once():
    async def body(port, wire):
        it = device(port, "gill-windsonic")
        wire.far.write(WIND)
        await asyncio.sleep(0.01)
        return [
            await has(it, name)
            for name in ("wind_speed", "wind_direction", "wind_speed", "wind_direction")
        ], port.stats(None)

    told, stats = on_line(body, say=lambda *_: None)

    assert told == [{"wind_speed": 2.74}, {"wind_direction": 229.0}, {}, {}]
    assert stats.superseded == 0


def test_a_look_takes_nothing_from_the_slots():
    async def body(port, wire):
        it = device(port, "gill-windsonic")
        wire.far.write(WIND)
        await asyncio.sleep(0.01)
        return [
            await has(it, "wind_speed", want_raw=raw) for raw in (True, False, False)
        ]

    assert on_line(body, say=lambda *_: None) == [
        {"wind_speed": 2.74},
        {"wind_speed": 2.74},
        {},
    ]


def test_what_came_before_the_line_was_gone_is_not_now():
    async def body(port, wire):
        it = device(port, "gill-windsonic")
        wire.far.write(WIND)
        await asyncio.sleep(0.01)
        await port.close()
        await asyncio.sleep(1800)
        await port.open()
        return await has(it, "wind_speed")

    assert on_line(body, say=lambda *_: None) == {}


def test_silence_is_no_data():
    async def body(port, _wire):
        return await device(port, "gill-windsonic").scan(["wind_speed"])

    answer = on_line(body, say=lambda *_: None)

    assert answer.flaws == {"wind_speed": bad("no_data")}
    assert not answer.answered


def test_each_kind_of_message_is_fresh_by_itself():
    async def body(port, wire):
        it = device(port, "vaisala-wxt5x0-auto")
        wire.far.write(b"0R1,Dm=027D,Sm=0.1M\r\n")
        await asyncio.sleep(0.01)
        return await it.scan(["wind_speed", "temperature"])

    answer = on_line(body, say=lambda *_: None)

    assert answer.values == {"wind_speed": 0.1}
    assert answer.flaws == {"temperature": bad("no_data")}
    assert answer.answered


def test_a_listener_and_one_that_is_asked_share_a_line():
    def say(line, data):
        line.later(0.01, b"\x02Q,229,002.74,M,00,\x0316\r\n0R1,Dm=027D,Sm=0.1M\r\n")

    async def body(port, _wire):
        heard, asked = device(port, "gill-windsonic"), device(port, "vaisala-wxt5x0")
        assert isinstance(asked, AsciiDevice)
        return await asked.scan(["wind_speed"]), await heard.scan(["wind_speed"])

    asked, heard = on_line(body, say=say)

    assert (asked.values, heard.values) == ({"wind_speed": 0.1}, {"wind_speed": 2.74})


def test_a_device_that_is_gone_is_not_handed_anything():
    async def body(port, wire):
        device(port, "gill-windsonic")  # dropped at once, as by a reload
        it = device(port, "gill-windsonic")
        wire.far.write(b"\x02Q,229,002.74,M,00,\x0316\r\n")
        await asyncio.sleep(0.01)
        assert len(port._listeners) == 1
        return await it.scan(["wind_direction"])

    assert on_line(body, say=lambda *_: None).values == {"wind_direction": 229.0}


def test_a_scale_s_stream_and_its_status():
    scale = kinds.Toledo(still(-12_345.6), 0.15)
    scale.invalid = True

    async def body(port, _wire):
        it = device(port, "weighbridge-toledo")
        await asyncio.sleep(0.12)
        over = await it.scan(["weight", "status_word"])
        return over, await it.scan(["weight", "weight_tare", "status_word"])

    over, good = on_line(body, instruments=[scale])

    assert good.values["weight"] == -12_345.6
    assert good.values["weight_tare"] == 80.0
    assert good.values["status_word.negative"] is True
    assert over.flaws in ({}, {"weight": bad("over_range")})
