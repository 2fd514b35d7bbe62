"""A site file of what was found: it passes ``check`` and runs. Pure.

One port has one owner and one speed: the group of devices that most of the line belongs
to is written in force, every other one as a comment that says what to do about it. The
same goes for devices that no profile fits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gateway.commission.door import Setting
from gateway.config.line_load import line_share
from gateway.config.model import Device, SerialLine
from gateway.texts import t

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from drivers.profiles.model import Profile
    from gateway.commission.fingerprint import Match
    from gateway.commission.search import Found

_PERIODS = (5, 10, 15, 30, 60, 120, 300)
_ROOM = 0.7
"""Of the line's time that polling may take."""
_METER_S = 30


class Proposal(NamedTuple):
    """A found device and what it is, as far as known."""

    found: Found
    matches: Sequence[Match]

    @property
    def profile(self) -> str | None:
        """The profile that fits best."""
        return self.matches[0].profile if self.matches else None


class Place(NamedTuple):
    """Where the devices were found."""

    serial: str = ""
    tcp: str = ""
    over_tcp: str = ""
    """``modbus-tcp`` or ``rtu``."""


def site_file(
    place: Place,
    proposals: Iterable[Proposal],
    load: Callable[[str], Profile],
    *,
    gateway: str = "site-1",
) -> str:
    """The text of a site file.

    Args:
        place: The port or endpoint.
        proposals: What was found, with its profiles.
        load: A profile by its name.
        gateway: The gateway's name.
    """
    groups: dict[tuple[str, str], list[Proposal]] = {}
    for proposal in proposals:
        key = (proposal.found.protocol, proposal.found.setting)
        groups.setdefault(key, []).append(proposal)

    def usable(group: Sequence[Proposal]) -> int:
        return sum(proposal.profile is not None for proposal in group)

    ordered = sorted(groups.items(), key=lambda item: -usable(item[1]))
    lines = [
        f"# {t('find.file.head')}",
        f"gateway: {gateway}",
        "buffer: {path: ./data, max_bytes: 512MB, keep_free: 200MB}",
    ]
    for number, ((protocol, setting), group) in enumerate(ordered):
        in_force = number == 0 and usable(group) > 0
        written = _group(place, protocol, setting, group, load, number)
        if number and in_force is False:
            lines += ["", f"# {t('find.file.other', setting=setting or protocol)}"]
        lines += written if in_force else [_comment(line) for line in written]
    return "\n".join(lines) + "\n"


def _group(
    place: Place,
    protocol: str,
    setting: str,
    group: Sequence[Proposal],
    load: Callable[[str], Profile],
    number: int,
) -> list[str]:
    name = "line-1" if place.serial else "tcp-1"
    name = name if number == 0 else f"{name.partition('-')[0]}-{number + 1}"
    devices: list[str] = []
    used: set[str] = set()
    every_s = _every(setting, group, load)
    for proposal in sorted(group, key=lambda p: str(p.found.address).zfill(12)):
        devices += _device(name, proposal, used, every_s)
    return [
        "buses:",
        f"  {name}: {_bus(place, protocol, setting)}",
        "devices:",
        *devices,
    ]


def _bus(place: Place, protocol: str, setting: str) -> str:
    if place.serial:
        how = Setting.parse(setting)
        spoken = "dlt645" if protocol == "dlt645" else "modbus-rtu"
        parts = f"serial: {place.serial}, baud: {how.baud}, framing: {how.framing}"
        return f"{{protocol: {spoken}, {parts}}}"
    tcp = "modbus-tcp" if place.over_tcp == "modbus-tcp" else "modbus-rtu-tcp"
    spoken = "dlt645" if protocol == "dlt645" else tcp
    return f'{{protocol: {spoken}, tcp: "{place.tcp}"}}'


def _device(bus: str, proposal: Proposal, used: set[str], every_s: int) -> list[str]:
    found, profile = proposal.found, proposal.profile
    address = found.address
    written = f'"{address}"' if isinstance(address, str) else str(address)
    head = f"bus: {bus}, address: {written}, every: {every_s}s"
    stem = profile or ("meter" if found.protocol == "dlt645" else "unit")
    name = f"{stem}-{address}"
    used.add(name)
    if profile is None:
        return [
            f"  # {t('find.file.unknown', address=address)}",
            f"  # {name}: {{{head}, points: []}}",
        ]
    best = proposal.matches[0]
    known = t(f"find.certainty.{best.certainty}")
    signs = ", ".join(f"{s.what} {s.found}" for s in best.signs[:3] if s.weight > 0)
    others = [m.profile for m in proposal.matches[1:3]]
    also = t("find.file.also", profiles=", ".join(others)) if others else ""
    return [
        f"  # {known}: {signs}{also}",
        f"  {name}: {{{head}, profile: {profile}}}",
    ]


def _every(
    setting: str, group: Sequence[Proposal], load: Callable[[str], Profile]
) -> int:
    """A period that leaves the line room."""
    if group[0].found.protocol == "dlt645":
        return _METER_S
    if not setting:
        return _PERIODS[0]
    how = Setting.parse(setting)
    line = SerialLine(device="/dev/null", baud=how.baud, framing=how.framing)
    for every_s in _PERIODS:
        devices = [
            Device(
                name=str(proposal.found.address),
                bus="line-1",
                address=proposal.found.address,
                every_s=every_s,
                points=profile.points,
                pause_s=profile.pause_s,
                max_registers=profile.max_registers,
            )
            for proposal in group
            if proposal.profile and (profile := load(proposal.profile))
        ]
        if line_share(devices, line, 0.0) <= _ROOM:
            return every_s
    return _PERIODS[-1]


def _comment(line: str) -> str:
    return f"# {line}"
