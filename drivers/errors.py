"""Driver errors, grouped by what the poller does next.

DriverError
├── BusError                the port is gone: close it, reopen it by its stable name
├── TransientError          no usable answer: quality BAD, poll again on schedule
│   ├── ResponseTimeoutError
│   ├── BadFrameError       CRC, length, echo or match failed until the deadline
│   └── UnprovableError     an answer now could be mistaken for an earlier one
├── PointError              the device answered, this point failed: go on with others
│   └── PointUnsupportedError   split off, retried rarely
└── ProfileError            profile or wiring is wrong: a person must act
"""

from __future__ import annotations


class DriverError(Exception):
    """Something between us and a device went wrong.

    ``reason`` is the stable word that travels with a BAD reading; ``sent`` and
    ``received`` are the bytes of the exchange, for the person who must find the cause.
    """

    reason = "driver"

    def __init__(
        self, message: str, *, sent: bytes = b"", received: bytes = b""
    ) -> None:
        super().__init__(message)
        self.sent = sent
        self.received = received


class BusError(DriverError):
    """The port or connection is gone."""

    reason = "bus_gone"


class TransientError(DriverError):
    """No usable answer this time."""

    reason = "no_answer"


class ResponseTimeoutError(TransientError):
    """No complete answer arrived before the deadline."""

    reason = "timeout"


class BadFrameError(TransientError):
    """Bytes arrived, but none that prove to answer the open request."""

    reason = "bad_frame"


class UnprovableError(TransientError):
    """No answer could prove now that it is this request's: not asked, or dropped."""

    reason = "unprovable"


class PointError(DriverError):
    """The device answered; this point has no usable value."""

    reason = "point"

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        sent: bytes = b"",
        received: bytes = b"",
    ) -> None:
        super().__init__(message, sent=sent, received=received)
        if reason:
            self.reason = reason


class PointUnsupportedError(PointError):
    """The device refuses this: a Modbus exception 2 or 3, an error word, a wording."""

    reason = "unsupported"


class ProfileError(DriverError):
    """Profile, configuration or wiring is wrong."""

    reason = "profile"


def read_only(device: str, point: str, what: str) -> PointError:
    """What ``write`` raises where nothing is ever written to such a device."""
    return PointError(
        f"device {device}, {point}: nothing is written to {what}",
        reason="not_writable",
    )
