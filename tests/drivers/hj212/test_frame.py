"""Frames come out of any stream of bytes, and nothing else does."""

from __future__ import annotations

import itertools
import random
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.hj212.deviations import Deviation, Refusal
from drivers.hj212.frame import FrameFinder, pack
from tests.drivers.hj212.vectors import TAKEN

FRAMES = [frame.encode() + b"\r\n" for frame in TAKEN.values()]
SEGMENTS = {frame[6:-6] for frame in FRAMES}


def fed(*parts):
    finder = FrameFinder()
    found = [frame.segment for part in parts for frame in finder.feed(part)]
    return found, finder


@given(
    st.lists(st.sampled_from(FRAMES), max_size=6),
    st.lists(st.integers(0, 4000), max_size=12),
)
def test_pieces_of_any_size_give_the_same_frames(frames, cuts):
    stream = b"".join(frames)
    ends = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})

    found, finder = fed(*(stream[a:b] for a, b in itertools.pairwise(ends)))

    assert found == [frame[6:-6] for frame in frames]
    assert not finder.refused
    assert finder.skipped == 0


NOISE = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([b"##9999", b"##0612QN=", b"##", b"#", b"##0000", b"##00", b"&&"]),
    st.sampled_from(FRAMES).flatmap(
        lambda f: st.integers(0, len(f) - 7).map(lambda n: f[:n])
    ),
)


@given(st.lists(st.tuples(NOISE, st.sampled_from(FRAMES)), max_size=5), st.integers(1))
def test_after_any_noise_the_next_good_frame_is_found(pairs, step):
    stream = b"".join(noise + frame for noise, frame in pairs)
    step = step % 50 + 1

    found, finder = fed(*(stream[i : i + step] for i in range(0, len(stream), step)))

    wanted = [frame[6:-6] for _, frame in pairs]
    # Noise may hold frames of its own only by holding one of ours.
    assert [segment for segment in found if segment in SEGMENTS] == wanted
    assert found == wanted
    assert finder.kept < 10_100


def test_a_header_in_noise_costs_the_good_frame_nothing_and_no_time():
    found, finder = fed(b"xx##9999", FRAMES[0])

    assert found == [FRAMES[0][6:-6]]
    assert finder.refused == {Refusal.CUT_SHORT: 1}
    assert finder.skipped == len(b"xx##9999")


def test_a_frame_cut_in_the_middle_does_not_take_the_next_ones_bytes():
    long, short = FRAMES[11], FRAMES[0]

    for cut in range(6, len(long) - 6):
        found, _ = fed(long[:cut] + short, short)
        assert found == [short[6:-6]] * 2, cut


def test_bytes_lost_in_the_middle_never_make_another_frame(seed):
    rng = random.Random(seed)
    for _ in range(3000):
        frame = rng.choice(FRAMES)
        at = rng.randrange(6, len(frame) - 6)
        lost = rng.randrange(1, 12)
        found, _ = fed(frame[:at] + frame[at + lost :] + rng.choice(FRAMES) * 3)
        assert set(found) <= SEGMENTS, f"seed {seed}"
        assert len(found) >= 3


@pytest.mark.parametrize(
    ("after", "deviation"),
    [
        (b"", Deviation.NO_TAIL),
        (rb"\r\n", Deviation.PRINTED_TAIL),
        (b"\n", Deviation.NO_TAIL),
    ],
)
def test_tails_that_differ_are_counted(after, deviation):
    found, finder = fed((FRAMES[0][:-2] + after) * 3, FRAMES[0])

    assert len(found) == 4
    assert finder.deviations == {deviation: 3}


def test_a_check_in_small_letters_and_a_long_segment_are_counted():
    text = b"ST=32;CN=2011;PW=123456;MN=1;CP=&&" + b"x" * 1100 + b"&&"
    frame = pack(text)
    low = frame[:-6] + frame[-6:].lower()

    (found,) = FrameFinder().feed(low)

    assert set(found.deviations) <= {Deviation.LOWER_CASE_CRC, Deviation.LONG_SEGMENT}
    assert Deviation.LONG_SEGMENT in found.deviations


def test_no_byte_changed_to_another_makes_a_frame():
    """The check's one promise: a single wrong byte is always found."""
    frame = FRAMES[0]
    for at in range(len(frame)):
        for other in set(range(256)) - {frame[at]}:
            found, _ = fed(frame[:at] + bytes([other]) + frame[at + 1 :])
            assert found in ([], [frame[6:-6]])
            if 6 <= at < len(frame) - 6:
                assert found == []


HOSTILE = {
    "headers": b"##9999",
    "headers and text": b"##9999QN=2016",
    "a byte of Chinese": "##9999清".encode(),
    "texts": b"##9999//",
    "hashes": b"#",
    "small frames": b"##0001A0000",
    "ends": b"&&0000\r\n",
    "headers without a length": b"##12",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_stream_costs_little(name):
    unit = HOSTILE[name]

    def seconds(size, step):
        stream = unit * (size // len(unit))
        finder = FrameFinder()
        began = time.process_time()
        for at in range(0, len(stream), step):
            finder.feed(stream[at : at + step])
            assert finder.kept < 30_000
        return time.process_time() - began

    # Eight times the bytes, about eight times the time; 64 times were it quadratic.
    assert seconds(400_000, 400_000) < 24 * seconds(50_000, 50_000) + 0.5
    assert seconds(400_000, 37) < 24 * seconds(50_000, 37) + 0.5


def test_text_that_drips_in_costs_as_much_as_text_that_flows():
    frame = b"##5000" + "清".encode() * 3400

    began = time.process_time()
    finder = FrameFinder()
    for byte in frame:
        finder.feed(bytes([byte]))

    assert time.process_time() - began < 10  # quadratic, it would take minutes
    assert finder.kept < 10_100


def test_what_is_kept_is_bounded():
    tracemalloc.start()
    finder = FrameFinder()
    rng = random.Random(1)
    for _ in range(300):
        finder.feed(b"##9999" + rng.randbytes(3500).replace(b"#", b""))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 200_000


def test_pack_says_what_does_not_fit():
    with pytest.raises(ValueError, match="10000"):
        pack(b"x" * 10_000)
    assert pack(b"ab", sealed=b"\x00#")[:8] == b"##0002\x00#"
