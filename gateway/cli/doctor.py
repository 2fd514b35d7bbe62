"""``ecogate doctor BUS``: what is wrong on a bus, with the bytes that say so."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from gateway.cli.exits import Exit
from gateway.cli.output import paint, print_json
from gateway.cli.place import Place, add_place, items, place_of
from gateway.texts import t

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from gateway.config.model import Device

Item = dict[str, Any]
_LEFT = 10
"""Causes named only because nothing else was left: shown when they are all there is."""
_OTHERS = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``doctor BUS [--device NAME]``, or a port with ``--unit``."""
    add_place(parser)
    add = parser.add_argument
    add("--device", metavar="NAME", help=t("doctor.help.device"))
    add("--unit", type=int, metavar="N", default=1, help=t("doctor.help.unit"))
    add("--at", metavar="SETTING", default="9600 8N1", help=t("doctor.help.at"))
    add("--bytes", action="store_true", help=t("doctor.help.bytes"))


def run(args: argparse.Namespace) -> int:
    """Examine; status 1 where a cause was found."""
    from gateway.commission.tasks import LookOptions, doctor_items

    place = place_of(args, args.at)
    devices = _devices(place, args.unit)
    options = LookOptions(args.device)
    buses = tuple(place.site.buses.values()) if place.site is not None else ()
    result: Item = {"causes": []}
    for item in items(
        place,
        "doctor",
        options,
        lambda door: doctor_items(door, place.bus, devices, options, buses=buses),
    ):
        if item["kind"] == "doing" and not args.json:
            _say(item["step"])
        elif item["kind"] == "causes":
            result = item
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
    found = shown(result["causes"])
    if args.json:
        told = [{**cause, **worded(cause)} for cause in result["causes"]]
        print_json({**result, "causes": told})
    else:
        asked = result.get("subject") is not None
        print(report(place.bus.endpoint, found, asked=asked))
        if args.bytes:
            print(_bytes(result))
    return Exit.FAILED if found else Exit.OK


def shown(causes: Sequence[Item]) -> list[Item]:
    """What is worth a person's time: the last resorts only where nothing else is."""
    good = [cause for cause in causes if cause["weight"] > _LEFT]
    return (good or list(causes))[: 1 + _OTHERS]


def worded(cause: Item) -> dict[str, Any]:
    """A cause, its next step and its evidence in the language in force."""
    word, values = cause["word"], cause["values"]
    return {
        "text": t(f"doctor.cause.{word}", **values),
        "step": t(f"doctor.step.{word}", **values),
        "evidence": [
            t(f"doctor.proof.{p['key']}", **p["values"]) for p in cause["proofs"]
        ],
    }


def report(endpoint: str, causes: Sequence[Item], *, asked: bool = True) -> str:
    """The causes as people read them.

    Args:
        endpoint: The port.
        causes: The likeliest first.
        asked: Whether any device was asked: else nothing is known of them.
    """
    lines = [paint(t("doctor.head", bus=endpoint), "bold")]
    if not causes and not asked:
        return "\n".join([*lines, paint("? ", "yellow") + t("doctor.unasked")])
    if not causes:
        return "\n".join([*lines, paint("✓ ", "green") + t("doctor.well")])
    for number, cause in enumerate(causes):
        text = worded(cause)
        if number == 1:
            lines += ["", paint(t("doctor.others"), "dim")]
        mark = paint("✗ ", "red") if number == 0 else paint("? ", "yellow")
        lines.append(mark + paint(text["text"], "bold"))
        lines += [f"    {paint(proof, 'dim')}" for proof in text["evidence"]]
        lines.append(f"  → {text['step']}")
    return "\n".join(lines)


def _bytes(result: Item) -> str:
    lines = ["", paint(t("doctor.bytes"), "bold")]
    for trial in result["trials"]:
        late = "" if trial["first_ms"] is None else f"  {trial['first_ms']} ms"
        where = f"{trial['setting'] or 'TCP'}  {trial['address']}"
        lines.append(f"  {trial['what']:<14} {where}  {trial['result']}{late}")
        lines.append(f"      > {trial['sent']}")
        lines.append(f"      < {trial['received']}")
    lines += [
        f"  {heard['setting']}  {heard['seconds']} s: {heard['bytes']}"
        for heard in result["overheard"]
    ]
    return "\n".join(lines)


def _say(step: str) -> None:
    text = t(f"doctor.doing.{step}")
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def _devices(place: Place, unit: int) -> list[Device]:
    from gateway.config.model import Device

    if place.site is not None:
        return list(place.devices)
    name = f"unit-{unit}"
    return [Device(name=name, bus="line", address=unit, every_s=5.0, points=())]
