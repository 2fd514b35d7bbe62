"""The play: who starts when, when the link is cut, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.cli.demo.children import Child
from gateway.cli.demo.panel import DemoState, DeviceLine
from gateway.cli.demo.sights import GOOD, SMOKE, SMOKE_EVERY_S, Sights
from gateway.cli.demo.site import (
    BAUD,
    BUS_KINDS,
    CAMERA,
    CAMERA_USER,
    CHECK_POINTS,
    DEVICES,
    HJ212,
    LINE,
    MN,
    MQTT,
    NETWORK,
    PASSWORD,
    ST,
    STATION,
    Ports,
    Wired,
    write_site,
)
from gateway.cli.output import pad, paint, print_json
from gateway.control import socket_path
from gateway.texts import t

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from gateway.cli.demo.screen import Screen

_SEED = 20
_TICK_S = 0.5
_DRAIN_S = 10.0
_CUT_EVERY_S = 60.0
_CUT_FIRST_S = 12.0
_CUT_FOR_S = 10.0


class Stage:
    """One run of the demo."""

    def __init__(
        self,
        folder: Path,
        screen: Screen,
        *,
        broker: str,
        for_s: float | None,
        vision: bool = False,
    ) -> None:
        self.folder = folder
        self.screen = screen
        self.state = DemoState(
            devices=[DeviceLine(d.name, BUS_KINDS[d.bus]) for d in DEVICES]
        )
        self.sights = Sights(folder / "data" / "media", self._note)
        if vision:
            self.state.devices.append(DeviceLine(CAMERA, ""))
        self._vision = vision
        self._broker = broker
        self._for_s = for_s
        self._children: list[Child] = []
        self._values: dict[str, tuple[float, dict[str, Any], bool]] = {}
        self._verdict: dict[str, Any] = {}
        self._regulator_verdict: dict[str, Any] = {}
        self._backlogs: dict[str, int] = {}
        self._start = time.monotonic()
        self._gateway_start = 0.0
        self._stop = asyncio.Event()
        self._units: dict[tuple[str, str], str] = {}

    # -- the play -----------------------------------------------------------

    async def play(self) -> dict[str, Any]:
        """Start everything, run until told to stop; returns the verdict."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop.set)
        try:
            await self._set_up()
            async with asyncio.TaskGroup() as group:
                beside = [
                    group.create_task(self._follow_values(), name="demo:values"),
                    group.create_task(self._follow_health(), name="demo:health"),
                    group.create_task(self._draw(), name="demo:screen"),
                ]
                await self._cut_and_heal()
                await self._finish()
                for task in beside:
                    task.cancel()
        finally:
            for child in reversed(self._children):
                await child.end()
            self._show()
            self.screen.leave()
        regulator = self._regulator_verdict
        clean = bool(self._verdict.get("clean") and regulator.get("clean"))
        verdict = {**self._verdict, "clean": clean, "hj212": regulator}
        return {**verdict, "sights": self.sights.told} if self._vision else verdict

    def say(self, verdict: dict[str, Any], *, as_json: bool) -> None:
        """Print how it ended."""
        if as_json:
            print_json(verdict)
            return
        if verdict.get("clean"):
            text = t("demo.clean", records=verdict["records"], values=verdict["values"])
            print(f"\n {paint(t('demo.verdict'), 'bold')}  {paint(text, 'green')}")
        else:
            print(f"\n {paint(t('demo.verdict'), 'bold')}  ", end="")
            print(paint(t("demo.not_clean"), "red"))
            for example in verdict.get("examples", []):
                print(f"   {example}")
        for key in ("gaps", "lost_stated", "duplicates", "missing", "wrong"):
            print(f"   {pad(t(f'demo.count.{key}'), 12)}{verdict.get(key, '?')}")
        self._say_regulator(verdict["hj212"])
        for sight in verdict.get("sights", ()):
            print(f"\n {paint(sight['text'], 'bold')}\n   {sight.get('picture', '')}")
        if verdict.get("sights") == []:
            print(f"\n {t('demo.no_sight')}")

    def _say_regulator(self, has: dict[str, Any]) -> None:
        """The second judge: HJ 212 beside MQTT."""
        print(f"\n {paint(t('demo.regulator'), 'bold')}  ", end="")
        if not has.get("clean"):
            print(paint(t("demo.not_clean"), "red"))
            for example in (*has.get("examples", ()), *has.get("failed", ())):
                print(f"   {example}")
        elif has["minutes"]:
            print(paint(t("demo.regulator.clean", **has), "green"))
        else:
            print(paint(t("demo.regulator.short", **has), "green"))

    async def _set_up(self) -> None:
        line = self.folder / "line-1"
        # The slowest of all to draw its first picture.
        camera = await self._camera() if self._vision else None
        broker = await self._child(
            "broker", "--kind", self._broker, "--folder", str(self.folder / "broker")
        )
        self._note("demo.log.broker", port=broker["port"])
        self._regulator = await self._started(
            "regulator",
            *("--mn", f"{MN}@{ST}", "--station", STATION, "--password", PASSWORD),
            *("--port", str(broker["port"]), "--every", str(_TICK_S)),
        )
        # All beside each other: the first value waits for the slowest, not for the sum.
        self._proxy = await self._started(
            "proxy", "--to", f"127.0.0.1:{broker['port']}"
        )
        start = str(time.monotonic_ns())
        common = ("--start-ns", start, "--seed", str(_SEED))
        peer = (*common, "--engine", "pymodbus")
        check = await self._started(
            "modbus", "--bench", f"1x{CHECK_POINTS}", "--tcp", "0", *common
        )
        serial = await self._started(
            "modbus", *_named(LINE), "--pty", str(line), "--baud", str(BAUD), *peer
        )
        network = await self._started("modbus", *_named(NETWORK), "--tcp", "0", *peer)
        await self._ready(check)
        judge = await self._judging(broker["port"], check.facts["start_utc_ms"])
        await self._ready(serial, network)
        self._note("demo.log.devices", count=len(DEVICES))
        await self._ready(self._proxy, self._regulator, judge)
        self._regulator.listen(self._hear_regulator)
        judge.listen(self._hear)
        ports = Ports(
            network.facts["port"],
            check.facts["port"],
            self._proxy.facts["port"],
            self._regulator.facts["port"],
            await self._look(camera) if camera else "",
        )
        site = write_site(self.folder, line, ports)
        self._note_units(site)
        self._gateway_start = time.monotonic()
        gateway = await Child.start(
            "gateway", "gateway", "run", str(site), log=self.folder / "gateway.log"
        )
        self._children.append(gateway)
        self._gateway = gateway
        self._note("demo.log.gateway")

    async def _camera(self) -> Child:
        """A works whose stack smokes now and then."""
        return await self._started(
            "camera",
            *("works", "--rtsp", "0", "--http", "0", "--either"),
            *("--user", CAMERA_USER, "--password", PASSWORD),
            *("--event", SMOKE, "--every", f"{SMOKE_EVERY_S:.0f}"),
        )

    async def _look(self, camera: Child) -> str:
        """Wait for the camera; its address."""
        await self._ready(camera)
        url = next(url for url in camera.facts["urls"] if not url.endswith(".jpg"))
        self.state.devices[-1].bus = "RTSP" if url.startswith("rtsp") else "MJPEG"
        self._note("demo.log.camera", url=url)
        return str(url)

    async def _judging(self, port: int, start_utc_ms: int) -> Child:
        expected = {
            d.name: {"profile": d.profile, "unit": d.unit, "seed": _SEED}
            for d in (*LINE, *NETWORK)
        }
        path = self.folder / "expect.json"
        path.write_bytes(msgspec.json.encode(expected))
        self._judge = await self._started(
            "platform",
            *("--port", str(port), "--expect", str(path), "--json"),
            *("--every", str(_TICK_S), "--start-utc-ms", str(start_utc_ms)),
        )
        return self._judge

    async def _child(self, kind: str, *options: str) -> dict[str, Any]:
        child = await self._started(kind, *options)
        await self._ready(child)
        return child.facts

    async def _ready(self, *children: Child) -> None:
        for child in children:
            place = self._children.index(child)
            await child.ready(self.folder / f"{child.name}-{place}.log")
            self._show()

    async def _started(self, kind: str, *options: str) -> Child:
        """Started, and not waited for."""
        log = self.folder / f"{kind}-{len(self._children)}.log"
        child = await Child.start(kind, f"simulators.{kind}", *options, log=log)
        self._children.append(child)
        return child

    async def _cut_and_heal(self) -> None:
        """Cut the link for a while, again and again, until the time is up."""
        total = self._for_s
        first = min(_CUT_FIRST_S, 0.3 * total) if total else _CUT_FIRST_S
        for_s = min(_CUT_FOR_S, 0.3 * total) if total else _CUT_FOR_S
        end = self._start + total if total else None
        pause = first
        while await self._wait(pause, end):
            self._proxy.tell("cut")
            self._regulator.tell("cut")
            self._link("cut")
            self._note("demo.log.cut")
            going_on = await self._wait(for_s, end)
            self._heal()
            self._note("demo.log.back")
            if not going_on:
                return
            # The health of before the cut may still be what we know.
            await asyncio.sleep(_TICK_S / 5)
            took = await self._drained(MQTT)
            if took is not None:
                self._note("demo.log.drained", seconds=f"{took:.1f}")
            pause = _CUT_EVERY_S

    async def _wait(self, seconds: float, end: float | None) -> bool:
        """Wait; False when the play is over."""
        left = seconds if end is None else min(seconds, end - time.monotonic())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, left)):
                await self._stop.wait()
        return not self._stop.is_set() and (end is None or time.monotonic() < end)

    def _heal(self) -> None:
        self._proxy.tell("heal")
        if self.state.link == "cut":
            self._regulator.tell("heal")

    async def _drained(self, *targets: str) -> float | None:
        """Seconds until they had what was held back; None: not in time."""
        since = time.monotonic()
        while (took := time.monotonic() - since) < _DRAIN_S:
            left = max((self._backlogs.get(name, 0) for name in targets), default=0)
            if self.state.link == "up" and left <= len(DEVICES):
                return took
            await asyncio.sleep(_TICK_S / 5)
        return None

    async def _finish(self) -> None:
        self._heal()
        await self._drained(MQTT, HJ212)
        self._note("demo.log.stopping")
        await self._gateway.end()
        await self._judge.end()
        await self._regulator.end()

    # -- what is heard ------------------------------------------------------

    def _hear(self, said: dict[str, Any]) -> None:
        verdict = said.get("so_far") or said.get("verdict")
        if verdict is None:
            return
        if "verdict" in said:
            self._verdict = verdict
        state = self.state
        if not state.received and verdict["records"]:
            seconds = f"{time.monotonic() - self._gateway_start:.1f}"
            self._note("demo.log.first", seconds=seconds)
        state.received, state.values = verdict["records"], verdict["values"]
        state.duplicates, state.wrong = verdict["duplicates"], verdict["wrong"]
        state.missing = verdict["missing"]
        state.latency_ms = verdict["latency_ms"].get("p50")

    def _hear_regulator(self, said: dict[str, Any]) -> None:
        has = said.get("so_far") or said.get("verdict")
        if has is None:
            return
        if "verdict" in said:
            self._regulator_verdict = has
        before = self.state.regulator
        if has["realtime"] and not before.get("realtime"):
            self._note("demo.log.regulator")
        if has["minutes"] and not before.get("minutes"):
            self._note("demo.log.minute", count=has["same"])
        counts = {key: has[key] for key in ("realtime", "minutes", "same", "differing")}
        self.state.regulator = {**counts, "broken": len(has["failed"])}

    async def _follow_values(self) -> None:
        async for item in self._control("watch"):
            record = item.get("item", {})
            device = record.get("device")
            self.sights.hear(record)
            if record.get("kind") == "scan" and device:
                values = record.get("values", {})
                self._values[device] = (time.monotonic(), values, bool(values))

    async def _follow_health(self) -> None:
        async for answer in self._control("health"):
            health = answer.get("result") or {}
            for target in health.get("targets", []):
                self._backlogs[target["target"]] = target["backlog"]
                if target["target"] != MQTT:
                    continue
                self.state.sample_backlog(target["backlog"])
                if target["state"] == "online" and self.state.link != "up":
                    self._link("up")
            for camera in health.get("cameras", []):
                self._seen(camera)
            self.state.stored_bytes = health.get("buffer", {}).get("bytes", 0)

    def _seen(self, camera: dict[str, Any]) -> None:
        line = self.state.devices[-1]
        line.state = "good" if camera["state"] in GOOD else "bad"
        line.values = self.sights.last or t("demo.camera.judged", **camera)
        if camera["last_frame_ms"] is not None:
            line.age_s = max(0.0, time.time() - camera["last_frame_ms"] / 1000)
        else:
            line.state = "waiting"

    async def _control(self, command: str) -> AsyncIterator[dict[str, Any]]:
        """Lines from the gateway's control socket; asks again each tick."""
        path = socket_path(self.folder / "data")
        while True:
            await asyncio.sleep(_TICK_S / 5)
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_unix_connection(path)
                try:
                    while True:
                        writer.write(msgspec.json.encode({"v": 1, "cmd": command}))
                        writer.write(b"\n")
                        line = await reader.readline()
                        while line:
                            yield msgspec.json.decode(line)
                            if command != "watch":
                                break
                            line = await reader.readline()
                        if not line:
                            break
                        await asyncio.sleep(_TICK_S)
                finally:
                    writer.close()

    # -- what is shown ------------------------------------------------------

    async def _draw(self) -> None:
        while True:
            self._show()
            await asyncio.sleep(_TICK_S / 2)

    def _show(self) -> None:
        now = time.monotonic()
        self.state.elapsed_s = now - self._start
        for wired, line in zip(DEVICES, self.state.devices, strict=not self._vision):
            if wired.name in self._values:
                at, values, good = self._values[wired.name]
                line.age_s = now - at
                line.state = "good" if good else "bad"
                line.values = self._few(wired, values)
        self.screen.draw(self.state)

    def _few(self, wired: Wired, values: dict[str, Any]) -> str:
        parts = []
        for point in wired.shown:
            if point in values:
                unit = self._units.get((wired.name, point), "")
                value = values[point]
                number = f"{value:.1f}" if isinstance(value, float) else f"{value}"
                parts.append(f"{point} {number} {unit}".rstrip())
        return "  ".join(parts)

    def _note_units(self, site: Path) -> None:
        from gateway.config import load_site

        for device in load_site(site).devices.values():
            for point in device.points:
                unit = "" if point.unit == "1" else point.unit
                self._units[device.name, point.name] = unit

    def _link(self, state: str) -> None:
        self.state.link = state
        self.state.link_since_s = time.monotonic() - self._start

    def _note(self, key: str, **values: object) -> None:
        self.state.elapsed_s = time.monotonic() - self._start
        self.state.note(t(key, **values))


def _named(devices: tuple[Wired, ...]) -> list[str]:
    return [word for d in devices for word in ("--profile", f"{d.profile}@{d.unit}")]
