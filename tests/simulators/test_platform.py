"""The platform as a process: it judges, and it tells gateways what it has."""

from __future__ import annotations

import json
import time

import pytest

from simulators.broker import Broker
from tests.support.brokers import Subscriber
from tests.support.spawn import Spawned


def data(*seqs, device="d", **keys):
    records = [
        {"seq": n, "kind": "scan", "t": 1000 * n, "device": device, "values": {"x": n}}
        for n in seqs
    ]
    return json.dumps(
        {"v": 1, "gw": "g", "store": "5f2c9a00", "meta": "aaaa0001", "lane": "live",
         "sent": 0, "records": records} | keys
    )  # fmt: skip


def until(condition, wait_s=10):
    deadline = time.monotonic() + wait_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.needs("mosquitto")
def test_receipts_reach_the_gateway_and_repair_themselves(tmp_path) -> None:
    with (
        Broker.start(tmp_path, kind="mosquitto") as broker,
        Subscriber(broker.port, "ecogate/v1/+/receipt") as gateway,
        Spawned(
            "simulators.platform",
            *("--port", broker.port, "--json", "--receipts", 0.1),
            *("--refuse", "hot=too hot"),
        ) as platform,
    ):
        assert platform.ready["subscribed"]
        publish = gateway._client.publish
        publish("ecogate/v1/g/data", data(1, 2, 3), qos=1)
        publish("ecogate/v1/g/data", data(4, device="hot"), qos=1)
        until(lambda: b"too hot" in b"".join(m.payload for m in gateway.take()))
        publish("ecogate/v1/g/data", data(2, again=True), qos=1)
        until(lambda: any(m.body["ok"] == [[2, 2]] for m in gateway.take()))

        said = [m.body for m in gateway.take()]
        held = {n for body in said for a, b in body["ok"] for n in range(a, b + 1)}
        assert held == {1, 2, 3}
        assert [x for b in said for x in b["refused"]] == [[4, 4, "too hot"]]
        assert all(body["store"] == "5f2c9a00" for body in said)
