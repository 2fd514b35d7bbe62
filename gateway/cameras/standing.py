"""What is open of cameras: alarms, faults, refusals; kept over restarts of everything.

Whoever raised something must end it, and a process that dies ends nothing. So what is
open is kept here, with the gateway, and in a note of the store:

* An alarm whose process ended is an **orphan**. Seen again in its place within the
  label's cool-down, it goes on under its id; else it is cleared, with the cause.
* An alarm that began and ended while nobody heard is told late, both of it.
* A fault stays until the camera is known to see: what a new process says of it
  counts, not that the old one is gone.
* One that comes and goes is held (``flapping``), or a bad plug would fill the platform.
* What belongs to a camera that the site no longer has is cleared at once.

The clock of every wait is the event loop's; nothing here waits by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from gateway.cameras import events
from gateway.cameras.flapping import Flapping
from gateway.cameras.note import Alarm, Note
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
REMEMBERED = 64
"""Alarms that are over: the last pictures of one may come after its end, and a process
that was killed may see it end again."""


class Standing:
    """Everything open, of all cameras."""

    def __init__(
        self,
        sink: Callable[[Event], None],
        remember: Callable[[bytes | None], None],
        recalled: bytes | None,
        *,
        now: Callable[[], Instant],
        time: Callable[[], float],
        used: Callable[[Instant], None] = lambda _at: None,
    ) -> None:
        """Begin with what earlier runs left open.

        Args:
            sink: Takes every event.
            remember: Keeps bytes in the store.
            recalled: What was kept last.
            now: The clock.
            time: The event loop's.
            used: Told which instant of an earlier boot an event refers to.
        """
        self._sink = sink
        self._remember = remember
        self._kept = recalled
        self._now = now
        self._time = time
        self._used = used
        note = Note.read(recalled)
        self.alarms = {alarm.event.id: alarm for alarm in note.alarms}
        self._ended: dict[str, Alarm] = {}
        self._over: dict[str, None] = dict.fromkeys(note.over)
        """By every name they had, and over restarts: none of them ends twice."""
        self._early: dict[str, list[MediaRef]] = {}
        """Pictures of alarms that nobody was told of yet."""
        for alarm in self.alarms.values():
            alarm.was_seen_by = alarm.seen_by or alarm.was_seen_by
            alarm.seen_by, alarm.orphan_s = "", time()
        self.faults = {_fault_key(event): event for event in note.faults}
        self._flapping = Flapping()
        self._refused = {_camera(event): event for event in note.refused}

    # -- alarms -------------------------------------------------------------

    def sight(self, sight: Sight, camera: SiteCamera, beside: dict[str, Value]) -> None:
        """A process saw something, still sees it, or sees it no longer."""
        at = self.instant(sight.t_ms)
        alarm = self._alarm_of(sight)
        if alarm is None and sight.state == "cleared":
            if sight.id in self._over:
                return  # closed already, by whatever came first
            # It began while nobody heard: late is better than never.
            raised = msgspec.structs.replace(
                sight, state="raised", score=sight.peak, t_ms=sight.began_ms, cause=""
            )
            self.sight(raised, camera, {})
            alarm = self._alarm_of(sight)
        if alarm is None:
            began, state = self.instant(sight.began_ms), "raised"
            id_: str = sight.id
            media = tuple(self._early.pop(sight.id, ()))
        else:
            began, id_, media = alarm.event.at, alarm.event.id, alarm.event.media
            state = "cleared" if sight.state == "cleared" else "updated"
        if alarm is not None and sight.cause:
            event = events.sight_lost(alarm.event, sight.cause, at)
            self._tell(event)
            self._end(alarm)
            self._keep()
            return
        event = events.sight_event(
            sight,
            camera,
            id_=id_,
            state=state,  # type: ignore[arg-type]
            began=began,
            at=at,
            beside=beside,
            media=media,
        )
        self._tell(event)
        if state == "cleared" and alarm is not None:
            alarm.event = event
            self._end(alarm)
        else:
            new = Alarm(
                event=event,
                label=sight.label,
                zone=sight.zone,
                region=sight.region,
                next_n=max((one.n + 1 for one in media), default=0),
            )
            alarm = self.alarms.setdefault(id_, new)
            if alarm.last_id not in ("", sight.id):
                alarm.first_n = alarm.next_n  # another process, with numbers of its own
            alarm.event, alarm.zone, alarm.region = event, sight.zone, sight.region
            alarm.seen_by, alarm.orphan_s = sight.id, None
        self._keep()

    def picture(self, picture: Picture) -> Picture | None:
        """The picture as it belongs to an open alarm; None: to none."""
        for alarm in (*self.alarms.values(), *self._ended.values()):
            if alarm.last_id == picture.event:
                id_, n = alarm.event.id, picture.n + alarm.first_n
                return msgspec.structs.replace(picture, event=id_, n=n)
        return None

    def pictured(self, id_: str, ref: MediaRef) -> None:
        """A picture of an alarm is stored: its next event names it."""
        alarm = self.alarms.get(id_) or self._ended.get(id_)
        if alarm is not None:
            media = (*alarm.event.media, ref)
            alarm.event = msgspec.structs.replace(alarm.event, media=media)
            alarm.next_n = max(alarm.next_n, ref.n + 1)
            self._keep()
        else:
            self._early.setdefault(id_, []).append(ref)
            _bound(self._early)

    def dated(self, picture: Picture) -> Instant | None:
        """When a picture was taken that nobody told of then; None: nobody can say."""
        at = self._now()
        if 0 <= (age_ms := at.wall_ms - picture.t_ms) <= OLDEST_MS:
            return earlier(at, age_ms)
        for alarm in self.alarms.values():
            # Older than that, and perhaps of another boot: as old as its alarm.
            began = alarm.event.at
            since_ms = picture.t_ms - began.wall_ms
            if alarm.last_id == picture.event and abs(since_ms) <= OLDEST_MS:
                self._used(began)
                return earlier(began, -since_ms)
        return None

    def tell_pictures(self, id_: str) -> None:
        """Tell of the pictures that came since the alarm was told last."""
        if alarm := self.alarms.get(id_):
            self._tell(events.pictured(alarm.event, self._now()))
        elif alarm := self._ended.get(id_):
            # Its end again, with all that belongs to it: nothing begins anew.
            self._tell(alarm.event)

    def open_in(self, cameras: Collection[str]) -> int:
        """How many alarms these cameras have that are watched."""
        return sum(
            alarm.seen_by != "" and _camera(alarm.event) in cameras
            for alarm in self.alarms.values()
        )

    def of(self, camera: str) -> int:
        """How many alarms one camera has."""
        return sum(_camera(alarm.event) == camera for alarm in self.alarms.values())

    def orphan(self, cameras: Collection[str]) -> None:
        """The process of these cameras is gone."""
        for alarm in self.alarms.values():
            if alarm.seen_by and _camera(alarm.event) in cameras:
                alarm.was_seen_by, alarm.seen_by = alarm.seen_by, ""
                alarm.orphan_s = self._time()
        self._keep()

    def end_orphans(self, cameras: Mapping[str, SiteCamera]) -> None:
        """Clear what was not seen again in time."""
        now = self._time()
        for alarm in list(self.alarms.values()):
            camera = cameras.get(_camera(alarm.event))
            if camera is None or alarm.orphan_s is None:
                continue
            if now - alarm.orphan_s >= _cooldown_s(camera, alarm.label):
                self._tell(events.sight_lost(alarm.event, "process_ended", self._now()))
                self._end(alarm)
        self._keep()

    # -- faults and refusals ------------------------------------------------

    def fault(self, camera: SiteCamera, fault: str, args: Mapping[str, str]) -> None:
        """A camera has a fault; told once."""
        key, now_s = (camera.name, fault), self._time()
        if key not in self.faults:
            event = events.fault_raised(camera, fault, args, self._now())
            self.faults[key] = event
            if fault != "process":  # whose restarts are spread out already
                self._flapping.begins(key, now_s)
            self._tell(event)
            self._keep()
        elif self._flapping.held(key):
            self._flapping.begins(key, now_s)

    def well(self, camera: str, fault: str) -> None:
        """A fault is over; one that comes and goes stands on for a while."""
        key, now_s = (camera, fault), self._time()
        event = self.faults.get(key)
        if event is None:
            return
        if not self._flapping.may_end(key, now_s):
            if self._flapping.due(key, now_s):
                times = self._flapping.times(key)
                self.faults[key] = events.fault_flaps(event, times, self._now())
                self._tell(self.faults[key])
                self._keep()
            return
        del self.faults[key]
        times = self._flapping.times(key)
        if times:
            self._flapping.forget(key)
        self._tell(events.fault_cleared(event, self._now(), times=times))
        self._keep()

    def faults_of(self, camera: str) -> list[str]:
        """What is wrong with one camera, as far as told."""
        return [fault for name, fault in self.faults if name == camera]

    def refuse(self, camera: SiteCamera, reason: dict[str, str], key: str) -> None:
        """A camera is not watched, and why; told again when the reason is another."""
        event = self._refused.get(camera.name)
        if event is not None:
            if event.values.get("reason") == key:
                return
            self._tell(events.accepted(event, self._now()))
        event = events.refused(camera, reason, key, self._now())
        self._refused[camera.name] = event
        self._tell(event)
        self._keep()

    def accept(self, camera: str) -> None:
        """It is watched now."""
        event = self._refused.pop(camera, None)
        if event is not None:
            self._tell(events.accepted(event, self._now()))
            self._keep()

    def refusal(self, camera: str) -> Event | None:
        """Why a camera is not watched; None: it is."""
        return self._refused.get(camera)

    # -- the site -----------------------------------------------------------

    def adopt(self, cameras: Collection[str]) -> None:
        """Clear what belongs to cameras that are there no longer."""
        at = self._now()
        for alarm in list(self.alarms.values()):
            if _camera(alarm.event) not in cameras:
                self._tell(events.sight_lost(alarm.event, "camera_removed", at))
                self._end(alarm)
        for key, event in list(self.faults.items()):
            if key[0] not in cameras:
                self._tell(events.fault_cleared(event, at, "camera removed"))
                self._flapping.forget(key)
                del self.faults[key]
        for name, event in list(self._refused.items()):
            if name not in cameras:
                self._tell(events.accepted(event, at, "camera removed"))
                del self._refused[name]
        self._keep()

    def instant(self, wall_ms: int) -> Instant:
        """A moment the process dated, by every clock of ours."""
        at = self._now()
        age_ms = at.wall_ms - wall_ms
        return earlier(at, age_ms) if 0 < age_ms <= OLDEST_MS else at

    # -- inside -------------------------------------------------------------

    def _end(self, alarm: Alarm) -> None:
        id_ = alarm.event.id
        self.alarms.pop(id_, None)
        self._ended[id_] = alarm
        self._over |= dict.fromkeys((id_, alarm.last_id))
        _bound(self._ended)
        _bound(self._over)

    def _alarm_of(self, sight: Sight) -> Alarm | None:
        """The open alarm this is: by its id, or one that lost its process."""
        for alarm in self.alarms.values():
            if sight.id in (alarm.seen_by, alarm.was_seen_by, alarm.event.id):
                return alarm
        orphans = [alarm for alarm in self.alarms.values() if _continues(alarm, sight)]
        return max(
            orphans, key=lambda a: _overlap(a.region, sight.region), default=None
        )

    def _tell(self, event: Event) -> None:
        self._used(event.at)
        self._sink(event)

    def _keep(self) -> None:
        note = Note(
            alarms=list(self.alarms.values()),
            faults=list(self.faults.values()),
            refused=list(self._refused.values()),
            over=list(self._over),
        )
        kept = note.packed()
        if kept != self._kept:
            self._kept = kept
            self._remember(kept)


def _bound(held: dict[str, Any]) -> None:
    while len(held) > REMEMBERED:
        del held[next(iter(held))]


def _continues(alarm: Alarm, sight: Sight) -> bool:
    """Whether an alarm that lost its process may be what is seen now."""
    if alarm.seen_by or _camera(alarm.event) != sight.camera:
        return False
    if alarm.label != sight.label or sight.state == "cleared":
        return False
    same_zone = alarm.zone is not None and alarm.zone == sight.zone
    return same_zone or _overlap(alarm.region, sight.region) > 0


def _overlap(
    one: tuple[float, float, float, float], other: tuple[float, float, float, float]
) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, width) * max(0.0, height)


def _cooldown_s(camera: SiteCamera, label: str) -> float:
    rules: Mapping[Any, Rule] = camera.camera.rules
    return rules.get(label, Rule()).cooldown_s


def _camera(event: Event) -> str:
    return str(event.values.get("camera", ""))


def _fault_key(event: Event) -> tuple[str, str]:
    return _camera(event), str(event.values.get("fault", ""))
