"""What a platform is told: of a station's periods, of its newest values. Pure.

    2051 minute, 2061 hour, 2031 day    DataTime is the period's start
    2011 real time                      DataTime is when the newest value was acquired
    2021 states of facilities           2041 their running hours of a day
    2081                                when this gateway was started

Of a factor: ``-Cou -Min -Avg -Max -ZsMin -ZsAvg -ZsMax -Flag``, what there is of them.
A factor without any value is told by its Flag alone: a number would be made up.

Source: HJ 212-2017, C.14 to C.19, C.24 to C.29.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

from drivers.profiles.document import load_document
from gateway.judge.marks import letter
from gateway.judge.validity import mark_of_period
from gateway.uplink.hj212.formats import forms
from gateway.uplink.hj212.seams import Upload

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from drivers.hj212.cp import Item
    from gateway.aggregate import FactorPeriod, Mark, Period, PeriodKind
    from gateway.config.model import Hj212Target
    from gateway.config.stations import Factor, Station
    from gateway.uplink.hj212.civil import Civil
    from gateway.uplink.hj212.formats import Form
    from gateway.uplink.hj212.seams import Board, Newest

REALTIME, FACILITIES, HOURS_RUN, STARTED = 2011, 2021, 2041, 2081
CN: dict[PeriodKind, int] = {"minute": 2051, "hour": 2061, "day": 2031}
NOISE = "23"
_FIELDS = {
    "cou": "Cou",
    "min": "Min",
    "avg": "Avg",
    "max": "Max",
    "zs_min": "ZsMin",
    "zs_avg": "ZsAvg",
    "zs_max": "ZsMax",
}
"""In the standard's order."""
_PATIENCE = 3
"""A value older than so many intervals of its factor is no real-time value."""


class Frames:
    """Makes the uploads of one target."""

    def __init__(
        self, target: Hj212Target, station: Station, civil: Civil, board: Board
    ) -> None:
        """Prepare; see ``formats.forms`` for what it raises."""
        self._target = target
        self._station = station
        self._civil = civil
        self._board = board
        self._rules = str(target.version)
        self._table = target.flags or str(target.version)
        self._own_marks = self._rules == station.rules and not target.validity
        found = forms(target, station)
        self._factors = {n: form for n, form in found.items() if not form.facility}
        self._facilities = {n: form for n, form in found.items() if form.facility}
        self._noise = target.st == NOISE

    def time(self, t_ms: int) -> str:
        """``YYYYMMDDhhmmss`` of the site's civil time."""
        return self._civil.time(t_ms)

    def period(self, period: Period, *, rf: bool = False) -> Sequence[Upload]:
        """A minute, hour or day; empty where the platform gets nothing of it."""
        items: list[Item] = []
        for name, form in self._factors.items():
            found = period.factors.get(name)
            if found is not None:
                items += self._of_factor(period, name, found, form)
        uploads = self._told(CN[period.kind], period.t_ms, items, rf=rf)
        if period.kind == "day" and self._facilities:
            hours = [
                ((f"{form.code}-RT", text),)
                for name, form in self._facilities.items()
                if (found := period.factors.get(name)) is not None
                and (text := _numbers(form, period, name, found).get("cou"))
            ]
            uploads += self._told(HOURS_RUN, period.t_ms, hours, rf=rf)
        return uploads

    def realtime(self, now_ms: int) -> Upload | None:
        """The newest value of every factor; None: none was ever read."""
        newest = self._board.newest(self._station.name)
        items: list[Item] = []
        at = 0
        for name, form in self._factors.items():
            found = newest.get(name)
            if found is not None and _is_fresh(found, form.factor, now_ms):
                at = max(at, found.t_ms)
                items.append(self._of_newest(form, found))
            elif self._target.absent == "flag":
                items.append(((f"{form.code}-Flag", self._letter("missing")),))
        if not newest or not items:
            return None
        told = self._told(REALTIME, at or now_ms, items)
        return told[0] if told else None

    def facilities(self, now_ms: int) -> Upload | None:
        """The states of the facilities; None: nothing is known of any."""
        newest = self._board.newest(self._station.name)
        items: list[Item] = []
        at = 0
        for name, form in self._facilities.items():
            found = newest.get(name)
            if (
                found is not None
                and found.mark == "valid"
                and _is_fresh(found, form.factor, now_ms)
                and (text := _text(form, found.value))
            ):
                at = max(at, found.t_ms)
                items.append(((f"{form.code}-RS", text),))
        told = self._told(FACILITIES, at, items)
        return told[0] if told else None

    def started(self, now_ms: int, started_ms: int) -> Upload:
        """When the gateway was started; said once it is online."""
        return Upload(
            cn=STARTED,
            items=(
                (("DataTime", self.time(now_ms)),),
                (("RestartTime", self.time(started_ms)),),
            ),
        )

    # ------------------------------------------------------------------------

    def _told(
        self, cn: int, t_ms: int, items: Sequence[Item], *, rf: bool = False
    ) -> list[Upload]:
        if not items:
            return []
        when: Item = (("DataTime", self.time(t_ms)),)
        return [Upload(cn=cn, items=(when, *items), rf=rf)]

    def _of_factor(
        self, period: Period, name: str, found: FactorPeriod, form: Form
    ) -> list[Item]:
        numbers = _numbers(form, period, name, found)
        flag = self._letter(self._mark(period.kind, found))
        if not numbers and self._target.absent == "leave_out":
            return []
        if self._noise and found.extra:
            return _noise(period.kind, numbers, flag)
        code = form.code
        pairs = [
            (f"{code}-{field}", numbers[key])
            for key, field in _FIELDS.items()
            if key in numbers
        ]
        return [(*pairs, (f"{code}-Flag", flag))]

    def _of_newest(self, form: Form, found: Newest) -> Item:
        code, pairs = form.code, []
        if found.sampled_ms is not None:
            pairs.append((f"{code}-SampleTime", self.time(found.sampled_ms)))
        if (text := _text(form, found.value)) is not None:
            pairs.append((f"{code}-Rtd", text))
        if found.zs is not None:
            pairs.append((f"{code}-ZsRtd", form.output.digits(found.zs)))
        return (*pairs, (f"{code}-Flag", self._letter(found.mark)))

    def _mark(self, kind: PeriodKind, found: FactorPeriod) -> Mark:
        if self._own_marks:
            return found.mark
        return mark_of_period(
            kind,
            self._station.kind,
            found.marks,
            found.of,
            self._rules,
            self._target.validity,
        )

    def _letter(self, mark: Mark) -> str:
        return letter(mark, self._table)


def _numbers(
    form: Form, period: Period, name: str, found: FactorPeriod
) -> dict[str, str]:
    return form.numbers(found, period.figures.get(name, {}))


def _is_fresh(found: Newest, factor: Factor, now_ms: int) -> bool:
    sampled = found.t_ms if found.sampled_ms is None else found.sampled_ms
    age = now_ms - found.t_ms
    if factor.holds_ms:
        return now_ms - sampled <= factor.holds_ms + _PATIENCE * factor.every_ms
    return age <= _PATIENCE * factor.every_ms


def _text(form: Form, value: Fraction | str | None) -> str | None:
    """The digits, or the word of a working condition."""
    if value is None or isinstance(value, str):
        return value or None
    return form.output.digits(value)


def _noise(kind: PeriodKind, numbers: dict[str, str], flag: str) -> list[Item]:
    """Levels have names of their own, and one flag beside the equivalent level."""
    items: list[Item] = []
    for key, name in noise_names()[kind].items():
        if key in numbers:
            pair = (name, numbers[key])
            leq = key == "avg"
            code = name.partition("-")[0]
            items.append((pair, (f"{code}-Flag", flag)) if leq else (pair,))
    return items


@cache
def noise_names() -> dict[PeriodKind, dict[str, str]]:
    """What stands in ``noise.yaml`` beside this module."""
    file = Path(__file__).with_name("noise.yaml")
    said = load_document(file.read_text("utf-8"), file.name).plain()
    return cast("dict[PeriodKind, dict[str, str]]", said)
