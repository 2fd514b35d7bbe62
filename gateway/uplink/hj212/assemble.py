"""Host, settings and access of one target, put together for the app."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from gateway.secrets import SecretError
from gateway.uplink.hj212.access import Access
from gateway.uplink.hj212.host import CommandHost
from gateway.uplink.hj212.settings import HostSettings
from gateway.uplink.hj212.vault import Vault
from gateway.uplink.hj212.works import Works

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import Protocol

    from drivers.values import Answer, Value
    from gateway.bus_worker import BusWorker
    from gateway.clock import Instant
    from gateway.config.model import Device, Hj212Target
    from gateway.config.stations import Station
    from gateway.record import Event
    from gateway.uplink.hj212.instruments import Instruments
    from gateway.uplink.hj212.seams import Encoder, History, Host, Marks

    class Notes(Protocol):
        """The store's notes; see ``buffer.Buffer``."""

        def remember(self, key: str, value: bytes | None) -> None:
            """Keep a few bytes."""

        def recall(self, key: str) -> bytes | None:
            """What was kept."""


FOLDER = "hj212"
"""Beside the store: secrets that platforms set."""


class Reception(NamedTuple):
    """What the pump of one target wants of us."""

    settings: HostSettings
    access: Access
    """``access.open`` is the pump's ``sealer``."""
    host: Callable[[Encoder], Host]


def receive(
    conf: Hj212Target,
    station: Station,
    *,
    notes: Notes,
    folder: Path,
    history: History,
    marks: Marks,
    instruments: Instruments,
    now: Callable[[], Instant],
    tell: Callable[[Event], None],
    timezone: str,
    facilities: bool = False,
) -> Reception:
    """What answers one platform.

    Args:
        conf: The platform.
        station: Whose data it gets.
        notes: Where settings are kept.
        folder: The store's folder.
        history: Stored periods.
        marks: Told which of them it has.
        instruments: The workers.
        now: The clock.
        tell: Takes events.
        timezone: The site's.
        facilities: The station has facilities whose state could be sent.
    """
    access = Access(conf, Vault(folder / FOLDER, conf.name), lambda: now().wall_ms)
    key = f"hj212:{conf.name}"
    settings = HostSettings(
        conf,
        password=lambda: access.password,
        note=notes.recall(key),
        keep=lambda note: notes.remember(key, note),
    )
    with suppress(SecretError):
        access.open()  # what cannot be read now may be there with the next connection

    def host(encoder: Encoder) -> Host:
        works = Works(
            conf,
            station,
            settings=settings,
            access=access,
            history=history,
            encoder=encoder,
            marks=marks,
            instruments=instruments,
            now=now,
            tell=tell,
            timezone=timezone,
        )
        return CommandHost(works, facilities=facilities)

    return Reception(settings, access, host)


class Workers:
    """The devices of a site by the workers that own them; see ``Instruments``."""

    def __init__(
        self,
        workers: Mapping[str, BusWorker],
        devices: Callable[[], Mapping[str, Device]],
    ) -> None:
        """Of a running gateway.

        Args:
            workers: By bus; a live view.
            devices: By name, as the site has them now.
        """
        self._workers = workers
        self._devices = devices

    async def read(self, device: str, points: Sequence[str]) -> Answer:
        """Ask a device between two exchanges; see ``Instruments``."""
        return await self._of(device).read_now(device, points)

    async def write(self, device: str, point: str, value: Value) -> None:
        """Write one point within its limits; see ``Instruments``."""
        await self._of(device).write(device, point, value)

    def _of(self, device: str) -> BusWorker:
        return self._workers[self._devices()[device].bus]
