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


class Model(Device):
    """Answers every command as the standard has it; real-time values every so often.

    ``sins`` names what it does wrong: a command's number, or a word of ``_check``.
    """

    def __init__(self, *, now, sins=(), **more):
        super().__init__(**more)
        self.sins = set(sins)
        self._now = now
        self.old = None
        self.settings = {"RtdInterval": "30", "MinInterval": "1"}
        self.sending = True
        self.history = {}
        self._timer = None

    def qn(self):
        self._number += 1
        return self._stamp() + f"{self._number % 1000:03d}"

    def _stamp(self):
        at = datetime.fromtimestamp(self._now() + 8 * 3600, UTC)
        return at.strftime("%Y%m%d%H%M%S")

    def start(self):
        """Speak at once, then every RtdInterval."""
        if self.transport is None:
            return
        if self.sending or "2012" in self.sins:
            self.say(2011, f"DataTime={self._stamp()};a21026-Rtd=1.0,a21026-Flag=N")
        wait = int(self.settings["RtdInterval"])
        self._timer = asyncio.get_running_loop().call_later(wait, self.start)

    def stop(self):
        if self._timer is not None:
            self._timer.cancel()
        if self.transport is not None:
            self.transport.close()

    def keep(self, cn, label):
        cp = f"DataTime={label};a21026-Avg=1.0,a21026-Flag=N"
        self.history.setdefault(cn, {})[label] = cp
        self.say(cn, cp)

    def _frame(self, segment):
        fields = dict(re.findall(r"(\w+)=([^;]*)", segment.partition("CP=")[0]))
        cp = re.search(r"CP=&&(.*)&&", segment)[1]
        qn, cn = fields["QN"], int(fields["CN"])
        self.heard.append((qn, cn, segment))
        if cn in {9013, 9014}:
            return
        wrong = self._check(fields)
        if wrong:
            frames = [self.reply(9011, qn, f"QnRtn={wrong}")]
        elif cn in {2012, 2022}:
            self.sending = self.sending and cn != 2012
            frames = [self.reply(9013, qn)]
        elif str(cn) in self.sins and cn != 2012:
            frames = [
                self.reply(9011, qn, "QnRtn=1"),
                self.reply(9012, qn, "ExeRtn=2"),
            ]
        else:
            frames = self._execute(cn, qn, cp)
        for frame in frames:
            self.transport.write(frame)

    def _check(self, fields):
        if fields["PW"] != self.pw and "pw" not in self.sins:
            return 3
        if fields["MN"] != self.mn and "mn" not in self.sins:
            return 4
        if fields["ST"] != self.st and "st" not in self.sins:
            return 5
        known = {1000, 1011, 1012, 1061, 1062, 1063, 1064, 1072, 2011, 2012, 2021}
        known |= {2022, 2031, 2041, 2051, 2061, *range(3011, 3022)}
        known |= {3022, 3024} if self.base == 8 else set()
        if int(fields["CN"]) not in known and "cn" not in self.sins:
            return 8
        return 2 if int(fields["CN"]) in {2021, 3013} else 0

    def _execute(self, cn, qn, cp):
        told = dict(pair.partition("=")[::2] for pair in cp.split(";"))
        said, exe = [], 1
        pw = self.pw
        match cn:
            case 1061 | 1063:
                name = {1061: "RtdInterval", 1063: "MinInterval"}[cn]
                said = [f"{name}={self.settings[name]}"]
            case 1062 | 1064 if "settings" not in self.sins:
                self.settings |= told
            case 1072:
                pw = told["NewPW"]
            case 2011:
                self.sending = "2011 stays off" not in self.sins
            case 2031 | 2041 | 2051 | 2061:
                said, exe = self._pull(cn, told)
            case _:
                said = self._values(cn, told.get("PolId"))
        frames = [self.reply(9011, qn, "QnRtn=1")]
        history = cn in {2031, 2041, 2051, 2061}
        for one in said:
            its = self.qn() if history else qn
            frames.append(self.frame(cn, one, qn=its, flag=self.base | history))
        frames.append(self.reply(9012, qn, f"ExeRtn={exe}"))
        if "pw stays" not in self.sins:
            self.pw = pw
        return frames

    def _values(self, cn, polid):
        time = "20010101000000" if "clock" in self.sins else self._stamp()
        values = {
            1011: f"SystemTime={time}",
            3015: "VaseNo=1",
            3017: f"PolId={polid};CstartTime=000000;Ctime=2",
            3018: f"PolId={polid};Stime=30",
            3019: f"PolId={polid};{polid}-SN=010000A8900016F000169DC0",
            3020: f"DataTime={self._stamp()};PolId={polid};i13001-Info=100.0",
        }
        return [values[cn]] if cn in values else []

    def _pull(self, cn, told):
        held = self.history.get(cn, {})
        said = [
            cp.replace("1.0", "1.1") if "history" in self.sins else cp
            for label, cp in sorted(held.items())
            if told["BeginTime"] <= label <= told["EndTime"]
        ]
        if "short history" in self.sins:
            said = said[1:]
        return said, 1 if said else 100
