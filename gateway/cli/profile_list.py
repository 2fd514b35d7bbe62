"""The list of profiles: grouped by what a device is for, narrowed by words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.profiles.kinds import KINDS_OF_DEVICE, NAMES
from drivers.profiles.library import quantities
from gateway.cli.output import paint, table
from gateway.texts import language, t

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from drivers.profiles.model import Profile

_HEADS = ("name", "maker", "models", "protocol", "points", "evidence")


def matching(profiles: Iterable[Profile], words: Sequence[str]) -> list[Profile]:
    """Those that every word is found in, in the order of the list.

    A word is looked for in a profile's name, maker and models, in what it is for and
    speaks, and in names, labels and factor codes of what it offers; in either language.
    """
    wanted = [word.casefold() for word in words]
    found = [
        profile
        for profile in profiles
        if not wanted or _holds(list(_texts(profile)), wanted)
    ]
    return sorted(
        found, key=lambda p: (KINDS_OF_DEVICE.index(p.kind), p.evidence == "generic")
    )


def listing(profiles: Sequence[Profile], columns: int | None) -> str:
    """The table, a heading before each group.

    Args:
        profiles: As ``matching`` orders them.
        columns: The room there is; None for as much as it takes.
    """
    rows = [
        (
            p.profile,
            p.maker,
            ", ".join(p.models),
            p.protocol,
            f"({len(p.template)})" if p.template else str(len(p.points)),
            t(f"profile.evidence.{p.evidence}"),
        )
        for p in profiles
    ]
    heads = [t(f"profile.column.{head}") for head in _HEADS]
    text = table(heads, rows, right=(4,), cut=(2, 1), columns=columns)
    head, *lines = text.split("\n")
    shown = [head]
    kind = None
    for profile, line in zip(profiles, lines, strict=True):
        if profile.kind != kind:
            kind = profile.kind
            name = NAMES[kind]["zh" if language() == "zh" else "en"]
            shown += ["", paint(name, "bold")]
        shown.append(line)
    return "\n".join(shown)


def _holds(texts: Sequence[str], wanted: Iterable[str]) -> bool:
    return all(any(word in text for text in texts) for word in wanted)


def _texts(profile: Profile) -> Iterator[str]:
    own = (profile.profile, profile.maker, *profile.models, profile.protocol)
    for text in (*own, profile.kind, *NAMES[profile.kind].values()):
        yield text.casefold()
    for point in profile.points:
        for text in (point.name, *point.label.values(), point.code or ""):
            yield text.casefold()
    for name in profile.template:
        quantity = quantities()[name]
        for text in (name, quantity.zh, quantity.en, quantity.code or ""):
            yield text.casefold()
