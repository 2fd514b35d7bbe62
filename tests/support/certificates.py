"""Certificates for tests: an authority, what it signs, and what is wrong with some.

    ca = Authority("our ca")
    server = ca.issue(folder / "server", "127.0.0.1")
    server.cert, server.key                       # files in PEM

Times are days from now: ``days=(-20, -10)`` has expired.
"""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path

FOR_LONG = (-365, 3650)


class Files(NamedTuple):
    """A certificate with its key, on disk; the key may be read by its owner only."""

    cert: Path
    key: Path


class Authority:
    """Signs certificates; an intermediate one has a ``parent``."""

    def __init__(
        self,
        name: str,
        parent: Authority | None = None,
        days: tuple[int, int] = FOR_LONG,
    ) -> None:
        self.name = _name(name)
        self.key = ec.generate_private_key(ec.SECP256R1())
        signer = parent or self
        builder = _builder(self.name, signer.name, self.key, days).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.certificate = _signed(builder, signer)
        self.chain = [self.certificate, *(parent.chain if parent else [])]

    def save(self, path: Path) -> Path:
        """The authority's own certificate, as a file to trust."""
        path.write_bytes(_pem(self.certificate))
        return path

    def issue(
        self,
        path: Path,
        host: str = "127.0.0.1",
        *,
        days: tuple[int, int] = FOR_LONG,
        chain: bool = True,
        password: str | None = None,
    ) -> Files:
        """A certificate for a host or a client.

        Args:
            path: Where, without suffix.
            host: Address or name it is for.
            days: From when to when.
            chain: The file holds the intermediate ones as well, not the root.
            password: The key's.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(host), self.name, key, days)
        certificate = _signed(_for_host(builder, host), self)
        pem = _pem(certificate)
        if chain:
            pem += b"".join(_pem(c) for c in self.chain[:-1])
        return _save(path, pem, key, password)


def self_signed(path: Path, host: str = "127.0.0.1") -> Files:
    """A certificate that nobody but itself has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _for_host(_builder(_name(host), _name(host), key, FOR_LONG), host)
    certificate = builder.sign(key, hashes.SHA256())
    return _save(path, _pem(certificate), key, None)


def exchange(old: Files, new: Files) -> None:
    """Put new content into the old files, as a renewal does: the key last."""
    for there, here in zip(old, new, strict=True):
        beside = there.with_suffix(".new")
        beside.write_bytes(here.read_bytes())
        beside.chmod(0o600)
        beside.replace(there)


def _save(
    path: Path, pem: bytes, key: ec.EllipticCurvePrivateKey, password: str | None
) -> Files:
    files = Files(path.with_suffix(".crt"), path.with_suffix(".key"))
    files.cert.write_bytes(pem)
    files.key.touch(0o600)
    files.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(password.encode())
            if password
            else serialization.NoEncryption(),
        )
    )
    return files


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    days: tuple[int, int],
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
    )


def _for_host(builder: x509.CertificateBuilder, host: str) -> x509.CertificateBuilder:
    try:
        name: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        name = x509.DNSName(host)
    return builder.add_extension(x509.SubjectAlternativeName([name]), critical=False)


def _signed(builder: x509.CertificateBuilder, signer: Authority) -> x509.Certificate:
    return builder.sign(signer.key, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
