"""When to try again, and when to stop trying with one record. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from gateway.uplink.link import (
    ConnectError,
    CredentialsError,
    RenewedError,
    SetupError,
    TakenOverError,
)

if TYPE_CHECKING:
    import random

SOON_S = (0.3, 1.0)
"""A platform that returns hears from us within 1.5 s, however long it was away, and
a thousand gateways do not come in the same instant."""
AWAY_S = (0.8, 1.2)
"""The same promise with fewer attempts, for a platform that is away for long."""
AWAY = 200
"""Attempts in a row that nobody answered: about two minutes."""
SLOW_S = 30.0
WITHIN_S = 60.0
TAKEN_OVER = 3
QUIET_ENDS = 8

Verdict = Literal["again", "pass_by", "hold", "set_aside"]


class Reconnect:
    """How long to wait before the next attempt to connect."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._refused = self._unanswered = 0
        self._connected_s = 0.0
        self._taken_over: list[float] = []
        self._quiet: list[float] = []
        self.id_conflict = False
        """Another client keeps coming with our id; until a connection lasts."""

    def connected(self, now_s: float) -> None:
        """A connection was accepted."""
        self._refused = self._unanswered = 0
        self._connected_s = now_s

    def delay_s(self, cause: Exception, now_s: float, *, quiet: bool = False) -> float:
        """Seconds to wait after this failure.

        Credentials: doubling to 30 s, as guessing passwords is what locks accounts;
        certificates likewise, which do not mend themselves within seconds.
        Two clients with one id: 30 s, or they would throw each other off for ever.
        Only MQTT 5 brokers name that cause, and not all of them (mosquitto 2.0.11
        just closes), so eight ends a minute that no record is to blame for count too,
        while the platform is there. nats-server closes some attempts as well.

        Args:
            cause: What ended the connection or the attempt.
            now_s: The loop's time.
            quiet: The connection ended, and no record of ours is to blame for it.
        """
        soon = self._rng.uniform(*SOON_S)
        if isinstance(cause, (CredentialsError, SetupError)):
            self._refused += 1
            return min(soon * float(2**self._refused), SLOW_S)
        if isinstance(cause, ConnectError):
            if not cause.answered:  # the platform is away
                self._quiet.clear()
                self.id_conflict = False
                self._unanswered += 1
                if self._unanswered > AWAY:
                    return self._rng.uniform(*AWAY_S)
            return soon + SLOW_S if self.id_conflict else soon
        if isinstance(cause, TakenOverError):
            self._taken_over.append(now_s)
        elif quiet and not isinstance(cause, RenewedError):
            self._quiet.append(now_s)
        edge = now_s - WITHIN_S
        self._taken_over = [t for t in self._taken_over if t > edge]
        self._quiet = [t for t in self._quiet if t > edge]
        if len(self._taken_over) >= TAKEN_OVER or len(self._quiet) >= QUIET_ENDS:
            self.id_conflict = True
        elif self._connected_s <= edge:
            self.id_conflict = False
        return soon + SLOW_S if self.id_conflict else soon


_MOST_CASES = 64


class _Case:
    """One record that connections ended with, and what happened before it did."""

    __slots__ = ("cuts", "failures", "through")

    def __init__(self, cuts: int, through: int) -> None:
        self.cuts = cuts
        self.through = through
        self.failures = 0


class Suspicion:
    """Whether single records are what the platform cannot take.

    A record is set aside only on proof: it failed several times by itself, a later
    record got through, *and* it failed once more after that. When many in a row fail,
    the platform is the cause and nothing is set aside.

    A connection that ends proves less than an answer does: on a bad line many end that
    way, whatever is on them. So such a record is tried again after each one that gets
    through, until bad luck is no explanation any more: as often as others were cut
    and got through meanwhile, it would hardly have been cut every single time.
    """

    TRIES_REFUSED = 3
    TRIES_CUT = 5
    """A connection that ends is weaker evidence than an answer."""
    IN_A_ROW = 16
    BAD_LUCK = 1e-6

    def __init__(self) -> None:
        self._kinds: dict[int, str] = {}
        """Of those passed by: what they are, where that matters."""
        self._failures: dict[int, int] = {}
        """By seq: what fails in another lane in between changes nothing."""
        self.passed_by: set[int] = set()
        """Suspects; nothing got through since."""
        self.last_chance: set[int] = set()
        """Suspects to be tried once more."""
        self._through = 0
        self._cuts = 0
        self._cases: dict[int, _Case] = {}

    @property
    def active(self) -> bool:
        """Whether any record is suspected: send one at a time."""
        return bool(self.passed_by or self.last_chance)

    def failed(self, seq: int, *, answered: bool, kind: str = "") -> Verdict:
        """This record, sent alone, was refused or ended the connection.

        Args:
            seq: It.
            answered: Refused; else the connection ended.
            kind: Only what is of the same kind is compared with it.

        Returns:
            ``again``: send it again. ``pass_by``: go on with the next for now.
            ``hold``: too many in a row: wait, then begin again with the first.
            ``set_aside``: it is this record.
        """
        if seq in self.last_chance:
            self.last_chance.discard(seq)
            if answered or self._is_no_luck(seq):
                self._cases.pop(seq, None)
                return "set_aside"
            self.passed_by.add(seq)
            self._kinds[seq] = kind
            return "pass_by"
        failures = self._failures.pop(seq, 0) + 1
        limit = self.TRIES_REFUSED if answered else self.TRIES_CUT
        if failures < limit:
            self._failures[seq] = failures
            if len(self._failures) > _MOST_CASES:
                del self._failures[next(iter(self._failures))]
            return "again"
        if len(self.passed_by) >= self.IN_A_ROW:
            self.passed_by.clear()
            self._kinds.clear()
            self._cases.clear()
            return "hold"
        self.passed_by.add(seq)
        self._kinds[seq] = kind
        return "pass_by"

    def cut(self, seq: int) -> None:
        """A connection ended with this record the first without proof."""
        self._cuts += 1
        case = self._cases.setdefault(seq, _Case(self._cuts - 1, self._through))
        case.failures += 1
        if len(self._cases) > _MOST_CASES:
            del self._cases[next(iter(self._cases))]

    def _is_no_luck(self, seq: int) -> bool:
        case = self._cases.get(seq)
        if case is None:
            return False
        cut = self._cuts - case.cuts - case.failures
        through = self._through - case.through
        # Laplace's rule of succession, once for every time it was cut.
        luck = 1.0
        for n in range(case.failures):
            luck *= (cut + 1 + n) / (cut + through + 2 + n)
        return luck < self.BAD_LUCK

    def begin_again(self) -> int | None:
        """Nothing else comes to compare with: the suspects are tried as others are.

        Returns:
            The first of those passed by.
        """
        first = min(self.passed_by, default=None)
        self.passed_by.clear()
        self._kinds.clear()
        return first

    def accepted(self, seq: int, kind: str = "") -> int | None:
        """A record got through.

        Args:
            seq: It.
            kind: See ``failed``.

        Returns:
            The first of those passed by, all of which get a last chance now.
        """
        self.last_chance.discard(seq)
        self._cases.pop(seq, None)
        self._failures.pop(seq, None)
        self._through += 1
        alike = {one for one in self.passed_by if self._kinds.get(one, "") == kind}
        if not alike:
            return None
        self.last_chance |= alike
        self.passed_by -= alike
        for one in alike:
            self._kinds.pop(one, None)
        return min(alike)
