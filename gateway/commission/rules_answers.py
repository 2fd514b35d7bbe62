"""Causes where it answers, but not what was asked, or damaged, or late. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.commission.cause import (
    FITS,
    PROVED,
    STRONG,
    WEAK,
    Cause,
    Proof,
    answered,
    anything,
    by_exception,
    line_damages,
    refusals,
    to_subject,
    to_units,
)
from gateway.commission.evidence import hexed, text_in

if TYPE_CHECKING:
    from gateway.commission.evidence import Evidence

_BAD_SHARE = 0.15
_ORDER_LEAD = 2.0
_GATEWAY_PATH = (10, 11)
_BUSY = (5, 6)


def wrong_table(evidence: Evidence) -> Cause | None:
    """Refused as configured, given in the other table."""
    refused = refusals(evidence)
    for trial in evidence.of("table"):
        if refused and trial.good:
            names = {3: "holding", 4: "input"}
            values = {
                "found": names.get(trial.function, ""),
                "configured": names.get(refused[0].function, ""),
            }
            proofs = (answered(refused[0]), answered(trial))
            return Cause("wrong_table", STRONG, proofs, values)
    return None


def address_base(evidence: Evidence) -> Cause | None:
    """Refused or senseless as configured, right one register lower."""
    refused = refusals(evidence)
    for trial in evidence.of("shifted"):
        if refused and trial.good and trial.start < refused[0].start:
            proofs = (answered(refused[0]), answered(trial))
            values = {"found": str(trial.start), "configured": str(refused[0].start)}
            return Cause("address_base", STRONG + 2, proofs, values)
    odd = [s for s in evidence.values if s.below is not None]
    ours = sum(shown.weight for shown in odd)
    below = sum(shown.below[1] for shown in odd if shown.below is not None)
    if odd and ours < 0 and below - ours > _ORDER_LEAD:
        best = max(odd, key=lambda s: (s.below or ("", 0.0))[1] - s.weight)
        value = (best.below or ("", 0.0))[0]
        proof = Proof(
            "below", {"point": best.point, "value": best.value, "other": value}
        )
        return Cause("address_base", FITS + 5, (proof,))
    return None


def count_too_large(evidence: Evidence) -> Cause | None:
    """Fewer registers come where all of them do not."""
    failed = [t for t in evidence.of("asked") if t.count > 1 and not t.good]
    fits = [t for t in evidence.of("small", "count") if t.good]
    shifted = any(t.good for t in evidence.of("shifted", "table"))
    others = [t for t in evidence.of("asked") if t.good]
    if not failed or not fits or shifted or others:
        return None
    if any(t.result not in ("exception", "silence", "closed") for t in failed):
        return None
    most = max(trial.count for trial in fits)
    values = {"most": str(most), "asked": str(failed[0].count)}
    proofs = (answered(failed[0]), answered(fits[-1]))
    return Cause("count_too_large", STRONG - 2, proofs, values)


def word_order(evidence: Evidence) -> Cause | None:
    """Another order makes readings of what is none."""
    shown = [s for s in evidence.values if s.orders]
    if not shown:
        return None
    ours = sum(s.weight for s in shown)
    sums = {
        order: sum(s.orders.get(order, ("", 0.0))[1] for s in shown)
        for order in {o for s in shown for o in s.orders}
    }
    best = max(sums, key=lambda order: sums[order])
    if ours >= 0 or sums[best] - ours < _ORDER_LEAD or sums[best] <= 0:
        return None
    proofs = tuple(
        Proof(
            "order",
            {"point": s.point, "value": s.value, "other": s.orders[best][0]},
        )
        for s in shown[:3]
        if best in s.orders
    )
    return Cause("word_order", FITS + 10, proofs, {"found": best})


def gateway_path(evidence: Evidence) -> Cause | None:
    """A gateway cannot reach what is behind it."""
    return by_exception(evidence, _GATEWAY_PATH, "gateway_path")


def device_busy(evidence: Evidence) -> Cause | None:
    """The device says that it is busy."""
    return by_exception(evidence, _BUSY, "device_busy")


def refuses(evidence: Evidence) -> Cause | None:
    """Refused, and nothing that was tried instead was any better."""
    refused = refusals(evidence)
    if not refused:
        return None
    code = str(refused[0].exception)
    return Cause("refused_address", WEAK, (answered(refused[0]),), {"code": code})


def echo(evidence: Evidence) -> Cause | None:
    """Our own bytes come back and the site file denies it."""
    echoed = [t for t in evidence.trials if t.echoed]
    if evidence.bus.echo != "no" or not echoed:
        return None
    return Cause("echo", PROVED - 1, (answered(echoed[0]),))


def two_devices(evidence: Evidence) -> Cause | None:
    """Only this unit's answers are damaged, and all of them."""
    tried = to_subject(evidence)
    damaged = [t for t in tried if t.result == "damaged" and not t.cut]
    if len(damaged) < 2 or any(t.good or t.exception for t in tried):  # noqa: PLR2004
        return None
    if len(damaged) < len(tried) / 2 or line_damages(evidence):
        return None
    unit = evidence.subject.address if evidence.subject else ""
    proofs = tuple(answered(t) for t in damaged[:2])
    return Cause("two_devices", FITS + 5, proofs, {"unit": str(unit)})


def turnaround(evidence: Evidence) -> Cause | None:
    """The first bytes are missing, the rest proves itself."""
    cut = [t for t in evidence.trials if t.cut]
    if not cut:
        return None
    proof = Proof("cut", {"missing": str(cut[0].cut), "bytes": hexed(cut[0].heard)})
    values = {"missing": str(max(t.cut for t in cut))}
    return Cause("turnaround", STRONG + 5, (proof,), values)


def noise(evidence: Evidence) -> Cause | None:
    """Some answers are damaged, others are whole."""
    tried = to_units(evidence)
    damaged = [t for t in tried if t.result == "damaged" and not t.cut]
    whole = [t for t in tried if t.good or t.exception]
    noise = [h for h in evidence.overheard if h.data and not text_in(h.data)]
    if damaged and whole and len(damaged) >= _BAD_SHARE * len(tried) / 2:
        proofs = (
            Proof("damaged", {"count": str(len(damaged)), "of": str(len(tried))}),
            *(answered(t) for t in damaged[:2]),
        )
        return Cause("noise", FITS + 2, proofs)
    if noise and not anything(evidence):
        proof = Proof("overheard", {"bytes": hexed(noise[0].data)})
        return Cause("noise", WEAK, (proof,))
    return None


def timeout_short(evidence: Evidence) -> Cause | None:
    """Answers come, after the time-out."""
    limit_ms = round(1000 * evidence.bus.timeout_s)
    missed = [t for t in evidence.of("asked") if t.result == "silence"]
    late = [
        t
        for t in evidence.of("patient")
        if t.result in ("answer", "exception") and (t.first_ms or 0) > limit_ms * 0.9
    ]
    if missed and late:
        times = [t.first_ms or 0 for t in late]
        values = {"slowest": str(max(times)), "timeout": str(limit_ms)}
        proofs = (Proof("late", values), answered(late[0]))
        return Cause("timeout_short", STRONG + 5, proofs, values)
    count = evidence.counters.get("late_discarded", 0)
    if count:
        proof = Proof("counter", {"name": "late", "count": str(count)})
        return Cause("timeout_short", FITS, (proof,), {"timeout": str(limit_ms)})
    return None


def too_fast(evidence: Evidence) -> Cause | None:
    """Answers stay away without rest, and come with it."""
    rapid, spaced = evidence.of("rapid"), evidence.of("spaced")
    lost = [t for t in rapid if t.result == "silence"]
    calm = [t for t in spaced if t.good or t.exception]
    if not rapid or len(lost) < 2 or not calm or len(calm) < len(spaced):  # noqa: PLR2004
        return None
    if any(t.result == "damaged" for t in rapid):
        return None
    proof = Proof(
        "rapid",
        {"lost": str(len(lost)), "of": str(len(rapid)), "calm": str(len(calm))},
    )
    return Cause("too_fast", STRONG, (proof,))


def overload(evidence: Evidence) -> Cause | None:
    """More is configured than fits through the line."""
    if evidence.bus.share <= 1.0:
        return None
    percent = f"{100 * evidence.bus.share:.0f}"
    return Cause("overload", STRONG - 5, (Proof("share", {"percent": percent}),))
