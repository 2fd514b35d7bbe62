"""What a vision process prints: to our log, never so much that it drowns the rest."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

from gateway.cameras.process import _LINES, _MINUTE_S, Child
from tests.support.virtual import run_virtual


def test_a_process_that_shouts_does_not_fill_the_log(caplog):
    async def main():
        said = asyncio.StreamReader(limit=2000)
        process = SimpleNamespace(pid=1, stdout=said)
        child = Child("main", process, None, None)
        said.feed_data(b"x" * 5000 + b"\n")
        said.feed_data(b"a library complains\n" * 5000)
        await asyncio.sleep(_MINUTE_S + 1)
        first = len(caplog.records)
        said.feed_data(b"and again\n")
        said.feed_eof()
        await child._saying
        return first

    first = run_virtual(main())

    assert first == _LINES
    left_out, again = [record.getMessage() for record in caplog.records[first:]]
    assert left_out == f"cameras main: (+{5000 - _LINES})"
    assert again == "cameras main: and again"
