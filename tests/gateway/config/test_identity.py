from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.identity import (
    CodeError,
    check_site_code,
    credit_check_character,
    kind_of_asset,
)

LETTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"


@pytest.mark.parametrize(
    "code",
    [
        # HJ 608-2017, annex A; the second is in the ministry's trial rules of 2016.
        "91130200699229617X001P",
        "91130200699229617X002P",
        "911302307808371268001P",
        # A published public body, and the forms of permits without a credit code.
        "11320000MB151840XJ001V",
        "H9130203000000001a001P",
    ],
)
def test_published_codes_pass(code):
    check_site_code(code)


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("91130200699229617X", "site_code_length"),
        ("91130200699229617X001PP", "site_code_length"),
        ("9113020069922961OX001P", "site_code_character"),
        ("91130200699229617x001P", "site_code_character"),
        ("91A30200699229617X001P", "site_code_form"),
        ("91130200699229617X00AP", "site_code_form"),
        ("91130200699229617X001p", "site_code_form"),
        ("91130200699229618X001P", "site_code_check"),
        ("91350100M000100Y4Z001P", "site_code_character"),
    ],
)
def test_what_cannot_be_a_code_is_refused_with_its_cause(code, cause):
    with pytest.raises(CodeError) as caught:
        check_site_code(code)

    assert caught.value.code == cause


def test_a_permit_with_a_wrong_check_character_can_be_told_as_issued():
    check_site_code("91130200699229618X001P", as_issued=True)


@given(st.text(LETTERS, min_size=17, max_size=17), st.integers(0, 16), st.data())
def test_every_single_mistyped_character_is_found(first, place, data):
    other = data.draw(st.sampled_from([c for c in LETTERS if c != first[place]]))
    wrong = first[:place] + other + first[place + 1 :]

    assert credit_check_character(first) != credit_check_character(wrong)


@given(st.text(LETTERS, min_size=17, max_size=17), st.integers(0, 15))
def test_two_neighbours_swapped_are_found(first, place):
    swapped = first[:place] + first[place + 1] + first[place] + first[place + 2 :]

    same = credit_check_character(first) == credit_check_character(swapped)
    assert same == (swapped == first)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("DA001", "outlet"),
        ("DW012", "outlet"),
        ("TA003", "treatment"),
        ("TS001", "treatment"),
        ("MF0012", "production"),
        ("DA01", None),
        ("MF001", None),
        ("DN001", None),
        ("fan", None),
    ],
)
def test_numbers_of_facilities_tell_their_kind(name, kind):
    assert kind_of_asset(name) == kind
