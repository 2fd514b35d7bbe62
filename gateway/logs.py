"""Log lines on standard error: a priority for journald, repeats folded.

The default level says state changes only. The same line again within five minutes is
counted, not printed; the count is told with its next printing. Changes of state are
never folded: log them with ``extra=CHANGE``. A gateway with everything unplugged writes
less than a megabyte a day.
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
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
