"""What differs between the running site and a new one, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from gateway.config.model import Hj212Target
from gateway.texts import LANGUAGES, both, t

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.config.model import Site

T = TypeVar("T")


class Change(msgspec.Struct, kw_only=True):
    """Names of what has to be touched; everything else runs on."""

    refused: list[str] = []
    """What needs a restart: text keys."""
    buses_added: list[str] = []
    buses_removed: list[str] = []
    buses_restarted: list[str] = []
    """Their transport changed."""
    devices: dict[str, list[str]] = {}
    """Bus -> devices added, changed or removed; the port stays open."""
    targets_added: list[str] = []
    targets_removed: list[str] = []
    targets_changed: list[str] = []
    site: bool = False
    """Who and where: only the description sent to platforms."""
    judged: bool = False
    """Fences, or whether the station moves: judged otherwise from now on."""
    cameras: list[str] = []
    """Added, changed or removed: their groups get a new process."""
    vision: bool = False
    """The model, the room for evidence: every group gets a new process."""
    stations: list[str] = []
    """Added, changed or removed: what is unchanged in them goes on."""

    @property
    def nothing(self) -> bool:
        """Whether the new site says the same."""
        return self == Change()

    def refusal(self) -> str:
        """Why nothing was changed."""
        return t("reload.needs_restart", what=", ".join(t(key) for key in self.refused))

    def said(self) -> list[str]:
        """Each change in a sentence."""
        return [t(key, **values) for key, values in self._sentences()]

    def said_in_both(self) -> dict[str, str]:
        """All changes, in each language: for an event."""
        all_said = [both(key, **values) for key, values in self._sentences()]
        return {code: "; ".join(said[code] for said in all_said) for code in LANGUAGES}

    def _sentences(self) -> Iterator[tuple[str, dict[str, str]]]:
        for key, names in (
            ("reload.bus_added", self.buses_added),
            ("reload.bus_removed", self.buses_removed),
            ("reload.bus_restarted", self.buses_restarted),
            ("reload.target_added", self.targets_added),
            ("reload.target_removed", self.targets_removed),
            ("reload.target_reconnects", self.targets_changed),
        ):
            for name in names:
                yield key, {"name": name}
        for bus, names in self.devices.items():
            yield "reload.devices", {"bus": bus, "names": ", ".join(names)}
        if self.site:
            yield "reload.site", {}
        if self.judged:
            yield "reload.judged", {}
        if self.cameras:
            yield "reload.cameras", {"names": ", ".join(self.cameras)}
        if self.vision:
            yield "reload.vision", {}
        if self.stations:
            yield "reload.stations", {"names": ", ".join(self.stations)}


def compare(old: Site, new: Site) -> Change:
    """What has to be touched to go from one site to the other."""
    change = Change()
    if old.gateway != new.gateway:
        change.refused.append("reload.gateway_id")
    if old.buffer != new.buffer:
        change.refused.append("reload.buffer")
    if old.history != new.history:
        change.refused.append("reload.history")
    if (old.clock_trust, old.clock_wait_s) != (new.clock_trust, new.clock_wait_s):
        change.refused.append("reload.clock")
    added, removed, changed = _names(old.buses, new.buses)
    change.buses_added, change.buses_removed = added, removed
    change.buses_restarted = changed
    for names in _names(old.devices, new.devices):
        for name in names:
            _touch(change, name, old, new)
    added, removed, changed = _names(old.targets, new.targets)
    change.targets_added, change.targets_removed = added, removed
    change.targets_changed = changed + _of_stations(old, new, changed)
    change.site = old.info != new.info or old.assets != new.assets
    change.judged = old.fences != new.fences or old.mobile != new.mobile
    for names in _names(old.stations, new.stations):
        change.stations += names
    for names in _names(old.cameras, new.cameras):
        change.cameras += names
    both = old.vision is not None and new.vision is not None
    change.vision = both and old.vision != new.vision
    return change


def _of_stations(old: Site, new: Site, changed: list[str]) -> list[str]:
    """HJ 212 targets whose station, or whose time, is another now."""
    return [
        target.name
        for target in new.targets.values()
        if isinstance(target, Hj212Target)
        and target.name in old.targets
        and target.name not in changed
        and (
            old.stations.get(target.station) != new.stations.get(target.station)
            or old.info.timezone != new.info.timezone
        )
    ]


def _touch(change: Change, device: str, old: Site, new: Site) -> None:
    """Note a device at each bus that keeps its port and has or had it."""
    afresh = {*change.buses_added, *change.buses_removed, *change.buses_restarted}
    for site in (old, new):
        if device in site.devices:
            bus = site.devices[device].bus
            names = change.devices.setdefault(bus, []) if bus not in afresh else []
            if device not in names:
                names.append(device)


def _names(
    old: Mapping[str, T], new: Mapping[str, T]
) -> tuple[list[str], list[str], list[str]]:
    """Added, removed, changed."""
    return (
        [name for name in new if name not in old],
        [name for name in old if name not in new],
        [name for name in new if name in old and old[name] != new[name]],
    )
