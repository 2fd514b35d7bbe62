"""MQTT links: which broker, which version, which certificates, which password.

MQTT 5 first; a broker that refuses it, or that hangs up on it and then takes 3.1.1, is
asked for 3.1.1 from then on.

Certificates are read for every connection, and looked at while one lasts: when new ones
can be used, the connection ends between two messages and the next one has them.

A broker that is away is asked more than once a second, for weeks if need be: an attempt
makes the TCP connection first, and reads files and makes a client only on top of one.
What is wrong with the files is said all the same: they are read once before, and again
whenever they have changed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from gateway.secrets import SecretError, password_of, read_secret
from gateway.texts import t
from gateway.uplink import paho_driver, tls
from gateway.uplink.daemon import DaemonExecutor
from gateway.uplink.dial import Dialer
from gateway.uplink.link import (
    ConnectError,
    RenewedError,
    SetupError,
)
from gateway.uplink.paho_driver import (
    V5,
    V311,
    HandshakeEndedError,
    HungUpError,
    PahoDriver,
    VersionRefusedError,
    unreachable,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from gateway.config.model import MqttTarget
    from gateway.uplink.link import LinkLimits, LinkLostError, Terms
    from gateway.uplink.tls import TlsContext

log = logging.getLogger(__name__)

LOOK_S = 60.0
"""Between two looks at the certificates' files."""
NO_TLS_AFTER = 3
"""One handshake that ends early is an outage; so many in a row are no TLS at all."""


class _Broker:
    """What is remembered of one broker from connection to connection."""

    def __init__(self, target: MqttTarget) -> None:
        self.version = V5
        self.keyring = tls.Keyring()
        self.ended_early = 0
        self.dialer = Dialer(target.host, target.port)
        self.checked: tuple[object, ...] | None = None
        """What the files looked like when they were last found in order."""


class MqttConnector:
    """Makes links to MQTT brokers and remembers what each one takes."""

    def __init__(
        self, system_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    ) -> None:
        """Prepare; ``system_ms`` is the clock that OpenSSL reads."""
        self._system_ms = system_ms
        self._brokers: dict[tuple[str, str], _Broker] = {}

    def __call__(self, target: MqttTarget, terms: Terms) -> MqttLink:
        """A link that is not connected yet."""
        key = target.name, target.url
        broker = self._brokers.get(key)
        if broker is None:
            broker = self._brokers[key] = _Broker(target)
        return MqttLink(target, terms, broker, self._system_ms)


class MqttLink:
    """One connection to one broker; see ``link.Link``."""

    def __init__(
        self,
        target: MqttTarget,
        terms: Terms,
        broker: _Broker,
        system_ms: Callable[[], int],
    ) -> None:
        self._target = target
        self._terms = terms
        self._broker = broker
        self._system_ms = system_ms
        self._driver: PahoDriver | None = None
        self._callback: Callable[[LinkLostError], None] | None = None
        self._topics: dict[str, Callable[[bytes], None]] = {}
        self._context: TlsContext | None = None
        self._seen: tuple[object, ...] = ()
        self._looking: asyncio.TimerHandle | None = None

    def subscribe(self, topic: str, callback: Callable[[bytes], None]) -> None:
        """Have the messages on a topic handed over; before ``connect``."""
        self._topics[topic] = callback

    async def connect(self) -> LinkLimits:
        """Connect in the newest version that the broker takes."""
        version, broker = self._broker.version, self._broker
        try:
            return await self._attempt()
        except (VersionRefusedError, HungUpError):
            if version is not V5:
                raise
        broker.version = V311
        try:
            return await self._attempt()
        except ConnectError:
            broker.version = V5
            raise

    async def _attempt(self) -> LinkLimits:
        loop, target, broker = asyncio.get_running_loop(), self._target, self._broker
        password, prepared = None, not (target.encrypted or password_of(target))
        if not prepared:
            self._seen = tls.footprint(target)
            looks = (target, self._seen, tls.secrets_footprint(target))
            if broker.checked != looks:
                # In a thread: files may lie on a slow card, and keys take time.
                password = await loop.run_in_executor(_DAEMON, self._prepare)
                broker.checked, prepared = looks, True
        opened = await self._open()
        try:
            if not prepared:
                password = await loop.run_in_executor(_DAEMON, self._prepare)
            driver = PahoDriver(
                opened,
                target,
                self._terms,
                broker.version,
                password,
                self._on_lost,
                self._topics,
                self._context,
            )
        except BaseException:
            opened.close()
            raise
        del password
        try:
            limits = await driver.connect()
        except HandshakeEndedError as exc:
            broker.ended_early += 1
            if broker.ended_early >= NO_TLS_AFTER:
                exc.cause = "tls_no_tls"
            raise
        broker.ended_early = 0
        self._driver = driver
        if self._context is not None:
            self._looking = loop.call_later(LOOK_S, self._look)
        return limits

    async def _open(self) -> socket.socket:
        """The TCP connection."""
        limit_s = paho_driver.CONNECT_S
        try:
            return await self._broker.dialer.open(each_s=limit_s, all_s=2 * limit_s)
        except (OSError, ValueError) as exc:  # bad names included
            raise unreachable(self._target, exc) from None

    def _prepare(self) -> str | None:
        """The password; the context is kept here. Blocks."""
        target = self._target
        if target.encrypted:
            self._context = self._broker.keyring.context(target)
            self._context.judge_time(self._system_ms(), self._terms.floor_ms)
        secret = password_of(target)
        if secret is None:
            return None
        try:
            return read_secret(secret)
        except SecretError as exc:
            raise SetupError(f"{target.url}: {exc}", "secret") from None

    def publish(
        self, topic: str, payload: bytes, *, retain: bool = False
    ) -> asyncio.Future[None]:
        """Send one message at QoS 1; done on PUBACK."""
        if self._driver is None:
            raise RuntimeError("publish before connect")
        return self._driver.publish(topic, payload, retain=retain)

    def on_lost(self, callback: Callable[[LinkLostError], None]) -> None:
        """Have this called when the connection goes; at once if it is gone."""
        self._callback = callback
        if self._driver is not None and self._driver.lost is not None:
            callback(self._driver.lost)

    def _on_lost(self, cause: LinkLostError) -> None:
        self._stop_looking()
        if self._callback is not None:
            self._callback(cause)

    async def close(self) -> None:
        """Say DISCONNECT, so that the broker does not send our will; close."""
        self._callback = None
        self._stop_looking()
        if self._driver is not None:
            self._driver.close()

    # -- certificates that change -------------------------------------------

    def _look(self) -> None:
        """Look at the files; a look costs three stat calls."""
        loop = asyncio.get_running_loop()
        self._looking = loop.call_later(LOOK_S, self._look)
        seen = tls.footprint(self._target)
        if seen != self._seen:
            self._seen = seen
            loop.run_in_executor(_DAEMON, self._renewed).add_done_callback(self._renew)

    def _renewed(self) -> str:
        """Whether there are new files that can be used; else why they cannot."""
        try:
            new = self._broker.keyring.context(self._target)
        except SetupError as exc:
            return str(exc)
        return "" if new is self._context else "new"

    def _renew(self, looked: asyncio.Future[str]) -> None:
        said = looked.result()
        if said == "new" and self._driver is not None:
            name = self._target.name
            log.info("%s", t("uplink.renewed", target=name))
            self._driver.end_politely(
                RenewedError(f"{self._target.url}: new certificates are used")
            )
        elif said:
            # Half written, as it seems: the connection that there is goes on.
            name = self._target.name
            log.warning("%s", t("uplink.renewal_waits", target=name, reason=said))

    def _stop_looking(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None


_DAEMON = DaemonExecutor()
