"""What is said over one connection, and what the platform answers to it.

    upload --> packets, each with a QN of its own --> frame --> platform
                  ^ the next packet once this one is answered (9014; notices 9013)
                  | no answer in OverTime: again, the same bytes, ReCount times
                  + none at all: the platform cannot be talked to; the connection ends

Uploads of different commands do not wait for each other. Those of one command do: the
packets of two minutes in turn could not be told apart.

Source: HJ 212-2017, 6.1, 6.5, C.47 to C.50.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from drivers.hj212 import commands
from drivers.hj212.build import encode, flag, leading, split
from drivers.hj212.frame import pack
from drivers.hj212.segment import Segment
from gateway.texts import t
from gateway.uplink.hj212.desk import Counts
from gateway.uplink.link import CredentialsError, LinkLostError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.config.model import Hj212Target
    from gateway.uplink.hj212.civil import Numbers
    from gateway.uplink.hj212.connection import Connection
    from gateway.uplink.hj212.seams import Sealer, Settings, Upload

log = logging.getLogger(__name__)

HAS_RF = 2025
EXECUTES, CRC_ERROR = "1", "9"
BLAMES_US = frozenset("345")
"""QnRtn of a wrong PW, MN or ST: whatever we send is refused."""
_REQUEST_ANSWER = 9011
_NAMED = frozenset(("2", "3", "4", "5", "6", "7", "8", "100"))


class _Question(NamedTuple):
    cn: int
    mn: str
    answer: asyncio.Future[Segment]


class SilentError(LinkLostError):
    """A frame got no answer, however often it was sent."""

    def __init__(self, message: str, upload: Upload) -> None:
        super().__init__(message)
        self.upload = upload


class Exchange:
    """Of one connection."""

    def __init__(
        self,
        target: Hj212Target,
        settings: Settings,
        connection: Connection,
        numbers: Numbers,
        sealer: Sealer | None = None,
        counts: Counts | None = None,
        answered: Callable[[], None] = lambda: None,
    ) -> None:
        """Speak for a target.

        Args:
            target: What the site file says.
            settings: What the platform may have changed.
            connection: It is written to, never read.
            numbers: Gives QNs.
            sealer: Encrypts; None: nothing is.
            counts: Of the target, over all its connections.
            answered: Called with each answer of a platform that knows us.
        """
        self._target = target
        self._settings = settings
        self._connection = connection
        self._numbers = numbers
        self._sealer = sealer
        self._waiting: dict[str, _Question] = {}
        self._turns: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._counts = counts or Counts()
        self._answered = answered
        self.answers = 0
        """Answers to ours."""
        self.heard_s = float("-inf")
        """When the platform last said anything that can be read, loop time."""

    @property
    def handed(self) -> int:
        """Bytes handed to the connection."""
        return self._connection.handed

    @property
    def confirmed(self) -> int:
        """Of them, those that the platform's machine has; nobody says who read them."""
        return self._connection.confirmed

    async def upload(self, upload: Upload) -> Segment | None:
        """Say something and have it confirmed, if it asks for that.

        Returns:
            The answer to its last packet: all were answered. None: it asked for no
            answer, and nobody knows more than that its bytes were handed over.

        Raises:
            SilentError: It asked, and was not answered.
            RefusedError: The platform says no to it.
            LinkLostError: The connection is gone.
            ValueError: It cannot be said in the standard's form.
        """
        answer: Segment | None = None
        async with self._turns[upload.cn]:
            for packet in self._packets(self._dressed(upload)):
                answer = await self._say(packet, upload)
        return answer

    async def attempt(self, upload: Upload) -> Segment | None:
        """Say what no record stands behind; that it gets no answer ends nothing.

        Returns:
            The answer; None: there is none, whatever the cause.

        Raises:
            SilentError: It was not answered, and nothing else was heard either.
            CredentialsError: The platform does not want whatever we say.
            LinkLostError: The connection is gone.
        """
        began_s = asyncio.get_running_loop().time()
        try:
            return await self.upload(upload)
        except SilentError:
            if self.heard_s < began_s:
                raise
        except RefusedError as exc:
            if not exc.blames_message:
                raise CredentialsError(exc.reason) from exc
        except ValueError as exc:
            log.warning("%s", t("uplink.hj212.unsayable", cn=upload.cn, error=exc))
        self._counts.unanswered += 1
        return None

    async def say(self, segment: Segment) -> None:
        """Say what needs no answer, as it stands.

        Raises:
            LinkLostError: The connection is gone.
            ValueError: It cannot be said in the standard's form.
        """
        await self._write(self._framed(segment))

    def heard(self, segment: Segment) -> bool:
        """Take what came; False: it is no answer to anything of ours."""
        self.heard_s = asyncio.get_running_loop().time()
        question = self._waiting.get(segment.qn or "")
        if question is None or not _answers(segment, question):
            if segment.qn:
                self._numbers.taken(segment.qn)
            return False
        self.answers += 1
        if not _blames_us(segment):
            self._answered()
        if not question.answer.done():
            question.answer.set_result(segment)
        return True

    # ------------------------------------------------------------------------

    def _dressed(self, upload: Upload) -> Segment:
        target, settings = self._target, self._settings
        answer = target.answer if upload.answer is None else upload.answer
        return Segment(
            qn=upload.qn or self._numbers.next(),
            st=upload.st or target.st,
            cn=upload.cn,
            pw=settings.password,
            mn=settings.mn,
            flag=flag(target.version, answer=answer),
            rf=upload.rf and target.version >= HAS_RF,
            items=upload.items,
        )

    def _packets(self, whole: Segment) -> list[Segment]:
        """Its packets; what is too much for one message is said in several.

        2025 has one digit for the number of packets. A platform puts values together
        by DataTime, which each message has.

        Raises:
            ValueError: An item is too long for any packet.
        """
        try:
            return split(whole, self._numbers.next)
        except ValueError:
            common = leading(whole.items)
            rest = whole.items[len(common) :]
            if len(rest) < 2:  # noqa: PLR2004 - it cannot be halved
                raise
            half = len(rest) // 2
            first = replace(whole, items=(*common, *rest[:half]))
            last = replace(
                whole, items=(*common, *rest[half:]), qn=self._numbers.next()
            )
            return [*self._packets(first), *self._packets(last)]

    def _framed(self, segment: Segment) -> bytes:
        data = encode(segment)
        return pack(data, self._sealer.seal(data) if self._sealer else None)

    async def _write(self, frame: bytes) -> None:
        self._counts.frames += 1
        await self._connection.write(frame)

    async def _say(self, packet: Segment, upload: Upload) -> Segment | None:
        """One packet, again and again until it is answered; None: it asked for none."""
        frame = self._framed(packet)
        if not packet.wants_answer:
            await self._write(frame)
            return None
        qn, loop = packet.qn or "", asyncio.get_running_loop()
        left = self._settings.recount
        try:
            while True:
                question = _Question(upload.cn, packet.mn, loop.create_future())
                self._waiting[qn] = question
                await self._write(frame)
                await asyncio.wait({question.answer}, timeout=self._settings.overtime_s)
                if question.answer.done() and _confirms(
                    answer := question.answer.result()
                ):
                    return answer
                if left <= 0:
                    raise self._silent(upload)
                left -= 1
                self._counts.repeats += 1
        finally:
            self._waiting.pop(qn, None)

    def _silent(self, upload: Upload) -> SilentError:
        overtime, recount = self._settings.overtime_s, self._settings.recount
        return SilentError(
            t(
                "uplink.hj212.silent",
                cn=upload.cn,
                times=recount + 1,
                seconds=f"{overtime:g}",
            ),
            upload,
        )


def _answers(segment: Segment, question: _Question) -> bool:
    """Whether this can be the answer to a command of ours.

    Data is confirmed by 9014 only. Some platforms confirm notices with 9014 as well.
    One that names another MN is another's: two loggers may well have the same QN.
    """
    if segment.mn and segment.mn.upper() != question.mn.upper():
        return False
    if segment.cn == commands.NOTICE_ANSWER:
        return question.cn not in commands.UPLOADS
    return segment.cn in (commands.DATA_ANSWER, _REQUEST_ANSWER)


def _blames_us(answer: Segment) -> bool:
    return answer.cn == _REQUEST_ANSWER and (answer.get("QnRtn") or "") in BLAMES_US


def _confirms(answer: Segment) -> bool:
    """False: what it answers was damaged on its way.

    Raises:
        RefusedError: The platform says no.
    """
    if answer.cn != _REQUEST_ANSWER:
        return True
    code = answer.get("QnRtn") or "100"
    if code in (EXECUTES, CRC_ERROR):
        return False
    said = t(f"uplink.hj212.qn_rtn.{code if code in _NAMED else 'other'}", code=code)
    raise RefusedError(said, blames_message=code not in BLAMES_US)
