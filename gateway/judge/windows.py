"""Maintenance windows: an operator says that a device is worked on, who, and why.

    start      who, why, for how long: an event, kept before it is answered
    in force   every reading of the device has the window's state, where the instrument
               shows none of its own
    end        by itself when its time is up, also over a restart or a power cut, or
               earlier by somebody: the same event, cleared

Nothing of a window can be changed. Another one beside it is another event with its own
person and reason; while both are in force the newer one counts.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Literal, get_args

import msgspec

from gateway.clock import Instant
from gateway.judge.times import passed_ms
from gateway.record import Event
from gateway.texts import LANGUAGES, both, t

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from drivers.values import Value
    from gateway.record import Record

log = logging.getLogger(__name__)

NOTE = "maintenance"
"""What is kept in the store."""
TYPE = "maintenance_window"
Kind = Literal["maintenance", "calibration", "stopped"]
KINDS: tuple[Kind, ...] = get_args(Kind)
SHORTEST_S, LONGEST_S = 60.0, 7 * 86_400.0
MOST_TEXT = 200
_LATE_MS = 3_600_000
"""A reading that comes in so late still finds the window in which it was taken."""
_LOOK_S = 60.0
"""A window of an earlier boot ends when the clock is trusted, or comes to be."""


class Window(msgspec.Struct, frozen=True, array_like=True):
    """One device, declared by one person for one reason."""

    id: str
    device: str
    state: Kind
    who: str
    why: str
    since: Instant
    length_ms: int
    ended: Instant | None = None
    """By somebody, before its time."""


def over(window: Window, at: Instant) -> bool:
    """Whether it is over at an instant.

    Of a window of an earlier boot, while no clock is trusted, nobody knows: it lasts
    until this boot alone has been as long. Too long is better than too short.
    """
    if window.ended is not None and _reached(window.ended, at):
        return True
    passed = passed_ms(window.since, at)
    return (at.mono_ms if passed is None else passed) >= window.length_ms


def begun(window: Window, at: Instant) -> bool:
    """Whether it had begun at an instant."""
    return _reached(window.since, at)


def _reached(moment: Instant, at: Instant) -> bool:
    """Whether an instant is not before a moment; of other boots they come later."""
    return moment.boot != at.boot or at.mono_ms >= moment.mono_ms


def planned_end(window: Window) -> Instant:
    """When its time is up, by the clocks of its beginning."""
    s, ms = window.since, window.length_ms
    return Instant(s.wall_ms + ms, s.mono_ms + ms, s.boot, s.trusted)


class Windows:
    """The windows in force."""

    def __init__(
        self,
        remember: Callable[[bytes | None], None],
        recalled: bytes | None,
        *,
        now: Callable[[], Instant],
    ) -> None:
        """Go on with what earlier runs kept.

        Args:
            remember: Keeps bytes in the store, at once.
            recalled: What was kept last.
            now: The clock.
        """
        self._remember = remember
        self._now = now
        self._standing = _read(recalled)
        self._recent: list[Window] = []
        self._changed = asyncio.Event()
        self.on_start: Callable[[Collection[str]], None] = lambda _devices: None
        """Called with the devices of which something new is declared."""

    # -- asked by the judge -------------------------------------------------

    def concerns(self, device: str) -> bool:
        """Whether anything is, or was lately, declared of a device."""
        return any(w.device == device for w in (*self._standing, *self._recent))

    def state_at(self, device: str, at: Instant) -> Kind | None:
        """What was declared of a device for an instant; the newest counts."""
        now = self._now().boot
        for window in reversed((*self._recent, *self._standing)):
            if at.boot != now == window.since.boot:
                continue  # nobody had declared it then: that was before this boot
            if window.device == device and begun(window, at) and not over(window, at):
                return window.state
        return None

    # -- asked by people ----------------------------------------------------

    def start(
        self, devices: Iterable[str], state: Kind, who: str, why: str, for_s: float
    ) -> Iterator[Record]:
        """Declare a window for each device, from now on.

        Yields:
            Their events.
        """
        at = self._now()
        taken = {w.id for w in (*self._standing, *self._recent)}
        new: list[Window] = []
        for device in dict.fromkeys(devices):
            id_, n = f"{TYPE}:{device}:{at.boot}:{at.mono_ms}", 1
            while id_ in taken:
                n += 1
                id_ = f"{TYPE}:{device}:{at.boot}:{at.mono_ms}.{n}"
            new.append(Window(id_, device, state, who, why, at, round(1000 * for_s)))
        self._standing.extend(new)
        self._keep()
        self.on_start([w.device for w in new])
        for window in new:
            yield _event(window, "raised", None, "")

    def end(self, devices: Iterable[str] | None, who: str) -> Iterator[Record]:
        """End the windows of these devices, or all, before their time.

        Yields:
            The ends of their events.
        """
        at = self._now()
        wanted = None if devices is None else set(devices)
        for window in list(self._standing):
            if wanted is None or window.device in wanted:
                yield self._close(window, at, at, "ended", who)

    def standing(self) -> list[Window]:
        """Those in force, the oldest first."""
        return list(self._standing)

    # -- time passes --------------------------------------------------------

    def sweep(self, devices: Collection[str]) -> Iterator[Record]:
        """End what is over, or whose device is no longer there.

        Args:
            devices: Those of the site.
        """
        at = self._now()
        self._recent = [
            w
            for w in self._recent
            if w.ended is not None
            and (late := passed_ms(w.ended, at)) is not None
            and late < _LATE_MS
        ]
        for window in list(self._standing):
            if over(window, at):
                end = planned_end(window)
                known = end.boot == at.boot or end.trusted
                yield self._close(window, end if known else at, at, "elapsed", "")
            elif window.device not in devices:
                yield self._close(window, at, at, "unwatched", "")

    async def run(
        self, tell: Callable[[Record], None], devices: Callable[[], Collection[str]]
    ) -> None:
        """End each window when its time is up."""
        while True:
            for record in self.sweep(devices()):
                tell(record)
            self._changed.clear()
            try:
                async with asyncio.timeout(self._next_s()):
                    await self._changed.wait()
            except TimeoutError:
                pass

    def _next_s(self) -> float | None:
        """Seconds until something may be over; None: nothing is declared."""
        if not self._standing:
            return None
        at = self._now()
        left = [
            w.length_ms - (at.mono_ms if (p := passed_ms(w.since, at)) is None else p)
            for w in self._standing
        ]
        return min(max(0.0, min(left) / 1000), _LOOK_S)

    def _close(
        self, window: Window, end: Instant, at: Instant, cause: str, who: str
    ) -> Event:
        self._standing.remove(window)
        self._recent.append(
            msgspec.structs.replace(window, ended=end if end.boot == at.boot else at)
        )
        self._keep()
        return _event(window, "cleared", end, cause, who)

    def _keep(self) -> None:
        kept = self._standing
        self._remember(msgspec.msgpack.encode(kept) if kept else None)
        self._changed.set()


def _event(
    window: Window,
    state: Literal["raised", "cleared"],
    until: Instant | None,
    cause: str,
    by: str = "",
) -> Event:
    values: dict[str, Value] = {
        "state": window.state,
        "who": window.who,
        "why": window.why,
        "for_ms": window.length_ms,
    }
    if cause:
        values["cause"] = cause
    if by:
        values["by"] = by
    named = both(f"state.{window.state}")
    key = "event.maintenance" if until is None else f"event.maintenance_{cause}"
    text: dict[str, str] = {
        code: both(
            key,
            device=window.device,
            state=named[code],
            who=window.who,
            why=window.why,
            by=by or "-",
        )[code]
        for code in LANGUAGES
    }
    return Event(
        id=window.id,
        type=TYPE,
        severity="info",
        state=state,
        at=window.since,
        until=until,
        device=window.device,
        values=values,
        text=text,
    )


def _read(note: bytes | None) -> list[Window]:
    if note is None:
        return []
    try:
        return msgspec.msgpack.decode(note, type=list[Window])
    except msgspec.MsgspecError as exc:
        log.error("%s", t("log.windows_unreadable", error=exc))  # noqa: TRY400
        return []
