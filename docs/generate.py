"""Writes the documents that come from code, or says which of them are stale.

python docs/generate.py            writes them
python docs/generate.py --check    exit status 1 and the names of the stale ones
"""

from __future__ import annotations

import argparse
import difflib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# Each prints the whole document.
DOCUMENTS: dict[str, list[str]] = {
    "docs/site.schema.json": ["-m", "gateway", "schema"],
    "docs/site-keys.md": ["-m", "gateway.config.keys_page"],
    "docs/devices.md": ["-m", "drivers.profiles.devices_page"],
    "docs/delivery.md": ["docs/sentences.py"],
    "docs/factor-codes.md": ["-m", "gateway.factors.codes_page"],
}


def made(command: list[str]) -> str:
    """What the generator prints now.

    Raises:
        SystemExit: It failed; its last words are shown.
    """
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"python {' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return done.stdout


def main() -> int:
    """Write or check; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="change nothing")
    check = parser.parse_args().check
    stale = 0
    for name, command in DOCUMENTS.items():
        path = ROOT / name
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        new = made(command)
        if old == new:
            continue
        if not check:
            path.write_text(new, encoding="utf-8")
            print(f"{name}: written")
            continue
        stale += 1
        print(f"{name}: stale; make docs writes it", file=sys.stderr)
        difference = difflib.unified_diff(old.splitlines(), new.splitlines(), n=0)
        print("\n".join([*difference][:12]), file=sys.stderr)
    return int(stale > 0)


if __name__ == "__main__":
    sys.exit(main())
