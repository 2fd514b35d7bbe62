"""Stable words of the wire, as people read them."""

from __future__ import annotations

from gateway.texts import known, t


def reason(word: str) -> str:
    """Why a reading is not good; a word without a text stands as it is."""
    _, exception, code = word.partition("exception_")
    if exception and code.isdecimal() and not known(f"reason.{word}"):
        return t("reason.exception_other", code=f"{int(code):02X}")
    return _text("reason", word)


def cause(word: str) -> str:
    """Why nobody was asked."""
    return _text("cause", word)


def loss(word: str) -> str:
    """Why records are lost."""
    return _text("loss", word)


def _text(area: str, word: str) -> str:
    key = f"{area}.{word}"
    return t(key) if known(key) else word
