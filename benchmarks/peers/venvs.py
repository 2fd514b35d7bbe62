"""An environment of its own for each peer, made by pip from a pinned list."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.peers.model import Peer

_HERE = Path(__file__).parent


def programs(peer: Peer, cache: Path) -> Path:
    """The folder of the peer's programs; installed first where it is not there.

    Raises:
        subprocess.CalledProcessError: pip did not succeed; it said why.
    """
    if peer.requirements is None:
        return Path(sys.executable).parent
    wanted = _HERE / peer.requirements
    mark = hashlib.sha256(wanted.read_bytes()).hexdigest()[:12]
    home = cache / f"{peer.package}-{mark}"
    stamp = home / "installed"
    if not stamp.exists():
        print(f"installing {peer.package} into {home}", file=sys.stderr, flush=True)
        venv.create(home, with_pip=True, clear=True)
        python = str(home / "bin" / "python")
        subprocess.run(
            [python, "-m", "pip", "install", "-qq", "-r", str(wanted)], check=True
        )
        stamp.touch()
    return home / "bin"


def version(peer: Peer, folder: Path) -> str:
    """What the environment says it holds."""
    code = f"from importlib.metadata import version; print(version({peer.package!r}))"
    done = subprocess.run(
        [str(folder / "python"), "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
