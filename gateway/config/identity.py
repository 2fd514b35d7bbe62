"""How the regulator numbers units, facilities and outlets: pure checks.

Sources: GB 32100-2015 (unified social credit code, 18 characters, the last a check
character, weights 3^(i-1) mod 31); HJ 608-2017, 5 and annex A (a pollution source is
the 18 characters, three digits and a letter; an outlet is D, A air or W water, three
digits; a treatment facility is T, A W N S, three digits; a production facility is MF
and four digits).

The standard's examples end in P. Issued permits carry other letters as well and how
they are chosen was not found, so any capital letter or digit passes. Units without a
credit code have 18 characters that begin with H9 and carry no check character of
GB 32100 (coding rules for stationary sources, trial, 2016, 4.1).
"""

from __future__ import annotations

import re
from typing import Any

_CREDIT = "0123456789ABCDEFGHJKLMNPQRTUWXY"
"""No I, O, S, V, Z: GB 32100-2015, table 1."""
_SITE = re.compile(r"[0-9A-Z]{18}[0-9]{3}[0-9A-Z]\Z")
_INTERIM = re.compile(r"H9[0-9]{6}[0-9A-Z]{9}[A-Za-z][0-9]{3}[0-9A-Z]\Z")
_ASSETS = {
    "outlet": re.compile(r"D[AW][0-9]{3}\Z"),
    "treatment": re.compile(r"T[AWNS][0-9]{3}\Z"),
    "production": re.compile(r"MF[0-9]{4}\Z"),
}
ASSET_FORMS = {
    "outlet": "DA001, DW001",
    "treatment": "TA001, TW001, TN001, TS001",
    "production": "MF0001",
}

SITE_LENGTH = 22
CREDIT_LENGTH = 18


class CodeError(ValueError):
    """A site code that cannot be right; ``code`` is a word, ``values`` its details."""

    def __init__(self, code: str, **values: Any) -> None:  # noqa: ANN401 - any detail
        super().__init__(code)
        self.code = code
        self.values = values


def credit_check_character(first: str) -> str:
    """The 18th character that belongs to the first 17 of a credit code.

    Source: GB 32100-2015, 4.2: C18 = 31 - (sum of C_i * W_i) mod 31, 31 written as 0.
    """
    total = sum(
        _CREDIT.index(character) * pow(3, place, 31)
        for place, character in enumerate(first)
    )
    return _CREDIT[(31 - total % 31) % 31]


def check_site_code(code: str, *, as_issued: bool = False) -> None:
    """Refuse a site code that cannot be one.

    Args:
        code: 22 characters such as ``91130200699229617X001P``.
        as_issued: The permit itself carries a check character that does not fit.

    Raises:
        CodeError: ``length``, ``characters``, ``form``, ``check`` and their details.
    """
    if len(code) != SITE_LENGTH:
        raise CodeError("site_code_length", found=len(code))
    if _INTERIM.match(code):
        return
    credit = code[:CREDIT_LENGTH]
    for place, character in enumerate(credit, 1):
        if character not in _CREDIT:
            raise CodeError("site_code_character", found=character, place=place)
    if not _SITE.match(code) or not credit[2:8].isdigit():
        raise CodeError("site_code_form", found=code)
    expected = credit_check_character(credit[:-1])
    if credit[-1] != expected and not as_issued:
        raise CodeError("site_code_check", expected=expected, found=credit[-1])


def kind_of_asset(name: str) -> str | None:
    """The kind whose numbering this id follows; None where it follows none."""
    for kind, form in _ASSETS.items():
        if form.match(name):
            return kind
    return None
