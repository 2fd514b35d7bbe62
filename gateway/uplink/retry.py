"""When to try again, and when to stop trying with one record. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from gateway.uplink.link import CredentialsError, TakenOverError

if TYPE_CHECKING:
    import random

SOON_S = (0.3, 1.0)
"""A platform that returns hears from us within 1.5 s, however long it was away, and
a thousand gateways do not come in the same instant."""
REFUSED_S = 30.0
TAKEN_OVER_LIMIT = 3
TAKEN_OVER_WITHIN_S = 60.0

Verdict = Literal["again", "pass_by", "hold", "set_aside"]


class Reconnect:
    """How long to wait before the next attempt to connect."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._refused = 0
        self._taken_over: list[float] = []

    def connected(self) -> None:
        """A connection was accepted."""
        self._refused = 0

    def taken_over_often(self, now_s: float) -> bool:
        """Whether another client keeps coming with our id."""
        self._taken_over = [
            t for t in self._taken_over if now_s - t < TAKEN_OVER_WITHIN_S
        ]
        return len(self._taken_over) >= TAKEN_OVER_LIMIT

    def delay_s(self, cause: Exception, now_s: float) -> float:
        """Seconds to wait after this failure.

        Credentials: doubling to 30 s, as guessing passwords is what locks accounts.
        Taken over three times in a minute: 30 s, or two gateways with one id would
        throw each other off for ever.
        """
        soon = self._rng.uniform(*SOON_S)
        if isinstance(cause, CredentialsError):
            self._refused += 1
            return min(soon * float(2**self._refused), REFUSED_S)
        if isinstance(cause, TakenOverError):
            self._taken_over.append(now_s)
            if self.taken_over_often(now_s):
                return REFUSED_S + soon
        return soon


class Suspicion:
    """Whether single records are what the platform cannot take.

    A record is set aside only on proof: it failed several times by itself, a later
    record got through, *and* it failed once more after that. When many in a row fail,
    the platform is the cause and nothing is set aside.
    """

    TRIES_REFUSED = 3
    TRIES_CUT = 5
    """A connection that ends is weaker evidence than an answer."""
    IN_A_ROW = 16

    def __init__(self) -> None:
        self._seq = 0
        self._failures = 0
        self.passed_by: set[int] = set()
        """Suspects; nothing got through since."""
        self.last_chance: set[int] = set()
        """Suspects to be tried once more."""

    @property
    def active(self) -> bool:
        """Whether any record is suspected: send one at a time."""
        return bool(self.passed_by or self.last_chance)

    def failed(self, seq: int, *, answered: bool) -> Verdict:
        """This record, sent alone, was refused or ended the connection.

        Returns:
            ``again``: send it again. ``pass_by``: go on with the next for now.
            ``hold``: too many in a row: wait, then begin again with the first.
            ``set_aside``: it is this record.
        """
        if seq in self.last_chance:
            self.last_chance.discard(seq)
            return "set_aside"
        if seq != self._seq:
            self._seq, self._failures = seq, 0
        self._failures += 1
        limit = self.TRIES_REFUSED if answered else self.TRIES_CUT
        if self._failures < limit:
            return "again"
        self._failures = 0
        if len(self.passed_by) >= self.IN_A_ROW:
            self.passed_by.clear()
            return "hold"
        self.passed_by.add(seq)
        return "pass_by"

    def accepted(self, seq: int) -> int | None:
        """A record got through.

        Returns:
            The first of those passed by, all of which get a last chance now.
        """
        self.last_chance.discard(seq)
        if not self.passed_by:
            return None
        first = min(self.passed_by)
        self.last_chance |= self.passed_by
        self.passed_by.clear()
        return first
