"""What is open of cameras: alarms, faults, refusals; kept over restarts of everything.

Whoever raised something must end it, and a process that dies ends nothing. So what is
open is kept here, with the gateway, and in a note of the store:

* Alarms outlive the process that saw them (``alarms``).
* A fault stays until the camera is known to see: what a new process says of it
  counts, not that the old one is gone.
* One that comes and goes is held (``flapping``), or a bad plug would fill the platform.
* What belongs to a camera that the site no longer has is cleared at once.

The clock of every wait is the event loop's; nothing here waits by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.cameras import events
from gateway.cameras.alarms import Alarms
from gateway.cameras.events import camera_of
from gateway.cameras.flapping import Flapping
from gateway.cameras.note import Note

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from gateway.clock import Instant
    from gateway.config.cameras import SiteCamera
    from gateway.record import Event


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
        self.alarms = Alarms(
            note, self._tell, self._keep, now=now, time=time, used=used
        )
        self.faults = {_fault_key(event): event for event in note.faults}
        self._flapping = Flapping()
        self._refused = {camera_of(event): event for event in note.refused}

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
        self.alarms.leave(cameras)
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

    # -- inside -------------------------------------------------------------

    def _tell(self, event: Event) -> None:
        self._used(event.at)
        self._sink(event)

    def _keep(self) -> None:
        note = Note(
            alarms=list(self.alarms.open.values()),
            faults=list(self.faults.values()),
            refused=list(self._refused.values()),
            closed=dict(self.alarms.over),
        )
        kept = note.packed()
        if kept != self._kept:
            self._kept = kept
            self._remember(kept)


def _fault_key(event: Event) -> tuple[str, str]:
    return camera_of(event), str(event.values.get("fault", ""))
