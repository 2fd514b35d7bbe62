"""What a cause is, and what rules ask of the evidence. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from gateway.commission import frames
from gateway.commission.evidence import Evidence, Trial, hexed, text_in

if TYPE_CHECKING:
    from collections.abc import Iterable

PROVED, STRONG, FITS, WEAK, LEFT = 100, 80, 60, 30, 10
_SHOWN = 4
_ILLEGAL = (1, 2, 3)


class Proof(msgspec.Struct, frozen=True):
    """One piece of evidence, worded by ``doctor.proof.<key>``."""

    key: str
    values: dict[str, str] = {}


class Cause(msgspec.Struct, frozen=True):
    """A mistake that explains what was seen, and why."""

    word: str
    """Stable; worded by ``doctor.cause.<word>`` and ``doctor.step.<word>``."""
    weight: int
    proofs: tuple[Proof, ...] = ()
    values: dict[str, str] = {}
    """For the wording: what was found instead."""


Rule = Callable[[Evidence], Cause | None]


def to_units(evidence: Evidence) -> list[Trial]:
    """Questions to units as they are configured."""
    return evidence.of("asked", "patient", "small", "spaced", "rapid")


def to_subject(evidence: Evidence) -> list[Trial]:
    """Those to the device in question."""
    subject = evidence.subject
    tried = to_units(evidence)
    return [t for t in tried if subject is None or t.address == subject.address]


def worked(evidence: Evidence) -> bool:
    """The subject answered as configured, be it with an exception."""
    return any(
        t.result in ("answer", "exception")
        for t in evidence.of("asked")
        if evidence.subject is None or t.address == evidence.subject.address
    )


def anything(evidence: Evidence) -> bool:
    """Whether anybody said anything that can be read."""
    return any(t.answers or frames.meters(t.heard) for t in evidence.trials) or any(
        text_in(heard.data) or frames.rtu_requests(heard.data)
        for heard in evidence.overheard
    )


def silent(evidence: Evidence) -> bool:
    """Whether nothing but perhaps breaks and echoes ever came, though it should have.

    Where nobody was asked only a receiver had to say something: it speaks each second.
    """
    if not evidence.trials and evidence.bus.protocol != "gnss":
        return False
    return not any(t.heard.strip(b"\0\xff") for t in evidence.trials) and not any(
        heard.data.strip(b"\0\xff") for heard in evidence.overheard
    )


def refusals(evidence: Evidence) -> list[Trial]:
    """Configured reads that the device refuses as illegal."""
    return [t for t in evidence.of("asked") if t.exception in _ILLEGAL]


def line_damages(evidence: Evidence) -> bool:
    """Whether other units' answers are damaged, too."""
    subject = evidence.subject
    others = [
        t
        for t in to_units(evidence)
        if subject is not None and t.address != subject.address
    ]
    return any(t.result == "damaged" for t in others)


def by_exception(evidence: Evidence, codes: Iterable[int], word: str) -> Cause | None:
    """A cause that a device states itself by one of these exceptions."""
    wanted = tuple(codes)
    said = [t for t in evidence.of("asked", "patient") if t.exception in wanted]
    if not said:
        return None
    values = {"code": f"{said[0].exception:02d}", "unit": str(said[0].address)}
    return Cause(word, STRONG, tuple(answered(t) for t in said[:2]), values)


def answered(trial: Trial) -> Proof:
    """What was sent and what came, as bytes."""
    values = {
        "unit": str(trial.address),
        "setting": trial.setting or "TCP",
        "sent": hexed(trial.sent),
        "received": hexed(trial.received),
    }
    if trial.what == "meter":
        return Proof("exchange_meter", values)
    return Proof("exchange", values)


def nothing(evidence: Evidence) -> tuple[Proof, ...]:
    """That the configured question brought nothing."""
    asked = to_subject(evidence)[:_SHOWN]
    if not asked or any(t.good for t in asked):
        return ()
    first = asked[0]
    values = {
        "count": str(len(asked)),
        "unit": str(first.address),
        "setting": first.setting or "TCP",
    }
    return (Proof("unanswered", values),)
