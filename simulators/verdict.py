"""What a consumer says at the end: numbers, and whether they are clean."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

_KEPT = 20
"""Examples kept of each kind of trouble."""
_BIN_MS = 0.1


class Times:
    """Many durations, kept as counts of 0.1 ms."""

    def __init__(self) -> None:
        self._bins: dict[int, int] = {}
        self._count = 0
        self._most = 0.0

    def add(self, ms: float) -> None:
        """Take in one; below zero counts as zero."""
        at = max(int(ms / _BIN_MS), 0)
        self._bins[at] = self._bins.get(at, 0) + 1
        self._count += 1
        self._most = max(self._most, ms)

    def __len__(self) -> int:
        return self._count

    def percentile(self, part: float) -> float | None:
        """The smallest duration that ``part`` (0..1) of all do not exceed, in ms."""
        left = part * self._count
        for at in sorted(self._bins):
            left -= self._bins[at]
            if left <= 0:
                return round((at + 1) * _BIN_MS, 1)
        return None

    def say(self) -> dict[str, float | None]:
        """Count, p50, p95, p99 and the longest, in ms."""
        return {
            "count": self._count,
            "p50": self.percentile(0.5),
            "p95": self.percentile(0.95),
            "p99": self.percentile(0.99),
            "max": round(self._most, 1) if self._count else None,
        }


@dataclass
class Verdict:
    """The counts; a clean one has no wrong, missing, conflicting or disordered data."""

    messages: int = 0
    records: int = 0
    """Different records, whatever their kind."""
    values: int = 0
    """Good and uncertain values in scans."""
    bad: int = 0
    """Points that were BAD, with their reason."""
    scans: int = 0
    gaps: int = 0
    """Gap records: slots nobody was asked in, stated."""
    gap_slots: int = 0
    """Slots of gaps, as narrowed by the scans that arrived."""
    gap_causes: dict[str, int] = field(default_factory=dict)
    """Gap records by cause."""
    lost_stated: int = 0
    """Seqs covered by ``lost`` records, and that did not arrive."""
    losses: dict[str, int] = field(default_factory=dict)
    """``lost`` records by cause, each range once."""
    lost_slots: int = 0
    """Slots whose record is among the lost."""
    events: int = 0
    ledgers: int = 0
    """Records of what the gateway says of a day itself."""
    media: int = 0
    """Parts of pictures."""
    pictures: int = 0
    """Pictures whose parts all came, and whose hash is right."""
    pictures_open: int = 0
    """Pictures of which parts are missing so far."""
    again: int = 0
    """Messages sent again because no receipt came."""
    refused: int = 0
    """Records that this platform did not take, every time."""
    skipped: int = 0
    """Seqs that the gateway says this platform's filter leaves out."""
    behind: int = 0
    """Seqs given out, by the last status, above the last that is accounted for."""
    duplicates: int = 0
    """Records that came again, with the same content: allowed, counted."""
    missing: int = 0
    """Seqs that neither arrived nor were stated as lost."""
    covered_twice: int = 0
    """Seqs that arrived although they were stated as lost for certain."""
    conflicts: int = 0
    """Records that came again with another content."""
    disordered: int = 0
    """Records that arrived after a later one of the same device and lane."""
    wrong: int = 0
    """Values that cannot be what the device showed."""
    retimed: int = 0
    """Records whose time is not that of their acquisition."""
    unexplained_slots: int = 0
    """Slots without a scan and without a gap or loss that states them."""
    doubled_slots: int = 0
    """Slots that a scan shows and a gap states, or that are stated twice."""
    unreadable: int = 0
    """Messages that are not as documented."""
    latency_ms: dict[str, float | None] = field(default_factory=dict)
    """From the device's instant to arrival, live records."""
    lanes: dict[str, dict[str, float | None]] = field(default_factory=dict)
    """The same for each lane: count, p50, p95, p99, max."""
    clock: dict[str, int] = field(default_factory=dict)
    """Records whose time is marked, by the mark."""
    devices: dict[str, int] = field(default_factory=dict)
    """Scans of each device."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Reasons of bad and uncertain points."""
    first_utc_ms: int | None = None
    """When the first record arrived."""
    longest_silence_ms: int = 0
    """Longest time between two messages."""
    seconds: float = 0.0
    """From the first message to the last."""
    examples: list[str] = field(default_factory=list)
    """The first troubles, in words."""
    slot_examples: list[str] = field(default_factory=list)
    """Where slots do not add up, one place a device."""

    TROUBLES = (
        "missing",
        "covered_twice",
        "conflicts",
        "disordered",
        "wrong",
        "retimed",
        "unexplained_slots",
        "doubled_slots",
        "unreadable",
    )

    @property
    def clean(self) -> bool:
        """Whether something arrived and nothing is amiss."""
        return self.records > 0 and not any(getattr(self, n) for n in self.TROUBLES)

    def note(self, trouble: str, text: str) -> None:
        """Count a trouble and keep its first examples."""
        setattr(self, trouble, getattr(self, trouble) + 1)
        if len(self.examples) < _KEPT:
            self.examples.append(f"{trouble}: {text}")

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"clean": self.clean, **asdict(self)}

    def text(self) -> str:
        """For people: one number a line, troubles only where there are any."""
        p50, p99 = self.latency_ms.get("p50"), self.latency_ms.get("p99")
        lines = [
            f"received    {self.records} records, {self.values} values",
            f"from        {len(self.devices)} devices in {self.seconds:.1f} s",
            f"gaps        {self.gaps} stated, of {self.gap_slots} slots",
            f"unexplained {self.unexplained_slots} slots",
            f"lost        at most {self.lost_stated} stated, {self.missing} missing",
            f"duplicates  {self.duplicates}",
            f"wrong       {self.wrong}",
            f"bad         {self.bad} points, each with its reason",
            f"latency     p50 {_ms(p50)}, p99 {_ms(p99)}",
        ]
        lines += [
            f"{name:<11} {getattr(self, name)}"
            for name in (
                "lost_slots",
                "again",
                "refused",
                "skipped",
                "ledgers",
                "pictures",
                "pictures_open",
            )
            if getattr(self, name)
        ]
        lines += [
            f"lane {lane:<6} {said['count']} records, p95 {_ms(said['p95'])}"
            for lane, said in sorted(self.lanes.items())
            if len(self.lanes) > 1
        ]
        shown = {"missing", "wrong", "unexplained_slots"}
        lines += [
            f"{name:<11} {getattr(self, name)}"
            for name in self.TROUBLES
            if name not in shown and getattr(self, name)
        ]
        lines += [f"  {example}" for example in self.examples + self.slot_examples]
        lines.append("verdict     " + ("clean" if self.clean else "NOT CLEAN"))
        return "\n".join(lines)


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} ms"
