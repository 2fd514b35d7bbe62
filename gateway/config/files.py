"""One YAML file's text, or why it cannot be had."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.profiles.document import (
    MAX_CHARACTERS,
    DocumentError,
    Mark,
    decode_text,
)

if TYPE_CHECKING:
    from pathlib import Path

    from drivers.profiles.reading import Report


def text_of(path: Path, report: Report) -> str | None:
    """The file's text; None where that cannot be had, which has been reported."""
    try:
        if path.stat().st_size > 4 * MAX_CHARACTERS:
            report.add(Mark(1, 1), "", "yaml_too_large", limit=MAX_CHARACTERS)
            return None
        return decode_text(path.read_bytes())
    except OSError as exc:
        report.add(Mark(0, 0), "", "unreadable", why=exc.strerror or str(exc))
    except DocumentError as exc:
        report.add_document_errors([exc])
    return None
