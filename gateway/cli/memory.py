"""The history from the command line: through the running gateway, or from its files."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from buffer import DiskTroubleError, History
from gateway.cli.exits import CliError, Exit
from gateway.control import ControlClient, ControlError, NotRunningError
from gateway.history import ShownPeriod
from gateway.history_served import Question, answers
from gateway.texts import t

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gateway.aggregate import PeriodKind
    from gateway.history_served import What


class Memory:
    """Asks the history of one data folder."""

    def __init__(self, folder: Path) -> None:
        """Nothing is opened yet."""
        self._folder = folder

    def periods(
        self, station: str, kind: PeriodKind, since_ms: int, until_ms: int
    ) -> list[ShownPeriod]:
        """Newest revisions, ascending."""
        found = self._ask("periods", station, kind, since_ms, until_ms)
        return [msgspec.convert(one, ShownPeriod) for one in found]

    def events(self, device: str, since_ms: int, until_ms: int) -> list[dict[str, Any]]:
        """Gaps and events of a device, as on the wire."""
        return list(self._ask("events", device, "minute", since_ms, until_ms))

    def fates(
        self, target: str, station: str, kind: PeriodKind, since_ms: int, until_ms: int
    ) -> list[tuple[int, int, str]]:
        """What became of periods: (t, rev, fate)."""
        found = self._ask("fates", station, kind, since_ms, until_ms, target)
        return [tuple(one) for one in found]

    def span(self, station: str, kind: PeriodKind) -> tuple[int, int] | None:
        """Labels of the first and the last; None: there is none."""
        found = list(self._ask("span", station, kind, 0, 0))
        return (found[0], found[1]) if found else None

    def _ask(
        self,
        what: What,
        subject: str,
        kind: PeriodKind,
        since_ms: int,
        until_ms: int,
        target: str = "",
    ) -> Iterator[Any]:
        asked = Question(
            what=what,
            subject=subject,
            kind=kind,
            since_ms=since_ms,
            until_ms=until_ms,
            target=target,
        )
        try:
            with ControlClient.for_folder(self._folder) as client:
                options = msgspec.to_builtins(asked)
                for part in client.stream("history", options=options):
                    yield from part
                if not client.ended:
                    raise CliError(t("control.gone"), Exit.UNREACHABLE)
                return
        except NotRunningError:
            pass
        except ControlError as exc:
            raise CliError(str(exc), Exit.UNREACHABLE) from exc
        yield from self._from_files(asked)

    def _from_files(self, asked: Question) -> Iterator[Any]:
        folder = self._folder / "history"

        async def read() -> list[bytes]:
            history = await History.look(folder)
            try:
                return [part async for part in answers(history, asked)]
            finally:
                await history.close()

        try:
            parts = asyncio.run(read())
        except FileNotFoundError as exc:
            text = t("history.none_kept", folder=folder)
            raise CliError(text, Exit.UNREACHABLE) from exc
        except (OSError, DiskTroubleError) as exc:
            text = t("history.unreadable", folder=folder, error=exc)
            raise CliError(text, Exit.FAILED) from exc
        for part in parts:
            yield from msgspec.json.decode(part)
