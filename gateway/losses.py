"""States what the buffer lost as ``lost`` records of their own.

A loss is settled durably together with the record that states it, so that a crash
between the two leaves neither a silent hole nor the same loss stated twice.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from buffer import PriorityClass
from gateway.record import Lost, encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from buffer import Buffer, Loss
    from gateway.clock import Clock

SUBJECT = ""
"""Losses of ``lost`` records themselves are counted under no device."""


async def state_losses(
    buffer: Buffer,
    clock: Clock,
    meta: Callable[[], str],
    on_lost: Callable[[Lost], None] = lambda _lost: None,
) -> None:
    """Append a ``lost`` record for every loss, old and new, until cancelled.

    Args:
        buffer: What lost, and what the statements go to.
        clock: When a loss was noticed.
        meta: The current version's id.
        on_lost: Called with every statement; the same loss may be stated twice.
    """
    # The callback may come from inside an append: the statements wait for a turn.
    wake = asyncio.Event()
    unsubscribe = buffer.on_loss(wake.set)
    try:
        while True:
            wake.clear()
            for loss in buffer.losses():
                lost = lost_record(loss, clock)
                buffer.append(
                    encode(lost, meta()),
                    cls=PriorityClass.EVENT,
                    subject=SUBJECT,
                    t_ms=lost.at.wall_ms,
                    settles=loss.id,
                )
                on_lost(lost)
            await wake.wait()
    finally:
        unsubscribe()


def lost_record(loss: Loss, clock: Clock) -> Lost:
    """What the platform is told of a loss, noticed now."""
    return Lost(
        first=loss.first,
        last=loss.last,
        t_ms=loss.t_ms,
        # 0 is the time of records nobody could date: then the end is not known, too.
        until_ms=loss.until_ms if loss.t_ms else 0,
        counts=loss.counts,
        cause=loss.cause,
        certain=loss.certain,
        at_most=loss.at_most,
        at=clock.now(),
    )
