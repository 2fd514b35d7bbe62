"""What a platform asks, decided and carried out.

    request --> verdict (PW, MN, ST, Flag) --> known already? --> decide --> plan
                  9011 QnRtn 3..8              9011 again           |
                                    9011 QnRtn=1, then the work, then 9012 <--+

A request is known by its QN: one that comes again is answered again, and what changed
something is not done twice, over restarts neither. Our clock is set by no platform:
the request is told to people, with both times.

Source: HJ 212-2017, 6.1, 6.5, annex C.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import aclosing, suppress
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from drivers.hj212 import commands
from drivers.hj212.segment import Segment
from gateway.secrets import SecretError
from gateway.uplink.hj212 import decide as plans
from gateway.uplink.hj212 import told
from gateway.uplink.hj212.codes import ExeRtn, QnRtn
from gateway.uplink.hj212.decide import Plan, Rights, decide
from gateway.uplink.hj212.seams import Handled, Upload
from gateway.uplink.hj212.verdict import (
    Us,
    answer,
    noticed,
    result,
    verdict,
    verdict_unread,
)
from gateway.uplink.hj212.works import CHANGES, ONCE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from drivers.hj212.cp import Item
    from gateway.config.model import Hj212Target
    from gateway.uplink.hj212.seams import Said
    from gateway.uplink.hj212.works import Works

KNOWN = 64
"""Requests that are known again while we run."""
MOST_WAITING = 8
ASK_AGAIN_MS = 86_400_000
"""A key that was asked for and did not come is asked for again."""


class _Known(msgspec.Struct):
    asked: Segment
    changes: bool
    under_way: bool = True
    result: ExeRtn | None = None


class CommandHost:
    """Decides about what one platform asks; see ``seams.Host``."""

    def __init__(self, works: Works, *, facilities: bool = False) -> None:
        """Prepare.

        Args:
            works: What can be done for this platform.
            facilities: The station has facilities whose state could be sent.
        """
        self._works = works
        self._conf = works.conf
        self._settings = works.settings
        self._access = works.access
        self._facilities = facilities
        self._refusals = told.Refusals()
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._asked_key_ms: int | None = None

    # -- what comes -----------------------------------------------------------

    def handle(self, segment: Segment) -> Handled:
        """A segment that answers nothing of ours; see ``seams.Host``."""
        if segment.cn in commands.REPLIES or segment.qn is None:
            return Handled()
        known = self._known.get(segment.qn)
        if known is not None and known.asked == segment:
            # As it was taken the first time, also with a password that is past since.
            return self._repeated(segment, known)
        code = verdict(segment, self._us())
        done = self._settings.done.get(segment.qn)
        if code is None and (known is not None or (done and done.cn != segment.cn)):
            code = QnRtn.QN  # it is another request's
        if code is QnRtn.PW:
            self._told_refused(segment.cn, "password")
        if code is not None:
            return self._answer(segment, code)
        if done is not None:
            return self._again(segment, ExeRtn(done.result))
        return self._begin(segment, decide(segment, self._rights()))

    def refused(self, cause: str, segment: bytes) -> Handled:
        """A frame whose check holds, and which cannot be read."""
        reply = verdict_unread(cause, segment, self._us())
        return Handled() if reply is None else Handled(replies=(reply,))

    def connected(self) -> Sequence[Upload]:
        """The platform is there: what is to be asked of it."""
        for qn, known in list(self._known.items()):
            # What was to be done on the connection before will not be done any more.
            if known.under_way:
                known.under_way = False
                if known.result is None:
                    del self._known[qn]
        asked: list[Upload] = []
        conf = self._conf
        if self._logger is not None and not self._settings.is_set("mn"):
            asked.append(_notice(1001, _infos(conf.hardware), conf))
        if not self._works.now().trusted:
            asked.append(_notice(1013, (), conf))
        return [*asked, *self.due()]

    def due(self) -> Sequence[Upload]:
        """A new key, when the one in force grows old."""
        wall_ms, last = self._works.now().wall_ms, self._asked_key_ms
        keyring = self._access.keyring
        if keyring is None or not keyring.due:
            return []
        if last is not None and wall_ms - last < ASK_AGAIN_MS:
            return []
        self._asked_key_ms = wall_ms
        created = self._works.civil.time(keyring.since_ms)
        return [_notice(1014, ((("SKCreateTime", created),),), self._conf)]

    def answered(self, upload: Upload, answer: Segment) -> None:
        """Nothing follows: what the platform has to say it says in a request."""

    # -- deciding -------------------------------------------------------------

    @property
    def _logger(self) -> str | None:
        """Who we are before we have an MN; 2025 only."""
        if self._conf.version < 2025:  # noqa: PLR2004
            return None
        return self._conf.hardware.get("i23005")

    def _us(self) -> Us:
        password = ""
        with suppress(SecretError):  # without it, there is no connection either
            password = self._settings.password
        return Us(
            pw=password,
            mn=self._settings.mn,
            st=self._conf.st,
            version=self._conf.version,
            logger=self._logger,
        )

    def _rights(self) -> Rights:
        return Rights(
            conf=self._conf,
            minute_s=self._works.station.minute_s,
            encrypts=self._access.keyring is not None,
            facilities=self._facilities,
        )

    def _repeated(self, segment: Segment, known: _Known) -> Handled:
        if known.under_way:
            return self._answer(segment, QnRtn.WILL_DO)
        if not known.changes or known.result is None:
            return self._begin(segment, decide(segment, self._rights()))
        if segment.cn in plans.NOTICES:
            return self._noticed(segment)
        return self._again(segment, known.result)

    def _begin(self, segment: Segment, plan: Plan) -> Handled:
        if isinstance(plan, plans.Refuse):
            return self._refuse(segment, plan)
        if sum(known.under_way for known in self._known.values()) >= MOST_WAITING:
            return self._refuse(segment, plans.Refuse(QnRtn.REFUSED, "busy"))
        qn = segment.qn or ""
        known = _Known(segment, isinstance(plan, CHANGES))
        self._known[qn] = known
        while len(self._known) > KNOWN:
            self._known.popitem(last=False)
        if segment.cn in plans.NOTICES and isinstance(plan, plans.Set):
            self._works.set(plan)
            known.under_way, known.result = False, ExeRtn.DONE
            return self._noticed(segment)
        work = partial(self._work, segment, plan, known)
        return Handled(replies=self._replies(segment, QnRtn.WILL_DO), work=work)

    def _refuse(self, segment: Segment, plan: plans.Refuse) -> Handled:
        if segment.cn in plans.ACTING or plan.why in ("minutes", "no_key", "busy"):
            self._told_refused(segment.cn, plan.why)
        return self._answer(segment, plan.code)

    # -- doing ----------------------------------------------------------------

    async def _work(
        self, segment: Segment, plan: Plan, known: _Known
    ) -> AsyncGenerator[Said, Segment | None]:
        """Everything after 9011; the last is 9012, where an answer is wanted."""
        code = ExeRtn.FAILED
        try:
            async with aclosing(self._works.carry_out(segment, plan)) as steps:
                async for step in steps:
                    if isinstance(step, ExeRtn):
                        code = step
                    elif isinstance(step, Upload):
                        yield step
                    elif not self._works.sent(step, (yield step.upload)):
                        code = ExeRtn.TIMEOUT
                        break
        finally:
            # Cut short, a change may be made or not: it is not made again.
            known.under_way = False
            known.result = code if known.changes else None
            if isinstance(plan, ONCE):
                self._works.note_done(segment, code)
        try:
            if segment.wants_answer:
                yield result(segment, code, self._conf.version)
        finally:
            if isinstance(plan, plans.SetKey) and code is ExeRtn.DONE:
                self._access.use_key(plan.key)

    # -- saying ---------------------------------------------------------------

    def _answer(self, segment: Segment, code: QnRtn) -> Handled:
        return Handled(replies=self._replies(segment, code))

    def _replies(self, segment: Segment, code: QnRtn) -> tuple[Segment, ...]:
        if not segment.wants_answer:
            return ()
        return (answer(segment, code, self._conf.version),)

    def _noticed(self, segment: Segment) -> Handled:
        if not segment.wants_answer:
            return Handled()
        return Handled(replies=(noticed(segment, self._conf.version),))

    def _again(self, segment: Segment, code: ExeRtn) -> Handled:
        """What was said before about a request that was carried out."""
        if not segment.wants_answer:
            return Handled()

        async def work() -> AsyncGenerator[Said, Segment | None]:
            yield result(segment, code, self._conf.version)

        return Handled(replies=self._replies(segment, QnRtn.WILL_DO), work=work)

    def _told_refused(self, cn: int, why: str) -> None:
        at = self._works.now()
        # Who does not know the password may name ten thousand commands.
        which = 0 if why == "password" else cn
        count = self._refusals.count(which, why, at.mono_ms)
        if count:
            self._works.tell(told.refused(self._conf.name, cn, why, count, at))


def _notice(cn: int, items: tuple[Item, ...], conf: Hj212Target) -> Upload:
    return Upload(cn=cn, items=items, st=conf.st, answer=True)


def _infos(hardware: dict[str, str]) -> tuple[Item, ...]:
    return tuple(((f"{code}-Info", value),) for code, value in sorted(hardware.items()))
