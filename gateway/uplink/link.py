"""The seam between the pump and a protocol: one connection to one platform.

LinkError
├── ConnectError        no connection: try again soon
│   ├── CredentialsError    the platform knows us not: try again, but rarely
│   └── SetupError          certificates, secrets or clock are wrong: likewise
├── LinkLostError       the connection is gone; what was on its way is unproved
│   ├── TakenOverError      another client came with our id
│   └── RenewedError        we ended it ourselves, to use new certificates
└── RefusedError        the platform answered "no" to one message; the link lives
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from gateway.config.model import MqttTarget


class LinkError(Exception):
    """Something between us and a platform went wrong."""


class ConnectError(LinkError):
    """No connection came about."""

    cause = ""
    """What a person must mend, as a word; told once as an event. Empty: nothing."""
    answered = False
    """Somebody was there and closed the connection again."""


class CredentialsError(ConnectError):
    """The platform refused who we say we are."""


class SetupError(ConnectError):
    """What makes a connection safe is not as it should be: a person must act.

    ``cause`` is ``secret``, ``tls_files``, ``tls_authority``, ``tls_name``,
    ``tls_expired``, ``tls_not_yet``, ``tls_self_signed``, ``tls_version``,
    ``tls_no_tls``, ``tls_client`` or ``tls_other``.
    """

    def __init__(self, message: str, cause: str) -> None:
        super().__init__(message)
        self.cause = cause


class LinkLostError(LinkError):
    """The connection is gone."""


class TakenOverError(LinkLostError):
    """The platform closed the connection because our id connected again."""


class RenewedError(LinkLostError):
    """Certificates have changed: the next connection uses the new ones."""


class RefusedError(LinkError):
    """One message was refused."""

    def __init__(self, reason: str, *, blames_message: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.blames_message = blames_message
        """It may be this message's own fault; else the platform refuses whatever
        comes (not authorized, quota exceeded)."""


INBOUND_MAX = 256_000
"""Bytes of the largest message that is taken from a platform."""


class LinkLimits(msgspec.Struct, frozen=True):
    """What the platform announced."""

    max_packet: int | None = None
    """Bytes of a whole packet, topic and headers included; None: not said."""
    receive_max: int = 65_535
    """Messages without proof that it lets us have on their way."""
    version: str = ""


class Terms(msgspec.Struct, frozen=True):
    """Who connects, and what is said for us if we vanish."""

    client_id: str
    will_topic: str
    will_payload: bytes
    floor_ms: int = 0
    """It is certainly later than this; a clock that says less is wrong."""


class Link(Protocol):
    """One connection, used once: a new one is made for every attempt."""

    def subscribe(self, topic: str, callback: Callable[[bytes], None]) -> None:
        """Have each message that comes on a topic handed over, in order.

        Called before ``connect``. A message of more than ``INBOUND_MAX`` bytes is not
        handed over. Messages come at least once, those sent while there is no
        connection not at all.
        """
        ...

    async def connect(self) -> LinkLimits:
        """Connect and agree on limits.

        Raises:
            ConnectError: No; the message says where, what came and what to do.
        """
        ...

    def publish(
        self, topic: str, payload: bytes, *, retain: bool = False
    ) -> asyncio.Future[None]:
        """Send one message at least once (QoS 1).

        Returns:
            Done on the platform's own proof; else RefusedError or LinkLostError.
            Proofs come in the order of publishing.
        """
        ...

    def on_lost(self, callback: Callable[[LinkLostError], None]) -> None:
        """Have this called once when the connection goes without ``close``."""
        ...

    async def close(self) -> None:
        """Say goodbye and close; may be called twice."""
        ...


class Connector(Protocol):
    """Makes the next link to a target."""

    def __call__(self, target: MqttTarget, terms: Terms) -> Link:
        """A link that is not connected yet."""
        ...
