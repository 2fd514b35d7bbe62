"""What a platform is told: of a station's periods, of its newest values. Pure.

    2051 minute, 2061 hour, 2031 day    DataTime is the period's start
    2011 real time                      DataTime is when the newest value was acquired
    2021 states of facilities           2041 their running hours of a day
    2081                                when this gateway was started
    3019, 3020                          a parameter that changed, see ``changes``

Of a factor: ``-Cou -Min -Avg -Max -ZsMin -ZsAvg -ZsMax -Flag``, what there is of them.
A factor without any value is told by its Flag alone: a number would be made up.

Source: HJ 212-2017, C.14 to C.19, C.24 to C.29.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from drivers.profiles.document import load_document
from gateway.aggregate import Mark, Period, PeriodKind
from gateway.judge.marks import letter
from gateway.judge.validity import mark_of_period
from gateway.record import Event, decode, meta_of
from gateway.record import shown as shown_of
from gateway.uplink.hj212.changes import Changes
from gateway.uplink.hj212.formats import forms
from gateway.uplink.hj212.seams import Upload

if TYPE_CHECKING:
    from fractions import Fraction

    from drivers.hj212.cp import Item
    from gateway.aggregate import FactorPeriod
    from gateway.config.model import Hj212Target
    from gateway.config.stations import Factor, Station
    from gateway.record import Record
    from gateway.uplink.hj212.civil import Civil
    from gateway.uplink.hj212.formats import Form
    from gateway.uplink.hj212.seams import Board, Newest

REALTIME, FACILITIES, HOURS_RUN, STARTED = 2011, 2021, 2041, 2081
CN: dict[PeriodKind, int] = {"minute": 2051, "hour": 2061, "day": 2031}
NOISE = "23"
_PATIENCE = 3
"""A value older than so many intervals of its factor is no real-time value."""
_AHEAD_MS = 1_000
"""A time further ahead is still to come: the clock was set back since. No frame tells
of the future; the next reading that is not ahead is a real-time value again."""
_LEVELS = "l10"
"""Only a noise station's equivalent level has it."""

_Told = tuple[Mapping[str, str], Mark]
"""One factor's digits by name, and its mark."""


class PeriodKey(NamedTuple):
    """Which period of which station."""

    kind: PeriodKind
    station: str
    t_ms: int
    rev: int


class Stored(NamedTuple):
    """What a stored record comes to."""

    key: PeriodKey | None
    """None: it is no period."""
    uploads: Sequence[Upload]
    """None of them: there is nothing in it for this platform."""


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
        self._rules = _rules(target, station)
        self._table = target.flags or str(target.version)
        self._own_marks = self._rules == station.rules and not target.validity
        self._forms = found = forms(target, station)
        self._factors = {n: form for n, form in found.items() if not form.facility}
        self._facilities = {n: form for n, form in found.items() if form.facility}
        self._as_it_is = all(form.as_it_is for form in found.values())
        """The record's own digits are what is sent: its exact numbers stay unread."""
        self._units_of: dict[bytes, bool] = {}
        """Version of the site -> whether its records are in the units of now."""
        self._noise = target.st == NOISE
        self.changes = Changes(target, civil.time)

    def time(self, t_ms: int) -> str:
        """``YYYYMMDDhhmmss`` of the site's civil time."""
        return self._civil.time(t_ms)

    # -- periods -------------------------------------------------------------

    def period(self, period: Period, *, rf: bool = False) -> Sequence[Upload]:
        """A minute, hour or day; empty where the platform gets nothing of it.

        Args:
            period: It.
            rf: It is told later than it should have been.
        """
        told: dict[str, _Told] = {
            name: (
                form.numbers(found, period.figures.get(name, {})),
                self._mark(period.kind, found) if form.tells(found) else "missing",
            )
            for name, form in self._forms.items()
            if (found := period.factors.get(name)) is not None
        }
        return self._period(period.kind, period.t_ms, told, rf=rf)

    def stored(self, data: bytes, *, rf: bool = False) -> Stored:
        """A record of the buffer; one worked out again is always late.

        Raises:
            RecordError: It cannot be read.
        """
        if self._as_it_is and self._own_marks and self._in_units_of_now(data):
            shown = shown_of(data)
            if shown is None:
                return self._other(decode(data)[0])
            told: dict[str, _Told] = {
                name: (_with_greatest(form, found), found.get("mark", "valid"))
                for name, form in self._forms.items()
                if (found := shown.agg.get(name)) is not None
            }
            key = PeriodKey(shown.kind, shown.station, shown.t_ms, shown.rev)
            late = rf or shown.rev > 0
            return Stored(key, self._period(key.kind, key.t_ms, told, rf=late))
        record, _ = decode(data)
        if not isinstance(record, Period):
            return self._other(record)
        key = PeriodKey(record.kind, record.station, record.t_ms, record.rev)
        return Stored(key, self.period(record, rf=rf or record.rev > 0))

    def _in_units_of_now(self, data: bytes) -> bool:
        """Whether a record is; units change with the site's version only."""
        meta = meta_of(data)
        known = self._units_of.get(meta)
        if known is None:
            record, _ = decode(data)
            if not isinstance(record, Period):
                return True
            known = self._units_of[meta] = all(
                form.as_now(found)
                for name, form in self._forms.items()
                if (found := record.factors.get(name)) is not None
            )
        return known

    def _other(self, record: Record) -> Stored:
        upload = self.changes.upload(record) if isinstance(record, Event) else None
        return Stored(None, () if upload is None else (upload,))

    # -- what is now ---------------------------------------------------------

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
                items.append(((form.flag_name, self._letter("missing")),))
        if not newest or not items:
            return None
        return Upload(cn=REALTIME, items=(self._when(at or now_ms), *items))

    def facilities(self, now_ms: int) -> Upload | None:
        """The states of the facilities; None: nothing is known of any."""
        newest = self._board.newest(self._station.name)
        items: list[Item] = []
        at = 0
        for name, form in self._facilities.items():
            found = newest.get(name)
            if found is None or found.mark != "valid":
                continue
            text = _text(form, found.value)
            if text is not None and _is_fresh(found, form.factor, now_ms):
                at = max(at, found.t_ms)
                items.append(((f"{form.code}-RS", text),))
        if not items:
            return None
        return Upload(cn=FACILITIES, items=(self._when(at), *items))

    def started(self, now_ms: int, started_ms: int) -> Upload:
        """When the gateway was started; said once it is online."""
        restart: Item = (("RestartTime", self.time(started_ms)),)
        return Upload(cn=STARTED, items=(self._when(now_ms), restart))

    # ------------------------------------------------------------------------

    def _when(self, t_ms: int) -> Item:
        return (("DataTime", self.time(t_ms)),)

    def _period(
        self, kind: PeriodKind, t_ms: int, told: Mapping[str, _Told], *, rf: bool
    ) -> Sequence[Upload]:
        items: list[Item] = []
        for name, form in self._factors.items():
            if (found := told.get(name)) is not None:
                items += self._of_factor(kind, form, *found)
        hours: list[Item] = []
        for name, form in self._facilities.items():
            if kind != "day" or form.output.cou_unit is None:
                continue
            if (found := told.get(name)) and "cou" in found[0]:
                hours.append(((f"{form.code}-RT", found[0]["cou"]),))
        when = self._when(t_ms)
        return [
            Upload(cn=cn, items=(when, *part), rf=rf)
            for cn, part in ((CN[kind], items), (HOURS_RUN, hours))
            if part
        ]

    def _of_factor(
        self, kind: PeriodKind, form: Form, numbers: Mapping[str, str], mark: Mark
    ) -> list[Item]:
        flag = self._letter(mark)
        if self._noise and _LEVELS in numbers:
            return _noise(kind, numbers, flag)
        pairs = [
            (name, numbers[key]) for key, name in form.names.items() if key in numbers
        ]
        if not pairs and self._target.absent == "leave_out":
            return []
        return [(*pairs, (form.flag_name, flag))]

    def _of_newest(self, form: Form, found: Newest) -> Item:
        code, pairs = form.code, []
        if found.sampled_ms is not None:
            pairs.append((f"{code}-SampleTime", self.time(found.sampled_ms)))
        if (text := _text(form, found.value)) is not None:
            pairs.append((f"{code}-Rtd", text))
        if found.zs is not None:
            pairs.append((f"{code}-ZsRtd", form.output.digits(found.zs)))
        elif found.over_oxygen and form.over_oxygen is not None:
            pairs.append((f"{code}-ZsRtd", form.over_oxygen))
        return (*pairs, (form.flag_name, self._letter(found.mark)))

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


def _rules(target: Hj212Target, station: Station) -> str:
    """Whose rules decide what is valid: the station's, where of the version."""
    version = str(target.version)
    return station.rules if station.rules.startswith(version) else version


def _with_greatest(form: Form, shown: dict[str, str]) -> Mapping[str, str]:
    """A record's digits, and what stands for those that the formula has not."""
    if "over_oxygen" not in shown:
        return shown
    return {**shown, **form.without_formula(shown)}


def _is_fresh(found: Newest, factor: Factor, now_ms: int) -> bool:
    """Whether a value still tells what is now, in the unit that we think.

    A result that stands until the next one (``holds``) is as old as its sample.
    """
    if found.t_ms > now_ms + _AHEAD_MS or found.unit not in (factor.unit, ""):
        return False
    patience = _PATIENCE * factor.every_ms
    if factor.holds_ms and found.sampled_ms is not None:
        begun_ms = min(found.sampled_ms, found.t_ms)
        return now_ms - begun_ms <= factor.holds_ms + patience
    return now_ms - found.t_ms <= factor.holds_ms + patience


def _text(form: Form, value: Fraction | str | None) -> str | None:
    """The digits, or the word of a working condition."""
    if value is None or isinstance(value, str):
        return value or None
    return form.output.digits(value)


def _noise(kind: PeriodKind, numbers: Mapping[str, str], flag: str) -> list[Item]:
    """Levels have names of their own, and one flag beside the equivalent level."""
    items: list[Item] = []
    for key, name in noise_names()[kind].items():
        if key not in numbers:
            continue
        pair = (name, numbers[key])
        code = name.partition("-")[0]
        items.append((pair, (f"{code}-Flag", flag)) if key == "avg" else (pair,))
    return items


@cache
def noise_names() -> dict[PeriodKind, dict[str, str]]:
    """What stands in ``noise.yaml`` beside this module."""
    file = Path(__file__).with_name("noise.yaml")
    said = load_document(file.read_text("utf-8"), file.name).plain()
    return cast("dict[PeriodKind, dict[str, str]]", said)
