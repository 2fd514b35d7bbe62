"""PW and SM4 key of an HJ 212 target, looked at by ``check``: a form, and no pattern.

All of it is warnings: who checks may be another user, or on another machine, than the
gateway that runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.hj212.seal import SealError, is_patterned, read_key, why_not
from gateway.secrets import Secret, SecretError, read_secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drivers.profiles.reading import Section


PW_CHARACTERS = 6
"""Source: HJ 212-2017, table 3."""


def check_password(section: Section, values: Mapping[str, object]) -> None:
    """Say where PW has not the standard's length; it is never shown.

    Args:
        section: The target's.
        values: ``password_file``, ``password_env`` and ``password_credential``.
    """
    for way in ("file", "env", "credential"):
        place = values.get(f"password_{way}")
        if place is None:
            continue
        key = f"password_{way}"
        try:
            text = read_secret(Secret(key, **{way: place}))  # type: ignore[arg-type]
        except SecretError:
            continue  # told by whoever read where it is
        if len(text) != PW_CHARACTERS:
            section.wrong(key, "hj212_password_form", warning=True, found=len(text))


def check_key(section: Section, values: Mapping[str, object]) -> None:
    """Say what is wrong with the key that a section names; nothing where it has none.

    Args:
        section: The target's.
        values: ``key_file``, ``key_env`` and ``key_credential``, as they were read.
    """
    for way in ("file", "env", "credential"):
        place = values.get(f"key_{way}")
        if place is None:
            continue
        key = f"key_{way}"
        missing = why_not()
        if missing is not None:
            section.wrong(key, f"hj212_seal_{missing.cause}", warning=True)
        _look(section, key, Secret(key, **{way: place}))  # type: ignore[arg-type]


def _look(section: Section, key: str, secret: Secret) -> None:
    try:
        text = read_secret(secret)
    except SecretError:
        return  # told by whoever read where it is
    try:
        patterned = is_patterned(read_key(text))
    except SealError:
        section.wrong(key, "hj212_seal_key", warning=True, found=len(text))
        return
    if patterned:
        section.wrong(key, "hj212_key_pattern", warning=True)
