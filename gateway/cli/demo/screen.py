"""Where the demo is drawn: a redrawn screen, or plain lines where there is none."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

from gateway.cli.demo.panel import DemoState, panel

if TYPE_CHECKING:
    from typing import TextIO


class Screen:
    """Draws a state; in plain mode prints each new log line once."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self.terminal = self._stream.isatty()
        self.plain = not self.terminal
        self._drawn = 0
        self._logged = 0

    def draw(self, state: DemoState) -> None:
        """Show the state now."""
        if self.plain:
            for at, text in state.log[self._logged :]:
                self._stream.write(f"{at:6.1f} s  {text}\n")
            self._logged = len(state.log)
        else:
            lines = panel(state, shutil.get_terminal_size().columns)
            # Back to the panel's first line; each line clears what was right of it.
            up = f"\x1b[{self._drawn}A\r" if self._drawn else ""
            body = "".join(f"{line}\x1b[K\n" for line in lines)
            self._stream.write(f"\x1b[?25l{up}{body}\x1b[J")
            self._drawn = len(lines)
        self._stream.flush()

    def leave(self) -> None:
        """Give the cursor back."""
        if not self.plain:
            self._stream.write("\x1b[?25h")
            self._stream.flush()
