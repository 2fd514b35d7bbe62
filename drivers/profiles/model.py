"""What a device model offers, as data: the structs behind a profile's YAML.

Addresses here are zero-based, as sent on the wire; the YAML says its notation
(``pdu:100``, ``4x:40101``) and the loader converts.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

import msgspec

from drivers.profiles.address import format_both
from drivers.profiles.dialogue import Dialogue
from drivers.profiles.fingerprint import Trait
from drivers.profiles.kinds import DeviceKind
from drivers.profiles.signs import Sign
from drivers.profiles.watches import Contact, Counter

Protocol = Literal["modbus", "dlt645", "ascii", "hj212", "gnss", "gpio"]
"""What a device speaks; a bus adds how it travels (``modbus-rtu``, ``modbus-tcp``)."""
Table = Literal["coil", "discrete", "holding", "input"]
PointType = Literal[
    "bool",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "float32",
    "float64",
    "bcd16",
    "bcd32",
    "bcd64",
    "text",
    "datetime",
]
SHAPED = frozenset({"text", "datetime"})
"""Types that are no number."""
WordOrder = Literal["ABCD", "CDAB", "BADC", "DCBA"]
Encoding = Literal["ascii", "utf-8", "gbk"]
Evidence = Literal["hardware-recorded", "manual", "code", "generic"]

REGISTERS: dict[str, int] = {
    "bool": 1,
    "int16": 1,
    "uint16": 1,
    "int32": 2,
    "uint32": 2,
    "float32": 2,
    "int64": 4,
    "uint64": 4,
    "float64": 4,
    "bcd16": 1,
    "bcd32": 2,
    "bcd64": 4,
}
"""Of those types whose size is their own; a text says how long it is, a time's layout
how many it takes."""


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One quantity a device offers, whatever it speaks.

    ``value = raw * scale + offset``, in ``unit``. Where it is found on the wire is said
    by the struct of its protocol, which has these fields too.
    """

    name: str
    scale: Fraction = Fraction(1)
    """Multiplies; exact, so that 2301 x 0.1 is 230.1 and not 230.10000000000002."""
    offset: Fraction = Fraction(0)
    unit: str = "1"
    """UCUM code."""
    decimals: int | None = None
    enum: dict[int, str] = {}
    bits: dict[int, str] = {}
    """Named bits of a status word: bit -> name; each becomes ``{point}.{name}``."""
    minimum: float | None = None
    maximum: float | None = None
    """Plausible range of the value; outside it a reading is UNCERTAIN."""
    every_s: float | None = None
    """Overrides the device's period for this point."""
    label: dict[str, str] = {}
    code: str | None = None
    """HJ 212 factor code where one exists."""
    contact: Contact | None = None
    """How it is watched, where it is a contact."""
    counter: Counter | None = None
    """How it is watched, where it only grows."""

    @property
    def where(self) -> str:
        """Where it is found, as lists for people show it."""
        return ""

    @property
    def form(self) -> str:
        """How its raw value is written on the wire, as lists for people show it."""
        return ""


class Loop(msgspec.Struct, frozen=True):
    """What a current or voltage signal stands for: ``start`` is ``low``, ``end`` high.

    With a live zero (``start`` above 0, as 4 of 4-20 mA) a signal below 0.9 times it is
    a broken wire; above 1.05 times ``end`` it is none of the transmitter's either. In
    between it is converted and never clamped, and beyond 0.95 times ``start`` or 1.025
    times ``end`` it is uncertain. For 4-20 mA these are 3.6, 3.8, 20.5 and 21 mA:
    NAMUR NE 43 keeps 3.8 to 20.5 mA for measuring, and what is below 3.6 and above
    21 mA for failures. Signals of other ranges have the same proportions.
    """

    low: Fraction
    high: Fraction
    start: Fraction = Fraction(4)
    end: Fraction = Fraction(20)


class ModbusPoint(Point, frozen=True, kw_only=True):
    """A coil, a discrete input, or one or more registers."""

    table: Table
    address: int
    """Zero-based, as sent on the wire, 0..65535."""
    type: PointType
    word_order: WordOrder = "ABCD"
    bit: int | None = None
    """For ``bool`` in a register table: which bit, 0 = least significant."""
    not_available: tuple[int, ...] = ()
    """Raw codes (unsigned, after word order) that mean "no value": BAD."""
    writable: bool = False
    write_min: float | None = None
    write_max: float | None = None
    length: int = 0
    """Registers of a text or a time; else 0."""
    layout: str = ""
    """How a text or a time stands in them: see ``layouts``."""
    encoding: Encoding = "ascii"
    """Of a text."""
    loop: Loop | None = None
    """What the signal that ``raw * scale + offset`` gives (mA, V) stands for; the
    value and its unit are then those of the measured quantity."""

    @property
    def registers(self) -> int:
        """Registers (or bits, in a bit table) that the point occupies."""
        return self.length or REGISTERS[self.type]

    @property
    def where(self) -> str:
        """Its address in both notations."""
        return format_both(self.address, self.table)

    @property
    def form(self) -> str:
        """Its type, and the order of words where that is not the usual one."""
        layout = f" {self.layout}" if self.layout else ""
        plain = self.registers == 1 or self.word_order == "ABCD"
        return self.type + layout + ("" if plain else f" {self.word_order}")


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """A device model and its points."""

    profile: str
    revision: int = 1
    maker: str
    models: tuple[str, ...]
    protocol: Protocol = "modbus"
    kind: DeviceKind = "any"
    """What it is for: the group it stands in where profiles are listed."""
    evidence: Evidence
    source: str
    notes: str = ""
    """Traps and open questions for whoever installs the device, in English."""
    notes_zh: str = ""
    """The same in Chinese."""
    baud: int | None = None
    framing: str | None = None
    timeout_s: float | None = None
    pause_s: float = 0.0
    """Quiet time the device wants between an answer and the next request."""
    max_reply_s: float | None = None
    """Longest reply time the maker states: a lower bound for a ghost's life."""
    max_registers: int = 125
    ambiguous: bool = False
    """Offers one request size only: the first answer after a time-out is dropped."""
    transaction_id: Literal["checked", "ignored"] = "checked"
    """Modbus TCP: ``ignored`` for gateways that never echo the number."""
    datum: Literal["WGS-84", "CGCS2000"] = "WGS-84"
    """GNSS: what positions refer to; never GCJ-02."""
    dialogue: Dialogue | None = None
    """ASCII: what is sent, and how the answer is framed, checked and cut."""
    edition: Literal["2007", "1997"] = "2007"
    """DL/T 645: the edition of the standard that its identifiers belong to."""
    template: tuple[str, ...] = ()
    """Quantities that such a device offers at addresses nobody can say beforehand."""
    fingerprint: tuple[Trait, ...] = ()
    """What tells it from others when a bus is searched."""
    holes: Literal["served", "refused"] = "served"
    """Modbus: ``refused`` where no request may touch a register that is no point's."""
    states: tuple[Sign, ...] = ()
    """How it shows that it does not measure as usual; the first that fits is it."""
    points: tuple[Point, ...]
