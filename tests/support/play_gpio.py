"""A recording of lines, replayed on a chip in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.gpio import GpioChip, GpioDevice
from tests.support.gpio_chip import FakeChip
from tests.support.recordings import points_of

if TYPE_CHECKING:
    from drivers.profiles.document import Node
    from drivers.profiles.model import Profile
    from drivers.values import Answer


async def play(profile: Profile, recording: Node) -> Answer:
    """One look before the lines change, and one after: that is the answer."""
    said = recording.plain()
    fake = FakeChip(names=said["names"], busy=said["busy"])
    levels = {int(line): levels for line, levels in said["levels"].items()}
    for line, (first, *_) in levels.items():
        fake.levels[line] = bool(first)
    port = GpioChip("/dev/gpiochip0", load=lambda: fake)
    points = points_of(profile, recording)
    device = GpioDevice(profile.profile, port, points)
    names = [point.name for point in points]
    await port.open()
    try:
        await device.scan(names)
        for line, (_, *changes) in levels.items():
            for level in changes:
                fake.set(line, level)
        return await device.scan(names)
    finally:
        await port.close()
