"""Lines of JSON for whoever started us, and troubles that name a sentence."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

_ENCODE = msgspec.json.Encoder().encode


class Trouble(Exception):  # noqa: N818 - no error of ours: something a person mends
    """What a person should be told, as a sentence of the gateway's catalogue."""

    def __init__(self, key: str, args: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{key} {dict(args or {})}")
        self.key = key
        self.args_ = dict(args or {})


def say(line: Mapping[str, object] | msgspec.Struct) -> None:
    """Print one object as one line of JSON, at once."""
    sys.stdout.write(_ENCODE(line).decode() + "\n")
    sys.stdout.flush()
