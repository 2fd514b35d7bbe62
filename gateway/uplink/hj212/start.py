"""One HJ 212 target put together for the running gateway."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from gateway.uplink.hj212.assemble import Workers, receive
from gateway.uplink.hj212.formats import FACILITY
from gateway.uplink.hj212.pump import Hj212Pump

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.app import App
    from gateway.config.model import Hj212Target
    from gateway.config.stations import Station


def make_pump(
    app: App, conf: Hj212Target, promise: Callable[[float], None]
) -> Hj212Pump:
    """What delivers to this target; nothing is opened yet.

    Args:
        app: The gateway.
        conf: The target.
        promise: Told until when the pump will report again.
    """
    site, clock = app.site, app.clock
    station = site.stations[conf.station]
    received = receive(
        conf,
        station,
        notes=app.buffer,
        folder=site.buffer.path,
        history=app.history,
        marks=app.history,
        instruments=Workers(app.workers, lambda: app.site.devices),
        now=clock.now,
        tell=app.record,
        timezone=site.info.timezone,
        facilities=_has_facilities(conf, station),
    )
    return Hj212Pump(
        conf,
        station,
        app.buffer,
        received.settings,
        received.host,
        board=app.board,
        marks=app.history,
        timezone=site.info.timezone,
        wall_ms=clock.wall_ms,
        trusted=lambda: clock.now().trusted,
        started_ms=app.runs.began.wall_ms,
        sealer=received.access.open,
        promise=promise,
        on_change=app.told.changed,
        on_set_aside=partial(app.told.set_aside, conf.name),
        ledger=app.books.ledger,
    )


def _has_facilities(conf: Hj212Target, station: Station) -> bool:
    codes = {factor.name: factor.code for factor in station.factors}
    codes |= {name: one.code for name, one in conf.factors.items() if one.code}
    return any(code is not None and FACILITY.match(code) for code in codes.values())
