"""``ecogate buffer stats | inspect | export``: what is kept, and how safe it is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from buffer import BufferTooNewError
from buffer.export import to_jsonl, to_sqlite
from buffer.inspect import Report, inspect
from gateway.cli.arguments import add_site
from gateway.cli.exits import CliError, Exit
from gateway.cli.output import paint, print_json, table
from gateway.cli.reach import data_folder
from gateway.control import ControlClient, ControlError, NotRunningError
from gateway.record import to_wire
from gateway.texts import t

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
        return _export(folder, args.out)
    except FileNotFoundError as exc:
        raise CliError(t("buffer.none", folder=folder), Exit.UNREACHABLE) from exc
    except (BufferTooNewError, FileExistsError) as exc:
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
        return Exit.OK
    for key, value in found.items():
        print(f"{key:<16}{value if value is not None else '-'}")
    return Exit.FAILED if found.get("degraded") else Exit.OK


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
            segment.cls,
            segment.state,
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
        (f"{loss.first}-{loss.last}", loss.cause, str(loss.at_most), str(loss.certain))
        for loss in report.losses
    ]
    if losses:
        parts.append(_titled(("seqs", "cause", "at_most", "certain"), losses))
    return "\n\n".join(parts)


def _titled(names: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    numbers = {"records", "kb", "floor", "owed", "at_most"}
    right = [i for i, name in enumerate(names) if name in numbers]
    return table([t(f"buffer.column.{name}") for name in names], rows, right=right)


def _export(folder: Path, out: Path | None) -> int:
    """To an SQLite file, or as JSON lines to standard output."""
    if out is None:
        to_jsonl(folder, sys.stdout, _render)
        return Exit.OK
    count = to_sqlite(folder, out, _render)
    print(t("buffer.exported", count=count, file=out))
    return Exit.OK


def _render(entry: Entry) -> dict[str, Any]:
    """The record as the platform would get it."""
    wire = to_wire(entry.seq, entry.data)
    return {"record": msgspec.json.decode(wire)}
