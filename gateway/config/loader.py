"""From the site file to a ``Site``, or to everything that is wrong with it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from drivers.profiles.document import no_collection, read_document
from drivers.profiles.reading import Problem, Report, Section
from gateway.config.buses import check_name, read_bus
from gateway.config.camera_keys import CameraReader, check_values
from gateway.config.crosscheck import (
    check_addresses,
    check_load,
    check_ports,
    check_references,
)
from gateway.config.devices import DeviceReader
from gateway.config.files import text_of
from gateway.config.filters import check_devices
from gateway.config.hj212_checks import finish_hj212
from gateway.config.library import Library, SiteLibrary
from gateway.config.model import BufferLimits, HistoryLimits, Site, SiteInfo
from gateway.config.place_checks import check_edges, check_lines, check_positions
from gateway.config.place_keys import read_fence, read_mobile
from gateway.config.problems import SiteError
from gateway.config.site_info import read_assets, read_site_info
from gateway.config.station_keys import read_stations
from gateway.config.targets import read_target
from gateway.config.vision_keys import check_vision, read_vision

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Literal

    from gateway.config.model import Bus, Device, Target
    from gateway.config.places import Fence

KEYS = (
    "gateway", "site", "assets", "buffer", "clock", "buses", "devices", "targets",
    "fences", "mobile", "stations", "history", "cameras", "vision",
)  # fmt: skip
BUFFER_KEYS = ("path", "max_bytes", "keep_free", "write_through", "endurance")
HISTORY_KEYS = ("max_bytes",)
CLOCK_KEYS = ("trust", "wait")
CLOCK_WAIT_S = 3600.0
"""NTP daemons ask again after 34 min at the latest (systemd-timesyncd): who waits an
hour misses no answer that comes at all."""
_GATEWAY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")
_SMALLEST_BUFFER = 4_000_000
_SMALLEST_HISTORY = 10_000_000
_SMALLEST_ENDURANCE = 10**9


def load_site(
    path: Path, *, folder: Path | None = None, library: Library | None = None
) -> Site:
    """The site that a file describes.

    Args:
        path: The site file.
        folder: What relative paths in it start from; its own folder by default.
        library: Where profiles come from; by default ``profiles/`` in that folder,
            then the installed ones.

    Raises:
        SiteError: Anything but warnings is wrong; it lists everything.
    """
    site, problems = load_problems(path, folder=folder, library=library)
    if site is None:
        raise SiteError(path, [p for p in problems if not p.warning])
    return site


def load_problems(
    path: Path, *, folder: Path | None = None, library: Library | None = None
) -> tuple[Site | None, list[Problem]]:
    """The site, or None when there are errors, and all errors and warnings.

    Problems come in the order of their places, those of the site file first and each
    of the site's own profiles after it; see ``load_site`` for the arguments.
    """
    report = Report()
    with no_collection():
        site = _load(
            path,
            folder or path.absolute().parent,
            report,
            library or SiteLibrary(folder or path.parent, report),
        )
    problems = sorted(report.problems, key=_place)
    return (None if report.failed else site), problems


def _place(problem: Problem) -> tuple[str, int, int, str]:
    return problem.document, problem.line, problem.column, problem.path


def _load(path: Path, folder: Path, report: Report, library: Library) -> Site | None:
    text = text_of(path, report)
    if text is None:
        return None
    root, errors = read_document(text, path.name)
    report.add_document_errors(errors)
    if errors and not root.value:
        return None
    section = Section.open(report, root, "", KEYS)
    if section is None:
        return None
    gateway = _gateway(section)
    info_node, assets_node = section.get("site"), section.get("assets")
    info = read_site_info(report, info_node, "site") if info_node else SiteInfo()
    assets = read_assets(report, assets_node, "assets") if assets_node else {}
    buffer = _buffer(section, folder)
    history = _history(section)
    trust, wait_s = _clock(section)
    buses = _buses(section)
    devices = _devices(section, library, buses, info.timezone)
    targets = _targets(section, folder)
    fences = _fences(section)
    mobile = read_mobile(section)
    stations = read_stations(section, devices, assets)
    vision = read_vision(section, buffer, folder)
    cameras = CameraReader(section, info, folder).read_all()
    named = {name: {p.name for p in device.points} for name, device in devices.items()}
    check_values(section, cameras.values(), named)
    targets = finish_hj212(report, root, targets, stations, devices)
    check_references(report, root)
    check_devices(report, root)
    check_addresses(report, root, devices, buses)
    check_ports(report, root, buses)
    check_load(report, root, devices, buses)
    check_positions(report, root, devices)
    check_edges(report, root, devices)
    check_lines(report, root, devices, buses)
    if buffer is not None and vision is not None:
        check_vision(section, vision, cameras, buffer, history)
    if report.failed or gateway is None or buffer is None:
        return None
    if not targets:
        report.add(root, "targets", "no_targets", warning=True)
    return Site(
        gateway=gateway,
        info=info,
        assets=assets,
        buffer=buffer,
        buses=buses,
        devices=devices,
        targets=targets,
        fences=fences,
        mobile=mobile,
        stations=stations,
        history=history,
        cameras=cameras,
        vision=vision if cameras else None,
        clock_trust=trust,
        clock_wait_s=wait_s,
        source=path.absolute(),
    )


def _gateway(section: Section) -> str | None:
    name = section.text("gateway", required=True)
    if name is not None and not _GATEWAY.match(name):
        section.wrong("gateway", "gateway_name", found=name)
        return None
    return name


def _buffer(section: Section, folder: Path) -> BufferLimits | None:
    node = section.get("buffer", required=True)
    inner = Section.open(section.report, node, "buffer", BUFFER_KEYS) if node else None
    if inner is None:
        return None
    path = inner.text("path", required=True)
    max_bytes = inner.size("max_bytes", _SMALLEST_BUFFER)
    keep_free = inner.size("keep_free")
    write_through = inner.boolean("write_through")
    endurance = inner.size("endurance", _SMALLEST_ENDURANCE)
    if path is None:
        return None
    limits = BufferLimits(path=folder / path)
    return BufferLimits(
        path=limits.path,
        max_bytes=limits.max_bytes if max_bytes is None else max_bytes,
        keep_free=limits.keep_free if keep_free is None else keep_free,
        write_through=bool(write_through),
        endurance=endurance,
    )


def _history(section: Section) -> HistoryLimits:
    node, keys = section.get("history"), HISTORY_KEYS
    inner = Section.open(section.report, node, "history", keys) if node else None
    max_bytes = inner.size("max_bytes", _SMALLEST_HISTORY) if inner else None
    return HistoryLimits() if max_bytes is None else HistoryLimits(max_bytes=max_bytes)


def _clock(section: Section) -> tuple[Literal["ntp", "always"], float | None]:
    node = section.get("clock")
    inner = Section.open(section.report, node, "clock", CLOCK_KEYS) if node else None
    if inner is None:
        return "ntp", CLOCK_WAIT_S
    trust = inner.choice("trust", ("ntp", "always"))
    wait_s: float | None = CLOCK_WAIT_S
    if inner.has("wait"):
        forever = inner.at("wait").text == "never"
        wait_s = None if forever else inner.duration("wait")
    return cast("Literal['ntp', 'always']", trust or "ntp"), wait_s


def _buses(section: Section) -> dict[str, Bus]:
    buses: dict[str, Bus] = {}
    for name, node, _ in section.entries("buses"):
        check_name(section.report, name, section.at("buses"), "buses")
        bus = read_bus(section.report, name, node, f"buses.{name}")
        if bus is not None:
            buses[name] = bus
    return buses


def _devices(
    section: Section, library: Library, buses: dict[str, Bus], timezone: str
) -> dict[str, Device]:
    reader = DeviceReader(section.report, library, buses, timezone)
    devices: dict[str, Device] = {}
    for name, node, _ in section.entries("devices"):
        check_name(section.report, name, section.at("devices"), "devices")
        device = reader.read(name, node, f"devices.{name}")
        if device is not None:
            devices[name] = device
    return devices


def _fences(section: Section) -> dict[str, Fence]:
    fences: dict[str, Fence] = {}
    for name, node, _ in section.entries("fences"):
        check_name(section.report, name, section.at("fences"), "fences")
        fence = read_fence(section.report, name, node, f"fences.{name}")
        if fence is not None:
            fences[name] = fence
    return fences


def _targets(section: Section, folder: Path) -> dict[str, Target]:
    targets: dict[str, Target] = {}
    for name, node, _ in section.entries("targets"):
        check_name(section.report, name, section.at("targets"), "targets")
        target = read_target(section.report, name, node, f"targets.{name}", folder)
        if target is not None:
            targets[name] = target
    return targets
