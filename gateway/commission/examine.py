"""Gathering evidence on a bus: listen, ask as configured, then ask otherwise.

Each step is taken only where the ones before leave a question open. Everything is read
only: reads of registers and identifiers, nothing is written, no device is set.
"""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING

import msgspec

from drivers.dlt645.frame import ANY_METER
from drivers.errors import BusError
from gateway.commission import frames
from gateway.commission.door import Setting
from gateway.commission.evidence import Evidence, Overheard, Trial, What, text_in
from gateway.commission.shown import show
from gateway.commission.tap import Exchange

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from drivers.profiles.model import ModbusPoint
    from gateway.commission.door import Door
    from gateway.commission.evidence import BusFacts, Want
    from gateway.commission.tap import Tap

LISTEN_S = 1.3
"""Instruments that stream do so once a second; pollers more often."""
PATIENT_S = 2.5
ELSEWHERE_S = 0.5
RAPID, SPACED, SPACED_S = 8, 4, 0.4
ASKED = 3
_DEVICES = 4
_SETTLE_S = 0.06
_UNITS = (*range(1, 17), 247)
_BAUDS = (9600, 19200, 4800, 2400, 115200, 38400, 57600, 1200)
_FRAMINGS = ("8N1", "8E1", "8O1", "8N2")
_METER_SETTINGS = (
    Setting(2400, "8E1"), Setting(9600, "8E1"), Setting(1200, "8E1"),
    Setting(4800, "8E1"), Setting(9600, "8N1"), Setting(2400, "8N1"),
)  # fmt: skip
_ASCII_SETTINGS = (Setting(9600, "7E1"), Setting(19200, "7E1"), Setting(9600, "8N1"))
_LISTEN_ALSO = (9600, 4800, 115200, 38400, 19200, 2400)


class Examination:
    """One examination; ``evidence`` grows while it runs."""

    def __init__(
        self,
        door: Door,
        facts: BusFacts,
        wants: Sequence[Want],
        points: Callable[[str], Sequence[ModbusPoint]] = lambda _device: (),
    ) -> None:
        """Prepare.

        Args:
            door: The way to the port.
            facts: The bus as configured.
            wants: What its devices are asked.
            points: Of a device, by its name.
        """
        self.evidence = Evidence(facts, list(wants))
        self._door = door
        self._facts = facts
        self._points = points
        self._number = 0

    async def run(self) -> AsyncGenerator[str]:
        """Gather; yields the word of each step as it begins (``doctor.doing.<word>``).

        Raises:
            BusError: The owner of the port lost it for another reason than we look for.
        """
        try:
            async for step in self._steps():
                yield step
        except OSError as exc:
            self._lost(exc)
        except BusError as exc:
            cause = exc.__cause__
            if not isinstance(cause, OSError):
                raise
            self._lost(cause)

    def _lost(self, exc: OSError) -> None:
        self.evidence.open_error = errno.errorcode.get(exc.errno or 0, "other")
        self.evidence.open_text = exc.strerror or str(exc)

    async def _steps(self) -> AsyncGenerator[str]:
        evidence = self.evidence
        yield "listen"
        await self._listen(self._facts.setting, LISTEN_S)
        async for step in self._understand():
            yield step
        yield "ask"
        for want in evidence.wants[:_DEVICES]:
            await self._ask_as_configured(want)
        evidence.subject = self._in_question()
        subject = evidence.subject
        if subject is None:
            return
        tried = [t for t in evidence.of("asked") if t.address == subject.address]
        if isinstance(subject.address, str) and any(t.good for t in tried):
            return
        if any(t.good for t in tried):
            yield "values"
            await self._values(subject)
            yield "rhythm"
            await self._rhythm(subject)
        elif any(t.exception for t in tried):
            yield "refused"
            await self._refused(subject)
        else:
            async for step in self._elsewhere(subject):
                yield step

    # -- listening ------------------------------------------------------------

    async def _listen(self, setting: Setting | None, seconds: float) -> Overheard:
        chunks = await self._door.use(setting, lambda tap: tap.listen(seconds))
        pieces, last = 0, -1.0
        for chunk in chunks:
            pieces += chunk.at - last > _SETTLE_S
            last = chunk.at
        data = b"".join(chunk.data for chunk in chunks)
        heard = Overheard(str(setting or ""), seconds, data, pieces)
        self.evidence.overheard.append(heard)
        return heard

    async def _understand(self) -> AsyncGenerator[str]:
        """Where somebody speaks and cannot be read: listen at other speeds."""
        ours, heard = self._facts.setting, self.evidence.overheard[0]
        unread = heard.data.strip(b"\0") and not text_in(heard.data)
        if ours is None or not unread or frames.rtu_requests(heard.data):
            return
        for baud in _LISTEN_ALSO:
            if baud == ours.baud:
                continue
            yield "listen_elsewhere"
            found = await self._listen(Setting(baud, "8N1"), LISTEN_S)
            if text_in(found.data) or frames.rtu_requests(found.data):
                return

    # -- asking ---------------------------------------------------------------

    async def _try(
        self,
        what: What,
        want: Want,
        wait_s: float,
        *,
        setting: Setting | None = None,
        frame: bytes = b"",
        address: int | str | None = None,
        function: int | None = None,
        start: int | None = None,
        count: int | None = None,
        pause_s: float = 0.0,
    ) -> Trial:
        """One question, noted as evidence."""
        unit = want.address if address is None else address
        function = want.function if function is None else function
        start = want.start if start is None else start
        count = want.count if count is None else count
        how = setting or self._facts.setting
        known = {w.address for w in self.evidence.wants}
        sent = frame or self._frame(unit, function, start, count)

        def trial(exchange: Exchange) -> Trial:
            first = exchange.first_s
            return Trial(
                what=what,
                address=unit,
                setting=str(how or ""),
                sent=sent,
                received=exchange.received,
                first_ms=None if first is None else round(1000 * first),
                wait_s=wait_s,
                closed=exchange.closed,
                function=function,
                start=start,
                count=count,
            )

        def done(received: bytes) -> bool:
            got = trial(Exchange(sent, received, 0.0, closed=False))
            return got.right is not None or got.good

        async def work(tap: Tap) -> Exchange:
            if pause_s:
                await asyncio.sleep(pause_s)
            exchange = await tap.ask(sent, done, wait_s, settle_s=_SETTLE_S)
            ours = unit in known and how == self._facts.setting
            if self._door.hold_s and ours and not done(exchange.received):
                await tap.listen(self._door.hold_s)
            return exchange

        made = trial(await self._door.use(how, work))
        self.evidence.trials.append(made)
        return made

    def _frame(self, unit: int | str, function: int, start: int, count: int) -> bytes:
        """A question in the framing the bus is configured for."""
        protocol = self._facts.protocol
        if isinstance(unit, str) or protocol == "dlt645":
            return frames.read_item(str(unit), frames.ENERGY)
        if protocol == "modbus-ascii":
            return frames.ascii_request(unit, function, start, count)
        tcp = 0
        if protocol == "modbus-tcp":
            self._number += 1
            tcp = self._number
        return frames.read_registers(unit, function, start, count, tcp=tcp)

    async def _ask_as_configured(self, want: Want) -> None:
        for _ in range(ASKED):
            trial = await self._try("asked", want, self._facts.timeout_s)
            if trial.result in ("silence", "echo") and not self._waited(want):
                await self._wait_on(want, trial)
                if self._late(want):
                    return  # its answers would be taken for those to later questions

    def _waited(self, want: Want) -> bool:
        return any(t.address == want.address for t in self.evidence.of("patient"))

    def _late(self, want: Want) -> bool:
        """Whether an answer came after the time-out."""
        late = self.evidence.of("patient")
        return any(t.address == want.address and t.right for t in late)

    async def _wait_on(self, want: Want, trial: Trial) -> None:
        """Does an answer still come?"""
        loop = asyncio.get_running_loop()
        start = loop.time()
        setting = self._facts.setting
        chunks = await self._door.use(setting, lambda tap: tap.listen(PATIENT_S))
        received = b"".join(chunk.data for chunk in chunks)
        first = None
        if chunks:
            ago = chunks[0].at - start
            first = round(1000 * (self._facts.timeout_s + max(0.0, ago)))
        self.evidence.trials.append(
            msgspec.structs.replace(
                trial,
                what="patient",
                received=received,
                first_ms=first,
                wait_s=trial.wait_s + PATIENT_S,
            )
        )

    def _in_question(self) -> Want | None:
        """The device to look at: the first that is silent, then refused, then any."""
        wants = self.evidence.wants[:_DEVICES]

        def rank(want: Want) -> int:
            tried = [t for t in self.evidence.trials if t.address == want.address]
            if all(t.good for t in tried):
                return 3
            if any(t.good for t in tried):
                return 2
            return 1 if any(t.exception for t in tried) else 0

        return min(wants, key=rank, default=None)

    # -- it answers -----------------------------------------------------------

    async def _values(self, want: Want) -> None:
        """Read the block and its neighbour, and show what orders make of it."""
        points = self._points(want.device)
        if not points:
            return
        tried = [t for t in self.evidence.of("asked") if t.address == want.address]
        good = next(t for t in tried if t.good)
        answer = good.right
        assert answer is not None  # noqa: S101 it is good
        below = b""
        if want.start > 0:
            lower = await self._try("shifted", want, 1.0, start=want.start - 1)
            below = lower.right.data if lower.good and lower.right else b""
        self.evidence.values = show(points, good, answer.data, below)

    async def _rhythm(self, want: Want) -> None:
        """Small reads as fast as may be, then slowly: does the pause matter?"""
        wait = self._facts.timeout_s
        for _ in range(RAPID):
            await self._try("rapid", want, wait, count=1)
        for _ in range(SPACED):
            await self._try("spaced", want, wait, count=1, pause_s=SPACED_S)

    async def _refused(self, want: Want) -> None:
        """Refused: the other table, the register below, fewer registers."""
        other = {3: 4, 4: 3}.get(want.function)
        if other is not None:
            await self._try("table", want, 1.0, function=other)
        if want.start > 0:
            await self._try("shifted", want, 1.0, start=want.start - 1)
        count = want.count // 2
        while count >= 1:
            trial = await self._try("count", want, 1.0, count=count)
            if trial.good:
                break
            count //= 2

    # -- it does not ----------------------------------------------------------

    async def _elsewhere(self, want: Want) -> AsyncGenerator[str]:
        """Nothing usable: patience, other words, other settings, other addresses."""
        if self._facts.protocol == "dlt645":
            yield "elsewhere"
            await self._meter_elsewhere(want)
            return
        if self._late(want):
            return
        yield "patient"
        if want.count > 1:
            await self._try("small", want, 1.0, count=1)
        tried = [t for t in self.evidence.trials if t.address == want.address]
        if any(t.good or t.exception for t in tried):
            await self._rhythm(want)
            return
        if self._facts.setting is None:
            yield "framing"
            await self._other_framing(want)
        elif not any(t.cut for t in tried):
            async for step in self._other_settings(want):
                yield step
        yield "units"
        await self._other_units(want)

    async def _other_settings(self, want: Want) -> AsyncGenerator[str]:
        ours = self._facts.setting
        assert ours is not None  # noqa: S101 - serial only
        yield "protocols"
        for setting in dict.fromkeys((ours, *_ASCII_SETTINGS)):
            unit = want.address
            if isinstance(unit, int):
                frame = frames.ascii_request(unit, want.function, want.start, 1)
                trial = await self._try(
                    "ascii", want, 1.0, setting=setting, frame=frame, count=1
                )
                if trial.answers:
                    return
        if await self._meters((ours, *_METER_SETTINGS), want):
            return
        yield "settings"
        speeds = dict.fromkeys((ours.baud, *_BAUDS))
        for baud in speeds:
            for framing in _FRAMINGS if baud == ours.baud else _FRAMINGS[:2]:
                setting = Setting(baud, framing)
                if setting == ours:
                    continue
                trial = await self._try(
                    "setting", want, ELSEWHERE_S, setting=setting, count=1
                )
                if trial.result in ("answer", "exception"):
                    return

    async def _meters(self, settings: Sequence[Setting], want: Want) -> bool:
        """Whether a DL/T 645 meter answers at any of these."""
        frame = frames.read_address()
        for setting in dict.fromkeys(settings):
            trial = await self._try(
                "meter", want, 0.6, setting=setting, frame=frame, address=ANY_METER
            )
            if trial.good:
                return True
        return False

    async def _meter_elsewhere(self, want: Want) -> None:
        ours = self._facts.setting
        settings = (ours, *_METER_SETTINGS) if ours is not None else ()
        if ours is None or await self._meters([s for s in settings if s], want):
            return
        likely = (
            Setting(9600, "8N1"),
            ours,
            Setting(9600, "8E1"),
            Setting(4800, "8N1"),
        )
        for setting in likely:
            for unit in _UNITS:
                frame = frames.read_registers(unit, 3, 0, 1)
                trial = await self._try(
                    "unit", want, 0.25, setting=setting, frame=frame, address=unit
                )
                if trial.result in ("answer", "exception"):
                    return

    async def _other_framing(self, want: Want) -> None:
        """RTU to a Modbus TCP port, or the reverse."""
        if isinstance(want.address, str):
            return
        tcp = 0 if self._facts.protocol == "modbus-tcp" else 1
        frame = frames.read_registers(
            want.address, want.function, want.start, 1, tcp=tcp
        )
        await self._try("other_framing", want, 1.5, frame=frame, count=1)

    async def _other_units(self, want: Want) -> None:
        known = {w.address for w in self.evidence.wants}
        if any(t.good for t in self.evidence.of("setting", "meter", "ascii")):
            return
        for unit in _UNITS:
            if unit not in known:
                await self._try("unit", want, 0.25, address=unit, count=1)
