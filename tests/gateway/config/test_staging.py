from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import staging
from gateway.config.staging import Staging, next_name, outdated, replace_file, versions

NOON = datetime(2025, 11, 21, 12, 0, 0, tzinfo=UTC)


def test_numbers_rise_even_when_the_clock_goes_back():
    names = []
    for hours in (0, -5, -10):
        names.append(next_name(names, NOON + timedelta(hours=hours)))

    assert [v.number for v in versions(names)] == [1, 2, 3]
    assert names[0] == "000001-20251121T120000Z.yaml"


@given(st.integers(0, 40), st.integers(5, 12))
def test_the_newest_are_kept(count, kept):
    names = []
    for _ in range(count):
        names.append(next_name(names, NOON))

    left = sorted(set(names) - set(outdated(names, kept)))

    assert left == sorted(names)[-kept:]


def test_other_files_are_neither_versions_nor_deleted():
    names = ["trial.yaml", "notes.yaml", "000001-20259999T120000Z.yaml"]

    assert versions(names) == []
    assert outdated(names, 0) == []


def test_what_was_in_force_becomes_a_version(tmp_path):
    site_file = tmp_path / "site.yaml"
    site_file.write_bytes(b"one")
    store = Staging(tmp_path / "data")

    for number, content in enumerate((b"two", b"three")):
        store.put_in_force(site_file, content, NOON + timedelta(minutes=number))

    assert site_file.read_bytes() == b"three"
    assert [store.read(v) for v in store.versions()] == [b"one", b"two"]
    assert store.read(store.previous(site_file)) == b"two"


def test_at_least_five_versions_are_kept_and_not_for_ever_more(tmp_path):
    site_file = tmp_path / "site.yaml"
    site_file.write_bytes(b"0")
    store = Staging(tmp_path)

    for number in range(1, 30):
        store.put_in_force(site_file, str(number).encode(), NOON)

    assert len(store.versions()) == staging.KEPT >= 5
    assert store.read(store.versions()[-1]) == b"28"


def test_a_write_that_fails_leaves_the_site_file_as_it_was(tmp_path, monkeypatch):
    site_file = tmp_path / "site.yaml"
    site_file.write_bytes(b"old")

    def no_space(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        replace_file(site_file, b"new")

    assert site_file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [site_file]


def test_mode_stays_and_new_files_can_be_read_by_the_gateway(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_bytes(b"")
    old.chmod(0o640)

    replace_file(old, b"x")
    replace_file(new, b"x")

    assert old.stat().st_mode & 0o777 == 0o640
    assert new.stat().st_mode & 0o777 == 0o644
