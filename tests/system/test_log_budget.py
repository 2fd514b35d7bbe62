"""With everything unplugged a day of logs stays below a megabyte."""

from __future__ import annotations

import asyncio
import errno
import io
import logging

import pytest

from buffer.control import ControlFile
from buffer.segment import Segment
from gateway.logs import Budget, Folded, Journald
from tests.support.virtual import run_virtual, running_loop
from tests.support.virtual_site import VirtualSite

DAY_S = 86_400
BAR = 1_000_000


class Counting(io.StringIO):
    """Counts bytes as journald gets them, and keeps a few lines to look at."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0
        self.lines: list[str] = []

    def write(self, text: str) -> int:
        self.bytes += len(text.encode())
        if len(self.lines) < 400:
            self.lines.append(text)
        return len(text)


def listen() -> tuple[logging.Handler, Counting]:
    out = Counting()
    handler = logging.StreamHandler(out)
    handler.setFormatter(Journald("%(message)s"))
    now = running_loop().time
    handler.addFilter(Folded(now))
    handler.addFilter(Budget(now))
    return handler, out


def refuse(*_args, **_how):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.timeout(60)
def test_everything_unplugged_and_the_disk_full(tmp_path, count, monkeypatch, figure):
    hours = count(0.2, 24)

    async def live():
        handler, out = listen()
        root = logging.getLogger()
        root.addHandler(handler)
        level, _ = root.level, root.setLevel(logging.INFO)
        try:
            async with VirtualSite(tmp_path, buses=4, devices=10) as site:
                await asyncio.sleep(60)
                start = out.bytes
                for name in ("insert", "create", "seal"):
                    monkeypatch.setattr(Segment, name, refuse)
                monkeypatch.setattr(ControlFile, "save", refuse)
                site.platform.down()
                for endpoint in site.endpoints.values():
                    endpoint.down()
                await asyncio.sleep(hours * 3600)
                grown = out.bytes - start
                monkeypatch.undo()
                for endpoint in site.endpoints.values():
                    await endpoint.up()
                site.platform.up()
                await asyncio.sleep(60)
        finally:
            root.removeHandler(handler)
            root.setLevel(level)
        return grown, out

    grown, out = run_virtual(live())

    per_day = grown * 24 / hours
    figure("log bytes a day, everything unplugged", round(per_day))
    assert per_day <= BAR, "".join(out.lines[-30:])
    assert out.bytes > 0
