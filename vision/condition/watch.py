"""A camera's condition: which faults it has, named within 10 s and cleared when gone.

Two questions, answered apart:

* ``usable``: may *this* frame be judged? No at the first doubt: one smeared or repeated
  frame is passed over without a word.
* ``step``: which faults began or ended? A fault is said after a few seconds, and ends
  when frames have been good for 3 s.

With a fault of ``BLINDING`` nothing is judged; with another the camera is judged on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import msgspec

from vision.condition import kept_view
from vision.condition.blank import Black, grey_share
from vision.condition.still import Still
from vision.condition.unsteady import Unsteady
from vision.condition.usual_view import Oddities, UsualView
from vision.messages import BLINDING, LEARNED, Fault

if TYPE_CHECKING:
    from vision.look import Look
    from vision.messages import Camera

CLEAR_S = 3.0
_FED: frozenset[Fault] = frozenset({"silent", "refused", "gone", "corrupt"})
"""What the feed tells; the rest is seen in the picture."""
_AFTER_S: dict[Fault, float] = {
    # These come with a time-out of their own.
    "silent": 0.0,
    "frozen": 0.0,
    # A restart of a camera's server is no news.
    "refused": 2.0,
    "gone": 2.0,
    "corrupt": 2.0,
    "black": 2.0,
    "grey": 2.0,
    # Rain, a bird, a lorry: slower.
    "defocused": 6.0,
    "blocked": 5.0,
    "moved": 4.0,
    # It counts for itself how long it lasts.
    "unsteady": 0.0,
}
_FRAMES = 2
"""A fault seen in one picture needs this many frames, whatever the rate."""
_AT_ONCE: frozenset[Fault] = _FED | {"frozen", "unsteady"}
_TRAVELS_S = 60.0
"""Unsteady for so long, it will not come back to its usual view: who turns a camera by
hand is done, and is told that it moved."""
_GREY_DOUBT, _GREY_SURE = 0.05, 0.12
"""Shares of the picture."""


class Changed(NamedTuple):
    """A fault began or ended."""

    fault: Fault
    state: Literal["raised", "cleared"]
    args: dict[str, str]
    """For the sentence: seconds, share in percent, ``why`` of the source."""


class _Latch:
    """One fault: raised after so long, cleared after ``CLEAR_S`` of good."""

    def __init__(self, after_s: float, frames: int) -> None:
        self.on = False
        self._after_s, self._least = after_s, frames
        self._since_s: float | None = None
        self._good_s: float | None = None
        self._count = 0

    def step(self, now_s: float, *, bad: bool) -> bool:
        """Take one look; True: it changed over."""
        if bad:
            self._good_s = None
            self._count += 1
            if self._since_s is None:
                self._since_s = now_s
            if self.on or self._count < self._least:
                return False
            if now_s - self._since_s < self._after_s:
                return False
            self.on = True
            return True
        self._since_s, self._count = None, 0
        if not self.on:
            return False
        if self._good_s is None:
            self._good_s = now_s
        if now_s - self._good_s < CLEAR_S:
            return False
        self.on, self._good_s = False, None
        return True


class Watch:
    """The condition of one camera. Pure: times are given.

    Args:
        camera: Its kind decides what frozen means.
    """

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        self._still = Still(camera.kind)
        self._black = Black()
        self._private = any(zone.use == "private" for zone in camera.zones)
        self._view = UsualView(held=self._private)
        self._unsteady = Unsteady()
        self._unsteady_s: float | None = None
        self._strayed = False
        """It travelled before anybody knew where its private zones were drawn."""
        self._patched = False
        """A decoder filled in some of the last frame: its view was not compared."""
        self._latches: dict[Fault, _Latch] = {
            fault: _Latch(_AFTER_S[fault], 1 if fault in _AT_ONCE else _FRAMES)
            for fault in get_args(Fault)
        }
        self._calm = False
        self.usable = False
        """Whether the look of the last ``step`` may be judged."""

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What is wrong now."""
        return tuple(fault for fault, latch in self._latches.items() if latch.on)

    @property
    def learning(self) -> bool:
        """Its usual view is not known yet."""
        return not self._view.ripe

    @property
    def placed(self) -> bool:
        """Whether what it sees is where it was when its zones were drawn.

        Not with a fault of the view, not in a frame that shows another one or was not
        compared, and after a restart not before the old view was seen again. Nobody
        knows of a view that was not learned yet: then it is taken for granted, unless
        it travels.
        """
        if self._private and (self._unsteady.moving or self._strayed or self._patched):
            return False
        return self._view.agrees and not self._faulty

    @property
    def _faulty(self) -> bool:
        return any(self._latches[fault].on for fault in LEARNED)

    def state(self, t_ms: int, mono_s: float) -> bytes:
        """What a restart must not lose; empty: nothing is known yet."""
        kept = self._view.kept(mono_s)
        if kept is None and self._strayed:
            kept = kept_view.nothing()
        if kept is None:
            return b""
        head = msgspec.structs.replace(
            kept.head,
            t_ms=t_ms,
            camera=kept_view.mark(self._camera),
            faults=tuple(fault for fault in self.faults if fault in LEARNED),
            strayed=self._strayed,
        )
        return kept_view.pack(kept._replace(head=head))

    def restore(self, state: bytes, t_ms: int, mono_s: float) -> bool:
        """Take up where the process before left.

        Args:
            state: As ``state`` gave it.
            t_ms: UTC now.
            mono_s: The monotonic clock now.

        Returns:
            Whether it is what ``state`` gave. One that is too old, or of another
            camera, is that and is not used.
        """
        kept = kept_view.unpack(state)
        if kept is None:
            return False
        # However long ago: time does not tell where zones were drawn.
        same = kept.head.camera == kept_view.mark(self._camera)
        self._strayed = same and kept.head.strayed
        if kept_view.lives(kept.head, self._camera, t_ms):
            self._view.take_up(kept, mono_s)
            for fault in LEARNED.intersection(kept.head.faults):
                self._latches[fault].on = True
        return True

    def step(
        self,
        look: Look | None,
        fault: tuple[Fault, dict[str, str]] | None,
        now_s: float,
    ) -> list[Changed]:
        """Take a new frame, or the time that passed without one.

        Args:
            look: Of a frame not given before; None: there is no new one.
            fault: What the feed says.
            now_s: Monotonic; of the frame, where there is one.

        Returns:
            What began or ended, in this order: ended first.
        """
        signs: dict[Fault, dict[str, str] | None] = {}
        # Without a new frame nobody knows about the picture: those faults stay.
        for one in _FED:
            if fault is not None and fault[0] == one:
                signs[one] = fault[1]
            elif fault is not None or look is not None:
                signs[one] = None
        doubt = False
        if look is not None:
            seen, doubt = self._picture(look)
            signs.update(seen)
        changed = []
        for one, args in signs.items():
            latch = self._latches[one]
            if latch.step(now_s, bad=args is not None):
                state: Literal["raised", "cleared"] = (
                    "raised" if latch.on else "cleared"
                )
                changed.append(Changed(one, state, dict(args or {})))
        held = any(self._latches[one].on for one in BLINDING)
        doubt = doubt or self._calm
        self.usable = look is not None and fault is None and not doubt and not held
        return sorted(changed, key=lambda one: one.state != "cleared")

    def _picture(self, look: Look) -> tuple[dict[Fault, dict[str, str] | None], bool]:
        """Signs of a frame's faults, and whether it may not be judged."""
        faulty = self._faulty or self._latches["unsteady"].on
        if self._view.switched(look, faulty=faulty):
            self._still.forget()
        still = self._still.step(look)
        black = self._black.step(look, still.level)
        known = self._view.ripe
        grey = grey_share(
            look,
            self._view.means if known else None,
            self._view.texture if known else None,
        )
        # Once said, it must be gone, not only less.
        smeared = grey >= (_GREY_DOUBT if self._latches["grey"].on else _GREY_SURE)
        blank = black or smeared
        self._patched = grey >= _GREY_DOUBT
        doubt = blank or self._patched or not still.advanced
        odd = Oddities() if doubt else self._viewed(look, still.level)
        self._calm = still.calm
        signs: dict[Fault, dict[str, str] | None] = {
            # What is black or grey to the bit is rightly named by that.
            "frozen": None if blank else _told(still.frozen_s, "seconds"),
            "black": {"mean": f"{look.mean:.0f}"} if black else None,
            "grey": {"share": f"{100 * grey:.0f}"} if smeared else None,
        }
        if not doubt:
            signs["defocused"] = _told(odd.defocused, "share", 100)
            signs["blocked"] = _told(odd.blocked, "share", 100)
            signs["moved"] = None
            if odd.moved is not None:
                right, down = odd.moved
                signs["moved"] = {"right": f"{right:+d}", "down": f"{down:+d}"}
            elif self._latches["moved"].on and not self._view.agrees:
                signs["moved"] = {}  # whatever it shows, it is not the old view
            signs["unsteady"] = {} if self._unsteady.lasts else None
        return signs, doubt

    def _viewed(self, look: Look, noise: float) -> Oddities:
        """What is odd about the view of a good frame."""
        lasts = self._unsteady.step(look, self._view, noise)
        if not (lasts or self._latches["unsteady"].on):
            self._unsteady_s = None
            return self._view.step(look, noise)
        # Nothing is usual, and nothing odd.
        if self._unsteady_s is None:
            self._unsteady_s = look.mono_s
        if self._private and not self._view.ripe:
            self._strayed = True
        self._view.away()
        if look.mono_s - self._unsteady_s >= _TRAVELS_S:
            self._view.forget()
        return Oddities()


def _told(value: float | None, name: str, times: float = 1) -> dict[str, str] | None:
    return None if value is None else {name: f"{times * value:.0f}"}
