"""How far around one span a device has shown to serve. Pure; the clock is passed in.

Padding a read is only harmless where the device serves the padding. Two ways to refuse
are learned apart:

* an exception 2 or 3 to a padded read whose bare span is served: a firm edge, tried
  again after an hour;
* silence, as some meters give outside their map. Silence alone proves nothing (late,
  lost, dead), so such a padding is only *doubted*, and longer each time that a smaller
  one is answered right after it.
"""

from __future__ import annotations

_FORGET_S = 3600.0
_DOUBT_S = 10.0
_DOUBT_TIMES = 6.0


class Side:
    """One direction: before the span, or after it."""

    __slots__ = ("_doubt", "_doubt_s", "_doubt_until", "_edge", "_edge_until", "served")

    def __init__(self) -> None:
        self.served = 0
        """Widest padding that was ever answered."""
        self._edge: int | None = None
        self._edge_until = 0.0
        self._doubt = 0
        self._doubt_s = _DOUBT_S
        self._doubt_until = 0.0

    def limit(self, room: int, now: float) -> int:
        """How many registers or bits may be read on this side now."""
        if self._edge is not None:
            if now >= self._edge_until:
                self._edge = None
            elif self._edge < room:
                room = self._edge
        if now < self._doubt_until and self._doubt <= room:
            room = max(self._doubt - 1, self.served)
        return room

    def answered(self, padding: int) -> None:
        """A read padded this far was answered: whatever doubted it was wrong."""
        self.served = max(self.served, padding)
        if self._doubt <= padding:
            self._doubt_until = 0.0

    def refuse(self, padding: int, now: float) -> None:
        """The device said that this padding is outside its map."""
        self._edge, self._edge_until = padding - 1, now + _FORGET_S
        self.served = min(self.served, self._edge)

    def doubt(self, padding: int, now: float, *, sure: bool) -> None:
        """This padding was met by silence; ``sure``: and a smaller one by an answer."""
        if padding <= self.served:
            return
        if sure:
            self._doubt_s = min(self._doubt_s * _DOUBT_TIMES, _FORGET_S)
        self._doubt, self._doubt_until = padding, now + self._doubt_s

    def trust(self) -> None:
        """The unit is silent altogether: its room was not to blame."""
        self._doubt_until = 0.0

    def forget(self) -> None:
        """Nothing was learned: the span itself is refused."""
        self._edge = None


class Room:
    """Both sides of one span."""

    __slots__ = ("_alive", "_suspect", "after", "before")

    def __init__(self) -> None:
        self.before = Side()
        self.after = Side()
        self._alive = False
        self._suspect: tuple[Side, int] | None = None

    def limits(self, before: int, after: int, now: float) -> tuple[int, int]:
        """What is left of the room the planner gave."""
        return self.before.limit(before, now), self.after.limit(after, now)

    def answered(self, before: int, after: int, now: float) -> None:
        """A read with this padding was answered, in time or late."""
        self._alive = True
        self.before.answered(before)
        self.after.answered(after)
        if self._suspect is not None:
            side, padding = self._suspect
            self._suspect = None
            side.doubt(padding, now, sure=True)

    def refused(self, before: int, after: int, now: float) -> None:
        """A read with this padding met exception 2 or 3."""
        side, padding = self._blame(before, after)
        side.refuse(padding, now)

    def silent(self, before: int, after: int, now: float) -> None:
        """A read with this padding met silence."""
        side, padding = self._blame(before, after)
        alive, self._alive = self._alive, False
        if padding <= side.served or not alive:
            # Served before, bare, or silent already: the room is not to blame.
            if self._suspect is not None:
                self._suspect[0].trust()
            self._suspect = None
            return
        side.doubt(padding, now, sure=False)
        self._suspect = side, padding

    def forget(self) -> None:
        """The bare span is refused too, so its padding said nothing."""
        self.before.forget()
        self.after.forget()

    def _blame(self, before: int, after: int) -> tuple[Side, int]:
        """Padding grows after the span first; the last that grew is at fault."""
        if before and after <= self.after.served:
            return self.before, before
        return (self.after, after) if after else (self.before, before)
