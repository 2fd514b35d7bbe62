"""A DL/T 645-2007 meter as a protocol on a line: the few requests that find it.

Address (13H) and data (11H) by full, wildcard and shortened addresses, energy, voltage,
current, power, frequency, model and error answers; written from the standard's frame
(68H, address low byte first, C, L, data + 33H, sum, 16H) and nothing else of ours.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from simulators.waveform import wave

if TYPE_CHECKING:
    from collections.abc import Callable

_WILD = 0xAA
_OFFSET = 0x33
_SHORTEST = 12
_GAP_S = 0.05
_READ, _ADDRESS = 0x11, 0x13
_NO_DATA = 0x02

_ITEMS: dict[str, tuple[str, str, int, int]] = {
    "00010000": ("active_energy", "kW.h", 4, 2),
    "02010100": ("voltage_a", "V", 2, 1),
    "02020100": ("current_a", "A", 3, 3),
    "02030000": ("active_power", "kW", 3, 4),
    "02800002": ("frequency", "Hz", 2, 2),
}
"""Identifier -> name and unit of its wave, bytes, digits behind the point."""


class Meter(asyncio.Protocol):
    """One meter.

    Args:
        address: Its twelve digits.
        delay_s: From the end of a request to its answer.
        model: What 04 00 04 0B says; none: an error answer.
        only: Identifiers it knows; None: all of this module.
        seed: Of its values.
        utc_s: When they are taken.
    """

    def __init__(
        self,
        address: str,
        *,
        delay_s: float = 0.03,
        model: str = "",
        only: frozenset[str] | None = None,
        seed: int = 1,
        utc_s: Callable[[], float] = lambda: 1.7e9,
    ) -> None:
        self.address = bytes.fromhex(address)[::-1]
        self._delay_s = delay_s
        self._model = model
        self._only = only
        self._seed, self._utc_s = seed, utc_s
        self._buffer = bytearray()
        self._heard_s = 0.0
        self._timers: set[asyncio.TimerHandle] = set()
        self._transport: Any = None
        self.asked = 0
        """Requests that were for this meter."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wired to a line."""
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Taken off it."""
        for timer in self._timers:
            timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Answer what is for us."""
        now = asyncio.get_running_loop().time()
        if now - self._heard_s > _GAP_S + 4 * self._transport.how.char_s:
            self._buffer.clear()
        self._heard_s = now
        self._buffer += data
        while (at := self._buffer.find(0x68)) >= 0:
            del self._buffer[:at]
            if len(self._buffer) < _SHORTEST:
                return
            end = _SHORTEST + self._buffer[9]
            if self._buffer[7] == 0x68 and len(self._buffer) < end:  # noqa: PLR2004
                return
            frame = bytes(self._buffer[:end])
            if self._buffer[7] != 0x68 or not _whole(frame):  # noqa: PLR2004
                del self._buffer[0]
                continue
            del self._buffer[:end]
            self._asked(frame)

    def _asked(self, frame: bytes) -> None:
        wanted = frame[1:7]
        # A shortened address has the low digits; above them all is AA.
        if any(
            theirs not in (ours, _WILD)
            for theirs, ours in zip(wanted, self.address, strict=True)
        ):
            return
        control, data = frame[8], bytes((b - _OFFSET) & 0xFF for b in frame[10:-2])
        answer = self._answer(control, data)
        if answer is None:
            return
        self.asked += 1
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._delay_s, self._send, *answer)
        self._timers = {t for t in self._timers if not t.cancelled()} | {timer}

    def _answer(self, control: int, data: bytes) -> tuple[int, bytes] | None:
        if control == _ADDRESS:
            return 0x93, self.address
        if control != _READ or len(data) < 4:  # noqa: PLR2004
            return None
        name = data[3::-1].hex()
        if self._only is None or name in self._only:
            if name in _ITEMS:
                return 0x91, data[:4] + self._item(*_ITEMS[name])
            if name == "0400040b" and self._model:
                text = self._model.encode().ljust(10, b"\0")[:10]
                return 0x91, data[:4] + text[::-1]
        return 0xD1, bytes((_NO_DATA,))

    def _item(self, name: str, unit: str, size: int, decimals: int) -> bytes:
        value = wave(self._seed, 0, name, unit, low=0.0).value(self._utc_s())
        digits = f"{round(value * 10**decimals):0{2 * size}d}"[-2 * size :]
        return bytes.fromhex(digits)[::-1]

    def _send(self, control: int, data: bytes) -> None:
        body = b"\x68%b\x68%c%c%b" % (
            self.address,
            control,
            len(data),
            bytes((b + _OFFSET) & 0xFF for b in data),
        )
        frame = b"\xfe\xfe\xfe\xfe%b%c\x16" % (body, sum(body) & 0xFF)
        self._transport.write(frame)


def _whole(frame: bytes) -> bool:
    return frame[-1] == 0x16 and sum(frame[:-2]) & 0xFF == frame[-2]  # noqa: PLR2004
