"""What was seen on a bus: every exchange with its bytes, and everything overheard.

Gathered by ``examine``, judged by ``causes``, shown beside the cause it speaks for.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from drivers.dlt645.frame import ANY_METER
from drivers.modbus.wire import crc_fits, data_bytes
from gateway.commission import frames
from gateway.commission.door import Setting
from gateway.config.model import BusProtocol

Result = Literal[
    "answer", "exception", "silence", "echo", "other_unit", "damaged", "closed"
]
What = Literal[
    "asked", "patient", "small", "spaced", "rapid", "setting", "unit", "table",
    "shifted", "count", "meter", "ascii", "other_framing",
]  # fmt: skip
_CUT_MOST = 3
_TEXT_SHARE = 0.85
_TEXT_LEAST = 8


class BusFacts(msgspec.Struct, frozen=True):
    """The bus as configured."""

    name: str
    protocol: BusProtocol
    endpoint: str
    setting: Setting | None = None
    echo: Literal["auto", "yes", "no"] = "auto"
    timeout_s: float = 0.5
    pause_s: float = 0.0
    share: float = 0.0
    """Of the line's time that polling takes, computed; above 1 it cannot work."""
    twins: tuple[str, ...] = ()
    """Other buses that say the same port."""


class Want(msgspec.Struct, frozen=True):
    """What a configured device is asked: its largest planned read."""

    device: str
    address: int | str
    function: int = 3
    start: int = 0
    count: int = 1


class Trial(msgspec.Struct, frozen=True):
    """One question and what came of it."""

    what: What
    address: int | str
    setting: str
    sent: bytes
    received: bytes
    first_ms: int | None
    wait_s: float
    closed: bool = False
    function: int = 3
    start: int = 0
    count: int = 1

    @property
    def heard(self) -> bytes:
        """What came, our own echo taken off."""
        return self.received.removeprefix(self.sent)

    @property
    def echoed(self) -> bool:
        """Whether our own request came back first."""
        return bool(self.sent) and self.received.startswith(self.sent)

    @property
    def answers(self) -> list[frames.Answer]:
        """Every complete Modbus answer that came, whatever its framing."""
        if self.what == "ascii":
            return frames.ascii_answers(self.received)
        return [*frames.rtu_answers(self.heard), *frames.tcp_answers(self.heard)]

    @property
    def right(self) -> frames.Answer | None:
        """The answer of the unit and function asked, of the right size."""
        for answer in self.answers:
            size = data_bytes(self.function, self.count)
            fits = answer.exception or len(answer.data) == size
            if (answer.unit, answer.function) == (self.address, self.function) and fits:
                return answer
        return None

    @property
    def exception(self) -> int:
        """The exception that was answered; 0: none."""
        right = self.right
        return right.exception if right is not None else 0

    @property
    def good(self) -> bool:
        """Whether registers came, or a meter answered."""
        if isinstance(self.address, str):
            told = frames.meters(self.heard)
            return self.address in told or (self.address == ANY_METER and bool(told))
        right = self.right
        return right is not None and not right.exception

    @property
    def result(self) -> Result:
        """In one word."""
        if self.good:
            return "answer"
        if self.exception:
            return "exception"
        if any(answer.unit != self.address for answer in self.answers):
            return "other_unit"
        if self.heard.strip(b"\0\xff\xfe"):
            return "damaged"
        if self.closed:
            return "closed"
        return "echo" if self.echoed else "silence"

    @property
    def cut(self) -> int:
        """How many of the answer's first bytes are missing; 0: it is not cut.

        The first bytes of a read's answer are known; put back in front of what came
        they make its checksum right.
        """
        if self.good or not self.heard or isinstance(self.address, str):
            return 0
        carried = data_bytes(self.function, self.count) & 0xFF
        head = bytes((self.address, self.function, carried))
        size = carried + 5
        for missing in range(1, _CUT_MOST + 1):
            for lost in range(0, 3):  # the byte that was cut apart, read as another
                whole = head[:missing] + self.heard[lost:]
                if len(whole) == size and crc_fits(whole):
                    return missing
        return 0


class Overheard(msgspec.Struct, frozen=True):
    """What came unasked."""

    setting: str
    seconds: float
    data: bytes
    pieces: int
    """How many times something came, with silence between."""


class Shown(msgspec.Struct, frozen=True):
    """A point's value as configured, and as other orders and the neighbour show it."""

    point: str
    value: str
    unit: str
    weight: float
    orders: dict[str, tuple[str, float]] = {}
    """Other order -> value and weight; only for values of several registers."""
    below: tuple[str, float] | None = None
    """One register lower."""


class Evidence(msgspec.Struct):
    """Everything about one bus."""

    bus: BusFacts
    wants: list[Want] = []
    subject: Want | None = None
    """The device that is in question: the first that does not answer well."""
    open_error: str = ""
    """Name of the errno, such as ``ENOENT``; ``other`` where it has none."""
    open_text: str = ""
    overheard: list[Overheard] = []
    trials: list[Trial] = []
    values: list[Shown] = []
    counters: dict[str, int] = {}
    """The running gateway's: late, foreign, collision, and so on."""

    def of(self, *what: What) -> list[Trial]:
        """The trials of these kinds."""
        return [trial for trial in self.trials if trial.what in what]


class Text(NamedTuple):
    """Readable words in a stream of bytes."""

    kind: Literal["nmea", "ascii"]
    sample: str


def text_in(data: bytes) -> Text | None:
    """Whether these bytes are text, and whether a GNSS receiver says it."""
    plain = bytes(b for b in data if 32 <= b < 127 or b in b"\r\n\t\x02\x03")  # noqa: PLR2004
    if len(data) < _TEXT_LEAST or len(plain) < _TEXT_SHARE * len(data):
        return None
    text = plain.decode("ascii")
    lines = [line.strip("\x02\x03 ") for line in text.splitlines()]
    sample = max(lines, key=len, default="")
    talkers = ("$G", "$B", "$Q")
    nmea = [i for i in lines if i.startswith(talkers) and "*" in i and "," in i]
    return Text("nmea", nmea[0]) if nmea else Text("ascii", sample)


def hexed(data: bytes, most: int = 24) -> str:
    """Bytes as people read them, long ones cut."""
    text = data[:most].hex(" ")
    return f"{text} ... ({len(data)})" if len(data) > most else text or "-"
