"""``ecogate run``: the gateway itself."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
from typing import TYPE_CHECKING, NoReturn

from gateway.cli.arguments import add_site, duration, site_path
from gateway.cli.exits import CliError, Exit
from gateway.texts import t

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from pathlib import Path

    from gateway.config.model import Site

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``run [SITE] [--for 30s] [--log-level debug] [--loop asyncio]``."""
    add_site(parser, positional=True)
    parser.add_argument(
        "--for", dest="duration_s", metavar="30s", type=duration, help=t("run.for")
    )
    parser.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default="info",
        help=t("run.log_level"),
    )
    parser.add_argument(
        "--loop",
        choices=("auto", "uvloop", "asyncio"),
        default="auto",
        help=t("run.loop"),
    )


def run(args: argparse.Namespace) -> int:
    """Run until SIGTERM or Ctrl-C; status 1 when the store fails or is in use."""
    from gateway.logs import set_up

    set_up(args.log_level)
    path = site_path(args)
    site = _load(path)
    return _run(site, path, args.duration_s, _loop_factory(args.loop))


def _run(
    site: Site,
    path: Path,
    duration_s: float | None,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None,
) -> int:
    from buffer import BufferLockedError
    from gateway.app import App
    from gateway.clock import SystemClock
    from gateway.config import load_site
    from gateway.notify import Notifier
    from gateway.ports import Ports
    from gateway.supervisor import FatalError

    async def main() -> None:
        app = App(
            site,
            SystemClock(site.clock_trust),
            Ports(notifier=Notifier.from_environment()),
            lambda: load_site(path),
        )
        if duration_s is not None:
            loop = asyncio.get_running_loop()
            loop.call_later(duration_s, app.stop, f"--for {duration_s:g}s")
        # What was built for the start lives as long as the process: looking through
        # it again and again for garbage finds none.
        gc.collect()
        gc.freeze()
        await app.run()

    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(main())
    except BufferLockedError as exc:
        raise CliError(
            t("run.locked", folder=site.buffer.path, pid=exc.pid or "?")
        ) from exc
    except OSError as exc:
        if exc.filename is None:
            raise
        said = t("run.no_store", folder=site.buffer.path, error=exc)
        raise CliError(said) from exc
    except FatalError as exc:
        _die(exc)
    except BaseExceptionGroup as group:
        if group.subgroup(FatalError) is None:
            raise
        _die(group)
    return Exit.OK


def _die(exc: BaseException) -> NoReturn:
    """End at once: a thread that waits for a dead disk would hold back a usual exit."""
    log.critical("%s", t("run.fatal"), exc_info=exc)
    logging.shutdown()
    os._exit(Exit.FAILED)


def _load(path: Path) -> Site:
    from gateway.cli.check import report_errors
    from gateway.config import load_problems

    site, problems = load_problems(path)
    if problems:
        report_errors(path, problems)
    if site is None:
        raise CliError(t("run.not_started", path=path), Exit.USAGE)
    return site


def _loop_factory(
    wanted: str,
) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Uvloop where it is installed: 2.7 times less CPU than the standard loop."""
    if wanted == "asyncio":
        return None
    try:
        import uvloop
    except ImportError:
        if wanted == "uvloop":
            raise CliError(t("run.no_uvloop"), Exit.USAGE) from None
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
