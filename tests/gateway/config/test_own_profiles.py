"""A site's own profiles: found beside the site file, their mistakes placed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from drivers.profiles.library import load_profile
from gateway.cli import main
from gateway.config import SiteError, line_of, load_problems, load_site
from gateway.reload import compare

SITE = """\
gateway: g
site: {code: 91130200699229617X001P, region: "130203", position: [118.18, 39.63]}
buffer: {path: ./data}
buses:
  plc: {protocol: modbus-tcp, tcp: "127.0.0.1:502"}
devices:
  meter: {bus: plc, address: 1, every: 1s, profile: my-meter}
  other: {bus: plc, address: 2, every: 1s, profile: my-meter}
targets:
  one: {mqtt: "mqtt://127.0.0.1"}
"""
PROFILE = """\
profile: my-meter
revision: 1
maker: Acme
models: [TK-100]
evidence: manual
source: "Acme TK-100 list, rev C"
points:
  - {name: voltage, table: input, address: "pdu:0", type: float32, unit: V}
"""


class Place:
    """A folder with a site file and a profile of its own."""

    def __init__(self, folder):
        self.site = folder / "site.yaml"
        self.site.write_text(SITE, encoding="utf-8")
        self.folder = folder / "profiles"
        self.folder.mkdir()
        self.profile()

    def profile(self, old="", new="", name="my-meter"):
        file = self.folder / f"{name}.yaml"
        text = PROFILE.replace("my-meter", name).replace(old, new)
        file.write_text(text, encoding="utf-8")
        return file

    def named(self, name):
        self.site.write_text(SITE.replace("my-meter", name), encoding="utf-8")


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def test_a_profile_beside_the_site_file_is_found(place):
    site, problems = load_problems(place.site)

    assert problems == []
    assert site.devices["meter"].profile.maker == "Acme"
    assert [p.name for p in site.devices["other"].points] == ["voltage"]


def test_a_site_file_on_trial_uses_the_profiles_of_its_site(place, tmp_path):
    trial = tmp_path / "data" / "trial.yaml"
    trial.parent.mkdir()
    trial.write_bytes(place.site.read_bytes())

    assert "meter" in load_site(trial, folder=tmp_path).devices
    with pytest.raises(SiteError, match="my-meter"):
        load_site(trial)


def test_a_mistake_is_told_once_with_the_place_in_its_own_file(place, capsys):
    file = place.profile("float32", "float31")

    site, problems = load_problems(place.site)
    (line,) = [line_of(problem, place.site) for problem in problems]

    assert site is None
    assert line.startswith(f"{file}:8:")
    assert "float31" in line
    assert main(["check", str(place.site)]) == 2
    assert f"{file}:8:" in capsys.readouterr().out
    assert main(["--json", "check", str(place.site)]) == 2
    (told,) = json.loads(capsys.readouterr().out)["problems"]
    assert (told["file"], told["line"]) == (str(file), 8)


def test_what_cannot_be_read_is_told_with_its_name(place):
    file = place.profile()
    file.unlink()
    file.mkdir()

    _, (problem,) = load_problems(place.site)

    assert line_of(problem, place.site).startswith(f"{file}: ")


def test_the_sites_own_wins_over_an_installed_one_and_it_is_said(place):
    file = place.profile(name="eastron-sdm630")
    place.named("eastron-sdm630")

    site, (problem,) = load_problems(place.site)

    assert site.devices["meter"].profile.maker == "Acme"
    assert site.devices["meter"].profile != load_profile("eastron-sdm630")
    assert (problem.code, problem.warning) == ("profile_shadows", True)
    assert line_of(problem, place.site).startswith(f"{file}:1:1: ")


def test_a_misspelt_name_is_compared_with_the_sites_own_too(place):
    place.named("my-metre")

    _, problems = load_problems(place.site)

    assert {(p.code, p.meant) for p in problems} == {("unknown_profile", "my-meter")}


def test_a_reload_reads_them_again(place):
    before = load_site(place.site)
    assert compare(before, load_site(place.site)).nothing

    place.profile("pdu:0", "pdu:2")

    assert not compare(before, load_site(place.site)).nothing


def test_list_and_show_know_the_profiles_of_a_site(place, capsys):
    assert main(["--json", "profile", "list", "--site", str(place.site)]) == 0
    listed = {p["profile"]: p for p in json.loads(capsys.readouterr().out)}
    assert listed["my-meter"]["file"] == str(place.folder / "my-meter.yaml")
    assert "file" not in listed["eastron-sdm630"]

    assert main(["profile", "show", "my-meter", "--site", str(place.site)]) == 0
    assert "voltage" in capsys.readouterr().out
    assert main(["profile", "list", "--site", str(place.site)]) == 0
    assert "my-meter" in capsys.readouterr().out


def test_list_and_show_take_the_site_of_this_folder(place, capsys, monkeypatch):
    monkeypatch.delenv("ECOGATE_SITE", raising=False)
    monkeypatch.chdir(place.site.parent)

    assert main(["profile", "show", "my-meter"]) == 0

    capsys.readouterr()
    assert Path("profiles/my-meter.yaml").exists()


def test_a_broken_one_is_told_and_the_others_are_listed(place, capsys):
    file = place.profile("float32", "float31")
    site = str(place.site)

    assert main(["--json", "profile", "list", "--site", site]) == 2
    captured = capsys.readouterr()
    assert f"{file}:8:" in captured.err
    assert "eastron-sdm630" in captured.out
    assert main(["profile", "show", "my-meter", "--site", site]) == 2
    assert f"{file}:8:" in capsys.readouterr().err


def test_a_site_that_is_not_there_is_a_usage_error(tmp_path, capsys):
    missing = str(tmp_path / "missing.yaml")

    assert main(["profile", "list", "--site", missing]) == 2
    assert "missing.yaml" in capsys.readouterr().err
