"""What answers one question of one device: compiled once, asked of every message."""

from __future__ import annotations

from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, Final, NamedTuple

from drivers.ascii.checks import covered
from drivers.ascii.cut import Fields, cut, split
from drivers.ascii.reading import split_number
from drivers.ascii.record_time import sampled_ms
from drivers.ascii.sending import fill
from drivers.profiles.dialogue import Columns, Groups, Pairs, Pattern, Positions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drivers.ascii.framing import Message
    from drivers.profiles.dialogue import Ask, Dialogue, Frame

_TEXT: Final = frozenset((*range(0x20, 0x80), ord("\t")))
_UNPRINTABLE: Final = bytes(byte for byte in range(256) if byte not in _TEXT)
_MOST_COLUMNS: Final = 256


class Answered(NamedTuple):
    """A message that answers."""

    fields: Fields
    body: bytes
    sampled: int | None
    """When the instrument took it, UTC ms by its own clock."""


class Refused(NamedTuple):
    """A message that says the question cannot be answered."""

    reason: str
    body: bytes


class Expect:
    """Tells the answer to one ask of one device from everything else."""

    def __init__(
        self,
        dialogue: Dialogue,
        ask: Ask,
        address: str | None,
        wanted: Iterable[str] = (),
        zone: tzinfo = UTC,
    ) -> None:
        """Compile.

        Args:
            dialogue: The device's.
            ask: One of its asks.
            address: What the device is called on its line.
            wanted: Fields that are read: a line that names them all is a header, one
                of keys that has none of them is another message.
            zone: Of the instrument's clock, where its profile does not say.

        Raises:
            ProfileError: The ask needs an address.
        """
        self.ask = ask
        self.frame: Frame = ask.frame
        self._address = address
        self._zone = zone
        self._starts = fill(ask.starts, address).decode("latin-1")
        self._any_case = dialogue.any_case
        # Where places count, a blank in front is one.
        blanks = "" if isinstance(ask.cut, Positions) else " \t"
        self._front = dialogue.prompts + blanks
        self.prompts = self._front.encode("latin-1")
        """What may stand before an answer and is no part of one."""
        self._errors = tuple(
            (text.lower(), reason) for text, reason in dialogue.errors.items()
        )
        self._wanted = frozenset(wanted)
        self._header: tuple[str, ...] | None = None
        literal = isinstance(ask.cut, Pattern) and ask.cut.parts[0][0] == "lit"
        self._sure = bool(
            self._starts or literal or ask.frame.start or ask.check.kind != "none"
        )
        """Whether a message without its front could not be taken for one."""
        self.face = (ask.frame, ask.check, self._starts, ask.cut, address)
        """Two that look the same cannot be told apart by what they expect."""
        if "address" not in str(ask.cut):
            self.face = (*self.face[:4], None)

    def asked(self) -> None:
        """The question leaves: names of columns hold within one answer only."""
        self._header = None

    def accepts(self, message: Message) -> bool:
        """Whether this message could be the answer."""
        return isinstance(self.judge(message), Answered)

    def judge(self, message: Message) -> Answered | Refused | None:
        """What the message is to this question; None: nothing.

        A message whose check does not hold, with bytes that are no text, or of another
        form is nothing, however much of it could be read.
        """
        if message.torn and not self._sure:
            return None
        body = covered(self.ask.check, message.framed)
        if body is None or len(body) != len(body.translate(None, _UNPRINTABLE)):
            return None
        text = body.decode("latin-1")
        text = text.lstrip(self._front) if self._front else text
        shape = text.lower()
        for wording, reason in self._errors:
            if wording in shape:
                return Refused(reason, message.body)
        starts = self._starts.lower() if self._any_case else self._starts
        if not (shape if self._any_case else text).startswith(starts):
            return None
        return self._cut(text[len(starts) :], message)

    def _cut(self, text: str, message: Message) -> Answered | None:
        way = self.ask.cut
        if isinstance(way, Columns) and way.header and self._is_header(way, text):
            return None
        fields = cut(
            way,
            text,
            self._address,
            any_case=self._any_case,
            header=self._header,
        )
        if fields is None or (
            isinstance(way, Pairs | Groups) and self._wanted.isdisjoint(fields)
        ):
            return None  # keys of another message
        sampled = None
        if self.ask.time is not None:
            sampled = sampled_ms(self.ask.time, way, fields, self._zone)
            if sampled is None:
                return None
        return Answered(fields, message.body, sampled)

    def _is_header(self, way: Columns, text: str) -> bool:
        """Whether the line names the columns; they are kept then.

        Names of other columns, or in another unit, end what the ones before said.
        """
        names = split(way.separator, text, _MOST_COLUMNS)
        while names and not names[-1]:
            names.pop()
        if self._wanted and self._wanted <= set(names):
            self._header = tuple(names)
            return True
        if len(names) > 1 and not any(split_number(name) for name in names):
            self._header = None
        return False
