"""From the buffer to one platform, for as long as the gateway runs.

The buffer is the only queue: what is on its way is also still stored, and a record
leaves it only on the platform's own proof. A connection that ends is replaced, and
delivery begins again with what is not proved.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import TYPE_CHECKING

from gateway.record import dated_as_read
from gateway.uplink import status
from gateway.uplink.condition import Condition, PumpHealth, backlogs
from gateway.uplink.delivery import Delivery
from gateway.uplink.kit import Kit
from gateway.uplink.link import LinkError, Terms
from gateway.uplink.message import Packer
from gateway.uplink.retry import Reconnect
from gateway.uplink.session import Session
from gateway.uplink.topics import topics_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.config.model import MqttTarget
    from gateway.meta import MetaStore
    from gateway.record import When
    from gateway.uplink.delivery import Ledger
    from gateway.uplink.lanes import LaneName
    from gateway.uplink.link import Connector, Link
    from gateway.uplink.source import Source

PROOF_S = 15.0
"""A message unproved for so long ends the connection."""
CLOSE_S = 1.0
SHORT_S = 5.0
"""A connection that ends sooner than this hardly began."""


class Pump:
    """Delivers the buffer's records to one target."""

    def __init__(
        self,
        target: MqttTarget,
        source: Source,
        connector: Connector,
        metas: MetaStore,
        *,
        gateway: str,
        version: str,
        wall_ms: Callable[[], int],
        vitals: Callable[[], status.Vitals] = status.Vitals,
        when: When = dated_as_read,
        floor_ms: Callable[[], int] = lambda: 0,
        promise: Callable[[float], None] = lambda _by: None,
        on_change: Callable[[PumpHealth], None] | None = None,
        on_set_aside: Callable[[int, str], None] | None = None,
        ledger: Ledger | None = None,
        rng: random.Random | None = None,
        proof_s: float = PROOF_S,
    ) -> None:
        """Prepare; nothing is opened before ``run``.

        Args:
            target: What the site file says.
            source: The buffer.
            connector: Makes a link for every attempt.
            metas: The site's versions.
            gateway: Our id, in every message.
            version: Our release, in ``status``.
            wall_ms: The wall clock.
            vitals: The rest of ``status``; called every 60 s and on change.
            when: Dates records whose clock was not trusted.
            floor_ms: It is certainly later than this: certificates are judged by it
                while the clock says less.
            promise: Told every few seconds until when this loop will report again.
            on_change: Called with each change of ``state``.
            on_set_aside: Called with seq and reason of a record that is given up.
            ledger: Told of every record sent, proved, refused and filtered out.
            rng: Spreads reconnects.
            proof_s: A message unproved for so long ends the connection.
        """
        self._target = target
        self._source = source
        self._connector = connector
        self._metas = metas
        metas.targets.add(target.name)
        self._gateway = gateway
        self._version = version
        self._wall_ms = wall_ms
        self._vitals = vitals
        self._floor_ms = floor_ms
        self._promise = promise
        self._reconnect = Reconnect(rng or random.Random())  # noqa: S311 - jitter
        self._topics = topics_of(target, gateway)
        self._client_id = f"ecogate-{gateway}-{target.name}"
        self._edge = source.high
        self._delivery = Delivery(source, target, on_set_aside, ledger)
        self._kit = Kit(
            target=target,
            topics=self._topics,
            source=source,
            packer=Packer(
                self._topics,
                gateway,
                source.store,
                when=when,
                compress=target.compress,
            ),
            metas=metas,
            delivery=self._delivery,
            status=self._status,
            wall_ms=wall_ms,
            promise=promise,
            proof_s=proof_s,
        )
        self._session: Session | None = None
        self._quiet = False
        health = PumpHealth(
            target=target.name, since_ms=wall_ms(), plaintext=target.exposed
        )
        self._condition = Condition(health, wall_ms, on_change, self._client_id)

    def health(self) -> PumpHealth:
        """How this target is doing now."""
        session, delivery = self._session, self._delivery
        if session is not None and session.refusal:
            self._condition.become("refused", session.refusal)
        elif session is not None:
            self._condition.become("online")
        health = self._condition.look(delivery, self._source, self._lane_edge())
        health.in_flight = session.in_flight if session else 0
        health.messages = delivery.messages
        health.awaiting_receipt = self._awaiting()
        health.receipts_ignored = delivery.receipts_ignored
        return health

    def status_changed(self) -> None:
        """Something ``vitals`` tells has changed: say ``status`` within a second."""
        if self._session is not None:
            self._session.status_changed()

    def wake(self) -> None:
        """Records that had no date may have one now."""
        if self._session is not None:
            self._session.wake()

    async def run(self) -> None:
        """Deliver until cancelled.

        On cancellation, messages on their way get up to a second to be proved, then
        ``status`` says that this stop was meant.
        """
        loop = asyncio.get_running_loop()
        while True:
            try:
                await self._connection()
            except LinkError as exc:
                self._report(exc)
                delay = self._reconnect.delay_s(exc, loop.time(), quiet=self._quiet)
                if self._reconnect.id_conflict:
                    self._condition.become("taken_over", str(exc))
                self._promise(loop.time() + delay + 10.0)
                await asyncio.sleep(delay)

    async def _connection(self) -> None:
        """One attempt and, if it succeeds, the connection's whole life."""
        loop = asyncio.get_running_loop()
        self._promise(loop.time() + 30.0)
        link = self._connector(
            self._target,
            Terms(
                self._client_id,
                self._topics.status,
                status.will(self._gateway, self._wall_ms()),
                self._floor_ms(),
            ),
        )
        began_s, proved = loop.time(), self._delivery.messages
        if self._target.receipts:
            link.subscribe(self._topics.receipt, self._receipt)
        try:
            limits = await link.connect()
            self._reconnect.connected(loop.time())
            health = self._condition.health
            health.connections += 1
            health.version = limits.version
            self._edge = self._source.high
            self._session = Session(self._kit, link, limits)
            self._condition.become("online")
            await self._session.run()
        except asyncio.CancelledError:
            await self._farewell()
            self._condition.become("stopped")
            raise
        finally:
            # What a record ends comes back with it unproved. Cut by another client we
            # get something through each time, and never last.
            went_on = self._delivery.messages > proved
            short = loop.time() - began_s < SHORT_S
            self._quiet = self._session is not None and (
                not self._session.unproved
                or (went_on and short and not self._session.suspect)
            )
            if self._session is not None:
                self._session.over()
            self._session = None
            await _close(link)

    async def _farewell(self) -> None:
        if self._session is not None:
            await self._session.farewell(
                status.stopped(self._gateway, self._wall_ms()), CLOSE_S
            )

    def _receipt(self, payload: bytes) -> None:
        self._delivery.receipt(payload, asyncio.get_running_loop().time())
        if self._session is not None:
            self._session.receipt_came()

    def _lane_edge(self) -> int:
        return self._edge if self._session is not None else self._source.high

    def _backlog(self) -> dict[LaneName, status.LaneBacklog]:
        parts = backlogs(self._source, self._target.name, self._lane_edge())
        return {
            lane: status.LaneBacklog(part.records, part.oldest_t_ms)
            for lane, part in parts.items()
        }

    def _awaiting(self) -> int | None:
        awaiting = self._delivery.awaiting
        return None if awaiting is None else len(awaiting)

    def _status(self) -> bytes:
        return status.online(
            self._gateway,
            self._version,
            self._metas.current,
            self._vitals(),
            status.Progress(
                store=self._source.store,
                seq_high=self._source.high,
                backlog=self._backlog(),
                set_aside=self._delivery.aside.count,
                awaiting_receipt=self._awaiting(),
                skipped=self._delivery.skipped.take(),
            ),
            self._wall_ms(),
        )

    def _report(self, exc: LinkError) -> None:
        state = self._condition.health.state
        if state != "taken_over":
            self._condition.ended(exc, lost=state in {"online", "refused"})


async def _close(link: Link) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_S):
            await link.close()
