"""A tiny HJ 212 device for the platform's own tests: says what a test tells it to.

Its frames are built here by hand; it shares no code with the platform's codec.
"""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta

MN = "010000A8900016F000169DC0"


def crc(data):
    register = 0xFFFF
    for byte in data:
        register = (register >> 8) ^ byte
        for _ in range(8):
            register = (register >> 1) ^ 0xA001 if register & 1 else register >> 1
    return b"%04X" % register


def wrap(segment):
    data = segment.encode() if isinstance(segment, str) else segment
    return b"##%04d%b%b\r\n" % (len(data), data, crc(data))


class Device:
    """Connects, speaks, and answers requests by the table ``answers``."""

    def __init__(self, *, version=2017, mn=MN, st="31", pw="123456"):
        self.base = {2017: 4, 2025: 8}[version]
        self.mn, self.st, self.pw = mn, st, pw
        self.heard = []
        """(QN, CN, segment) of everything that came."""
        self.answers = {}
        """CN -> what to send: function of (qn, cp) -> list of frames."""
        self.answer_all = True
        self.transport = None
        self._number = 0
        self._kept = b""
        self.arrived = asyncio.Event()

    async def call(self, host, port):
        loop = asyncio.get_running_loop()
        self.transport, _ = await loop.create_connection(lambda: self, host, port)
        return self

    # asyncio.Protocol by its methods
    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, exc):
        self.transport = None
        self.arrived.set()

    def eof_received(self):
        return False

    def pause_writing(self):
        pass

    def resume_writing(self):
        pass

    def data_received(self, data):
        self._kept += data
        while match := re.search(rb"##(\d{4})", self._kept):
            start, end = match.start(), match.end() + int(match[1])
            if len(self._kept) < end + 6:
                break
            segment, check = self._kept[match.end() : end], self._kept[end : end + 4]
            self._kept = self._kept[end + 6 :]
            del start
            if crc(segment) == check:
                self._frame(segment.decode())
        self.arrived.set()

    def _frame(self, segment):
        qn = re.search(r"QN=(\d{17})", segment)[1]
        cn = int(re.search(r"CN=(\d+)", segment)[1])
        cp = re.search(r"CP=&&(.*)&&", segment)[1]
        self.heard.append((qn, cn, segment))
        if cn in self.answers:
            for frame in self.answers[cn](qn, cp):
                self.transport.write(frame)

    def hung_up(self):
        return self.transport is None

    def codes(self):
        return [cn for _, cn, _ in self.heard]

    # what it says

    def frame(self, cn, cp, *, qn=None, st=None, flag=None, pw=None, more=""):
        qn = qn or self.qn()
        flag = self.base | 1 if flag is None else flag
        return wrap(
            f"QN={qn};ST={st or self.st};CN={cn};PW={pw or self.pw};MN={self.mn};"
            f"Flag={flag};{more}CP=&&{cp}&&"
        )

    def qn(self):
        """Of the virtual clock's day, one second apart from each other."""
        self._number += 1
        at = datetime(2026, 1, 1, 8, 0, 0, tzinfo=UTC) + timedelta(seconds=self._number)
        return at.strftime("%Y%m%d%H%M%S") + "000"

    def say(self, cn, cp, **more):
        self.transport.write(self.frame(cn, cp, **more))

    def reply(self, cn, qn, cp="", **more):
        """9011 and 9012."""
        return self.frame(cn, cp, qn=qn, st="91", flag=self.base, **more)

    def does(self, cn, cp_of=None, *, exe=1):
        """Answer a request as the standard has it."""

        def act(qn, cp):
            frames = [self.reply(9011, qn, "QnRtn=1")]
            if cp_of is not None:
                frames.append(self.frame(cn, cp_of(cp), qn=qn, flag=self.base))
            return [*frames, self.reply(9012, qn, f"ExeRtn={exe}")]

        self.answers[cn] = act

    def refuses(self, cn, code):
        self.answers[cn] = lambda qn, _: [self.reply(9011, qn, f"QnRtn={code}")]

    async def until(self, true, timeout_s=60):
        async with asyncio.timeout(timeout_s):
            while not true():
                self.arrived.clear()
                await self.arrived.wait()
