"""What the demo draws: one screen from one state, nothing else known."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.cli.output import Style, clip, display_width, pad, paint
from gateway.texts import t

WIDTH = 96
_BARS = " ▁▂▃▄▅▆▇█"
_BACKLOG_POINTS = 44
_LOG_LINES = 6
_VALUES_WIDTH = 44
_LEAST_VALUES = 12


@dataclass
class DeviceLine:
    """One device as the panel shows it."""

    name: str
    bus: str
    state: str = "waiting"
    """``waiting``, ``good`` or ``bad``."""
    values: str = ""
    age_s: float | None = None


@dataclass
class DemoState:
    """Everything the panel shows."""

    elapsed_s: float = 0.0
    devices: list[DeviceLine] = field(default_factory=list)
    link: str = "down"
    """``down`` (not yet up), ``up`` or ``cut``."""
    link_since_s: float = 0.0
    backlog: list[int] = field(default_factory=list)
    """Records not yet proved delivered, a sample each half second."""
    stored_bytes: int = 0
    received: int = 0
    values: int = 0
    duplicates: int = 0
    wrong: int = 0
    missing: int = 0
    latency_ms: float | None = None
    regulator: dict[str, int] = field(default_factory=dict)
    """What the HJ 212 platform has: ``realtime``, ``minutes``, ``same``,
    ``differing``, ``broken`` (clauses); empty: it has not said yet."""
    log: list[tuple[float, str]] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Add a line to the log, with the time of the run."""
        self.log.append((self.elapsed_s, text))

    def sample_backlog(self, records: int) -> None:
        """Remember the backlog's size for the curve."""
        self.backlog = [*self.backlog, records][-_BACKLOG_POINTS:]


def panel(state: DemoState, columns: int = WIDTH) -> list[str]:
    """The screen's lines, coloured where standard output shows colours.

    None is wider than ``columns``: a line that wraps could not be drawn over.
    """
    width = min(columns, WIDTH)
    room = max(_LEAST_VALUES, _VALUES_WIDTH - (WIDTH - width))
    clock = f"{int(state.elapsed_s) // 60:02d}:{int(state.elapsed_s) % 60:02d}"
    title = clip(t("demo.title"), width - len(clock) - 3)
    blanks = " " * max(1, width - display_width(title) - len(clock) - 1)
    lines = [paint(f" {title}", "bold") + blanks + paint(clock, "dim"), ""]
    lines += [_device(device, room) for device in state.devices]
    lines += ["", _link(state), _backlog(state), _platform(state)]
    lines += [_regulator(state), ""]
    lines += [
        paint(f" {at:6.1f} s  ", "dim") + text for at, text in state.log[-_LOG_LINES:]
    ]
    return [clip(line, columns) for line in lines]


def sparkline(samples: list[int]) -> str:
    """The samples as a row of bars; the highest one fills its cell."""
    most = max(samples, default=0)
    if most == 0:
        return _BARS[1] * len(samples)
    top = len(_BARS) - 1
    return "".join(
        _BARS[max(1, round(sample / most * top))] if sample else _BARS[1]
        for sample in samples
    )


def _device(device: DeviceLine, room: int) -> str:
    styles: dict[str, Style] = {"good": "green", "bad": "red", "waiting": "dim"}
    style = styles[device.state]
    age = "" if device.age_s is None else f"{device.age_s:.1f} s"
    return "".join(
        (
            paint(" ● ", style),
            pad(device.name, 11),
            paint(pad(device.bus, 17), "dim"),
            pad(clip(device.values, room), room + 1),
            paint(pad(age, 7, right=True), "dim"),
            "  ",
            paint(t(f"demo.state.{device.state}"), style),
        )
    )


def _row(label: str, content: str) -> str:
    return " " + paint(pad(t(label), 11), "bold") + content


def _link(state: DemoState) -> str:
    seconds = f"{max(0.0, state.elapsed_s - state.link_since_s):.0f}"
    if state.link == "up":
        return _row("demo.link", paint("━" * 24 + " " + t("demo.link.up"), "green"))
    if state.link == "cut":
        text = "━" * 10 + " ✂  " + "╌" * 10 + " " + t("demo.link.cut", seconds=seconds)
        return _row("demo.link", paint(text, "red"))
    return _row("demo.link", paint("╌" * 24 + " " + t("demo.link.down"), "dim"))


def _backlog(state: DemoState) -> str:
    now = state.backlog[-1] if state.backlog else 0
    curve = paint(sparkline(state.backlog), "yellow" if now > 1 else "cyan")
    text = t("demo.backlog.text", records=now, kilobytes=state.stored_bytes // 1000)
    return _row("demo.backlog", f"{text}  {curve}")


def _platform(state: DemoState) -> str:
    text = t("demo.platform.text", records=state.received, values=state.values)
    checks = [
        (t("demo.platform.missing", count=state.missing), state.missing),
        (t("demo.platform.duplicates", count=state.duplicates), 0),
        (t("demo.platform.wrong", count=state.wrong), state.wrong),
    ]
    marks = "  ".join(paint(text, "red" if bad else "green") for text, bad in checks)
    delay = (
        ""
        if state.latency_ms is None
        else "  " + t("demo.platform.latency", ms=f"{state.latency_ms:.1f}")
    )
    return _row("demo.platform", f"{text}  {marks}{delay}")


def _regulator(state: DemoState) -> str:
    has = state.regulator
    if not has:
        return _row("demo.regulator", paint(t("demo.regulator.waiting"), "dim"))
    text = t("demo.regulator.text", realtime=has["realtime"], minutes=has["minutes"])
    if not has["minutes"]:
        return _row("demo.regulator", f"{text}  {t('demo.regulator.no_minute')}")
    checks = [
        (t("demo.regulator.same", count=has["same"]), 0),
        (t("demo.regulator.differing", count=has["differing"]), has["differing"]),
    ]
    if has["broken"]:
        checks.append((t("demo.regulator.broken", count=has["broken"]), has["broken"]))
    marks = "  ".join(paint(text, "red" if bad else "green") for text, bad in checks)
    return _row("demo.regulator", f"{text}  {marks}")
