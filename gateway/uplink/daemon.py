"""Blocking calls in threads that never hold back the end of the process.

A resolver may take half a minute to give up, and the standard pool's threads are
waited for at exit.
"""

from __future__ import annotations

import threading
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")


class DaemonExecutor(Executor):
    """A daemon thread for each call, for ``loop.run_in_executor``."""

    def submit(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        """Start ``fn`` in a thread of its own."""
        future: Future[T] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as exc:  # noqa: BLE001 - travels to who waits
                future.set_exception(exc)

        threading.Thread(target=run, name="connect", daemon=True).start()
        return future
