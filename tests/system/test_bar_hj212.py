"""Bar 3, the parser of HJ 212: what may become a value when bytes are damaged.

The standard's check is eight bits strong. So it is stated apart what is proved:

* one byte changed to another: never accepted, whatever byte (the check finds it);
* any other damage: accepted only where length, check and the whole grammar hold; that
  such a frame says something else than the original cannot be excluded by any receiver
  of this protocol, only counted. The figure ``accepted_changed`` is that count, and
  ``passed_the_check`` how many the grammar had to stop or let through.

With ECOGATE_BARS=1 the counts are 1,000,000 mutations and 20,000 Hypothesis cases.
"""

from __future__ import annotations

import random
import time

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.hj212.crc import crc16
from drivers.hj212.frame import FrameFinder
from drivers.hj212.segment import SegmentError, parse
from simulators.hj212_faults import same_check
from tests.drivers.hj212.vectors import TAKEN

FRAMES = [frame.encode() + b"\r\n" for frame in TAKEN.values()]


def read(stream):
    """(segments whose check holds, those that are taken)."""
    finder = FrameFinder()
    checked, taken = [], []
    for frame in finder.feed(stream):
        checked.append(frame.segment)
        try:
            parse(frame.segment)
        except SegmentError:
            continue
        taken.append(frame.segment)
    assert finder.kept < 10_100
    return checked, taken


def holds(segment, stream):
    """Whether length and check of this segment stand in the stream."""
    head = b"%04d" % len(segment)
    try:  # or counted in characters
        other = b"%04d" % len(segment.decode())
    except UnicodeDecodeError:
        other = head
    for check in (b"%04X", b"%04x"):
        tail = check % crc16(segment)
        for length in (head, other):
            if b"##" + length + segment + tail in stream:
                return True
    mixed = stream.upper()
    return b"##" + head + segment.upper() + b"%04X" % crc16(segment) in mixed


def test_bar_3_one_byte_changed_is_never_accepted(seed, count, figure):
    rng = random.Random(seed)
    changed = accepted = 0
    for _ in range(count(20_000, 500_000)):
        frame = rng.choice(FRAMES)
        at = rng.randrange(6, len(frame) - 6)
        other = frame[at] ^ rng.randrange(1, 256)
        _, taken = read(frame[:at] + bytes([other]) + frame[at + 1 :])
        changed += 1
        accepted += len(taken)

    figure("one_byte_mutations", changed)
    figure("one_byte_accepted", accepted)
    assert accepted == 0, f"seed {seed}"


def mutated(frame, rng):
    """Two to six bytes changed, lost, added, doubled or swapped."""
    data = bytearray(frame)
    for _ in range(rng.randrange(2, 7)):
        at = rng.randrange(len(data))
        match rng.randrange(5):
            case 0:
                data[at] = rng.randrange(256)
            case 1:
                del data[at]
            case 2:
                data.insert(at, rng.randrange(256))
            case 3:
                end = min(len(data), at + rng.randrange(1, 20))
                data[at:at] = data[at:end]
            case _:
                to = rng.randrange(len(data))
                data[at], data[to] = data[to], data[at]
        if len(data) < 2:
            break
    return bytes(data)


def test_bar_3_other_damage_is_accepted_only_where_all_rules_hold(seed, count, figure):
    rng = random.Random(seed)
    cases = count(20_000, 500_000)
    passed = wrong = 0
    for _ in range(cases):
        frame = rng.choice(FRAMES)
        stream = mutated(frame, rng)
        checked, taken = read(stream)
        passed += sum(segment != frame[6:-6] for segment in checked)
        for segment in taken:
            wrong += segment != frame[6:-6]
            assert holds(segment, stream), f"seed {seed}: {stream!r}"

    figure("mutations", cases)
    figure("passed_the_check", passed)
    figure("accepted_changed", wrong)
    # The check alone would let one in 256 through.
    assert wrong <= cases / 256, f"seed {seed}"


def test_bar_3_what_the_check_lets_through_the_grammar_mostly_stops(
    seed, count, figure
):
    """Damage chosen so that the check holds: what is left is the grammar's work."""
    rng = random.Random(seed)
    made = accepted = 0
    for _ in range(count(60, 4_000)):
        frame = same_check(rng.choice(FRAMES), rng)
        if frame is None:
            continue
        checked, taken = read(frame)
        assert len(checked) <= 1
        made += 1
        accepted += len(taken)

    figure("check_forged", made)
    figure("check_forged_accepted", accepted)
    assert accepted < made / 2, f"seed {seed}"


def built(recipe):
    """A stream: each byte of the recipe is a part, or how the last one is damaged."""
    parts = [b""]
    for byte in recipe:
        kind, which = byte % 4, byte // 4
        if kind == 0:
            parts.append(FRAMES[which % len(FRAMES)])
        elif kind == 1:
            parts.append(bytes([which]) * 3)
        elif kind == 2:
            parts.append(parts[-1][: which * 5])
        else:
            parts.append((b"##%04dQN=" % (which * 160), b"&&", b"##", b";")[which % 4])
    return b"".join(parts)


@pytest.mark.parametrize("quarter", [1, 2, 3, 4])
def test_bar_3_any_stream_gives_frames_or_nothing(quarter, figure):
    """20,000 cases in four, here as in ``make bars``."""
    seen = 0

    @hypothesis.seed(quarter)
    @hypothesis.settings(max_examples=5_000, database=None)
    @given(st.binary(max_size=16))
    def check(recipe):
        nonlocal seen
        seen += 1
        stream = built(recipe) + recipe
        _, taken = read(stream)
        for segment in taken:
            assert holds(segment, stream)

    check()
    figure("cases", seen)
    assert seen >= 5_000


def test_bar_3_time_is_linear_and_memory_bounded(seed, figure):
    rng = random.Random(seed)
    megabyte = b"".join(
        rng.choice([b"##9999", b"##0612QN=", *FRAMES, rng.randbytes(9)])
        for _ in range(6_000)
    )[:1_000_000]

    def seconds(stream):
        finder = FrameFinder()
        began = time.process_time()
        for at in range(0, len(stream), 1000):
            for frame in finder.feed(stream[at : at + 1000]):
                try:
                    parse(frame.segment)
                except SegmentError:
                    continue
        return time.process_time() - began

    hostile = b"##9999" * 166_666
    figure("hostile_megabyte_s", round(seconds(hostile), 3))
    figure("mixed_megabyte_s", round(seconds(megabyte), 3))
    assert seconds(hostile) < 2.0
    assert seconds(megabyte) < 2.5 * seconds(megabyte[:500_000]) + 0.2
