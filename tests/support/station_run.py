"""A station without its gateway: readings in, periods out, a history in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.values import Flaw, Quality
from gateway.average.averager import Averager
from gateway.average.past import Stored
from gateway.clock import Instant
from gateway.config.loader import load_site
from gateway.record import Scan, decode, encode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gateway.aggregate import Period, PeriodKind
    from gateway.config.model import Site
    from gateway.judge.states import State
    from gateway.record import DatedTime

BOOT, META = "0a0b0c0d", "0a0b0c0d"


class MemoryHistory:
    """What the history keeps, encoded as it keeps it."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str, int, int], bytes] = {}

    async def put(self, records: Sequence[Stored]) -> Sequence[Stored]:
        """See ``past.History``."""
        refused = []
        for one in records:
            period = one.period
            key = period.station, period.kind, period.t_ms, period.rev
            data = encode(period, one.meta)
            if self.kept.setdefault(key, data) != data:
                refused.append(one)
        return refused

    async def last(self, station: str, kind: PeriodKind) -> int | None:
        """See ``past.History``."""
        return max((k[2] for k in self.kept if k[:2] == (station, kind)), default=None)

    async def read(
        self, station: str, kind: PeriodKind, since_ms: int, until_ms: int
    ) -> Sequence[Stored]:
        """See ``past.History``."""
        latest: dict[int, bytes] = {}
        for key in sorted(self.kept):
            if key[:2] == (station, kind) and since_ms <= key[2] < until_ms:
                latest[key[2]] = self.kept[key]
        found = (decode(data) for _, data in sorted(latest.items()))
        return [Stored(period, meta) for period, meta in found]  # type: ignore[arg-type]


class StationRun:
    """An averager, its clock moved by hand."""

    def __init__(
        self,
        site: Site,
        wall_ms: int,
        *,
        history: MemoryHistory | None = None,
        note: bytes | None = None,
        mono_ms: int = 1_000_000,
    ) -> None:
        self.site = site
        self.history = history or MemoryHistory()
        self.told: list[Period] = []
        self.note = note
        self.mono_ms = mono_ms
        self.offset_ms = wall_ms - mono_ms
        self.trusted = True
        self.declared: list[tuple[str, int, int, State]] = []
        """Windows: device, since and until (wall ms), state."""
        self.dates: dict[Instant, DatedTime] = {}
        self.averager = Averager(
            self.history,
            lambda period, _meta: self.told.append(period),
            meta=lambda: META,
            now=self.now,
            when=self.dates.get,
            remember=self._remember,
            remembered=self._remembered,
            recalled=note,
            declared=self._state_at,
        )
        self.averager.adopt(site)
        self.sink = self.averager.before(site.devices.values(), lambda _record: None)

    def now(self) -> Instant:
        """This instant."""
        wall_ms = self.mono_ms + self.offset_ms
        return Instant(wall_ms, self.mono_ms, BOOT, self.trusted)

    def at(self, wall_ms: int) -> None:
        """Let time pass until then."""
        self.mono_ms = wall_ms - self.offset_ms

    def scan(
        self,
        device: str,
        t_ms: int,
        values: dict[str, float],
        *,
        bad: dict[str, str] | None = None,
        doubtful: dict[str, str] | None = None,
        sampled: dict[str, int] | None = None,
        states: dict[str, str] | None = None,
    ) -> None:
        """What a judged scan of this time said."""
        flaws = {p: Flaw(Quality.BAD, why) for p, why in (bad or {}).items()}
        flaws |= {
            p: Flaw(Quality.UNCERTAIN, why) for p, why in (doubtful or {}).items()
        }
        at = Instant(t_ms, t_ms - self.offset_ms, BOOT, self.trusted)
        self.sink(Scan(device, at, dict(values), flaws, sampled=sampled, states=states))

    async def tick(self, wall_ms: int) -> list[Period]:
        """What is told by this time that was not before."""
        self.at(wall_ms)
        before = len(self.told)
        await self.averager.tick()
        return self.told[before:]

    def killed(self, wall_ms: int) -> StationRun:
        """The next run after a kill: the history, and the last note, are left."""
        return StationRun(
            self.site,
            wall_ms,
            history=self.history,
            note=self.note,
            mono_ms=self.mono_ms + 1000,
        )

    def change(self, site: Site) -> None:
        """A reload."""
        self.site = site
        self.averager.adopt(site)
        self.sink = self.averager.before(site.devices.values(), lambda _record: None)

    def _state_at(self, device: str, at: Instant) -> State | None:
        for whose, since_ms, until_ms, state in self.declared:
            if device == whose and since_ms <= at.mono_ms + self.offset_ms < until_ms:
                return state
        return None

    def _remember(self, note: bytes) -> None:
        self.note = note

    async def _remembered(self) -> None:
        return None


def site_of(tmp_path: Path, text: str) -> Site:
    """The site of a file."""
    path = tmp_path / "site.yaml"
    path.write_text(text, encoding="utf-8")
    return load_site(path)
