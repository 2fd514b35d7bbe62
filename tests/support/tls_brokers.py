"""Real brokers with TLS and websockets, and the ways in which TLS can be wrong."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any

from simulators.broker import free_port
from tests.support.brokers import Mosquitto, Nats, Subscriber
from tests.support.certificates import Authority, self_signed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.certificates import Files

# Mosquitto 2.0.11 ends when all its listeners are websockets.
WEBSOCKETS = "protocol websockets\nlistener {} 127.0.0.1"


class TlsMosquitto(Mosquitto):
    """With TLS on ``port``; ``extra`` goes into that listener."""

    def __init__(self, folder: Path, server: Files, extra: str = "") -> None:
        super().__init__(
            folder, f"certfile {server.cert}\nkeyfile {server.key}\n{extra}"
        )


class TlsNats(Nats):
    """With TLS on ``port``; ``tls`` goes into its settings."""

    def __init__(
        self, folder: Path, server: Files, tls: str = "", *, websocket: bool = False
    ) -> None:
        super().__init__(folder)
        self._server, self._tls, self._websocket = server, tls, websocket

    def config(self) -> str:
        """For nats-server."""
        tls = (
            f'tls {{ cert_file: "{self._server.cert}", key_file: "{self._server.key}"'
            f"{self._tls} }}"
        )
        head = (
            f"server_name: test\nlisten: 127.0.0.1:{free_port()}\n"
            f'jetstream {{ store_dir: "{self.folder}/jetstream" }}\n'
        )
        ours = f"listen: 127.0.0.1:{self.port}\n{tls}"
        if self._websocket:
            mqtt = f"mqtt {{ listen: 127.0.0.1:{free_port()} }}\n"
            return f"{head}{mqtt}websocket {{ {ours} }}\n"
        return f"{head}mqtt {{ {ours} }}\n"


def patient_subscriber(port: int, topic: str = "#") -> Subscriber:
    """A reader on a listener that opens a moment after the broker's first one."""
    end = time.monotonic() + 5
    while True:
        try:
            return Subscriber(port, topic)
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)


WRONG = {
    "wrong ca": "tls_authority",
    "system cas": "tls_authority",
    "chain incomplete": "tls_authority",
    "self-signed": "tls_self_signed",
    "wrong name": "tls_name",
    "expired": "tls_expired",
    "intermediate expired": "tls_expired",
    "not yet": "tls_not_yet",
    "no certificate of ours": "tls_client",
    "wrong certificate of ours": "tls_client",
    "our certificate expired": "tls_client",
}
"""Case -> the cause that the gateway names."""


def wrong(
    case: str, authority: Authority, ca: Path, folder: Path
) -> tuple[dict[str, Any], Files, str]:
    """Keys of the target, the broker's certificate and what else it is told."""
    other = Authority("somebody else")
    path = folder / "server"
    if WRONG[case] == "tls_client":
        mutual = f"cafile {ca}\nrequire_certificate true"
        return _ours(case, authority, other, ca, path), authority.issue(path), mutual
    between = Authority(
        "between", authority, days=(-20, -1 if "intermediate" in case else 20)
    )
    make = {
        "wrong ca": lambda: other.issue(path),
        "system cas": lambda: authority.issue(path),
        "chain incomplete": lambda: between.issue(path, chain=False),
        "self-signed": lambda: self_signed(path),
        "wrong name": lambda: authority.issue(path, "broker.example"),
        "expired": lambda: authority.issue(path, days=(-20, -1)),
        "intermediate expired": lambda: between.issue(path),
        "not yet": lambda: authority.issue(path, days=(1, 20)),
    }
    return {"ca_file": None if case == "system cas" else ca}, make[case](), ""


def _ours(
    case: str, authority: Authority, other: Authority, ca: Path, path: Path
) -> dict[str, Any]:
    if case.startswith("no"):
        return {"ca_file": ca}
    signer = other if case.startswith("wrong") else authority
    days = (-20, -1) if case.endswith("expired") else (-1, 20)
    ours = signer.issue(path.with_name("ours"), "site-07", days=days)
    return {"ca_file": ca, "cert_file": ours.cert, "key_file": ours.key}


@contextlib.contextmanager
def old_server(
    server: Files, version: str, wanted: Path | None = None
) -> Iterator[int]:
    """A port that speaks one version of TLS; ``wanted``: who signs clients.

    Sockets in a thread: asyncio closes before the alert of a failure is out.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*server)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion[version]
    if wanted is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(wanted)
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                taken, _ = listening.accept()
                with contextlib.suppress(OSError), taken:
                    context.wrap_socket(taken, server_side=True).recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()
