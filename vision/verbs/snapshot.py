"""``python -m vision snapshot``: one picture of one camera, without its model.

On standard input one JSON object: a ``Configure`` with that camera. What is private in
the picture is blacked out here as well.
"""

from __future__ import annotations

import sys

import msgspec

from vision.evidence import Keeper
from vision.feed import Feed
from vision.messages import Configure
from vision.said import Trouble, say

WAIT_S = 20.0


def main(_arguments: list[str]) -> int:
    """Wait for a frame and keep it.

    Raises:
        Trouble: None came, or it could not be written.
    """
    configure = msgspec.json.decode(sys.stdin.buffer.read(), type=Configure)
    camera = configure.cameras[0]
    feed = Feed(camera)
    frame = feed.wait(0, WAIT_S)
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
        raise Trouble("vision.snapshot.unwritten", {"error": keeper.trouble or "?"})
    say(pictures[0])
    return 0
