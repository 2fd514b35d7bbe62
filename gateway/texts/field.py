"""What drivers and links say in English, in the language of who reads it.

Drivers know no languages: their errors travel as English sentences, through logs, the
control socket and records. ``field.yaml`` lists these sentences, and whoever shows one
words it here. A sentence that is not listed stays as it is.
"""

from __future__ import annotations

import re
import string
from functools import cache
from typing import NamedTuple

_PREFIX = "field."


class _Sentence(NamedTuple):
    pattern: re.Pattern[str]
    texts: dict[str, str]


def worded(text: str, code: str) -> str:
    """The sentence, line by line, in a language; as it came where nothing fits."""
    if code == "en" or not text.isascii():
        return text
    return "\n".join(_worded(line, code) for line in text.split("\n"))


def parts(key: str, text: str) -> dict[str, str] | None:
    """What stands at the places of one sentence; None where the text is another."""
    match = _sentences()[_PREFIX + key].pattern.fullmatch(text)
    return match.groupdict() if match else None


def _worded(text: str, code: str) -> str:
    for sentence in _sentences().values():
        if match := sentence.pattern.fullmatch(text):
            inside = {name: _worded(s, code) for name, s in match.groupdict().items()}
            return sentence.texts[code].format_map(inside)
    return text


@cache
def _sentences() -> dict[str, _Sentence]:
    from gateway.texts import catalogue  # noqa: PLC0415 - which words values by us

    return {
        key: _Sentence(_pattern(texts["en"]), texts)
        for key, texts in catalogue().items()
        if key.startswith(_PREFIX)
    }


def _pattern(text: str) -> re.Pattern[str]:
    pieces = []
    for fixed, name, _, _ in string.Formatter().parse(text):
        pieces.append(re.escape(fixed))
        if name is not None:
            pieces.append(f"(?P<{name}>.+?)")
    return re.compile("".join(pieces))
