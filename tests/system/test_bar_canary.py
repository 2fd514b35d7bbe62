"""Bar: no secret is ever logged, shown, stored or sent.

Every secret of a site is a canary, in its right place and in the wrong ones people put
it in. The daemon runs at debug level with asyncio's own debug mode, connecting, failing
and refused; then every word it said and every byte it kept is searched.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.clock import SystemClock
from gateway.config.model import MqttTarget
from gateway.supervisor import Restarts, keep_running
from gateway.uplink.paho_driver import PahoDriver
from tests.support.brokers import Mosquitto
from tests.support.certificates import Authority
from tests.support.pumped import Pumped
from tests.support.site_run import Gateway, until
from tests.support.tls_brokers import TlsMosquitto, free_port, patient_subscriber

CANARY = "kanarie"
ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.needs("mosquitto")


def canary(name):
    return f"{CANARY}-{name}-4711"


class Nest:
    """A site full of canaries, two brokers, and everything that was said."""

    def __init__(self, folder):
        self.folder = folder
        self.said = {}
        self.credentials = folder / "credentials"
        self.credentials.mkdir()
        self.environment = {
            "SITE_PASSWORD": canary("env"),
            "KEY_PASSWORD": canary("keypass"),
            "CREDENTIALS_DIRECTORY": str(self.credentials),
        }
        self.keys = []

    def keep(self, name, mode=0o600, folder=None):
        path = (folder or self.folder) / name
        path.touch(mode)
        path.write_text(canary(name), encoding="utf-8")
        path.chmod(mode)
        return str(path)

    def targets(self, plain, tls, authority):
        ca = str(authority.save(self.folder / "ca.crt"))
        ours = authority.issue(
            self.folder / "ours", "site-07", password=canary("keypass")
        )
        other = Authority("somebody else").save(self.folder / "other.crt")
        self.keys.append(ours.key.read_text("ascii"))
        self.keep("credential", folder=self.credentials)
        local, safe = f"mqtt://127.0.0.1:{plain}", f"mqtts://127.0.0.1:{tls}"
        mutual = {"ca": ca, "cert": str(ours.cert), "key": str(ours.key)}
        who = {"username": "site-07"}
        return {
            "works": {
                "mqtt": safe,
                **mutual,
                **who,
                "key_password_env": "KEY_PASSWORD",
                "password_credential": "credential",
            },
            "refused": {"mqtt": local, **who, "password_file": self.keep("file")},
            "wrong-ca": {
                "mqtt": safe,
                **who,
                "ca": str(other),
                "password_env": "SITE_PASSWORD",
            },
            "wrong-key-password": {
                "mqtt": safe,
                **mutual,
                "key_password_file": self.keep("wrong"),
            },
            "open-file": {
                "mqtt": local,
                **who,
                "password_file": self.keep("open", 0o644),
            },
            "as-file": {"mqtt": local, **who, "password_file": canary("asfile")},
            "as-env": {
                "mqtt": local,
                **who,
                "password_env": canary("asenv").replace("-", "_"),
            },
            "as-credential": {
                "mqtt": local,
                **who,
                "password_credential": canary("ascredential"),
            },
            "as-ca": {"mqtt": safe, "ca": canary("asca")},
        }

    def write(self, targets, name="site.yaml"):
        document = {
            "gateway": "site-07",
            "clock": {"trust": "always"},
            "buffer": {"path": str(self.folder / "data"), "keep_free": "1MB"},
            "targets": targets,
        }
        path = self.folder / name
        path.write_text(json.dumps(document), encoding="utf-8")
        return path

    def ask(self, *words, status=(0,)):
        done = subprocess.run(
            [sys.executable, "-m", "gateway", *map(str, words)],
            cwd=ROOT,
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode in status, (words, done.stdout, done.stderr)
        self.said[" ".join(map(str, words))] = done.stdout + done.stderr
        return done.stdout

    def found(self):
        """Where a canary, or a line of a private key, sits."""
        lines = [line for key in self.keys for line in key.splitlines()[1:-1]]
        kept = {
            str(path): path.read_bytes()
            for path in (self.folder / "data").rglob("*")
            if path.is_file()
        }
        heard = {name: text.encode() for name, text in self.said.items()}
        return [
            (place, secret)
            for place, content in {**kept, **heard}.items()
            for secret in (CANARY, *lines)
            if secret.encode() in content
        ]


def test_a_running_gateway_tells_no_secret(tmp_path, monkeypatch, figure):
    nest = Nest(tmp_path)
    for name, value in nest.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")
    authority = Authority("our authority")
    reading = free_port()
    extra = (
        f"cafile {tmp_path / 'ca.crt'}\nrequire_certificate true\n"
        f"listener {reading} 127.0.0.1"
    )
    server = authority.issue(tmp_path / "server")
    authority.save(tmp_path / "ca.crt")
    with (
        Mosquitto(tmp_path / "plain", "allow_anonymous false") as plain,
        TlsMosquitto(tmp_path / "tls", server, extra) as tls,
    ):
        site = nest.write(nest.targets(plain.port, tls.port, authority))
        gateway = Gateway(site, tmp_path, "--log-level", "debug", "--loop", "asyncio")
        with patient_subscriber(reading) as reader:
            gateway.start()
            try:
                until(lambda: _connected(gateway) >= 1, 20, "one works")
                until(lambda: _all_failed(nest, site), 20, "all others fail")
                nest.ask("check", site)
                nest.ask("check", site, "--json")
                nest.ask("status", site, status=(0, 1))
                copy = tmp_path / "copy.yaml"
                copy.write_bytes(site.read_bytes().replace(b'"works"', b'"moved"'))
                nest.ask("apply", copy, "--site", site, "--confirm-within", "5m")
                nest.ask("apply", "--revert", "--site", site)
                until(lambda: _connected(gateway) >= 2, 20, "again")
                for verb in ("stats", "inspect"):
                    nest.ask("buffer", verb, "--site", site)
                gateway.stop()
            finally:
                gateway.close()
            for number, message in enumerate(reader.take()):
                nest.said[f"message {number}"] = f"{message.topic} {message.payload!r}"
    exported = nest.ask("buffer", "export", "--site", site)
    nest.said["log"] = gateway.log.read_text("utf-8")

    figure("places searched", len(nest.said))
    assert "chmod g-w,o-rwx" in nest.said["log"]
    for cause in ("secret", "tls_authority", "tls_files"):
        assert cause in exported
    assert nest.found() == []


def _health(nest, site):
    return json.loads(nest.ask("status", site, "--json", status=(0, 1)))["targets"]


def _connected(gateway):
    return sum(": connected (" in line for line in gateway.lines())


def _all_failed(nest, site):
    return all(
        target["reason"]
        for target in _health(nest, site)
        if target["target"] != "works"
    )


WRONG_PLACES = {
    "user and password in the URL": {"mqtt": f"mqtts://me:{canary('a')}@host"},
    "user in the URL": {"mqtt": f"mqtts://{canary('a')}@host"},
    "token in the query": {"mqtt": f"wss://host/mqtt?token={canary('b')}"},
    "token after the hash": {"mqtt": f"wss://host/mqtt#{canary('c')}"},
    "password for a port": {"mqtt": f"mqtts://host:{canary('d')}"},
    "password for a port, no scheme": {"mqtt": f"host:{canary('e')}"},
    "odd characters in the path": {"mqtt": f"wss://host/mqtt/{canary('f')}%20"},
    "written out": {"mqtt": "mqtts://host", "password": canary("g")},
    "written out as token": {"mqtt": "mqtts://host", "token": canary("h")},
    "key password": {"mqtt": "mqtts://host", "key_password": canary("i")},
    "a list": {"mqtt": "mqtts://host", "password_file": [canary("j")]},
    "no name of a variable": {"mqtt": "mqtts://host", "password_env": canary("k")},
    "no name of a credential": {
        "mqtt": "mqtts://host",
        "password_credential": canary("l") + " !",
    },
    "the whole target": f"mqtts://me:{canary('m')}@host",
}


def test_a_secret_in_the_wrong_place_is_refused_and_not_repeated(tmp_path, figure):
    nest = Nest(tmp_path)
    good = nest.write({}, "good.yaml")
    targets = {f"t-{n}": wrong for n, wrong in enumerate(WRONG_PLACES.values())}
    site = nest.write(targets, "bad.yaml")
    told = json.loads(nest.ask("check", site, "--json", status=(2,)))
    nest.ask("check", site, status=(2,))
    nest.ask("apply", site, "--site", good, status=(1, 2))
    nest.ask("run", site, status=(2,))

    errors = {
        p["path"].split(".")[1] for p in told["problems"] if p["severity"] == "error"
    }
    assert errors == set(targets)
    figure("wrong places", len(WRONG_PLACES))
    assert nest.found() == []


async def test_a_crash_while_connecting_shows_no_secret(tmp_path, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    secret = tmp_path / "secret"
    secret.touch(0o600)
    secret.write_text(canary("crash"))
    drivers = []

    async def fails(self):
        drivers.append(self)
        raise RuntimeError("a bug")

    monkeypatch.setattr(PahoDriver, "connect", fails)
    listening = socket.create_server(("127.0.0.1", 0))
    target = MqttTarget(
        name="city",
        host="127.0.0.1",
        port=listening.getsockname()[1],
        username="me",
        password_file=secret,
    )
    site = Pumped(tmp_path, target)
    runs = []

    async def once():
        runs.append(1)
        if len(runs) == 1:
            await site.pump.run()

    monkeypatch.setattr("gateway.supervisor._PAUSES_S", (0.0,))
    restarts = Restarts()
    await keep_running(
        "target:city", once, restarts=restarts, wall_ms=SystemClock("always").wall_ms
    )

    assert "a bug" in caplog.text
    assert "Traceback" in caplog.text
    shown = [repr(drivers[0]), repr(vars(drivers[0])), restarts.last_error]
    drivers[0].close()
    listening.close()
    assert CANARY not in caplog.text + "".join(shown)
