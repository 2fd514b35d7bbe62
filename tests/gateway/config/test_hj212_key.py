"""``check`` looks at the key of an HJ 212 target and never shows it."""

from __future__ import annotations

import pytest

from drivers.hj212.seal import SealError
from drivers.profiles.document import load_document
from drivers.profiles.reading import Report, Section
from gateway.config import hj212_key
from gateway.config.hj212_key import check_key
from gateway.texts import LANGUAGES, catalogue


def warned(folder, text, monkeypatch=None):
    file = folder / "city.key"
    file.write_text(text + "\n")
    file.chmod(0o600)
    report = Report()
    section = Section(report, load_document("key_file: city.key\n", "site.yaml"), "")
    check_key(section, {"key_file": file, "key_env": None})
    assert all(problem.warning for problem in report.problems)
    assert text not in str(report.problems)
    return [problem.code for problem in report.problems]


def test_a_random_key_is_right(tmp_path):
    assert warned(tmp_path, "msbE74gsiSHSEh5e") == []
    assert warned(tmp_path, "6b1f0e5c92d84a37a0c4e3f2918d7b56") == []


@pytest.mark.parametrize("key", ["0" * 16, "1234567890123456", "30" * 16])
def test_a_pattern_is_told(tmp_path, key):
    assert warned(tmp_path, key) == ["hj212_key_pattern"]


@pytest.mark.parametrize("key", ["short", "g" * 32])
def test_what_is_no_key_is_told(tmp_path, key):
    assert warned(tmp_path, key) == ["hj212_seal_key"]


@pytest.mark.parametrize("cause", ["package", "openssl"])
def test_a_machine_without_sm4_is_told(tmp_path, monkeypatch, cause):
    monkeypatch.setattr(hj212_key, "why_not", lambda: SealError("no", cause))

    assert warned(tmp_path, "msbE74gsiSHSEh5e") == [f"hj212_seal_{cause}"]


def test_a_key_that_cannot_be_read_is_told_elsewhere(tmp_path):
    report = Report()
    section = Section(report, load_document("key_env: NO_SUCH_KEY\n", "site.yaml"), "")

    check_key(section, {"key_file": None, "key_env": "NO_SUCH_KEY"})
    check_key(section, {})

    assert report.problems == []


def test_every_warning_has_its_words():
    for word in ("seal_key", "seal_package", "seal_openssl", "key_pattern"):
        assert set(catalogue()[f"config.hj212_{word}"]) == set(LANGUAGES)
