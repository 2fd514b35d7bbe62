"""What is sent, from the parts of its text and the device's address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from drivers.ascii import checks
from drivers.errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivers.profiles.dialogue import Parts

_CHECKS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "crc3": checks.crc3,
    "xor": checks.xor,
    "sum8": checks.sum8,
    "nmea": checks.nmea,
}
_MOST_ID: Final = 127


def fill(parts: Parts, address: str | None) -> bytes:
    """The bytes of a text.

    Args:
        parts: As ``drivers.profiles.dialogue_text.text_parts`` took it apart.
        address: What the device is called; None: nothing.

    Raises:
        ProfileError: The text needs an address, or a number as one.
    """
    out = b""
    left_out = False
    for kind, text in parts:
        if kind == "if":
            left_out = not address
        elif kind == "end":
            left_out = False
        elif left_out:
            continue
        elif kind == "lit":
            out += text.encode("latin-1")
        elif kind == "address":
            out += padded(address, text).encode("latin-1")
        elif kind == "id":
            out += _id_byte(address)
        else:
            out += _CHECKS[kind](out)
    return out


def padded(address: str | None, width: str) -> str:
    """The address with zeros in front.

    Raises:
        ProfileError: There is none.
    """
    if not address:
        raise ProfileError("expected an address for this device, found none")
    return address.zfill(int(width)) if width else address


def _id_byte(address: str | None) -> bytes:
    if not address:
        return b""
    if not address.isdecimal() or int(address) > _MOST_ID:
        raise ProfileError(f"expected an address from 0 to 127, found {address!r}")
    return bytes((128 + int(address),))
