"""What the READMEs and documents tell people to type works as written."""

from __future__ import annotations

import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest

from gateway.cli import available
from gateway.cli.parser import build, common_options
from gateway.config import load_problems

ROOT = Path(__file__).parents[1]
READMES = ("README.md", "README.zh-CN.md")
DOCUMENTS = (*READMES, *sorted(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md")))

_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.M | re.S)
_CODE = re.compile(r"^ {4}(.+)$|`([^`]+)`", re.M)
_COMMAND = re.compile(r"(?:^|[\s/])ecogate ([a-z]+(?: [^#\n]*)?)")


def yaml_of(name):
    """The first YAML block of a document."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return re.search(r"^```yaml\n(.*?)^```", text, re.M | re.S)[1]


def blocks(name):
    """All YAML blocks of a document."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return re.findall(r"^```yaml\n(.*?)^```", text, re.M | re.S)


def commands(name):
    """Every whole ``ecogate`` command in the code of a document."""
    text = (ROOT / name).read_text(encoding="utf-8")
    code = [body for kind, body in _FENCE.findall(text) if kind in {"", "sh"}]
    code += [a or b.replace("\n", " ") for a, b in _CODE.findall(_FENCE.sub("", text))]
    for line in "\n".join(code).splitlines():
        for found in _COMMAND.finditer(line):
            command = found[1].strip()
            # Grammar and unfinished examples are no commands.
            if not set(command) & set("[]|<") and "..." not in command:
                yield command


ALL = sorted(
    {
        (name, command)
        for name in DOCUMENTS
        for command in commands(name)
        if command.split()[0] in available() or name in READMES
    }
)


@pytest.mark.parametrize("name", [*READMES, "docs/site-file.md"])
def test_the_site_file_passes_check(name, tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text(yaml_of(name), encoding="utf-8")

    site, problems = load_problems(path)

    # Neither the port nor the password is on the machine that runs the tests, and
    # the READMEs' site is too small to tell the regulator about.
    allowed = {"port_absent", "file_absent", "recommended"}
    assert site is not None, [str(problem) for problem in problems]
    assert {problem.code for problem in problems} <= allowed


def test_the_whole_site_with_stations_passes_check(tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text(blocks("docs/site-file.md")[1], encoding="utf-8")

    site, problems = load_problems(path)

    assert site is not None, [str(problem) for problem in problems]
    assert {p.code for p in problems} <= {"port_absent", "file_absent", "recommended"}
    assert set(site.stations) == {"DA001", "DW001"}


@pytest.mark.parametrize("name", READMES)
def test_station_target_and_camera_pass_check_on_that_site(name, tmp_path):
    first, second, third = blocks(name)
    path = tmp_path / "site.yaml"
    path.write_text(first.partition("devices:")[0] + second + third, encoding="utf-8")

    site, problems = load_problems(path)

    assert site is not None, [str(problem) for problem in problems]
    assert {p.code for p in problems} <= {"port_absent", "file_absent", "recommended"}
    assert "ecogate history DA001 so2" in (ROOT / name).read_text(encoding="utf-8")


def test_both_readmes_show_the_same_site():
    assert blocks("README.md") == blocks("README.zh-CN.md")


def test_both_readmes_name_the_same_commands():
    assert set(commands("README.md")) == set(commands("README.zh-CN.md"))


def test_the_commands_are_found():
    assert {"run site.yaml", "watch", "buffer inspect"} <= set(commands("README.md"))
    assert len(ALL) > 20


@pytest.mark.parametrize(("name", "command"), ALL)
def test_every_command_is_understood(name, command):
    common, rest = common_options(shlex.split(command))
    parser, verb_parser = build(available(), rest[0])
    assert verb_parser is not None, f"{name}: there is no verb {rest[0]}"
    import_module(f"gateway.cli.{rest[0]}").add_arguments(verb_parser)
    if len(rest) == 1 and rest[0] in {"simulate", "buffer", "profile"}:
        return  # named, not typed
    args = parser.parse_args(rest)

    if rest[0] == "simulate" and args.kind.islower():
        json = ["--json"] if common.json else []
        name = args.kind.replace("-", "_")
        import_module(f"simulators.{name}").parse([*args.rest, *json])


def test_the_device_it_simulates_stands_in_the_site_file():
    for name in READMES:
        assert "simulate modbus --profile eastron-sdm630@3 --tcp 5020" in commands(name)
        assert "address: 3, profile: eastron-sdm630" in yaml_of(name)
