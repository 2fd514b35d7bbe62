"""SM4 over a CP, as HJ 212-2025 has it: whole blocks encrypted, the rest as it is.

Written with ``cryptography`` alone (extra ``hj212``), imported where it is first used.
Source: HJ 212-2025, 6.4 and annex A.2: ECB, no padding, a tail below 16 bytes stays
plain, the check is that of the plain segment.
"""

from __future__ import annotations

import re
from typing import Literal

Form = Literal["raw", "literal"]
"""``raw``: the encrypted bytes themselves, which keeps the length; ``literal``: as the
annex prints them, ``{0xE4,0x3E,...}``. Which one a platform means is not confirmed."""

_BLOCK = 16
_PRINTED = re.compile(rb"\{(0x[0-9A-Fa-f]{2}(?:, ?0x[0-9A-Fa-f]{2})*)\}")


def key_of(text: str) -> bytes:
    """A key as people write it: 32 hex digits, or 16 characters.

    Raises:
        ValueError: It is neither.
    """
    text = text.strip()
    if re.fullmatch(r"[0-9A-Fa-f]{32}", text):
        return bytes.fromhex(text)
    if len(text.encode()) == _BLOCK:
        return text.encode()
    raise ValueError("a key: expected 32 hex digits or 16 characters, got neither")


def sealed(plain: bytes, key: bytes, form: Form = "raw") -> bytes:
    """What stands between ``CP=&&`` and ``&&`` when it is encrypted."""
    whole = len(plain) - len(plain) % _BLOCK
    body, rest = _sm4(plain[:whole], key, encrypt=True), plain[whole:]
    if form == "literal" and body:
        body = b"{" + b",".join(b"0x%02X" % byte for byte in body) + b"}"
    return body + rest


def opened(cipher: bytes, key: bytes, form: Form = "raw") -> bytes:
    """The plain CP again; without its check nobody knows whether the key was right."""
    if form == "literal":
        match = _PRINTED.match(cipher)
        if match is None:
            return cipher
        body = bytes(int(word, 16) for word in match[1].split(b","))
        return _sm4(body, key, encrypt=False) + cipher[match.end() :]
    whole = len(cipher) - len(cipher) % _BLOCK
    return _sm4(cipher[:whole], key, encrypt=False) + cipher[whole:]


def _sm4(blocks: bytes, key: bytes, *, encrypt: bool) -> bytes:
    from cryptography.hazmat.primitives.ciphers import (  # noqa: PLC0415 an extra
        Cipher,
        algorithms,
        modes,
    )

    whole = len(blocks) - len(blocks) % _BLOCK
    cipher = Cipher(algorithms.SM4(key), modes.ECB())  # noqa: S305 the standard's own
    turn = cipher.encryptor() if encrypt else cipher.decryptor()
    return turn.update(blocks[:whole]) + turn.finalize() + blocks[whole:]
