"""Causes at the port itself, and in what is overheard on the line. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.commission import frames
from gateway.commission.cause import (
    FITS,
    LEFT,
    PROVED,
    STRONG,
    Cause,
    Proof,
    anything,
    nothing,
    silent,
)
from gateway.commission.evidence import hexed, text_in

if TYPE_CHECKING:
    from gateway.commission.evidence import Evidence


def port(evidence: Evidence) -> Cause | None:
    """Opening it says it."""
    words = {
        "ENOENT": "port_gone",
        "ENODEV": "port_gone",
        "ENXIO": "port_gone",
        "EIO": "port_gone",
        "EACCES": "permission",
        "EPERM": "permission",
        "EBUSY": "port_busy",
        "ECONNREFUSED": "refused",
    }
    if not evidence.open_error:
        return None
    word = words.get(evidence.open_error, "unreachable")
    if word == "unreachable" and evidence.bus.setting is not None:
        word = "port_gone"
    proof = Proof("open", {"error": evidence.open_text})
    return Cause(word, PROVED, (proof,), {"endpoint": evidence.bus.endpoint})


def twins(evidence: Evidence) -> Cause | None:
    """Another bus says the same port."""
    if not evidence.bus.twins:
        return None
    names = ", ".join(evidence.bus.twins)
    return Cause("duplicate", PROVED, (Proof("twins", {"names": names}),))


def twice(evidence: Evidence) -> Cause | None:
    """One address configured for two devices."""
    seen: dict[int | str, str] = {}
    for want in evidence.wants:
        other = seen.setdefault(want.address, want.device)
        if other != want.device:
            values = {"names": f"{other}, {want.device}", "unit": str(want.address)}
            return Cause("duplicate_address", PROVED, (Proof("same", values),))
    return None


def streams(evidence: Evidence) -> Cause | None:
    """Somebody speaks text unasked."""
    if evidence.bus.protocol in ("ascii", "gnss", "hj212"):
        return None
    for heard in evidence.overheard:
        text = text_in(heard.data)
        if text is not None:
            word = "streams_gnss" if text.kind == "nmea" else "streams_ascii"
            proof = Proof("text", {"text": text.sample[:60], "setting": heard.setting})
            return Cause(word, STRONG + 15, (proof,), {"setting": heard.setting})
    return None


def foreign_master(evidence: Evidence) -> Cause | None:
    """Requests are heard that are not ours."""
    asked: list[tuple[int, int]] = []
    for stretch in evidence.overheard:
        asked += frames.rtu_requests(stretch.data)
    for trial in evidence.trials:
        asked += frames.rtu_requests(trial.heard)
    told = [f.address for h in evidence.overheard for f in frames.meter_frames(h.data)]
    if not asked and not told:
        count = evidence.counters.get("foreign", 0)
        proof = Proof("counter", {"name": "foreign", "count": str(count)})
        return Cause("foreign_master", FITS, (proof,)) if count else None
    units = sorted({unit for unit, _ in asked})
    shown = ", ".join(map(str, units)) or told[0]
    proofs = [Proof("requests", {"count": str(len(asked) + len(told)), "units": shown})]
    heard = next((h for h in evidence.overheard if h.data), None)
    if heard is not None:
        proofs.append(Proof("overheard", {"bytes": hexed(heard.data)}))
    word = "foreign_master" if evidence.bus.setting is not None else "shared_server"
    return Cause(word, STRONG + 16, tuple(proofs), {"units": shown})


def stuck(evidence: Evidence) -> Cause | None:
    """The line is never silent, and nothing makes sense."""
    for heard in evidence.overheard:
        rate = len(heard.data) / max(heard.seconds, 0.1)
        setting = evidence.bus.setting
        full = 1 / setting.char_s if setting is not None else 0.0
        understood = text_in(heard.data) or frames.rtu_requests(heard.data)
        if full and rate > full / 2 and not understood:
            proof = Proof("overheard", {"bytes": hexed(heard.data)})
            return Cause("stuck", STRONG, (proof,))
    return None


def swapped(evidence: Evidence) -> Cause | None:
    """A biased line whose wires are swapped rests at 0: breaks, and nothing else."""
    if anything(evidence) or evidence.bus.setting is None:
        return None
    lone = [t for t in evidence.trials if t.heard and not t.heard.strip(b"\0")]
    asked = [t for t in evidence.trials if t.sent]
    if asked and len(lone) > len(asked) / 2:
        proof = Proof("breaks", {"count": str(len(lone)), "of": str(len(asked))})
        return Cause("swapped", FITS, (proof,))
    if silent(evidence):
        return Cause("swapped", LEFT - 2, nothing(evidence))
    return None
