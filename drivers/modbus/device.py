"""One unit on a Modbus bus, as a bus worker sees it.

A scan asks block after block, in an order that spares waiting (``order``). What costs
the others nothing ends nothing: an exception reply is a sign of life, and the next
block is asked. Silence or a bad frame ends the scan, because a unit that is silent once
is silent for every block, and each would cost a time-out. An answer that could not be
proved says nothing about the next block's, but a second one ends the scan as well. A
refused block is searched for the culprit at once (``refusals``), so that its other
points still get their value in the same scan.

The device holds no port, schedules nothing and retries nothing. What it keeps are
plans, compiled decoders, and what the unit refuses.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from drivers.errors import (
    PointError,
    PointUnsupportedError,
    ProfileError,
    TransientError,
    UnprovableError,
)
from drivers.modbus import decode
from drivers.modbus.block import Block, block
from drivers.modbus.bus import NOTHING_ASKED
from drivers.modbus.order import any_alike, split, take_next
from drivers.modbus.plan import Limits, plan
from drivers.modbus.refusals import Refusals
from drivers.modbus.write import encode
from drivers.values import Answer, Flaw, Quality, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import tzinfo

    from drivers.errors import DriverError
    from drivers.modbus.decode import Decoder
    from drivers.modbus.proof import Outlook
    from drivers.modbus.transaction import Bus, Reply, Span, Timing
    from drivers.profiles.model import ModbusPoint

    Look = Callable[[int, Span], Outlook]

UNSUPPORTED = Flaw(Quality.BAD, "unsupported")
SEARCHING = Flaw(Quality.BAD, "searching")
"""A block was refused and the search for the culprit goes on in the next scan."""

_GATEWAY_SILENT = frozenset({"exception_10", "exception_11"})
"""A gateway's word that the unit behind it gave none (V1.1b3, 7: codes 0A and 0B)."""
_SEARCH_REQUESTS = 40
_SEARCH_S = 2.0
"""Refusals taken, and time spent on them, in one scan: others wait for the bus."""
_DETAIL_LINES = 3
_MOST_PARTS = 512
_REMEMBERED = 8
"""Exchanges that say how long one takes."""
_MOST_PLANS = 64
"""Sets of points asked for together; few, as periods are few."""


class _Asked(NamedTuple):
    """One request of a plan, ready to be sent and read."""

    block: Block
    decoder: Decoder
    searching: bool = False
    """Asked to find out why a larger block was refused."""


class _Ready(NamedTuple):
    version: int
    requests: tuple[_Asked, ...]
    unsupported: tuple[str, ...]
    alike: bool
    """Whether some have the same size."""


class ModbusDevice:
    """One configured unit; implements ``drivers.values.Device``."""

    def __init__(
        self,
        name: str,
        unit: int,
        bus: Bus,
        points: Iterable[ModbusPoint],
        timing: Timing,
        max_registers: int = 125,
        *,
        limits: Limits | None = None,
        refusals: Refusals | None = None,
        zone: tzinfo | None = None,
    ) -> None:
        """Set up a unit; nothing is sent.

        Args:
            name: What the site file calls it; used in messages.
            unit: Modbus address, 1..247 (0..255 over TCP).
            bus: The line or connection it is on.
            points: Everything that may be asked for.
            timing: How long this unit may take.
            max_registers: The most registers it accepts in one request.
            limits: All limits of a plan; overrides ``max_registers``.
            refusals: What is known to be refused (tests, or carried over a reload).
            zone: The civil time that its clock shows; None: UTC.
        """
        self.name = name
        self.unit = unit
        self._bus = bus
        self._points = {point.name: point for point in points}
        self._timing = timing
        self._limits = limits or Limits(registers=max_registers)
        self._refusals = refusals or Refusals()
        self._zone = zone
        self._plans: dict[tuple[str, ...], _Ready] = {}
        self._parts: dict[int, tuple[_Asked, tuple[_Asked, _Asked] | None]] = {}
        self._exchange_s = 0.0
        # A bus that does not know is asked in the order of the plan.
        self._bus_outlook: Look | None = getattr(bus, "outlook", None)

    @property
    def points(self) -> tuple[ModbusPoint, ...]:
        """Everything that may be asked for."""
        return tuple(self._points.values())

    async def scan(
        self,
        points: Sequence[str],
        *,
        wait_s: float | None = None,
        want_raw: bool = False,
    ) -> Answer:
        """Ask for these points now; see ``drivers.values.Device.scan``.

        Raises:
            BusError: The port is gone.
            ProfileError: A name is no point of this device.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._refusals.lapse(began)
        ready = self._ready(tuple(points))
        scan = _Scan(want_raw=want_raw)
        for name in ready.unsupported:
            scan.bad(self._points[name], UNSUPPORTED)
        todo = deque(ready.requests)
        while todo:
            asked = take_next(
                todo,
                self._outlook,
                self._halves,
                self._exchange_s,
                alike=ready.alike or scan.refusals > 0,
            )
            span = asked.block.span
            if asked.searching and scan.search_until < loop.time():
                scan.put_off(asked.block.points)
                continue
            try:
                reply = await self._bus.read(self.unit, span, self._timing, wait_s)
            except PointUnsupportedError as exc:
                self._search(asked.block, exc, scan, todo)
            except PointError as exc:
                scan.note(self._say(asked.block, exc))
                if exc.reason in _GATEWAY_SILENT:
                    self._give_up((asked, *todo), exc, scan)
                    break
                scan.answered = True
                scan.all_bad(asked.block.points, exc.reason)
            except TransientError as exc:
                scan.note(self._say(asked.block, exc))
                if isinstance(exc, UnprovableError) and not scan.unprovable:
                    scan.unprovable = True
                    scan.all_bad(asked.block.points, exc.reason)
                    continue
                self._give_up((asked, *todo), exc, scan)
                break
            else:
                if reply.sent_at:
                    self._exchange_s += (
                        loop.time() - reply.sent_at - self._exchange_s
                    ) / _REMEMBERED
                    scan.first_sent_at = scan.first_sent_at or reply.sent_at
                self._take(asked, reply, scan)
        return scan.answer(began)

    async def write(self, point: str, value: Value, *, verify: bool = False) -> None:
        """Write one point within its limits and confirm the echo.

        Args:
            point: Name of a writable point.
            value: In the point's unit.
            verify: Read the point back and compare.

        Raises:
            DriverError: Not writable, out of its limits, refused, no answer, or
                (``verify``) the device kept another value: reason ``not_taken``.
        """
        target = self._points.get(point)
        if target is None:
            raise self._unknown(point)
        words = encode(target, value)
        await self._bus.write(
            self.unit, target.table, target.address, words, self._timing
        )
        if not verify:
            return
        exact = block([target])
        reply = await self._bus.read(self.unit, exact.span, self._timing)
        kept = _words(target, reply)
        if kept != words:
            raise PointError(
                f"device {self.name}, {point}: wrote {_hex(words)}, "
                f"read back {_hex(kept)}",
                reason="not_taken",
            )

    def worst_case_s(self, points: Sequence[str]) -> float:
        """The longest time this scan can hold the bus if nothing answers.

        One time-out, whatever the number of points: the first silence ends a scan.
        """
        if not points:
            return 0.0
        return self._timing.timeout_s + self._timing.pause_s

    def _ready(self, names: tuple[str, ...]) -> _Ready:
        ready = self._plans.get(names)
        if ready is not None and ready.version == self._refusals.version:
            return ready
        for name in names:
            if name not in self._points:
                raise self._unknown(name)
        chosen = {name: self._points[name] for name in names}
        planned = plan(chosen.values(), self._limits, self._refusals)
        ready = _Ready(
            self._refusals.version,
            tuple(self._asked(b) for b in planned.blocks),
            planned.unsupported,
            any_alike(b.span for b in planned.blocks),
        )
        if len(self._plans) >= _MOST_PLANS:
            self._plans.clear()
        self._plans[names] = ready
        return ready

    def _unknown(self, name: str) -> ProfileError:
        return ProfileError(f"device {self.name}: no point named {name!r}")

    def _take(self, asked: _Asked, reply: Reply, scan: _Scan) -> None:
        span = asked.block.span
        end = span.start + span.count
        if reply.start > span.start or reply.start + reply.count < end:
            message = f"bus read {reply.start}+{reply.count}, wanted {span}"
            raise ProfileError(f"device {self.name}: {message}")
        self._refusals.answered(asked.block, reply.start, reply.count)
        scan.answered = True
        asked.decoder.decode(reply.data, reply.start, scan.values, scan.flaws)
        if scan.raw is not None:
            scan.raw.update(asked.decoder.raw(reply.data, reply.start))

    def _search(
        self,
        refused: Block,
        exc: PointUnsupportedError,
        scan: _Scan,
        todo: deque[_Asked],
    ) -> None:
        """A block was refused: queue what finds out why, or mark its points."""
        scan.answered = True
        now = asyncio.get_running_loop().time()
        if not scan.refusals:
            scan.search_until = now + _SEARCH_S
        scan.refusals += 1
        parts = self._refusals.refused(refused, now)
        if not parts:
            scan.note(self._say(refused, exc))
            for point in refused.points:
                scan.bad(point, UNSUPPORTED)
        elif scan.refusals > _SEARCH_REQUESTS:
            scan.put_off(refused.points)
        else:
            todo.extendleft(
                self._asked(part, searching=True) for part in reversed(parts)
            )

    def _asked(self, wanted: Block, *, searching: bool = False) -> _Asked:
        reader = decode.decoder(wanted.points, wanted.span.start, self._zone)
        return _Asked(wanted, reader, searching)

    def _outlook(self, span: Span) -> Outlook:
        look = self._bus_outlook
        return NOTHING_ASKED if look is None else look(self.unit, span)

    def _halves(self, asked: _Asked) -> tuple[_Asked, _Asked] | None:
        """The same request in two, made once: the bus learns each one's room."""
        kept = self._parts.get(id(asked))
        if kept is not None and kept[0] is asked:
            return kept[1]
        if len(self._parts) >= _MOST_PARTS:
            self._parts.clear()
        parts = split(asked.block)
        both = None
        if parts is not None:
            left, right = (self._asked(p, searching=asked.searching) for p in parts)
            both = left, right
        self._parts[id(asked)] = asked, both
        return both

    def _give_up(self, left: Iterable[_Asked], exc: DriverError, scan: _Scan) -> None:
        for asked in left:
            scan.all_bad(asked.block.points, exc.reason)

    def _say(self, block_: Block, exc: DriverError) -> str:
        span = block_.span
        return (
            f"device {self.name}, unit {self.unit}, {span.table} "
            f"{span.start}+{span.count} ({', '.join(_some(block_.points))}): {exc}; "
            f"sent {exc.sent.hex(' ') or 'nothing'}; "
            f"received {exc.received.hex(' ') or 'nothing'}"
        )


class _Scan:
    """The answer of one scan as it grows."""

    def __init__(self, *, want_raw: bool) -> None:
        self.values: dict[str, Value] = {}
        self.flaws: dict[str, Flaw] = {}
        self.raw: dict[str, bytes] | None = {} if want_raw else None
        self.answered = False
        self.refusals = 0
        self.search_until = 0.0
        self.unprovable = False
        self.first_sent_at = 0.0
        self._notes: list[str] = []

    def bad(self, point: ModbusPoint, flaw: Flaw) -> None:
        self.flaws[point.name] = flaw
        for word in point.bits.values():
            self.flaws[f"{point.name}.{word}"] = flaw

    def all_bad(self, points: Iterable[ModbusPoint], reason: str) -> None:
        flaw = Flaw(Quality.BAD, reason)
        for point in points:
            self.bad(point, flaw)

    def put_off(self, points: Iterable[ModbusPoint]) -> None:
        for point in points:
            self.bad(point, SEARCHING)

    def note(self, text: str) -> None:
        if len(self._notes) < _DETAIL_LINES:
            self._notes.append(text)

    def answer(self, began: float) -> Answer:
        detail = "\n".join(self._notes)
        waited_s = max(0.0, self.first_sent_at - began)
        return Answer(
            self.values, self.flaws, self.answered, self.raw, detail, waited_s
        )


def _words(point: ModbusPoint, reply: Reply) -> tuple[int, ...]:
    raw = decode.decoder([point], point.address).raw(reply.data, reply.start)[
        point.name
    ]
    if point.table == "coil":
        return (raw[0],)
    return tuple(int.from_bytes(raw[i : i + 2], "big") for i in range(0, len(raw), 2))


def _hex(words: tuple[int, ...]) -> str:
    return " ".join(f"{word:04X}" for word in words)


def _some(points: Sequence[ModbusPoint], most: int = 3) -> list[str]:
    names = [point.name for point in points[:most]]
    return [*names, f"and {len(points) - most} more"] if len(points) > most else names
