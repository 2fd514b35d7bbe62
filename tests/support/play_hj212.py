"""An HJ 212 recording, pushed as its instrument did: ``stream:`` of lines, in order.

``address:`` is the MN the site file would give; without it the one that speaks alone is
taken. ``flags:`` by point, and ``sampled:`` for all of them, are compared here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from drivers.hj212.device import Hj212Device
from drivers.hj212.listener import Hj212Port
from tests.support.recordings import points_of

if TYPE_CHECKING:
    from drivers.profiles.document import Node
    from drivers.profiles.model import Profile
    from drivers.values import Answer


async def play(profile: Profile, recording: Node) -> Answer:
    """The answer to the first scan; the second must find nothing that is new."""
    root = recording.plain()
    made = []

    def open_way(factory):
        made.append(factory())
        made[0].connection_made(Wire())

    port = Hj212Port("recording", open_way, answer=False)
    device = Hj212Device(
        profile.profile,
        root.get("address"),
        port,
        points_of(profile, recording),
        timeout_s=0.01,
        zone=ZoneInfo("Asia/Shanghai"),
    )
    await port.open()
    for line in root["stream"]:
        made[0].data_received(f"{line}\r\n".encode())
    names = [point.name for point in device.points]
    answer = await device.scan(names)
    again = await device.scan(names)
    await port.close()
    assert again.values == {}
    if "flags" in root:
        assert answer.flags == root["flags"]
    if "sampled" in root:
        assert set((answer.sampled or {}).values()) == {root["sampled"]}
    return answer


class Wire:
    """A transport that nobody reads."""

    def __init__(self) -> None:
        self.sent = bytearray()
        self.closing = False

    def get_extra_info(self, _name, default=None):
        return default

    def write(self, data):
        self.sent += data

    def is_closing(self):
        return self.closing

    def abort(self):
        self.closing = True
