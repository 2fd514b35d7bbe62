from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from gateway.config.model import (
    BufferLimits,
    HistoryLimits,
    MqttTarget,
    Site,
    SiteInfo,
)
from gateway.reload import Change, compare
from tests.support.fake_bus import bus_conf, device_conf


def site(**more):
    fields = {
        "gateway": "site-07",
        "buffer": BufferLimits(path=Path("/data")),
        "buses": {"plc": bus_conf(), "rs": bus_conf("rs")},
        "devices": {
            "a": device_conf("a"),
            "b": device_conf("b", address=2),
            "c": device_conf("c", bus="rs"),
        },
        "targets": {"platform": MqttTarget(name="platform", host="127.0.0.1")},
    }
    return Site(**{**fields, **more})


def test_the_same_file_a_hundred_times_touches_nothing():
    assert all(compare(site(), site()).nothing for _ in range(100))


def test_a_changed_point_touches_its_device_only():
    devices = {**site().devices, "b": device_conf("b", address=2, points=("p9",))}

    assert compare(site(), site(devices=devices)) == Change(devices={"plc": ["b"]})


def test_a_changed_transport_restarts_that_bus_whatever_its_devices():
    buses = {**site().buses, "plc": bus_conf(timeout_s=1.0)}
    devices = {**site().devices, "b": device_conf("b", address=9)}

    change = compare(site(), site(buses=buses, devices=devices))

    assert change == Change(buses_restarted=["plc"])


def test_devices_added_moved_and_removed_are_handed_over():
    devices = {
        "a": device_conf("a", bus="rs"),
        "b": device_conf("b", address=2),
        "d": device_conf("d", bus="rs", address=4),
    }

    change = compare(site(), site(devices=devices))

    assert change.devices.keys() == {"plc", "rs"}
    assert set(change.devices["plc"]) == {"a"}
    assert set(change.devices["rs"]) == {"a", "c", "d"}


def test_a_changed_target_reconnects_and_others_do_not():
    other = MqttTarget(name="city", host="127.0.0.2")
    targets = {"platform": MqttTarget(name="platform", host="h"), "city": other}

    change = compare(
        site(targets={**site().targets, "city": other}), site(targets=targets)
    )

    assert change == Change(targets_changed=["platform"])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("gateway", "site-08"),
        ("buffer", BufferLimits(path=Path("/elsewhere"))),
        ("clock_trust", "always"),
        ("history", HistoryLimits(max_bytes=2_000_000_000)),
    ],
)
def test_what_needs_a_restart_is_refused_and_said(field, value):
    change = compare(site(), msgspec.structs.replace(site(), **{field: value}))

    assert len(change.refused) == 1
    assert change.refusal()


def test_who_and_where_changes_only_the_description():
    change = compare(site(), site(info=SiteInfo(region="130203")))

    assert change == Change(site=True)
    assert change.said()
