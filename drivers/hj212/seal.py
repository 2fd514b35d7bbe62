"""SM4 over the values of a segment: HJ 212-2025's encryption, and its undoing.

    QN=...;Flag=9;CP=&&  DataTime=2024...;a01014-Flag=  N  &&   2200
    plain text           blocks of 16, each by itself   tail    of the plain text

Only what stands between ``CP=&&`` and the closing ``&&`` is encrypted, block by block
(ECB, no padding); a tail shorter than a block stays as it is, so that nothing changes
its length. The check is that of the plain segment: who receives decrypts first.

How the bytes travel is not settled. The standard's annex prints them as
``{0xE4,0x3E,...}`` beside a length that counts them as bytes; so they go as bytes
(``raw``), and as that text where a platform wants it (``literal``).

ECB shows which blocks are equal, and the check protects nothing: this keeps values from
being read in passing, and proves neither who sent them nor that nobody changed them.

Source: HJ 212-2025, 6.4.2 to 6.4.4 and annex A.2, as quoted by others; SM4: GB/T 32907.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Literal

from drivers.errors import ProfileError
from drivers.hj212.crc import crc16

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.ciphers import Cipher, modes

Form = Literal["raw", "literal"]
Cause = Literal["package", "openssl", "key"]

BLOCK = 16
KEY_BYTES = 16
_OPEN, _CLOSE = b"CP=&&", b"&&"
_LITERAL = re.compile(
    rb"\{(0x[0-9A-Fa-f]{2}(?:,0x[0-9A-Fa-f]{2})*)\}(.{0,15})", re.DOTALL
)
_DATA = range(2000, 3000)
_BESIDE = frozenset((1014, 3020))
_KNOWN = (b"0123456789ABCDEF0123456789ABCDEF", b"01234567890123456789")
_FEWEST = 6
"""Fewer different bytes: of random keys in hex letters, one in 30,000."""


class SealError(ProfileError):
    """Nothing can be encrypted here: a person must act.

    ``cause``: ``package`` (not installed), ``openssl`` (has no SM4) or ``key``.
    """

    def __init__(self, message: str, cause: Cause = "key") -> None:
        super().__init__(message)
        self.cause: Cause = cause


def is_sealed(cn: int) -> bool:
    """Whether a device encrypts what it sends under this command.

    Source: HJ 212-2025, 6.4.4: data commands 2000 to 2999, and 1014 and 3020.
    """
    return cn in _DATA or cn in _BESIDE


def read_key(text: str) -> bytes:
    """A key as people keep it: 16 ASCII characters, or 32 hex digits.

    Raises:
        SealError: Neither of the two; the message does not repeat it.
    """
    if len(text) == 2 * KEY_BYTES:
        try:
            return bytes.fromhex(text)
        except ValueError:
            pass
    if len(text) == KEY_BYTES and text.isascii() and text.isprintable():
        return text.encode()
    raise SealError(
        f"expected a key of {KEY_BYTES} ASCII characters or {2 * KEY_BYTES} hex"
        f" digits, got {len(text)} characters of another kind"
    )


def is_patterned(key: bytes) -> bool:
    """Whether a key is none in truth: repeated, counted up, or of a few bytes only.

    Source: HJ 212-2025, 6.4.3: no fixed and no patterned keys.
    """
    if len(set(key)) < _FEWEST:
        return True
    steps = {(b - a) % 256 for a, b in itertools.pairwise(key)}
    if len(steps) == 1 or key[:8] == key[8:]:
        return True
    upper = key.upper()
    return any(
        upper in line or upper in line[::-1]
        for line in (*_KNOWN, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    )


def why_not() -> SealError | None:
    """Why SM4 is not to be had here; None: it is."""
    try:
        Sm4(bytes(KEY_BYTES))
    except SealError as exc:
        return exc
    return None


class Sm4:
    """One key, ready for use."""

    def __init__(self, key: bytes) -> None:
        """Make it ready.

        Args:
            key: 16 bytes.

        Raises:
            SealError: The package ``cryptography`` or its SM4 is not there.
        """
        if len(key) != KEY_BYTES:
            raise SealError(f"expected a key of {KEY_BYTES} bytes, got {len(key)}")
        self._cipher = _cipher(key)

    def __repr__(self) -> str:
        return "Sm4(...)"

    def encrypt(self, plain: bytes) -> bytes:
        """The same number of bytes; a tail shorter than a block stays."""
        whole = len(plain) - len(plain) % BLOCK
        work = self._cipher.encryptor()
        return work.update(plain[:whole]) + work.finalize() + plain[whole:]

    def decrypt(self, sealed: bytes) -> bytes:
        """The same number of bytes; a tail shorter than a block stays."""
        whole = len(sealed) - len(sealed) % BLOCK
        work = self._cipher.decryptor()
        return work.update(sealed[:whole]) + work.finalize() + sealed[whole:]


def seal(segment: bytes, key: Sm4, form: Form = "raw") -> bytes:
    """What travels in place of a segment; ``frame.pack`` takes both.

    Args:
        segment: In plain text.
        key: The platform's.
        form: How encrypted bytes travel.
    """
    head, inside = _parts(segment)
    sealed = key.encrypt(inside)
    whole = len(inside) - len(inside) % BLOCK
    if form == "literal" and whole:
        shown = ",".join(f"0x{byte:02X}" for byte in sealed[:whole])
        sealed = b"{%b}%b" % (shown.encode(), sealed[whole:])
    return head + sealed + _CLOSE


def unseal(body: bytes, check: int, keys: Sequence[Sm4]) -> bytes | None:
    """The plain segment of what a frame holds, encrypted or not.

    The check alone is eight bits strong and cannot tell one from the other, nor the
    right key from a wrong one: what comes out must be text as well.

    Args:
        body: What stands between length and check.
        check: The check that the frame gives.
        keys: Those that may have been used, the likeliest first.

    Returns:
        None where the check fits nothing.
    """
    if crc16(body) == check and _is_text(body):
        return body
    start = body.find(_OPEN) + len(_OPEN)
    if start < len(_OPEN) or not body.endswith(_CLOSE) or len(body) < start + 2:
        return None
    head, inside = body[:start], body[start : -len(_CLOSE)]
    match = _LITERAL.fullmatch(inside)
    if match is not None:
        shown = match[1].replace(b"0x", b"").replace(b",", b"")
        inside = bytes.fromhex(shown.decode()) + match[2]
    for key in keys:
        plain = head + key.decrypt(inside) + _CLOSE
        if crc16(plain) == check and _is_text(plain):
            return plain
    return None


def _parts(segment: bytes) -> tuple[bytes, bytes]:
    start = segment.find(_OPEN) + len(_OPEN)
    if start < len(_OPEN) or not segment.endswith(_CLOSE):
        raise ValueError(f"expected CP=&&...&&, got {segment[:40]!r}")
    return segment[:start], segment[start : -len(_CLOSE)]


def _is_text(data: bytes) -> bool:
    try:
        return data.decode().isprintable()
    except UnicodeDecodeError:
        return False


def _cipher(key: bytes) -> Cipher[modes.ECB]:
    try:
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
        from cryptography.hazmat.primitives.ciphers import (  # noqa: PLC0415
            Cipher,
            algorithms,
            modes,
        )
    except ImportError:
        raise SealError(
            "encryption needs the package cryptography (extra ecogate[hj212]); of a"
            " service: sudo EXTRAS=hj212 systemd/install.sh; in a checkout:"
            " .venv/bin/pip install -e '.[hj212]'",
            "package",
        ) from None
    try:
        # The standard's mode, whatever one may think of it.
        cipher = Cipher(algorithms.SM4(key), modes.ECB())  # noqa: S305
        cipher.encryptor()
    except (UnsupportedAlgorithm, AttributeError):
        raise SealError(
            "the OpenSSL behind the package cryptography has no SM4 (built without it,"
            " or in FIPS mode): install cryptography from its own wheels",
            "openssl",
        ) from None
    return cipher
