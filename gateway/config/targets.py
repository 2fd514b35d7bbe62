"""The ``targets`` of a site file: platforms and what they are sent.

``mqtt`` or ``hj212`` in it says what a target speaks, and which other keys it has.
A secret never stands in the site file: it is refused where it does, and no message
repeats it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.profiles.reading import Report, Section, Word, join
from gateway.config import hj212_targets, security
from gateway.config.filters import read_devices, read_kinds, read_rate
from gateway.config.hj212_targets import read_hj212_target
from gateway.config.model import MqttTarget

if TYPE_CHECKING:
    from pathlib import Path

    from drivers.profiles.document import Node
    from gateway.config.model import Target

KEYS = (
    "mqtt", *security.KEYS, "prefix", "in_flight", "batch_records", "batch_bytes",
    "linger", "compress", "keepalive", "devices", "kinds", "media", "backfill",
    "receipts", "receipt_wait",
)  # fmt: skip
_SECRETS = (
    "password", "passwd", "pass", "secret", "token", "key_password", "passphrase", "pw",
)  # fmt: skip


def read_target(
    report: Report, name: str, node: Node, path: str, folder: Path
) -> Target | None:
    """Read one target; paths are relative to ``folder``, the site file's own."""
    if node.get(hj212_targets.KEY) is not None:
        if node.get("mqtt") is not None:
            report.add(node, path, "hj212_value_or_field", one="mqtt", two="hj212")
            return None
        section = _open(report, node, path, hj212_targets.KEYS)
        return None if section is None else read_hj212_target(section, name, folder)
    section = _open(report, node, path, KEYS)
    return None if section is None else _read_mqtt(section, name, folder)


def _read_mqtt(section: Section, name: str, folder: Path) -> MqttTarget | None:
    report = section.report
    before = len(report.problems)
    endpoint = security.read_endpoint(section)
    values = {
        "username": section.text("username"),
        **security.read_security(section, folder, endpoint),
        "prefix": _prefix(section),
        "in_flight": section.integer("in_flight", 1, 1000),
        "batch_records": section.integer("batch_records", 1, 10_000),
        "batch_bytes": section.size("batch_bytes", 1_000, 256_000_000),
        "linger_s": section.duration("linger", 0.0, 60.0),
        "compress": section.boolean("compress"),
        "keepalive_s": section.duration("keepalive", 5.0, 3600.0),
        "devices": read_devices(section),
        "kinds": read_kinds(section),
        "media": section.choice("media", ("all", "alarms", "none")),
        "backfill_per_s": read_rate(section, "backfill"),
        "receipts": section.boolean("receipts"),
        "receipt_wait_s": section.duration("receipt_wait", 5.0, 86_400.0),
    }
    if endpoint is None or any(not p.warning for p in report.problems[before:]):
        return None
    return MqttTarget(
        name=name,
        host=endpoint.host,
        port=endpoint.port,
        transport=endpoint.transport,
        ws_path=endpoint.path,
        **{key: value for key, value in values.items() if value is not None},  # type: ignore[arg-type]
    )


def _open(
    report: Report, node: Node, path: str, keys: tuple[str, ...]
) -> Section | None:
    """The section; a password written out is told apart from an unknown key."""
    if node.kind != "map":
        # Not as written: a target on one line may hold a password.
        report.add(node, path, "type", expected=Word("map"), found=Word(node.kind))
        return None
    section = Section(report, node, path)
    for key, mark in node.key_marks.items():
        if key.lower() in _SECRETS:
            report.add(mark, join(path, key), "secret_inline")
        elif key not in keys:
            section.unknown_key(key, keys)
    return section


def _prefix(section: Section) -> str | None:
    prefix = section.text("prefix")
    if prefix is None:
        return None
    bad = set(prefix) & set("+#\0") or prefix.startswith(("/", "$"))
    if bad or prefix.endswith("/") or not prefix:
        section.wrong("prefix", "topic_prefix", found=prefix)
        return None
    return prefix
