"""What the demo's camera sees: alarms as they are told, and their pictures."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.texts import language

if TYPE_CHECKING:
    from collections.abc import Callable

SMOKE, SMOKE_EVERY_S = "dark@40-80", 150.0
"""The stack smokes after the camera was seen quiet for a while, again and again."""
GOOD = ("watching", "learning", "alarm")
_TYPES = ("smoke_seen", "dust_seen")


class Sights:
    """Alarms of cameras, from the records the gateway shows.

    Args:
        media: The gateway's folder of pictures, which ends with the demo.
        note: Takes what is worth a line: a key of the catalogue, values.
    """

    def __init__(self, media: Path, note: Callable[..., None]) -> None:
        self._media, self._note = media, note
        self._alarms: dict[str, dict[str, str]] = {}
        self.last = ""
        """The newest alarm, while it lasts."""

    @property
    def told(self) -> list[dict[str, str]]:
        """Every alarm: its sentence, and its picture's path where there is one."""
        return list(self._alarms.values())

    def hear(self, record: dict[str, Any]) -> None:
        """A record of the gateway, of whatever kind."""
        if record.get("kind") == "event" and record.get("type") in _TYPES:
            self._alarm(record)
        elif record.get("kind") == "media" and record.get("annotated"):
            self._picture(record)

    def _alarm(self, event: dict[str, Any]) -> None:
        text = event["text"][language()]
        self.last = "" if event["state"] == "cleared" else text
        if event["id"] not in self._alarms:
            self._alarms[event["id"]] = {"id": event["id"], "text": text}
            self._note("demo.log.sight", text=text)

    def _picture(self, media: dict[str, Any]) -> None:
        alarm = self._alarms.get(media["event"])
        if alarm is None or "picture" in alarm:
            return
        source = self._media / media["name"]
        # The demo takes its folder away; this picture is for looking at afterwards.
        kept = Path(tempfile.gettempdir()) / f"ecogate-{source.name}"
        try:
            shutil.copyfile(source, kept)
        except OSError:
            return
        alarm["picture"] = str(kept)
        self._note("demo.log.picture", path=kept)
