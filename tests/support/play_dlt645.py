"""A DL/T 645 recording, replayed: a line that answers the recorded questions.

``exchanges:`` hold whole frames; questions are known by address, function and data,
whatever stands before them. A question that was not recorded gets the meter's error
answer "no such data", so that a meter without blocks is one whose blocks were never
recorded. Sums are checked here and not by the driver.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from drivers.byte_line import ByteLine
from drivers.dlt645 import Dlt645Device, Dlt645Line, Timing
from tests.support.recordings import points_of

if TYPE_CHECKING:
    from drivers.profiles.document import Node
    from drivers.profiles.model import Profile
    from drivers.values import Answer


async def play(profile: Profile, recording: Node) -> Answer:
    """One answer of the meter that was recorded."""
    root = recording.plain()
    known = {}
    for exchange in root["exchanges"]:
        asked, answer = (
            bytes.fromhex(exchange[key]).lstrip(b"\xfe")
            for key in ("request", "response")
        )
        for frame in (asked, answer):
            assert frame[0] == frame[7] == 0x68, frame.hex(" ")
            assert len(frame) == 12 + frame[9], frame.hex(" ")
            assert sum(frame[:-2]) & 0xFF == frame[-2], f"{frame.hex(' ')}: sum"
            assert frame[-1] == 0x16
        known[asked] = bytes.fromhex(exchange["response"])
    wire = ByteLine("recording", lambda factory: _Recorded(factory(), known))
    line = Dlt645Line(wire)
    await line.open()
    try:
        points = points_of(profile, recording)
        device = Dlt645Device(
            profile.profile, root["address"], line, points, Timing(timeout_s=0.2)
        )
        return await device.scan([point.name for point in points])
    finally:
        await line.close()


class _Recorded(asyncio.Transport):
    """The other end of the line."""

    def __init__(self, protocol: asyncio.Protocol, known: dict[bytes, bytes]) -> None:
        super().__init__()
        self._protocol, self._known = protocol, known
        protocol.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        asked = bytes(data).lstrip(b"\xfe")
        answer = self._known.get(asked)
        if answer is None:
            body = asked[:8] + bytes((asked[8] | 0xC0, 1, 0x35))
            answer = body + bytes((sum(body) & 0xFF, 0x16))
        asyncio.get_running_loop().call_soon(self._protocol.data_received, answer)

    def abort(self) -> None:
        """Nothing is held."""
