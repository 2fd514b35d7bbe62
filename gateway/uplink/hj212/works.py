"""Carrying out what was decided: settings, secrets, pulls of history, instruments.

A plan is a stream of steps: frames to send, and at the end how it went.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING

import msgspec

from buffer import DiskTroubleError
from drivers.hj212.commands import DATA_ANSWER
from drivers.hj212.seal import SealError
from gateway.aggregate import Period
from gateway.texts import t
from gateway.uplink.hj212 import decide as plans
from gateway.uplink.hj212 import told
from gateway.uplink.hj212.civil import Civil
from gateway.uplink.hj212.codes import ExeRtn
from gateway.uplink.hj212.instruments import look, write
from gateway.uplink.hj212.pull import clipped, stored, utc_ms
from gateway.uplink.hj212.seams import Upload
from gateway.uplink.hj212.settings import Done

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from drivers.hj212.cp import Item
    from drivers.hj212.segment import Segment
    from gateway.clock import Instant
    from gateway.config.model import Hj212Target
    from gateway.config.stations import Station
    from gateway.record import Event
    from gateway.uplink.hj212.access import Access
    from gateway.uplink.hj212.decide import Plan
    from gateway.uplink.hj212.instruments import Instruments
    from gateway.uplink.hj212.seams import Encoder, History, Marks
    from gateway.uplink.hj212.settings import HostSettings

log = logging.getLogger(__name__)

AGREES_MS = 5_000
"""A platform whose time is as near as this to ours has nothing to set."""
CHANGES = (plans.Set, plans.SetPassword, plans.SetKey, plans.SetClock, plans.Act)
"""Plans that are carried out once, however often the request comes."""
ONCE = (plans.SetPassword, plans.SetKey, plans.Act)
"""Those of which that holds after a restart as well."""


class Sent(msgspec.Struct):
    """A frame of a stored period; its last one tells what became of the period."""

    upload: Upload
    period: Period | None


Step = Upload | Sent | ExeRtn


class Works:
    """What one platform may have done."""

    def __init__(
        self,
        conf: Hj212Target,
        station: Station,
        *,
        settings: HostSettings,
        access: Access,
        history: History,
        encoder: Encoder,
        marks: Marks,
        instruments: Instruments,
        now: Callable[[], Instant],
        tell: Callable[[Event], None],
        timezone: str,
    ) -> None:
        """Prepare.

        Args:
            conf: The platform, and what it may do.
            station: Whose data it gets.
            settings: What it may set, as it stands.
            access: Its password and keys.
            history: Stored periods.
            encoder: Makes frames of them.
            marks: Told which of them it has.
            instruments: The workers.
            now: The clock.
            tell: Takes events.
            timezone: The site's, for times in requests.
        """
        self.conf = conf
        self.station = station
        self.settings = settings
        self.access = access
        self.now = now
        self.tell = tell
        self.civil = Civil(timezone)
        self._history = history
        self._encoder = encoder
        self._marks = marks
        self._instruments = instruments
        self._timezone = timezone

    async def carry_out(
        self, segment: Segment, plan: Plan
    ) -> AsyncGenerator[Step, None]:
        """All of it; the last step is how it went."""
        match plan:
            case plans.Set():
                self.set(plan)
                yield ExeRtn.DONE
            case plans.SetPassword():
                yield await self._set_password(plan.password)
            case plans.SetKey():
                yield await self._set_key(plan.key)
            case plans.SetClock():
                yield self._set_clock(plan.time)
            case plans.Tell():
                yield self._reply(segment, (((plan.name, self._value(plan.name)),),))
                yield ExeRtn.DONE
            case plans.Pull():
                async with aclosing(self._pull(segment.cn, plan)) as steps:
                    async for step in steps:
                        yield step
            case plans.Act():
                code = await self._act(segment, plan)
                if code is ExeRtn.DONE and plan.also:
                    yield await self._vase(segment, plan) or code
                yield code
            case plans.Look():
                code, items = await look(self._instruments, plan.items, plan.factor)
                if code is ExeRtn.DONE:
                    yield self._reply(segment, self._about(segment, items))
                yield code

    def set(self, plan: plans.Set) -> None:
        """Settings become others: told one by one."""
        at = self.now()
        for name, (old, new) in self.settings.change(plan.values).items():
            self.tell(told.setting(self.conf.name, name, old, new, at))

    async def _set_password(self, password: str) -> ExeRtn:
        try:
            await asyncio.to_thread(self.access.keep_password, password)
        except OSError as exc:
            return self._not_kept("password", exc)
        self.settings.tell()
        self.tell(told.secret(self.conf.name, "password", self.now()))
        return ExeRtn.DONE

    async def _set_key(self, text: str) -> ExeRtn:
        """Keep it; it is in force as soon as the platform was told so."""
        try:
            weak = await asyncio.to_thread(self.access.keep_key, text)
        except SealError:
            return ExeRtn.FAILED
        except OSError as exc:
            return self._not_kept("key", exc)
        self.tell(told.secret(self.conf.name, "key", self.now(), weak=weak))
        return ExeRtn.DONE

    def _not_kept(self, name: str, exc: OSError) -> ExeRtn:
        said = t("log.hj212_not_kept", target=self.conf.name, what=name, error=exc)
        log.warning("%s", said)
        return ExeRtn.SYSTEM

    def _set_clock(self, digits: str) -> ExeRtn:
        at = self.now()
        asked_ms = utc_ms(digits, self._timezone)
        agrees = (
            at.trusted
            and asked_ms is not None
            and abs(asked_ms - at.wall_ms) <= AGREES_MS
        )
        ours = self.civil.time(at.wall_ms)
        self.tell(told.clock(self.conf.name, digits, ours, at, agrees=agrees))
        return ExeRtn.DONE if agrees else ExeRtn.FAILED

    async def _pull(self, cn: int, plan: plans.Pull) -> AsyncGenerator[Step, None]:
        since = utc_ms(plan.begin, self._timezone)
        until = utc_ms(plan.end, self._timezone)
        if since is None or until is None:
            yield ExeRtn.NO_DATA
            return
        since, until = clipped(since, until, self.now().wall_ms)
        station, code = self.station.name, ExeRtn.NO_DATA
        periods = stored(self._history, station, plan.kind, since, until)
        try:
            async with aclosing(periods) as found:
                async for period in found:
                    frames = [f for f in self._encoder.period(period) if f.cn == cn]
                    for number, frame in enumerate(frames, 1):
                        yield Sent(frame, period if number == len(frames) else None)
                        code = ExeRtn.DONE
        except DiskTroubleError as exc:
            log.warning("target %s: %d cannot be read: %s", self.conf.name, cn, exc)
            code = ExeRtn.SYSTEM
        yield code

    def sent(self, step: Sent, reply: Segment | None) -> bool:
        """Note what became of a period; False: the platform takes no more."""
        proved = reply is not None and reply.cn == DATA_ANSWER
        period = step.period
        written = not self.conf.answer
        if period is not None and (proved or written):
            self._marks.mark(
                self.conf.name,
                period.station,
                period.kind,
                period.t_ms,
                proved=proved,
                rev=period.rev,
                written=written,
            )
        return proved or not self.conf.answer

    async def _act(self, segment: Segment, plan: plans.Act) -> ExeRtn:
        # Before it is done: after a power cut in between, nobody may do it again.
        self.note_done(segment, ExeRtn.FAILED)
        code = ExeRtn.FAILED
        for order, value in plan.writes:
            code = ExeRtn.FAILED
            try:
                code = await write(self._instruments, order, value)
            finally:
                self.tell(
                    told.acted(
                        self.conf.name, segment.cn, order, value, code, self.now()
                    )
                )
            if code is not ExeRtn.DONE:
                break
        return code

    async def _vase(self, segment: Segment, plan: plans.Act) -> Upload | None:
        """Which bottle a sample was kept in; None: it does not say."""
        code, items = await look(self._instruments, plan.also, segment.get("PolId"))
        if code is not ExeRtn.DONE:
            return None
        return self._reply(segment, self._about(segment, items))

    def _value(self, name: str) -> str:
        if name == "SystemTime":
            return self.civil.time(self.now().wall_ms)
        if name == "MinInterval":
            return str(self.station.minute_s // 60)
        return str(round(self.settings.rtd_interval_s))

    def _about(self, segment: Segment, items: tuple[Item, ...]) -> tuple[Item, ...]:
        """What stands before values that were read: when, and of which instrument."""
        before: list[Item] = []
        if segment.cn == 3020:  # noqa: PLR2004
            before.append((("DataTime", self.civil.time(self.now().wall_ms)),))
        factor = segment.get("PolId")
        if factor is not None:
            before.append((("PolId", factor),))
        return (*before, *items)

    def _reply(self, segment: Segment, items: tuple[Item, ...]) -> Upload:
        return Upload(cn=segment.cn, items=items, qn=segment.qn, answer=False)

    def note_done(self, segment: Segment, code: ExeRtn) -> None:
        """Remember a request over restarts, so that it is not carried out again."""
        self.settings.note_done(Done(segment.qn or "", segment.cn, int(code)))
