from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from drivers.profiles.document import load_document
from drivers.profiles.reading import MESSAGES, WORDS
from gateway.config.schema import site_schema
from gateway.texts import LANGUAGES, catalogue, set_language

ROOT = Path(__file__).parents[3]
BAD = sorted((ROOT / "tests" / "sites" / "bad").glob("*.yaml"))
SHAPE = (
    "01",
    "02",
    "03",
    "04",
    "05",
    "12",
    "14",
    "17",
    "18",
    "20",
    "21",
    "22",
    "25",
    "26",
    "27",
)


@pytest.fixture(scope="module")
def validator():
    schema = site_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def plain(file):
    return load_document(file.read_text("utf-8"), file.name).plain()


def test_the_example_is_valid(validator):
    errors = list(validator.iter_errors(plain(ROOT / "tests" / "sites" / "good.yaml")))

    assert errors == []


@pytest.mark.parametrize("file", [f for f in BAD if f.stem[:2] in SHAPE], ids=str)
def test_what_is_wrong_in_shape_is_wrong_in_an_editor(validator, file):
    assert list(validator.iter_errors(plain(file)))


def test_every_key_is_described_in_both_languages():
    def descriptions(schema):
        for key, value in schema.get("properties", {}).items():
            if key not in LANGUAGES:
                yield value.get("description", "")
            yield from descriptions(value)
        if isinstance(schema.get("additionalProperties"), dict):
            yield from descriptions(schema["additionalProperties"])

    schema = site_schema()
    found = [*descriptions(schema), *descriptions(schema["$defs"]["point"])]

    assert len(found) >= 72
    assert all("\n" in text and "schema." not in text for text in found)


def test_the_schema_does_not_depend_on_the_language():
    set_language("zh")
    chinese = site_schema()
    set_language("en")
    english = site_schema()
    set_language(None)

    assert chinese == english


def test_the_committed_schema_is_current():
    committed = (ROOT / "docs" / "site.schema.json").read_text("utf-8")

    assert json.loads(committed) == site_schema()


def test_every_cause_of_the_readers_is_in_the_catalogue_word_for_word():
    texts = catalogue()

    for code, english in MESSAGES.items():
        assert texts[f"config.{code}"]["en"] == english, code
    for code, english in WORDS.items():
        assert texts[f"config.word.{code}"]["en"] == english, code
