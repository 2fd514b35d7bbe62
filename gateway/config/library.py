"""Where a site's profiles come from: its own folder first, then the installed ones.

``profiles/NAME.yaml`` beside the site file is a profile of this site. Where one that
comes with the gateway has the same name, the site's own is used, with a warning: a new
release that brings a profile of that name must change nothing that runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from drivers.profiles.document import Mark
from drivers.profiles.reading import Report
from gateway.config.files import text_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from drivers.profiles.document import Node
    from drivers.profiles.model import Profile

FOLDER = "profiles"
_SUFFIX = ".yaml"


class Library(Protocol):
    """Where profiles come from."""

    def load(self, name: str) -> Profile | None:
        """The profile of this name; None: it has mistakes, which are reported."""
        ...

    def nodes(self, name: str) -> Mapping[str, Node]:
        """Point by point, what this profile has written, for those that build on it."""
        ...

    def names(self) -> Sequence[str]:
        """All names there are."""
        ...


class SiteLibrary:
    """The profiles of one site and those that come with the gateway.

    Nothing is kept between two of these: a reload reads the files again.
    """

    def __init__(self, folder: Path, report: Report) -> None:
        """Look at nothing yet.

        Args:
            folder: The site file's.
            report: Gets what is wrong with the site's own profiles, each problem with
                the name of its file.
        """
        self._folder = folder / FOLDER
        self._report = report
        self._own: tuple[str, ...] | None = None

    def names(self) -> Sequence[str]:
        """All names there are, the site's own first."""
        from drivers.profiles.library import profile_names  # noqa: PLC0415 - not always

        own = self.own_names()
        return (*own, *(name for name in profile_names() if name not in own))

    def own_names(self) -> tuple[str, ...]:
        """The names of the site's own, sorted."""
        if self._own is None:
            self._own = tuple(self._look())
        return self._own

    def file_of(self, name: str) -> Path:
        """Where the site's own profile of this name stands."""
        return self._folder / f"{name}{_SUFFIX}"

    def load(self, name: str) -> Profile | None:
        """The profile of this name; None: it has mistakes, which are reported."""
        from drivers.profiles.library import (  # noqa: PLC0415 - not always
            load_profile,
            profile_names,
            read_profile,
        )

        if name not in self.own_names():
            return load_profile(name)
        report, profile = Report(), None
        text = text_of(self.file_of(name), report)
        if text is not None:
            profile, report.problems = read_profile(text, name)
        if name in profile_names():
            report.add(Mark(1, 1), "", "profile_shadows", warning=True, name=name)
        self._take_over(report, self.file_of(name))
        return profile

    def nodes(self, name: str) -> Mapping[str, Node]:
        """Point by point, what this profile has written; none where it is not read."""
        from drivers.profiles.bases import (  # noqa: PLC0415 - not always
            packaged_nodes,
            point_nodes,
        )

        if name not in self.own_names():
            return packaged_nodes(name)
        text = text_of(self.file_of(name), Report())  # said when it was loaded
        return point_nodes(text or "", name)

    def _look(self) -> list[str]:
        try:
            files = sorted(entry.name for entry in self._folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as exc:
            report = Report()
            report.add(Mark(0, 0), "", "unreadable", why=exc.strerror or str(exc))
            self._take_over(report, self._folder)
            return []
        return [
            name.removesuffix(_SUFFIX)
            for name in files
            if name.endswith(_SUFFIX) and not name.startswith(".")
        ]

    def _take_over(self, report: Report, file: Path) -> None:
        self._report.problems += [
            msgspec.structs.replace(problem, document=str(file))
            for problem in report.problems
        ]
