"""One paho-mqtt client on one socket, without its thread: the event loop drives it.

paho queues what is published without a connection and sends it again by itself on
reconnect. Here a client lives for one connection, publishes only while connected, and
the buffer is the only queue (eclipse-paho/paho.mqtt.python#24, #492).
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.texts import t
from gateway.uplink import tls, tls_words
from gateway.uplink.daemon import DaemonExecutor
from gateway.uplink.link import (
    INBOUND_MAX,
    ConnectError,
    CredentialsError,
    LinkLimits,
    LinkLostError,
    RefusedError,
    TakenOverError,
)
from gateway.uplink.paho_client import Client

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

    from paho.mqtt.reasoncodes import ReasonCode

    from gateway.config.model import MqttTarget
    from gateway.uplink.link import Terms
    from gateway.uplink.tls import TlsContext

log = logging.getLogger(__name__)

CONNECT_S = 5.0
"""For name, TCP connection to each address, TLS, websocket and CONNACK each."""
POLITE_S = 5.0
"""Proofs on their way are waited for so long when we end a connection by ourselves."""
TLS_PORTS = frozenset({443, 8443, 8883, 8884})
MISC_PART = 6.0
"""Keepalive is looked after this often in its period: an idle link wakes rarely."""

V5, V311 = MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311
_TOPIC_ROOM = 1_000
"""A packet is larger than its payload by its topic and head."""
_VERSION_NAMES = {V5: "MQTT 5", V311: "MQTT 3.1.1"}
# Reason codes, MQTT 5, 2.4 and 3.4.2.1; those of 3.1.1 are converted by paho.
_UNSUPPORTED_VERSION = 0x84
_CREDENTIALS = frozenset({0x85, 0x86, 0x87, 0x8A, 0x8C})
_TAKEN_OVER = 0x8E
_REFUSED = 0x80
_MESSAGE_AT_FAULT = frozenset({0x80, 0x83, 0x95, 0x99})
"""Unspecified, implementation specific, packet too large, payload format invalid."""


class VersionRefusedError(ConnectError):
    """The broker does not speak this version of MQTT."""


class HungUpError(ConnectError):
    """The broker closed instead of answering CONNECT."""

    answered = True


class HandshakeEndedError(ConnectError):
    """The broker closed, or fell silent, in the TLS handshake."""


def where_of(target: MqttTarget) -> str:
    """The broker, as messages name it."""
    plain = target.transport == "mqtt"
    return f"{target.host}:{target.port}" if plain else target.url


def unreachable(target: MqttTarget, exc: Exception) -> ConnectError:
    """What a person reads when there is no connection to the broker."""
    why = getattr(exc, "strerror", None) or str(exc) or "no answer"
    return ConnectError(f"{where_of(target)}: {why}: check address, port and network")


class PahoDriver:
    """One connection; see ``link.Link`` for what its methods promise."""

    def __init__(
        self,
        opened: socket.socket,
        target: MqttTarget,
        terms: Terms,
        version: MQTTProtocolVersion,
        password: str | None,
        on_lost: Callable[[LinkLostError], None],
        topics: Mapping[str, Callable[[bytes], None]],
        context: TlsContext | None = None,
    ) -> None:
        """Prepare; ``opened`` is a TCP connection to the broker, ours from now on."""
        self._loop = asyncio.get_running_loop()
        self._target = target
        self._where = where_of(target)
        self._context = context
        self._version = version
        self._on_lost = on_lost
        self._topics = topics
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._connack: asyncio.Future[LinkLimits] = self._loop.create_future()
        self._subscribing: dict[int, str] = {}
        self._announced = LinkLimits()
        self._told_too_large = False
        self._misc: asyncio.TimerHandle | None = None
        self._ending: LinkLostError | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._misc_s = max(0.2, target.keepalive_s / MISC_PART)
        self._fd = -1
        """The socket's; -1: there is none."""
        self._writing = False
        self._flush_due = False
        self._closing = False
        self.lost: LinkLostError | None = None
        self._client = self._make_client(terms, password)
        self._client.opened = opened

    def _make_client(self, terms: Terms, password: str | None) -> Client:
        target = self._target
        websocket = target.transport in ("ws", "wss")
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=terms.client_id,
            transport="websockets" if websocket else "tcp",
            protocol=self._version,
            clean_session=None if self._version is V5 else True,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_S
        if websocket:
            client.ws_set_options(path=target.ws_path)
        if self._context is not None:
            client.tls_set_context(self._context)
        # We bound what is on its way; paho must neither hold back nor send again.
        client.max_inflight_messages_set(0)
        if target.username is not None:
            client.username_pw_set(target.username, password)
        client.will_set(terms.will_topic, terms.will_payload, qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_socket_close = self._on_socket_close
        client.on_socket_register_write = self._on_register_write
        client.on_socket_unregister_write = self._on_unregister_write
        properties = None
        if self._version is V5:
            # paho's Properties has no annotations.
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = 0
            properties.MaximumPacketSize = INBOUND_MAX + _TOPIC_ROOM
        client.connect_async(
            target.host,
            target.port,
            keepalive=max(1, round(target.keepalive_s)),
            properties=properties,
        )
        return client

    async def connect(self) -> LinkLimits:
        """TLS and websocket, then wait for CONNACK."""
        if self._target.transport == "mqtt":
            self._client.reconnect()  # only takes the socket over
        else:
            await self._shake_hands()
        self._take_over_socket()
        try:
            async with asyncio.timeout(CONNECT_S):
                return await self._connack
        except TimeoutError:
            self.close()
            if self._subscribing:
                raise ConnectError(
                    f"{self._where}: no answer to our subscription in {CONNECT_S:g} s"
                ) from None
            raise ConnectError(
                f"{self._where}: connected, but no CONNACK in {CONNECT_S:g} s: "
                "is this an MQTT broker?"
            ) from None
        except (asyncio.CancelledError, ConnectError):
            self.close()
            raise

    async def _shake_hands(self) -> None:
        """In a thread: paho does it blocking."""
        opening = self._loop.run_in_executor(_DAEMON, self._client.reconnect)
        try:
            async with asyncio.timeout(2 * CONNECT_S):
                await asyncio.shield(opening)
        # Time-outs, an answer that is no HTTP included.
        except (OSError, ValueError, LookupError) as exc:
            _discard(opening, self._client)
            raise self._not_opened(exc) from None
        except asyncio.CancelledError:
            _discard(opening, self._client)
            raise

    def _not_opened(self, exc: Exception) -> ConnectError:
        """What a person reads when no connection came about."""
        if isinstance(exc, tls.HandshakeEndedError):
            return HandshakeEndedError(
                f"{self._where}: the broker ended the TLS handshake: does it speak TLS "
                "on this port (8883 is usual)?"
            )
        if self._context is not None:
            said = tls_words.failed_handshake(exc, self._target, self._context)
            if said is not None:
                return said
        if isinstance(exc, paho.WebsocketConnectionError):
            return ConnectError(
                f"{self._where}: no websocket there: check port and path"
            )
        return unreachable(self._target, exc)

    def _take_over_socket(self) -> None:
        opened = self._client.socket()
        if opened is None:
            raise ConnectError(f"{self._where}: the connection closed at once")
        self._fd = opened.fileno()
        self._loop.add_reader(self._fd, self._read)
        self._flush()
        self._read_pending()
        self._misc = self._loop.call_later(self._misc_s, self._on_misc)

    def publish(
        self, topic: str, payload: bytes, *, retain: bool
    ) -> asyncio.Future[None]:
        """Hand one message to paho; the future is done on its PUBACK."""
        proof: asyncio.Future[None] = self._loop.create_future()
        if self.lost is not None or self._closing:
            proof.set_exception(self.lost or LinkLostError("closed"))
            return proof
        if self._ending is not None and not self._waiting:
            # Between two messages: this is the moment that was waited for.
            proof.set_exception(self._ending)
            return proof
        info = self._client.publish(topic, payload, qos=1, retain=retain)
        if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._waiting[info.mid] = proof
        else:
            proof.set_exception(LinkLostError(paho.error_string(info.rc)))
        return proof

    def close(self) -> None:
        """DISCONNECT if connected; close the socket; no callback after this."""
        self._closing = True
        if self._fd >= 0:
            self._client.disconnect()
            # Sends DISCONNECT if the socket takes it, and then closes the socket.
            self._client.loop_write()
            self._forget()
        self._client.abandon()
        self._end(LinkLostError("closed"))

    def end_politely(self, cause: LinkLostError) -> None:
        """End between two messages, or with some unproved if that takes too long."""
        if self._ending is not None or self.lost is not None:
            return
        self._ending = cause
        if self._waiting:
            self._patience = self._loop.call_later(POLITE_S, self._end, cause)
        else:
            self._end(cause)

    # -- the socket, driven by the loop --------------------------------------

    def _read(self) -> None:
        """Take what has come."""
        self._client.loop_read()
        self._read_pending()

    def _read_pending(self) -> None:
        """What TLS has decrypted already makes no socket readable: take it as well."""
        pending = getattr(self._client.socket(), "pending", None)
        if self._fd >= 0 and pending is not None and pending():
            self._loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        if self._fd >= 0:
            self._read()

    def _on_register_write(self, *_args: object) -> None:
        # Also called by the connecting thread, before the socket is ours.
        if self._fd >= 0 and not self._flush_due:
            self._flush_due = True
            self._loop.call_soon(self._flush)

    def _on_unregister_write(self, *_args: object) -> None:
        if self._writing and self._fd >= 0:
            self._writing = False
            self._loop.remove_writer(self._fd)

    def _flush(self) -> None:
        """Write at once; wait for the socket only if it does not take it all."""
        self._flush_due = False
        if self._fd < 0:
            return
        self._client.loop_write()
        if self._fd >= 0 and self._client.want_write() and not self._writing:
            self._writing = True
            self._loop.add_writer(self._fd, self._client.loop_write)

    def _on_socket_close(self, *_args: object) -> None:
        self._forget()

    def _forget(self) -> None:
        """The loop knows the socket no more; paho, or ``abandon``, closes it."""
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        self._loop.remove_reader(fd)
        if self._writing:
            self._writing = False
            self._loop.remove_writer(fd)

    def _on_misc(self) -> None:
        """Keepalive: PINGREQ after silence, the end after a silent PINGREQ."""
        if self._fd >= 0:
            self._misc = self._loop.call_later(self._misc_s, self._on_misc)
            self._client.loop_misc()

    # -- what paho reports ---------------------------------------------------

    def _on_connect(
        self,
        _client: paho.Client,
        _data: object,
        _flags: object,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if self._connack.done():
            return
        if not reason.is_failure:
            self._announced = self._limits(properties)
            self._subscribe()
        elif reason.value == _UNSUPPORTED_VERSION:
            name = _VERSION_NAMES[self._version]
            self._connack.set_exception(
                VersionRefusedError(f"{self._where}: the broker refuses {name}")
            )
        elif reason.value in _CREDENTIALS:
            self._connack.set_exception(
                CredentialsError(
                    f"{self._where}: {reason}: check user name, password and client id"
                )
            )
        else:
            self._connack.set_exception(ConnectError(f"{self._where}: {reason}"))

    def _subscribe(self) -> None:
        """Ask for our topics; the connection stands when the broker gives them."""
        for topic in self._topics:
            _, mid = self._client.subscribe(topic, qos=1)
            if mid is not None:
                self._subscribing[mid] = topic
        if not self._topics:
            self._connack.set_result(self._announced)

    def _on_subscribe(
        self,
        _client: paho.Client,
        _data: object,
        mid: int,
        reasons: list[ReasonCode],
        _properties: object,
    ) -> None:
        topic = self._subscribing.pop(mid, None)
        if topic is None or self._connack.done():
            return
        refusal = next((r for r in reasons if r.is_failure), None)
        if refusal is not None:
            self._connack.set_exception(
                CredentialsError(
                    f"{self._where}: no subscription to {topic}: {refusal}: "
                    "let this user read that topic"
                )
            )
        elif not self._subscribing:
            self._connack.set_result(self._announced)

    def _on_message(
        self, _client: paho.Client, _data: object, message: paho.MQTTMessage
    ) -> None:
        callback = self._topics.get(message.topic)
        if callback is None:
            return
        size = len(message.payload)
        if size > INBOUND_MAX:  # MQTT 3.1.1 has no way to tell the broker
            if not self._told_too_large:
                self._told_too_large = True
                said = {"topic": message.topic, "size": size, "limit": INBOUND_MAX}
                log.warning("%s", t("uplink.inbound_too_large", **said))
            return
        # Not from here: an error in there would leave paho in the middle of a packet.
        self._loop.call_soon(callback, bytes(message.payload))

    def _limits(self, properties: Properties | None) -> LinkLimits:
        def announced(name: str) -> int | None:
            value = getattr(properties, name, None)
            return value if isinstance(value, int) else None

        return LinkLimits(
            max_packet=announced("MaximumPacketSize"),
            receive_max=announced("ReceiveMaximum") or 65_535,
            version=_VERSION_NAMES[self._version],
        )

    def _on_publish(
        self,
        _client: paho.Client,
        _data: object,
        mid: int,
        reason: ReasonCode,
        _properties: object,
    ) -> None:
        proof = self._waiting.pop(mid, None)
        if proof is None or proof.done():
            return
        if reason.value < _REFUSED:
            proof.set_result(None)
        else:
            proof.set_exception(
                RefusedError(
                    f"{reason} (0x{reason.value:02x})",
                    blames_message=reason.value in _MESSAGE_AT_FAULT,
                )
            )
        if self._ending is not None and not self._waiting:
            # Not from here: paho is in the middle of a packet.
            self._loop.call_soon(self._end, self._ending)

    def _on_disconnect(
        self,
        _client: paho.Client,
        _data: object,
        flags: paho.DisconnectFlags,
        reason: ReasonCode,
        _properties: object,
    ) -> None:
        if flags.is_disconnect_packet_from_server and reason.value == _TAKEN_OVER:
            self._end(TakenOverError(f"{self._where}: {reason}"))
        elif flags.is_disconnect_packet_from_server:
            self._end(LinkLostError(f"{self._where}: the broker closed: {reason}"))
        else:
            self._end(LinkLostError(f"{self._where}: connection lost"))

    def _end(self, cause: LinkLostError) -> None:
        """The connection is over: whatever was on its way is unproved."""
        if self.lost is not None:
            return
        self.lost = cause
        for timer in (self._misc, self._patience):
            if timer is not None:
                timer.cancel()
        if not self._connack.done():
            self._connack.set_exception(self._why_hung_up())
            self._connack.exception()  # seen, even if nobody waits any more
        for proof in self._waiting.values():
            if not proof.done():
                proof.set_exception(cause)
        self._waiting.clear()
        if not self._closing:
            self._on_lost(cause)

    def _why_hung_up(self) -> ConnectError:
        said = tls_words.refused_after_handshake(self._context, self._target)
        if said is not None:
            return said
        if self._context is None and self._target.port in TLS_PORTS:
            return HungUpError(
                f"{self._where}: the broker hung up on CONNECT: this port usually "
                "wants TLS (mqtts:// or wss://)"
            )
        return HungUpError(f"{self._where}: the broker hung up on CONNECT")


def _discard(opening: asyncio.Future[MQTTErrorCode], client: Client) -> None:
    """Nobody waits for this connection any more: close it when it comes about."""

    def close(done: asyncio.Future[MQTTErrorCode]) -> None:
        if not done.cancelled():
            done.exception()  # seen
            client.abandon()

    opening.add_done_callback(close)


_DAEMON = DaemonExecutor()
