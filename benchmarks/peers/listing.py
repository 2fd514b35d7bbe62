"""The peers, by the word that chooses them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.peers.ecogate import Ecogate
from benchmarks.peers.modpoll import Modpoll
from benchmarks.peers.thingsboard import Thingsboard

if TYPE_CHECKING:
    from benchmarks.peers.model import Peer

PEERS: dict[str, Peer] = {
    "ecogate": Ecogate(),
    "modpoll": Modpoll(),
    "tb-memory": Thingsboard("memory"),
    "tb-file": Thingsboard("file"),
}
