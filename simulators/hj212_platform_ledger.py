"""What a device was seen to do, clause by clause, and the report of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from simulators.hj212_segment import Deviation

_EXAMPLES = 3
_FRAME_SHOWN = 400
_LATEST = 2025
_WORDS = {
    "zh": {
        "title": "HJ 212 符合性报告",
        "passed": "通过",
        "failed": "不通过",
        "noted": "偏差（已接受）",
        "refused": "设备拒绝",
        "not seen": "未见",
        "not asked": "不适用",
        "frame": "帧",
        "sum": "{passed} 条通过，{failed} 条不通过，{noted} 条有偏差，"
        "{refused} 条被设备拒绝，{unseen} 条未见，{unasked} 条不适用于此版本",
    },
    "en": {
        "title": "HJ 212 conformance report",
        "passed": "passed",
        "failed": "FAILED",
        "noted": "deviates (accepted)",
        "refused": "refused by it",
        "not seen": "not seen",
        "not asked": "not asked",
        "frame": "frame",
        "sum": "{passed} passed, {failed} failed, {noted} with deviations,"
        " {refused} refused by the device, {unseen} not seen,"
        " {unasked} not asked of this version",
    },
}


@cache
def clauses() -> dict[str, dict[str, str]]:
    """Every clause with level, source and its words, in the report's order."""
    path = Path(__file__).parent / "hj212_clauses.yaml"
    told: dict[str, dict[str, str]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return told


@dataclass
class Line:
    """One clause."""

    passed: int = 0
    failed: int = 0
    noted: int = 0
    """A deviation that a lenient platform takes."""
    refused: int = 0
    """A command that the device does not carry out, and says so."""
    examples: list[tuple[str, str]] = field(default_factory=list)
    """What was wrong, and the frame, of the first few."""

    @property
    def standing(self) -> str:
        """``passed``, ``failed``, ``noted``, ``refused`` or ``not seen``."""
        for name in ("failed", "noted", "refused", "passed"):
            if getattr(self, name):
                return name
        return "not seen"


class Ledger:
    """Counts by clause; ``strict`` fails what a lenient platform only notes."""

    def __init__(
        self, *, strict: bool = False, versions: Collection[int] = (_LATEST,)
    ) -> None:
        self.strict = strict
        self._latest = _LATEST in versions
        self.lines = {name: Line() for name in clauses()}

    def judged(
        self, checked: Iterable[str], deviations: Iterable[Deviation], frame: bytes
    ) -> None:
        """Take what one frame showed."""
        wrong: dict[str, str] = {}
        for clause, text in deviations:
            wrong.setdefault(clause, text)
        for clause in dict.fromkeys((*checked, *wrong)):
            self.take(clause, wrong.get(clause), frame)

    def take(self, clause: str, wrong: str | None = None, frame: bytes = b"") -> None:
        """One more sight of a clause; ``wrong``: what was not as it should be."""
        line = self.lines[clause]
        if wrong is None:
            line.passed += 1
            return
        if clauses()[clause]["level"] == "form" and not self.strict:
            line.noted += 1
        else:
            line.failed += 1
        if len(line.examples) < _EXAMPLES:
            line.examples.append((wrong, shown(frame)))

    def refused(self, clause: str, why: str, frame: bytes = b"") -> None:
        """The device said that it will not."""
        line = self.lines[clause]
        line.refused += 1
        if len(line.examples) < _EXAMPLES:
            line.examples.append((why, shown(frame)))

    def accepts(self, deviations: Iterable[Deviation]) -> bool:
        """Whether a frame with these is believed and answered."""
        refused = {"broken", "form"} if self.strict else {"broken"}
        return not any(clauses()[one.clause]["level"] in refused for one in deviations)

    @property
    def failed(self) -> list[str]:
        """Clauses that were not met."""
        return [name for name, line in self.lines.items() if line.failed]

    @property
    def clean(self) -> bool:
        """Nothing failed."""
        return not self.failed

    def standing(self) -> dict[str, str]:
        """By clause."""
        return {name: line.standing for name, line in self.lines.items()}

    def text(self, lang: str = "zh", heads: Iterable[str] = ()) -> str:
        """For people, a line a clause."""
        words = _WORDS[lang]
        told = [words["title"], *heads, ""]
        for name, line in self.lines.items():
            about = clauses()[name]
            seen = line.passed + line.failed + line.noted + line.refused
            found = line.failed or line.noted or line.refused
            count = f" {found}/{seen}" if found else ""
            if seen == line.passed and seen:
                count = f" ×{seen}"
            told.append(
                f"[{words[self._told(name)]}]{count} {name} {about[lang]}"
                f" ({_source(about['source'], lang)})"
            )
            for wrong, frame in line.examples if line.standing != "passed" else ():
                told.append(f"    {wrong}")
                if frame:
                    told.append(f"    {words['frame']}: {frame}")
        standings = [self._told(name) for name in self.lines]
        told += [
            "",
            words["sum"].format(
                unseen=standings.count("not seen"),
                unasked=standings.count("not asked"),
                **{
                    name: standings.count(name)
                    for name in ("passed", "failed", "noted", "refused")
                },
            ),
        ]
        return "\n".join(told)

    def _told(self, name: str) -> str:
        """``not asked``: what came with 2025, where every device is of 2017."""
        standing = self.lines[name].standing
        newer = clauses()[name]["source"].startswith(f"{_LATEST} ")
        if standing == "not seen" and newer and not self._latest:
            return "not asked"
        return standing

    def as_dict(self) -> dict[str, Any]:
        """For programs: what was seen, by clause."""
        return {
            name: {
                "standing": line.standing,
                "passed": line.passed,
                "failed": line.failed,
                "noted": line.noted,
                "refused": line.refused,
                "examples": [
                    {"wrong": wrong, "frame": frame} for wrong, frame in line.examples
                ],
            }
            for name, line in self.lines.items()
        }

    def json(self) -> str:
        """``as_dict`` as one line."""
        return json.dumps(
            {"clean": self.clean, "clauses": self.as_dict()}, ensure_ascii=False
        )


def shown(frame: bytes) -> str:
    """A frame as people read it; bytes that are no text by their hex digits."""
    text = frame[:_FRAME_SHOWN].decode("utf-8", "backslashreplace")
    cut = "" if len(frame) <= _FRAME_SHOWN else f"... ({len(frame)} bytes)"
    return text.replace("\r", "\\r").replace("\n", "\\n") + cut


def _source(text: str, lang: str) -> str:
    """Where it stands, as the standard's readers call it."""
    if lang != "zh":
        return text
    return text.replace("table ", "表 ").replace("annex ", "附录 ")
