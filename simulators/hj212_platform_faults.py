"""What a platform can do wrong, so that its devices show what they do then."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from enum import StrEnum


class Fault(StrEnum):
    """What happens to an answer (9013, 9014), or to the connection it should go on."""

    DROP = "drop-answers"
    LATE = "late-answers"
    WRONG_QN = "wrong-qn"
    DOUBLE = "double-answers"
    BAD_CRC = "bad-crc"
    GARBAGE = "garbage"
    """Bytes before the answer that are no frame."""
    PIECES = "pieces"
    RESET = "reset"
    """The connection is reset instead."""
    HALF_OPEN = "half-open"
    """From here on nothing is read and nothing sent on this connection."""


@dataclass
class Faults:
    """Switch them in a test: ``platform.faults.kinds.add(Fault.DROP)``."""

    kinds: set[Fault] = field(default_factory=set)
    share: float = 1.0
    """Part of all answers that meet one."""
    late_s: float = 15.0
    read_bytes_s: float | None = None
    """A slow reader takes so many bytes a second."""
    only: frozenset[int] = frozenset()
    """Answers to these commands; empty: to all."""
    seed: int = 1
    met: dict[str, int] = field(default_factory=dict)
    """How often each happened."""

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    def next(self, cn: int) -> Fault | None:
        """What happens to the answer to this command; None: it goes out."""
        if not self.kinds or (self.only and cn not in self.only):
            return None
        if self.rng.random() >= self.share:
            return None
        fault = self.rng.choice(sorted(self.kinds))
        self.met[fault] = self.met.get(fault, 0) + 1
        return fault

    def noise(self) -> bytes:
        """Bytes that are no frame."""
        return self.rng.randbytes(self.rng.randrange(1, 40)).replace(b"#", b"+")

    def pieces(self, data: bytes) -> list[bytes]:
        """The same bytes, cut at a few places."""
        cuts = sorted(self.rng.sample(range(1, len(data)), min(4, len(data) - 1)))
        return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
