"""Every word that can travel with a reading has a text in both languages."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import drivers
import gateway
from drivers.modbus.bus import EXCEPTIONS
from gateway.cli import words
from gateway.texts import catalogue, set_language

DRIVERS = sorted(Path(drivers.__file__).parent.rglob("*.py"))
GATEWAY = sorted(Path(gateway.__file__).parent.rglob("*.py"))


@pytest.fixture(autouse=True)
def _english():
    set_language("en")
    yield
    set_language(None)


def literals(node):
    """The words a piece of code can stand for: a literal, or either of two."""
    if isinstance(node, ast.IfExp):
        return literals(node.body) | literals(node.orelse)
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
        return {node.value}
    return set()


def words_of(source):
    """Reasons a file gives: ``reason = ...``, ``reason=...``, ``Flaw(q, ...)``."""
    found = set()
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = {getattr(t, "id", getattr(t, "attr", "")) for t in targets}
            if "reason" in names:
                found |= literals(node.value)
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in {"Flaw", "_refuse"} and len(node.args) > 1:
                found |= literals(node.args[1])
            for keyword in node.keywords:
                if keyword.arg == "reason":
                    found |= literals(keyword.value)
    return found


def causes_of(source):
    """Causes of gaps a file gives to the functions that state them."""
    found = set()
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in {"_close_gaps", "_cut_gaps"}:
                found |= {word for argument in node.args for word in literals(argument)}
    return found


def test_every_reason_a_driver_gives_has_a_text():
    found = set().union(*(words_of(source) for source in DRIVERS))

    # The search itself finds what stands in each of the three forms.
    assert {"timeout", "not_taken", "searching", "not_writable"} <= found
    assert {word for word in found if f"reason.{word}" not in catalogue()} == set()


def test_every_reason_the_gateway_gives_has_a_text():
    found = set().union(*(words_of(source) for source in GATEWAY))

    assert "busy" in found
    assert {word for word in found if f"reason.{word}" not in catalogue()} == set()


def test_every_cause_of_a_gap_has_a_text():
    found = set().union(*(causes_of(source) for source in GATEWAY))

    assert "bus_gone" in found
    assert {word for word in found if f"cause.{word}" not in catalogue()} == set()


def test_every_exception_of_the_standard_has_a_text():
    missing = [n for n in EXCEPTIONS if f"reason.exception_{n}" not in catalogue()]

    assert missing == []


def test_an_exception_the_standard_does_not_know_is_told_in_words():
    assert words.reason("exception_66") == (
        "exception 42: a code the standard does not know"
    )


def test_a_word_without_a_text_stands_as_it_is():
    assert words.reason("novel") == words.cause("novel") == "novel"
    assert words.loss("evicted").startswith("room")
