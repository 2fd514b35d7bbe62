"""From the buffer to one HJ 212 platform, for as long as the gateway runs.

As for MQTT, the buffer is the only queue and every record leaves it on the platform's
own proof, which is 9014. A target that asks for no answer has no proof to give: its
records are resolved as written, and shown as that.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from buffer import PriorityClass
from gateway.secrets import SecretError
from gateway.texts import t
from gateway.uplink.condition import Condition, PumpHealth
from gateway.uplink.delivery import Delivery
from gateway.uplink.hj212.civil import Civil, Numbers
from gateway.uplink.hj212.connection import Connection
from gateway.uplink.hj212.desk import Desk
from gateway.uplink.hj212.exchange import Exchange, SilentError
from gateway.uplink.hj212.frames import Frames
from gateway.uplink.hj212.session import Session
from gateway.uplink.hj212.wanted import OfStation, Wishes
from gateway.uplink.link import CredentialsError, LinkError, SetupError
from gateway.uplink.retry import Reconnect

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.config.model import Hj212Target
    from gateway.config.stations import Station
    from gateway.uplink.delivery import Ledger
    from gateway.uplink.hj212.connection import Open
    from gateway.uplink.hj212.seams import Board, Host, Marks, Sealer, Settings
    from gateway.uplink.source import Source


PERIODS = frozenset({PriorityClass.AGGREGATE})
"""No reading ever travels: none is owed, however long the platform is away."""


class Hj212Pump:
    """Delivers one station's periods to one target, and says what is now."""

    def __init__(
        self,
        target: Hj212Target,
        station: Station,
        source: Source,
        settings: Settings,
        host: Callable[[Frames], Host],
        *,
        board: Board,
        marks: Marks,
        timezone: str,
        wall_ms: Callable[[], int],
        trusted: Callable[[], bool] = lambda: True,
        started_ms: int = 0,
        sealer: Callable[[], Sealer | None] = lambda: None,
        promise: Callable[[float], None] = lambda _by: None,
        on_change: Callable[[PumpHealth], None] | None = None,
        on_set_aside: Callable[[int, str], None] | None = None,
        ledger: Ledger | None = None,
        rng: random.Random | None = None,
        how: Open | None = None,
    ) -> None:
        """Prepare; nothing is opened before ``run``.

        Args:
            target: What the site file says.
            station: Whose periods it gets.
            source: The buffer.
            settings: What the platform may have changed.
            host: Makes what decides about the platform's requests.
            board: The newest judged values.
            marks: Told of periods written and proved.
            timezone: Of the site: every time in a frame is in it.
            wall_ms: The wall clock.
            trusted: Whether that clock is right.
            started_ms: When this gateway was started.
            sealer: For each connection: what encrypts; None: nothing does.
            promise: Told every few seconds until when this loop will report again.
            on_change: Called with each change of ``state``.
            on_set_aside: Called with seq and reason of a record that is given up.
            ledger: Told of every record sent, proved, written, refused and filtered.
            rng: Spreads reconnects.
            how: Opens connections.
        """
        self._target = target
        self._source = source
        self._settings = settings
        self._sealer = sealer
        self._wall_ms = wall_ms
        self._promise = promise
        self._how = how
        self._reconnect = Reconnect(rng or random.Random())  # noqa: S311 - jitter
        self._delivery = Delivery(
            source, Wishes(target.name, target.backfill_per_s), on_set_aside, ledger
        )
        civil = Civil(timezone)
        self._numbers = Numbers(wall_ms, civil)
        frames = Frames(target, station, civil, board)
        self._delivery.filter = OfStation(target, frames.changes)
        self._desk = Desk(
            target=target,
            source=source,
            delivery=self._delivery,
            frames=frames,
            settings=settings,
            host=host(frames),
            marks=marks,
            wall_ms=wall_ms,
            trusted=trusted,
            started_ms=started_ms,
            promise=promise,
        )
        self._session: Session | None = None
        self._unknown = False
        """It took a connection and answered nothing on it, or named our PW, MN or ST as
        wrong: connecting proves nothing, it is online again with its next answer."""
        health = PumpHealth(
            target=target.name,
            since_ms=wall_ms(),
            plaintext=target.exposed,
            version=f"HJ 212-{target.version}",
            proves=target.answer,
        )
        self._condition = Condition(health, wall_ms, on_change)

    def health(self) -> PumpHealth:
        """How this target is doing now."""
        source, session = self._source, self._session
        edge = session.records.lanes.edge if session else source.high
        health = self._condition.look(self._delivery, source, edge, PERIODS)
        health.in_flight = session.records.in_flight if session else 0
        health.messages = self._desk.counts.frames
        health.written = self._delivery.unproved_records
        return health

    def status_changed(self) -> None:
        """HJ 212 has no message for it."""

    def wake(self) -> None:
        """Records that had no date may have one now."""
        if self._session is not None:
            self._session.wake()

    async def run(self) -> None:
        """Deliver until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                await self._connection()
            except LinkError as exc:
                lost = self._condition.health.state == "online"
                self._condition.ended(exc, lost=lost)
                delay = self._reconnect.delay_s(exc, loop.time())
                self._promise(loop.time() + delay + 10.0)
                await asyncio.sleep(delay)

    async def _connection(self) -> None:
        """One attempt and, if it succeeds, the connection's whole life."""
        loop, target = asyncio.get_running_loop(), self._target
        self._promise(loop.time() + 30.0)
        sealer = self._opened()
        connection = await Connection.open(
            target.host, target.port, sealer.finder() if sealer else None, self._how
        )
        try:
            began_s = loop.time()
            self._condition.health.connections += 1
            exchange = Exchange(
                target,
                self._settings,
                connection,
                self._numbers,
                sealer,
                self._desk.counts,
                self._answered,
            )
            self._session = Session(self._desk, connection, exchange)
            if not self._unknown:
                self._condition.become("online")
            await self._session.run()
        except CredentialsError:
            self._unknown = True
            raise  # guessing goes slower and slower, however well it connects
        except SilentError:
            self._unknown |= target.answer and not exchange.answers
            self._reconnect.connected(began_s)
            raise
        except LinkError:
            self._reconnect.connected(began_s)
            raise
        except asyncio.CancelledError:
            self._condition.become("stopped")
            raise
        finally:
            self._session = None
            await connection.close()

    def _answered(self) -> None:
        if self._unknown:
            self._unknown = False
            self._condition.become("online")

    def _opened(self) -> Sealer | None:
        """What encrypts the next connection; password and key are at hand.

        Raises:
            SetupError: They are not.
        """
        try:
            if not self._settings.password:
                raise SetupError(t("uplink.hj212.no_password"), "secret")
            return self._sealer()
        except SecretError as exc:
            raise SetupError(str(exc), "secret") from exc
