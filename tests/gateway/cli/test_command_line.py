"""The command line as a whole: verbs, languages, exit statuses, speed."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from gateway import cli
from gateway.cli import main
from gateway.cli.exits import Exit
from gateway.texts import catalogue, set_language

ROOT = Path(__file__).parents[3]
GOOD = ROOT / "tests" / "sites" / "good.yaml"


@pytest.fixture(autouse=True)
def _language(monkeypatch):
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG", "ECOGATE_SITE", "FORCE_COLOR"):
        monkeypatch.delenv(variable, raising=False)
    yield
    set_language(None)


def ecogate(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
        cwd=ROOT,
    )


def test_every_verb_offered_is_there_and_described():
    for verb in cli.available():
        module = import_module(f"gateway.cli.{verb}")
        assert callable(module.add_arguments)
        assert callable(module.run)
        assert f"cli.verb.{verb}" in catalogue()
    assert {"check", "schema", "apply"} <= set(cli.available())


@pytest.mark.parametrize("verb", cli.available())
@pytest.mark.parametrize("code", ["zh", "en"])
def test_every_verb_has_help_in_both_languages(capsys, verb, code):
    with pytest.raises(SystemExit) as caught:
        main([verb, "--help", "--lang", code])

    out = capsys.readouterr().out
    assert caught.value.code == 0
    assert catalogue()[f"cli.verb.{verb}"][code][:10] in out
    assert bool(re.search("[\u4e00-\u9fff]", out)) == (code == "zh")


def test_help_is_quick():
    """The bar is 0.3 s on a quiet machine; what counts here is its own processor time,
    the best of three, with room for the measurement of coverage."""
    took = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        ecogate("--help")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)

    assert 0 < min(took) < 1.0


def test_help_imports_no_verb_and_nothing_heavy():
    code = (
        "import sys; sys.argv=['ecogate','--help']\n"
        "from gateway.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy={'asyncio','pymodbus','paho','msgspec','gateway.config','sqlite3'}\n"
        "print('LOADED', sorted(heavy & set(sys.modules)))"
    )

    # The measurement of coverage would bring sqlite3 along.
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines()[-1] == "LOADED []"


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        ([], Exit.USAGE, "usage: ecogate"),
        (["chek"], Exit.USAGE, "did you mean check?"),
        (["check", "--nonsense"], Exit.USAGE, "not recognised: --nonsense"),
        (["check", "no/such.yaml"], Exit.USAGE, "cannot be read"),
        (["apply"], Exit.USAGE, "give a new site file"),
        (["apply", "x", "--confirm-within"], Exit.USAGE, "a value is needed"),
        (["apply", "x", "--confirm-within", "5"], Exit.USAGE, "with its unit"),
        (["apply", "x", "--confirm-within", "1s"], Exit.USAGE, "expected 5s to 1d"),
        (["apply", "--confirm", "--revert"], Exit.USAGE, "cannot stand together"),
        (["run", "--for", "5"], Exit.USAGE, "with its unit such as"),
        (["check", "--lang", "fr"], Exit.USAGE, "--lang: there is no 'fr'"),
        (["check", str(GOOD)], Exit.OK, "is good"),
    ],
)  # fmt: skip
def test_exit_statuses_and_what_is_said(tmp_path, arguments, status, told):
    if arguments[:1] == ["apply"] and len(arguments) > 1:
        arguments = [*arguments, "--site", str(GOOD)]

    done = ecogate(*arguments)

    assert done.returncode == status, done.stderr
    assert told in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_the_site_comes_from_argument_environment_or_folder(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert main(["check"]) == Exit.USAGE
    assert "ECOGATE_SITE" in capsys.readouterr().err

    (tmp_path / "site.yaml").write_text(GOOD.read_text("utf-8"), "utf-8")
    assert main(["check"]) == Exit.OK

    monkeypatch.setenv("ECOGATE_SITE", str(tmp_path / "other.yaml"))
    assert main(["check"]) == Exit.USAGE
    assert main(["check", "site.yaml"]) == Exit.OK


def test_language_and_json_are_understood_anywhere(capsys):
    main(["--lang", "zh", "check", str(GOOD)])
    main(["check", str(GOOD), "--lang=zh"])
    first, second = capsys.readouterr().out.splitlines()
    assert first == second
    assert "可用" in first

    main(["--json", "check", str(GOOD)])
    main(["check", "--json", str(GOOD)])
    text = capsys.readouterr().out
    decoder = json.JSONDecoder()
    one, end = decoder.raw_decode(text)
    two, _ = decoder.raw_decode(text[end:].lstrip())
    assert one == two == {"file": str(GOOD), "ok": True, "problems": []}


def test_the_environment_chooses_the_language():
    assert "用法" in ecogate("--help", LANG="zh_CN.UTF-8").stdout
    assert "usage" in ecogate("--help", LANG="en_US.UTF-8").stdout


def test_a_reader_that_hangs_up_early_is_no_error():
    done = subprocess.run(
        ["sh", "-c", '"$0" -m gateway schema | head -c 10', sys.executable],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )

    assert done.stderr == ""


def test_interrupt_ends_with_130(monkeypatch, capsys):
    def interrupted(_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_run", interrupted)

    assert main(["check"]) == Exit.INTERRUPTED
    assert capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["chek"], "是不是 check？"),
        (["apply", "x", "--confirm-within", "5"], "应为带单位的时长"),
        (["apply", "--confirm", "--revert"], "不能同时使用"),
        (["run", "--for", "soon"], "应为带单位的时长"),
        (["check", "no/such.yaml"], "无法读取：文件或设备不存在"),
    ],
)
def test_refusals_are_chinese(arguments, told):
    done = ecogate("--lang", "zh", *arguments)

    assert done.returncode == Exit.USAGE
    assert told in done.stdout + done.stderr
    assert "expected" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("code", "told"), [("en", "found a tab"), ("zh", "此处是制表符")]
)
def test_a_tab_is_called_a_tab(tmp_path, capsys, code, told):
    path = tmp_path / "site.yaml"
    path.write_text("gateway: a\n\tbuffer: x\n", encoding="utf-8")

    assert main(["--lang", code, "check", str(path)]) == Exit.USAGE

    assert told in capsys.readouterr().out
