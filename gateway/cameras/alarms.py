"""Alarms that are open, and the last that were: who watches them, how they end.

* An alarm whose process ended is an **orphan**. The next process knows it by its id, or
  sees it again in its place within the label's cool-down; else it is cleared, with the
  cause. What a process holds itself is never what it calls by another name.
* An alarm that began and ended while nobody heard is told late, both of it.

The clock of every wait is the event loop's; nothing here waits by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from gateway.cameras import events
from gateway.cameras.events import camera_of
from gateway.cameras.note import Alarm, Note, Over
from gateway.judge.times import earlier
from vision.messages import Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from drivers.values import Value
    from gateway.clock import Instant
    from gateway.config.cameras import SiteCamera
    from gateway.media import MediaRef
    from gateway.record import Event
    from vision.messages import Picture, Sight

OLDEST_MS = 3_600_000
"""A frame is dated by the process, with the same wall clock: one that seems older, or
younger than now, says that this clock was set."""
SAME = 0.5
"""Of the smaller box, to be the same thing seen by another process."""
REMEMBERED = 64
"""Alarms that are over: the last pictures of one may come after its end, and a process
that was killed may see it end again."""


class Alarms:
    """Of all cameras."""

    def __init__(
        self,
        note: Note,
        tell: Callable[[Event], None],
        keep: Callable[[], None],
        *,
        now: Callable[[], Instant],
        time: Callable[[], float],
        used: Callable[[Instant], None],
    ) -> None:
        """Begin with what earlier runs left open.

        Args:
            note: What was kept.
            tell: Takes every event.
            keep: Called when what is open has changed.
            now: The clock.
            time: The event loop's.
            used: Told which instant of an earlier boot a record refers to.
        """
        self._tell, self._keep = tell, keep
        self._now, self._time, self._used = now, time, used
        self.open = {alarm.event.id: alarm for alarm in note.alarms}
        self.over = note.closed
        """By every name they had, and over restarts: none of them ends twice."""
        self._held: dict[str, frozenset[str]] = {}
        """Camera -> the alarms its process holds, those of the one before included."""
        self._ended: dict[str, Alarm] = {}
        self._early: dict[str, list[MediaRef]] = {}
        """Pictures of alarms that nobody was told of yet."""
        for alarm in self.open.values():
            alarm.seen_by, alarm.orphan_s = "", time()

    def sight(self, sight: Sight, camera: SiteCamera, beside: dict[str, Value]) -> None:
        """A process saw something, still sees it, or sees it no longer."""
        alarm = self._alarm_of(sight)
        if alarm is None and sight.state == "cleared":
            if sight.id in self.over:
                return  # closed already, by whatever came first
            # It began while nobody heard: late is better than never.
            began = msgspec.structs.replace(
                sight, state="raised", score=sight.peak, t_ms=sight.began_ms, cause=""
            )
            alarm = self._raise(began, camera, {})
        if alarm is None:
            self._raise(sight, camera, beside)
        else:
            self._go_on(alarm, sight, camera, beside)
        self._keep()

    def knows(self, id_: str) -> bool:
        """Whether anybody was told of an alarm, by a process' id for it."""
        return id_ in self.over or any(id_ in one.names for one in self.open.values())

    def late(self, sight: Sight, camera: SiteCamera) -> None:
        """The last word on an alarm, of a process that died before it was heard."""
        if self.knows(sight.id):
            return
        self.sight(sight, camera, {})
        if alarm := self.open.get(sight.id):
            alarm.seen_by, alarm.orphan_s = "", self._time()
            self._keep()

    def holds(self, camera: str, ids: Collection[str]) -> None:
        """The process of a camera knows these alarms, told anew or not yet."""
        self._held[camera] = frozenset(ids)

    def _raise(
        self, sight: Sight, camera: SiteCamera, beside: dict[str, Value]
    ) -> Alarm:
        """An alarm that nobody was told of yet."""
        media = tuple(self._early.pop(sight.id, ()))
        event = events.sight_event(
            sight,
            camera,
            id_=sight.id,
            state="raised",
            began=self.instant(sight.began_ms),
            at=self.instant(sight.t_ms),
            beside=beside,
            media=media,
        )
        self._tell(event)
        alarm = self.open[sight.id] = Alarm(
            event=event,
            label=sight.label,
            zone=sight.zone,
            region=sight.region,
            next_n=max((one.n + 1 for one in media), default=0),
            names={sight.id: 0},
            seen_by=sight.id,
        )
        return alarm

    def _go_on(
        self,
        alarm: Alarm,
        sight: Sight,
        camera: SiteCamera,
        beside: dict[str, Value],
    ) -> None:
        """An open alarm changes, or ends; perhaps seen by another process."""
        at, over = self.instant(sight.t_ms), sight.state == "cleared"
        if sight.cause:
            self._lose(alarm, sight.cause, at)
            return
        alarm.event = events.sight_event(
            sight,
            camera,
            id_=alarm.event.id,
            state="cleared" if over else "updated",
            began=alarm.event.at,
            at=at,
            beside=beside,
            media=alarm.event.media,
        )
        self._tell(alarm.event)
        if over:
            self._end(alarm)
            return
        # Another process has numbers of its own.
        alarm.names.setdefault(sight.id, alarm.next_n)
        _bound(alarm.names)
        alarm.zone, alarm.region = sight.zone, sight.region
        alarm.seen_by, alarm.orphan_s = sight.id, None

    def picture(self, picture: Picture) -> Picture | None:
        """The picture as it belongs to an open alarm; None: to none."""
        for alarm in (*self.open.values(), *self._ended.values()):
            if picture.event in alarm.names:
                n = _number(alarm, picture)
                alarm.next_n = max(alarm.next_n, n + 1)
                return msgspec.structs.replace(picture, event=alarm.event.id, n=n)
        if over := self.over.get(picture.event):
            n = picture.n + over.first_n
            return msgspec.structs.replace(picture, event=over.event, n=n)
        return None

    def pictured(self, id_: str, ref: MediaRef) -> None:
        """A picture of an alarm is stored: its next event names it."""
        alarm = self.open.get(id_) or self._ended.get(id_)
        if alarm is not None:
            media = tuple(dict.fromkeys((*alarm.event.media, ref)))
            alarm.event = msgspec.structs.replace(alarm.event, media=media)
            alarm.next_n = max(alarm.next_n, ref.n + 1)
            self._keep()
        elif id_ not in self.over:
            self._early.setdefault(id_, []).append(ref)
            _bound(self._early)

    def dated(self, picture: Picture) -> Instant | None:
        """When a picture was taken that nobody told of then; None: nobody can say."""
        at = self._now()
        if 0 <= (age_ms := at.wall_ms - picture.t_ms) <= OLDEST_MS:
            return earlier(at, age_ms)
        for alarm in self.open.values():
            # Older than that, and perhaps of another boot: as old as its alarm.
            began = alarm.event.at
            since_ms = picture.t_ms - began.wall_ms
            if picture.event in alarm.names and abs(since_ms) <= OLDEST_MS:
                self._used(began)
                return earlier(began, -since_ms)
        return None

    def tell_pictures(self, id_: str) -> None:
        """Tell of the pictures that came since the alarm was told last."""
        if alarm := self.open.get(id_):
            self._tell(events.pictured(alarm.event, self._now()))
        elif alarm := self._ended.get(id_):
            # Its end again, with all that belongs to it: nothing begins anew.
            self._tell(alarm.event)

    def watched_in(self, cameras: Collection[str]) -> int:
        """How many alarms these cameras have that are watched."""
        return sum(
            alarm.seen_by != "" and camera_of(alarm.event) in cameras
            for alarm in self.open.values()
        )

    def of(self, camera: str) -> int:
        """How many alarms one camera has."""
        return sum(camera_of(alarm.event) == camera for alarm in self.open.values())

    def orphan(self, cameras: Collection[str]) -> None:
        """The process of these cameras is gone."""
        for alarm in self.open.values():
            if alarm.seen_by and camera_of(alarm.event) in cameras:
                alarm.seen_by, alarm.orphan_s = "", self._time()
        for camera in cameras:
            self._held.pop(camera, None)
        self._keep()

    def end_orphans(self, cameras: Mapping[str, SiteCamera]) -> None:
        """Clear what was not seen again in time."""
        now = self._time()
        for alarm in list(self.open.values()):
            camera = cameras.get(camera_of(alarm.event))
            if camera is None or alarm.orphan_s is None:
                continue
            if now - alarm.orphan_s >= _cooldown_s(camera, alarm.label):
                self._lose(alarm, "process_ended", self._now())
        self._keep()

    def leave(self, cameras: Collection[str]) -> None:
        """Clear those of cameras that are there no longer."""
        for alarm in list(self.open.values()):
            if camera_of(alarm.event) not in cameras:
                self._lose(alarm, "camera_removed", self._now())
        self._keep()

    def instant(self, wall_ms: int) -> Instant:
        """A moment the process dated, by every clock of ours."""
        at = self._now()
        age_ms = at.wall_ms - wall_ms
        return earlier(at, age_ms) if 0 < age_ms <= OLDEST_MS else at

    def _lose(self, alarm: Alarm, why: events.Lost, at: Instant) -> None:
        """Close it, though nobody saw it end."""
        alarm.event = events.sight_lost(alarm.event, why, at)
        self._tell(alarm.event)
        self._end(alarm)

    def _end(self, alarm: Alarm) -> None:
        id_ = alarm.event.id
        self.open.pop(id_, None)
        self._ended[id_] = alarm
        self.over |= {name: Over(id_, n) for name, n in alarm.names.items()}
        _bound(self._ended)
        _bound(self.over)

    def _alarm_of(self, sight: Sight) -> Alarm | None:
        """The open alarm this is: by its id, or one that lost its process."""
        for alarm in self.open.values():
            if sight.id in alarm.names:
                return alarm
        held = self._held.get(sight.camera, frozenset())
        orphans = [
            alarm
            for alarm in self.open.values()
            if held.isdisjoint(alarm.names) and _continues(alarm, sight)
        ]
        return max(
            orphans, key=lambda a: _overlap(a.region, sight.region), default=None
        )


def _bound(held: dict[str, Any]) -> None:
    while len(held) > REMEMBERED:
        del held[next(iter(held))]


def _continues(alarm: Alarm, sight: Sight) -> bool:
    """Whether an alarm that lost its process may be what is seen now."""
    if alarm.seen_by or camera_of(alarm.event) != sight.camera:
        return False
    if alarm.label != sight.label or sight.state == "cleared":
        return False
    smaller = min(_overlap(box, box) for box in (alarm.region, sight.region))
    # Not the same zone alone: a second fire there would go for the first.
    return _overlap(alarm.region, sight.region) >= SAME * smaller > 0


def _number(alarm: Alarm, picture: Picture) -> int:
    """Within the alarm. A process whose files are gone begins at 1 again."""
    n, media = picture.n + alarm.names[picture.event], alarm.event.media
    if all(one.n != n or one.sha256 == picture.sha256 for one in media):
        return n
    same = (one.n for one in media if one.sha256 == picture.sha256)
    return next(same, alarm.next_n)


def _overlap(
    one: tuple[float, float, float, float], other: tuple[float, float, float, float]
) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, width) * max(0.0, height)


def _cooldown_s(camera: SiteCamera, label: str) -> float:
    rules: Mapping[Any, Rule] = camera.camera.rules
    return rules.get(label, Rule()).cooldown_s
