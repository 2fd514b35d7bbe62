"""Every text a person reads, in Chinese and English side by side.

One YAML file an area in this folder, all merged: ``key: {zh: "…", en: "…"}`` with
``{placeholders}`` that must be the same in both. Nothing is read before the first text
is asked for.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from gateway.texts.field import worded

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

_chosen: Language | None = None


def t(key: str, /, **values: object) -> str:
    """The text of a key in the language in force.

    A text must never be what stops a gateway: an unknown key comes back as itself, a
    missing value leaves its placeholder standing. The tests refuse both.
    """
    return _fill(key, language(), values)


def both(key: str, /, **values: object) -> dict[str, str]:
    """The text of a key in every language, as events carry it."""
    return {code: _fill(key, code, values) for code in LANGUAGES}


def known(key: str) -> bool:
    """Whether the catalogue has this key."""
    return key in catalogue()


def set_language(code: str | None) -> None:
    """Choose ``zh`` or ``en`` (``zh_CN.UTF-8`` will do); None asks the environment."""
    global _chosen  # noqa: PLW0603 - one process speaks one language
    _chosen = None if code is None else _from_locale(code)


def language() -> Language:
    """The language in force: the chosen one, else LC_ALL, LC_MESSAGES, LANG."""
    if _chosen is not None:
        return _chosen
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(variable):
            return _from_locale(value)
    return "en"


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """All texts: key -> language -> text. Where areas share a key, the first stands."""
    from drivers.profiles.document import load_document  # noqa: PLC0415 - see module

    merged: dict[str, dict[str, str]] = {}
    for file in sorted(Path(__file__).parent.glob("*.yaml")):
        for key, node in load_document(file.read_text("utf-8"), file.name).items():
            texts = {code: str(text.value) for code, text in node.items()}
            merged.setdefault(key, texts)
    return merged


class _Lenient(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


def _fill(key: str, code: Language, values: dict[str, object]) -> str:
    texts = catalogue().get(key)
    if texts is None:
        details = " ".join(f"{name}={value}" for name, value in values.items())
        return f"{key} {details}".rstrip()
    text = texts.get(code, key)
    told = {name: _told(value, code) for name, value in values.items()}
    try:
        return text.format_map(_Lenient(told))
    except (ValueError, TypeError):
        # A value that does not fit its format; the bare text still says most of it.
        return text


def _told(value: object, code: Language) -> object:
    """What a driver or a link said, in the same language as the sentence around it."""
    if code == "en" or not isinstance(value, (str, Exception)):
        return value
    text = str(value)
    return worded(text, code) if " " in text else text


def _from_locale(text: str) -> Language:
    return "zh" if text.lower().startswith("zh") else "en"
