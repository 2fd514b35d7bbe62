"""What came from a receiver, counted."""

from __future__ import annotations

import msgspec


class GnssStats(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot; counts since the port object was made."""

    sentences: int = 0
    """With a right checksum; of gpsd: reports."""
    bad_checksum: int = 0
    no_checksum: int = 0
    refused: int = 0
    """With a right checksum, but where or how no sentence can be."""
    malformed: int = 0
    other: int = 0
    """Of types that are not read, makers' own among them."""
    stragglers: int = 0
    skipped_bytes: int = 0
    """Outside sentences: binary frames, noise."""
    epochs: int = 0
    fixes: int = 0
    no_fix: int = 0
    refused_fixes: int = 0
    """Positions that were told and not believed."""
    time_jumps: int = 0
    superseded: int = 0
    """Epochs that a newer one overtook before they were asked for."""
