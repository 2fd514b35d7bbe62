"""Serial instruments that play the dialogue of their manual: a second writing of it.

Nothing here is shared with the gateway's ASCII driver: requests are taken apart and
answers put together from the manuals named at each class. An instrument is fed bytes
and gives replies; it opens nothing and reads no clock but the ones it is handed.
"""

from __future__ import annotations

import math
import random
from functools import reduce
from operator import xor
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LINE_MOST = 256


class Reply(NamedTuple):
    """What an instrument says to a question."""

    request: bytes
    data: bytes


class Values(Protocol):
    """Where an instrument's numbers come from."""

    def __call__(self, quantity: str) -> float:
        """The value of a quantity now, in the instrument's unit."""
        ...


class Waves:
    """Plausible values: slow waves, the same for the same seed."""

    _LEVELS = {  # noqa: RUF012 never written to
        "so2": (12.0, 8.0),
        "no": (18.0, 10.0),
        "no2": (24.0, 9.0),
        "nox": (42.0, 15.0),
        "co": (0.8, 0.4),
        "o3": (45.0, 25.0),
        "co2": (420.0, 20.0),
        "o2": (20.6, 0.2),
        "pm": (0.055, 0.03),
        "speed": (2.4, 1.8),
        "direction": (180.0, 120.0),
        "temperature": (18.0, 6.0),
        "humidity": (55.0, 20.0),
        "pressure": (1011.0, 6.0),
        "rain": (0.4, 0.3),
        "weight": (12_400.0, 8_000.0),
    }

    def __init__(
        self,
        seed: int,
        now_s: Callable[[], float],
        levels: Mapping[str, tuple[float, float]] | None = None,
    ) -> None:
        """Prepare.

        Args:
            seed: Of the phases.
            now_s: UTC seconds.
            levels: Quantity -> its middle and swing, instead of the usual ones.
        """
        self._random = random.Random(seed)
        self._now_s = now_s
        self._levels = {**self._LEVELS, **(levels or {})}
        self._phases: dict[str, float] = {}

    def __call__(self, quantity: str) -> float:
        """The wave of this quantity, now."""
        level, swing = self._levels.get(quantity, (10.0, 2.0))
        phase = self._phases.setdefault(quantity, self._random.uniform(0, 6.28))
        return level + swing * math.sin(self._now_s() / 60 + phase)


class Instrument:
    """One instrument: what it hears makes replies; some speak by themselves."""

    period_s = 0.0
    """Of what it says unasked; 0: nothing."""
    banner = b""
    """What it says when power comes on."""

    def __init__(self, values: Values) -> None:
        self.values = values
        self.invalid = False
        """The next reply has no value: the instrument's own mark stands for it."""
        self.spoil = False
        """The next check is wrong, where there is one."""

    def heard(self, data: bytes) -> list[Reply]:
        """Bytes from the line; the replies that they are answered with."""
        del data
        return []

    def says(self) -> bytes:
        """What it says unasked, each period."""
        return b""

    def beside(self) -> bytes:
        """A line that nobody asked for."""
        return b"ALARM 03 SAMPLE FLOW LOW\r\n"

    def _number(self, quantity: str, form: str, mark: str) -> str:
        if self.invalid:
            self.invalid = False
            return mark
        return format(self.values(quantity), form)

    def _checked(self, right: bytes) -> bytes:
        if not self.spoil:
            return right
        self.spoil = False
        return bytes((right[0] ^ 0x01,)) + right[1:]


class _Lines(Instrument):
    """Hears lines that end with one character."""

    _END = b"\r"

    def __init__(self, values: Values) -> None:
        super().__init__(values)
        self._heard = b""

    def heard(self, data: bytes) -> list[Reply]:
        """See ``Instrument``."""
        self._heard = (self._heard + data)[-_LINE_MOST:]
        *lines, self._heard = self._heard.split(self._END)
        return [
            Reply(line + self._END, answer)
            for line in lines
            if (answer := self._answer(line.strip(b"\n")))
        ]

    def _answer(self, line: bytes) -> bytes:
        raise NotImplementedError


class Thermo(_Lines):
    """iSeries analyzer, C-Link (42i manual, appendix B)."""

    banner = b"iSeries 01.06.08.072\r"
    _UNITS = {"co": "ppm", "co2": "ppm", "o2": "%"}  # noqa: RUF012

    def __init__(
        self, values: Values, number: int = 0, gases: tuple[str, ...] = ("so2",)
    ) -> None:
        super().__init__(values)
        self.number, self._gases = number, gases
        self.sums = False
        """Reply format 01."""

    def _answer(self, line: bytes) -> bytes:
        if line and line[0] >= 128:  # noqa: PLR2004 the id byte
            if line[0] - 128 != self.number:
                return b""
            line = line[1:]
        elif self.number:
            return b""
        word = line.decode("latin-1").lower()
        if word in self._gases:
            said = self._number(word, ".3f", "data not valid")
            text = f"{word} {said}"
            if said != "data not valid":
                text += f" {self._UNITS.get(word, 'ppb')}"
        elif word == "flags":
            text = "flags 9C040000"
        elif word == "gas mode":
            text = "gas mode sample"
        elif word == "instrument id":
            text = f"instrument id {self.number}"
        else:
            text = f"{word} bad cmd"
        if self.sums:
            total = sum(text.encode()) & 0xFFFF
            return f"{text}\nsum {total:04x}\r".encode()
        return f"{text}\r".encode()


class Teledyne(_Lines):
    """T-series analyzer (300M manual 7.5; T101 software documentation A-24)."""

    banner = b"C 001:00:00 0000 POWER UP\r\n"
    _LABELS = {"boxtemp": ("BOX TEMP", "C", "temperature")}  # noqa: RUF012

    def __init__(
        self, values: Values, number: int = 0, gases: tuple[str, ...] = ("so2",)
    ) -> None:
        super().__init__(values)
        self.number, self._gases = number, gases

    def beside(self) -> bytes:
        """A report: warnings come between replies unless quiet mode is set."""
        return b"W 194:11:29 %04d SAMPLE FLOW WARN\r\n" % self.number

    def _answer(self, line: bytes) -> bytes:
        words = line.decode("latin-1").lower().split()
        named = len(words) == 3 and words[1].isdecimal()  # noqa: PLR2004 T ID NAME
        if named and int(words.pop(1)) != self.number:
            return b""
        if len(words) != 2 or words[0] != "t":  # noqa: PLR2004
            return b""
        name = words[1]
        if name in self._gases:
            unit = "PPM" if name == "co" else "PPB"
            text = f"{name.upper()}={self._number(name, '.3f', 'XXXX')} {unit}"
        elif name in self._LABELS:
            label, unit, quantity = self._LABELS[name]
            text = f"{label}= {self._number(quantity, '.1f', 'XXXX')} {unit}"
        else:
            return b""
        return f"T 194:11:29 {self.number:04d} {text}\r\n".encode()


class Bam(Instrument):
    """BAM-1020, classic menu (operation manual rev W, 9.4)."""

    _HEAD = (
        b"Time,Conc(mg/m3),Qtot(m3),WS(MPS),WD(DEG),BP(mm),RH(%),Delta(C),AT(C),"
        b"E,U,M,I,L,R,N,F,P,D,C,T\r\n"
    )

    def __init__(self, values: Values, stamp: Callable[[], str]) -> None:
        super().__init__(values)
        self._stamp = stamp
        self._returns = 0
        self._menu = ""

    def heard(self, data: bytes) -> list[Reply]:
        """Three returns wake it; 6 is the CSV menu, 4 in it the last record."""
        replies = []
        for byte in data:
            letter = bytes((byte,))
            if letter == b"\r":
                self._returns += 1
                if self._returns == 3:  # noqa: PLR2004 as many as wake it
                    self._returns, self._menu = 0, "top"
                    replies.append(Reply(letter, b"\r\n*"))
                continue
            self._returns = 0
            if letter == b"6" and self._menu == "top":
                self._menu = "csv"
                text = (
                    b"6\r\nCSV Type Reports\r\n2 - Display All Data\r\n"
                    b"3 - Display New Data\r\n4 - Display Last Data\r\n>"
                )
                replies.append(Reply(letter, text))
            elif letter == b"4" and self._menu == "csv":
                self._menu = "top"
                replies.append(Reply(letter, self._record()))
        return replies

    def _record(self) -> bytes:
        bad, self.invalid = self.invalid, False
        conc = "0.985" if bad else f"{self.values('pm'):.3f}"
        flags = ",".join(["0"] * 5 + ["1" if bad else "0"] + ["0"] * 6)
        row = f"{self._stamp()}, {conc}, 0.834, 0.0,0,0,30,57.0,27.1,{flags},\r\n"
        return b"4\r\nStation, 5\r\n" + self._HEAD + row.encode()


class Wxt(_Lines):
    """WXT520 weather transmitter (user guide M210906EN-C, 7)."""

    _END = b"\n"
    banner = b"0TX,Start-up\r\n"

    def __init__(self, values: Values, address: str = "0", period_s: float = 0) -> None:
        super().__init__(values)
        self.address, self.period_s = address, period_s

    def says(self) -> bytes:
        """Automatic mode: the lines of polled mode, unasked."""
        return b"".join(self._line(k) + b"\r\n" for k in "123")

    def beside(self) -> bytes:
        """A text message."""
        return self.address.encode() + b"TX,Measurement reset\r\n"

    def _answer(self, line: bytes) -> bytes:
        text = line.strip(b"\r").decode("latin-1")
        if text[:1] != self.address:
            return b""
        if len(text) == 3 and text[1] == "R" and text[2] in "123":  # noqa: PLR2004
            return self._line(text[2]) + b"\r\n"
        if len(text) == 6 and text[1] == "r":  # noqa: PLR2004 three check characters
            if text[3:] != vaisala_crc(text[:3].encode()).decode():
                said = b"%stX,Use chksum " % self.address.encode()
                said += vaisala_crc(text[:3].encode())
            else:
                said = self._line(text[2]).replace(b"R", b"r", 1)
            return said + self._checked(vaisala_crc(said)) + b"\r\n"
        return self.address.encode() + b"TX,Unknown cmd error\r\n"

    def _line(self, which: str) -> bytes:
        pairs = {
            "1": (("Dm", "direction", "03.0f", "D"), ("Sm", "speed", ".1f", "M")),
            "2": (
                ("Ta", "temperature", ".1f", "C"),
                ("Ua", "humidity", ".1f", "P"),
                ("Pa", "pressure", ".1f", "H"),
            ),
            "3": (("Rc", "rain", ".2f", "M"), ("Ri", "rain", ".1f", "M")),
        }[which]
        bad, self.invalid = self.invalid, False
        told = ",".join(
            f"{key}={self.values(quantity):{form}}{'#' if bad else unit}"
            for key, quantity, form, unit in pairs
        )
        return f"{self.address}R{which},{told}".encode()


class WindSonic(Instrument):
    """WindSonic anemometer (manual 1405 PS 0019, 9.1 and 9.3)."""

    banner = (
        b"WINDSONIC (Gill Instruments Ltd)\r\n2368-110-01\r\nRS485/RS422 (CFG)\r\n"
        b"CHECKSUM ROM:E15C E15C *PASS*\r\nCHECKSUM FAC:0A42 0A42 *PASS*\r\n"
    )

    def __init__(self, values: Values, node: str = "Q", period_s: float = 1.0) -> None:
        """``period_s`` 0: polled mode."""
        super().__init__(values)
        self.node, self.period_s = node, period_s

    def heard(self, data: bytes) -> list[Reply]:
        """Its letter polls it."""
        if self.period_s:
            return []
        letter = self.node.encode()
        return [Reply(letter, self.says()) for _ in range(data.count(letter))]

    def says(self) -> bytes:
        """One line."""
        status = "04" if self.invalid else "00"
        self.invalid = False
        told = (
            f"{self.node},{self.values('direction'):03.0f},"
            f"{self.values('speed'):06.2f},M,{status},"
        ).encode()
        return b"\x02" + told + b"\x03" + self._checked(_hex_xor(told)) + b"\r\n"


class DustTrak(_Lines):
    """DustTrak II, TCP 3602: as public code reads it."""

    def _answer(self, line: bytes) -> bytes:
        if line.strip() != b"RMMEAS":
            return b""
        return f"57,{self._number('pm', '.3f', '---')},\r\n".encode()


class Yaohua(Instrument):
    """XK3190 indicator, continuous format of 12 bytes (A23p manual, page 21)."""

    def __init__(self, values: Values, period_s: float = 0.2, places: int = 1) -> None:
        super().__init__(values)
        self.period_s, self._places = period_s, places

    def says(self) -> bytes:
        """The display."""
        scaled = round(self.values("weight") * 10**self._places)
        sign = "-" if scaled < 0 else "+"
        told = f"{sign}{abs(scaled) % 1_000_000:06d}{self._places}".encode()
        return b"\x02" + told + self._checked(_hex_xor(told)) + b"\x03"


class Toledo(Instrument):
    """Continuous output with check byte (Wildcat manual, tables 6-8 to 6-11)."""

    def __init__(self, values: Values, period_s: float = 0.15) -> None:
        super().__init__(values)
        self.period_s = period_s

    def says(self) -> bytes:
        """The display, in kg with one decimal."""
        tenths = round(self.values("weight") * 10)
        a = 0b0101_0011 & 0x3F | 0x20
        b = 0x20 | 0x10 | (0x02 if tenths < 0 else 0) | (0x04 if self.invalid else 0)
        self.invalid = False
        told = bytes((2, a, b, 0x20))
        told += f"{abs(tenths) % 1_000_000:06d}000800\r".encode()
        return told + self._checked(bytes(((0x100 - sum(told) % 0x80) % 0x80,)))


def vaisala_crc(data: bytes) -> bytes:
    """CRC-16 as three characters, by division of a bit string (M210906EN, appendix)."""
    register = 0
    for byte in data:
        for bit in range(8):
            carry = (register ^ (byte >> bit)) & 1
            register >>= 1
            if carry:
                register ^= 0b1010_0000_0000_0001
    high, rest = divmod(register, 1 << 12)
    return bytes(64 + part for part in (high, *divmod(rest, 64)))


def _hex_xor(data: bytes) -> bytes:
    return f"{reduce(xor, data, 0):02X}".encode()
