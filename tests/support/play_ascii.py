"""An ASCII recording, replayed: what was asked is answered as it was, byte for byte.

``exchanges`` are request and response, ``stream`` is what comes unasked; both are text
with control characters as manuals write them (``<CR>``, ``<STX>``, ``<99>``).
``address`` is what the site file would say. Anything asked that was not recorded fails.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from drivers.ascii import Timing, make_device
from drivers.ascii.line import AsciiLine
from drivers.byte_line import ByteLine
from tests.support.recordings import points_of

if TYPE_CHECKING:
    from drivers.profiles.document import Node
    from drivers.profiles.model import Profile
    from drivers.values import Answer

_NAMES = {"STX": 2, "ETX": 3, "CR": 13, "LF": 10, "ESC": 27}
ZONE = ZoneInfo("Asia/Shanghai")


def raw(text: str) -> bytes:
    """Bytes of a text with names of control characters."""

    def real(match: re.Match[str]) -> str:
        word = match[1]
        return chr(_NAMES[word] if word in _NAMES else int(word, 16))

    return re.sub(r"<(STX|ETX|CR|LF|ESC|[0-9A-F]{2})>", real, text).encode("latin-1")


class Replay(asyncio.Transport):
    """The far end: answers what was recorded."""

    def __init__(self, exchanges: list[tuple[bytes, bytes]]) -> None:
        super().__init__()
        self._left = list(exchanges)
        self.protocol: asyncio.Protocol | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        request, response = self._left.pop(0)
        assert bytes(data) == request, f"asked {bytes(data)!r}, recorded {request!r}"
        assert self.protocol is not None
        half = len(response) // 2
        for part in (response[:half], response[half:]):
            asyncio.get_running_loop().call_soon(self.protocol.data_received, part)

    def abort(self) -> None:
        """Nothing is held."""

    @property
    def left(self) -> int:
        """Exchanges that were recorded and not asked."""
        return len(self._left)


async def play(profile: Profile, recording: Node) -> Answer:
    """One answer to all points at once."""
    talk = recording.get("exchanges")
    exchanges = [
        (raw(each["request"]), raw(each["response"]))
        for each in (talk.plain() if talk else [])
    ]
    far = Replay(exchanges)

    def open_stream(factory: object) -> None:
        far.protocol = factory()  # type: ignore[operator]
        far.protocol.connection_made(far)

    port = AsciiLine(ByteLine("recording", open_stream))
    await port.open()
    said = recording.get("address")
    points = points_of(profile, recording)
    assert profile.dialogue is not None
    device = make_device(
        profile.profile,
        said.text if said else None,
        port,
        points,
        profile.dialogue,
        Timing(timeout_s=0.5),
        zone=ZONE,
    )
    stream = recording.get("stream")
    if stream:
        assert far.protocol is not None
        # What is joined in the middle of a message is believed from the next one on.
        far.protocol.data_received(b"\r\n" + raw(stream.text))
    answer = await device.scan([point.name for point in points])
    assert far.left == 0, answer.detail
    await port.close()
    return answer
