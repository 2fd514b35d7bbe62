"""Stored periods come back: whole, their figures, cut and joined, over the socket."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from buffer import DiskTroubleError, History, Revision
from buffer.history_block import pack, unpack
from gateway.chronicle import KIND, Chronicle
from gateway.cli.memory import Memory
from gateway.clock import Instant
from gateway.control import ControlError, ControlServer, Request, socket_path
from gateway.history import cut, shown
from gateway.history_served import Question, answers
from gateway.record import Event, Gap, RecordError, Scan, decode, encode
from tests.support.history_year import FACTORS, META, day, kept
from tests.support.kept_stack import END, FIRST_DAY, SECOND_DAY, fill

START = 1_763_740_800_000
AT = Instant(START, 1000, "0000000b", trusted=True)


@pytest.fixture(scope="module")
def periods():
    return list(day(START, minutes=90))


def test_figures_are_those_that_were_stored(periods) -> None:
    for period in periods[:20]:
        found = shown(kept(period).data)

        assert (found.station, found.t, found.until, found.rev) == (
            period.station, period.t_ms, period.until_ms, period.rev,
        )  # fmt: skip
        assert list(found.agg) == list(FACTORS)
        for name, one in found.agg.items():
            figures = {k: v for k in period.figures[name] if (v := getattr(one, k))}
            assert figures == period.figures[name]
            assert (one.n, one.of, one.flag, one.mark) == (12, 12, "N", "valid")


def test_what_is_no_period_has_no_figures(periods) -> None:
    scan = encode(Scan("d", AT, {"p": 1.0}), META)
    with pytest.raises(RecordError, match="expected a period, got a scan"):
        shown(scan)
    with pytest.raises(RecordError):
        shown(kept(periods[0]).data[:200])
    with pytest.raises(RecordError):
        shown(b"")


def test_a_period_is_cut_by_factor_and_joined_again(periods) -> None:
    data = [kept(period).data for period in periods]
    revisions = [Revision(p.t_ms, 0, d) for p, d in zip(periods, data, strict=True)]

    for one in data:
        assert b"".join(cut(one)) == one
        assert len(cut(one)) == 1 + len(FACTORS) // 2 + len(FACTORS) // 4
    block = pack(START, revisions, cut)
    assert unpack(START, block) == revisions
    assert len(block) < len(pack(START, revisions, lambda d: (d,)))
    for other in (b"", b"x", data[0][:40], data[0][:-50], bytes(100), data[0][100:]):
        assert b"".join(cut(other)) == other


def test_blocks_of_unlike_records_come_back(periods) -> None:
    mixed = [
        Revision(START, 0, kept(periods[0]).data),
        Revision(START, 7, b""),
        Revision(START + 1, 0, b"\0" * 50),
        Revision(START + 500, 0, kept(periods[1]).data[:333]),
    ]

    assert unpack(START, pack(START, mixed, cut)) == mixed


async def test_events_and_gaps_are_kept_and_nothing_else(tmp_path) -> None:
    history = await History.open(tmp_path / "h", 10**8)
    chronicle = Chronicle(lambda: history)
    running = asyncio.create_task(chronicle.run())
    gap = Gap("cems", ("so2",), AT, AT, 3, "timeout")
    other = Gap("cems", ("no",), AT, AT, 3, "timeout")
    event = Event(id="e", type="contact", severity="info", at=AT, device="cems")
    for record in (gap, other, event, Scan("cems", AT, {"so2": 1.0})):
        chronicle(record, encode(record, META), START)
    chronicle(gap, encode(gap, META), 0)  # nobody knows when

    async with asyncio.timeout(20):
        while len(await history.revs("cems", KIND, 0, START * 2)) < 3:  # noqa: ASYNC110
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    found = [decode(r.data)[0] for r in await history.revs("cems", KIND, 0, START * 2)]
    assert sorted(map(repr, found)) == sorted(map(repr, (gap, other, event)))
    await history.close()
    chronicle(gap, encode(gap, META), START)
    await chronicle.flush()  # after the end: nothing to do, no error


async def test_what_came_before_there_was_a_history_is_not_kept(tmp_path) -> None:
    opened: list[History] = []
    chronicle = Chronicle(lambda: opened[0] if opened else None)
    gap = Gap("cems", ("so2",), AT, AT, 3, "timeout")
    chronicle(gap, encode(gap, META), START)
    opened.append(await History.open(tmp_path / "h", 10**8))

    await chronicle.flush()

    assert await opened[0].revs("cems", KIND, 0, START * 2) == []
    await opened[0].close()


def questions() -> list[Question]:
    span = {"since_ms": FIRST_DAY, "until_ms": END}
    kinds = ("minute", "hour", "day")
    return [
        *(Question(what="periods", subject="DA001", kind=k, **span) for k in kinds),
        Question(what="revs", subject="DA001", kind="hour", **span),
        Question(what="events", subject="cems", **span),
        Question(what="fates", subject="DA001", kind="hour", target="city", **span),
        Question(what="span", subject="DA001", kind="hour"),
        Question(what="span", subject="DW001", kind="hour"),
    ]


async def test_beside_the_gateway_and_without_it_the_answers_are_one(tmp_path) -> None:
    await fill(tmp_path)
    history = await History.look(tmp_path / "history")
    alone = []
    for asked in questions():
        parts = [msgspec.json.decode(part) async for part in answers(history, asked)]
        alone.append([one for part in parts for one in part])
    assert [len(found) for found in alone] == [2820, 47, 2, 47, 6, 47, 2, 0]
    assert {e["kind"] for e in alone[4]} == {"gap", "event"}

    async def stream(request: Request):
        asked = msgspec.convert(request.options, Question)
        if asked.subject == "none":
            raise ControlError("disk", "the disk is gone")
        async for part in answers(history, asked):
            yield part

    server = ControlServer(socket_path(tmp_path), {}, {"history": stream})
    serving = asyncio.create_task(server.run())
    await server.listening.wait()
    memory = Memory(tmp_path)

    def ask():
        minutes = memory.periods("DA001", "minute", FIRST_DAY, END)
        events = memory.events("cems", SECOND_DAY, END)
        fates = memory.fates("city", "DA001", "hour", FIRST_DAY, END)
        return minutes, events, fates, memory.span("DA001", "hour")

    beside = await asyncio.to_thread(ask)
    with pytest.raises(Exception, match="the disk is gone"):
        await asyncio.to_thread(memory.periods, "none", "minute", 0, 1)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    await history.close()
    without = await asyncio.to_thread(ask)

    assert beside == without
    assert len(beside[0]) == 2820
    assert beside[3] == tuple(alone[6])


async def test_a_disk_that_refuses_does_not_stop_what_is_told(
    tmp_path, monkeypatch
) -> None:
    history, asked = await History.open(tmp_path / "h", 10**8), []

    async def put(entries):
        asked.extend(entries)
        raise DiskTroubleError("full")

    monkeypatch.setattr(history, "put", put)
    chronicle = Chronicle(lambda: history)
    gap = Gap("cems", ("so2",), AT, AT, 3, "timeout")
    chronicle(gap, encode(gap, META), START)
    await chronicle.flush()

    assert [kept.subject for kept in asked] == ["cems"]
    await history.close()
