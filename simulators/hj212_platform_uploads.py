"""What only a row of a device's frames shows: repeats, packets, changes, back-fill."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from simulators.hj212_platform_account import seconds
from simulators.hj212_platform_exchange import items_of
from simulators.hj212_tables import DAY, HOUR, MINUTE, READS

if TYPE_CHECKING:
    from collections.abc import Hashable

    from simulators.hj212_platform_account import Account
    from simulators.hj212_platform_held import Held
    from simulators.hj212_platform_ledger import Ledger
    from simulators.hj212_segment import Segment

_REMEMBERED = 4096
_EARLY = 0.9
"""A repeat may come after this part of OverTime: clocks and loads differ."""


class Came(NamedTuple):
    """One frame as it came in."""

    segment: Segment
    account: Account
    raw: bytes
    loop_s: float
    utc_s: float
    link: Hashable
    """The connection."""


@dataclass
class _Seen:
    """A frame that came before, by MN and QN."""

    cp: bytes
    link: Hashable
    at_s: float
    times: int = 1
    asks: bool = False
    answered: bool = False


@dataclass
class _Packets:
    """A split frame, while it comes."""

    link: Hashable
    total: int
    got: set[int] = field(default_factory=set)
    codes: dict[str, set[str]] = field(default_factory=dict)
    last: _Seen | None = None
    at: str = ""


class Uploads:
    """Judges and keeps what devices send by themselves."""

    def __init__(
        self, ledger: Ledger, held: Held, *, backfill_after_s: float = 600.0
    ) -> None:
        self._ledger, self._held = ledger, held
        self._late_s = backfill_after_s
        """Later than this after a period's end it is back-fill (RF=1)."""
        self._seen: OrderedDict[tuple[str, str], _Seen] = OrderedDict()
        self._packets: dict[tuple[str, int], _Packets] = {}
        self._sets: dict[tuple[str, int], set[str]] = {}
        self.frames = 0
        self.repeats = 0
        """Frames that came again with the same QN."""

    def answered(self, mn: str, qn: str) -> None:
        """The platform's answer has left."""
        seen = self._seen.get((mn, qn))
        if seen is not None:
            seen.answered = True

    def take(self, came: Came) -> None:
        """One accepted frame that nobody had asked for."""
        self.frames += 1
        seen = self._again(came)
        if seen is None:
            return
        number, total = came.segment.packet
        if total > 1:
            self._packet(came, seen, number, total)
        if came.segment.cn in READS:
            self._keep(came, split=total > 1)
        elif (clause := f"cmd.{came.segment.cn}") in self._ledger.lines:
            self._ledger.take(clause)

    def pulled(self, came: Came) -> None:
        """A packet of history: it is judged as one, and not kept."""
        if self._again(came) is None:
            return
        number, total = came.segment.packet
        if total > 1:
            seen = self._seen[came.segment.mn, came.segment.qn]
            self._packet(came, seen, number, total, history=True)

    # -- inside ---------------------------------------------------------------

    def _again(self, came: Came) -> _Seen | None:
        """Note it; None: it is a repeat, judged here."""
        key = came.segment.mn, came.segment.qn
        before = self._seen.get(key)
        asks = came.segment.wants_answer
        if before is None or not came.segment.qn:
            seen = _Seen(came.segment.cp, came.link, came.loop_s, asks=asks)
            self._seen[key] = seen
            if len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
            self._ledger.take("segment.qn_unique")
            return seen
        take = self._ledger.take
        if before.cp != came.segment.cp:
            text = f"QN={came.segment.qn} had other content before"
            take("segment.qn_unique", text, came.raw)
            return before
        self.repeats += 1
        take("upload.same")
        if before.link != came.link:
            before.link, before.times, before.answered = came.link, 1, False
        else:
            before.times += 1
            waited = came.loop_s - before.at_s
            account = came.account
            if asks:
                wrong = (
                    f"again after {waited:.2f} s of {account.overtime_s:g} s"
                    if waited < _EARLY * account.overtime_s
                    else None
                )
                take("upload.overtime", wrong, came.raw)
            most = account.recount if asks else 0
            sent = before.times - 1
            wrong = f"sent again {sent} times of {most}" if sent > most else None
            take("upload.recount", wrong, came.raw)
        before.at_s = came.loop_s
        return None

    def _packet(
        self, came: Came, seen: _Seen, number: int, total: int, *, history: bool = False
    ) -> None:
        key = came.segment.mn, came.segment.cn
        take = self._ledger.take
        packets = self._packets.get(key)
        if packets is not None and (packets.link != came.link or number == 1):
            self._end(packets, key, came)
            packets = None
        if packets is None:
            packets = self._packets[key] = _Packets(came.link, total)
        last = packets.last
        if last is not None and last.asks:
            spent = last.times > came.account.recount
            waited = last.answered or spent
            text = f"packet {number} came while the one before was unanswered"
            take("upload.waits", None if waited else text, came.raw)
        packets.got.add(number)
        packets.last = seen
        packets.at = came.segment.data_time or packets.at
        packets.codes.setdefault(packets.at, set()).update(came.segment.factors)
        if packets.got == set(range(1, packets.total + 1)):
            del self._packets[key]
            take("upload.whole")
            if not history:
                for found in packets.codes.values():
                    self._set(came, found)

    def _end(self, packets: _Packets, key: tuple[str, int], came: Came) -> None:
        del self._packets[key]
        if packets.link == came.link:
            missing = sorted(set(range(1, packets.total + 1)) - packets.got)
            self._ledger.take(
                "upload.whole", f"packets {missing} are missing", came.raw
            )

    def _keep(self, came: Came, *, split: bool) -> None:
        segment, account, take = came.segment, came.account, self._ledger.take
        at = segment.data_time
        if not at and (packets := self._packets.get((segment.mn, segment.cn))):
            at = packets.at  # only the first packet of a frame said it
        since = seconds(at)
        if since is None:
            return
        changed = self._held.take(
            segment.mn,
            segment.cn,
            at,
            items_of(segment),
            rf=segment.again,
            at_s=came.utc_s,
        )
        text = f"DataTime={at}: other content for {'/'.join(changed)}"
        take("upload.changed", text if changed else None, came.raw)
        take(f"cmd.{segment.cn}")
        late_s = came.utc_s - since - account.length_s(segment.cn)
        if account.new and late_s > self._late_s:
            text = f"DataTime={at} came {late_s:.0f} s late without RF=1"
            take("upload.rf", None if segment.again else text, came.raw)
        if not split:
            self._set(came, set(segment.factors))

    def _set(self, came: Came, codes: set[str]) -> None:
        segment, account = came.segment, came.account
        if segment.cn not in {2011, MINUTE, HOUR, DAY}:
            return
        wanted = account.factors
        if wanted is None:
            wanted = frozenset(
                self._sets.setdefault((segment.mn, segment.cn), set(codes))
            )
        wrong = sorted(wanted ^ codes)
        text = f"CN={segment.cn}: {'/'.join(wrong)} are missing or new"
        self._ledger.take("cp.set", text if wrong else None, came.raw)
