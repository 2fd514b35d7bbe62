"""Causes where something answers, but elsewhere than configured. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.commission import frames
from gateway.commission.cause import (
    PROVED,
    STRONG,
    Cause,
    answered,
    nothing,
    worked,
)

if TYPE_CHECKING:
    from gateway.commission.evidence import Evidence


def other_setting(evidence: Evidence) -> Cause | None:
    """The same unit answers at another speed or framing."""
    if worked(evidence) or evidence.bus.setting is None:
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
        proofs = (*nothing(evidence), answered(trial))
        values = {"found": trial.setting, "configured": str(ours)}
        return Cause(word, PROVED - 2, proofs, values)
    return None


def ascii_mode(evidence: Evidence) -> Cause | None:
    """It answers Modbus ASCII."""
    for trial in evidence.of("ascii"):
        if trial.answers and evidence.bus.protocol != "modbus-ascii":
            proofs = (*nothing(evidence), answered(trial))
            return Cause("modbus_ascii", PROVED, proofs, {"found": trial.setting})
    return None


def is_dlt645(evidence: Evidence) -> Cause | None:
    """A DL/T 645 meter answers."""
    if evidence.bus.protocol == "dlt645":
        return None
    for trial in evidence.of("meter"):
        if meters := frames.meters(trial.heard):
            proofs = (*nothing(evidence), answered(trial))
            values = {"found": trial.setting, "meter": ", ".join(meters)}
            return Cause("is_dlt645", PROVED - 1, proofs, values)
    return None


def is_modbus(evidence: Evidence) -> Cause | None:
    """A Modbus unit answers where meters are configured."""
    if evidence.bus.protocol != "dlt645":
        return None
    for trial in evidence.of("unit", "setting"):
        if trial.result in ("answer", "exception"):
            proofs = (*nothing(evidence), answered(trial))
            values = {"found": trial.setting, "unit": str(trial.address)}
            return Cause("is_modbus", PROVED - 1, proofs, values)
    return None


def meter_setting(evidence: Evidence) -> Cause | None:
    """A meter that answers at another setting, or under another address."""
    ours = evidence.bus.setting
    if evidence.bus.protocol != "dlt645" or ours is None or worked(evidence):
        return None
    for trial in evidence.of("meter"):
        meters = frames.meters(trial.heard)
        if not meters:
            continue
        values = {"found": trial.setting, "configured": str(ours), "unit": meters[0]}
        proofs = (*nothing(evidence), answered(trial))
        if trial.setting == str(ours):
            return Cause("wrong_unit", STRONG, proofs, values)
        baud = int(trial.setting.partition(" ")[0])
        word = "speed" if baud != ours.baud else "parity"
        return Cause(word, PROVED - 2, proofs, values)
    return None


def framing_over_tcp(evidence: Evidence) -> Cause | None:
    """It answers the other framing on the same TCP port."""
    if evidence.bus.setting is not None or worked(evidence):
        return None
    words = {
        "modbus-rtu-tcp": "port_is_modbus_tcp",
        "modbus-ascii": "port_is_modbus_tcp",
        "modbus-tcp": "port_is_rtu",
    }
    for trial in evidence.of("other_framing"):
        if trial.answers and evidence.bus.protocol in words:
            proofs = (*nothing(evidence), answered(trial))
            return Cause(words[evidence.bus.protocol], PROVED, proofs)
    return None


def wrong_unit(evidence: Evidence) -> Cause | None:
    """Units answer that nobody configured."""
    if evidence.bus.protocol == "dlt645" or worked(evidence):
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
    proofs = (*nothing(evidence), *(answered(trial) for trial in others[:2]))
    return Cause("wrong_unit", STRONG, proofs, {"unit": units})
