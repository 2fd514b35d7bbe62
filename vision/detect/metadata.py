"""What a file's maker wrote into it: JSON as we write it, or literals of Python's."""

from __future__ import annotations

import ast
import json

LONGEST = 20_000
_NONSENSE = (ValueError, SyntaxError, MemoryError, RecursionError)


def literal(text: str) -> object:
    """What an entry says; None where it says nothing that can be read."""
    if not text or len(text) > LONGEST:
        return None
    for read in (json.loads, ast.literal_eval):
        try:
            found: object = read(text)
        except _NONSENSE:
            continue
        return found
    return None
