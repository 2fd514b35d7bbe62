"""The ``targets`` of a site file: platforms and how to reach them.

A secret never stands in the site file: it is refused where it does, and no message
repeats it.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from drivers.profiles.reading import Report, Section, Word, join
from gateway.config.buses import split_host_port
from gateway.config.filters import read_devices, read_kinds, read_rate
from gateway.config.model import MqttTarget

if TYPE_CHECKING:
    from pathlib import Path

    from drivers.profiles.document import Node

KEYS = (
    "mqtt", "username", "password_file", "password_env", "prefix", "in_flight",
    "batch_records", "batch_bytes", "linger", "compress", "keepalive", "devices",
    "kinds", "backfill", "receipts", "receipt_wait",
)  # fmt: skip
_SECRETS = ("password", "passwd", "pass", "secret", "token")
_MQTT_PORT = 1883
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def read_target(
    report: Report, name: str, node: Node, path: str, folder: Path
) -> MqttTarget | None:
    """Read one target; paths are relative to ``folder``, the site file's own."""
    before = len(report.problems)
    section = _open(report, node, path)
    if section is None:
        return None
    endpoint = _endpoint(section)
    username = section.text("username")
    password_file = _password_file(section, folder)
    password_env = _password_env(section)
    if section.has("password_file") and section.has("password_env"):
        section.wrong("password_env", "either", one="password_file", two="password_env")
    values = {
        "prefix": _prefix(section),
        "in_flight": section.integer("in_flight", 1, 1000),
        "batch_records": section.integer("batch_records", 1, 10_000),
        "batch_bytes": section.size("batch_bytes", 1_000, 256_000_000),
        "linger_s": section.duration("linger", 0.0, 60.0),
        "compress": section.boolean("compress"),
        "keepalive_s": section.duration("keepalive", 5.0, 3600.0),
        "devices": read_devices(section),
        "kinds": read_kinds(section),
        "backfill_per_s": read_rate(section, "backfill"),
        "receipts": section.boolean("receipts"),
        "receipt_wait_s": section.duration("receipt_wait", 5.0, 86_400.0),
    }
    if endpoint is None or any(not p.warning for p in report.problems[before:]):
        return None
    return MqttTarget(
        name=name,
        host=endpoint[0],
        port=endpoint[1],
        username=username,
        password_file=password_file,
        password_env=password_env,
        **{key: value for key, value in values.items() if value is not None},  # type: ignore[arg-type]
    )


def _open(report: Report, node: Node, path: str) -> Section | None:
    """The section; a password written out is told apart from an unknown key."""
    if node.kind != "map":
        # Not as written: a target on one line may hold a password.
        report.add(node, path, "type", expected=Word("map"), found=Word(node.kind))
        return None
    section = Section(report, node, path)
    for key, mark in node.key_marks.items():
        if key.lower() in _SECRETS:
            report.add(mark, join(path, key), "secret_inline")
        elif key not in KEYS:
            section.unknown_key(key, KEYS)
    return section


def _endpoint(section: Section) -> tuple[str, int] | None:
    url = section.text("mqtt", required=True)
    if url is None:
        return None
    if "@" in url:
        # Refused before anything else is said about it: no message repeats a password.
        user = url.rpartition("@")[0].rpartition("://")[2]
        section.wrong("mqtt", "secret_in_url" if ":" in user else "user_in_url")
        return None
    scheme, separator, rest = url.partition("://")
    if separator and scheme in ("mqtts", "ssl", "tls", "ws", "wss"):
        section.wrong("mqtt", "scheme_not_yet", scheme=scheme)
        return None
    if scheme not in ("mqtt", "tcp") or not separator:
        plain = split_host_port(url, _MQTT_PORT)
        meant = f"mqtt://{url}" if plain and not separator else ""
        section.wrong("mqtt", "mqtt_url", found=url, meant=meant)
        return None
    endpoint = split_host_port(rest.rstrip("/"), _MQTT_PORT)
    if endpoint is None:
        section.wrong("mqtt", "mqtt_url", found=url)
    return endpoint


def _password_file(section: Section, folder: Path) -> Path | None:
    text = _unspoken(section, "password_file")
    if text is None:
        return None
    file = folder / text
    if not file.is_file():
        section.wrong("password_file", "file_absent", folder=folder, warning=True)
    return file


def _password_env(section: Section) -> str | None:
    text = _unspoken(section, "password_env")
    if text is None:
        return None
    if not _VARIABLE.match(text):
        section.wrong("password_env", "variable_name")
        return None
    if text not in os.environ:
        section.wrong("password_env", "variable_absent", warning=True)
    return text


def _unspoken(section: Section, key: str) -> str | None:
    """Text that no message repeats: people put the password itself here."""
    node = section.get(key)
    if node is None or isinstance(node.value, str):
        return None if node is None else str(node.value)
    section.wrong(key, "type", expected=Word("text"), found=Word(node.kind))
    return None


def _prefix(section: Section) -> str | None:
    prefix = section.text("prefix")
    if prefix is None:
        return None
    bad = set(prefix) & set("+#\0") or prefix.startswith(("/", "$"))
    if bad or prefix.endswith("/") or not prefix:
        section.wrong("prefix", "topic_prefix", found=prefix)
        return None
    return prefix
