"""Log lines on standard error: a priority for journald, repeats folded.

The default level says state changes only. The same line again within five minutes is
counted, not printed; the count is told with its next printing. Changes of state are
never folded: log them with ``extra=CHANGE``. Nothing else of ours writes a log, and
whatever happens, all lines together stay within a megabyte a day (``Budget``): a log
must not fill the disk, nor wear it out.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from typing import TYPE_CHECKING

from gateway.texts import t

if TYPE_CHECKING:
    from collections.abc import Callable

FOLD_S = 300.0
CHANGE = {"change": True}
"""``extra`` of a line that says a change of state."""
_KEYS_LIMIT = 512
DAY_BYTES = 900_000
"""So much is refilled in a day, evenly."""
BURST_BYTES = 100_000
"""So much may come at once: a start, a bad hour, a traceback."""
_LINE_BYTES = 60
"""What journald or we ourselves put before each line: time, name, priority."""
_TRACEBACK_BYTES = 3_000
_DAY_S = 86_400.0

_PRIORITIES = {"CRITICAL": 2, "ERROR": 3, "WARNING": 4, "INFO": 6, "DEBUG": 7}


class Folded(logging.Filter):
    """Lets the same line through once in ``FOLD_S`` seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._seen: dict[tuple[int, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to print; adds how often it was not."""
        if record.levelno < logging.INFO or getattr(record, "change", False):
            return True
        text = record.getMessage()
        key, now = (record.levelno, text), self._now()
        printed, folded = self._seen.get(key, (None, 0))
        if printed is not None and now - printed < FOLD_S:
            self._seen[key] = (printed, folded + 1)
            return False
        if len(self._seen) >= _KEYS_LIMIT:
            self._forget(now)
        self._seen[key] = (now, 0)
        if folded:
            record.msg, record.args = t("log.repeated", times=folded, text=text), None
        return True

    def _forget(self, now: float) -> None:
        old = [k for k, (at, _) in self._seen.items() if now - at >= FOLD_S]
        for key in old or list(self._seen)[: _KEYS_LIMIT // 2]:
            del self._seen[key]


class Budget(logging.Filter):
    """Lets lines through as long as they stay within a daily amount of bytes.

    Those left out are counted; the first line after them says how many they were.
    Critical lines always pass, and so does what was asked for by a lower level.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._left = float(BURST_BYTES)
        self._filled = now()
        self.left_out = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether there is room for this line."""
        if record.levelno < logging.INFO or record.levelno >= logging.CRITICAL:
            return True
        now = self._now()
        fresh = (now - self._filled) * DAY_BYTES / _DAY_S
        self._left, self._filled = min(BURST_BYTES, self._left + fresh), now
        text = record.getMessage()
        size = len(text.encode(errors="replace")) + _LINE_BYTES
        if record.exc_info:
            size += _TRACEBACK_BYTES
        # After a silence there shall be room for more than one line.
        if self._left < (size if not self.left_out else BURST_BYTES / 10):
            self.left_out += 1
            return False
        self._left -= size
        if self.left_out:
            text = t("log.left_out", lines=self.left_out, text=text)
            record.msg, record.args, self.left_out = text, None, 0
        return True


class Journald(logging.Formatter):
    """``<4>text``: journald adds time and name itself (sd-daemon(3))."""

    def format(self, record: logging.LogRecord) -> str:
        """Every line of the text with its priority."""
        prefix = f"<{_PRIORITIES.get(record.levelname, 6)}>"
        lines = super().format(record).splitlines() or [""]
        return "\n".join(prefix + line for line in lines)


def set_up(level: str = "info") -> None:
    """Log to standard error in the form its reader wants."""
    handler = logging.StreamHandler(sys.stderr)
    if os.environ.get("JOURNAL_STREAM"):
        handler.setFormatter(Journald("%(message)s"))
    else:
        handler.setFormatter(
            logging.Formatter("%(asctime)s %(levelname)-7s %(message)s")
        )
    handler.addFilter(Folded())
    handler.addFilter(Budget())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
