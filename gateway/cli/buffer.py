"""``ecogate buffer stats | inspect | export``: what is kept, and how safe it is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from buffer import BufferTooNewError
from buffer.export import to_jsonl, to_sqlite
from buffer.inspect import Report, inspect
from gateway.cli import words
from gateway.cli.arguments import add_site
from gateway.cli.exits import CliError, Exit
from gateway.cli.output import display_width, pad, paint, print_json, table
from gateway.cli.reach import data_folder
from gateway.control import ControlClient, ControlError, NotRunningError
from gateway.record import to_wire
from gateway.texts import language, t
from gateway.texts.field import worded

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from buffer import Entry


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``buffer stats``, ``buffer inspect``, ``buffer export --out FILE``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name in ("stats", "inspect", "export"):
        action = actions.add_parser(name, help=t(f"buffer.help.{name}"))
        add_site(action, positional=False)
        if name == "export":
            action.add_argument(
                "--out", type=Path, metavar="FILE", help=t("buffer.help.out")
            )


def run(args: argparse.Namespace) -> int:
    """Carry out the action."""
    folder = data_folder(args)
    try:
        if args.action == "stats":
            return _stats(folder, as_json=args.json)
        if args.action == "inspect":
            return _inspect(folder, as_json=args.json)
        return _export(folder, args.out, as_json=args.json)
    except FileNotFoundError as exc:
        raise CliError(t("buffer.none", folder=folder), Exit.UNREACHABLE) from exc
    except FileExistsError as exc:
        raise CliError(t("buffer.out_exists", file=args.out)) from exc
    except BufferTooNewError as exc:
        raise CliError(str(exc), Exit.FAILED) from exc


def _stats(folder: Path, *, as_json: bool) -> int:
    """The running gateway's own counts; without one, what the files say."""
    try:
        with ControlClient.for_folder(folder) as client:
            found: dict[str, Any] = client.call("buffer-stats")
    except NotRunningError:
        return _inspect(folder, as_json=as_json)
    except ControlError as exc:
        raise CliError(str(exc), Exit.UNREACHABLE) from exc
    if as_json:
        print_json(found)
    else:
        print(counts(found))
    return Exit.FAILED if found.get("degraded") else Exit.OK


def counts(found: dict[str, Any]) -> str:
    """The running gateway's counts, one a line, in words."""
    rows: list[tuple[str, str]] = []
    for key, value in found.items():
        if isinstance(value, dict):
            rows += [
                (t(f"buffer.stats.{key}", target=target), str(number))
                for target, number in value.items()
            ]
        elif value is not None:
            rows.append((t(f"buffer.stats.{key}"), _counted(key, value)))
    width = max(display_width(title) for title, _ in rows)
    return "\n".join(f"{pad(title, width)}  {value}" for title, value in rows)


def _counted(key: str, value: object) -> str:
    if isinstance(value, int) and key.startswith("bytes"):
        return f"{value / 1000:.0f} kB"
    if isinstance(value, float):
        return f"{value:.1f} ms"
    return worded(str(value), language())


def _inspect(folder: Path, *, as_json: bool) -> int:
    report = inspect(folder)
    if as_json:
        print_json(msgspec.to_builtins(report))
    else:
        print(describe(report))
    return Exit.OK


def describe(report: Report) -> str:
    """The store as tables: segments, targets, losses."""
    head = t(
        "buffer.head",
        folder=report.folder,
        store=report.store,
        high=report.high,
        kilobytes=report.bytes // 1000,
    )
    running = (
        t("buffer.running", pid=report.running_pid)
        if report.running_pid is not None
        else t(f"buffer.clean.{str(report.clean).lower()}")
    )
    parts = [f"{paint(head, 'bold')}   {running}"]
    segments = [
        (
            segment.name,
            t(f"buffer.class.{segment.cls}"),
            t(f"buffer.state.{segment.state}"),
            str(segment.records),
            f"{segment.first}-{segment.last}",
            str(segment.bytes // 1000),
        )
        for segment in report.segments
    ]
    parts.append(_titled(("file", "class", "state", "records", "seqs", "kb"), segments))
    targets = [
        (name, str(target.floor), str(target.owed))
        for name, target in report.targets.items()
    ]
    parts.append(_titled(("target", "floor", "owed"), targets))
    losses = [
        (
            f"{loss.first}-{loss.last}",
            words.loss(loss.cause),
            str(loss.at_most),
            t(f"buffer.certain.{str(loss.certain).lower()}"),
        )
        for loss in report.losses
    ]
    if losses:
        parts.append(_titled(("seqs", "cause", "at_most", "certain"), losses))
    return "\n\n".join(parts)


def _titled(names: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    numbers = {"records", "kb", "floor", "owed", "at_most"}
    right = [i for i, name in enumerate(names) if name in numbers]
    return table([t(f"buffer.column.{name}") for name in names], rows, right=right)


def _export(folder: Path, out: Path | None, *, as_json: bool) -> int:
    """To an SQLite file, or as JSON lines to standard output."""
    if out is None:
        to_jsonl(folder, sys.stdout, _render)
        return Exit.OK
    count = to_sqlite(folder, out, _render)
    if as_json:
        print_json({"file": str(out), "records": count})
    else:
        print(t("buffer.exported", count=count, file=out))
    return Exit.OK


def _render(entry: Entry) -> dict[str, Any]:
    """The record as the platform would get it."""
    wire = to_wire(entry.seq, entry.data)
    return {"record": msgspec.json.decode(wire)}
