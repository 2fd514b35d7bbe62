"""``python -m vision label``: say what an alarm really was; what that proposes."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import msgspec

from vision.alarms.confounders import WHATS, Told, proposals
from vision.ledger import Ledger, Said
from vision.said import Trouble, say

LAST = "last"


def main(arguments: list[str]) -> int:
    """``--folder F --camera C [--alarm ID --what W]``: alarms, then proposals.

    Raises:
        Trouble: No such alarm, or the file cannot be written.
    """
    parser = argparse.ArgumentParser(prog="python -m vision label")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--camera", required=True)
    parser.add_argument("--alarm")
    parser.add_argument("--what", choices=WHATS)
    args = parser.parse_args(arguments)
    ledger = Ledger(args.folder, args.camera)
    alarms = ledger.alarms()
    if args.alarm is not None and args.what is not None:
        chosen = _chosen(alarms, args.alarm, args.camera)
        try:
            now_ms = time.time_ns() // 1_000_000
            ledger.add(Said(id=chosen.id, what=args.what, at_ms=now_ms))
        except OSError as exc:
            raise Trouble("cli.vision.label.not_written", {"error": str(exc)}) from exc
        say({"kind": "labelled", "id": chosen.id, "what": args.what})
        alarms = ledger.alarms()
    for alarm in alarms:
        say({"kind": "alarm", **msgspec.to_builtins(alarm)})
    for proposal in proposals(alarms):
        say({"kind": "proposal", **msgspec.to_builtins(proposal)})
    return 0


def _chosen(alarms: list[Told], wanted: str, camera: str) -> Told:
    """The alarm of an id, of an id's ending that is its alone, or the last one."""
    if not alarms:
        raise Trouble("cli.vision.label.none", {"camera": camera})
    if wanted == LAST:
        return alarms[-1]
    exact = [alarm for alarm in alarms if alarm.id == wanted]
    ending = exact or [alarm for alarm in alarms if alarm.id.endswith(wanted)]
    if len(ending) != 1:
        key = "cli.vision.label.several" if ending else "cli.vision.label.unknown"
        raise Trouble(key, {"found": wanted, "camera": camera})
    return ending[0]
