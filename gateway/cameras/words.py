"""What the vision process draws into pictures, in the language in force."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from gateway.texts import t
from vision.messages import LABELS

if TYPE_CHECKING:
    from vision.messages import Evidence


def with_words(evidence: Evidence) -> Evidence:
    """The same with its words; vision itself has no texts."""
    words: dict[str, str] = {label: t(f"vision.label.{label}") for label in LABELS}
    for name in ("peak", "bearing", "night"):
        words[name] = t(f"vision.picture.{name}")
    return msgspec.structs.replace(evidence, words=words)
