"""Secrets by where they are: a file, an environment variable, a systemd credential.

The site file names the place and never holds the secret. It is read when a connection
is made, handed on and forgotten: no struct holds it. People put the secret itself where
its place belongs, so what they wrote is repeated only where something is found there.

A secret file is held to what ssh asks of a private key: it belongs to root or to us,
nobody else may write it, and strangers may not read it. The group may: ``root:ecogate
0640`` is how a service usually gets its secrets.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from gateway.config.cameras import SiteCamera
    from gateway.config.model import MqttTarget

CREDENTIALS = "CREDENTIALS_DIRECTORY"
"""Set by systemd for a service with LoadCredential= (systemd.exec(5))."""
LARGEST = 64_000
_SECRET_BITS = stat.S_IWGRP | stat.S_IROTH | stat.S_IWOTH
_PUBLIC_BITS = stat.S_IWOTH


class SecretError(Exception):
    """A secret that is not there or not kept well; says what to do, never the secret.

    ``code`` tells the cause: ``absent`` or ``modes``.
    """

    def __init__(self, message: str, code: str = "absent") -> None:
        super().__init__(message)
        self.code = code


class Secret(msgspec.Struct, frozen=True):
    """Where a secret is; one of the three."""

    key: str
    """The site file's key, for messages."""
    file: Path | None = None
    env: str | None = None
    credential: str | None = None


def password_of(target: MqttTarget | SiteCamera) -> Secret | None:
    """Where the password of a platform or a camera is."""
    return _first(
        Secret("password_file", file=target.password_file),
        Secret("password_env", env=target.password_env),
        Secret("password_credential", credential=target.password_credential),
    )


def key_password_of(target: MqttTarget) -> Secret | None:
    """Where the password of its private key is."""
    return _first(
        Secret("key_password_file", file=target.key_password_file),
        Secret("key_password_env", env=target.key_password_env),
        Secret("key_password_credential", credential=target.key_password_credential),
    )


def private_key_of(target: MqttTarget) -> Secret | None:
    """Where its private key is."""
    return _first(
        Secret("key", file=target.key_file),
        Secret("key_credential", credential=target.key_credential),
    )


def read_secret(secret: Secret) -> str:
    """The secret itself, without the end of its line.

    Raises:
        SecretError: It is not there, not text, or others can get at it.
    """
    if secret.env is not None:
        value = os.environ.get(secret.env)
        if value is None:
            raise SecretError(
                f"{secret.key}: there is no environment variable of that name"
            )
        return value
    path = path_of(secret)
    try:
        check_modes(path, secret.key)
        with path.open("rb") as file:
            return file.read(LARGEST).decode("utf-8").strip("\r\n")
    except OSError as exc:
        raise _unreadable(secret.key, exc) from None
    except UnicodeDecodeError:
        # Its message would show bytes of the secret.
        raise SecretError(f"{secret.key}: the file holds no text in UTF-8") from None


def path_of(secret: Secret) -> Path:
    """The file that holds a secret; a credential is one as well.

    Raises:
        SecretError: Systemd handed over no credentials.
    """
    if secret.file is not None:
        return secret.file
    folder = os.environ.get(CREDENTIALS)
    if not folder:
        raise SecretError(
            f"{secret.key}: systemd handed over no credentials: "
            "add LoadCredential= to the unit"
        )
    return Path(folder) / (secret.credential or "")


def check_modes(path: Path, key: str, *, secret: bool = True) -> None:
    """Nobody else can get at this file.

    Args:
        path: The file.
        key: The site file's key, for messages.
        secret: False for certificates: anybody may read them.

    Raises:
        SecretError: Somebody can; names the command that mends it.
    """
    try:
        found = path.stat()
    except OSError as exc:
        raise _unreadable(key, exc) from None
    if not stat.S_ISREG(found.st_mode):
        raise SecretError(f"{key}: {path} is no ordinary file", "modes")
    if found.st_uid not in (0, os.geteuid()):
        raise SecretError(
            f"{key}: {path} belongs to another user (uid {found.st_uid}), who can "
            f"change it: chown root {path}",
            "modes",
        )
    mode = stat.S_IMODE(found.st_mode)
    if secret and mode & _SECRET_BITS:
        raise SecretError(
            f"{key}: others can read or change {path} (mode {mode:04o}): "
            f"chmod g-w,o-rwx {path}",
            "modes",
        )
    if mode & _PUBLIC_BITS:
        raise SecretError(
            f"{key}: anybody can change {path} (mode {mode:04o}): chmod o-w {path}",
            "modes",
        )


def _first(*secrets: Secret) -> Secret | None:
    for secret in secrets:
        if (secret.file, secret.env, secret.credential) != (None, None, None):
            return secret
    return None


def _unreadable(key: str, exc: OSError) -> SecretError:
    why = exc.strerror or type(exc).__name__
    return SecretError(f"{key}: the file it names cannot be read: {why}")
