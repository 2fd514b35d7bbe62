"""What the comparison with peers stands on; no peer is installed or run here."""

from __future__ import annotations

import json

import pytest

from benchmarks.peers.listing import PEERS
from benchmarks.peers.load import Block, Load, Place, plain
from benchmarks.peers.runs import _counters
from benchmarks.peers.subscriber import Ledger
from simulators.bench import identity
from simulators.births import Birth

MS = 1_000_000


def test_spans_are_cut_into_requests_of_equal_size():
    assert plain(20, 100).blocks == [Block(0, 100), Block(100, 100)]
    assert plain(1, 10).blocks == [Block(0, 20)]
    assert plain(1, 10).blocks[0].points == [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]


@pytest.mark.parametrize(
    ("key", "topic", "payload"),
    [
        (
            "ecogate",
            "ecogate/v1/bench/data",
            {"records": [
                {"kind": "gap"},
                {"kind": "scan", "device": "bench-3", "values": {"r0": 5}},
            ]},
        ),
        ("modpoll", "modpoll/bench-3/data", {"r0": 5}),
        (
            "tb-file",
            "v1/gateway/telemetry",
            {"bench-3": [{"ts": 1, "values": {"s0.r0": 5}}]},
        ),
    ],
)  # fmt: skip
def test_each_payload_is_read(key, topic, payload):
    found = list(PEERS[key].readings(topic, json.dumps(payload).encode()))
    assert found == [("bench-3", {"r0": 5})]


def test_the_stub_answers_the_question_for_limits_and_nothing_else():
    ask = b'{"method": "getSessionLimits"}'
    topic, answer = PEERS["tb-file"].reply("v1/devices/me/rpc/request/7", ask)
    assert topic == "v1/devices/me/rpc/response/7"
    assert json.loads(answer)["rateLimits"] == {}
    assert PEERS["tb-file"].reply("v1/devices/me/rpc/request/7", b"{}") is None


def test_the_ledger_tells_age_wrong_and_repeated():
    ledger = Ledger(0)
    ledger.take("bench-2", {"r0": 90, "r2": identity(2, 2), "r4": 7}, 100 * MS)
    ledger.take("bench-2", {"r0": None, "r2": identity(2, 8), "r4": 7}, 200 * MS)
    seen = ledger.report(0, 300 * MS)
    assert (seen["values"], seen["judged"], seen["wrong"]) == (5, 2, 1)
    assert seen["fresh_p50_ms"] == 10.0
    assert (seen["repeats"], ledger.counters) == (1, {(2, 4, 7)})
    assert ledger.report(150 * MS, 300 * MS)["first_ns"] == 200 * MS


def test_only_whole_counters_of_the_time_are_due():
    births = [
        Birth(100, 1, 3, 0, 11, 5),
        Birth(999, 1, 3, 0, 12, 6),
    ]
    load = plain(1, 6)
    assert _counters(births, load, 0, 500) == {(1, 4, 5)}
    assert _counters(births, load, 500, 1000) == {(1, 4, 6), (1, 10, 6)}


def test_modpoll_gets_one_file_a_device(tmp_path):
    load = Load(2, (Block(0, 4),))
    command = PEERS["modpoll"].command(tmp_path, tmp_path, load, Place(1, (5, 5)))
    assert (tmp_path / "bench-2.csv").read_text().splitlines() == [
        "device,bench-2,2,,",
        "poll,holding_register,0,4,BE_BE",
        "ref,r0,0,uint32,r",
        "ref,r2,2,uint32,r",
    ]
    assert command[-2:] == [str(tmp_path / f"bench-{n}.csv") for n in (1, 2)]
