"""`profile` lists, shows and checks devices as data."""

import json

import pytest

from gateway.cli import main

GOOD = """\
profile: my-meter
maker: Acme
models: [TK-100]
evidence: manual
source: "Acme TK-100 list, rev C"
points:
  - {name: voltage, table: input, address: "pdu:0", type: float32, unit: V}
"""


def test_list_names_the_profiles_that_come_with_the_gateway(capsys):
    assert main(["--json", "profile", "list"]) == 0

    names = {entry["profile"] for entry in json.loads(capsys.readouterr().out)}
    assert {"eastron-sdm630", "chint-dtsu666", "acrel-adl400"} <= names
    assert len(names) >= 10


def test_show_gives_both_notations_and_the_source(capsys):
    assert main(["--lang", "en", "profile", "show", "eastron-sdm630"]) == 0

    text = capsys.readouterr().out
    assert "pdu:52 (3x:30053)" in text
    assert "volkszaehler/mbmd" in text


def test_show_speaks_chinese(capsys):
    assert main(["--lang", "zh", "profile", "show", "chint-ddsu666"]) == 0

    assert "电压" in capsys.readouterr().out


def test_an_unknown_name_is_a_usage_error(capsys):
    assert main(["profile", "show", "acme"]) == 2

    assert "profile list" in capsys.readouterr().err


def test_check_accepts_a_good_file_and_places_every_mistake(tmp_path, capsys):
    good = tmp_path / "my-meter.yaml"
    good.write_text(GOOD, encoding="utf-8")
    bad = tmp_path / "bad-meter.yaml"
    bad.write_text(
        GOOD.replace("my-meter", "bad-meter").replace("float32", "float31"),
        encoding="utf-8",
    )

    assert main(["profile", "check", str(good)]) == 0
    assert main(["profile", "check", str(good), str(bad)]) == 2
    assert "bad-meter.yaml:7:" in capsys.readouterr().out


def test_a_missing_file_is_a_usage_error(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["profile", "check"])
    assert main(["profile", "check", str(tmp_path / "none.yaml")]) == 2
    assert "none.yaml" in capsys.readouterr().err


def test_an_unknown_name_is_met_with_the_one_meant(capsys):
    assert main(["--lang", "en", "profile", "show", "eastron-sdm12"]) == 2

    assert "did you mean eastron-sdm120?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("float32", "float31"), "应为 bool, int16"),
        (("profile: my-meter", "profile: My{}"), "应为小写字母、数字和单个连字符"),
        (("profile: my-meter", "profile: other"), "应与文件名 my-meter 相同"),
        (("maker: Acme", "framing: 9X9\nmaker: Acme"), "实为 '9X9'"),
    ],
)
def test_check_speaks_chinese(tmp_path, capsys, change, told):
    file = tmp_path / "my-meter.yaml"
    file.write_text(GOOD.replace(*change), encoding="utf-8")

    assert main(["--lang", "zh", "profile", "check", str(file)]) == 2

    out = capsys.readouterr().out
    assert told in out
    assert "不可用：错误 1" in out


def test_check_for_programs_is_one_document(tmp_path, capsys):
    good, bad = tmp_path / "my-meter.yaml", tmp_path / "bad.yaml"
    good.write_text(GOOD, encoding="utf-8")
    bad.write_text(GOOD, encoding="utf-8")

    assert main(["--json", "profile", "check", str(good), str(bad)]) == 2

    found = json.loads(capsys.readouterr().out)
    assert [entry["ok"] for entry in found] == [True, False]
    assert found[1]["problems"][0]["code"] == "profile_file"


def test_check_places_bytes_that_are_no_text(tmp_path, capsys):
    file = tmp_path / "my-meter.yaml"
    file.write_bytes(GOOD.encode() + b"# \xcd\xf2\n")

    assert main(["--lang", "en", "profile", "check", str(file)]) == 2

    assert "expected UTF-8, found the byte" in capsys.readouterr().out


def test_list_is_grouped_by_what_devices_are_for(capsys):
    assert main(["--lang", "en", "profile", "list"]) == 0

    lines = capsys.readouterr().out.splitlines()
    meters = lines.index("electricity meters")
    assert lines[meters - 1] == ""
    assert lines[meters + 1].startswith("abb-b23")
    assert meters < lines.index("flue gas (CEMS)") < lines.index("any device")


@pytest.mark.parametrize(
    ("words", "has", "lacks"),
    [
        (["so2"], {"generic-cems", "kaier-unimat120"}, {"eastron-sdm630"}),
        (["a21026"], {"generic-cems", "kaier-unimat120"}, {"generic-modbus"}),
        (["氨氮"], {"hach-na8000"}, {"generic-tp-analyzer"}),
        (["meter", "siemens"], {"siemens-pac2200"}, {"abb-b23", "generic-cems"}),
        (["WATER", "generic"], {"generic-cod-analyzer"}, {"hach-na8000"}),
    ],
)
def test_list_takes_words_that_all_must_be_found(capsys, words, has, lacks):
    assert main(["--json", "profile", "list", *words]) == 0

    names = {entry["profile"] for entry in json.loads(capsys.readouterr().out)}
    assert has <= names
    assert not lacks & names


def test_list_says_when_nothing_has_the_word(capsys):
    assert main(["--lang", "en", "profile", "list", "flux-capacitor"]) == 0

    assert "no profile with 'flux-capacitor'" in capsys.readouterr().out


def test_show_prints_the_lines_of_a_generic_profile_to_fill_in(capsys):
    assert main(["--lang", "zh", "profile", "show", "generic-cems"]) == 0

    out = capsys.readouterr().out
    line = '- {name: so2, table: holding, address: "pdu:?", type: float32, unit: mg/m3}'
    assert f"{line}  # 二氧化硫 sulfur dioxide, a21026" in out
    assert "profile: generic-cems" in out


def test_a_generic_profile_alone_is_no_device(tmp_path, capsys):
    site = tmp_path / "site.yaml"
    site.write_text(
        "gateway: g\n"
        "buffer: {path: ./data, max_bytes: 64MB}\n"
        "buses: {b: {protocol: modbus-rtu, serial: /dev/ttyS9, baud: 9600}}\n"
        "devices:\n"
        "  cems: {bus: b, address: 1, profile: generic-cems, every: 10s}\n",
        encoding="utf-8",
    )

    assert main(["--lang", "en", "check", str(site)]) == 2

    assert "(ecogate profile show generic-cems)" in capsys.readouterr().out
