"""Scripts: what a platform asks of a device one after the other, and what it expects.

Commands that act on an instrument (3011 to 3016, 3021, 3022, 3024) are sent only where
``act`` says so: whoever tests a logger of others may have real instruments behind it.
What is changed on the way is set back.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from simulators.hj212_platform_account import seconds, stamp
from simulators.hj212_platform_words import Wrong
from simulators.hj212_tables import DAY, HOUR, MINUTE, QN_RTN, REALTIME, RUNNING

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulators.hj212_platform_account import Account
    from simulators.hj212_platform_exchange import Exchange
    from simulators.hj212_platform_host import Host

_REFUSED, _NO_SUCH = 2, 8
_OTHER_PW = "909090"
_NOBODY = "F0F0F0F0F0F0F0F0F0F0F0F0"
_NO_COMMAND = 3999
_TIME = re.compile(r"[0-9]{14}")


class Script:
    """One device's examination.

    Args:
        host: The platform; the device must be connected.
        mn: Whom it asks.
        polid: A factor for commands that name an instrument.
        infoid: What 3020 asks for.
        act: Send commands that act on instruments, too.
    """

    def __init__(
        self,
        host: Host,
        mn: str,
        *,
        polid: str = "",
        infoid: str = "i13001",
        act: bool = False,
    ) -> None:
        self._host, self._mn, self._act = host, mn, act
        self._infoid = infoid
        self._polid = polid or self._some_factor()

    @property
    def _account(self) -> Account:
        return self._host.accounts[self._mn]

    async def commands(self) -> None:
        """Settings, switches, readings, history and refusals."""
        await self._settings()
        await self._switches()
        await self._histories()
        await self._instruments()
        if self._act:
            await self._acting()
        await self._refusals()

    async def pull(self) -> None:
        """Ask for all that is held: the device's history must be the same."""
        for cn in (MINUTE, HOUR, DAY):
            held = sorted(self._host.held.periods(self._mn, cn))
            if not held:
                continue
            told = await self._host.pull(self._mn, cn, held[0], held[-1])
            self._settle(told)
            for label in sorted(held - told.periods.keys()):
                wrong = f"DataTime={label} was sent and is not in the history"
                self._host.ledger.take("pull.same", wrong, told.frame)

    # -- parts ------------------------------------------------------------------

    async def _settings(self) -> None:
        account = self._account
        limits = f"OverTime={account.overtime_s:.0f};ReCount={account.recount}"
        self._settle(await self._ask(1000, limits))
        self._settle(await self._ask(1011), _has("SystemTime", _TIME))
        self._settle(await self._ask(1012, f"SystemTime={self._host.now()}"))
        told = await self._ask(1061)
        self._settle(told, _has("RtdInterval", re.compile("[0-9]{1,4}")))
        before = told.values.get("RtdInterval", str(account.rtd_s))
        other = "60" if before != "60" else "30"
        await self._set_and_read(1062, 1061, "RtdInterval", other)
        await self._set_and_read(1062, 1061, "RtdInterval", before)
        told = await self._ask(1063)
        self._settle(told, _has("MinInterval", re.compile("[0-9]{1,2}")))
        minutes = told.values.get("MinInterval", str(account.minute_min))
        await self._set_and_read(1064, 1063, "MinInterval", minutes)
        await self._password()

    async def _set_and_read(self, cn: int, reads: int, name: str, value: str) -> None:
        told = await self._ask(cn, f"{name}={value}")
        if told.outcome != "done":
            self._settle(told)
            return
        now = (await self._ask(reads)).values.get(name)
        wrong = None if now == value else f"{name}={value} was set, {now} is read"
        self._settle(told, lambda _: wrong)

    async def _password(self) -> None:
        old = self._account.pw
        told = await self._ask(1072, f"NewPW={_OTHER_PW}")
        if told.outcome != "done":
            self._settle(told)
            return
        stale = await self._ask(1011, wrong=Wrong(pw=old))
        back = await self._ask(1072, f"NewPW={old}")
        wrong = None
        if stale.qn_rtn != 3:  # noqa: PLR2004 QnRtn: password
            wrong = f"the old password still holds: QnRtn={stale.qn_rtn}"
        elif back.outcome != "done":
            wrong = f"not set back to the old one: {back.outcome}"
        self._settle(told, lambda _: wrong)

    async def _switches(self) -> None:
        wait_s = 2.0 * self._account.rtd_s
        told = await self._ask(2012)
        before = self._host.held.sets[self._mn, REALTIME]
        await asyncio.sleep(wait_s)
        more = self._host.held.sets[self._mn, REALTIME] - before
        self._settle(told, lambda _: f"{more} came after it" if more else None)
        told = await self._ask(REALTIME)
        if told.outcome == "done":
            before = self._host.held.sets[self._mn, REALTIME]
            await asyncio.sleep(wait_s)
            none = self._host.held.sets[self._mn, REALTIME] == before
            self._settle(told, lambda _: "none came after it" if none else None)
        else:
            self._settle(told)
        for cn in (2022, 2021):
            self._settle(await self._ask(cn))

    async def _histories(self) -> None:
        now = seconds(self._host.now())
        assert now is not None  # noqa: S101 of its own clock
        for cn, back_s in ((MINUTE, 600), (HOUR, 7200), (DAY, 86400), (RUNNING, 86400)):
            length = self._account.length_s(cn)
            last = (now + 8 * 3600) // length * length - 8 * 3600 - length
            begin, end = stamp(last - back_s), stamp(last)
            told = await self._host.pull(self._mn, cn, begin, end)
            self._settle(told, fine=("done", "no data"))

    async def _instruments(self) -> None:
        polid = f"PolId={self._polid}"
        for cn in (3017, 3018, 3019):
            self._settle(await self._ask(cn, polid))
        self._settle(await self._ask(3020, f"{polid};InfoId={self._infoid}"))

    async def _acting(self) -> None:
        polid = f"PolId={self._polid}"
        value = f"{polid};InfoId={self._infoid};{self._infoid}-Info=1"
        asked = {3011: polid, 3012: polid, 3013: polid, 3014: polid, 3015: ""}
        asked[3016] = f"{polid};CstartTime=000000;Ctime=2"
        asked[3021] = value
        if self._account.new:
            asked |= {3022: polid, 3024: polid}
        for cn, cp in asked.items():
            self._settle(await self._ask(cn, cp))

    async def _refusals(self) -> None:
        """A wrong PW, MN, ST, CN; and a wrong CRC, which nobody may hear of."""
        for name, code, wrong in (
            ("pw", 3, Wrong(pw="000000" if self._account.pw != "000000" else "1")),
            ("mn", 4, Wrong(mn=_NOBODY)),
            ("st", 5, Wrong(st="22" if self._account.st != "22" else "31")),
        ):
            told = await self._ask(1011, wrong=wrong)
            self._refusal(name, told, code)
        self._refusal("cn", await self._ask(_NO_COMMAND), _NO_SUCH)
        told = await self._ask(1011, wrong=Wrong(damaged=True))
        text = None if told.outcome == "silent" else f"it was answered: {told.order}"
        self._host.ledger.take("refuse.crc", text, told.frame)

    def _refusal(self, name: str, told: Exchange, code: int) -> None:
        wrong = None
        if told.qn_rtn != code:
            wrong = f"expected QnRtn={code}, got {told.qn_rtn} ({told.outcome})"
        elif told.exe_rtn is not None or told.data:
            wrong = f"QnRtn={code}, and it was executed: {told.order}"
        self._host.ledger.take(f"refuse.{name}", wrong, told.raw or told.frame)

    # -- inside -----------------------------------------------------------------

    async def _ask(
        self, cn: int, cp: str = "", *, wrong: Wrong | None = None
    ) -> Exchange:
        tries = 1 if wrong is not None else 1 + self._account.recount
        return await self._host.ask(self._mn, cn, cp, wrong=wrong, tries=tries)

    def _settle(
        self,
        told: Exchange,
        check: Callable[[Exchange], str | None] = lambda _: None,
        *,
        fine: tuple[str, ...] = ("done",),
    ) -> None:
        """Note what became of a command."""
        ledger, clause = self._host.ledger, f"cmd.{told.cn}"
        frame = told.raw or told.frame
        if told.outcome == "refused" and told.qn_rtn in {_REFUSED, _NO_SUCH}:
            ledger.refused(clause, f"QnRtn={told.qn_rtn}", frame)
            return
        wrong = None if told.outcome in fine else _why(told)
        ledger.take(clause, wrong or check(told), frame)

    def _some_factor(self) -> str:
        for cn in (REALTIME, MINUTE):
            for kept in self._host.held.periods(self._mn, cn).values():
                return next(iter(kept.items), "a21026")
        return "a21026"


def _has(name: str, form: re.Pattern[str]) -> Callable[[Exchange], str | None]:
    def check(told: Exchange) -> str | None:
        value = told.values.get(name)
        if value is None:
            return f"no {name} came"
        return None if form.fullmatch(value) else f"{name}={value!r}"

    return check


def _why(told: Exchange) -> str:
    match told.outcome:
        case "refused":
            return f"QnRtn={told.qn_rtn} ({QN_RTN.get(told.qn_rtn or 0, '?')})"
        case "failed":
            return f"ExeRtn={told.exe_rtn}"
        case "unfinished":
            return "9011 and no 9012"
        case outcome:
            return outcome
