"""The ``targets`` that speak HJ 212: one MN of one platform each, for one station.

city:
  hj212: platform.example:8212
  version: 2017
  mn: 010000A8900016F000169DC0
  station: DA001
  password_file: secrets/city.pw
  plaintext: accepted

What only shows beside the stations (ST, factors, codes) is in ``hj212_checks``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from drivers.profiles.reading import Section, Word, closest, shown
from gateway.aggregate import PERIODS
from gateway.config.buses import split_host_port
from gateway.config.filters import read_rate
from gateway.config.hj212_key import check_key, check_password
from gateway.config.hj212_rights import HARDWARE, read_allow, read_orders, read_shown
from gateway.config.model import FactorMap, Hj212Target, is_loopback
from gateway.config.security import read_secret_place

if TYPE_CHECKING:
    from fractions import Fraction
    from pathlib import Path

KEY = "hj212"
KEYS = (
    KEY, "version", "mn", "station", "st", "password_file", "password_env",
    "password_credential", "plaintext", "answer", "realtime", "facilities", "kinds",
    "factors", "only", "absent", "overtime", "recount", "backfill", "heartbeat",
    "heartbeat_st", "flags", "validity", "key_file", "key_env", "key_credential",
    "sealed", "allow", "orders", "shown", "hardware",
)  # fmt: skip
FACTOR_KEYS = ("code", "unit", "decimals", "cou_unit", "cou_decimals")
VERSIONS = ("2017", "2025")
ABSENT = ("flag", "leave_out")
SEALED = ("raw", "literal")
NEVER = "never"
MN = "[0-9A-Za-z_.-]{1,32}"
ST = "[0-9A-Z]{2}"
MOST_DECIMALS = 12
_MN, _ST = re.compile(rf"{MN}\Z"), re.compile(rf"{ST}\Z")
_USUAL_MN = re.compile(r"[0-9A-F]{24}\Z")
_2025 = 2025
_FASTEST_S, _SLOWEST_S = 1.0, 3600.0
_REALTIME_S = 30.0


def read_hj212_target(section: Section, name: str, folder: Path) -> Hj212Target | None:
    """Read one target; paths are relative to ``folder``. ``st`` may be left empty."""
    report = section.report
    before = len(report.problems)
    endpoint = _endpoint(section)
    version = int(_year(section, "version") or VERSIONS[0])
    encrypted = any(section.has(f"key_{way}") for way in ("file", "env", "credential"))
    accepted = section.choice("plaintext", ("accepted",))
    away = endpoint is not None and not is_loopback(endpoint[0])
    if away and not encrypted and accepted is None:
        section.wrong(KEY, "hj212_plaintext")
    values: dict[str, Any] = {
        "version": version,
        "mn": _mn(section),
        "station": section.text("station", required=True),
        "st": _word(section, "st", _ST, "hj212_st") or "",
        **_secrets(section, folder, version),
        "plaintext_accepted": accepted is not None,
        "answer": section.boolean("answer"),
        "realtime_s": _interval(section, "realtime", _REALTIME_S),
        "facilities_s": _interval(section, "facilities", None),
        "kinds": _kinds(section),
        "factors": _factors(section),
        "only": _names(section, "only"),
        "absent": section.choice("absent", ABSENT),
        "overtime_s": section.duration("overtime", 1.0, 99.0),
        "recount": section.integer("recount", 0, 99),
        "backfill_per_s": read_rate(section, "backfill"),
        "heartbeat_s": section.duration("heartbeat", 5.0, _SLOWEST_S),
        "heartbeat_st": _word(section, "heartbeat_st", _ST, "hj212_st"),
        "flags": _year(section, "flags"),
        "validity": _validity(section),
        "sealed": section.choice("sealed", SEALED),
        "allow": read_allow(section),
        "orders": read_orders(section),
        "shown": read_shown(section),
        "hardware": _hardware(section),
    }
    _only_2025(section, version)
    if endpoint is None or any(not p.warning for p in report.problems[before:]):
        return None
    given = {
        key: value
        for key, value in values.items()
        if value is not None or key in ("realtime_s", "facilities_s")
    }
    return Hj212Target(name=name, host=endpoint[0], port=endpoint[1], **given)


def _endpoint(section: Section) -> tuple[str, int] | None:
    text = section.text(KEY, required=True)
    if text is None:
        return None
    found = split_host_port(text, 0)
    if found is None or not found[1] or "@" in text or "/" in text:
        section.wrong(KEY, "hj212_endpoint", found=text if "@" not in text else "…@…")
        return None
    return found


def _secrets(section: Section, folder: Path, version: int) -> dict[str, object]:
    values = {
        **read_secret_place(section, "password", folder),
        **read_secret_place(section, "key", folder),
    }
    ways = ("file", "env", "credential")
    if not any(section.has(f"password_{way}") for way in ways):
        section.report.add(section.node, section.path, "hj212_password")
    for way in ways:
        if section.has(f"key_{way}") and version != _2025:
            section.wrong(f"key_{way}", "hj212_only_2025", name=f"key_{way}")
    check_password(section, values)
    check_key(section, values)
    return values


def _only_2025(section: Section, version: int) -> None:
    for key in ("heartbeat", "heartbeat_st", "sealed", "hardware"):
        if section.has(key) and version != _2025:
            section.wrong(key, "hj212_only_2025", name=key)
    if section.has("sealed") and not any(
        section.has(f"key_{way}") for way in ("file", "env", "credential")
    ):
        section.wrong("sealed", "goes_with", one="sealed", two="key_file")


def _mn(section: Section) -> str | None:
    found = _word(section, "mn", _MN, "hj212_mn", required=True)
    if found is not None and not _USUAL_MN.match(found):
        section.wrong("mn", "hj212_mn_form", warning=True, found=found)
    return found


def _word(
    section: Section,
    key: str,
    form: re.Pattern[str],
    code: str,
    *,
    required: bool = False,
) -> str | None:
    """A code as it stands there: digits alone need no quotes."""
    node = section.get(key, required=required)
    if node is None:
        return None
    if node.kind in ("text", "int", "float") and form.match(node.text):
        return node.text
    section.wrong(key, code, found=shown(node))
    return None


def _year(section: Section, key: str) -> str | None:
    node = section.get(key)
    if node is None:
        return None
    if node.kind in ("int", "text") and node.text in VERSIONS:
        return node.text
    section.wrong(key, "choice", choices=", ".join(VERSIONS), found=shown(node))
    return None


def _interval(section: Section, key: str, default: float | None) -> float | None:
    if not section.has(key):
        return default
    if section.at(key).text == NEVER:
        return None
    return section.duration(key, _FASTEST_S, _SLOWEST_S)


def _kinds(section: Section) -> tuple[str, ...] | None:
    found: list[str] = []
    for node in _entries(section, "kinds"):
        if isinstance(node.value, str) and node.value in PERIODS:
            found.append(node.value)
            continue
        section.report.add(
            node,
            section.path_of("kinds"),
            "choice",
            choices=", ".join(PERIODS),
            found=shown(node),
            meant=closest(node.text, PERIODS) if node.text else "",
        )
    return tuple(dict.fromkeys(found)) or None


def _names(section: Section, key: str) -> tuple[str, ...] | None:
    found: list[str] = []
    for node in _entries(section, key):
        if isinstance(node.value, str):
            found.append(node.value)
        else:
            section.report.add(
                node,
                section.path_of(key),
                "type",
                expected=Word("text"),
                found=shown(node),
            )
    return tuple(dict.fromkeys(found)) or None


def _entries(section: Section, key: str) -> list[Any]:
    """The entries of a list; an empty one would read as "none", and means "all"."""
    found = section.items(key)
    node = section.get(key)
    if not found and node is not None and isinstance(node.value, list):
        section.wrong(key, "empty", found=Word("list"))
    return found


def _factors(section: Section) -> dict[str, FactorMap] | None:
    found: dict[str, FactorMap] = {}
    for name, node, _ in section.entries("factors"):
        path = f"{section.path_of('factors')}.{name}"
        if node.kind != "map":  # a code alone is the usual case
            inner = section
            if node.kind == "text":
                found[name] = FactorMap(code=node.text)
            else:
                inner.report.add(
                    node, path, "type", expected=Word("text"), found=shown(node)
                )
            continue
        opened = Section.open(section.report, node, path, FACTOR_KEYS)
        if opened is not None:
            found[name] = FactorMap(
                code=opened.text("code"),
                unit=opened.text("unit"),
                decimals=opened.integer("decimals", 0, MOST_DECIMALS),
                cou_unit=opened.text("cou_unit"),
                cou_decimals=opened.integer("cou_decimals", 0, MOST_DECIMALS),
            )
    return found or None


def _validity(section: Section) -> dict[str, Fraction] | None:
    node = section.get("validity")
    if node is None:
        return None
    path = section.path_of("validity")
    inner = Section.open(section.report, node, path, PERIODS)
    if inner is None:
        return None
    found: dict[str, Fraction] = {}
    for kind in PERIODS:
        share = inner.fraction(kind)
        if share is None:
            continue
        if not 0 < share <= 1:
            inner.wrong(kind, "range", low="0.01", high="1", found=inner.at(kind).text)
            continue
        found[kind] = share
    return found or None


def _hardware(section: Section) -> dict[str, str] | None:
    node = section.get("hardware")
    if node is None:
        return None
    path = section.path_of("hardware")
    inner = Section.open(section.report, node, path, HARDWARE)
    if inner is None:
        return None
    found = {key: inner.text(key) for key in HARDWARE}
    return {key: text for key, text in found.items() if text is not None}
