"""What a person reads where TLS to a platform does not come about: cause and remedy.

OpenSSL's errors by what there is to do. The sentences are in the catalogue
(``field.tls_*``); who shows one words it in the reader's language.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gateway.uplink.link import SetupError
from gateway.uplink.tls import OutdatedError, UnknowableError

if TYPE_CHECKING:
    from gateway.config.model import MqttTarget
    from gateway.uplink.tls import TlsContext

# X509_V_ERR_* (openssl/x509_vfy.h).
_AUTHORITY = frozenset({2, 19, 20, 21, 27})
_SELF_SIGNED, _NOT_YET, _EXPIRED = 18, 9, 10
_NAMES = frozenset({62, 64})
# Parts of OpenSSL's reasons; they differ between its versions.
_VERSIONS = (
    "UNSUPPORTED_PROTOCOL",
    "PROTOCOL_VERSION",
    "WRONG_SSL_VERSION",
    "NO_PROTOCOLS_AVAILABLE",
    "VERSION_TOO_LOW",
)
_NO_TLS = (
    "WRONG_VERSION_NUMBER",
    "UNKNOWN_PROTOCOL",
    "HTTP_REQUEST",
    "RECORD_LAYER_FAILURE",
    "PACKET_LENGTH_TOO_LONG",
)
_CLIENT_ALERTS = (
    "ALERT_CERTIFICATE_REQUIRED",
    "ALERT_BAD_CERTIFICATE",
    "ALERT_UNKNOWN_CA",
    "ALERT_CERTIFICATE_EXPIRED",
    "ALERT_CERTIFICATE_REVOKED",
    "ALERT_CERTIFICATE_UNKNOWN",
    "ALERT_UNSUPPORTED_CERTIFICATE",
    "ALERT_ACCESS_DENIED",
    "ALERT_DECRYPT_ERROR",
)
_HANDSHAKE_FAILURE = "ALERT_HANDSHAKE_FAILURE"


def failed_handshake(
    exc: Exception, target: MqttTarget, context: TlsContext
) -> SetupError | None:
    """Why TLS did not come about; None: it is no matter of TLS.

    Args:
        exc: What the handshake ended with.
        target: Where to.
        context: What it was tried with, the time included.
    """
    where, now_ms, floor_ms = target.url, context.now_ms, context.floor_ms or 0
    if isinstance(exc, OutdatedError):
        return SetupError(
            f"{where}: the broker's certificate ended {_day(exc.until_ms)}, before "
            f"{_day(floor_ms)}, which is surely past: have it renewed",
            "tls_expired",
        )
    if isinstance(exc, UnknowableError):
        return SetupError(
            f"{where}: our clock says {_day(now_ms)}, which cannot be, and this Python "
            "cannot judge certificates without a clock: set the clock",
            "tls_not_yet",
        )
    if isinstance(exc, ssl.SSLCertVerificationError):
        cause, text = _unverified(exc, target.host, _day(now_ms))
        return SetupError(f"{where}: {text}", cause)
    if isinstance(exc, ssl.SSLError):
        return _failed(exc.reason or "", target)
    return None


def refused_after_handshake(
    context: TlsContext | None, target: MqttTarget
) -> SetupError | None:
    """What the broker said after a handshake that seemed to work (TLS 1.3)."""
    failure = context.failure if context is not None else None
    return None if failure is None else _refused_by_broker(failure.reason or "", target)


def _unverified(
    exc: ssl.SSLCertVerificationError, host: str, now: str
) -> tuple[str, str]:
    """Cause and text for a certificate that OpenSSL does not take."""
    code = exc.verify_code
    if code in _AUTHORITY:
        return "tls_authority", (
            "nobody we trust has signed the broker's certificate: check the ca file, "
            "and that the broker sends its intermediate certificates"
        )
    if code in _NAMES:
        return "tls_name", (
            f"the broker's certificate is for another name than {host}: check the "
            "address, or have the certificate made out to it"
        )
    if code == _SELF_SIGNED:
        return "tls_self_signed", (
            "the broker's certificate is signed by itself: name that certificate as "
            "ca if it is the right one"
        )
    if code == _NOT_YET:
        return "tls_not_yet", (
            "the broker's certificate is not valid yet by our clock, which says "
            f"{now}: check the clock (NTP, GNSS, battery) first, then the certificate"
        )
    if code == _EXPIRED:
        return "tls_expired", (
            f"the broker's certificate has expired by our clock, which says {now}: "
            "have it renewed, or check the clock"
        )
    return "tls_other", f"the broker's certificate is refused: {exc.verify_message}"


def _failed(reason: str, target: MqttTarget) -> SetupError:
    where = target.url
    if _any(reason, _VERSIONS):
        return SetupError(
            f"{where}: the broker offers only TLS older than 1.2, which is broken: "
            "have it updated",
            "tls_version",
        )
    if _any(reason, _NO_TLS):
        return SetupError(
            f"{where}: the broker speaks no TLS on this port: check the port "
            "(8883 is usual)",
            "tls_no_tls",
        )
    refused = _refused_by_broker(reason, target)
    said = reason.lower().replace("_", " ") or "no reason given"
    return refused or SetupError(f"{where}: TLS failed: {said}", "tls_other")


def _refused_by_broker(reason: str, target: MqttTarget) -> SetupError | None:
    missing = target.cert_file is None
    # Before TLS 1.3 a handshake failure stands for much else as well.
    general = missing and _HANDSHAKE_FAILURE in reason
    if not general and not _any(reason, _CLIENT_ALERTS):
        return None
    if missing:
        text = "the broker wants a certificate of ours: name it by cert and key"
    else:
        said = reason.lower().rpartition("alert_")[2].replace("_", " ")
        text = f"the broker does not take our certificate ({said}): check cert and key"
    return SetupError(f"{target.url}: {text}", "tls_client")


def _any(reason: str, parts: tuple[str, ...]) -> bool:
    return any(part in reason for part in parts)


def _day(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
