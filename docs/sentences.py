"""Lists in ``docs/delivery.md`` which tests bear each of its promises.

A test says so by ``@pytest.mark.sentence(1, 4)``, a whole file by ``pytestmark``. This
prints the document with the lists between ``<!-- tests N -->`` and ``<!-- end -->``
made anew; ``docs/generate.py`` writes or checks it.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "delivery.md"
SENTENCES = range(1, 11)
_BLOCK = re.compile(r"(<!-- tests (\d+) -->\n).*?(<!-- end -->)", re.S)


def numbers(node: ast.expr) -> list[int]:
    """The sentences that a decorator or a ``pytestmark`` names."""
    return [
        int(ast.literal_eval(argument))
        for call in ast.walk(node)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "sentence"
        for argument in call.args
    ]


def tests_of(text: str) -> dict[str, set[int]]:
    """Name of each test in a source -> the sentences it bears; none left out."""
    found: dict[str, set[int]] = {}
    everywhere: set[int] = set()
    tree = ast.parse(text)
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(
            getattr(target, "id", "") == "pytestmark" for target in node.targets
        ):
            everywhere.update(numbers(node.value))
    for node in ast.walk(tree):
        if isinstance(
            node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        ) and node.name.lower().startswith("test"):
            said = {n for one in node.decorator_list for n in numbers(one)}
            if said or (everywhere and not isinstance(node, ast.ClassDef)):
                found[node.name] = said | everywhere
    return found


def by_sentence(folder: Path = ROOT / "tests") -> dict[int, list[str]]:
    """Sentence -> ``path::test``, sorted."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    for path in sorted(folder.rglob("test_*.py")):
        for name, said in tests_of(path.read_text(encoding="utf-8")).items():
            for number in said:
                found[number].append(f"{path.relative_to(ROOT).as_posix()}::{name}")
    return {number: sorted(found[number]) for number in SENTENCES}


def listed(tests: list[str]) -> str:
    """A Markdown list, a line a file."""
    files: defaultdict[str, list[str]] = defaultdict(list)
    for test in tests:
        path, _, name = test.partition("::")
        files[path].append(name)
    lines = []
    for path, names in files.items():
        lines.append(f"- [{path.removeprefix('tests/')}](../{path})")
        lines += [f"  - `{name}`" for name in names]
    return "\n".join(lines) + "\n"


def page(text: str, found: dict[int, list[str]]) -> str:
    """The document with its lists made anew."""

    def block(match: re.Match[str]) -> str:
        return match[1] + listed(found[int(match[2])]) + match[3]

    return _BLOCK.sub(block, text)


if __name__ == "__main__":
    sys.stdout.write(page(PAGE.read_text(encoding="utf-8"), by_sentence()))
