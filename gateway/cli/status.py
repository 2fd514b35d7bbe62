"""``ecogate status``: the health of the running gateway, for people or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from drivers.profiles.units import format_size
from gateway.cli import words
from gateway.cli.arguments import add_site
from gateway.cli.exits import CliError, Exit
from gateway.cli.output import Style, paint, print_json, table, terminal_columns
from gateway.cli.reach import connect
from gateway.control import ControlError
from gateway.health import BusHealth, DeviceHealth, Health
from gateway.spread import HOURS_KEPT
from gateway.texts import known, language, t
from gateway.texts.field import worded

if TYPE_CHECKING:
    import argparse

    from gateway.cameras.health import CameraHealth
    from gateway.wear import Disk

_GOOD: frozenset[str] = frozenset({"online", "open", "watching", "learning"})
_RECEIPT_LATE_S = 120.0
"""Twice the time after which a record is sent again, unless the site says otherwise."""
_PENDING: frozenset[str] = frozenset(
    {"unknown", "connecting", "closed", "doubtful", "starting", "alarm"}
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``status [--deliveries [--hours N]] [SITE]``."""
    add_site(parser, positional=True)
    parser.add_argument(
        "--deliveries", action="store_true", help=t("deliveries.help.flag")
    )
    parser.add_argument(
        "--hours",
        type=_hours,
        default=24,
        metavar="N",
        help=t("deliveries.help.hours"),
    )


def run(args: argparse.Namespace) -> int:
    """Print the health; exit status 1 where something is not well."""
    if args.deliveries:
        return _deliveries(args)
    with connect(args) as client:
        try:
            found = client.call("health")
        except ControlError as exc:
            raise CliError(str(exc), Exit.UNREACHABLE) from exc
    health = msgspec.convert(found, Health)
    if args.json:
        print_json(found)
    else:
        print(report(health))
    return Exit.OK if well(health) else Exit.FAILED


def _deliveries(args: argparse.Namespace) -> int:
    from gateway.cli import deliveries

    with connect(args) as client:
        try:
            found = client.call("deliveries", hours=args.hours)
        except ControlError as exc:
            raise CliError(str(exc), Exit.UNREACHABLE) from exc
    ledger = msgspec.convert(found, deliveries.Deliveries)
    if args.json:
        print_json(found)
    else:
        print(deliveries.report(ledger))
    return Exit.OK if deliveries.well(ledger) else Exit.FAILED


def _hours(text: str) -> int:
    """Hours of the ledger that are kept, for argparse's ``type``."""
    import argparse

    if text.isdecimal() and 1 <= int(text) <= HOURS_KEPT:
        return int(text)
    raise argparse.ArgumentTypeError(t("deliveries.hours", found=text))


def well(health: Health) -> bool:
    """Whether every bus, device, target, buffer and clock are as they should be."""
    return (
        not health.stuck
        and health.clock != "waiting"
        and not health.buffer.get("degraded")
        and not health.history.get("trouble")
        and all(bus.state == "open" for bus in health.buses)
        and all(_fresh(device, health.now_ms) for device in health.devices)
        and all(camera.good for camera in health.cameras)
        and all(target["state"] == "online" for target in health.targets)
    )


def _fresh(device: DeviceHealth, now_ms: int) -> bool:
    """Whether a device answers with usable values: an exception is no value."""
    if device.state != "online" or device.last_good_ms is None:
        return False
    return now_ms - device.last_good_ms <= max(5 * device.every_s, 5.0) * 1000


def report(health: Health) -> str:
    """The whole health as tables."""
    parts = [_head(health)]
    if health.buses:
        parts.append(_buses(health.buses, health.now_ms))
    if health.devices:
        parts.append(_devices(health.devices, health.now_ms))
    if health.cameras:
        parts.append(_cameras(health.cameras, health.now_ms))
    if health.targets:
        parts.append(_targets(health.targets, health.now_ms))
    kept = [_buffer(health.buffer), *_history(health.history)]
    kept += _averages(health.averages)
    parts.append("\n".join([*kept, *_disk(health.disk)]))
    if health.stuck:
        parts.append(paint(t("status.stuck", loops=", ".join(health.stuck)), "red"))
    return "\n\n".join(parts)


def span(seconds: float) -> str:
    """A duration as people say it: ``0.4 s``, ``12 s``, ``3 min``, ``5 h``, ``2 d``."""
    if seconds < 10:  # noqa: PLR2004 - below it, tenths still matter
        return f"{seconds:.1f} s"
    for limit, unit, divisor in ((120, "s", 1), (7200, "min", 60), (172800, "h", 3600)):
        if seconds < limit:
            return f"{seconds / divisor:.0f} {unit}"
    return f"{seconds / 86400:.0f} d"


def _head(health: Health) -> str:
    line = t(
        "status.head",
        gateway=health.gateway,
        version=health.version,
        uptime=span(health.uptime_s),
        pid=health.pid,
    )
    clock = t(f"status.clock.{health.clock}")
    style: Style = "green" if health.clock == "trusted" else "yellow"
    head = f"{paint(line, 'bold')}   {paint(clock, style)}"
    if health.clock != "waiting":
        return head
    return f"{head}\n{paint(t('status.clock.what_waits'), 'yellow')}"


def _buses(buses: list[BusHealth], now_ms: int) -> str:
    rows = [
        (
            bus.name,
            bus.protocol,
            bus.endpoint,
            state(bus.state),
            _ago(bus.since_ms, now_ms),
        )
        for bus in buses
    ]
    heads = ("bus", "protocol", "endpoint", "state", "since")
    return _with_reasons(
        table(_heads(heads), rows, right=(4,), cut=(2, 0), columns=terminal_columns()),
        [(bus.name, bus.error) for bus in buses if bus.state != "open"],
    )


def _devices(devices: list[DeviceHealth], now_ms: int) -> str:
    rows = []
    reasons = []
    for device in devices:
        exchanges = device.exchanges
        worst = sorted(device.bad.items(), key=lambda item: -item[1])[:3]
        told = ", ".join(f"{words.reason(name)} {count}" for name, count in worst)
        reasons.append((device.name, told and t("status.bad", reasons=told)))
        rows.append(
            (
                device.name,
                device.bus,
                "-" if device.address is None else str(device.address),
                state(device.state, good=_fresh(device, now_ms)),
                _ago(device.last_good_ms, now_ms),
                f"{device.answered}/{device.asked}",
                f"{exchanges.get('reply_p50_ms', 0):.1f}",
                f"{exchanges.get('reply_p99_ms', 0):.1f}",
            )
        )
    heads = ("device", "bus", "unit", "state", "good_ago", "answered", "p50", "p99")
    shown = table(
        _heads(heads),
        rows,
        right=(2, 4, 5, 6, 7),
        cut=(0, 1),
        columns=terminal_columns(),
    )
    return _with_reasons(shown, reasons)


def _cameras(cameras: list[CameraHealth], now_ms: int) -> str:
    rows = [
        (
            camera.name,
            camera.group,
            state(camera.state),
            _ago(camera.last_frame_ms, now_ms),
            str(camera.judged),
            f"{camera.infer_ms:.0f}",
            str(camera.alarms),
            str(camera.restarts - camera.recycled),
            "-" if camera.rss_bytes is None else str(camera.rss_bytes // 1_000_000),
        )
        for camera in cameras
    ]
    heads = (
        "camera", "group", "state", "frame_ago", "judged", "infer", "alarms",
        "restarts", "rss",
    )  # fmt: skip
    shown = table(
        _heads(heads),
        rows,
        right=(3, 4, 5, 6, 7, 8),
        cut=(0, 1),
        columns=terminal_columns(),
    )
    reasons = [
        (camera.name, camera.reason[language()]) for camera in cameras if camera.reason
    ]
    return _with_reasons(shown, reasons)


def _targets(targets: list[dict[str, Any]], now_ms: int) -> str:
    rows = [
        (
            target["target"],
            state(target["state"]),
            str(target["backlog"]),
            str(target["records"]),
            str(target["messages"]),
            str(target["set_aside"]),
        )
        for target in targets
    ]
    heads = ("target", "state", "backlog", "records", "messages", "set_aside")
    return _with_reasons(
        table(_heads(heads), rows, right=(2, 3, 4, 5)),
        [
            *((target["target"], target["reason"]) for target in targets),
            *(
                (target["target"], t("status.plaintext"))
                for target in targets
                if target.get("plaintext")
            ),
            *((target["target"], _no_receipts(target, now_ms)) for target in targets),
            *(
                (target["target"], t("status.only_written", count=target["written"]))
                for target in targets
                if target.get("written")
            ),
        ],
    )


def _no_receipts(target: dict[str, Any], now_ms: int) -> str:
    """What to say of a platform that takes everything and confirms nothing."""
    waiting, oldest = target.get("awaiting_receipt"), target.get("oldest_t_ms")
    if not waiting or oldest is None or target["state"] != "online":
        return ""
    age_s = (now_ms - oldest) / 1000
    if age_s < _RECEIPT_LATE_S:
        return ""
    return t("status.no_receipts", count=waiting, age=span(age_s))


def _with_reasons(rows: str, reasons: list[tuple[str, str]]) -> str:
    """A table and, beneath, why something in it is not well: too long for a column."""
    lines = [
        paint(f"  {name}: {worded(text, language())}", "yellow")
        for name, text in reasons
        if text
    ]
    return "\n".join([rows, *lines])


def _buffer(stats: dict[str, Any]) -> str:
    degraded = stats.get("degraded")
    line = t(
        "status.buffer",
        kilobytes=stats["bytes"] // 1000,
        segments=stats["segments"],
        high=stats["high"],
        pending=stats["pending"],
        losses=stats["losses"],
    )
    if not degraded:
        return line
    trouble = worded(stats["trouble"] or "", language())
    return line + "\n" + paint(t("status.degraded", trouble=trouble), "red")


def _history(stats: dict[str, Any]) -> list[str]:
    """How much room it takes, and what is amiss with it."""
    if not stats:
        return []
    if "bytes" not in stats:
        trouble = worded(stats["trouble"], language())
        return [paint(t("status.history_closed", trouble=trouble), "red")]
    used, most = (format_size(stats[name]) for name in ("bytes", "max_bytes"))
    lines = [t("status.history", used=used, most=most)]
    if stats["trouble"]:
        waiting, error = stats["waiting"], worded(stats["trouble"], language())
        said = t("status.history_waits", count=waiting, trouble=error)
        lines.append(paint(said, "red"))
    if stats["damages"]:
        said = t("status.history_damaged", count=len(stats["damages"]))
        lines.append(paint(said, "yellow"))
    if stats["dropped"]:
        said = t("status.history_dropped", count=stats["dropped"])
        lines.append(paint(said, "yellow"))
    return lines


def _averages(counts: dict[str, int]) -> list[str]:
    """What came in and is in no average."""
    return [
        paint(t(f"status.averages_{name}", count=count), "yellow")
        for name, count in counts.items()
        if count
    ]


def _disk(disk: Disk) -> list[str]:
    """What is free, what is written in a day, how long a card lasts at that."""
    lines = []
    if disk.free is not None:
        per_day = disk.bytes_per_day
        said = t("status.disk.soon") if per_day is None else format_size(per_day)
        lines.append(t("status.disk", free=format_size(disk.free), per_day=said))
    if disk.life_years is not None and disk.endurance is not None:
        key = "status.disk.life_assumed" if disk.assumed else "status.disk.life"
        endurance = format_size(disk.endurance)
        lines.append(t(key, years=f"{disk.life_years:g}", endurance=endurance))
    return lines


def _heads(names: tuple[str, ...]) -> list[str]:
    return [t(f"status.column.{name}") for name in names]


def state(word: str, *, good: bool = True) -> str:
    """A state with its lamp, in the language in force."""
    style: Style = "red"
    if word in _GOOD:
        style = "green" if good else "yellow"
    elif word in _PENDING:
        style = "yellow"
    key = f"status.state.{word}"
    return paint("● ", style) + (t(key) if known(key) else word)


def _ago(then_ms: int | None, now_ms: int) -> str:
    return "-" if then_ms is None else span(max(0, now_ms - then_ms) / 1000)
