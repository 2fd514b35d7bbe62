"""How one target is doing, whatever it speaks: for people, and told once a change."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal

import msgspec

from gateway.logs import CHANGE
from gateway.texts import t
from gateway.uplink.aside import Aside
from gateway.uplink.lanes import EVENTS, OTHERS, PICTURES, LaneName
from gateway.uplink.link import ConnectError, CredentialsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from buffer import PriorityClass
    from gateway.uplink.delivery import Delivery
    from gateway.uplink.link import LinkError
    from gateway.uplink.source import Backlog, Source

log = logging.getLogger(__name__)

State = Literal["connecting", "online", "offline", "refused", "taken_over", "stopped"]


class PumpHealth(msgspec.Struct, kw_only=True):
    """How one target is doing; times are the wall clock's, ms."""

    target: str
    state: State = "connecting"
    since_ms: int = 0
    reason: str = ""
    """Why it is not online, for people."""
    cause: str = ""
    """What a person must mend, see ``link.SetupError``; empty: nothing."""
    plaintext: bool = False
    """Records cross a network unencrypted, as the site file accepts."""
    version: str = ""
    records: int = 0
    messages: int = 0
    in_flight: int = 0
    connections: int = 0
    set_aside: int = 0
    """Records that can never be delivered here, since the store is there."""
    last_set_aside: str = ""
    aside: list[Aside] = []
    """The newest of them, oldest first."""
    backlog: int = 0
    oldest_t_ms: int | None = None
    lanes: dict[LaneName, int] = {}
    """The backlog by lane."""
    filtered: int = 0
    """Records this target does not want, since the start."""
    awaiting_receipt: int | None = None
    """Sent and not confirmed by the platform; None: receipts are off."""
    receipts_ignored: int = 0
    proves: bool = True
    """False: this target asks for no answer; what it was sent is only written."""
    written: int = 0
    """Of ``records`` those handed over without any proof."""


class Condition:
    """Keeps a target's health."""

    def __init__(
        self,
        health: PumpHealth,
        wall_ms: Callable[[], int],
        on_change: Callable[[PumpHealth], None] | None,
        client: str = "",
    ) -> None:
        """Begin.

        Args:
            health: As it is before anything was tried.
            wall_ms: The wall clock.
            on_change: Called with each change of ``state``.
            client: As whom we connect, where another may take our place.
        """
        self.health = health
        self._wall_ms = wall_ms
        self._on_change = on_change
        self._client = client

    def become(
        self, state: State, reason: str = "", *, lost: bool = False, cause: str = ""
    ) -> None:
        """Note the state; each change is logged and told once.

        Args:
            state: What it is now.
            reason: Why, for people.
            lost: There was a connection before.
            cause: What a person must mend.
        """
        health = self.health
        health.reason = reason
        if health.state == state and health.cause == cause:
            return
        health.cause = cause
        health.state, health.since_ms = state, self._wall_ms()
        if state == "online":
            said = t("uplink.online", target=health.target, version=health.version)
            log.info("%s", said, extra=CHANGE)
        elif state == "taken_over":
            said = t("uplink.taken_over", target=health.target, client=self._client)
            log.warning("%s", said, extra=CHANGE)
        elif state in {"offline", "refused"}:
            key = "uplink.offline" if lost else "uplink.unreachable"
            said = t(key, target=health.target, reason=reason)
            log.warning("%s", said, extra=CHANGE)
        if self._on_change is not None:
            self._on_change(health)

    def ended(self, exc: LinkError, *, lost: bool) -> None:
        """A connection ended, or did not come about.

        Args:
            exc: Why.
            lost: There was one.
        """
        state: State = "refused" if isinstance(exc, CredentialsError) else "offline"
        cause = exc.cause if isinstance(exc, ConnectError) else ""
        self.become(state, str(exc), lost=lost, cause=cause)

    def look(
        self,
        delivery: Delivery,
        source: Source,
        edge: int,
        others: frozenset[PriorityClass] = OTHERS,
    ) -> PumpHealth:
        """With what the store and the delivery know now; see ``backlogs``."""
        health = self.health
        classes = None if others is OTHERS else EVENTS | others
        backlog = source.backlog(health.target, classes=classes)
        health.records = delivery.records
        health.set_aside = delivery.aside.count
        health.aside = list(delivery.aside.newest)
        health.last_set_aside = health.aside[-1].reason if health.aside else ""
        health.backlog = backlog.records
        health.oldest_t_ms = backlog.oldest_t_ms or None
        lanes = backlogs(source, health.target, edge, others)
        health.lanes = {name: part.records for name, part in lanes.items()}
        health.filtered = delivery.skipped.count
        return health


def backlogs(
    source: Source,
    target: str,
    edge: int,
    others: frozenset[PriorityClass] = OTHERS,
) -> dict[LaneName, Backlog]:
    """What a target is owed, by lane.

    Args:
        source: The buffer.
        target: Its name.
        edge: The highest seq when it connected; without a connection the highest of
            all: what is no event is old then.
        others: Which classes beside events are for this target at all. What waits in
            the store and will be passed by is owed to nobody.

    Returns:
        Records and age by lane; ``media`` only where a picture waits.
    """
    found: dict[LaneName, Backlog] = {
        "event": source.backlog(target, classes=EVENTS),
        "live": source.backlog(target, above=edge, classes=others),
        "backfill": source.backlog(target, upto=edge, classes=others),
    }
    if others is OTHERS:
        pictures = source.backlog(target, classes=PICTURES)
        if pictures.records:
            found["media"] = pictures
    return found
