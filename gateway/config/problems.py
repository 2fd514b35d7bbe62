"""What is wrong with a site file, as a person reads it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from drivers.profiles.reading import Word, displayed
from gateway.texts import known, t

if TYPE_CHECKING:
    from pathlib import Path

    from drivers.profiles.reading import Problem


class SiteError(ValueError):
    """A site file that cannot be used, with everything that is wrong with it."""

    def __init__(self, file: Path, problems: list[Problem]) -> None:
        super().__init__("\n".join(line_of(problem, file) for problem in problems))
        self.file = file
        self.problems = problems


def message_of(problem: Problem) -> str:
    """Where, expected, found, did you mean: without the place, in the language set."""
    if known(f"config.{problem.code}"):
        values = {name: _worded(name, value) for name, value in problem.values.items()}
        text = t(f"config.{problem.code}", **values)
        if problem.meant:
            text += t("config.meant", meant=problem.meant)
    else:
        text = problem.message
    # Sentences of other rooms begin with the key, which the place names already.
    key = problem.path.rpartition(".")[2]
    return re.sub(rf"\A{re.escape(key)}(: |：)", "", text) if key else text


def place_of(problem: Problem, file: Path) -> str:
    """``file:line:column``; the file alone where there is no line."""
    name = problem.document or str(file)
    return f"{name}:{problem.line}:{problem.column}" if problem.line else name


def line_of(problem: Problem, file: Path) -> str:
    """``file:line:column: where: expected …, found …; did you mean …?``."""
    place = place_of(problem, file)
    kind = t("config.warning") if problem.warning else ""
    where = f"{problem.path}: " if problem.path else ""
    return f"{place}: {kind}{where}{message_of(problem)}"


def _worded(name: str, value: object) -> object:
    if isinstance(value, Word):
        return t(f"config.word.{value.code}")
    if name == "choices" and value == "-":
        return t("config.word.none")
    return displayed(name, value)
