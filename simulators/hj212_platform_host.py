"""A supervision platform of HJ 212: devices call, it hears, answers, asks and keeps.

    host = Host([Account("010000A8900016F000169DC0", st="31")], strict=True)
    port = await host.open("127.0.0.1", 0)
    await host.arrived(mn)
    told = await host.ask(mn, 1061)          # told.outcome, told.values["RtdInterval"]
    history = await host.pull(mn, 2051, "20251121080000", "20251121085900")
    assert not host.held.faulty(mn, 2051, begin, end, 60)
    host.finish(); host.ledger.clean; print(host.ledger.text("en"))
    await host.close()

Runs on the running loop, virtual or real; it connects nowhere and knows nothing of the
gateway. Source: HJ 212-2017, 6.1, 6.5 and annex C.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from simulators.hj212_platform_account import Account, seconds, stamp, stamp_ms
from simulators.hj212_platform_checks import examine
from simulators.hj212_platform_exchange import Exchange, items_of
from simulators.hj212_platform_faults import Faults
from simulators.hj212_platform_held import Held
from simulators.hj212_platform_ledger import Ledger
from simulators.hj212_platform_link import Link
from simulators.hj212_platform_uploads import Came, Uploads
from simulators.hj212_platform_words import (
    NEW_KEY,
    NEW_PASSWORD,
    Wrong,
    answer,
    follow,
    request,
)
from simulators.hj212_sm4 import key_of
from simulators.hj212_tables import (
    ASKED,
    DAY,
    DONE,
    HOUR,
    MINUTE,
    NOTED,
    TAKEN,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from simulators.hj212_codec import Cut
    from simulators.hj212_segment import Segment

_SET_TIME, _ASKS_TIME = 1012, 1013
_CLOCK_S = 30.0
"""HJ 353-2019: a logger within 30 s of Beijing time."""
_TOLD = {"segment.pw", "segment.mn", "segment.mn_form"}


class NobodyThereError(Exception):
    """The device has no connection."""


class Host:
    """One platform.

    Args:
        accounts: The devices it knows.
        strict: It neither believes nor answers a frame of another form.
        faults: What it does wrong.
        utc_s: Its clock.
        set_clock: It sets the clock of who asks for that (1013).
        new_key: What it answers who asks for a new key (1014, version 2025).
        backfill_after_s: Data this late after their period should say RF=1 (2025).
    """

    def __init__(
        self,
        accounts: Iterable[Account],
        *,
        strict: bool = False,
        faults: Faults | None = None,
        utc_s: Callable[[], float] = time.time,
        set_clock: bool = True,
        new_key: str | None = None,
        backfill_after_s: float = 600.0,
        realtime: int = 3000,
    ) -> None:
        self.accounts = {one.mn: one for one in accounts}
        self.faults = faults or Faults()
        versions = {one.version for one in self.accounts.values()}
        self.ledger = Ledger(strict=strict, versions=versions)
        self.held = Held(realtime)
        self.uploads = Uploads(
            self.ledger, self.held, backfill_after_s=backfill_after_s
        )
        self.links: list[Link] = []
        """Open connections, the newest last."""
        self.connections = 0
        """How many there ever were."""
        self.dropped = 0
        """Frames that were neither believed nor answered."""
        self.heard: dict[tuple[str, int], list[Segment]] = {}
        """The newest frames that came unasked, by (MN, CN)."""
        self.on_frame: Callable[[Link, str, bytes], None] | None = None
        """Told of every frame: ``<`` of the device, ``>`` ours."""
        self._utc_s = utc_s
        self._set_clock, self._new_key = set_clock, new_key
        self._asked: dict[str, Exchange] = {}
        self._aliases: dict[str, Account] = {}
        self._moved = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.AbstractServer | None = None
        self._last_qn_ms = 0

    # -- the shell --------------------------------------------------------------

    async def open(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen; returns the port.

        Raises:
            OSError: It is taken.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self.link, host, port)
        return int(cast("Any", self._server).sockets[0].getsockname()[1])

    def link(self) -> Link:
        """What speaks on the next connection."""
        return Link(self.faults, self._frame, self._made, self._lost)

    def shut(self) -> None:
        """Listen no more and reset all connections: an outage."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.drop()

    def drop(self) -> None:
        """Reset all connections."""
        for link in list(self.links):
            link.abort()

    async def close(self) -> None:
        """End; may be called twice."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.shut()
        await asyncio.sleep(0)

    async def arrived(self, mn: str, timeout_s: float = 120.0) -> None:
        """Until a frame of this device was believed on an open connection.

        Raises:
            TimeoutError: It did not come.
        """
        await self._until(
            lambda: any(mn in link.mns and link.alive for link in self.links),
            timeout_s,
        )

    async def has(
        self,
        mn: str,
        cn: int,
        data_time: str = "",
        timeout_s: float = 120.0,
        *,
        factors: int = 1,
    ) -> None:
        """Until something of this command is held: of this DataTime, of ``factors``.

        Raises:
            TimeoutError: It did not come.
        """

        def there() -> bool:
            held = self.held.periods(mn, cn)
            wanted = [held.get(data_time)] if data_time else list(held.values())
            return any(kept and len(kept.items) >= factors for kept in wanted)

        await self._until(there, timeout_s)

    async def _until(self, true: Callable[[], bool], timeout_s: float) -> None:
        async with asyncio.timeout(timeout_s):
            while not true():
                self._moved.clear()
                await self._moved.wait()

    # -- asking -----------------------------------------------------------------

    async def ask(
        self,
        mn: str,
        cn: int,
        cp: str = "",
        *,
        wrong: Wrong | None = None,
        qn: str | None = None,
        tries: int = 1,
        execution_s: float | None = None,
        begin: str = "",
        end: str = "",
    ) -> Exchange:
        """Send a request and wait for all that comes of it.

        Args:
            mn: The device.
            cn: Command.
            cp: Between its ``&&``.
            wrong: What of it is wrong on purpose.
            qn: Its QN, where the caller wants one of its own.
            tries: So often in all while nothing answers.
            execution_s: How long it may take after 9011, or after a frame of data.
            begin: Of a pull of history, so that its frames are known.
            end: Of a pull; its last label.

        Raises:
            NobodyThereError: The device is not connected.
        """
        account = self.accounts[mn]
        link = self._link_of(mn)
        qn = qn or self.qn()
        wrong = wrong or Wrong()
        frame = request(account, cn, cp, qn, wrong)
        loop = asyncio.get_running_loop()
        loose = wrong.mn is not None or wrong.pw is not None or cn == NEW_PASSWORD
        exchange = Exchange(mn, cn, qn, frame, loop.time(), begin, end, loose=loose)
        self._asked[qn] = exchange
        if wrong.mn is not None:
            self._aliases[wrong.mn] = replace(account, mn=wrong.mn)
        try:
            for _ in range(tries):
                if exchange.done:
                    break
                exchange.sendings += 1
                link.send(frame)
                await self._answered(exchange, account.overtime_s)
                if exchange.answered_s is not None or exchange.data:
                    break
            if exchange.answered_s is not None or exchange.data:
                await self._ended(exchange, execution_s or account.execution_s)
        finally:
            del self._asked[qn]
            if wrong.mn is not None:
                self._aliases.pop(wrong.mn, None)
        if exchange.exe_rtn == 1:
            follow(account, cn, cp)
        return exchange

    async def pull(self, mn: str, cn: int, begin: str, end: str) -> Exchange:
        """Ask for history; begin and end are labels, both included.

        What comes is judged: within the range, and as it was held before.
        """
        cp = f"BeginTime={begin};EndTime={end}"
        told = await self.ask(mn, cn, cp, begin=begin, end=end)
        for at, items in told.periods.items():
            wrong = None if begin <= at <= end else f"DataTime={at} of {begin}..{end}"
            self.ledger.take("pull.range", wrong, told.raw)
            kept = self.held.periods(mn, cn).get(at)
            if kept is not None:
                same = kept.items == items
                text = f"DataTime={at} was sent with other content"
                self.ledger.take("pull.same", None if same else text, told.raw)
        return told

    def qn(self) -> str:
        """A QN that was not used before."""
        self._last_qn_ms = max(int(self._utc_s() * 1000), self._last_qn_ms + 1)
        return stamp_ms(self._last_qn_ms)

    def now(self) -> str:
        """``YYYYMMDDhhmmss`` of its clock."""
        return stamp(self._utc_s())

    def _link_of(self, mn: str) -> Link:
        for link in reversed(self.links):
            if mn in link.mns:
                return link
        if len(self.links) == 1 and not self.links[0].mns:
            return self.links[0]  # it has not spoken yet, and there is nobody else
        raise NobodyThereError(f"MN {mn}: no connection")

    async def _answered(self, exchange: Exchange, wait_s: float) -> None:
        try:
            async with asyncio.timeout(wait_s):
                while exchange.answered_s is None and not exchange.done:
                    exchange.moved.clear()
                    await exchange.moved.wait()
        except TimeoutError:
            return

    async def _ended(self, exchange: Exchange, wait_s: float) -> None:
        try:
            while not exchange.done:
                async with asyncio.timeout(wait_s):  # anew after every frame
                    exchange.moved.clear()
                    await exchange.moved.wait()
        except TimeoutError:
            return

    # -- hearing ----------------------------------------------------------------

    def _made(self, link: Link) -> None:
        link.on_trace = self.on_frame
        self.links.append(link)
        self.connections += 1
        self._moved.set()

    def _lost(self, link: Link) -> None:
        if link.pending:
            self.ledger.take(
                "frame.start", "the connection ended in a frame", link.pending
            )
        self.links.remove(link)
        for exchange in self._asked.values():
            if exchange.mn in link.mns and not exchange.done:
                exchange.lost = True
                exchange.moved.set()
        self._moved.set()

    def _frame(self, link: Link, cut: Cut) -> None:
        examined = examine(cut, self.accounts | self._aliases)
        segment = examined.segment
        exchange = self._asked.get(segment.qn) if segment else None
        deviations = examined.deviations
        if exchange is not None and exchange.loose:
            deviations = tuple(one for one in deviations if one.clause not in _TOLD)
        self.ledger.judged(examined.checked, deviations, cut.raw)
        if segment is None or not self.ledger.accepts(deviations):
            self.dropped += 1
            return
        account = (
            examined.account or self.accounts[exchange.mn if exchange else segment.mn]
        )
        link.mns.add(exchange.mn if exchange else account.mn)
        self._route(link, segment, account, exchange, cut.raw)
        self._moved.set()

    def _route(
        self,
        link: Link,
        segment: Segment,
        account: Account,
        exchange: Exchange | None,
        raw: bytes,
    ) -> None:
        loop_s = asyncio.get_running_loop().time()
        came = Came(segment, account, raw, loop_s, self._utc_s(), link)
        if segment.cn in {ASKED, DONE, NOTED, TAKEN}:
            self._answer_came(segment, exchange, raw, loop_s)
            return
        if exchange is not None and segment.cn == exchange.cn:
            exchange.take(segment, raw, loop_s)
            self._clock(segment)
        elif (pulling := self._pulling(segment)) is not None:
            self.uploads.pulled(came)
            pulling.take(segment, raw, loop_s)
        else:
            self.uploads.take(came)
            newest = self.heard.setdefault((account.mn, segment.cn), [])
            newest.append(segment)
            del newest[:-200]
            if self._notice(link, segment, account):
                return
        if segment.wants_answer:
            self._answer(link, segment, account, TAKEN)

    def _answer_came(
        self, segment: Segment, exchange: Exchange | None, raw: bytes, loop_s: float
    ) -> None:
        if exchange is None:
            self.ledger.take("answer.known", f"QN={segment.qn} was not asked", raw)
            return
        self.ledger.take("answer.known")
        wrong = None
        if segment.wants_answer:
            wrong = f"{segment.cn} wants an answer itself"
        elif segment.cn == TAKEN:
            wrong = "9014 is a platform's answer"
        elif segment.cn == DONE and exchange.qn_rtn is None:
            wrong = "9012 before 9011"
        elif segment.cn in exchange.order and exchange.sendings == 1:
            wrong = f"{segment.cn} twice"
        self.ledger.take("answer.echo", wrong, raw)
        exchange.take(segment, raw, loop_s)

    def _pulling(self, segment: Segment) -> Exchange | None:
        for exchange in self._asked.values():
            if (
                exchange.pulls
                and exchange.answered_s is not None
                and (exchange.mn, exchange.cn) == (segment.mn, segment.cn)
                and (
                    not segment.data_time
                    or exchange.begin <= segment.data_time <= exchange.end
                )
            ):
                return exchange
        return None

    def _clock(self, segment: Segment) -> None:
        at = seconds(segment.values.get("SystemTime", ""))
        if segment.cn == 1011 and at is not None:  # noqa: PLR2004 read the time
            off_s = at - self._utc_s()
            wrong = f"{off_s:+.0f} s" if abs(off_s) > _CLOCK_S else None
            self.ledger.take("clock.near", wrong)

    def _notice(self, link: Link, segment: Segment, account: Account) -> bool:
        """Answer a notice by 9013; returns whether it was one."""
        if segment.cn not in account.notices:
            return False
        self._answer(link, segment, account, NOTED)
        if segment.cn == _ASKS_TIME and self._set_clock:
            polid = segment.values.get("PolId")
            cp = f"PolId={polid};" if polid else ""
            self._spawn(
                self._quietly(account.mn, _SET_TIME, f"{cp}SystemTime={self.now()}")
            )
        if segment.cn == NEW_KEY and self._new_key is not None:
            self._spawn(self.change_key(account.mn, self._new_key))
        return True

    async def change_key(self, mn: str, key: str) -> None:
        """Give a device a new key; it holds from the device's 9012 on."""
        cp = f"SKCreateTime={self.now()};NewSK={key}"
        told = await self.ask(mn, NEW_KEY, cp)
        if told.outcome == "done":
            self.accounts[mn].key = key_of(key)

    async def _quietly(self, mn: str, cn: int, cp: str) -> None:
        told = await self.ask(mn, cn, cp)
        wrong = None if told.outcome == "done" else told.outcome
        self.ledger.take(f"cmd.{cn}", wrong, told.frame)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name="hj212 host")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _answer(self, link: Link, segment: Segment, account: Account, cn: int) -> None:
        def make(qn: str) -> bytes:
            return answer(account, cn, qn)

        sent = partial(self.uploads.answered, segment.mn, segment.qn)
        link.answer(segment.cn, segment.qn, make, sent)

    # -- the end ----------------------------------------------------------------

    def finish(self) -> Ledger:
        """Judge what only the whole shows, gaps in the rows of periods; once."""
        for mn, cn in self.held.series():
            if cn not in {MINUTE, HOUR, DAY}:
                continue
            length = self.accounts[mn].length_s(cn)
            missing = self.held.missing(mn, cn, length)
            wrong = (
                f"MN={mn}: {len(missing)} missing, {missing[0]} the first"
                if missing
                else None
            )
            self.ledger.take(f"series.{cn}", wrong)
        return self.ledger


__all__ = ["Account", "Exchange", "Host", "NobodyThereError", "items_of"]
