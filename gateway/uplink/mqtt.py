"""MQTT links: which broker, which version, which password.

MQTT 5 first; a broker that refuses it, or that hangs up on it and then takes 3.1.1, is
asked for 3.1.1 from then on.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gateway.uplink.link import ConnectError
from gateway.uplink.paho_driver import (
    V5,
    V311,
    HungUpError,
    PahoDriver,
    VersionRefusedError,
)

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from paho.mqtt.enums import MQTTProtocolVersion

    from gateway.config.model import MqttTarget
    from gateway.uplink.link import LinkLimits, LinkLostError, Terms


class MqttConnector:
    """Makes links to MQTT brokers and remembers which version each one speaks."""

    def __init__(self) -> None:
        self._spoken: dict[tuple[str, int], MQTTProtocolVersion] = {}

    def __call__(self, target: MqttTarget, terms: Terms) -> MqttLink:
        """A link that is not connected yet."""
        return MqttLink(target, terms, self._spoken)


class MqttLink:
    """One connection to one broker; see ``link.Link``."""

    def __init__(
        self,
        target: MqttTarget,
        terms: Terms,
        spoken: dict[tuple[str, int], MQTTProtocolVersion],
    ) -> None:
        self._target = target
        self._terms = terms
        self._spoken = spoken
        self._driver: PahoDriver | None = None
        self._callback: Callable[[LinkLostError], None] | None = None
        self._topics: dict[str, Callable[[bytes], None]] = {}

    def subscribe(self, topic: str, callback: Callable[[bytes], None]) -> None:
        """Have the messages on a topic handed over; before ``connect``."""
        self._topics[topic] = callback

    async def connect(self) -> LinkLimits:
        """Connect in the newest version that the broker takes."""
        broker = (self._target.host, self._target.port)
        version = self._spoken.get(broker, V5)
        try:
            return await self._attempt(version)
        except (VersionRefusedError, HungUpError):
            if version is not V5:
                raise
        limits = await self._attempt(V311)
        self._spoken[broker] = V311
        return limits

    async def _attempt(self, version: MQTTProtocolVersion) -> LinkLimits:
        driver = PahoDriver(
            self._target,
            self._terms,
            version,
            password_of(self._target),
            self._on_lost,
            self._topics,
        )
        limits = await driver.connect()
        self._driver = driver
        return limits

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
        if self._callback is not None:
            self._callback(cause)

    async def close(self) -> None:
        """Say DISCONNECT, so that the broker does not send our will; close."""
        self._callback = None
        if self._driver is not None:
            self._driver.close()


def password_of(target: MqttTarget) -> str | None:
    """The password by file or environment; never logged.

    Raises:
        ConnectError: It is named but not there.
    """
    if target.password_file is not None:
        try:
            return target.password_file.read_text("utf-8").strip("\r\n")
        except (OSError, UnicodeDecodeError) as exc:
            raise ConnectError(
                f"password file {target.password_file}: cannot be read: {exc}"
            ) from exc
    if target.password_env is not None:
        password = os.environ.get(target.password_env)
        if password is None:
            raise ConnectError(
                f"environment variable {target.password_env} with the password of "
                f"{target.name} is not set"
            )
        return password
    return None
