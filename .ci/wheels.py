"""Whether a gateway on aarch64 installs without a compiler: ``make wheels``.

Asks pip, through the index it is configured with, to resolve the base and the extras
``vision`` and ``hj212`` at the versions of constraints.txt for CPython 3.11 on
glibc 2.28 (Debian 10, Ubuntu 20.04, openEuler 22.03 and later), wheels only, and prints
which wheel each package would come as. Nothing is installed. Ends with 1 where one has
none. Not part of ``make test``: it wants a network.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = ("vision", "hj212")
PYTHON = "3.11"
GLIBC = range(17, 29)
"""Minor versions of glibc 2 whose wheels such a system takes."""


def requirements() -> list[str]:
    """What the base and the extras ask for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    found: list[str] = list(project["dependencies"])
    for extra in EXTRAS:
        found += project["optional-dependencies"][extra]
    return found


def platforms(machine: str = "aarch64") -> list[str]:
    """Platform tags, newest first; pip does not derive the older ones itself."""
    newest_first = [f"manylinux_2_{minor}_{machine}" for minor in reversed(GLIBC)]
    return [*newest_first, f"manylinux2014_{machine}"]


def command(folder: str, report: Path) -> list[str]:
    """The pip that resolves and installs nothing."""
    found = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet"]
    found += ["--ignore-installed", "--only-binary=:all:", "--target", folder]
    found += ["--no-input", "--disable-pip-version-check"]
    found += ["--python-version", PYTHON, "--implementation", "cp"]
    for platform in platforms():
        found += ["--platform", platform]
    found += ["--constraint", str(ROOT / "constraints.txt")]
    return [*found, "--report", str(report), *requirements()]


def wheels(report: dict[str, list[dict[str, dict[str, str]]]]) -> list[tuple[str, str]]:
    """Package and version, and the tags of its wheel; never where it came from."""
    found = []
    for one in report["install"]:
        name = Path(unquote(urlsplit(one["download_info"]["url"]).path)).name
        tags = "-".join(name.removesuffix(".whl").split("-")[-3:])
        about = one["metadata"]
        found.append((f"{about['name']} {about['version']}", tags))
    return sorted(found, key=lambda row: row[0].lower())


def main() -> int:
    """Ask, print, judge."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        done = subprocess.run(
            command(folder, report), capture_output=True, text=True, check=False
        )
        if done.returncode:
            # Without lines that tell where the index is.
            told = [x for x in done.stderr.splitlines() if "://" not in x]
            print("\n".join(told[-8:]), file=sys.stderr)
            print("wheels: not every package has one for aarch64", file=sys.stderr)
            return 1
        found = wheels(json.loads(report.read_text("utf-8")))
    for package, tags in found:
        print(f"{package:36} {tags}")
    built = sum(not tags.endswith("-any") for _, tags in found)
    print(
        f"{len(found)} packages for aarch64, CPython {PYTHON}: {built} built, "
        f"{len(found) - built} pure, none from source"
    )
    pinned = (ROOT / "constraints.txt").read_text("utf-8")
    names = {re.sub(r"[-_.]+", "-", p.split()[0]).lower() for p, _ in found}
    loose = names - set(re.findall(r"^([\w.-]+)==", pinned, re.M))
    if loose:
        print(f"not in constraints.txt: {', '.join(sorted(loose))}", file=sys.stderr)
    return 1 if loose else 0


if __name__ == "__main__":
    sys.exit(main())
