"""Logging in to a camera over HTTP or RTSP: basic and digest.

Sources: RFC 7616 (digest, MD5 and SHA-256, also their -sess forms), RFC 7617 (basic),
RFC 2326 chapter 14 (RTSP uses both unchanged). ``auth-int`` and user name hashing are
left out: no camera was met that insists on them.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

_SCHEME = re.compile(r"(?:^|,)\s*(Basic|Digest)(?=\s|,|$)", re.IGNORECASE)
_PARAMETER = re.compile(r'([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')
_HASHES = {"SHA-256": "sha256", "MD5": "md5"}
_STRONGEST = ("SHA-256", "SHA-256-SESS", "MD5", "MD5-SESS", "BASIC")


class Challenge(NamedTuple):
    """How a camera wants us to prove who we are."""

    kind: str
    """``BASIC`` or the digest's algorithm, upper case."""
    parameters: dict[str, str]


def challenges(headers: Iterable[str]) -> list[Challenge]:
    """What ``WWW-Authenticate`` headers offer, strongest first; others dropped."""
    found = []
    for header in headers:
        starts = list(_SCHEME.finditer(header))
        for i, start in enumerate(starts):
            end = starts[i + 1].start() if i + 1 < len(starts) else len(header)
            parameters = {
                name.lower(): re.sub(r"\\(.)", r"\1", quoted) or plain
                for name, quoted, plain in _PARAMETER.findall(header[start.end() : end])
            }
            kind = "BASIC"
            if start[1].lower() == "digest":
                kind = parameters.get("algorithm", "MD5").upper()
                qop = parameters.get("qop")
                offers = {part.strip() for part in qop.split(",")} if qop else {"auth"}
                if "nonce" not in parameters or "auth" not in offers:
                    continue
            if kind in _STRONGEST:
                found.append(Challenge(kind, parameters))
    return sorted(found, key=lambda one: _STRONGEST.index(one.kind))


class Login:
    """A user's name and password, answering challenges; remembers the last one.

    Its ``repr`` never shows the password.
    """

    def __init__(self, username: str, password: str) -> None:
        self._username, self._password = username, password
        self._challenge: Challenge | None = None
        self._count = 0

    def __repr__(self) -> str:
        return f"Login({self._username!r})"

    def challenged(self, headers: Iterable[str]) -> bool:
        """Take the strongest challenge we can answer; False: there is none."""
        found = challenges(headers)
        self._challenge = found[0] if found else None
        self._count = 0
        return bool(found)

    def header(self, method: str, uri: str) -> str | None:
        """The ``Authorization`` value; None: nobody asked yet."""
        if self._challenge is None:
            return None
        kind, asked = self._challenge
        if kind == "BASIC":
            pair = f"{self._username}:{self._password}".encode()
            return "Basic " + base64.b64encode(pair).decode()
        self._count += 1
        return "Digest " + self._digest(kind, asked, method, uri)

    def _digest(self, kind: str, asked: dict[str, str], method: str, uri: str) -> str:
        session = kind.endswith("-SESS")
        name = _HASHES[kind.removesuffix("-SESS")]

        def hashed(text: str) -> str:
            return hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest()

        realm, nonce = asked.get("realm", ""), asked["nonce"]
        cnonce, count = secrets.token_hex(8), f"{self._count:08x}"
        a1 = hashed(f"{self._username}:{realm}:{self._password}")
        if session:
            a1 = hashed(f"{a1}:{nonce}:{cnonce}")
        a2 = hashed(f"{method}:{uri}")
        fields = {
            "username": self._username,
            "realm": realm,
            "nonce": nonce,
            "uri": uri,
        }
        if asked.get("qop"):
            response = hashed(f"{a1}:{nonce}:{count}:{cnonce}:auth:{a2}")
        else:  # RFC 2069, as most RTSP cameras still ask
            response = hashed(f"{a1}:{nonce}:{a2}")
        fields["response"] = response
        if "opaque" in asked:
            fields["opaque"] = asked["opaque"]
        parts = [f'{key}="{_quoted(value)}"' for key, value in fields.items()]
        if "algorithm" in asked:
            parts.append(f"algorithm={asked['algorithm']}")
        if asked.get("qop"):
            parts += [f"qop=auth, nc={count}", f'cnonce="{cnonce}"']
        elif session:
            parts.append(f'cnonce="{cnonce}"')
        return ", ".join(parts)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
