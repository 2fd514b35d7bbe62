"""What an HJ 212 platform may have done to instruments here, and may read of them.

A platform names an instrument by a factor (``PolId=w01018``) and what it means by a
command (3012, sample now) or an info code (i13008, slope). The site file says which
point of which device that is; what it does not name is refused.
"""

from __future__ import annotations

import msgspec

from drivers.values import Value


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One command of a platform, and the point it is written to."""

    command: int
    """3011 to 3018, 3021, 3022, 3024, or 1012 for an instrument's own clock."""
    factor: str | None = None
    """``PolId`` of the request; None: whatever it names."""
    device: str
    point: str
    value: Value | None = None
    """What is written; None: what the request says under ``field``."""
    field: str | None = None
    """``Ctime``, ``CalibrationType``, ... or an info code (3021: ``i13008``)."""


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a platform may read: 3017 to 3020, and 1011 of an instrument."""

    code: str
    """An info code (``i13001``), ``SN``, or a field: ``Ctime``, ``CstartTime``,
    ``Stime``, ``VaseNo``, ``SystemTime``."""
    factor: str | None = None
    """``PolId`` of the instrument; None: the logger's own."""
    device: str | None = None
    point: str | None = None
    text: str | None = None
    """In place of a point: what never changes, such as a serial number."""
