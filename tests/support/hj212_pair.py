"""Our side and theirs: pump, host and settings against the simulated platform.

    async with Pair(tmp_path, version=2025) as pair:
        told = await pair.host.ask(MN, 1061)

Our side is what ``gateway.app`` puts together for one target; only the buffer, the
history and the instruments are in memory. ``again()`` is a restart: files and notes
stay, everything else is made anew.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from fractions import Fraction

from buffer import PriorityClass
from drivers.values import Answer
from gateway.clock import Instant
from gateway.config.model import Hj212Target
from gateway.record import encode as stored
from gateway.uplink.hj212.assemble import receive
from gateway.uplink.hj212.pump import Hj212Pump
from simulators.hj212_platform_account import Account, stamp
from simulators.hj212_platform_faults import Faults
from simulators.hj212_platform_host import Host
from tests.support.hj212_home import (
    MINUTE_MS,
    STATION,
    T0_MS,
    FakeLedger,
    FakeMarks,
    FixedBoard,
    Newest,
    period,
)
from tests.support.memory_link import FakeSource

MN = "010000A8900016F000169DC0"
KEY = "6b1f0e5c92d84a37a0c4e3f2918d7b56"
FACTORS = frozenset(("a21026", "a34013"))


class Periods(dict):
    """History: (kind, start ms) -> period."""

    async def read(self, subject, kind, since_ms, until_ms):
        found = [
            one
            for (its, t_ms), one in self.items()
            if its == kind and since_ms <= t_ms < until_ms and one.station == subject
        ]
        return sorted(found, key=lambda one: one.t_ms)


class Instruments:
    """What the workers would do."""

    def __init__(self):
        self.values = {}
        """(device, point) -> value."""
        self.written = []
        self.fails = None

    async def read(self, device, points):
        values = {point: self.values[device, point] for point in points}
        return Answer(values, {}, answered=True)

    async def write(self, device, point, value):
        if self.fails is not None:
            raise self.fails
        self.written.append((device, point, value))


class Notes(dict):
    """Of the store."""

    def remember(self, key, value):
        self[key] = value

    def recall(self, key):
        return self.get(key)


class Pair:
    """See the module.

    Args:
        folder: For passwords, keys and what platforms set.
        version: 2017 or 2025.
        keys: Of the target.
        encrypted: Both have a key.
        strict: The platform's; lenient is for what deviates on purpose.
        faults: The platform's.
    """

    def __init__(
        self,
        folder,
        *,
        version=2017,
        encrypted=False,
        strict=True,
        faults=None,
        account=None,
        station=STATION,
        facilities=False,
        trusted=True,
        host=None,
        **keys,
    ):
        self.folder, self.version, self.encrypted = folder, version, encrypted
        self.station, self.facilities, self.trusted = station, facilities, trusted
        self.faults = faults or Faults()
        self.source, self.marks, self.ledger = FakeSource(), FakeMarks(), FakeLedger()
        self.board, self.history, self.notes = FixedBoard(), Periods(), Notes()
        self.instruments, self.events = Instruments(), []
        self._keys = {"realtime_s": 30.0, "overtime_s": 5.0, "recount": 3} | keys
        self._account = account or {}
        self._host = {"strict": strict} | (host or {})

    def wall_ms(self):
        return T0_MS + round((asyncio.get_running_loop().time() - self.began_s) * 1000)

    def now(self):
        at = self.wall_ms()
        return Instant(at, at - T0_MS, "00000001", trusted=self.trusted)

    async def __aenter__(self):
        self.began_s = asyncio.get_running_loop().time()
        (self.folder / "pw").write_text("123456\n")
        (self.folder / "pw").chmod(0o600)
        (self.folder / "key").write_text(KEY + "\n")
        (self.folder / "key").chmod(0o600)
        account = {
            "factors": FACTORS,
            "overtime_s": self._keys["overtime_s"],
            "recount": self._keys["recount"],
            "key": bytes.fromhex(KEY) if self.encrypted else None,
            **self._account,
        }
        self.host = Host(
            [Account(MN, version=self.version, **account)],
            utc_s=lambda: self.wall_ms() / 1000,
            faults=self.faults,
            **self._host,
        )
        self.port = await self.host.open()
        self.start()
        return self

    def start(self):
        """Make our side of what the files and notes say."""
        self.target = Hj212Target(
            name="city",
            host="127.0.0.1",
            port=self.port,
            version=self.version,
            password_file=self.folder / "pw",
            key_file=self.folder / "key" if self.encrypted else None,
            **{"mn": MN, "station": self.station.name, "st": "31", **self._keys},
        )
        reception = receive(
            self.target,
            self.station,
            notes=self.notes,
            folder=self.folder,
            history=self.history,
            marks=self.marks,
            instruments=self.instruments,
            now=self.now,
            tell=self.events.append,
            timezone="Asia/Shanghai",
            facilities=self.facilities,
        )
        self.settings = reception.settings
        self.pump = Hj212Pump(
            self.target,
            self.station,
            self.source,
            reception.settings,
            reception.host,
            board=self.board,
            marks=self.marks,
            timezone="Asia/Shanghai",
            wall_ms=self.wall_ms,
            trusted=lambda: self.trusted,
            started_ms=self.wall_ms(),
            sealer=reception.access.open,
            ledger=self.ledger,
        )
        self.task = asyncio.create_task(self.pump.run(), name="pump")

    async def end(self):
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task

    async def again(self):
        """A restart."""
        await self.end()
        await asyncio.sleep(1)
        self.start()
        await self.host.arrived(MN)

    async def __aexit__(self, *exc):
        await self.end()
        await self.host.close()
        for _ in range(5):
            await asyncio.sleep(0)

    # -- what is measured ---------------------------------------------------------

    def shows(self, **values):
        """The board's newest values, from now on."""
        for name, value in values.items():
            self.board[name] = Newest(Fraction(str(value)), self.wall_ms())

    def put(self, found):
        """A period is worked out: it goes into history and buffer."""
        self.history[found.kind, found.t_ms] = found
        return self.source.append(
            stored(found, "0000002a"),
            PriorityClass.AGGREGATE,
            found.station,
            found.t_ms,
        )

    def minute(self, **values):
        """The minute that has just ended; returns its DataTime."""
        t_ms = self.wall_ms() // MINUTE_MS * MINUTE_MS - MINUTE_MS
        self.put(period(t_ms, **(values or {"so2": "1.0", "dust": "1"})))
        return self.label(t_ms)

    def remember(self, count, kind="minute", **values):
        """Periods that are in the history alone, up to now."""
        length = {"minute": 1, "hour": 60, "day": 1440}[kind] * MINUTE_MS
        zone = 8 * 60 * MINUTE_MS
        last = (self.wall_ms() + zone) // length * length - zone - length
        for number in range(count):
            t_ms = last - number * length
            found = period(t_ms, kind, **(values or {"so2": "12.3", "dust": "1"}))
            self.history[kind, t_ms] = found
        return last

    def fates(self):
        """What became of periods, as history was told: sent, written, proved."""
        return [fate for *_, fate in self.marks.marked]

    def told(self, what):
        """Values of the events of this type."""
        return [one.values for one in self.events if one.type == what]

    def label(self, t_ms):
        """A DataTime."""
        return stamp(t_ms / 1000)

    def account(self, **keys):
        """What the platform has on file, changed."""
        self.host.accounts[MN] = replace(self.host.accounts[MN], **keys)
