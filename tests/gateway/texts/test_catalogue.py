"""Every text exists once, in both languages, placeholders alike, and is used."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path

import pytest

import gateway
from drivers.profiles.document import load_document
from gateway import texts
from gateway.texts import both, catalogue, language, set_language, t

FOLDER = Path(texts.__file__).parent
SOURCES = sorted(Path(gateway.__file__).parent.rglob("*.py"))
FILES = sorted(FOLDER.glob("*.yaml"))
_CALLS = {"t", "both", "known"}


@pytest.fixture(autouse=True)
def _language():
    yield
    set_language(None)


def entries():
    for file in FILES:
        for key, node in load_document(file.read_text("utf-8"), file.name).items():
            yield file.name, key, node.plain()


def placeholders(text):
    return {
        name for _, name, _, _ in string.Formatter().parse(text) if name is not None
    }


def literal_keys(source):
    """Keys named by a literal, and the fixed beginnings of computed ones."""
    whole, beginnings = set(), set()
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        argument = node.args[0]
        if name not in _CALLS:
            continue
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            whole.add(argument.value)
        elif isinstance(argument, ast.JoinedStr) and isinstance(
            argument.values[0], ast.Constant
        ):
            beginnings.add(argument.values[0].value)
    return whole, beginnings


def test_every_text_has_both_languages_and_nothing_else():
    wrong = [
        f"{file}: {key}: {value!r}"
        for file, key, value in entries()
        if not isinstance(value, dict)
        or set(value) != set(texts.LANGUAGES)
        or not all(isinstance(text, str) and text.strip() for text in value.values())
    ]

    assert wrong == []


def test_both_languages_have_the_same_placeholders():
    wrong = [
        f"{file}: {key}: zh {placeholders(value['zh'])}, en {placeholders(value['en'])}"
        for file, key, value in entries()
        if placeholders(value["zh"]) != placeholders(value["en"])
    ]

    assert wrong == []


def test_chinese_texts_are_chinese():
    wrong = [
        f"{file}: {key}: {value['zh']}"
        for file, key, value in entries()
        if not re.search("[\u4e00-\u9fff]", value["zh"])
        and re.search("[a-z]{3} [a-z]{3}", value["zh"])
    ]

    assert wrong == []


def test_no_key_stands_in_two_files():
    seen = {}
    twice = []
    for file, key, _ in entries():
        if key in seen:
            twice.append(f"{key}: {seen[key]} and {file}")
        seen[key] = file

    assert twice == []


def test_every_key_the_code_names_exists():
    missing = [
        f"{source.relative_to(FOLDER.parent)}: {key}"
        for source in SOURCES
        for key in sorted(literal_keys(source)[0])
        if key not in catalogue()
    ]

    assert missing == []


def test_no_text_is_left_over():
    everything = "\n".join(source.read_text("utf-8") for source in SOURCES)
    beginnings = tuple(
        beginning for source in SOURCES for beginning in literal_keys(source)[1]
    )
    unused = [
        key
        for key in catalogue()
        if f'"{key}"' not in everything and not key.startswith(beginnings or ("\0",))
    ]

    # Reported, not refused: an area's texts may arrive one change before their use.
    if unused:
        print("texts nobody asks for:", *sorted(unused), sep="\n  ")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "en_GB.UTF-8"}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LC_MESSAGES": "zh_TW", "LANG": "de_DE"}, "zh"),
        ({}, "en"),
    ],
)
def test_the_environment_chooses_the_language(monkeypatch, environment, expected):
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    set_language(None)

    assert language() == expected


def test_the_chosen_language_wins(monkeypatch):
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")

    set_language("en")

    assert language() == "en"


def test_an_unknown_key_and_a_missing_value_do_not_raise():
    key = next(k for k, v in catalogue().items() if placeholders(v["en"]))

    assert t("no.such.key", a=1) == "no.such.key a=1"
    assert "{" in t(key)


def test_events_carry_both_languages():
    key = next(iter(catalogue()))

    assert set(both(key)) == {"zh", "en"}
