"""How long to wait for one unit; other protocols wait in the same way."""

from __future__ import annotations

from drivers.patience import FLOOR_S, Patience

__all__ = ["FLOOR_S", "Patience"]
