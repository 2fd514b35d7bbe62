"""What every source of pictures is, and how it says that none comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vision.messages import Fault

OPEN_S = 5.0
"""To connect and to be answered; a camera on a field network needs 2 s at most."""
READ_S = 6.0
"""Without a frame for so long a camera is silent: named within 10 s, reconnect too."""
LARGEST_PIXELS = 50_000_000
"""A header that promises more is damage, or an attack on our memory."""


class Grabbed(NamedTuple):
    """One decoded picture."""

    image: NDArray[np.uint8]
    """(height, width, 3), BGR."""
    stream_s: float | None = None
    """The stream's own time, seconds, rising; None: the source tells none."""


class SourceError(Exception):
    """No picture: why, as a fault of the camera and a sentence of the catalogue.

    Args:
        fault: ``gone``, ``refused``, ``silent`` or ``corrupt``.
        key: The sentence, ``vision.source.*``.
        args: What it tells: address, status line, seconds. Never a password.
    """

    def __init__(self, fault: Fault, key: str, **args: str) -> None:
        told = ", ".join(f"{name} {value!r}" for name, value in args.items())
        super().__init__(f"{fault}: {key}" + (f" ({told})" if told else ""))
        self.fault: Fault = fault
        self.key = key
        self.args_told = args


class EndedError(SourceError):
    """A file or folder that does not loop has shown everything."""


class Source(Protocol):
    """An opened camera. Used by one thread; ``close`` may be called twice."""

    def read(self, timeout_s: float = READ_S) -> Grabbed:
        """The newest picture, when it is due by the camera's stated rate.

        Raises:
            SourceError: It must be closed and opened again; a ``corrupt`` one may be
                read on.
        """
        ...

    def close(self) -> None:
        """Give back every handle."""
        ...
