from __future__ import annotations

import math

import pytest

from drivers.profiles import compose, document
from drivers.profiles.document import DocumentError, decode_text, load_document


@pytest.fixture(params=["libyaml", "python"])
def load(request, monkeypatch):
    """Both parsers, one promise."""
    if request.param == "python":
        monkeypatch.setattr(compose, "Loader", compose.PythonLoader)
    elif not hasattr(compose, "CLoader"):
        pytest.skip("PyYAML was built without libyaml")
    return lambda text: load_document(text, "test.yaml")


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("010", "010"),
        ("007", "007"),
        ("-012", "-012"),
        ("no", "no"),
        ("NO", "NO"),
        ("yes", "yes"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("12:34", "12:34"),
        ("12:34:56", "12:34:56"),
        ("1_000", "1_000"),
        ("2025-01-02", "2025-01-02"),
        ("2-3-017", "2-3-017"),
        ("=", "="),
        ("91130200699229617X001P", "91130200699229617X001P"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("0", 0),
        ("-17", -17),
        ("+17", 17),
        ("130203", 130203),
        ("0x2006", 0x2006),
        ("0o17", 15),
        ("1.5", 1.5),
        ("1.0e3", 1000.0),
        ("1e-3", 0.001),
        ("8E1", "8E1"),
        ("8N1", "8N1"),
        ("-.5", -0.5),
        ("1.", 1.0),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("'5'", "5"),
        ('"true"', "true"),
        ("0b11", "0b11"),
        ("1.2.3", "1.2.3"),
        (".", "."),
        ("-", [None]),
    ],
)
def test_scalars_stay_what_they_look_like(load, written, value):
    node = load(f"key: {written}" if written != "-" else "key:\n  -")

    found = node.get("key").plain()

    assert found == value
    assert type(found) is type(value)


def test_nan_is_a_float(load):
    assert math.isnan(load("k: .nan").get("k").value)


def test_positions_count_from_one_and_in_characters(load):
    root = load("名称: {zh: 北门, en: gate}\nlist:\n  - a\n  - 12\n")

    assert root.key_marks["名称"] == (1, 1)
    assert root.get("名称").get("en").mark == (1, 18)
    assert root.get("list").value[1].mark == (4, 5)
    assert root.get("list").value[1].text == "12"


def test_scalars_keep_their_text_and_their_quotes(load):
    root = load("a: 0x10\nb: '0x10'\n")

    assert (root.get("a").text, root.get("a").quoted) == ("0x10", False)
    assert (root.get("b").text, root.get("b").quoted) == ("0x10", True)


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("a: 1\nb: 2\na: 3\n", "duplicate_key", (3, 1)),
        ("a: {b: 1, b: 2}\n", "duplicate_key", (1, 11)),
        ("a: &x {b: 1}\nc: {<<: *x}\n", "merge_key", (2, 5)),
        ("a: !!python/object:os.system x\n", "tag", (1, 4)),
        ("a: !secret x\n", "tag", (1, 4)),
        ("a: &x [*x]\n", "alias_circle", (1, 4)),
        ("a: *nowhere\n", "alias_unknown", (1, 4)),
        ("a: 1\n---\nb: 2\n", "several", (2, 1)),
        ("", "empty", (1, 1)),
        ("# nothing\n", "empty", (1, 1)),
        ("a: b: c\n", "colon", (1, 5)),
        ("a:\n\t- b\n", "token", (2, 1)),
        ('a: "open\nb: 1\n', "quote", (1, 4)),
        ("a: 1\nb: \x07\n", "character", (2, 4)),
        ("[a]: 1\n", "key", (1, 1)),
        ("~: 1\n", "key", (1, 1)),
        ("a: [1, 2\nb: 3\n", "flow", None),
        ("a:\n  - 1\n - 2\n", "indent", None),
    ],
)
def test_a_mistake_is_named_with_its_place(load, text, code, place):
    with pytest.raises(DocumentError) as caught:
        load(text)

    assert caught.value.code == code, caught.value
    if place is not None:
        assert (caught.value.line, caught.value.column) == place


def test_every_duplicate_is_listed_and_the_first_value_stands():
    root, problems = document.read_document("a: 1\na: 2\nb: {c: 1, c: 2}\n", "x")

    assert [(p.line, p.column) for p in problems] == [(2, 1), (3, 11)]
    assert root.plain() == {"a": 1, "b": {"c": 1}}


@pytest.mark.parametrize("depth", [25, 900, 100_000])
@pytest.mark.parametrize("opening", ["[", "{a: "])
def test_deep_nesting_is_refused_not_followed(load, depth, opening):
    with pytest.raises(DocumentError) as caught:
        load("a: " + opening * depth)

    assert caught.value.code in {"too_deep", "flow", "syntax"}, caught.value


def test_closed_deep_nesting_is_called_too_deep(load):
    with pytest.raises(DocumentError) as caught:
        load("a: " + "[" * 25 + "]" * 25)

    assert caught.value.code == "too_deep"


def test_aliases_share_a_value(load):
    root = load("a: &p [1, 2]\nb: *p\n")

    assert root.get("b") is root.get("a")


def test_aliases_cannot_multiply_work(load):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]

    with pytest.raises(DocumentError) as caught:
        load("\n".join(lines))

    assert caught.value.code == "too_many"


def test_aliases_cannot_stack_levels(load):
    lines = ["a0: &a0 [x]", *(f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 30))]

    with pytest.raises(DocumentError) as caught:
        load("\n".join(lines))

    assert caught.value.code == "too_deep"


def test_size_is_bounded(load, monkeypatch):
    monkeypatch.setattr(document, "MAX_CHARACTERS", 10)

    with pytest.raises(DocumentError) as caught:
        load("key: 12345678")

    assert caught.value.code == "too_large"


def test_a_byte_order_mark_is_ignored(load):
    assert load("\ufeffa: 1").plain() == {"a": 1}


def test_bytes_that_are_not_utf8_have_a_place():
    with pytest.raises(DocumentError) as caught:
        decode_text("a: 1\n名: ".encode() + "中".encode("gbk"))

    assert caught.value.code == "not_utf8"
    assert (caught.value.line, caught.value.column) == (2, 4)
