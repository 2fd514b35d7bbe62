"""A receiver's recording, replayed: the port hears the bytes, the device is asked once.

``log:`` names a log beside the recordings (its first lines of comment are no output of
the receiver), ``bytes:`` how much of it; ``stream:`` is text that stands here instead.
Every line of a stream ends in CR LF. ``gpsd: true``: the other end is gpsd.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from drivers.gnss import GnssDevice, GnssPort
from tests.support.recordings import RECORDINGS, points_of

if TYPE_CHECKING:
    from drivers.profiles.document import Node
    from drivers.profiles.model import Profile
    from drivers.values import Answer


class _Silence(asyncio.Transport):
    """A line on which nothing is said to the receiver but what gpsd wants to hear."""

    def write(self, data: Any) -> None:
        assert data.startswith(b"?WATCH=")

    def abort(self) -> None:
        pass


async def play(profile: Profile, recording: Node) -> Answer:
    """One answer, from the last epoch of the recording."""
    streams: list[asyncio.Protocol] = []

    def opened(factory: Any) -> asyncio.Transport:
        streams.append(factory())
        transport = _Silence()
        streams[-1].connection_made(transport)
        return transport

    said = recording.get("gpsd")
    port = GnssPort("recorded", opened, gpsd=bool(said and said.value))
    points: Any = points_of(profile, recording)
    device = GnssDevice(
        profile.profile, port, points, timeout_s=2.0, datum=profile.datum
    )
    await port.open()
    try:
        data = _bytes(recording)
        for start in range(0, len(data), 64):
            streams[0].data_received(data[start : start + 64])
        await port.wait(0.12)  # the silence that ends the last epoch
        return await device.scan([point.name for point in points])
    finally:
        await port.close()


def payload(log: str) -> bytes:
    """What the receiver of a log sent."""
    data = (RECORDINGS / log).read_bytes()
    while data.startswith(b"#"):
        data = data[data.index(b"\n") + 1 :]
    return data


def _bytes(recording: Node) -> bytes:
    log = recording.get("log")
    if log is not None:
        size = recording.get("bytes")
        return payload(log.value)[: size.value if size else None]
    lines = recording.get("stream").value.split()
    return b"".join(line.encode("ascii") + b"\r\n" for line in lines)
