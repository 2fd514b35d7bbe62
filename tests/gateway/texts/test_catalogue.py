"""Every text exists once, in both languages, placeholders alike, and is used."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path

import pytest

import buffer
import drivers
import gateway
import vision
from drivers.profiles.document import load_document
from gateway import texts
from gateway.texts import both, catalogue, language, set_language, t

FOLDER = Path(texts.__file__).parent
SOURCES = sorted(Path(gateway.__file__).parent.rglob("*.py"))
FILES = sorted(FOLDER.glob("*.yaml"))
# Words of texts come from what drivers, the buffer and vision say of themselves, too.
SPEAKERS = [
    *SOURCES,
    *sorted(Path(drivers.__file__).parent.rglob("*.py")),
    *sorted(Path(buffer.__file__).parent.rglob("*.py")),
    *sorted(Path(vision.__file__).parent.rglob("*.py")),
]
WORDED = ("field.",)
"""Sentences of drivers: ``test_field.py`` holds them against what drivers say."""
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


def spoken(sources):
    """Every string in the code, and every text that an f-string begins with.

    ``words.py`` computes whole areas: ``_text("cause", word)`` begins ``cause.``.
    """
    words, beginnings = set(), set()
    for source in sources:
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                words.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                first = node.values[0]
                if isinstance(first, ast.Constant) and len(first.value) > 1:
                    beginnings.add(first.value)
            elif isinstance(node, ast.Call) and node.args:
                if getattr(node.func, "id", "") == "_text":
                    beginnings.add(f"{getattr(node.args[0], 'value', '')}.")
            elif isinstance(node, ast.Assign):  # members of enumerations
                words.update(getattr(n, "id", "").lower() for n in node.targets)
            elif isinstance(node, ast.Attribute):
                words.add(node.attr)
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                words.add(node.name)
            elif isinstance(node, ast.AnnAssign):
                words.add(getattr(node.target, "id", ""))
            elif isinstance(node, ast.keyword):
                words.add(node.arg or "")
    return words, beginnings


def asked_for(key, words, beginnings):
    """Whether the code names the key, or computes it from words that it has."""

    def sayable(rest):
        return all(
            part in words or part.isdecimal() or _computed(part, words, beginnings)
            for part in rest.split(".")
        )

    return key in words or any(
        key.startswith(begun) and sayable(key[len(begun) :]) for begun in beginnings
    )


def _computed(part, words, beginnings):
    return part == "none" or any(
        part.startswith(begun) and begun.endswith("_") for begun in beginnings
    )


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
    words, beginnings = spoken(SPEAKERS)

    unused = [
        key
        for key in catalogue()
        if not key.startswith(WORDED) and not asked_for(key, words, beginnings)
    ]

    assert unused == [], "texts nobody asks for: use them or remove them"


def test_a_left_over_text_is_noticed():
    words, beginnings = spoken(SPEAKERS)

    assert asked_for("log.stopped", words, beginnings)  # by its whole key
    assert asked_for("status.state.online", words, beginnings)  # computed
    assert not asked_for("log.nobody_says_this", words, beginnings)
    assert not asked_for("status.state.nobody_is_this", words, beginnings)


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
