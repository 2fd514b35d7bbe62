"""Bar: no flag, state, quality or reason makes ``N`` of what is not proved valid.

Whole scans go through the whole Judge; what comes out is lettered by both tables. The
values that come out are those that went in, bit by bit.
"""

from __future__ import annotations

import random
import struct
import time
from fractions import Fraction
from pathlib import Path

from drivers.profiles.hj212_points import Hj212Point
from drivers.profiles.signs import CAN_BE_SHOWN
from drivers.values import Flaw, Quality
from gateway.clock import Instant
from gateway.config.flagging import Rules, Sign
from gateway.config.model import BufferLimits, Bus, Device, Site, TcpEndpoint
from gateway.judge.judge import Judge
from gateway.judge.marks import letter, mark_of
from gateway.judge.states import GOOD_FLAGS, OF_FLAG, STATES
from gateway.judge.windows import KINDS, Windows
from gateway.record import Event, Scan
from gateway.texts import catalogue

REASONS = tuple(k.split(".", 1)[1] for k in catalogue() if k.startswith("reason."))
FLAGS = ("N", "", *OF_FLAG, "Z", "N/E1", "M/77", "/", "n", "NN", "Td/N")
POINTS = ("so2", "nox", "dust")
VALUES = (
    0.0, -0.0, 1.0, 1e308, -5.5, 5e-324, 12, -3, 2**70, 10**400, True, "run", 0.1 + 0.2,
)  # fmt: skip


def _bits(value):
    """A value's exact content: -0.0 is not 0.0, True is not 1."""
    if type(value) is float:
        return float, struct.pack(">d", value)
    return type(value), value


def _sign(rng):
    way = rng.randrange(3)
    return Sign(
        state=rng.choice(CAN_BE_SHOWN),
        point="status",
        equals=(rng.choice((1, 2, True, "run")),) if way == 0 else (),
        at_least=float(rng.randrange(1, 6)) if way == 1 else None,
        at_most=float(rng.randrange(1, 6)) if way == 2 else None,
        points=tuple(rng.sample(POINTS, rng.randrange(3))),
        every_s=rng.choice((1.0, 10.0)),
    )


def _rules(rng, point):
    return Rules(
        point=point,
        above=rng.choice((None, 10.0)),
        below=rng.choice((None, 0.0)),
        constant_s=rng.choice((None, 3.0)),
        jump=rng.choice((None, Fraction(5))),
        max_age_s=rng.choice((None, 5.0)),
        clock=rng.random() < 0.5,
        every_s=1.0,
    )


def _site(rng):
    names = (*POINTS, "status")
    points = tuple(Hj212Point(name=name, factor="a21026") for name in names)
    bus = Bus(name="b", protocol="hj212", listen=TcpEndpoint(host="127.0.0.1"))
    device = Device(
        name="cems",
        bus="b",
        address=None,
        every_s=1.0,
        points=points,
        states=tuple(_sign(rng) for _ in range(rng.randrange(4))),
        rules=tuple(_rules(rng, p) for p in rng.sample(POINTS, rng.randrange(4))),
        parameters=tuple(rng.sample(POINTS, 1)),
    )
    limits = BufferLimits(path=Path("data"))
    return Site(gateway="g", buffer=limits, buses={"b": bus}, devices={"cems": device})


def _scan(rng, at):
    values, flaws, flags, sampled = {}, {}, {}, {}
    for name in (*POINTS, "status"):
        if rng.random() < 0.1:
            continue
        quality = rng.choices(tuple(Quality), (6, 2, 2))[0]
        if quality is not Quality.BAD or rng.random() < 0.1:
            small = rng.choice((0, 1, 2, 3, 4))
            values[name] = small if name == "status" else rng.choice(VALUES)
        if quality is not Quality.GOOD:
            flaws[name] = Flaw(quality, rng.choice((*REASONS, "made_up")))
        if rng.random() < 0.3:
            flags[name] = rng.choice(FLAGS)
        if rng.random() < 0.5:
            sampled[name] = at.wall_ms - rng.randrange(-10_000, 10_000)
    return Scan("cems", at, values, flaws, flags or None, sampled or None)


def test_nothing_unproved_is_ever_lettered_normal(count, figure, seed):
    rng = random.Random(seed)
    normal = judged = 0
    wanted = count(10_000, 1_000_000)
    stored = []
    while judged < wanted:
        conf = _site(rng)
        now = [Instant(1_763_712_000_000, 0, "00000001", True)]
        windows = Windows(lambda _note: None, None, now=lambda: now[0])  # noqa: B023
        judge = Judge(
            lambda _note, _lazily: None,
            None,
            now=lambda: now[0],  # noqa: B023
            declared=windows,
        )
        list(judge.adopt(conf))
        sink = judge.before(list(conf.devices.values()), stored.append)
        declared: list[tuple[int, int]] = []
        for _ in range(200):
            ms = now[0].mono_ms + rng.choice((500, 1000, 1000, 5000))
            wall = 1_763_712_000_000 + ms
            now[0] = at = Instant(wall, ms, "00000001", rng.random() < 0.9)
            if rng.random() < 0.02:
                length_s = float(rng.randrange(60, 120))
                list(windows.start(["cems"], rng.choice(KINDS), "w", "y", length_s))
                declared.append((ms, ms + round(1000 * length_s)))
                sink = judge.before(list(conf.devices.values()), stored.append)
            given = _scan(rng, at)
            exact = {name: _bits(value) for name, value in given.values.items()}
            stored.clear()
            sink(given)
            scan = stored[0]
            assert {n: _bits(v) for n, v in scan.values.items()} == exact
            under = any(since <= ms < until for since, until in declared)
            normal += _check(given, scan, under=under, note=f"seed {seed}")
            judged += len(given.values.keys() | given.flaws.keys())
            assert all(type(r) in (Scan, Event) for r in stored)
    figure("readings lettered", judged)
    figure("of them N", normal)
    figure("N of a reading that was not proved valid", 0)
    assert 0 < normal < judged / 2


def _check(given, scan, *, under, note):
    """How many readings of the scan are lettered N, each of which must deserve it."""
    normal = 0
    for name in given.values.keys() | given.flaws.keys():
        flaw = scan.flaws.get(name)
        state = (scan.states or {}).get(name)
        own = given.flaws.get(name)
        if own is not None:
            assert flaw == own, note  # the driver's word stands
        quality = flaw.quality if flaw else Quality.GOOD
        mark = mark_of(quality, flaw.reason if flaw else "", state)
        letters = {letter(mark, table) for table in ("2017", "2025")}
        assert letters == {"N"} or "N" not in letters, note
        flag = (given.flags or {}).get(name, "N").partition("/")[0]
        proved = flaw is None and state is None and flag in GOOD_FLAGS and not under
        assert (letters == {"N"}) == proved, (note, name, given, scan)
        normal += proved
    return normal


def test_any_word_at_all(count, seed):
    """The table alone, beside words that nobody has thought of."""
    rng = random.Random(seed)
    reasons, states = (*REASONS, "", "made_up"), (None, *STATES, "valid", "N", "gone")
    for _ in range(count(10_000, 1_000_000)):
        quality, state = rng.choice(tuple(Quality)), rng.choice(states)
        mark = mark_of(quality, rng.choice(reasons), state)
        fine = quality is Quality.GOOD and state in (None, "normal")
        assert (letter(mark, "2017") == "N") == fine, f"seed {seed}"
        assert (letter(mark, "2025") == "N") == fine, f"seed {seed}"


def test_what_judging_costs(figure):
    """One scan of 20 points: nothing to judge, all quiet, and all of it abnormal."""

    def cost(conf, status, rounds=2000):
        now = [Instant(1_763_712_000_000, 0, "00000001", True)]
        judge = Judge(lambda _n, _l: None, None, now=lambda: now[0])
        list(judge.adopt(conf))
        sink = judge.before(list(conf.devices.values()), lambda _record: None)
        values = {f"p{n}": float(n) for n in range(19)} | {"status": status}
        best = float("inf")
        for _ in range(5):
            began = time.perf_counter()
            for n in range(rounds):
                ms = now[0].mono_ms + 1000
                now[0] = Instant(1_763_712_000_000 + ms, ms, "00000001", True)
                sink(Scan("cems", now[0], {**values, "p0": float(n)}))
            best = min(best, (time.perf_counter() - began) / rounds)
        return best * 1e6

    def conf(**more):
        points = tuple(
            Hj212Point(name=n, factor="a1")
            for n in (*(f"p{i}" for i in range(19)), "status")
        )
        device = Device(
            name="cems", bus="b", address=1, every_s=1.0, points=points, **more
        )
        return Site(
            gateway="g",
            buffer=BufferLimits(path=Path("data")),
            devices={"cems": device},
        )

    signs = tuple(
        Sign(state=state, point="status", equals=(n + 1,), every_s=1.0)
        for n, state in enumerate(("maintenance", "calibration", "fault"))
    )
    rules = tuple(
        Rules(point=f"p{n}", above=1e9, below=-1e9, jump=Fraction(10**9), every_s=1.0)
        for n in range(19)
    )
    none = cost(conf(), 0)
    figure("us a scan of 20 points, nothing to judge", round(none, 2))
    quiet = cost(conf(states=signs), 0)
    figure("us more with 3 states, all quiet", round(quiet - none, 2))
    shown = cost(conf(states=signs), 2)
    figure("us more with one of them shown", round(shown - none, 2))
    ruled = cost(conf(states=signs, rules=rules), 0)
    figure("us more with 3 states and 3 rules at 19 points", round(ruled - none, 2))
    assert quiet < 100 * none + 1000
