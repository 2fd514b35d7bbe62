"""Encrypted bytes may look like anything; frames come out all the same."""

from __future__ import annotations

import itertools
import random
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drivers.hj212.crc import crc16
from drivers.hj212.deviations import Deviation, Refusal
from drivers.hj212.frame import FrameFinder, pack
from drivers.hj212.seal import Sm4, seal
from drivers.hj212.sealed import SealedFinder
from tests.drivers.hj212.vectors import REFUSED, TAKEN

KEY = Sm4(b"msbE74gsiSHSEh5e")
PLAIN = [frame[6:-4].encode() for frame in TAKEN.values()]
HEAD = (
    b"QN=20240520210700000;ST=31;CN=2051;PW=123456;MN=010000A8900016F000169DC0;Flag=9;"
)
NASTY = [
    b"##0087QN=2024060",
    b"&&2200\r\n##0101QN",
    b"\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n",
    b"##9999##9999##99",
    b"################",
    b"CP=&&CP=&&CP=&&&",
]


class Mirror:
    """Stands for SM4 where a test needs to choose what the encrypted bytes are."""

    def __init__(self):
        self.pairs = {}

    def sealed_as(self, cipher, number):
        """A plain block that is encrypted to this."""
        block = b"a01011-Avg=%05d" % number
        self.pairs[cipher] = block
        return block

    def decrypt(self, data):
        whole = len(data) - len(data) % 16
        blocks = [bytes(data[at : at + 16]) for at in range(0, whole, 16)]
        return b"".join(self.pairs.get(b, b) for b in blocks) + data[whole:]


def frame_of(ciphers, tail=b""):
    """A frame with these encrypted bytes, its segment, and the key that opens it."""
    key = Mirror()
    blocks = [key.sealed_as(cipher, n) for n, cipher in enumerate(ciphers)]
    segment = HEAD + b"CP=&&" + b"".join(blocks) + tail + b"&&"
    body = HEAD + b"CP=&&" + b"".join(ciphers) + tail + b"&&"
    return pack(segment, body), segment, key


def fed(finder, *parts):
    return [frame.segment for part in parts for frame in finder.feed(part)]


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_framing_survives_whatever_encrypted_bytes_look_like(step):
    frame, segment, key = frame_of([n for n in NASTY if len(n) == 16], b"tail")
    stream = frame * 3

    finder = SealedFinder([key])
    found = fed(finder, *(stream[i : i + step] for i in range(0, len(stream), step)))

    assert found == [segment] * 3
    assert not finder.refused
    assert (finder.skipped, finder.kept) == (0, 0)


BLOCK = st.binary(min_size=16, max_size=16)


@given(st.lists(BLOCK, min_size=1, max_size=40, unique=True), st.binary(max_size=9))
@example([b"##0000QN=ST=CN=&"], b"")
def test_any_bytes_may_be_encrypted_bytes(ciphers, rest):
    frame, segment, key = frame_of(ciphers)

    finder = SealedFinder([key])
    found = fed(finder, frame + rest)

    assert found[0] == segment
    assert not finder.refused or rest.startswith(b"##")


@given(
    st.lists(
        st.tuples(st.sampled_from(PLAIN), st.sampled_from(["", "raw", "literal"]))
    ),
    st.lists(st.integers(0, 6000), max_size=12),
)
def test_sealed_and_plain_frames_in_pieces_of_any_size(frames, cuts):
    stream = b"".join(
        pack(plain, seal(plain, KEY, form) if form else None) for plain, form in frames
    )
    ends = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})

    finder = SealedFinder([KEY])
    found = fed(finder, *(stream[a:b] for a, b in itertools.pairwise(ends)))

    assert found == [plain for plain, _ in frames]
    assert (finder.skipped, finder.kept) == (0, 0)
    assert not finder.refused


@pytest.mark.parametrize("damage", ["length", "long", "byte", "cut", "header", "noise"])
def test_after_damage_the_following_frames_are_taken(damage, seed):
    rng = random.Random(seed)
    for _ in range(50):
        segments = rng.sample(PLAIN, 4)
        frames = [bytearray(pack(s, seal(s, KEY))) for s in segments]
        bad = frames[1]
        if damage == "length":
            bad[2:6] = b"%04d" % rng.randrange(1, len(bad))
        elif damage == "long":
            bad[2:6] = b"9999"
        elif damage == "byte":
            bad[rng.randrange(6, len(bad) - 6)] ^= 1 << rng.randrange(8)
        elif damage == "cut":
            del bad[rng.randrange(7, len(bad) - 6) :]
        elif damage == "header":
            bad[0] ^= 0x41
        else:
            bad[:0] = rng.randbytes(rng.randrange(1, 300)).replace(b"#", b"+")

        finder = SealedFinder([KEY])
        stream = b"".join(frames)
        step = rng.randrange(1, 400)
        found = fed(
            finder, *(stream[i : i + step] for i in range(0, len(stream), step))
        )

        assert [s for s in found if s in (segments[0], *segments[2:])] == [
            segments[0],
            *segments[2:],
        ]
        assert len(found) == 4 if damage == "noise" else len(found) in (3, 4)
        if (
            len(found) == 4
        ):  # the damage was one that changes nothing: case of the check
            assert found[1] == segments[1]


@pytest.mark.parametrize("name", REFUSED)
def test_a_key_makes_nothing_of_a_wrong_check(name):
    finder = SealedFinder([KEY])

    assert finder.feed(REFUSED[name].encode() + b"\r\n") == []
    assert finder.refused[Refusal.CRC] == 1


@pytest.mark.parametrize("name", TAKEN)
def test_plain_frames_are_taken_as_without_a_key(name):
    data = TAKEN[name].encode() + b"\r\n"

    assert SealedFinder([KEY]).feed(data) == FrameFinder().feed(data)


def test_without_its_key_a_sealed_frame_is_refused_and_the_next_taken():
    first, second = PLAIN[2], PLAIN[3]
    finder = SealedFinder([])

    found = fed(finder, pack(first, seal(first, KEY)) + pack(second))
    finder.keys = (KEY,)
    found += fed(finder, pack(first, seal(first, KEY)))

    assert found == [second, first]
    assert finder.refused[Refusal.CRC] == 1


def test_tails_are_counted():
    data = pack(PLAIN[0]).removesuffix(b"\r\n")
    finder = SealedFinder([KEY])

    found = fed(finder, data + rb"\r\n" + data + data + b"\r\n")

    assert found == [PLAIN[0]] * 3
    assert finder.deviations == {Deviation.PRINTED_TAIL: 1, Deviation.NO_TAIL: 1}


def test_what_is_kept_is_bounded_and_time_is_too():
    finder = SealedFinder([KEY])
    began = time.process_time()
    for chunk in (b"##9999" * 20_000, b"##0100QN=ST=&&0000" * 5_000, b"#" * 50_000):
        finder.feed(chunk)
        assert finder.kept < 20_100

    finder.feed(b"\0" * 20_000)
    assert fed(finder, pack(PLAIN[0])) == [PLAIN[0]]
    # A megabyte of such takes less than a second here; it is told apart from minutes.
    assert time.process_time() - began < 30


def test_the_check_is_of_the_plain_text():
    segment = PLAIN[2]

    frame = pack(segment, seal(segment, KEY))

    assert frame[-6:-2] == b"%04X" % crc16(segment)
    assert int(frame[2:6]) == len(segment)
