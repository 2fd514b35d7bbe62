"""From evidence to causes: which mistake explains what was seen. Pure.

Each rule looks at the whole evidence and either names its cause with the evidence that
speaks for it, or says nothing. Weights order them: bytes that prove (100) before bytes
that fit (60) before what is left when nothing came at all (10).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.commission import rules_answers, rules_elsewhere, rules_port
from gateway.commission.cause import (
    LEFT,
    WEAK,
    Cause,
    answered,
    nothing,
    silent,
    to_subject,
    worked,
)

if TYPE_CHECKING:
    from gateway.commission.cause import Rule
    from gateway.commission.evidence import Evidence


def causes(evidence: Evidence) -> list[Cause]:
    """All that explains it, the likeliest first; empty: all is well."""
    found = [cause for rule in RULES if (cause := rule(evidence)) is not None]
    return sorted(found, key=lambda cause: -cause.weight)


def nobody(evidence: Evidence) -> Cause | None:
    """Not a byte came, ever."""
    if not silent(evidence) or evidence.open_error:
        return None
    return Cause("silent", LEFT, nothing(evidence))


def one_silent(evidence: Evidence) -> Cause | None:
    """Others answer: the line is well, this device is not on it."""
    subject = evidence.subject
    if subject is None or worked(evidence) or silent(evidence):
        return None
    tried = to_subject(evidence)
    others = [t for t in evidence.trials if t.right and t.address != subject.address]
    if any(t.heard.strip(b"\0") for t in tried) or not others:
        return None
    values = {"device": subject.device, "unit": str(subject.address)}
    proofs = (*nothing(evidence), answered(others[0]))
    return Cause("one_silent", WEAK, proofs, values)


def unknown(evidence: Evidence) -> Cause | None:
    """Bytes came that nothing here explains."""
    odd = [t for t in evidence.trials if t.result == "damaged"]
    if not odd or any(t.good for t in evidence.trials):
        return None
    return Cause("unknown_bytes", LEFT, tuple(answered(t) for t in odd[:2]))


RULES: tuple[Rule, ...] = (
    rules_port.port,
    rules_port.twins,
    rules_port.twice,
    rules_port.streams,
    rules_port.foreign_master,
    rules_port.stuck,
    rules_port.swapped,
    rules_elsewhere.other_setting,
    rules_elsewhere.ascii_mode,
    rules_elsewhere.is_dlt645,
    rules_elsewhere.is_modbus,
    rules_elsewhere.meter_setting,
    rules_elsewhere.framing_over_tcp,
    rules_elsewhere.wrong_unit,
    rules_answers.wrong_table,
    rules_answers.address_base,
    rules_answers.count_too_large,
    rules_answers.word_order,
    rules_answers.gateway_path,
    rules_answers.device_busy,
    rules_answers.refuses,
    rules_answers.echo,
    rules_answers.two_devices,
    rules_answers.turnaround,
    rules_answers.noise,
    rules_answers.timeout_short,
    rules_answers.too_fast,
    rules_answers.overload,
    nobody,
    one_silent,
    unknown,
)
