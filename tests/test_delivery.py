"""Every promise of ``docs/delivery.md`` is borne by tests, and the page names them."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "delivery.md").read_text(encoding="utf-8")


def _load():
    spec = importlib.util.spec_from_file_location(
        "sentences", ROOT / "docs" / "sentences.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


sentences = _load()
FOUND = sentences.by_sentence()


@pytest.mark.parametrize("number", sentences.SENTENCES)
def test_every_promise_is_borne_by_tests(number):
    assert len(FOUND[number]) >= 2, f"no two tests bear sentence {number}"
    assert re.search(rf"(?m)^## {number}\. ", PAGE)
    assert f"<!-- tests {number} -->" in PAGE


def test_the_page_names_the_tests_that_bear_each():
    assert sentences.page(PAGE, FOUND) == PAGE, "make docs writes the lists"


def test_no_mark_names_a_promise_that_is_not_there():
    marked = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        for said in sentences.tests_of(path.read_text(encoding="utf-8")).values():
            marked |= said

    assert marked <= set(sentences.SENTENCES)


def test_tests_named_in_the_text_exist():
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    there = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(
            r"(?m)^\s*(?:async )?def (test_\w+)", path.read_text(encoding="utf-8")
        )
    }

    assert named <= there, named - there


def test_marks_are_read_from_functions_and_files():
    text = (
        "pytestmark = [pytest.mark.sentence(7)]\n"
        "@pytest.mark.sentence(1, 2)\ndef test_a():\n    pass\n"
        "async def test_b():\n    pass\n"
    )

    assert sentences.tests_of(text) == {"test_a": {1, 2, 7}, "test_b": {7}}
