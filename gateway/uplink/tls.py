"""TLS to a platform: one way in, and what a person reads where it fails.

TLS 1.2 or newer, the broker's certificate verified with its name. Nothing here and no
key of the site file turns that off.

While the clock is known to be wrong (it says less than the floor, the latest moment
known to be past), OpenSSL is told to leave the validity period alone, and the verified
chain is held against the floor here: what ended before the floor is refused. All else
is verified as ever. docs/adr/0008 says why, and what that cannot see.
"""

from __future__ import annotations

import contextlib
import hashlib
import ssl
from typing import TYPE_CHECKING, Any

from gateway.secrets import (
    SecretError,
    check_modes,
    key_password_of,
    password_of,
    path_of,
    private_key_of,
    read_secret,
)
from gateway.uplink.link import SetupError

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.config.model import MqttTarget

_NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME (openssl/x509_vfy.h)."""


class HandshakeEndedError(OSError):
    """The broker closed, or fell silent, in the handshake."""


class OutdatedError(OSError):
    """A certificate of the verified chain ended before the floor."""

    def __init__(self, until_ms: int) -> None:
        super().__init__()
        self.until_ms = until_ms


class UnknowableError(OSError):
    """This Python does not show the verified chain."""


class TlsContext(ssl.SSLContext):
    """What connections to one platform are made with, and what the last one met."""

    now_ms: int = 0
    """What the system's clock said when the connection was asked for."""
    floor_ms: int | None = None
    """Judge validity by this moment, as the clock is wrong; None: OpenSSL does."""
    failure: ssl.SSLError | None = None
    """What the broker said after the handshake; TLS 1.3 refuses clients there."""

    def judge_time(self, now_ms: int, floor_ms: int) -> None:
        """Choose who looks at validity periods, and forget the last failure."""
        self.failure = None
        self.now_ms = now_ms
        self.floor_ms = floor_ms if now_ms < floor_ms else None
        if self.floor_ms is None:
            self.verify_flags &= ~ssl.VerifyFlags(_NO_CHECK_TIME)
        else:
            self.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME)


class _WatchedSocket(ssl.SSLSocket):
    """Checks the chain's dates where OpenSSL may not; remembers alerts."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
            self._check_time()
        except (ssl.SSLEOFError, ConnectionError, TimeoutError) as exc:
            self.close()
            raise HandshakeEndedError(str(exc)) from None
        except OSError:
            self.close()
            raise

    def _check_time(self) -> None:
        context = self.context
        if isinstance(context, TlsContext) and context.floor_ms is not None:
            for until_ms in _ends_of_validity(self):
                if until_ms < context.floor_ms:
                    raise OutdatedError(until_ms)

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        try:
            return super().recv(buflen, flags)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as exc:
            self._note(exc)
            raise

    def send(self, data: Any, flags: int = 0) -> int:  # noqa: ANN401 - any buffer
        try:
            return super().send(data, flags)
        except (ssl.SSLEOFError, BrokenPipeError, ConnectionResetError):
            # The broker closed: it may have said why before.
            with contextlib.suppress(OSError):
                self.recv(1)
            raise

    def _note(self, failure: ssl.SSLError) -> None:
        if isinstance(self.context, TlsContext):
            self.context.failure = failure


def _ends_of_validity(sock: ssl.SSLSocket) -> list[int]:
    """When each certificate of the verified chain ends, ms since 1970.

    Raises:
        UnknowableError: No way to see the chain: it must not be trusted then.
    """
    try:
        # Public from Python 3.13 on, and without the dates even there.
        chain = sock._sslobj.get_verified_chain()  # type: ignore[attr-defined]  # noqa: SLF001
        ends = [
            ssl.cert_time_to_seconds(certificate.get_info()["notAfter"]) * 1000
            for certificate in chain
        ]
    except (AttributeError, KeyError, TypeError, ValueError) as exc:
        raise UnknowableError from exc
    if not ends:
        raise UnknowableError
    return ends


class Keyring:
    """Makes the context of one platform, again only when its files have changed.

    Loading what a system trusts takes 70 ms of CPU: too much for each attempt.
    """

    def __init__(self) -> None:
        self._made: tuple[str, TlsContext] | None = None

    def context(self, target: MqttTarget) -> TlsContext:
        """The context for the files as they are now. Blocks: not for the loop.

        Raises:
            SetupError: A file is missing, not kept well, or no certificate.
        """
        try:
            check_files(target)
            print_now = fingerprint(target)
            if self._made is None or self._made[0] != print_now:
                self._made = print_now, _make_context(target)
        except SecretError as exc:
            raise SetupError(f"{target.url}: {exc}", "secret") from None
        return self._made[1]


def files_of(target: MqttTarget) -> list[Path]:
    """The certificates and keys of a target.

    Raises:
        SecretError: Systemd handed over no credentials.
    """
    key = private_key_of(target)
    files = [target.ca_file, target.cert_file, path_of(key) if key else None]
    return [file for file in files if file is not None]


def check_files(target: MqttTarget) -> None:
    """Nobody else can get at the files.

    Raises:
        SecretError: Somebody can, or one is missing.
    """
    for key, file in (("ca", target.ca_file), ("cert", target.cert_file)):
        if file is not None:
            check_modes(file, key, secret=False)
    private = private_key_of(target)
    if private is not None:
        check_modes(path_of(private), private.key)


def fingerprint(target: MqttTarget) -> str:
    """Names the content of a target's files; another one means others.

    Raises:
        SecretError: One cannot be read.
    """
    digest = hashlib.sha256()
    roles = (target.ca_file is None, target.cert_file is None)
    digest.update(repr(roles).encode())
    for file in files_of(target):
        try:
            digest.update(hashlib.sha256(file.read_bytes()).digest())
        except OSError as exc:
            why = exc.strerror or type(exc).__name__
            raise SecretError(
                f"ca, cert, key: the file it names cannot be read: {why}"
            ) from None
    return digest.hexdigest()


def footprint(target: MqttTarget) -> tuple[object, ...]:
    """What a look at the folder shows: cheap, and changes with almost every change."""
    try:
        return tuple(_mark(file) for file in files_of(target))
    except (OSError, SecretError):
        return (None,)


def secrets_footprint(target: MqttTarget) -> tuple[object, ...]:
    """The same of the files that hold passwords, with who may read them."""
    secrets = (password_of(target), key_password_of(target))
    try:
        return tuple(_mark(path_of(s)) for s in secrets if s and s.env is None)
    except (OSError, SecretError):
        return (None,)


def _mark(file: Path) -> tuple[object, ...]:
    found = file.stat()
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def _make_context(target: MqttTarget) -> TlsContext:
    context = TlsContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies chain and name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = _WatchedSocket
    if target.ca_file is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        try:
            context.load_verify_locations(target.ca_file)
        except (ssl.SSLError, OSError):
            raise SetupError(
                f"{target.url}: ca: {target.ca_file} holds no certificate in PEM",
                "tls_files",
            ) from None
    if target.cert_file is not None:
        _load_own(context, target)
    return context


def _load_own(context: TlsContext, target: MqttTarget) -> None:
    key = private_key_of(target)
    key_file = path_of(key) if key else None
    secret = key_password_of(target)
    trouble: list[SecretError] = []

    def password() -> str:
        # Without this, OpenSSL would ask on the terminal.
        try:
            return read_secret(secret) if secret else _no_password()
        except SecretError as exc:
            trouble.append(exc)
            raise

    try:
        context.load_cert_chain(target.cert_file or "", key_file, password)
    except SecretError:
        raise trouble[0] from None
    except ssl.SSLError as exc:
        said = _why_not_loaded(exc, key_file or target.cert_file)
        raise SetupError(f"{target.url}: {said}", "tls_files") from None
    except (OSError, ValueError) as exc:
        why = getattr(exc, "strerror", None) or "not usable"
        raise SetupError(
            f"{target.url}: cert and key cannot be loaded: {why}", "tls_files"
        ) from None


def _no_password() -> str:
    raise SecretError(
        "key: the private key is encrypted: name its password by key_password_file, "
        "key_password_env or key_password_credential"
    )


def _why_not_loaded(exc: ssl.SSLError, key_file: Path | None) -> str:
    if "MISMATCH" in (exc.reason or ""):
        return "cert and key do not belong together"
    # OpenSSL has one word for a wrong password and for no key at all.
    with contextlib.suppress(OSError):
        if key_file is not None and b"ENCRYPTED" in key_file.read_bytes():
            return "the key's password is wrong"
    return "cert and key cannot be loaded: expected certificate and key in PEM"
