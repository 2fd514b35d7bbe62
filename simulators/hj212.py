"""Instruments that push HJ 212, in a process of their own: ``-m simulators.hj212``.

    --instrument 888...01 --profile generic-hj212-dust-noise --connect 127.0.0.1:9001
    --instrument 888...01 --instrument 888...02 --serve 0      on one connection
    --instrument 888...01 --pty ./line-1 --dialect 2005
    --fault bad-crc --fault pieces --share 0.3                 what happens to frames

Prints one JSON line when it runs and one with its counts when it ends; takes commands
on standard input with ``--control`` (``silent MN``, ``speak MN``, ``flag MN D``,
``share 0.3``, ``stats``). Ends on SIGTERM, SIGINT or with its parent. Options:
``docs/simulators.md``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import sys
import time
from collections import deque
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from simulators.hj212_codec import Hearing
from simulators.hj212_faults import Fault, pieces
from simulators.hj212_instrument import HOUR, MINUTE, Instrument
from simulators.ports import PtyPort
from simulators.process import die_with_parent, run, say_ready, until_told
from simulators.typed import typed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from simulators.hj212_instrument import Sent

_Asked = tuple[str, str]
"""MN and QN of a frame that wants an answer."""
ANSWER_S = 10.0
"""HJ 212-2017, table 1: how long a mobile device waits for 9014."""
RESENDS = 3
_RETRY_S = 1.0
_PIECE_S = 0.01


class Counts:
    """What was sent, and how the host answered."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        """The newest frames that a host may believe, as the truth about them."""
        self.frames = 0
        self.answered = 0
        self.resent = 0
        self.given_up = 0
        self.wrong: list[str] = []
        """Answers that nobody had asked for, or in another form."""

    def told(self) -> dict[str, object]:
        """For people."""
        return {
            "frames": self.frames,
            "answered": self.answered,
            "resent": self.resent,
            "given_up": self.given_up,
            "wrong": len(self.wrong),
        }


class Pushing:
    """How all instruments of a process push."""

    def __init__(
        self,
        *,
        every_s: float = 5.0,
        minute_s: int = 60,
        hour_s: int = 3600,
        faults: Sequence[Fault] = (),
        share: float = 0.3,
        seed: int = 1,
        utc_s: Callable[[], float] = time.time,
    ) -> None:
        self.every_s, self.minute_s, self.hour_s = every_s, minute_s, hour_s
        self.faults, self.share = tuple(faults), share
        self.rng = random.Random(seed)
        self.utc_s = utc_s
        self.counts = Counts()
        self.silent: set[str] = set()

    def fault(self) -> Fault | None:
        """What happens to the next frame."""
        if not self.faults or self.rng.random() >= self.share:
            return None
        return self.rng.choice(self.faults)


class Talk(asyncio.Protocol):
    """One connection or line, with the instruments that speak on it."""

    def __init__(
        self,
        instruments: Iterable[Instrument],
        pushing: Pushing,
        on_lost: Callable[[], object] = lambda: None,
    ) -> None:
        self._instruments = list(instruments)
        self._pushing = pushing
        self._on_lost = on_lost
        self._hearing = Hearing()
        self._transport: asyncio.Transport | None = None
        self._timers: set[asyncio.TimerHandle] = set()
        self._open: dict[_Asked, tuple[Sent, int, asyncio.TimerHandle]] = {}
        self._answered: deque[_Asked] = deque(maxlen=200)
        self._told = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to push."""
        self._transport = cast("asyncio.Transport", transport)
        for number, one in enumerate(self._instruments):
            self._later(0.05 * number, self._push, one)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop."""
        del exc
        self._transport = None
        for timer in (*self._timers, *(waiting[2] for waiting in self._open.values())):
            timer.cancel()
        self._timers.clear()
        self._open.clear()
        self._on_lost()

    def data_received(self, data: bytes) -> None:
        """An answer, or something that should not have been said."""
        counts = self._pushing.counts
        for heard in self._hearing.feed(data):
            asked = heard.mn, heard.qn
            waiting = self._open.pop(asked, None)
            if waiting is not None:
                waiting[2].cancel()
                counts.answered += 1
                self._answered.append(asked)
            if heard.flag & 3 or asked not in self._answered:  # doubled: asked twice
                counts.wrong.append(str(heard))
        wrong = self._hearing.wrong
        counts.wrong += [repr(told) for told in wrong[self._told :]]
        self._told = len(wrong)

    def abort(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.abort()

    # -- inside ---------------------------------------------------------------

    def _later(self, seconds: float, call: Callable[..., None], *args: Any) -> None:  # noqa: ANN401
        timer: asyncio.TimerHandle

        def act() -> None:
            self._timers.discard(timer)
            call(*args)

        timer = asyncio.get_running_loop().call_later(seconds, act)
        self._timers.add(timer)

    def _push(self, one: Instrument) -> None:
        pushing = self._pushing
        now = pushing.utc_s()
        self._later(pushing.every_s - now % pushing.every_s, self._push, one)
        if one.mn in pushing.silent:
            return
        frames = one.real_time(now)
        for cn, length in ((MINUTE, pushing.minute_s), (HOUR, pushing.hour_s)):
            if length and now % length < pushing.every_s:
                end = int(now // length) * length
                frames += one.period(cn, now, end - length, end)
        for frame in frames:
            self._send(frame, 0)

    def _send(self, frame: Sent, tries: int) -> None:
        if self._transport is None:
            return
        pushing, counts = self._pushing, self._pushing.counts
        counts.frames += 1
        counts.sent.append(frame)
        del counts.sent[:-5000]
        if frame.asks:
            again = asyncio.get_running_loop().call_later(
                ANSWER_S, self._unanswered, (frame.mn, frame.qn)
            )
            self._open[frame.mn, frame.qn] = (frame, tries, again)
        for number, piece in enumerate(
            pieces(frame.data, pushing.fault(), pushing.rng)
        ):
            if number:
                self._later(number * _PIECE_S, self._transport.write, piece)
            else:
                self._transport.write(piece)

    def _unanswered(self, asked: _Asked) -> None:
        frame, tries, _ = self._open.pop(asked)
        if tries >= RESENDS:
            self._pushing.counts.given_up += 1
            return
        self._pushing.counts.resent += 1
        self._send(frame, tries + 1)


def _same(talk: Talk) -> Talk:
    return talk


class Caller:
    """Connects to the host, and again whenever the connection ends."""

    def __init__(
        self, host: str, port: int, instruments: list[Instrument], pushing: Pushing
    ) -> None:
        self._at = host, port
        self._instruments, self._pushing = instruments, pushing
        self._task = asyncio.get_running_loop().create_task(self._run(), name="caller")

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            lost = asyncio.Event()
            talk = Talk(self._instruments, self._pushing, lost.set)
            try:
                await loop.create_connection(partial(_same, talk), *self._at)
                await lost.wait()
            except OSError:
                pass
            finally:
                talk.abort()
            await asyncio.sleep(_RETRY_S)

    async def close(self) -> None:
        """Stop."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The options; errors go to standard error with exit status 2."""
    parser = argparse.ArgumentParser(prog=typed("hj212"))
    add = parser.add_argument
    add("--instrument", metavar="MN", action="append", default=[])
    add("--profile", metavar="NAME", default="generic-hj212-dust-noise")
    add("--dialect", choices=["2005", "2017", "2025"], default="2017")
    add("--connect", metavar="HOST:PORT", help="connect there, each by itself")
    add("--together", action="store_true", help="all on one connection")
    add("--serve", metavar="PORT", type=int, help="0 chooses a free port")
    add("--host", default="127.0.0.1")
    add("--pty", metavar="LINK", type=Path, help="a serial line behind this link")
    add("--every", type=float, default=5.0, metavar="SECONDS", help="real-time data")
    add("--minute", type=int, default=60, metavar="SECONDS", help="0: no minutes")
    add("--hour", type=int, default=3600, metavar="SECONDS", help="0: no hours")
    add("--no-answer", action="store_true", help="frames ask for no answer")
    add("--split", type=int, default=950, metavar="BYTES", help="of CP in a packet")
    add("--clock-off", type=float, default=0.0, metavar="SECONDS")
    add("--fault", action="append", default=[], type=Fault, choices=list(Fault))
    add("--share", type=float, default=0.3, help="part of frames that meet a fault")
    add("--seed", type=int, default=1)
    add("--control", action="store_true", help="take commands on standard input")
    add("--for", dest="for_s", type=float, metavar="SECONDS")
    options = parser.parse_args(argv)
    if not options.instrument:
        options.instrument = ["88888880000001"]
    if options.connect is None and options.serve is None and options.pty is None:
        parser.error("say where: --connect HOST:PORT, --serve PORT or --pty LINK")
    return options


def make_instruments(options: argparse.Namespace) -> list[Instrument]:
    """The instruments that were asked for."""
    from drivers.profiles.library import load_profile  # noqa: PLC0415 YAML is slow

    profile = load_profile(options.profile)
    return [
        Instrument(
            mn,
            profile,
            dialect=options.dialect,
            seed=options.seed,
            answer=not options.no_answer,
            clock_off_s=options.clock_off,
            split=options.split,
        )
        for mn in options.instrument
    ]


def obey(line: str, instruments: list[Instrument], pushing: Pushing) -> str:
    """Carry out one command; the answer is for whoever sent it."""
    word, *rest = line.split()
    match word, rest:
        case "silent", [mn]:
            pushing.silent.add(mn)
        case "speak", [mn]:
            pushing.silent.discard(mn)
        case "flag", [mn, flag]:
            for one in instruments:
                if one.mn == mn:
                    one.flag = flag
        case "share", [share]:
            pushing.share = float(share)
        case "stats", []:
            return json.dumps(pushing.counts.told())
        case _:
            return f"no such command: {line.strip()!r}"
    return "ok"


async def main(options: argparse.Namespace) -> None:
    """Push until told to stop."""
    instruments = make_instruments(options)
    pushing = Pushing(
        every_s=options.every,
        minute_s=options.minute,
        hour_s=options.hour,
        faults=options.fault,
        share=options.share,
        seed=options.seed,
    )
    async with contextlib.AsyncExitStack() as stack:
        facts = await _open(options, instruments, pushing, stack)
        say_ready(**facts, instruments=options.instrument)
        if options.control:
            control = asyncio.create_task(_listen(instruments, pushing), name="control")
            stack.callback(control.cancel)
        await until_told(options.for_s)
    print(json.dumps(pushing.counts.told()), flush=True)


async def _open(
    options: argparse.Namespace,
    instruments: list[Instrument],
    pushing: Pushing,
    stack: contextlib.AsyncExitStack,
) -> dict[str, object]:
    facts: dict[str, object] = {}
    if options.connect is not None:
        host, _, port = options.connect.rpartition(":")
        groups = [instruments] if options.together else [[one] for one in instruments]
        for group in groups:
            caller = Caller(host, int(port), group, pushing)
            stack.push_async_callback(caller.close)
    if options.serve is not None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: Talk(instruments, pushing), options.host, options.serve
        )
        stack.callback(server.close)
        facts["port"] = cast("Any", server).sockets[0].getsockname()[1]
    if options.pty is not None:
        line = PtyPort(options.pty, lambda: Talk(instruments, pushing))
        line.open()
        stack.callback(line.close)
        facts["path"] = str(options.pty)
    return facts


async def _listen(instruments: list[Instrument], pushing: Pushing) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    try:
        while line := await reader.readline():
            told = obey(line.decode("utf-8", "replace"), instruments, pushing)
            print(told, flush=True)
    finally:
        transport.close()


if __name__ == "__main__":
    die_with_parent()
    run(main(parse()))
