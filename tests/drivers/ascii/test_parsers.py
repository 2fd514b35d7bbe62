"""Bar 3, for ASCII: whatever bytes come, only values whose check holds, and no error.

The parser is all of it: framing, check, cutting, reading. Messages are those of the
profiles' recordings, changed; that a check holds is computed again here by other code.
"""

from __future__ import annotations

import math
import random
from functools import reduce
from operator import xor
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.ascii.device import Prepared, prepare
from drivers.ascii.expect import Answered
from drivers.ascii.framing import Framer
from drivers.profiles.library import load_profile, profile_names
from drivers.values import Quality
from simulators.analyzer_kinds import vaisala_crc
from tests.support.play_ascii import ZONE, raw
from tests.support.recordings import points_of, recording

CASES = 20_000
MUTATIONS_BARS, MUTATIONS = 1_000_000, 10_000
NAMES = [name for name in profile_names() if load_profile(name).protocol == "ascii"]
CHECKED = [
    "vaisala-wxt5x0-crc",
    "vaisala-wxt5x0-nmea",
    "gill-windsonic",
    "weighbridge-yaohua",
    "weighbridge-toledo",
]


class Parser(NamedTuple):
    """All the parsing of one profile."""

    asks: list[Prepared]
    stream: bytes
    """Its recorded messages."""

    def values(self, data: bytes):
        """(whole message, values, flaws) of each that is taken."""
        taken = []
        for each in self.asks:
            framer = Framer(each.expect.frame)
            framer.split(0.0)
            for message in framer.feed(data, 0.0):
                verdict = each.expect.judge(message)
                if isinstance(verdict, Answered):
                    values, flaws = {}, {}
                    names = [point.name for point in each.points]
                    each.reader.read(verdict.fields, names, values, flaws)
                    framed = message.framed
                    whole = framed.start + framed.body + framed.end + framed.tail
                    taken.append((whole, values, flaws))
        return taken


def parser(name: str) -> Parser:
    profile, root = load_profile(name), recording(name)
    said = root.get("address")
    asks = prepare(
        profile.dialogue,
        said.text if said else None,
        points_of(profile, root),
        ZONE,
    )
    if root.get("stream"):
        return Parser(asks, raw(root.get("stream").text))
    talk = root.get("exchanges").plain()
    return Parser(asks, b"".join(raw(each["response"]) for each in talk))


PARSERS = {name: parser(name) for name in NAMES}


def sane(taken) -> None:
    for _, values, flaws in taken:
        for value in values.values():
            assert not isinstance(value, float) or math.isfinite(value)
        for name, flaw in flaws.items():
            assert (flaw.quality is Quality.BAD) != (name in values)


def holds(name: str, whole: bytes) -> bool:
    """Whether the message's check is right: second writing, from the manuals."""
    if name == "vaisala-wxt5x0-crc":
        text = whole.rstrip(b"\r\n").lstrip(bytes(range(32)) + bytes(range(128, 256)))
        return vaisala_crc(text[:-3]) == text[-3:]
    if name == "vaisala-wxt5x0-nmea":
        text = whole[1:].strip()
        return reduce(xor, text[:-3], 0) == int(text[-2:], 16)
    if name == "gill-windsonic":
        body, _, digits = whole[1:].rpartition(b"\x03")
        return reduce(xor, body, 0) == int(digits, 16)
    if name == "weighbridge-yaohua":
        return len(whole) == 12 and reduce(xor, whole[1:9], 0) == int(whole[9:11], 16)
    return (sum(whole[:-1]) + whole[-1]) % 128 == 0


@pytest.mark.parametrize("name", NAMES)
def test_what_was_recorded_is_taken(name):
    taken = PARSERS[name].values(PARSERS[name].stream)

    assert taken
    sane(taken)


def _edited(stream: bytes, script: bytes) -> bytes:
    """A stream after up to eight edits, each of three bytes of a script."""
    data = bytearray(stream)
    for at, far, how in zip(script[::3], script[1::3], script[2::3], strict=False):
        place = (at | far << 8) % (len(data) + 1)
        what = bytes((how, far))[: how % 3]
        match how & 3:
            case 0:
                data[place:place] = what
            case 1:
                del data[place : place + how % 5]
            case 2:
                data[place : place + len(what)] = what
            case _:
                data[place:place] = data[: place // 2]
    return bytes(data)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=CASES // len(NAMES) // 2 + 1)
@given(script=st.binary(max_size=24))
def test_edited_messages_are_taken_apart_or_left(name, script):
    sane(PARSERS[name].values(_edited(PARSERS[name].stream, script)))


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=CASES // len(NAMES) // 2 + 1)
@given(data=st.binary(max_size=120))
def test_any_bytes_are_taken_apart_or_left(name, data):
    sane(PARSERS[name].values(data))


def mutated(rng: random.Random, stream: bytes) -> bytes:
    data = bytearray(stream)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        at = rng.randrange(len(data))
        way = rng.randrange(4)
        if way == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif way == 1:
            data[at] = rng.randrange(256)
        elif way == 2:
            del data[at]
        else:
            data.insert(at, rng.randrange(256))
        if not data:
            data.append(0)
    return bytes(data)


@pytest.mark.parametrize("name", CHECKED)
def test_no_value_comes_from_a_bad_check(name, count, seed, figure):
    rng, one = random.Random(seed), PARSERS[name]
    cases = count(MUTATIONS, MUTATIONS_BARS) // len(CHECKED)
    taken = wrong = 0
    for _ in range(cases):
        found = one.values(mutated(rng, one.stream))
        sane(found)
        taken += len(found)
        wrong += sum(not holds(name, whole) for whole, _, _ in found)

    figure("mutations", cases)
    figure("taken", taken)
    figure("from_a_bad_check", wrong)
    assert wrong == 0, seed


@pytest.mark.parametrize("name", CHECKED)
def test_one_changed_bit_is_never_a_value_of_that_message(name):
    """Single errors: every one of every bit, of a message alone."""
    one = PARSERS[name]
    originals = {whole: values for whole, values, _ in one.values(one.stream)}
    for whole, right in originals.items():
        end = b"" if whole.endswith((b"\n", b"\x03", b"\r")) else b"\r\n"
        for at in range(len(whole)):
            for bit in range(8):
                data = bytearray(whole)
                data[at] ^= 1 << bit
                for _, values, _ in one.values(bytes(data) + end):
                    assert values == right, (whole, at, bit)
