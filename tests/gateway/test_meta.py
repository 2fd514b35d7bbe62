"""The site's versions: durable before use, found again, let go when unused."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest

from drivers.profiles.model import Loop, ModbusPoint, Profile
from gateway import meta as meta_module
from gateway.config.model import Asset, BufferLimits, Device, Site, SiteInfo
from gateway.meta import KEEP_MS, MetaStore, content_id, describe


def make_site(**changes):
    points = (
        ModbusPoint(
            name="so2",
            table="holding",
            address=0,
            type="float32",
            unit="mg/m3",
            code="a21026",
            minimum=0.0,
            maximum=200.0,
            decimals=1,
            label={"zh": "二氧化硫", "en": "SO2"},
        ),
        ModbusPoint(
            name="state",
            table="holding",
            address=9,
            type="uint16",
            bits={3: "door_open"},
            every_s=60.0,
        ),
    )
    profile = Profile(
        profile="generic-cems",
        revision=3,
        maker="Acme",
        models=("C-1",),
        evidence="manual",
        source="Acme list",
        points=points,
    )
    site = {
        "gateway": "site-07",
        "info": SiteInfo(
            code="91130200699229617X001P",
            name={"zh": "热电厂", "en": "Power plant"},
            region="130203",
            grid="2-3-017",
            position=(118.18012, 39.63041),
        ),
        "assets": {"DA001": Asset(id="DA001", kind="outlet")},
        "buffer": BufferLimits(path=Path("data")),
        "devices": {
            "cems-1": Device(
                name="cems-1",
                bus="b",
                address=1,
                every_s=5.0,
                points=points,
                profile=profile,
                asset="DA001",
            )
        },
    }
    return Site(**(site | changes))


class Wall:
    now = 1_763_712_000_000

    def __call__(self):
        return self.now


@pytest.fixture
def wall():
    return Wall()


def test_the_description_says_who_where_and_what():
    content = describe(make_site(), "0.1.0", "EG2511-0042")

    assert content["gateway"] == {"id": "site-07", "sn": "EG2511-0042", "sw": "0.1.0"}
    assert content["site"]["pos"] == [118.18012, 39.63041]
    assert content["devices"][0]["profile"] == "generic-cems@3"
    assert content["points"] == [
        {
            "n": 1,
            "device": "cems-1",
            "name": "so2",
            "label": {"zh": "二氧化硫", "en": "SO2"},
            "code": "a21026",
            "unit": "mg/m3",
            "range": [0.0, 200.0],
            "decimals": 1,
            "every_ms": 5000,
        },
        {
            "n": 2,
            "device": "cems-1",
            "name": "state",
            "unit": "1",
            "every_ms": 60_000,
            "bits": {"3": "door_open"},
        },
    ]


def test_the_range_of_a_current_signal_is_what_its_ends_stand_for():
    site = make_site()
    loop = Loop(Fraction(14), Fraction(0))
    device = next(iter(site.devices.values()))
    signals = tuple(
        ModbusPoint(
            name=name, table="input", address=n, type="uint16", loop=loop, maximum=most
        )
        for n, (name, most) in enumerate([("ph", None), ("bounded", 9.0)])
    )
    changed = msgspec.structs.replace(device, points=signals)
    content = describe(
        msgspec.structs.replace(site, devices={device.name: changed}), "0.1.0"
    )

    assert [p["range"] for p in content["points"]] == [[0.0, 14.0], [0.0, 9.0]]


def test_the_id_depends_on_the_content_and_not_on_its_order():
    content = describe(make_site(), "0.1.0")
    shuffled = {key: content[key] for key in reversed(content)}

    assert content_id(content) == content_id(shuffled)
    assert content_id(content) != content_id(describe(make_site(), "0.1.1"))
    assert len(content_id(content)) == 8


def test_a_version_is_found_again_after_a_restart(tmp_path, wall):
    first = MetaStore(tmp_path / "meta", wall_ms=wall)
    old = first.adopt(describe(make_site(), "0.1.0"), high=0)
    payload = first.payload(old)

    second = MetaStore(tmp_path / "meta", wall_ms=wall)
    new = second.adopt(describe(make_site(), "0.2.0"), high=500)

    assert second.current == new != old
    assert second.payload(old) == payload
    assert json.loads(payload)["meta"] == old


def test_a_version_is_let_go_only_when_every_target_has_its_last_record(tmp_path, wall):
    store = MetaStore(tmp_path / "meta", wall_ms=wall)
    store.targets |= {"a", "b"}
    old = store.adopt(describe(make_site(), "0.1.0"), high=0)
    store.adopt(describe(make_site(), "0.2.0"), high=500)

    assert store.unused("a", floor=500) == [], "too young"
    wall.now += KEEP_MS
    assert store.unused("a", floor=499) == []
    assert store.unused("a", floor=500) == [old]
    store.cleared(old, "a")
    assert store.payload(old) is not None, "b has not let it go"
    assert store.unused("a", floor=900) == []
    store.cleared(old, "b")
    assert store.payload(old) is None
    assert old not in MetaStore(tmp_path / "meta", wall_ms=wall).ids()


@pytest.mark.parametrize("how", ["reload", "restart"])
def test_a_removed_target_pins_no_version(tmp_path, wall, how):
    store = MetaStore(tmp_path / "meta", wall_ms=wall)
    store.targets |= {"a", "gone"}
    old = store.adopt(describe(make_site(), "0.1.0"), high=0)
    store.adopt(describe(make_site(), "0.2.0"), high=5)
    wall.now += KEEP_MS
    store.cleared(old, "a")
    assert old in store.ids()

    if how == "reload":
        store.forget_target("gone")
    else:
        store = MetaStore(tmp_path / "meta", wall_ms=wall)
        store.adopt(describe(make_site(), "0.2.0"), high=5)
        store.targets.add("a")
        assert store.unused("a", floor=5) == []

    assert old not in store.ids()
    assert MetaStore(tmp_path / "meta", wall_ms=wall).ids() == [store.current]


@pytest.mark.sentence(9)
def test_a_version_stays_while_a_record_of_it_is_stored_for_who_is_parked(
    tmp_path, wall
):
    stored_from = 5
    store = MetaStore(tmp_path / "meta", wall_ms=wall, oldest=lambda: stored_from)
    store.targets |= {"a", "parked"}
    old = store.adopt({"v": "old"}, high=0)
    store.adopt({"v": "new"}, high=10)
    wall.now += KEEP_MS
    store.cleared(old, "a")

    store.forget_target("parked")
    kept = store.payload(old)
    stored_from = 11
    store.unused("a", 20)

    assert kept is not None
    assert store.payload(old) is None


def test_going_back_to_an_old_site_file_revives_its_version(tmp_path, wall):
    store = MetaStore(tmp_path / "meta", wall_ms=wall)
    store.targets.add("a")
    old = store.adopt(describe(make_site(), "0.1.0"), high=0)
    new = store.adopt(describe(make_site(), "0.2.0"), high=500)
    store.adopt(describe(make_site(), "0.1.0"), high=600)

    wall.now += KEEP_MS
    assert store.current == old
    assert store.unused("a", floor=10_000) == [new]


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[1]",
        b'{"v":1,"meta":"00000000"}',
        b'{"v":"\xff"}',
        b'{"v":' + b"[" * 5000,
    ],
    ids=["empty", "torn", "list", "other", "no_text", "deep"],
)
def test_a_damaged_version_is_set_aside_and_start_goes_on(tmp_path, wall, damage):
    folder = tmp_path / "meta"
    old = MetaStore(folder, wall_ms=wall).adopt(describe(make_site(), "1"), high=0)
    (folder / f"{old}.json").write_bytes(damage)
    (folder / "index").write_bytes(damage)

    store = MetaStore(folder, wall_ms=wall)

    assert store.ids() == []
    assert (folder / f"{old}.bad").exists()
    assert store.adopt(describe(make_site(), "1"), high=0) == old


def test_a_full_disk_does_not_stop_the_start(tmp_path, wall, monkeypatch):
    def full(path, data):
        raise OSError(28, "No space left on device")

    store = MetaStore(tmp_path / "meta", wall_ms=wall)
    with monkeypatch.context() as patch:
        patch.setattr(meta_module, "_write_durably", full)
        meta = store.adopt(describe(make_site(), "1"), high=0)
        assert store.payload(meta) is not None
        assert not store.retry()

    assert store.retry()
    assert MetaStore(tmp_path / "meta", wall_ms=wall).ids() == [meta]


def test_what_cannot_be_read_does_not_hold_back_the_start(tmp_path):
    # A file that gives EIO is hard to make; a folder in its place fails alike.
    (tmp_path / "0badcafe.json").mkdir()
    (tmp_path / "index").mkdir()

    store = MetaStore(tmp_path, wall_ms=lambda: 0)

    assert store.ids() == []
    assert store.adopt({"gateway": {"id": "site-07"}}, 0)


def test_a_folder_that_cannot_be_made_or_listed_does_not_hold_back_the_start(tmp_path):
    (tmp_path / "meta").write_text("a file in its place")

    store = MetaStore(tmp_path / "meta", wall_ms=lambda: 0)

    assert store.payload(store.adopt({"gateway": {"id": "site-07"}}, 0)) is not None
