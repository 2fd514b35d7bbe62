"""The service, its user, its folders and its ports, as far as no boot is needed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "systemd"
SERVICE = UNITS / "ecogate.service"


def settings():
    """Every setting of the service with all its values, in order."""
    found: dict[str, list[str]] = {}
    for line in SERVICE.read_text().splitlines():
        if match := re.match(r"(\w+)=(.*)", line):
            found.setdefault(match[1], []).append(match[2])
    return found


def run(*command, **more):
    return subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **more,
    )


@pytest.mark.needs("systemd-analyze")
def test_exposure_is_at_most_two():
    done = run(
        "systemd-analyze", "security", "--offline=true", "--threshold=20", SERVICE
    )

    assert done.returncode == 0, done.stdout.splitlines()[-1:]


@pytest.mark.needs("systemd-analyze")
def test_systemd_understands_every_line(tmp_path):
    unit = tmp_path / "ecogate.service"
    text = SERVICE.read_text().replace("/opt/ecogate/bin/ecogate", "/bin/true")
    unit.write_text(text)

    done = run("systemd-analyze", "verify", "--man=no", unit)

    about_us = [line for line in done.stderr.splitlines() if "ecogate" in line]
    assert about_us == [], done.stderr


def test_it_never_gives_up_but_on_a_refused_site_file():
    found = settings()

    assert found["Restart"] == ["always"]
    assert found["StartLimitIntervalSec"] == ["0"]
    assert found["RestartPreventExitStatus"] == ["2"]
    assert found["Type"] == ["notify"]
    assert float(found["WatchdogSec"][0].removesuffix("s")) <= 60


def test_it_may_ask_whether_the_clock_is_synchronised():
    # ProtectClock= refuses adjtimex(2) even for reading: every date would be "unknown".
    found = settings()

    assert "ProtectClock" not in found
    assert "ProcSubset" not in found  # the boot id is in /proc/sys
    allowed = found["SystemCallFilter"][-1].split()
    assert {"adjtimex", "clock_adjtime"} <= set(allowed)


def test_serial_ports_and_gpio_chips_are_the_only_devices():
    kinds = {value.split()[0] for value in settings()["DeviceAllow"]}

    assert kinds >= {"char-ttyUSB", "char-ttyACM", "char-ttyS", "char-ttyAMA"}
    assert all(kind.startswith("char-tty") for kind in kinds - {"char-gpiochip"})
    # A driver loaded after the start would not be in the list: both are loaded before.
    wants = " ".join(settings()["Wants"])
    assert "modprobe@usbserial" in wants
    assert "modprobe@cdc_acm" in wants


@pytest.mark.needs("systemd-sysusers")
def test_the_user_is_made_and_may_open_serial_ports(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (tmp_path / "etc/group").write_text("root:x:0:\ndialout:x:20:\ngpio:x:997:\n")

    done = run("systemd-sysusers", f"--root={tmp_path}", UNITS / "ecogate.sysusers")

    assert done.returncode == 0, done.stderr
    passwd = (tmp_path / "etc/passwd").read_text()
    assert re.search(r"^ecogate:.*:/var/lib/ecogate:.*nologin$", passwd, re.M), passwd
    group = (tmp_path / "etc/group").read_text()
    assert re.search(r"^dialout:x:20:ecogate$", group, re.M), group
    assert re.search(r"^gpio:x:997:ecogate$", group, re.M), group


def test_folders_belong_to_the_service_and_are_closed_to_others():
    text = (UNITS / "ecogate.tmpfiles").read_text()

    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert lines
    for line in lines:
        assert re.match(r"[dz] /\S+ 0\d\d0 (root|ecogate) ecogate -$", line), line


def test_udev_rules_are_well_formed():
    text = (UNITS / "70-ecogate.rules").read_text()
    rules = [x for x in text.splitlines() if x and not x.startswith("#")]
    part = re.compile(r'^[A-Z_]+(\{[^}]+\})?(==|!=|\+=|=|:=)"[^"]*"$')

    for rule in rules:
        assert all(part.match(bit.strip()) for bit in rule.split(", ")), rule
    assert '{latency_timer}="1"' in text
    assert text.count('GOTO="ecogate_end"') == text.count('LABEL="ecogate_end"') == 1


def test_install_lays_the_files_out_and_keeps_the_site_file(tmp_path):
    site = tmp_path / "etc/ecogate/site.yaml"
    script = UNITS / "install.sh"
    env = {"DESTDIR": str(tmp_path), "PATH": "/usr/bin:/bin"}

    first = run("sh", script, env=env)
    site.write_text("gateway: mine\n")
    again = run("sh", script, env=env)

    assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
    assert site.read_text() == "gateway: mine\n"
    units = tmp_path / "etc/systemd/system/ecogate.service"
    assert units.read_text() == SERVICE.read_text()
    assert (tmp_path / "etc/udev/rules.d/70-ecogate.rules").exists()


def test_an_update_has_the_extras_of_before_unless_told_otherwise(tmp_path):
    env = {"DESTDIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    kept = tmp_path / "etc/ecogate/extras"

    said = []
    for more in ({}, {"EXTRAS": "hj212"}, {}, {"EXTRAS": ""}, {}):
        assert run("sh", UNITS / "install.sh", env=env | more).returncode == 0
        said.append(kept.read_text().strip())

    assert said == ["", "hj212", "hj212", "", ""]


def test_modules_load_where_memory_may_not_be_written_and_run():
    # prctl(PR_SET_MDWE), kernel 6.3: what MemoryDenyWriteExecute= does, inherited.
    code = (
        "import ctypes, os, sys\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "if libc.prctl(65, 1, 0, 0, 0): sys.exit(77)\n"
        "os.execv(sys.executable, [sys.executable, '-c',"
        " 'import gateway.clock, uvloop, sqlite3, zstandard, msgspec, yaml;"
        "gateway.clock.kernel_synchronised()'])\n"
    )
    done = run(sys.executable, "-c", code, cwd=ROOT)

    if done.returncode == 77:
        # An older kernel cannot tell; the setting itself is checked with the exposure.
        return
    assert done.returncode == 0, done.stderr


def test_cameras_get_their_room_only_where_they_are_installed(tmp_path):
    env = {"DESTDIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    placed = tmp_path / "etc/systemd/system/ecogate.service.d/cameras.conf"

    found = []
    for extras in ("", "hj212,vision", "vision", "visionary", ""):
        done = run("sh", UNITS / "install.sh", env=env | {"EXTRAS": extras})
        assert done.returncode == 0, done.stderr
        found.append(placed.exists())

    assert found == [False, True, True, False, False]


@pytest.mark.needs("systemd-analyze")
def test_systemd_understands_the_room_for_cameras(tmp_path):
    unit = tmp_path / "ecogate.service"
    text = SERVICE.read_text().replace("/opt/ecogate/bin/ecogate", "/bin/true")
    room = (UNITS / "cameras.conf").read_text()
    unit.write_text(f"{text.split('[Install]')[0]}{room}\n[Install]\n")

    done = run("systemd-analyze", "verify", "--man=no", unit)

    about_us = [line for line in done.stderr.splitlines() if "ecogate" in line]
    assert about_us == [], done.stderr


def test_vision_works_where_memory_may_not_be_written_and_run():
    code = (
        "import ctypes, os, sys\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "if libc.prctl(65, 1, 0, 0, 0): sys.exit(77)\n"
        "os.execv(sys.executable, [sys.executable, '-c',"
        " 'from vision.sources import decoder_log; import cv2;"
        "decoder_log.listen();"
        "from vision.detect.detector import Detector;"
        "from vision.messages import Model; import numpy;"
        "Detector.open(Model())(numpy.zeros((360, 640, 3), numpy.uint8))'])\n"
    )
    done = run(sys.executable, "-c", code, cwd=ROOT)

    assert done.returncode in (0, 77), done.stderr
