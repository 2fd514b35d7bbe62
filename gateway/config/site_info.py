"""The ``site`` and ``assets`` of a site file: who and what the regulator sees."""

from __future__ import annotations

import zoneinfo
from typing import TYPE_CHECKING

from drivers.profiles.points import labels
from drivers.profiles.reading import Report, Section, Word, closest, join, shown
from gateway.config.identity import (
    ASSET_FORMS,
    CodeError,
    check_site_code,
    kind_of_asset,
)
from gateway.config.model import Asset, SiteInfo

if TYPE_CHECKING:
    from drivers.profiles.document import Node

SITE_KEYS = (
    "code", "code_as_issued", "name", "region", "grid", "position", "timezone",
)  # fmt: skip
ASSET_KEYS = ("kind", "outlet", "treats")
KINDS = ("outlet", "treatment", "production", "other")
_REGION_DIGITS = 6
# China's land and sea with a margin; a mistyped or swapped pair falls outside.
_LONGITUDE, _LATITUDE = (73.0, 136.0), (3.0, 54.0)


def read_site_info(report: Report, node: Node, path: str) -> SiteInfo:
    """Read ``site``; whatever is wrong or absent keeps its default."""
    section = Section.open(report, node, path, SITE_KEYS)
    if section is None:
        return SiteInfo()
    _warn_absent(section)
    return SiteInfo(
        code=_code(section),
        name=labels(section, "name") or {},
        region=_region(section),
        grid=section.text("grid"),
        position=_position(section),
        timezone=_timezone(section),
    )


def read_assets(report: Report, node: Node, path: str) -> dict[str, Asset]:
    """Read ``assets``; references between them are checked as well."""
    if node.kind != "map":
        report.add(node, path, "type", expected=Word("map"), found=shown(node))
        return {}
    assets: dict[str, Asset] = {}
    for name, value in node.items():
        asset = _asset(report, name, value, node, path)
        if asset is not None:
            assets[name] = asset
    for name, value in node.items():
        _check_references(report, name, value, join(path, name), node)
    return assets


def _code(section: Section) -> str | None:
    as_issued = section.boolean("code_as_issued") or False
    code = section.text("code")
    if code is None:
        return None
    try:
        check_site_code(code, as_issued=as_issued)
    except CodeError as exc:
        upper = code.upper()
        meant = "" if upper == code or not _is_site_code(upper) else upper
        section.wrong("code", exc.code, meant=meant, **exc.values)
        return None
    return code


def _is_site_code(code: str) -> bool:
    try:
        check_site_code(code)
    except CodeError:
        return False
    return True


def _region(section: Section) -> str | None:
    region = section.text("region")
    if region is None:
        return None
    if len(region) != _REGION_DIGITS or not (region.isascii() and region.isdigit()):
        section.wrong("region", "region", found=region)
        return None
    return region


def _position(section: Section) -> tuple[float, float] | None:
    """Longitude and latitude; a pair that only fits swapped is told so."""
    node = section.get("position")
    if node is None:
        return None
    numbers = [
        child.value
        for child in section.items("position")
        if isinstance(child.value, int | float) and not isinstance(child.value, bool)
    ]
    if not isinstance(node.value, list) or len(numbers) != 2 or len(node.value) != 2:  # noqa: PLR2004
        if isinstance(node.value, list):
            section.wrong("position", "position", found=Word("list"))
        return None
    longitude, latitude = numbers
    if not (-180 <= longitude <= 180 and -90 <= latitude <= 90):  # noqa: PLR2004
        swapped = -180 <= latitude <= 180 and -90 <= longitude <= 90  # noqa: PLR2004
        section.wrong(
            "position",
            "position",
            found=f"[{longitude}, {latitude}]",
            meant=f"[{latitude}, {longitude}]" if swapped else "",
        )
        return None
    if not in_china(longitude, latitude):
        swapped = in_china(latitude, longitude)
        section.wrong(
            "position",
            "position_abroad",
            found=f"[{longitude}, {latitude}]",
            meant=f"[{latitude}, {longitude}]" if swapped else "",
            warning=True,
        )
    return float(longitude), float(latitude)


def in_china(longitude: float, latitude: float) -> bool:
    """Whether a place lies within China's land and sea, with a margin."""
    return (
        _LONGITUDE[0] <= longitude <= _LONGITUDE[1]
        and _LATITUDE[0] <= latitude <= _LATITUDE[1]
    )


def _timezone(section: Section) -> str:
    name = section.text("timezone")
    if name is None:
        return "Asia/Shanghai"
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        meant = closest(name, sorted(zoneinfo.available_timezones()))
        section.wrong("timezone", "timezone", found=name, meant=meant)
        return "Asia/Shanghai"
    return name


def _warn_absent(section: Section) -> None:
    for key in ("code", "region", "position"):
        if not section.has(key):
            section.report.add(
                section.node, section.path, "recommended", warning=True, key=key
            )


def _asset(
    report: Report, name: str, value: Node, parent: Node, path: str
) -> Asset | None:
    section = Section.open(report, value, join(path, name), ASSET_KEYS)
    if section is None:
        return None
    kind = section.choice("kind", KINDS, required=True)
    numbered = kind_of_asset(name)
    mark = parent.key_marks[name]
    if kind in ASSET_FORMS and numbered != kind:
        report.add(
            mark,
            join(path, name),
            "asset_number",
            kind=kind,
            forms=ASSET_FORMS[kind],
            found=name,
            warning=True,
        )
    outlet = section.text("outlet")
    treats = [
        child.value for child in section.items("treats") if isinstance(child.value, str)
    ]
    return Asset(id=name, kind=kind or "other", outlet=outlet, treats=tuple(treats))


def _check_references(
    report: Report, name: str, value: Node, path: str, assets: Node
) -> None:
    """``outlet`` names an outlet, ``treats`` names other assets."""
    outlets = [key for key, node in assets.items() if _kind(node) == "outlet"]
    others = [key for key, _ in assets.items() if key != name]
    outlet = value.get("outlet")
    if outlet is not None and isinstance(outlet.value, str):
        report_unknown(report, outlet, f"{path}.outlet", "outlet", outlets)
    treats = value.get("treats")
    if treats is None:
        return
    if not isinstance(treats.value, list):
        return
    for child in treats.value:
        if isinstance(child.value, str):
            report_unknown(report, child, f"{path}.treats", "asset", others)
        else:
            report.add(
                child,
                f"{path}.treats",
                "type",
                expected=Word("text"),
                found=shown(child),
            )


def _kind(node: Node) -> object:
    kind = node.get("kind")
    return kind.value if kind else None


def report_unknown(
    report: Report, node: Node, path: str, what: str, choices: list[str]
) -> None:
    """Report a name that refers to nothing."""
    name = node.text
    if name not in choices:
        report.add(
            node,
            path,
            f"unknown_{what}",
            found=name,
            choices=", ".join(choices) or "-",
            meant=closest(name, choices),
        )
