"""A host whose platform, store, clock and instruments are in memory."""

from __future__ import annotations

from fractions import Fraction

from drivers.errors import DriverError
from drivers.hj212 import cp
from drivers.hj212.segment import Segment
from drivers.values import Answer
from gateway.aggregate import FactorPeriod, Period
from gateway.clock import Instant
from gateway.config.model import Hj212Target
from gateway.config.stations import Factor, Station
from gateway.uplink.hj212.assemble import receive
from gateway.uplink.hj212.civil import Civil
from gateway.uplink.hj212.seams import Upload

MN = "010000A8900016F000169DC0"
T0 = 1_720_000_000_000  # 2024-07-03 17:46:40 in Beijing
TZ = "Asia/Shanghai"
STATION = Station(
    name="DA001",
    kind="flue_gas",
    minute_s=60,
    factors=(
        Factor(name="so2", device="cems", point="so2", code="a21026", unit="mg/m3",
               decimals=1, every_ms=5000),
    ),
)  # fmt: skip


COMMANDS = {"minute": (2051,), "hour": (2061,), "day": (2031, 2041)}


class Store:
    """Notes and stored periods."""

    def __init__(self):
        self.notes = {}
        self.periods = []
        self.reads = []
        self.marks = []

    def remember(self, key, value):
        self.notes[key] = value

    def recall(self, key):
        return self.notes.get(key)

    async def read(self, subject, kind, since_ms, until_ms):
        self.reads.append((since_ms, until_ms))
        return [
            p
            for p in self.periods
            if p.kind == kind and p.station == subject and since_ms <= p.t_ms < until_ms
        ]

    def mark(self, target, subject, kind, t_ms, *, proved, rev=0, written=False):
        self.marks.append((target, subject, kind, t_ms, rev, proved, written))

    def fill(self, kind, first_ms, step_ms, count):
        for n in range(count):
            t_ms = first_ms + n * step_ms
            self.periods.append(
                Period(
                    kind=kind,
                    station="DA001",
                    t_ms=t_ms,
                    until_ms=t_ms + step_ms,
                    factors={
                        "so2": FactorPeriod(avg=Fraction(n), n=1, of=1, mark="valid")
                    },
                    at=Instant(t_ms + step_ms, 0, "0" * 8, trusted=True),
                )
            )


class Encoder:
    """Frames of two packets' worth of commands for a day."""

    def __init__(self, civil):
        self._civil = civil

    def period(self, period, *, rf=False):
        time = self._civil.time(period.t_ms)
        value = str(period.factors["so2"].avg)
        return [
            Upload(
                cn=cn, items=((("DataTime", time),), (("a21026-Avg", value),)), rf=rf
            )
            for cn in COMMANDS[period.kind]
        ]

    def time(self, t_ms):
        return self._civil.time(t_ms)


class Bench:
    """Instruments: points by device, and what went wrong."""

    def __init__(self):
        self.points = {}
        self.written = []
        self.error = None
        self.flaws = {}
        self.answered = True
        self.hold = None

    async def read(self, device, points):
        if self.error:
            raise self.error
        values = {p: v for (d, p), v in self.points.items() if d == device}
        return Answer(
            {p: values[p] for p in points if p in values and p not in self.flaws},
            {p: f for p, f in self.flaws.items() if p in points},
            self.answered,
        )

    async def write(self, device, point, value):
        if self.hold is not None:
            await self.hold.wait()
        if self.error:
            raise self.error
        if (device, point) not in self.points:
            raise KeyError(device)
        self.written.append((device, point, value))


class Site:
    """One target of one gateway, over as many runs as a test wants."""

    def __init__(self, folder, version=2017, *, key=None, **conf):
        self.folder = folder
        self.store = Store()
        self.bench = Bench()
        self.events = []
        self.wall_ms = T0
        self.trusted = True
        self.password = folder / "site.password"
        self.put(self.password, "123456")
        if key is not None:
            self.put(folder / "site.key", key)
            conf["key_file"] = folder / "site.key"
        self.conf = Hj212Target(
            name="city",
            host="127.0.0.1",
            port=1,
            version=version,
            mn=MN,
            station="DA001",
            st="31",
            password_file=self.password,
            **conf,
        )
        self.numbers = 0
        self.start()

    def put(self, path, text):
        path.write_text(text + "\n")
        path.chmod(0o600)

    def start(self, conf=None):
        """Another run of the gateway over the same store."""
        self.conf = conf or self.conf
        reception = receive(
            self.conf,
            STATION,
            notes=self.store,
            folder=self.folder,
            history=self.store,
            marks=self.store,
            instruments=self.bench,
            now=self.now,
            tell=self.events.append,
            timezone=TZ,
            facilities=True,
        )
        self.settings, self.access, make = reception
        self.host = make(Encoder(Civil(TZ)))
        self.errands = list(self.host.connected())

    def now(self):
        return Instant(self.wall_ms, self.wall_ms - T0, "0" * 8, trusted=self.trusted)

    def request(self, cn, inside="", **fields):
        """A request as the platform sends it; what is not named is right."""
        self.numbers += 1
        whole = {
            "qn": f"20240703174640{self.numbers:03d}",
            "st": "31",
            "pw": "123456",
            "mn": MN,
            "flag": {2017: 5, 2025: 9}[self.conf.version],
            **fields,
        }
        return Segment(cn=cn, items=cp.parse(inside, (), []), **whole)

    async def ask(self, cn, inside="", *, proves=True, **fields):
        """Everything that is said to a request."""
        return await self.say(self.request(cn, inside, **fields), proves=proves)

    async def say(self, segment, *, proves=True):
        handled = self.host.handle(segment)
        said = list(handled.replies)
        if handled.work is not None:
            said += await self.follow(handled.work(), proves=proves)
        return said

    async def follow(self, work, *, proves=True):
        """As the pump does: with the answer to each upload that asks for one."""
        said, reply = [], None
        try:
            while True:
                said.append(await work.asend(reply))
                reply = None
                wants = isinstance(said[-1], Upload) and said[-1].answer is not False
                if wants and proves and self.conf.answer:
                    reply = Segment(qn=None, st="91", cn=9014, pw="", mn="")
        except StopAsyncIteration:
            return said

    def told(self, kind):
        return [event for event in self.events if event.type == kind]


def shown(said):
    """``9011 QnRtn=1``, ``1061 RtdInterval=30`` ...: what was said, in short."""
    return [
        " ".join([str(each.cn), *("=".join(p) for item in each.items for p in item)])
        for each in said
    ]


class RefusedError(DriverError):
    """Anything a driver may say."""
