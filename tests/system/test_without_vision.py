"""The gateway installs and runs without the extra ``vision`` (bar 9).

Its processes run with numpy, OpenCV and onnxruntime hidden, as if they were not
installed; whoever asks for one is written down.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from importlib.metadata import requires
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from tests.support.site_run import ROOT, SiteRun

HIDDEN = ("numpy", "cv2", "onnxruntime")
HOOK = """
import importlib.machinery, sys
_find = importlib.machinery.PathFinder.find_spec
def _hidden(name, path=None, target=None):
    if name.partition(".")[0] in {hidden!r}:
        if sys._getframe(2).f_code.co_name != "find_spec":  # asked, not imported
            with open({log!r}, "a") as log:
                log.write(name + " " + " ".join(sys.argv) + "\\n")
        return None
    return _find(name, path, target)
importlib.machinery.PathFinder.find_spec = staticmethod(_hidden)
"""


@pytest.fixture
def hidden(tmp_path, monkeypatch):
    """Hide the libraries from every Python started from here; what imported them."""
    folder, log = tmp_path / "hook", tmp_path / "imported"
    folder.mkdir()
    hook = textwrap.dedent(HOOK.format(hidden=HIDDEN, log=str(log)))
    (folder / "sitecustomize.py").write_text(hook)
    path = os.environ.get("PYTHONPATH")
    parts = [str(folder), *([path] if path else [])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(parts))
    return lambda: log.read_text().splitlines() if log.exists() else []


def python(*arguments):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_hook_hides(hidden):
    for name in HIDDEN:
        assert "ModuleNotFoundError" in python("-c", f"import {name}").stderr
    find = "from importlib.util import find_spec; print(find_spec('numpy'))"

    assert python("-c", find).stdout == "None\n"
    assert [line.split()[0] for line in hidden()] == list(HIDDEN)


def test_a_gateway_checks_its_site_and_collects_without_the_extra(tmp_path, hidden):
    with SiteRun(tmp_path, devices=1) as site:
        file = site.gateway.site
        written = json.loads(file.read_text())
        written["cameras"] = {"gate": {"url": f"{tmp_path}/none.mp4"}}
        file.write_text(json.dumps(written))
        checked = python("-m", "gateway", "check", str(site.gateway.site))
        site.start()
        site.wait_fresh()
        loaded = mapped(site.gateway.process.pid)
        site.gateway.stop()
        log = site.gateway.tail()

    said = checked.stdout + checked.stderr
    assert checked.returncode == 0, said
    assert "EXTRAS=vision systemd/install.sh" in said
    assert "Traceback" not in log
    # Only the process of the cameras asks, and ends; the gateway never does.
    assert all("vision/worker.py" in line for line in hidden())
    assert loaded == []


def mapped(pid):
    """Native libraries of the hidden packages in a process."""
    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return [x for x in maps if any(f"/{name}/" in x for name in HIDDEN)]


def test_commands_of_vision_say_what_to_install(hidden):
    for arguments in (["bench"], ["check-model", "any.onnx"]):
        done = python("-m", "gateway", "vision", *arguments)

        assert done.returncode == 2
        assert "EXTRAS=vision systemd/install.sh" in done.stderr
        assert "Traceback" not in done.stderr
    assert hidden() == []


def test_the_base_asks_for_none_of_it():
    base = [line for line in requires("ecogate") or () if "extra ==" not in line]

    assert base
    assert not [x for x in base if x.startswith(("numpy", "opencv", "onnxruntime"))]


def test_wheels_are_named_without_where_they_came_from():
    spec = spec_from_file_location("wheels", ROOT / ".ci" / "wheels.py")
    wheels = module_from_spec(spec)
    spec.loader.exec_module(wheels)
    url = "https://index.example/numpy-2.4.6-cp311-cp311-manylinux_2_28_aarch64.whl"
    report = {
        "install": [
            {
                "download_info": {"url": url},
                "metadata": {"name": "numpy", "version": "2.4.6"},
            }
        ]
    }

    assert wheels.wheels(report) == [
        ("numpy 2.4.6", "cp311-cp311-manylinux_2_28_aarch64")
    ]
    asked = " ".join(wheels.requirements())
    assert all(name in asked for name in ("numpy", "onnxruntime", "opencv", "msgspec"))
    assert "cryptography" in asked
    assert "torch" not in asked
    assert "manylinux_2_28_aarch64" in wheels.platforms()
