"""From evidence to causes: which mistake explains what was seen. Pure.

Each rule looks at the whole evidence and either names its cause with the evidence that
speaks for it, or says nothing. Weights order them: bytes that prove (100) before bytes
that fit (60) before what is left when nothing came at all (10).
"""

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
_BAD_SHARE = 0.15
_ORDER_LEAD = 2.0
_GATEWAY_PATH = (10, 11)
_BUSY = (5, 6)
_ILLEGAL = (1, 2, 3)
_SPEEDS_ALIKE = 2


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


def causes(evidence: Evidence) -> list[Cause]:
    """All that explains it, the likeliest first; empty: all is well."""
    found = [cause for rule in RULES if (cause := rule(evidence)) is not None]
    return sorted(found, key=lambda cause: -cause.weight)


# -- the port -----------------------------------------------------------------


def _port(evidence: Evidence) -> Cause | None:
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


def _twins(evidence: Evidence) -> Cause | None:
    if not evidence.bus.twins:
        return None
    names = ", ".join(evidence.bus.twins)
    return Cause("duplicate", PROVED, (Proof("twins", {"names": names}),))


def _twice(evidence: Evidence) -> Cause | None:
    """One address configured for two devices."""
    seen: dict[int | str, str] = {}
    for want in evidence.wants:
        other = seen.setdefault(want.address, want.device)
        if other != want.device:
            values = {"names": f"{other}, {want.device}", "unit": str(want.address)}
            return Cause("duplicate_address", PROVED, (Proof("same", values),))
    return None


# -- what is overheard --------------------------------------------------------


def _streams(evidence: Evidence) -> Cause | None:
    if evidence.bus.protocol in ("ascii", "gnss", "hj212"):
        return None
    for heard in evidence.overheard:
        text = text_in(heard.data)
        if text is not None:
            word = "streams_gnss" if text.kind == "nmea" else "streams_ascii"
            proof = Proof("text", {"text": text.sample[:60], "setting": heard.setting})
            return Cause(word, STRONG + 15, (proof,), {"setting": heard.setting})
    return None


def _foreign_master(evidence: Evidence) -> Cause | None:
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


def _stuck(evidence: Evidence) -> Cause | None:
    for heard in evidence.overheard:
        rate = len(heard.data) / max(heard.seconds, 0.1)
        setting = evidence.bus.setting
        full = 1 / setting.char_s if setting is not None else 0.0
        understood = text_in(heard.data) or frames.rtu_requests(heard.data)
        if full and rate > full / 2 and not understood:
            proof = Proof("overheard", {"bytes": hexed(heard.data)})
            return Cause("stuck", STRONG, (proof,))
    return None


def _swapped(evidence: Evidence) -> Cause | None:
    """A biased line whose wires are swapped rests at 0: breaks, and nothing else."""
    if _anything(evidence) or evidence.bus.setting is None:
        return None
    lone = [t for t in evidence.trials if t.heard and not t.heard.strip(b"\0")]
    asked = [t for t in evidence.trials if t.sent]
    if asked and len(lone) > len(asked) / 2:
        proof = Proof("breaks", {"count": str(len(lone)), "of": str(len(asked))})
        return Cause("swapped", FITS, (proof,))
    if _silent(evidence):
        return Cause("swapped", LEFT - 2, _nothing(evidence))
    return None


# -- something answers elsewhere ----------------------------------------------


def _other_setting(evidence: Evidence) -> Cause | None:
    if _worked(evidence) or evidence.bus.setting is None:
        return None
    ours = evidence.bus.setting
    for trial in evidence.of("setting"):
        if trial.result not in ("answer", "exception"):
            continue
        baud, _, framing = trial.setting.partition(" ")
        if int(baud) != ours.baud:
            word = "speed"
        elif framing[:2] == ours.framing[:2]:
            word = "stop_bits"
        else:
            word = "parity" if framing[0] == ours.framing[0] else "data_bits"
        proofs = (*_nothing(evidence), _answered(trial))
        values = {"found": trial.setting, "configured": str(ours)}
        return Cause(word, PROVED - 2, proofs, values)
    return None


def _ascii_mode(evidence: Evidence) -> Cause | None:
    for trial in evidence.of("ascii"):
        if trial.answers and evidence.bus.protocol != "modbus-ascii":
            proofs = (*_nothing(evidence), _answered(trial))
            return Cause("modbus_ascii", PROVED, proofs, {"found": trial.setting})
    return None


def _is_dlt645(evidence: Evidence) -> Cause | None:
    if evidence.bus.protocol == "dlt645":
        return None
    for trial in evidence.of("meter"):
        if meters := frames.meters(trial.heard):
            proofs = (*_nothing(evidence), _answered(trial))
            values = {"found": trial.setting, "meter": ", ".join(meters)}
            return Cause("is_dlt645", PROVED - 1, proofs, values)
    return None


def _is_modbus(evidence: Evidence) -> Cause | None:
    if evidence.bus.protocol != "dlt645":
        return None
    for trial in evidence.of("unit", "setting"):
        if trial.result in ("answer", "exception"):
            proofs = (*_nothing(evidence), _answered(trial))
            values = {"found": trial.setting, "unit": str(trial.address)}
            return Cause("is_modbus", PROVED - 1, proofs, values)
    return None


def _meter_setting(evidence: Evidence) -> Cause | None:
    """A meter that answers at another setting, or under another address."""
    ours = evidence.bus.setting
    if evidence.bus.protocol != "dlt645" or ours is None or _worked(evidence):
        return None
    for trial in evidence.of("meter"):
        meters = frames.meters(trial.heard)
        if not meters:
            continue
        values = {"found": trial.setting, "configured": str(ours), "unit": meters[0]}
        proofs = (*_nothing(evidence), _answered(trial))
        if trial.setting == str(ours):
            return Cause("wrong_unit", STRONG, proofs, values)
        baud = int(trial.setting.partition(" ")[0])
        word = "speed" if baud != ours.baud else "parity"
        return Cause(word, PROVED - 2, proofs, values)
    return None


def _framing_over_tcp(evidence: Evidence) -> Cause | None:
    if evidence.bus.setting is not None or _worked(evidence):
        return None
    words = {
        "modbus-rtu-tcp": "port_is_modbus_tcp",
        "modbus-ascii": "port_is_modbus_tcp",
        "modbus-tcp": "port_is_rtu",
    }
    for trial in evidence.of("other_framing"):
        if trial.answers and evidence.bus.protocol in words:
            proofs = (*_nothing(evidence), _answered(trial))
            return Cause(words[evidence.bus.protocol], PROVED, proofs)
    return None


def _wrong_unit(evidence: Evidence) -> Cause | None:
    if evidence.bus.protocol == "dlt645" or _worked(evidence):
        return None
    known = {want.address for want in evidence.wants}
    others = [
        trial
        for trial in evidence.of("unit")
        if trial.result in ("answer", "exception") and trial.address not in known
    ]
    if not others:
        return None
    units = ", ".join(str(trial.address) for trial in others)
    proofs = (*_nothing(evidence), *(_answered(trial) for trial in others[:2]))
    return Cause("wrong_unit", STRONG, proofs, {"unit": units})


# -- it answers, but not as asked -----------------------------------------------------


def _wrong_table(evidence: Evidence) -> Cause | None:
    refused = _refused(evidence)
    for trial in evidence.of("table"):
        if refused and trial.good:
            names = {3: "holding", 4: "input"}
            values = {
                "found": names.get(trial.function, ""),
                "configured": names.get(refused[0].function, ""),
            }
            proofs = (_answered(refused[0]), _answered(trial))
            return Cause("wrong_table", STRONG, proofs, values)
    return None


def _address_base(evidence: Evidence) -> Cause | None:
    refused = _refused(evidence)
    for trial in evidence.of("shifted"):
        if refused and trial.good and trial.start < refused[0].start:
            proofs = (_answered(refused[0]), _answered(trial))
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


def _count_too_large(evidence: Evidence) -> Cause | None:
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
    proofs = (_answered(failed[0]), _answered(fits[-1]))
    return Cause("count_too_large", STRONG - 2, proofs, values)


def _word_order(evidence: Evidence) -> Cause | None:
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


def _gateway_path(evidence: Evidence) -> Cause | None:
    return _by_exception(evidence, _GATEWAY_PATH, "gateway_path")


def _device_busy(evidence: Evidence) -> Cause | None:
    return _by_exception(evidence, _BUSY, "device_busy")


def _refuses(evidence: Evidence) -> Cause | None:
    """Refused, and nothing that was tried instead was any better."""
    refused = _refused(evidence)
    if not refused:
        return None
    code = str(refused[0].exception)
    return Cause("refused_address", WEAK, (_answered(refused[0]),), {"code": code})


# -- damage and time ----------------------------------------------------------


def _echo(evidence: Evidence) -> Cause | None:
    echoed = [t for t in evidence.trials if t.echoed]
    if evidence.bus.echo != "no" or not echoed:
        return None
    return Cause("echo", PROVED - 1, (_answered(echoed[0]),))


def _two_devices(evidence: Evidence) -> Cause | None:
    tried = _to_subject(evidence)
    damaged = [t for t in tried if t.result == "damaged" and not t.cut]
    if len(damaged) < 2 or any(t.good or t.exception for t in tried):  # noqa: PLR2004
        return None
    if len(damaged) < len(tried) / 2 or _line_damages(evidence):
        return None
    unit = evidence.subject.address if evidence.subject else ""
    proofs = tuple(_answered(t) for t in damaged[:2])
    return Cause("two_devices", FITS + 5, proofs, {"unit": str(unit)})


def _turnaround(evidence: Evidence) -> Cause | None:
    cut = [t for t in evidence.trials if t.cut]
    if not cut:
        return None
    proof = Proof("cut", {"missing": str(cut[0].cut), "bytes": hexed(cut[0].heard)})
    values = {"missing": str(max(t.cut for t in cut))}
    return Cause("turnaround", STRONG + 5, (proof,), values)


def _noise(evidence: Evidence) -> Cause | None:
    tried = _to_units(evidence)
    damaged = [t for t in tried if t.result == "damaged" and not t.cut]
    whole = [t for t in tried if t.good or t.exception]
    noise = [h for h in evidence.overheard if h.data and not text_in(h.data)]
    if damaged and whole and len(damaged) >= _BAD_SHARE * len(tried) / 2:
        proofs = (
            Proof("damaged", {"count": str(len(damaged)), "of": str(len(tried))}),
            *(_answered(t) for t in damaged[:2]),
        )
        return Cause("noise", FITS + 2, proofs)
    if noise and not _anything(evidence):
        proof = Proof("overheard", {"bytes": hexed(noise[0].data)})
        return Cause("noise", WEAK, (proof,))
    return None


def _timeout_short(evidence: Evidence) -> Cause | None:
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
        proofs = (Proof("late", values), _answered(late[0]))
        return Cause("timeout_short", STRONG + 5, proofs, values)
    count = evidence.counters.get("late_discarded", 0)
    if count:
        proof = Proof("counter", {"name": "late", "count": str(count)})
        return Cause("timeout_short", FITS, (proof,), {"timeout": str(limit_ms)})
    return None


def _too_fast(evidence: Evidence) -> Cause | None:
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


def _overload(evidence: Evidence) -> Cause | None:
    if evidence.bus.share <= 1.0:
        return None
    percent = f"{100 * evidence.bus.share:.0f}"
    return Cause("overload", STRONG - 5, (Proof("share", {"percent": percent}),))


# -- what is left -------------------------------------------------------------


def _nobody(evidence: Evidence) -> Cause | None:
    if not _silent(evidence) or evidence.open_error:
        return None
    return Cause("silent", LEFT, _nothing(evidence))


def _one_silent(evidence: Evidence) -> Cause | None:
    """Others answer: the line is well, this device is not on it."""
    subject = evidence.subject
    if subject is None or _worked(evidence) or _silent(evidence):
        return None
    tried = _to_subject(evidence)
    others = [t for t in evidence.trials if t.right and t.address != subject.address]
    if any(t.heard.strip(b"\0") for t in tried) or not others:
        return None
    values = {"device": subject.device, "unit": str(subject.address)}
    proofs = (*_nothing(evidence), _answered(others[0]))
    return Cause("one_silent", WEAK, proofs, values)


def _unknown(evidence: Evidence) -> Cause | None:
    """Bytes came that nothing here explains."""
    odd = [t for t in evidence.trials if t.result == "damaged"]
    if not odd or any(t.good for t in evidence.trials):
        return None
    return Cause("unknown_bytes", LEFT, tuple(_answered(t) for t in odd[:2]))


RULES: tuple[Rule, ...] = (
    _port, _twins, _twice, _streams, _foreign_master, _stuck, _swapped,
    _other_setting, _ascii_mode, _is_dlt645, _is_modbus, _meter_setting,
    _framing_over_tcp, _wrong_unit, _wrong_table, _address_base, _count_too_large,
    _word_order, _gateway_path, _device_busy, _refuses, _echo, _two_devices,
    _turnaround, _noise, _timeout_short, _too_fast, _overload, _nobody, _one_silent,
    _unknown,
)  # fmt: skip


# -- what rules ask of the evidence -------------------------------------------


def _to_units(evidence: Evidence) -> list[Trial]:
    return evidence.of("asked", "patient", "small", "spaced", "rapid")


def _to_subject(evidence: Evidence) -> list[Trial]:
    subject = evidence.subject
    tried = _to_units(evidence)
    return [t for t in tried if subject is None or t.address == subject.address]


def _worked(evidence: Evidence) -> bool:
    """The subject answered as configured, be it with an exception."""
    return any(
        t.result in ("answer", "exception")
        for t in evidence.of("asked")
        if evidence.subject is None or t.address == evidence.subject.address
    )


def _anything(evidence: Evidence) -> bool:
    """Whether anybody said anything that can be read."""
    return any(t.answers or frames.meters(t.heard) for t in evidence.trials) or any(
        text_in(heard.data) or frames.rtu_requests(heard.data)
        for heard in evidence.overheard
    )


def _silent(evidence: Evidence) -> bool:
    """Whether nothing but perhaps breaks and echoes ever came."""
    return not any(t.heard.strip(b"\0\xff") for t in evidence.trials) and not any(
        heard.data.strip(b"\0\xff") for heard in evidence.overheard
    )


def _refused(evidence: Evidence) -> list[Trial]:
    """Configured reads that the device refuses as illegal."""
    return [t for t in evidence.of("asked") if t.exception in _ILLEGAL]


def _line_damages(evidence: Evidence) -> bool:
    """Whether other units' answers are damaged, too."""
    subject = evidence.subject
    others = [
        t
        for t in _to_units(evidence)
        if subject is not None and t.address != subject.address
    ]
    return any(t.result == "damaged" for t in others)


def _by_exception(evidence: Evidence, codes: Iterable[int], word: str) -> Cause | None:
    wanted = tuple(codes)
    said = [t for t in evidence.of("asked", "patient") if t.exception in wanted]
    if not said:
        return None
    values = {"code": f"{said[0].exception:02d}", "unit": str(said[0].address)}
    return Cause(word, STRONG, tuple(_answered(t) for t in said[:2]), values)


def _answered(trial: Trial) -> Proof:
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


def _nothing(evidence: Evidence) -> tuple[Proof, ...]:
    """That the configured question brought nothing."""
    asked = _to_subject(evidence)[:_SHOWN]
    if not asked or any(t.good for t in asked):
        return ()
    first = asked[0]
    values = {
        "count": str(len(asked)),
        "unit": str(first.address),
        "setting": first.setting or "TCP",
    }
    return (Proof("unanswered", values),)
