"""The site file: read, checked, resolved."""

from __future__ import annotations

from gateway.config.loader import load_problems, load_site
from gateway.config.problems import SiteError, line_of, message_of, place_of

__all__ = [
    "SiteError",
    "line_of",
    "load_problems",
    "load_site",
    "message_of",
    "place_of",
]
