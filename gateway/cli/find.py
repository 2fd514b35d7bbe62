"""``ecogate find BUS``: which devices answer on a line, and what they are.

While the gateway runs its bus worker lends the port, a slice at a time, so that polling
goes on; without one the port is opened here, exclusively.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.cli.exits import CliError, Exit
from gateway.cli.output import clip, paint, print_json, table, terminal_columns
from gateway.cli.place import Place, add_place, items, place_of
from gateway.texts import t

if TYPE_CHECKING:
    import argparse

    from gateway.commission.search import Plan, State

Item = dict[str, Any]
_BAR = 24
_LAST_UNIT = 247


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``find [BUS | --serial PORT | --tcp HOST:PORT] [--addresses 1-32] ...``."""
    add_place(parser)
    add = parser.add_argument
    add("--addresses", type=_addresses, metavar="1-32", help=t("find.help.addresses"))
    add("--settings", type=_settings, metavar="LIST", help=t("find.help.settings"))
    add("--only", choices=("modbus", "meters"), help=t("find.help.only"))
    add("--share", type=_share, default=0.2, metavar="0.2", help=t("find.help.share"))
    add("--identify", action="store_true", help=t("find.help.identify"))
    add("--again", action="store_true", help=t("find.help.again"))
    add("--state", type=Path, metavar="FILE", help=t("find.help.state"))
    add("--write", type=Path, metavar="FILE", help=t("find.help.write"))


def run(args: argparse.Namespace) -> int:
    """Search; status 1 where nothing was found."""
    from gateway.commission.tasks import FindOptions, find_items

    if args.write and args.write.exists():
        raise CliError(t("find.exists", file=args.write), Exit.USAGE)
    place = place_of(args)
    plan = _plan(args, place)
    saved = args.state or Path(f"find-{place.bus.name}.json")
    state = None if args.again else _saved(saved, plan)
    options = FindOptions(plan, state, args.share, identify=args.identify)
    if not args.json:
        print(_announced(place, plan, state, args.share))
    shown = _Shown(quiet=args.json)
    end: Item = {}
    try:
        for item in items(
            place, "find", options, lambda door: find_items(door, options)
        ):
            shown.take(item)
            if item["kind"] == "end":
                end = item
    except KeyboardInterrupt:
        shown.clear()
        if shown.state is not None:
            saved.write_bytes(msgspec.json.encode(shown.state))
            print(t("find.saved", file=saved), file=sys.stderr)
        raise
    shown.clear()
    saved.unlink(missing_ok=True)
    return _finish(args, place, shown, end)


def _finish(args: argparse.Namespace, place: Place, shown: _Shown, end: Item) -> int:
    """Write the site file, say what was found; the exit status."""
    text = _file(place, shown) if shown.found else ""
    if args.write and text:
        args.write.write_text(text, encoding="utf-8")
    if args.json:
        print_json({**end, "matches": shown.matches, "site": text})
    else:
        print(_report(shown, end))
        if args.write and text:
            print(paint("✓ ", "green") + t("find.written", file=args.write))
        elif text:
            print(paint(t("find.write_hint"), "dim"))
    return Exit.OK if shown.found else Exit.FAILED


class _Shown:
    """What has come so far, and the line that moves."""

    def __init__(self, *, quiet: bool) -> None:
        self.found: list[Item] = []
        self.matches: dict[str, list[Item]] = {}
        self.state: Item | None = None
        self._quiet = quiet
        self._moving = sys.stderr.isatty() and not quiet

    def take(self, item: Item) -> None:
        """Show one item."""
        kind = item["kind"]
        if kind == "found":
            self.found.append(item["device"])
            self.say(paint("✓ ", "green") + _device(item["device"]))
        elif kind == "progress":
            self.state = item["state"]
            if not self.found:
                self.found = list(item["state"]["found"])
            self.move(_progress(item, len(self.found)))
        elif kind == "recognising":
            self.move(t("find.recognising", address=item["device"]["address"]))
        elif kind == "recognised":
            self.matches[_key(item["device"])] = item["matches"]
        elif kind == "end":
            self.found = item["found"]

    def say(self, text: str) -> None:
        """A line that stays."""
        if not self._quiet:
            self.clear()
            print(text, flush=True)

    def move(self, text: str) -> None:
        """The line that is written over."""
        if self._moving:
            columns = terminal_columns() or 80
            sys.stderr.write("\r\x1b[K" + clip(text, columns - 1))
            sys.stderr.flush()

    def clear(self) -> None:
        """Take the moving line away."""
        if self._moving:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def _progress(item: Item, found: int) -> str:
    part = item["done"] / max(1, item["total"])
    filled = round(_BAR * part)
    bar = "█" * filled + "░" * (_BAR - filled)
    where = item["setting"] or "TCP"
    return t(
        "find.progress",
        bar=bar,
        percent=f"{100 * part:.0f}",
        setting=where,
        asking=item["asking"],
        found=found,
    )


def _device(found: Item) -> str:
    spoken = "DL/T 645" if found["protocol"] == "dlt645" else "Modbus"
    return t(
        "find.found",
        protocol=spoken,
        address=found["address"],
        setting=found["setting"] or "TCP",
        reply=found["reply_ms"],
    )


def _report(shown: _Shown, end: Item) -> str:
    lines = []
    if shown.found:
        rows = [_row(device, shown) for device in shown.found]
        columns = ("protocol", "address", "setting", "reply", "profile", "signs")
        heads = [t(f"find.column.{name}") for name in columns]
        lines.append(
            table(heads, rows, right=(3,), cut=(5,), columns=terminal_columns())
        )
    else:
        lines.append(paint("✗ ", "red") + t("find.none"))
    for unclear in end.get("unclear", ()):
        if not _resolved(unclear, shown.found):
            text = t(
                "find.unclear",
                address=unclear["address"],
                setting=unclear["setting"] or "TCP",
                received=unclear["received"],
            )
            lines.append(paint(text, "yellow"))
    return "\n".join(lines)


def _row(device: Item, shown: _Shown) -> tuple[str, ...]:
    matches = shown.matches.get(_key(device), [])
    name, signs = t("find.no_profile"), ""
    if matches:
        best = matches[0]
        certainty = t(f"find.certainty.{best['certainty']}")
        name = f"{best['profile']} ({certainty})"
        told = [f"{s['what']} {s['found']}" for s in best["signs"] if s["weight"] > 0]
        signs = ", ".join(told[:3])
    return (
        "DL/T 645" if device["protocol"] == "dlt645" else "Modbus",
        str(device["address"]),
        device["setting"] or "TCP",
        str(device["reply_ms"]),
        name,
        signs,
    )


def _resolved(unclear: Item, found: list[Item]) -> bool:
    """Meters that collided at first were told apart later."""
    return unclear["protocol"] == "dlt645" and any(
        f["protocol"] == "dlt645" and f["setting"] == unclear["setting"] for f in found
    )


def _file(place: Place, shown: _Shown) -> str:
    from drivers.profiles.library import load_profile
    from gateway.commission import fragment
    from gateway.commission.fingerprint import Match
    from gateway.commission.search import Found

    bus = place.bus
    where = fragment.Place(
        serial=bus.serial.device if bus.serial else "",
        tcp="" if bus.tcp is None else f"{bus.tcp.host}:{bus.tcp.port}",
        over_tcp="modbus-tcp" if bus.protocol == "modbus-tcp" else "rtu",
    )
    proposals = [
        fragment.Proposal(
            msgspec.convert(device, Found),
            msgspec.convert(shown.matches.get(_key(device), []), list[Match]),
        )
        for device in shown.found
    ]
    name = place.site.gateway if place.site is not None else "site-1"
    return fragment.site_file(where, proposals, load_profile, gateway=name)


def _key(device: Item) -> str:
    return f"{device['protocol']}|{device['address']}|{device['setting']}"


def _plan(args: argparse.Namespace, place: Place) -> Plan:
    from gateway.commission.search import SETTINGS, Plan

    over_tcp = ""
    if place.bus.serial is None:
        over_tcp = "modbus-tcp" if place.bus.protocol == "modbus-tcp" else "rtu"
    settings = args.settings or SETTINGS
    if place.site is not None and place.bus.serial is not None and not args.settings:
        from gateway.commission.door import setting_of

        ours = setting_of(place.bus)
        settings = tuple(dict.fromkeys((ours, *SETTINGS)))
    return Plan(
        settings=() if over_tcp else settings,
        addresses=args.addresses or tuple(range(1, _LAST_UNIT + 1)),
        modbus=args.only != "meters",
        meters=args.only != "modbus" and over_tcp != "modbus-tcp",
        over_tcp=over_tcp,  # type: ignore[arg-type]
    )


def _saved(file: Path, plan: Plan) -> State | None:
    """A search of the same plan that was stopped."""
    from gateway.commission.search import VERSION, State

    try:
        state = msgspec.json.decode(file.read_bytes(), type=State)
    except (OSError, msgspec.MsgspecError):
        return None
    return state if state.plan == plan and state.version == VERSION else None


def _announced(place: Place, plan: Plan, state: State | None, share: float) -> str:
    text = t(
        "find.head",
        bus=place.bus.endpoint if plan.over_tcp else place.bus.endpoint.split()[0],
        settings=len(plan.settings) or 1,
        addresses=len(plan.addresses),
    )
    if place.site is not None:
        text += t("find.politely", percent=f"{100 * share:.0f}")
    if state is not None:
        text += "\n" + t("find.resumed", asked=state.asked, found=len(state.found))
    return text


def _addresses(text: str) -> tuple[int, ...]:
    """``1-32,247`` for argparse's ``type``."""
    import argparse

    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not first.isdecimal() or (last and not last.isdecimal()):
            raise argparse.ArgumentTypeError(t("find.addresses", found=text))
        found += range(int(first), int(last or first) + 1)
    if not found or min(found) < 1 or max(found) > _LAST_UNIT:
        raise argparse.ArgumentTypeError(t("find.addresses", found=text))
    return tuple(dict.fromkeys(found))


def _settings(text: str) -> tuple[Any, ...]:
    """``9600 8N1,2400 8E1`` for argparse's ``type``."""
    import argparse

    from gateway.commission.door import Setting

    try:
        return tuple(Setting.parse(part.strip()) for part in text.split(","))
    except ValueError as exc:
        raise argparse.ArgumentTypeError(t("find.settings", found=text)) from exc


def _share(text: str) -> float:
    """A part of the line's time, for argparse's ``type``."""
    import argparse

    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0.01 <= share <= 1.0:  # noqa: PLR2004
        raise argparse.ArgumentTypeError(t("find.share", found=text))
    return share
