"""The truth kept outside the gateway: what every device really answered, and when."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Birth:
    """One request and what was done with it."""

    t_ms: int
    """Milliseconds since the shared start, when the request was complete."""
    unit: int
    function: int
    address: int
    count: int
    mark: int
    """The unit's counter at that moment."""
    fault: str = ""
    """What was done to the reply; empty for a healthy one."""
    beside: str = ""
    """A frame of another exchange that was sent into this one."""


class BirthLog:
    """Births in memory, and as JSON lines where a file is given.

    Lines are written through at once: the log must outlive a kill of anything else.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.births: list[Birth] = []
        self._file: IO[str] | None = (
            path.open("a", encoding="ascii", buffering=1) if path else None
        )

    def add(self, birth: Birth) -> None:
        """Note one."""
        if self._file is None:
            self.births.append(birth)
        else:
            self._file.write(json.dumps(asdict(birth)) + "\n")

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._file is not None:
            self._file.close()


def read_births(path: Path) -> list[Birth]:
    """What a file holds; a torn last line is left out."""
    births = []
    for line in path.read_text(encoding="ascii").splitlines():
        try:
            births.append(Birth(**json.loads(line)))
        except ValueError:
            break
    return births
