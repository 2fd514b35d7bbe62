"""How a target is reached and what keeps it safe: address, secrets, certificates.

``mqtts://`` and ``wss://`` are TLS, and always verified: no key turns that off.
``mqtt://`` and ``ws://`` leave this machine only where the file says
``plaintext: accepted``. What may be a secret in the wrong place is never repeated.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

from drivers.profiles.reading import Word
from gateway.config.buses import split_host_port
from gateway.config.model import is_loopback
from gateway.secrets import SecretError, check_modes

if TYPE_CHECKING:
    from pathlib import Path

    from drivers.profiles.reading import Section

Transport = Literal["mqtt", "mqtts", "ws", "wss"]

PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}
KEYS = (
    "plaintext", "username", "password_file", "password_env", "password_credential",
    "ca", "cert", "key", "key_credential", "key_password_file", "key_password_env",
    "key_password_credential",
)  # fmt: skip
VARIABLE = "[A-Za-z_][A-Za-z0-9_]*"
CREDENTIAL = "[A-Za-z0-9_][A-Za-z0-9_.@-]*"
WS_PATH = "/mqtt"
_ALIASES = {"tcp": "mqtt", "ssl": "mqtts", "tls": "mqtts"}
_VARIABLE = re.compile(rf"{VARIABLE}\Z")
_CREDENTIAL = re.compile(rf"{CREDENTIAL}\Z")
_PATH = re.compile(r"[A-Za-z0-9._~/-]*\Z")
_SHOWABLE = re.compile(r"([a-z]+://)?[A-Za-z0-9.-]*(:[0-9]*)?/?\Z")
_TLS_ONLY = KEYS[5:]


class Endpoint(NamedTuple):
    """Where a broker is and how it is spoken to."""

    transport: Transport
    host: str
    port: int
    path: str


def read_endpoint(section: Section) -> Endpoint | None:
    """The address under ``mqtt``, and whether it may be plain text."""
    url = section.text("mqtt", required=True)
    endpoint = None if url is None else _endpoint(section, url)
    accepted = section.choice("plaintext", ("accepted",))
    if endpoint is None:
        return None
    encrypted = endpoint.transport in ("mqtts", "wss")
    if not encrypted and accepted is None and not is_loopback(endpoint.host):
        meant = {"mqtt": "mqtts", "ws": "wss"}[endpoint.transport]
        section.wrong("mqtt", "plaintext", meant=f"{meant}://{endpoint.host}")
        return None
    return endpoint


def read_security(
    section: Section, folder: Path, endpoint: Endpoint | None
) -> dict[str, object]:
    """Values of ``MqttTarget`` for who we are and whom we believe."""
    if endpoint is not None and endpoint.transport in ("mqtt", "ws"):
        for key in _TLS_ONLY:
            if section.has(key):
                section.wrong(key, "tls_only", name=key)
    values: dict[str, object] = {
        "plaintext_accepted": section.has("plaintext"),
        "ca_file": _file(section, "ca", folder, secret=False),
        "cert_file": _file(section, "cert", folder, secret=False),
        "key_file": _file(section, "key", folder),
        "key_credential": _credential(section, "key_credential"),
    }
    for kind in ("password", "key_password"):
        values |= read_secret_place(section, kind, folder)
    _one_of(section, "key", "key_credential")
    _pairs(section)
    return values


def read_secret_place(section: Section, kind: str, folder: Path) -> dict[str, object]:
    """Where a secret is: ``<kind>_file``, ``<kind>_env`` or ``<kind>_credential``."""
    _one_of(section, *(f"{kind}_{way}" for way in ("file", "env", "credential")))
    return {
        f"{kind}_file": _file(section, f"{kind}_file", folder),
        f"{kind}_env": _variable(section, f"{kind}_env"),
        f"{kind}_credential": _credential(section, f"{kind}_credential"),
    }


def _endpoint(section: Section, url: str) -> Endpoint | None:
    if "@" in url:
        # Refused before anything else is said about it: no message repeats a password.
        user = url.rpartition("@")[0].rpartition("://")[2]
        section.wrong("mqtt", "secret_in_url" if ":" in user else "user_in_url")
        return None
    if "?" in url or "#" in url:
        section.wrong("mqtt", "query_in_url")
        return None
    scheme, separator, rest = url.partition("://")
    scheme = _ALIASES.get(scheme, scheme)
    if not separator or scheme not in PORTS:
        plain = not separator and split_host_port(url, PORTS["mqtt"])
        meant = f"mqtts://{_shown(url)}" if plain else ""
        section.wrong("mqtt", "mqtt_url", found=_shown(url), meant=meant)
        return None
    return _parts(section, cast("Transport", scheme), rest)


def _parts(section: Section, transport: Transport, rest: str) -> Endpoint | None:
    address, slash, path = rest.partition("/")
    host_port = split_host_port(address, PORTS[transport])
    if host_port is None:
        section.wrong("mqtt", "mqtt_url", found=_shown(f"{transport}://{address}"))
    elif path and transport not in ("ws", "wss"):
        section.wrong("mqtt", "path_not_here", scheme=transport)
    elif not _PATH.match(path):
        section.wrong("mqtt", "ws_path")
    else:
        return Endpoint(transport, *host_port, f"/{path}" if slash else WS_PATH)
    return None


def _shown(url: str) -> str:
    """As written, unless it may hold a secret where a port or a host belongs."""
    if _SHOWABLE.match(url):
        return url
    return re.sub(r"(?<=[^/:]):(?!//).*", ":…", url)


def _file(
    section: Section, key: str, folder: Path, *, secret: bool = True
) -> Path | None:
    text = _unspoken(section, key)
    if text is None:
        return None
    file = folder / text
    if not file.is_file():
        section.wrong(key, "file_absent", folder=folder, warning=True)
        return file
    try:
        check_modes(file, key, secret=secret)
    except SecretError as exc:
        # A warning: who checks may be another user than the one who runs it.
        section.wrong(key, "file_modes", said=str(exc), warning=True)
    return file


def _variable(section: Section, key: str) -> str | None:
    text = _unspoken(section, key)
    if text is None:
        return None
    if not _VARIABLE.match(text):
        section.wrong(key, "variable_name")
        return None
    if text not in os.environ:
        section.wrong(key, "variable_absent", warning=True)
    return text


def _credential(section: Section, key: str) -> str | None:
    text = _unspoken(section, key)
    if text is not None and not _CREDENTIAL.match(text):
        section.wrong(key, "credential_name")
        return None
    return text


def _one_of(section: Section, *keys: str) -> None:
    given = [key for key in keys if section.has(key)]
    for key in given[1:]:
        section.wrong(key, "either", one=given[0], two=key)


def _pairs(section: Section) -> None:
    """A certificate needs its key, a key its certificate."""
    key = next((k for k in ("key", "key_credential") if section.has(k)), None)
    if section.has("cert") and key is None:
        section.wrong("cert", "goes_with", one="cert", two="key")
    if key is not None and not section.has("cert"):
        section.wrong(key, "goes_with", one=key, two="cert")
    for way in ("file", "env", "credential"):
        if section.has(f"key_password_{way}") and key is None:
            section.wrong(
                f"key_password_{way}", "goes_with", one=f"key_password_{way}", two="key"
            )


def _unspoken(section: Section, key: str) -> str | None:
    """Text that no message repeats: people put the password itself here."""
    node = section.get(key)
    if node is None or isinstance(node.value, str):
        return None if node is None else str(node.value)
    section.wrong(key, "type", expected=Word("text"), found=Word(node.kind))
    return None
