"""What the numbers mean: the site's description, one immutable version after another.

A record is stored with the id of the version it was made under, and each version is
durable before the first record that names it, so that a backlog made under an older
site file is published under its own description after any restart.

    {data}/meta/{id}.json     the wire payload of ``meta/{id}``, never changed
    {data}/meta/index         which versions are old, since when, up to which seq

The id is the first eight hex digits of the SHA-256 of the canonical content (sorted
keys, no spaces, UTF-8) without the id itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
from typing import TYPE_CHECKING, Any

import msgspec

from drivers.profiles.model import ModbusPoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from drivers.profiles.model import Point
    from drivers.profiles.watches import Contact, Counter
    from gateway.config.cameras import SiteCamera
    from gateway.config.model import Device, Site
    from gateway.config.places import Fence, Mobile
    from gateway.config.stations import Station

log = logging.getLogger(__name__)

KEEP_MS = 7 * 86_400_000
"""A version stays published this long after its last record was delivered."""

_FILE = re.compile(r"^[0-9a-f]{8}\.json$")


class Old(msgspec.Struct):
    """A version that no new record refers to."""

    until_seq: int
    """No record above this seq refers to it."""
    since_ms: int
    cleared: list[str] = []
    """Targets whose retained topic is empty again."""


class MetaStore:
    """The versions that stored records may refer to, on disk and in memory."""

    def __init__(
        self,
        folder: Path,
        *,
        wall_ms: Callable[[], int],
        oldest: Callable[[], int] = lambda: 2**63,
    ) -> None:
        """Read what earlier runs left in ``folder``; damaged files are set aside.

        Args:
            folder: ``meta`` in the data folder; made where it is missing.
            wall_ms: The wall clock.
            oldest: The lowest seq stored; parked and new targets may ask for it.
        """
        self._folder = folder
        self._wall_ms = wall_ms
        self._oldest = oldest
        self._payloads = dict(_load(folder))
        self._old = _load_index(folder / "index")
        self._unsaved: set[str] = set()
        self.current = ""
        self.targets: set[str] = set()
        """All that publish versions: one goes when all of them have let it go."""

    def adopt(self, content: dict[str, Any], high: int) -> str:
        """Make this content the current version, durably.

        Args:
            content: From ``describe``.
            high: The store's highest seq: records above it use the new version.

        Returns:
            The version's id, for ``record.encode``. A full disk does not stop
            collection: the version is then kept in memory and saved by ``retry``.
        """
        meta = content_id(content)
        if meta not in self._payloads:
            self._payloads[meta] = msgspec.json.encode(
                {"v": 1, "meta": meta, **content}
            )
            self._unsaved.add(meta)
            self.retry()
        before = msgspec.json.encode(self._old)
        self._old.pop(meta, None)
        for other in self._payloads:
            if other != meta and other not in self._old:
                self._old[other] = Old(high, self._wall_ms())
        if msgspec.json.encode(self._old) != before:
            self._write_index()
        self.current = meta
        return meta

    def retry(self) -> bool:
        """Save what could not be saved before; whether all is on disk now."""
        for meta in sorted(self._unsaved):
            path = self._folder / f"{meta}.json"
            try:
                _write_durably(path, self._payloads[meta])
            except OSError as exc:
                log.warning("%s: kept in memory only: %s", path, exc)
                return False
            self._unsaved.discard(meta)
        return True

    def used(self, meta: str, seq: int) -> None:
        """A record that was asked for before the change still refers to this version.

        Noted on disk with the index' next change: to be cleared too early, the version
        would have to be a week old and this record not delivered.
        """
        old = self._old.get(meta)
        if old is not None:
            old.until_seq = max(old.until_seq, seq)

    def payload(self, meta: str) -> bytes | None:
        """What stands on the retained topic of this version; None: not known here."""
        return self._payloads.get(meta)

    def ids(self) -> list[str]:
        """Every version on disk."""
        return list(self._payloads)

    def unused(self, target: str, floor: int) -> list[str]:
        """Versions whose retained topic on this target may be emptied now.

        Args:
            target: Its name.
            floor: All records at or below this seq are resolved for this target.
        """
        self._sweep()  # a target may have been removed by a restart
        edge = self._wall_ms() - KEEP_MS
        return [
            meta
            for meta, old in self._old.items()
            if floor >= old.until_seq
            and old.since_ms <= edge
            and target not in old.cleared
        ]

    def cleared(self, meta: str, target: str) -> None:
        """Note that a target's topic is empty; forget the version after the last."""
        old = self._old.get(meta)
        if old is None:
            return
        old.cleared.append(target)
        if self._let_go(old):
            self._forget(meta)
        self._write_index()

    def forget_target(self, target: str) -> None:
        """A target is no longer there: what only it had not let go can go."""
        self.targets.discard(target)
        self._sweep()

    def _sweep(self) -> None:
        """Forget versions that all targets there are have let go."""
        gone = [meta for meta, old in self._old.items() if self._let_go(old)]
        for meta in gone:
            self._forget(meta)
        if gone:
            self._write_index()

    def _let_go(self, old: Old) -> bool:
        cleared = bool(old.cleared) and self.targets <= set(old.cleared)
        return cleared and old.until_seq < self._oldest()

    def _forget(self, meta: str) -> None:
        del self._old[meta]
        self._payloads.pop(meta, None)
        with contextlib.suppress(OSError):  # read again, and emptied again
            (self._folder / f"{meta}.json").unlink(missing_ok=True)

    def _write_index(self) -> None:
        try:
            _write_durably(self._folder / "index", msgspec.json.encode(self._old))
        except OSError as exc:
            log.warning("%s: not written: %s", self._folder / "index", exc)


def content_id(content: dict[str, Any]) -> str:
    """Eight hex digits that name this content."""
    canonical = msgspec.json.encode(content, order="sorted")
    return hashlib.sha256(canonical).hexdigest()[:8]


def describe(site: Site, software: str, serial: str | None = None) -> dict[str, Any]:
    """The content of ``meta``: who, where, which devices, which points.

    Args:
        site: The resolved site file.
        software: Our version.
        serial: The gateway's own serial number, where it has one.
    """
    info = site.info
    points = [
        (device, point) for device in site.devices.values() for point in device.points
    ]
    return {
        "gateway": _said(id=site.gateway, sn=serial, sw=software),
        "site": _said(
            code=info.code,
            std="HJ 608-2017" if info.code else None,
            name=info.name,
            region=info.region,
            grid=info.grid,
            pos=list(info.position) if info.position else None,
            datum="CGCS2000" if info.position else None,
            tz=info.timezone,
        ),
        "assets": [
            _said(id=a.id, kind=a.kind, outlet=a.outlet, treats=list(a.treats))
            for a in site.assets.values()
        ],
        "devices": [_device(device) for device in site.devices.values()],
        "points": [
            _point(n, device, point) for n, (device, point) in enumerate(points, 1)
        ],
        **_said(
            fences=[_fence(fence) for fence in site.fences.values()],
            mobile=_mobile(site.mobile) if site.mobile else None,
            stations=[_station(station) for station in site.stations.values()],
            cameras=[_camera(camera) for camera in site.cameras.values()],
        ),
    }


def _device(device: Device) -> dict[str, Any]:
    profile = device.profile
    return _said(
        id=device.name,
        asset=device.asset,
        label=device.label,
        maker=profile.maker if profile else None,
        model=profile.models[0] if profile and profile.models else None,
        profile=f"{profile.profile}@{profile.revision}" if profile else None,
        evidence=profile.evidence if profile else None,
        datum=profile.datum if profile and profile.protocol == "gnss" else None,
    )


def _camera(camera: SiteCamera) -> dict[str, Any]:
    told, mount = camera.camera, camera.camera.mount
    return _said(
        id=camera.name,
        asset=camera.asset,
        grid=camera.grid,
        labels=list(told.labels),
        pos=list(mount.position) if mount.position else None,
        bearing=mount.bearing,
        view=mount.view,
        zones=[zone.name for zone in told.zones if zone.use == "watch"],
    )


def _point(n: int, device: Device, point: Point) -> dict[str, Any]:
    every_s = device.every_s if point.every_s is None else point.every_s
    limits: list[float | None] = [point.minimum, point.maximum]
    if isinstance(point, ModbusPoint) and point.loop is not None:
        # What the signal's ends stand for, where no narrower range is said.
        ends = sorted((float(point.loop.low), float(point.loop.high)))
        pairs = zip(limits, ends, strict=True)
        limits = [end if own is None else own for own, end in pairs]
    return _said(
        n=n,
        device=device.name,
        name=point.name,
        label=point.label,
        code=point.code,
        unit=point.unit,
        range=None if limits == [None, None] else limits,
        decimals=point.decimals,
        every_ms=round(every_s * 1000),
        enum={str(code): word for code, word in sorted(point.enum.items())},
        bits={str(bit): word for bit, word in sorted(point.bits.items())},
        contact=_contact(point.contact) if point.contact else None,
        counter=_counter(point.counter) if point.counter else None,
    )


def _contact(contact: Contact) -> dict[str, Any]:
    return {"kind": contact.kind, "normal": contact.normal}


def _counter(counter: Counter) -> dict[str, Any]:
    """What a platform needs to take differences: where the value begins again."""
    modulus = counter.modulus
    if modulus is None:
        return {"modulus": None}
    return {"modulus": int(modulus) if modulus.denominator == 1 else float(modulus)}


def _fence(fence: Fence) -> dict[str, Any]:
    return _said(
        id=fence.name,
        device=fence.device,
        rule=fence.rule,
        circle=list(fence.circle) if fence.circle else None,
        radius_m=fence.radius_m if fence.circle else None,
        polygon=[list(corner) for corner in fence.polygon],
        label=fence.label,
    )


def _mobile(mobile: Mobile) -> dict[str, Any]:
    max_age_ms = round(1000 * mobile.max_age_s)
    return {"position": mobile.position, "max_age_ms": max_age_ms}


def _station(station: Station) -> dict[str, Any]:
    """What its minutes, hours and days are told in."""
    return _said(
        id=station.name,
        kind=station.kind,
        asset=station.asset,
        label=station.label,
        minute_s=station.minute_s,
        rules=station.rules,
        factors=[
            _said(
                name=factor.name,
                device=factor.device,
                point=factor.point,
                label=factor.label,
                code=factor.code,
                unit=factor.unit,
                decimals=factor.decimals,
                cou_unit=factor.cou_unit if factor.total else None,
                formula=factor.formula if factor.formula != "point" else None,
            )
            for factor in station.factors
        ],
    )


def _said(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON values of any kind
    """The fields that say something: optional ones are absent, not null."""
    return {
        name: value for name, value in fields.items() if value not in (None, {}, [])
    }


_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What damaged bytes end in; the last two are no errors of msgspec's own."""


def _load(folder: Path) -> Iterable[tuple[str, bytes]]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths = sorted(folder.iterdir())
    except OSError as exc:
        log.error("%s: %s", folder, exc)  # noqa: TRY400
        return
    for path in paths:
        if not _FILE.match(path.name):
            continue
        try:
            payload = path.read_bytes()
            sound = _is_sound(payload, path.stem)
        except OSError as exc:  # a bad sector is no reason not to start
            log.error("%s: %s", path, exc)  # noqa: TRY400
            sound = False
        except _UNREADABLE:
            sound = False
        if sound:
            yield path.stem, payload
        else:
            log.error("%s: damaged, set aside as .bad", path)
            with contextlib.suppress(OSError):
                path.rename(path.with_suffix(".bad"))


def _is_sound(payload: bytes, meta: str) -> bool:
    content = msgspec.json.decode(payload, type=dict[str, Any])
    content.pop("v", None)
    return bool(content.pop("meta", None) == meta == content_id(content))


def _load_index(path: Path) -> dict[str, Old]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Old])
    except FileNotFoundError:
        return {}
    except (OSError, *_UNREADABLE):
        # Costs nothing but time: ``adopt`` marks every version old again.
        log.warning("%s: damaged, made anew", path)
        return {}


def _write_durably(path: Path, data: bytes) -> None:
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
