"""What holds for the repository as a whole."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("gateway", "drivers", "vision", "buffer", "simulators", "benchmarks")

# Split, so that this file does not find itself.
INDEX_HOSTS = (
    "pypi." + "org",
    "python" + "hosted",
    "piwheels." + "org",
    "/simple" + "/",
)
MACHINE_PATHS = re.compile("/(home|root|work|Users)" + r"/[\w.-]+/?")


def tracked():
    """Every file under version control, as paths from the root."""
    done = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False
    )
    if done.returncode == 0:
        names = done.stdout.decode().split("\0")
    else:  # an unpacked archive
        names = [
            str(p.relative_to(ROOT)) for p in ROOT.rglob("*") if ".venv" not in p.parts
        ]
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def texts():
    """Tracked text files with their content."""
    for path in tracked():
        try:
            yield path, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def test_no_file_holds_an_address_of_a_package_index():
    found = [
        f"{path.relative_to(ROOT)}: {host}"
        for path, text in texts()
        for host in INDEX_HOSTS
        if host in text
    ]
    assert found == []


def test_no_file_holds_a_path_of_somebodys_machine():
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path, text in texts()
        if path.suffix not in (".svg", ".lock")
        for match in [MACHINE_PATHS.search(text)]
        if match and not match[0].startswith(("/home/pi", "/root/."))
    ]
    assert found == []


def test_pins_hold_no_address_and_agree():
    pins = (ROOT / "constraints.txt").read_text()
    lock = (ROOT / "requirements.lock").read_text()

    assert "://" not in pins + lock
    named = re.compile(r"^([\w.-]+==[^\s;\\]+)", re.M)
    assert set(named.findall(lock)) <= set(named.findall(pins))
    assert lock.count("--hash=sha256:") >= len(named.findall(lock))


def test_every_requirement_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    own = extras.pop("train")
    wanted = [
        *project["dependencies"],
        *(w for extra in extras.values() for w in extra),
    ]
    pinned = {
        line.split("==")[0] for line in (ROOT / "constraints.txt").read_text().split()
    }

    names = {re.split(r"[\[<>=~! ]", w)[0].lower().replace("_", "-") for w in wanted}
    assert names - {"ecogate"} <= pinned, "make lock"
    assert all("==" in w or w.startswith("ecogate[") for w in own), "train pins itself"


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_says_what_it_is(package):
    silent = [
        str(path.relative_to(ROOT))
        for path in (ROOT / package).rglob("*.py")
        if ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) is None
    ]
    assert silent == []


def test_scripts_are_executable_and_understood_by_sh():
    scripts = [p for p in tracked() if p.read_bytes()[:9] == b"#!/bin/sh"]

    assert scripts
    for script in scripts:
        assert os.access(script, os.X_OK), script
        done = subprocess.run(
            ["sh", "-n", script], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_every_system_tool_the_tests_want_is_in_the_list():
    listed = {
        word
        for line in (ROOT / ".ci/apt.txt").read_text().splitlines()
        if line and not line.startswith("#")
        for word in line.split()[:2]
    }
    # systemd-analyze and its siblings come in one package; the broker is a wheel.
    listed |= {"systemd-sysusers", "systemd-tmpfiles", "nats-server"}
    wanted = {
        name
        for path in (ROOT / "tests").rglob("*.py")
        if path.name != "conftest.py"
        for names in re.findall(r"mark\.needs\(([^)]*)\)", path.read_text("utf-8"))
        for name in re.findall(r'"([\w.-]+)"', names)
    }
    assert wanted <= listed


def test_the_readmes_commands_are_targets():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^(\w+):", makefile, re.M))

    assert {"demo", "test", "bars", "check", "fmt", "lint", "bench"} <= targets
    for name in ("README.md", "README.zh-CN.md", "CONTRIBUTING.md", "docs/install.md"):
        path = ROOT / name
        if path.exists():
            text = path.read_text(encoding="utf-8")
            used = set(re.findall(r"(?:^|`|    )make ([a-z]+)\b", text, re.M))
            assert used <= targets, name


SETUP_SAYS = {
    "none": ("exit 127", "no Python 3.11 or newer found"),
    "no_venv": (
        'case "$*" in *ensurepip*) exit 1;; *print*) echo 3.11;; esac',
        "without its venv module",
    ),
    "no_network": (
        """case "$*" in
        *"-m venv"*) for last; do :; done; mkdir -p "$last/bin"
            cp "$0" "$last/bin/python";;
        *pip*install*) echo 'NewConnectionError: refused' >&2; exit 1;; esac""",
        "no network",
    ),
}


@pytest.mark.parametrize("case", SETUP_SAYS)
def test_setup_says_in_one_line_what_is_missing(tmp_path, case):
    # A folder with a blank in its name, and interpreters that behave as told.
    checkout, fakes = tmp_path / "a b", tmp_path / "bin"
    (checkout / ".ci").mkdir(parents=True)
    fakes.mkdir()
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, checkout)
    script = (ROOT / ".ci/setup.sh").read_text()
    script = re.sub(r"/usr/bin/python3(\.11)? ", "", script)
    (checkout / ".ci/setup.sh").write_text(script)
    (checkout / ".ci/setup.sh").chmod(0o755)
    body, said = SETUP_SAYS[case]
    for name in ("python3", "python", *(f"python3.{n}" for n in range(11, 15))):
        (fakes / name).write_text(f"#!/bin/sh\n{body}\n")
        (fakes / name).chmod(0o755)

    done = subprocess.run(
        [".ci/setup.sh", "demo"],
        cwd=checkout,
        env={"PATH": f"{fakes}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == 1, done.stderr
    last = done.stderr.splitlines()[-1]
    assert said in last
    assert last.startswith("ecogate setup: ")
    assert "Traceback" not in done.stderr


def _apt(tmp_path, *, user, apt_get):
    """Run .ci/apt.sh with one tool missing and an apt-get that does as told."""
    folder, fakes = tmp_path / ".ci", tmp_path / "bin"
    folder.mkdir()
    fakes.mkdir()
    policy = tmp_path / "policy-rc.d"
    script = (ROOT / ".ci/apt.sh").read_text()
    (folder / "apt.sh").write_text(script.replace("/usr/sbin/policy-rc.d", str(policy)))
    (folder / "apt.txt").write_text("# why\nnosuchpackage nosuchtool for tests\n")
    for name, body in {
        "apt-get": apt_get.format(bin=fakes, policy=policy),
        "id": f"echo {user}",
        "sudo": "exit 1",
    }.items():
        (fakes / name).write_text(f"#!/bin/sh\n{body}\n")
        (fakes / name).chmod(0o755)
    done = subprocess.run(
        ["sh", folder / "apt.sh"],
        env={"PATH": f"{fakes}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done, policy


def test_tools_are_installed_without_starting_their_services(tmp_path):
    apt_get = "[ -x {policy} ] && touch {bin}/nosuchtool && chmod 755 {bin}/nosuchtool"

    done, policy = _apt(tmp_path, user=0, apt_get=apt_get)

    assert done.returncode == 0
    assert "installing nosuchpackage" in done.stderr
    assert "not installed" not in done.stderr
    assert not policy.exists()


@pytest.mark.parametrize("user", [0, 1000])
def test_tools_that_cannot_be_installed_are_named(tmp_path, user):
    done, policy = _apt(tmp_path, user=user, apt_get="exit 100")

    assert done.returncode == 0
    assert "not installed: nosuchpackage" in done.stderr
    assert not policy.exists()
