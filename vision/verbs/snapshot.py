"""``python -m vision snapshot``: one picture of one camera, without its model.

On standard input one JSON object: a ``Configure`` with that camera. What is private in
the picture is blacked out here as well.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import msgspec

from vision.evidence import Keeper
from vision.feed import Feed
from vision.messages import Configure
from vision.said import Trouble, say

if TYPE_CHECKING:
    from vision.frame import Frame

WAIT_S = 20.0
REFUSED_S = 3.0
"""A camera that cannot be reached, or refuses the login, need not be waited for."""


def _wait(feed: Feed) -> Frame | None:
    began = time.monotonic()
    while (waited := time.monotonic() - began) < WAIT_S:
        if (frame := feed.wait(0, 0.5)) is not None:
            return frame
        trouble = feed.fault
        if feed.ended or (
            waited >= REFUSED_S and trouble and trouble.fault in ("gone", "refused")
        ):
            return None
    return None


def main(_arguments: list[str]) -> int:
    """Wait for a frame and keep it.

    Raises:
        Trouble: None came, or it could not be written.
    """
    configure = msgspec.json.decode(sys.stdin.buffer.read(), type=Configure)
    camera = configure.cameras[0]
    feed = Feed(camera)
    frame = _wait(feed)
    if frame is None:
        trouble = feed.fault
        if trouble is None:
            raise Trouble("vision.snapshot.none", {"seconds": f"{WAIT_S:g}"})
        why = trouble.args.get("why", "")
        raise Trouble(why or f"vision.fault.{trouble.fault}", trouble.args)
    keeper = Keeper(configure.evidence, camera)
    keeper.frame(frame)
    pictures = keeper.snapshot(f"{camera.name}-asked")
    feed.close()
    if not pictures:
        raise keeper.trouble or Trouble("vision.snapshot.none", {"seconds": "0"})
    say(pictures[0])
    return 0
