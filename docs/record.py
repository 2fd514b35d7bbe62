"""Record a terminal program and draw it as an animated SVG.

    python docs/record.py --out docs/demo.svg -- make demo ARGS="--for 30s"

The program runs on a real pseudo-terminal; what it prints is fed to a terminal
emulator (pyte), sampled, and each distinct screen becomes one frame. A screen's rows
are stored once however many frames show them.
"""

from __future__ import annotations

import argparse
import fcntl
import html
import os
import pty
import select
import struct
import sys
import termios
import time
from pathlib import Path

import pyte

COLUMNS, ROWS = 100, 30
CELL_W, CELL_H = 8.4, 18
BACKGROUND, FOREGROUND = "#10151b", "#d5dde5"
COLOURS = {
    "default": FOREGROUND,
    "black": "#4a5561",
    "red": "#ff6b68",
    "green": "#5bd778",
    "brown": "#f2c55c",
    "yellow": "#f2c55c",
    "blue": "#6cb2ff",
    "magenta": "#d7a1ff",
    "cyan": "#5fd4d4",
    "white": "#f4f7fa",
}

Row = tuple[tuple[int, str, str, bool], ...]  # runs: (first cell, text, colour, bold)


def capture(command: list[str], sample_s: float) -> list[tuple[float, list[Row]]]:
    """Run the command on a pty; return (time, screen) wherever the screen changed."""
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", COLUMNS=str(COLUMNS), LINES=str(ROWS))
        os.execvp(command[0], command)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    frames: list[tuple[float, list[Row]]] = []
    start = due = time.monotonic()
    open_ = True
    while open_:
        ready, _, _ = select.select([fd], [], [], max(0.0, due - time.monotonic()))
        if ready:
            try:
                data = os.read(fd, 65536)
            except OSError:  # the child closed its side: EIO on Linux
                data = b""
            if data:
                stream.feed(data)
            else:
                open_ = False
        now = time.monotonic()
        if now >= due or not open_:
            due = now + sample_s
            rows = [_runs(screen, y) for y in range(ROWS)]
            if not frames or frames[-1][1] != rows:
                frames.append((now - start, rows))
    os.waitpid(pid, 0)
    return frames


def _runs(screen: pyte.Screen, y: int) -> Row:
    runs: list[tuple[int, str, str, bool]] = []
    line = screen.buffer[y]
    for x in range(COLUMNS):
        # A wide (Chinese) character occupies two cells; the second one is empty.
        cell = line[x]
        colour = COLOURS.get(cell.fg, f"#{cell.fg}")
        if runs and runs[-1][2:] == (colour, cell.bold):
            first, text, *style = runs[-1]
            runs[-1] = (first, text + cell.data, *style)
        else:
            runs.append((x, cell.data, colour, cell.bold))
    while runs and not runs[-1][1].strip():
        runs.pop()
    if runs:
        first, text, *style = runs[-1]
        runs[-1] = (first, text.rstrip(), *style)
    return tuple(runs)


def draw(frames: list[tuple[float, list[Row]]], hold_s: float) -> str:
    """Draw the frames as one looping SVG."""
    total = frames[-1][0] + hold_s
    names: dict[Row, str] = {}
    for _, rows in frames:
        for row in rows:
            if row and row not in names:
                names[row] = f"r{len(names)}"
    width, height = COLUMNS * CELL_W + 24, ROWS * CELL_H + 24
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}"',
        ' font-family="ui-monospace,Menlo,Consolas,DejaVu Sans Mono,monospace"',
        ' font-size="14">',
        f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>',
        "<style>text{white-space:pre}.f{visibility:hidden}",
    ]
    for i, (at, _) in enumerate(frames):
        end = frames[i + 1][0] if i + 1 < len(frames) else total
        a, b = 100 * at / total, 100 * end / total
        before = f"0%,{a:.3f}%{{visibility:hidden}}" if a > 0 else ""
        after = f"{b:.3f}%,100%{{visibility:hidden}}" if b < 100 else ""
        out.append(
            f"@keyframes k{i}{{{before}{a + 0.001:.3f}%,{b - 0.001:.3f}%"
            f"{{visibility:visible}}{after}}}"
            f"#f{i}{{animation:k{i} {total:.2f}s step-end infinite}}"
        )
    out.append("</style><defs>")
    for row, name in names.items():
        spans = []
        for x, text, colour, bold in row:
            weight = ' font-weight="bold"' if bold else ""
            spans.append(
                f'<tspan x="{x * CELL_W:.1f}" fill="{colour}"{weight}>'
                f"{html.escape(text)}</tspan>"
            )
        out.append(f'<text id="{name}" xml:space="preserve">{"".join(spans)}</text>')
    out.append("</defs>")
    for i, (_, rows) in enumerate(frames):
        uses = "".join(
            f'<use href="#{names[row]}" x="12" y="{24 + y * CELL_H}"/>'
            for y, row in enumerate(rows)
            if row
        )
        out.append(f'<g class="f" id="f{i}">{uses}</g>')
    out.append("</svg>")
    return "\n".join(out) + "\n"


def main() -> int:
    """Parse the command line, record, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sample", type=float, default=0.5, help="seconds")
    parser.add_argument("--hold", type=float, default=6.0, help="last frame, seconds")
    parser.add_argument("command", nargs="+")
    args = parser.parse_args()
    frames = capture(args.command, args.sample)
    args.out.write_text(draw(frames, args.hold), encoding="utf-8")
    sys.stderr.write(f"{len(frames)} frames -> {args.out}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
