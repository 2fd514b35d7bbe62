"""What one frame, or the packets of one message, measured at one time."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from drivers.hj212.deviations import Refusal
from drivers.hj212.fields import read_time
from drivers.hj212.segment import SegmentError

if TYPE_CHECKING:
    from drivers.hj212.segment import Segment

DATA_TIME = "DataTime"
_OF_ALL_FIELDS = ("Flag", "EFlag", "SampleTime")


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """Values of one DataTime, as they stood in the frame."""

    mn: str
    st: str
    cn: int
    version: int
    qn: str | None
    rf: bool
    data_time: datetime
    """Local time of the site; of averages the beginning of their period."""
    values: dict[str, str]
    """Names such as ``a21026-Rtd``; DataTime is not among them."""
    arrived_s: float
    """Loop time; of several frames, of the first."""

    def and_also(self, other: Measurement) -> Measurement | None:
        """Both as one: of the same thing and time, with no name told differently."""
        alike = (self.mn, self.st, self.cn, self.version, self.rf, self.data_time) == (
            other.mn, other.st, other.cn, other.version, other.rf, other.data_time
        )  # fmt: skip
        shared = self.values.keys() & other.values.keys()
        if not alike or any(self.values[n] != other.values[n] for n in shared):
            return None
        return replace(self, values=self.values | other.values, qn=other.qn)

    def beside(self, told: Measurement) -> Measurement | None:
        """What this one adds to what was told before; None: nothing.

        Of the same time, names that stand there with the same value are not told again,
        unless others differ: then it is another measurement, and whole.
        """
        if self.data_time != told.data_time:
            return self
        more = {
            name: value
            for name, value in self.values.items()
            if told.values.get(name) != value
        }
        if not more:
            return None
        if not told.values.keys().isdisjoint(more):
            return self
        # A mark holds for all fields of its factor, those told now included.
        factors = {name.partition("-")[0] for name in more}
        for name, value in self.values.items():
            factor, _, field = name.partition("-")
            if field in _OF_ALL_FIELDS and factor in factors:
                more[name] = value
        return replace(self, values=more)


def measured(
    segment: Segment, arrived_s: float, data_time: datetime | None = None
) -> Measurement:
    """The measurement of one segment.

    Args:
        segment: Of a data command.
        arrived_s: Loop time when its last byte came.
        data_time: For a packet that leaves it to the one before.

    Raises:
        SegmentError: It does not say what time its values are of.
    """
    own = segment.get(DATA_TIME)
    at = read_time(own) if own is not None else data_time
    if at is None:
        raise SegmentError(Refusal.NO_DATA_TIME, "expected DataTime", str(segment.cn))
    return Measurement(
        mn=segment.mn,
        st=segment.st,
        cn=segment.cn,
        version=segment.version,
        qn=segment.qn,
        rf=segment.rf,
        data_time=at,
        values={
            name: value
            for item in segment.items
            for name, value in item
            if name != DATA_TIME
        },
        arrived_s=arrived_s,
    )
