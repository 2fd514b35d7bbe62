"""One request of the platform, and everything that came back for it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulators.hj212_tables import ASKED, DONE, NOTED

if TYPE_CHECKING:
    from simulators.hj212_segment import Segment

WILL = 1
"""QnRtn: will be executed."""
SUCCESS = 1


@dataclass
class Exchange:
    """A request by its QN."""

    mn: str
    cn: int
    qn: str
    frame: bytes
    """As it was sent."""
    sent_s: float
    """Loop time of the first sending."""
    begin: str = ""
    end: str = ""
    """Of a pull of history: its range of DataTime."""
    loose: bool = False
    """Its MN or password is wrong on purpose, or changes: answers may echo either."""
    sendings: int = 0
    qn_rtn: int | None = None
    exe_rtn: int | None = None
    noted: bool = False
    """9013 came."""
    data: list[Segment] = field(default_factory=list)
    """Frames of data that came for it."""
    order: list[int] = field(default_factory=list)
    """CNs in the order they came."""
    raw: bytes = b""
    """The newest frame that came for it."""
    answered_s: float | None = None
    ended_s: float | None = None
    lost: bool = False
    """The connection ended meanwhile."""
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by everything that comes; whoever waits clears it."""

    def take(self, segment: Segment, raw: bytes, now_s: float) -> None:
        """Something came for it."""
        self.raw = raw
        self.order.append(segment.cn)
        match segment.cn:
            case code if code == ASKED:
                self.qn_rtn = _code(segment, "QnRtn")
                self.answered_s = self.answered_s or now_s
                if self.qn_rtn != WILL:
                    self.ended_s = now_s
            case code if code == DONE:
                self.exe_rtn = _code(segment, "ExeRtn")
                self.ended_s = now_s
            case code if code == NOTED:
                self.noted = True
                self.answered_s = self.answered_s or now_s
                self.ended_s = now_s
            case _:
                self.data.append(segment)
        self.moved.set()

    @property
    def pulls(self) -> bool:
        """It asks for history."""
        return bool(self.begin)

    @property
    def done(self) -> bool:
        """Nothing more is to come."""
        return self.lost or self.ended_s is not None

    @property
    def outcome(self) -> str:
        """done, refused, failed, no data, silent or unfinished."""
        if self.noted:
            return "done"
        if self.qn_rtn is None:
            return "silent"
        if self.qn_rtn != WILL:
            return "refused"
        if self.exe_rtn is None:
            return "unfinished"
        return {SUCCESS: "done", 100: "no data"}.get(self.exe_rtn, "failed")

    @property
    def values(self) -> dict[str, str]:
        """Names of all CPs that came, the newest last."""
        return {
            name: value
            for segment in self.data
            for name, value in segment.values.items()
        }

    @property
    def periods(self) -> dict[str, dict[str, str]]:
        """Of a pull: items by DataTime and factor, as they stood in CP."""
        found: dict[str, dict[str, str]] = {}
        at = ""
        for segment in self.data:
            at = segment.data_time or at
            found.setdefault(at, {}).update(items_of(segment))
        return found


def items_of(segment: Segment) -> dict[str, str]:
    """By factor: its item as it stands in CP."""
    found: dict[str, list[str]] = {}
    for item in segment.items:
        for name, value in item:
            code, cut, _ = name.rpartition("-")
            if cut:
                found.setdefault(code, []).append(f"{name}={value}")
    return {code: ",".join(pairs) for code, pairs in found.items()}


def _code(segment: Segment, name: str) -> int:
    text = segment.values.get(name, "")
    return int(text) if text.isdigit() else -1
