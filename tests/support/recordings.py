"""What an instrument once said: tests/recordings/<profile>.yaml, for every protocol.

A recording says where its bytes come from (``device``, ``firmware``, ``taken``, ``by``;
``none`` where no device was recorded), then the talk as its protocol likes it
(``exchanges:`` of request and response, or ``stream:`` of what is pushed), then
``expected:`` values and ``flaws:`` as ``{point: [quality, reason]}``; where the
instrument has its own, also ``flags:`` and ``sampled:`` (for each point, or one time
for all). ``points:`` are what a site file would add.

``tests/support/play_<protocol>.py`` turns one into an answer::

    async def play(profile: Profile, recording: Node) -> Answer
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.profiles.document import load_document
from drivers.profiles.points import points_from_list
from drivers.profiles.reading import Report
from drivers.values import Flaw, Quality

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drivers.profiles.document import Node
    from drivers.profiles.model import Point, Profile
    from drivers.values import Answer

RECORDINGS = Path(__file__).parents[1] / "recordings"


def recording_names() -> list[str]:
    """The profiles that have one, sorted."""
    return sorted(path.stem for path in RECORDINGS.glob("*.yaml"))


def recording(name: str) -> Node:
    """The recording of this profile; ``.plain()`` is its bare dict."""
    text = (RECORDINGS / f"{name}.yaml").read_text(encoding="utf-8")
    return load_document(text, name)


def points_of(profile: Profile, root: Node) -> list[Point]:
    """The profile's points and those the recording adds as a site file would."""
    added = root.get("points")
    report = Report()
    nodes = added.value if added else []
    own = points_from_list(report, nodes, "points", profile.protocol)
    assert report.problems == []
    return [*profile.points, *(point for point, _ in own)]


def expected_flaws(root: Node) -> Mapping[str, Flaw]:
    """What the recording says is not GOOD."""
    said = root.get("flaws")
    return {
        key: Flaw(Quality(quality), reason)
        for key, (quality, reason) in (said.plain() if said else {}).items()
    }


async def play(profile: Profile, root: Node) -> Answer:
    """What the driver of the profile's protocol makes of the recording."""
    player = import_module(f"tests.support.play_{profile.protocol}")
    answer: Answer = await player.play(profile, root)
    return answer
