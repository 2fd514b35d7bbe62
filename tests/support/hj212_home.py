"""A platform in memory and a pump that speaks to it: for runs in virtual time.

    async with Home(answer=True) as home:
        home.minute(0, so2="12.3")          # a period goes into the buffer
        await home.until(lambda: home.platform.got(2051))

The platform listens on the running loop, virtual or real, and answers what asks for it.
"""

from __future__ import annotations

import asyncio
import contextlib
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from buffer import PriorityClass
from drivers.hj212.build import encode, flag
from drivers.hj212.frame import FrameFinder, pack
from drivers.hj212.segment import Segment, parse
from gateway.aggregate import FactorPeriod, Period
from gateway.clock import Instant
from gateway.config.model import Hj212Target
from gateway.config.stations import Factor, Station
from gateway.record import encode as stored
from gateway.uplink.hj212.pump import Hj212Pump
from gateway.uplink.hj212.seams import Handled, Upload
from tests.support.memory_link import FakeSource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gateway.aggregate import Mark, PeriodKind
    from gateway.uplink.condition import PumpHealth

MN = "010000A8900016F000169DC0"
T0_MS = 1_764_547_200_000
"""2025-12-01 08:00 in Beijing."""
MINUTE_MS = 60_000
AT = Instant(T0_MS, 0, "00000001", trusted=True)


class Came(NamedTuple):
    """One segment at the platform."""

    time_s: float
    segment: Segment
    connection: int


class Newest(NamedTuple):
    """See ``seams.Newest``."""

    value: Fraction | str | None
    t_ms: int = 0
    mark: Mark = "valid"
    zs: Fraction | None = None
    sampled_ms: int | None = None
    over_oxygen: bool = False
    unit: str = ""


class FixedBoard(dict[str, Newest]):
    """A board of one station; values without a time are of just now."""

    now_ms: Callable[[], int]

    def newest(self, station: str) -> Mapping[str, Newest]:
        """All of it."""
        del station
        return {
            name: one if one.t_ms else one._replace(t_ms=self.now_ms())
            for name, one in self.items()
        }


class FixedSettings:
    """What a platform could change, changed by tests."""

    def __init__(self, target: Hj212Target, password: str = "123456") -> None:  # noqa: S107 - the standard's own example
        self.password = password
        self.mn = target.mn
        self.overtime_s = target.overtime_s
        self.recount = target.recount
        self.realtime_s = target.realtime_s
        self.facilities_s = target.facilities_s
        self.callbacks: list[Callable[[], None]] = []

    def on_change(self, callback: Callable[[], None]) -> Callable[[], None]:
        self.callbacks.append(callback)
        return lambda: self.callbacks.remove(callback)

    def change(self, **values: Any) -> None:
        """The platform sets something."""
        for name, value in values.items():
            setattr(self, name, value)
        for callback in self.callbacks:
            callback()


class FakeHost:
    """Writes down what it is asked; says what the test puts in."""

    def __init__(self) -> None:
        self.heard: list[Segment] = []
        self.unread: list[tuple[str, bytes]] = []
        self.answers: list[tuple[Upload, Segment]] = []
        self.on: Callable[[Segment], Handled] = lambda _segment: Handled()
        self.first: Sequence[Upload] = ()

    def handle(self, segment: Segment) -> Handled:
        self.heard.append(segment)
        return self.on(segment)

    def refused(self, cause: str, segment: bytes) -> Handled:
        self.unread.append((cause, segment))
        return Handled()

    def connected(self) -> Sequence[Upload]:
        return self.first

    def due(self) -> Sequence[Upload]:
        return ()

    def answered(self, upload: Upload, answer: Segment) -> None:
        self.answers.append((upload, answer))


class FakeMarks:
    """What became of periods."""

    def __init__(self) -> None:
        self.marked: list[tuple[str, str, str, int, str]] = []

    def mark(
        self,
        target: str,
        subject: str,
        kind: PeriodKind,
        t_ms: int,
        *,
        proved: bool,
        rev: int = 0,
        written: bool = False,
    ) -> None:
        del rev
        fate = "proved" if proved else "written" if written else "sent"
        self.marked.append((target, subject, kind, t_ms, fate))


class FakeLedger:
    """Counts."""

    def __init__(self) -> None:
        self.fates: dict[str, int] = {}

    def _add(self, fate: str, entries: Sequence[object]) -> None:
        self.fates[fate] = self.fates.get(fate, 0) + len(entries)

    def sent(self, _target: str, entries: Sequence[object]) -> None:
        self._add("sent", entries)

    def proved(self, _target: str, entries: Sequence[object]) -> None:
        self._add("proved", entries)

    def written(self, _target: str, entries: Sequence[object]) -> None:
        self._add("written", entries)

    def lost(self, _target: str, entries: Sequence[object], cause: str) -> None:
        self._add(cause, entries)


class Platform:
    """Listens; answers as its ``answer`` says."""

    def __init__(self) -> None:
        self.came: list[Came] = []
        self.connections = 0
        self.mute: Callable[[Segment], bool] = lambda _segment: False
        """What it never answers."""
        self.rejects: Callable[[Segment], str | None] = lambda _segment: None
        """QnRtn of a refusal."""
        self.hangs_up: Callable[[Segment], bool] = lambda _segment: False
        """What it closes the connection at."""
        self.delay_s = 0.0
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.AbstractServer | None = None
        self.port = 0

    async def up(self, port: int = 0) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", port or self.port
        )
        if not self.port:
            self.port = self._server.sockets[0].getsockname()[1]

    async def down(self) -> None:
        """Close everything."""
        if self._server is not None:
            self._server.close()
        self.cut()
        await asyncio.sleep(0)

    def cut(self) -> None:
        """End the connections."""
        for writer in tuple(self._writers):
            writer.transport.abort()

    def say(self, segment: Segment) -> None:
        """Send something to all that are connected."""
        for writer in self._writers:
            writer.write(pack(encode(segment)))

    def raw(self, data: bytes) -> None:
        """Send bytes."""
        for writer in self._writers:
            writer.write(data)

    def request(self, cn: int, st: str = "31", **items: str) -> Segment:
        """Ask for something."""
        segment = Segment(
            qn="20251201080000001",
            st=st,
            cn=cn,
            pw="123456",
            mn=MN,
            flag=flag(2017, answer=True),
            items=tuple(((name, value),) for name, value in items.items()),
        )
        self.say(segment)
        return segment

    def segments(self, *cns: int) -> list[Segment]:
        """What came of these commands, repeats included."""
        return [c.segment for c in self.came if not cns or c.segment.cn in cns]

    def times(self, cn: int) -> list[str]:
        """The DataTimes of a command."""
        return [s.get("DataTime") or "" for s in self.segments(cn)]

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        number, finder = self.connections, FrameFinder()
        self._writers.add(writer)
        try:
            while data := await reader.read(65536):
                for frame in finder.feed(data):
                    segment, noted = parse(frame.segment)
                    assert not noted, noted
                    now = asyncio.get_running_loop().time()
                    self.came.append(Came(now, segment, number))
                    if self.hangs_up(segment):
                        writer.transport.abort()
                        return
                    await self._answer(segment, writer)
        except OSError:
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, segment: Segment, writer: asyncio.StreamWriter) -> None:
        if not segment.wants_answer or self.mute(segment):
            return
        if 9011 <= segment.cn <= 9014:
            return
        rejects = self.rejects(segment)
        notice = segment.cn in (9015, 1013, 1014, 1001)
        answer = Segment(
            qn=segment.qn,
            st="91",
            cn=9011 if rejects else 9013 if notice else 9014,
            pw=segment.pw,
            mn=segment.mn,
            flag=flag(segment.version, answer=False),
            items=((("QnRtn", rejects),),) if rejects else (),
        )
        frame = pack(encode(answer))
        if self.delay_s:
            loop = asyncio.get_running_loop()
            loop.call_later(self.delay_s, _put, writer, frame)
        else:
            writer.write(frame)


def _put(writer: asyncio.StreamWriter, frame: bytes) -> None:
    if not writer.is_closing():
        writer.write(frame)


def factor(name: str, code: str | None, **keys: Any) -> Factor:
    """One factor of the station ``DA001``."""
    known: dict[str, Any] = {"unit": "mg/m3", "decimals": 1, "every_ms": 5000}
    return Factor(name=name, device="cems", point=name, code=code, **known | keys)


STATION = Station(
    name="DA001",
    kind="flue_gas",
    factors=(
        factor("so2", "a21026", cou_unit="kg", total=True, converted=True),
        factor("dust", "a34013", decimals=2),
        factor("spare", None),
    ),
)


def period(
    t_ms: int = T0_MS,
    kind: PeriodKind = "minute",
    rev: int = 0,
    mark: Mark = "valid",
    **values: str | None,
) -> Period:
    """A period of ``DA001``; each value is the digits of avg, min and max."""
    long_ms = {"minute": MINUTE_MS, "hour": 60 * MINUTE_MS, "day": 1440 * MINUTE_MS}
    factors, figures = {}, {}
    for name, text in (values or {"so2": "12.3"}).items():
        number = None if text is None else Fraction(text)
        n = 12 if mark == "valid" and number is not None else 0
        factors[name] = FactorPeriod(
            avg=number,
            min=number,
            max=number,
            n=n,
            of=12,
            marks={"valid": n, "missing": 12 - n},
            mark=mark if number is not None else "missing",
        )
        figures[name] = dict.fromkeys(("avg", "min", "max"), text) if text else {}
    return Period(
        kind=kind,
        station="DA001",
        t_ms=t_ms,
        until_ms=t_ms + long_ms[kind],
        rev=rev,
        factors=factors,
        figures=figures,
        at=AT,
    )


class Home:
    """A pump, its source and its platform.

    Args:
        station: Whose periods go in.
        keys: Of the target.
    """

    def __init__(self, station: Station = STATION, **keys: Any) -> None:
        self.station = station
        self.keys = {"realtime_s": None, "overtime_s": 5.0, "backfill_per_s": 1000.0}
        self.keys |= keys
        self.source = FakeSource()
        self.platform = Platform()
        self.host = FakeHost()
        self.marks = FakeMarks()
        self.ledger = FakeLedger()
        self.board = FixedBoard()
        self.board.now_ms = self.wall_ms
        self.aside: list[tuple[int, str]] = []
        self.states: list[tuple[str, str]] = []
        self.began_s = 0.0

    def wall_ms(self) -> int:
        """The clock: ``T0_MS`` when the pump began."""
        now = asyncio.get_running_loop().time()
        return T0_MS + round((now - self.began_s) * 1000)

    def put(self, found: Period) -> int:
        """A period goes into the buffer; returns its seq."""
        return self.source.append(
            stored(found, "0000002a"),
            PriorityClass.AGGREGATE,
            found.station,
            found.t_ms,
        )

    def minutes(self, count: int, first: int = 0) -> None:
        """Some minutes."""
        for number in range(first, first + count):
            self.put(period(T0_MS + number * MINUTE_MS, so2=f"{number}.0"))

    @property
    def floor(self) -> int:
        """Every seq up to this is resolved."""
        return self.source.floor("city")

    def health(self) -> PumpHealth:
        """Of the pump."""
        return self.pump.health()

    async def until(self, holds: Callable[[], object], limit_s: float = 3600) -> None:
        """Let time pass until something holds."""
        async with asyncio.timeout(limit_s):
            while not holds():  # noqa: ASYNC110 - any state of any part
                await asyncio.sleep(0.05)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self.began_s = loop.time()
        await self.platform.up()
        target = Hj212Target(
            name="city",
            host="127.0.0.1",
            port=self.platform.port,
            **{"mn": MN, "station": "DA001", "st": "31", **self.keys},
        )
        self.settings = FixedSettings(target)
        self.pump = Hj212Pump(
            target,
            self.station,
            self.source,
            self.settings,
            lambda _frames: self.host,
            board=self.board,
            marks=self.marks,
            timezone="Asia/Shanghai",
            wall_ms=self.wall_ms,
            started_ms=T0_MS,
            on_change=lambda h: self.states.append((h.state, h.reason)),
            on_set_aside=lambda seq, why: self.aside.append((seq, why)),
            ledger=self.ledger,
        )
        self.task = asyncio.create_task(self.pump.run())
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task
        await self.platform.down()
        for _ in range(5):
            await asyncio.sleep(0)
