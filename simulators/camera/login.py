"""HTTP logins of a simulated camera: basic (RFC 7617) and digest (RFC 7616, MD5)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from typing import Literal, NamedTuple

Scheme = Literal["none", "basic", "digest"]
_REALM = "camera"
_NONCES = 1000
_PART = re.compile(r'(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()  # noqa: S324 RFC 7616 as cameras have


class Login(NamedTuple):
    """Who may look."""

    user: str = ""
    password: str = ""
    scheme: Scheme = "none"


class Gatekeeper:
    """Asks for a login and checks what comes; a nonce serves while its count rises."""

    def __init__(self, login: Login) -> None:
        self.login = login
        self._nonces: dict[str, int] = {}
        """Nonce -> the last nonce count that came with it."""

    def challenge(self) -> str:
        """The value of WWW-Authenticate."""
        if self.login.scheme != "digest":
            return f'Basic realm="{_REALM}"'
        nonce = secrets.token_hex(16)
        self._nonces[nonce] = 0
        if len(self._nonces) > _NONCES:
            del self._nonces[next(iter(self._nonces))]
        return f'Digest realm="{_REALM}", nonce="{nonce}", qop="auth", algorithm=MD5'

    def lets_in(self, method: str, said: str | None) -> bool:
        """Whether this value of Authorization is right.

        Args:
            method: Of the request, such as ``GET``.
            said: The header's value; None: it has none.
        """
        if self.login.scheme == "none":
            return True
        kind, _, rest = (said or "").partition(" ")
        if kind.lower() != self.login.scheme:
            return False
        if self.login.scheme == "basic":
            user, password = self.login.user, self.login.password
            right = base64.b64encode(f"{user}:{password}".encode()).decode()
            return hmac.compare_digest(rest.strip(), right)
        return self._digest(method, rest)

    def _digest(self, method: str, rest: str) -> bool:
        parts = {name: quoted or bare for name, quoted, bare in _PART.findall(rest)}
        nonce = parts.get("nonce", "")
        if nonce not in self._nonces or parts.get("username") != self.login.user:
            return False
        ha1 = _md5(f"{self.login.user}:{_REALM}:{self.login.password}")
        ha2 = _md5(f"{method}:{parts.get('uri', '')}")
        middle = [nonce]
        if qop := parts.get("qop"):
            middle += [parts.get("nc", ""), parts.get("cnonce", ""), qop]
        right = _md5(":".join((ha1, *middle, ha2)))
        if not hmac.compare_digest(parts.get("response", ""), right):
            return False
        return self._rises(nonce, parts.get("nc"))

    def _rises(self, nonce: str, count: str | None) -> bool:
        if count is None:  # without qop there is none: RFC 2069
            return self._nonces.pop(nonce) == 0
        number = int(count, 16)
        rises = number > self._nonces[nonce]
        self._nonces[nonce] = number
        return rises
