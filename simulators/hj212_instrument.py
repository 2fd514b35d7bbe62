"""One instrument that pushes HJ 212: what it measures, and how its dialect says it.

Values follow from seed, number and time alone (``simulators.waveform``), so whoever
knows them can say what any frame must have held.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from drivers.profiles.hj212_points import Hj212Point
from simulators.hj212_codec import framed
from simulators.waveform import wave

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from drivers.profiles.model import Profile
    from simulators.waveform import Shape

REAL_TIME, MINUTE, HOUR = 2011, 2051, 2061
_ST = {"air": "39", "flue-gas": "31", "water": "32"}
_FLAGS = {"2005": 0, "2017": 4, "2025": 8}
_LOCAL = timedelta(hours=8)
_CP_ROOM = 950


class Sent(NamedTuple):
    """One frame, and what is true about it."""

    data: bytes
    mn: str
    cn: int
    qn: str
    """Empty in the dialect of 2005."""
    asks: bool
    """Whether it wants an answer."""
    sampled_ms: int
    """Its DataTime as UTC ms."""
    values: dict[str, float]
    """By point, in the point's unit; of the mean where it is one."""
    flag: str = "N"


class Instrument:
    """It has no clock: whoever asks says what time it is.

    Args:
        mn: What it calls itself.
        profile: Which factors it measures, and in which units.
        dialect: ``2005``, ``2017`` or ``2025``.
        seed: Of the whole site.
        answer: It wants its frames answered.
        clock_off_s: Its clock is wrong by so much.
        split: Frames are split into packets as soon as they are longer than this.
        shapes: Point -> where it moves, for those whose unit says it badly.
    """

    def __init__(
        self,
        mn: str,
        profile: Profile,
        *,
        dialect: str = "2017",
        seed: int = 1,
        answer: bool = True,
        clock_off_s: float = 0.0,
        split: int = _CP_ROOM,
        shapes: Mapping[str, Shape] | None = None,
    ) -> None:
        self.mn, self.dialect, self.answer = mn, dialect, answer
        self.flag = "N"
        """How it marks its values."""
        self._points = [p for p in profile.points if isinstance(p, Hj212Point)]
        self._system = _ST.get(profile.kind, "22")
        self._seed, self._split = seed, split
        self._off = timedelta(seconds=clock_off_s)
        self._sent = 0
        self._shapes = shapes or {}

    def value(self, name: str, utc_s: float) -> float:
        """What it shows of a point at a full second, in the point's unit."""
        point = next(p for p in self._points if p.name == name)
        return float(self._text(point, utc_s)) * float(point.scale)

    def real_time(self, utc_s: float) -> list[Sent]:
        """What it measures now."""
        second = int(utc_s)
        items = [
            f"{code}-Rtd={self._text(point, second)},{code}-Flag={self.flag}"
            for point in self._points
            for code in (self._code(point),)
        ]
        values = {p.name: self.value(p.name, second) for p in self._points}
        return self._frames(REAL_TIME, utc_s, second, items, values)

    def period(self, cn: int, utc_s: float, begin_s: int, end_s: int) -> list[Sent]:
        """A minute or an hour: least, mean and greatest of six instants in it."""
        step = max(1, (end_s - begin_s) // 6)
        items, values = [], {}
        for point in self._points:
            shown = [float(self._text(point, at)) for at in range(begin_s, end_s, step)]
            mean = f"{sum(shown) / len(shown):.3f}"
            code = self._code(point)
            items.append(
                f"{code}-Min={min(shown):.3f},{code}-Avg={mean},"
                f"{code}-Max={max(shown):.3f},{code}-Flag={self.flag}"
            )
            values[point.name] = float(mean) * float(point.scale)
        return self._frames(cn, utc_s, begin_s, items, values)

    # -- inside ---------------------------------------------------------------

    def _text(self, point: Hj212Point, utc_s: float) -> str:
        scale = float(point.scale)
        low = (point.minimum if point.minimum is not None else -1e9) / scale
        high = (point.maximum if point.maximum is not None else 1e9) / scale
        number = sum(map(ord, self.mn))
        moves = wave(
            self._seed,
            number,
            point.name,
            point.unit,
            shape=self._shapes.get(point.name),
        )
        found = moves.value(utc_s) / scale
        return f"{min(max(found, low), high):.3f}"

    def _code(self, point: Hj212Point) -> str:
        if self.dialect == "2005" and point.factor_2005:
            return point.factor_2005
        return point.factor

    def _local(self, utc_s: float) -> datetime:
        return datetime.fromtimestamp(utc_s, UTC) + _LOCAL + self._off

    def _next_qn(self, utc_s: float) -> str:
        """The moment of sending; two of one millisecond differ all the same."""
        self._sent += 1
        at = self._local(utc_s)
        return f"{at:%Y%m%d%H%M%S}{(at.microsecond // 1000 + self._sent) % 1000:03d}"

    def _frames(
        self,
        cn: int,
        utc_s: float,
        label_s: int,
        items: Sequence[str],
        values: dict[str, float],
    ) -> list[Sent]:
        data_time = f"DataTime={self._local(label_s):%Y%m%d%H%M%S}"
        groups = list(_groups(items, self._split - len(data_time) - 1))
        frames = []
        for number, group in enumerate(groups, 1):
            inside = ";".join([data_time, *group])
            qn, asks, head = "", False, ""
            if self.dialect != "2005":
                qn, asks = self._next_qn(utc_s), self.answer
                flag = _FLAGS[self.dialect] + asks + 2 * (len(groups) > 1)
                head = f"Flag={flag};"
                if len(groups) > 1:
                    head += f"PNUM={len(groups)};PNO={number};"
            who = f"ST={self._system};CN={cn};PW=123456;MN={self.mn};"
            segment = f"{who}{head}CP=&&{inside}&&"
            data = framed(f"QN={qn};{segment}" if qn else segment)
            sampled_ms = round((label_s + self._off.total_seconds()) * 1000)
            frames.append(
                Sent(data, self.mn, cn, qn, asks, sampled_ms, values, self.flag)
            )
        return frames


def _groups(items: Iterable[str], room: int) -> Iterable[list[str]]:
    group: list[str] = []
    for item in items:
        if group and len(";".join([*group, item])) > room:
            yield group
            group = []
        group.append(item)
    yield group
