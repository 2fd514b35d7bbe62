"""Password and key of a target: where they come from, and what is said without them."""

from __future__ import annotations

import os

import pytest

from drivers.hj212.frame import pack
from drivers.hj212.seal import SealError, Sm4, seal
from gateway.secrets import SecretError
from gateway.uplink.hj212 import keys
from tests.support.hj212_host import Site

KEY, OTHER = "msbE74gsiSHSEh5e", "AezF0nZRs4kypuGO"
HOUR, DAY = 3_600_000, 86_400_000
DATA = (
    b"QN=20240703174640000;ST=31;CN=2061;PW=1;MN=1;Flag=9;"
    b"CP=&&DataTime=20240703170000&&"
)


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path, 2025, key=KEY)


def test_only_data_and_a_few_others_are_encrypted(site):
    ring = site.access.open()

    assert ring.seal(DATA) == seal(DATA, Sm4(KEY.encode()))
    for cn, sealed in ((1011, False), (1014, True), (3020, True), (3019, False)):
        data = DATA.replace(b"CN=2061", b"CN=%d" % cn)
        assert (ring.seal(data) is not None) is sealed
    assert ring.seal(b"no segment") is None


def test_the_literal_form_is_an_option(tmp_path):
    site = Site(tmp_path, 2025, key=KEY, sealed="literal")
    ring = site.access.open()

    sealed = ring.seal(DATA)

    assert b"CP=&&{0x" in sealed
    assert [f.segment for f in ring.finder().feed(pack(DATA, sealed))] == [DATA]


def test_a_key_may_be_in_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("CITY_KEY", KEY.encode().hex())
    site = Site(tmp_path, 2025, key_env="CITY_KEY")

    ring = site.access.open()

    assert ring.seal(DATA) == seal(DATA, Sm4(KEY.encode()))
    assert not ring.due  # nobody knows how old it is


def test_a_key_file_tells_its_age(site):
    os.utime(site.folder / "site.key", (0, site.wall_ms / 1000 - 84 * 86400))
    site.access._keyring = None

    assert site.access.open().due


def test_another_key_file_holds_with_the_next_connection(site):
    first = site.access.open()
    assert site.access.open() is first
    site.put(site.folder / "site.key", OTHER)

    assert site.access.open().text == OTHER


@pytest.mark.parametrize("text", ["", "short", "x" * 40])
def test_what_is_no_key_ends_the_connection_and_is_not_shown(site, text):
    site.put(site.folder / "site.key", text)

    with pytest.raises(SecretError) as caught:
        site.access.open()

    assert not text or text not in str(caught.value)


def test_a_machine_without_sm4_says_so(site, monkeypatch):
    def none(_key):
        raise SealError("none here", "openssl")

    site.access._keyring = None
    monkeypatch.setattr(keys, "Sm4", none)

    with pytest.raises(SecretError, match="SM4"):
        site.access.open()


def test_a_secret_that_is_gone_is_said_to_be_gone(site):
    (site.folder / "site.key").unlink()

    with pytest.raises(SecretError, match="key"):
        site.access.open()


def test_a_refused_key_leaves_the_one_before(site):
    ring = site.access.open()

    with pytest.raises(SealError):
        site.access.keep_key("short")
    with pytest.raises(SealError):
        ring.replace("short", site.wall_ms)

    assert ring.text == KEY
    assert not (site.folder / "hj212").exists()


def test_the_same_key_again_keeps_the_one_before(site):
    ring = site.access.open()
    old = pack(DATA, ring.seal(DATA))
    for _ in range(2):
        site.access.keep_key(OTHER)
        site.access.use_key(OTHER)

    assert len(ring.finder().feed(old)) == 1
    site.wall_ms += 25 * HOUR
    assert ring.finder().feed(old) == []


def test_no_word_shows_a_secret(site):
    assert KEY not in repr(site.access)
    assert "123456" not in repr(site.access)
