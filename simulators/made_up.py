"""Messages of gateways that do not exist, in the documented shape, cheap to make.

A thousand made-up gateways share one processor: a scan's JSON is put together from
finished parts, and its values repeat after a while. Nothing else about it is special.
"""

from __future__ import annotations

import json
import random
from typing import NamedTuple

_NAMES = ("so2", "nox", "o2", "dust", "flow", "temp", "pressure", "humidity", "co",
          "hcl")  # fmt: skip
_VARIANTS = 64
META = "a7c0ffee"


class Scan(NamedTuple):
    """One record to send."""

    seq: int
    t: int
    """UTC ms."""


class MadeUp:
    """One gateway's words.

    Args:
        number: Which; names and values follow from it.
        prefix: Topics begin with it and the gateway's name.
        values: Points of its one device.
        every_s: The period its description states.
        store: Eight hex digits.
    """

    def __init__(
        self, number: int, *, prefix: str, values: int, every_s: float, store: str
    ) -> None:
        self.name = f"sim-{number:05d}"
        self.topic = f"{prefix}/{self.name}"
        self.data_topic = f"{self.topic}/data".encode()
        self._values, self._every_s, self._store = values, every_s, store
        head = {"v": 1, "gw": self.name, "store": store, "meta": META, "lane": ""}
        self._head = json.dumps(head, separators=(",", ":"))[:-2].encode()

    def data(self, lane: str, scans: list[Scan], sent: int) -> bytes:
        """A ``data`` message."""
        bodies = _bodies(self._values)
        records = b",".join(
            b'{"seq":%d,"kind":"scan","t":%d,%b' % (seq, t, bodies[seq % _VARIANTS])
            for seq, t in scans
        )
        sent_and_records = b'","sent":%d,"records":[%b]}' % (sent, records)
        return self._head + lane.encode() + sent_and_records

    def status(self, state: str, sent: int, high: int, backlog: int) -> bytes:
        """A ``status`` message; ``lost`` is the last will."""
        said: dict[str, object] = {"v": 1, "gw": self.name, "state": state}
        if state == "lost":
            return json.dumps(said | {"connected": sent}).encode()
        said |= {
            "sent": sent,
            "store": self._store,
            "seq_high": high,
            "backlog": {
                "event": {"records": 0},
                "live": {"records": 0},
                "backfill": {"records": backlog},
            },
            "set_aside": 0,
            "clock": {"state": "trusted", "offset_ms": 0.4},
            "disk": {"state": "ok", "free": 12_000_000_000, "bytes_per_day": 40_000},
            "uptime_s": 3600,
            "versions": {"ecogate": "0", "format": 1},
            "meta": META,
            "devices": {"good": 1, "bad": 0},
        }
        return json.dumps(said, separators=(",", ":")).encode()

    def meta(self) -> bytes:
        """A ``meta`` message."""
        points = [
            {"n": n, "device": "cems-1", "name": name, "unit": "mg/m3",
             "label": {"zh": name, "en": name}, "every_ms": int(self._every_s * 1000)}
            for n, name in enumerate(_point_names(self._values), 1)
        ]  # fmt: skip
        said = {
            "v": 1,
            "meta": META,
            "gateway": {"id": self.name, "sw": "0"},
            "site": {"code": "91130200699229617X001P", "tz": "Asia/Shanghai"},
            "assets": [{"id": "DA001", "kind": "outlet"}],
            "devices": [{"id": "cems-1", "asset": "DA001"}],
            "points": points,
        }
        return json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode()


def _point_names(values: int) -> list[str]:
    rounds = range(-(-values // len(_NAMES)))
    names = [f"{name}{turn or ''}" for turn in rounds for name in _NAMES]
    return names[:values]


_made: dict[int, list[bytes]] = {}


def _bodies(values: int) -> list[bytes]:
    """Finished ends of scan records, the same in every run."""
    if values not in _made:
        rng = random.Random(values)
        names = _point_names(values)
        _made[values] = [
            json.dumps(
                {"device": "cems-1",
                 "values": {name: round(rng.uniform(1, 200), 2) for name in names}},
                separators=(",", ":"),
            )[1:].encode()
            for _ in range(_VARIANTS)
        ]  # fmt: skip
    return _made[values]
