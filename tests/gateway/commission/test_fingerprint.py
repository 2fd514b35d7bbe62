"""Profiles are proposed for reasons, and not at all without."""

from __future__ import annotations

import random

import pytest

from drivers.profiles.fingerprint import Trait
from drivers.profiles.library import load_profile, profile_from_text, profile_names
from gateway.commission.door import OwnDoor, Setting
from gateway.commission.fingerprint import Memory, Span, judge, parts, rank, spans
from gateway.commission.recognise import Reader, recognise
from tests.support.uart_line import make_line, modbus, on_line
from tests.support.virtual import run_virtual

METER = load_profile("eastron-sdm630")


def modbus_profiles():
    named = [load_profile(name) for name in profile_names()]
    return [p for p in named if p.protocol == "modbus" and p.points]


def filled(profile, word):
    """A memory in which every register of the profile reads as ``word(address)``."""
    memory = Memory()
    for span in spans(profile):
        for address in range(span.address, span.address + span.registers):
            memory.words[span.table, address] = word(address)
    return memory


def test_zeros_speak_for_nothing():
    for profile in modbus_profiles():
        memory = filled(profile, lambda _address: 0)
        assert rank([judge(profile, memory)]) == [], profile.profile


def test_random_registers_are_hardly_ever_called_likely(seed):
    rng = random.Random(seed)
    likely = []
    for profile in modbus_profiles():
        memory = filled(profile, lambda _address: rng.randrange(0x10000))
        ranked = rank([judge(profile, memory)])
        likely += [m.profile for m in ranked if m.certainty == "likely"]

    assert len(likely) <= len(modbus_profiles()) / 20, (seed, likely)


def test_a_refused_point_speaks_against_and_a_refused_run_only_for_its_points():
    memory = filled(METER, lambda _address: 0x4248)
    before = judge(METER, memory).score
    run = max(spans(METER), key=lambda span: span.registers)
    memory.refused.add(run)

    assert judge(METER, memory).score == before  # a run may be refused for its length
    point = parts(METER, run)[0]
    memory.refused.add(point)
    assert judge(METER, memory).score < before


def test_profiles_that_read_alike_are_named_together_and_never_likely():
    names = ("renke-rs-fsxcs-wind10", "renke-rs-fsxcs-wind100")
    one, two = (load_profile(name) for name in names)
    memory = filled(one, lambda address: 200 + address % 3)

    ranked = rank([judge(one, memory), judge(two, memory)])

    if ranked and ranked[0].same_as:
        assert ranked[0].certainty == "possible"
    assert all(m.certainty != "likely" or not m.same_as for m in ranked)


PROFILE = """
profile: acme-1
maker: Acme
models: [A-1]
evidence: generic
source: test
fingerprint:
{traits}
points: []
"""


_TEXT = "{table: holding, address: 'pdu:10', count: 2, text: ADW}"


@pytest.mark.parametrize(
    ("trait", "words", "fits"),
    [
        ("{table: holding, address: 'pdu:10', equals: [485]}", [485], True),
        ("{table: holding, address: 'pdu:10', equals: [485]}", [486], False),
        (_TEXT, [0x4144, 0x5733], True),
        (_TEXT, [0x4145, 0x5733], False),
        ("{table: holding, address: 'pdu:10', minimum: 1, maximum: 247}", [7], True),
        ("{table: holding, address: 'pdu:10', minimum: 1, maximum: 247}", [0], False),
        ("{table: holding, address: 'pdu:10', refused: true}", None, True),
        ("{table: holding, address: 'pdu:10', refused: true}", [1], False),
    ],
)  # fmt: skip
def test_each_kind_of_trait_is_weighed(trait, words, fits):
    profile = profile_from_text(PROFILE.format(traits=f"  - {trait}"), "acme-1")
    (read,) = profile.fingerprint
    memory = Memory()
    span = Span("holding", 10, read.count)
    if words is None:
        memory.refused.add(span)
    else:
        for i, word in enumerate(words):
            memory.words["holding", 10 + i] = word

    score = judge(profile, memory).score

    assert spans(profile) == [span]
    assert (score > 0) is fits


def test_an_identity_is_a_trait_where_it_was_asked():
    profile = profile_from_text(
        PROFILE.format(traits="  - {identity: Eastron}"), "acme-1"
    )

    assert profile.fingerprint == (Trait(identity="Eastron"),)
    assert judge(profile, Memory(), "EASTRON SDM").score > 0
    assert judge(profile, Memory(), "").score == 0
    assert judge(profile, Memory(), "other").score < 0


@pytest.mark.parametrize(
    ("trait", "said"),
    [
        ("{equals: [1]}", "fingerprint[0]: expected one of table, di, identity"),
        ("{table: holding, address: 'pdu:1'}", "expected one of equals"),
        ("{table: coil, address: 'pdu:1', equals: [1]}", "fingerprint[0].table"),
        ("{table: holding, address: 40001, equals: [1]}", "fingerprint[0].address"),
        ("{table: holding, address: 'pdu:1', equals: [x]}", "fingerprint[0].equals"),
        ("{table: holding, address: 'pdu:1', equal: [1]}", "equal"),
    ],
)
def test_mistakes_in_a_fingerprint_are_named(trait, said):
    with pytest.raises(Exception, match=r"acme-1\.yaml") as info:
        profile_from_text(PROFILE.format(traits=f"  - {trait}"), "acme-1")

    assert said in str(info.value)


def test_how_many_of_the_library_are_recognised(count, figure):
    """Each device by its own profile; sensors of two registers look alike."""
    profiles = modbus_profiles()
    chosen = count(profiles[:: len(profiles) // 6], profiles)

    async def main():
        first = proposed = 0
        line = make_line(
            [(modbus(n, p.profile), "9600 8N1") for n, p in enumerate(chosen, 1)]
        )
        door = OwnDoor(on_line(line))
        for number, profile in enumerate(chosen, 1):
            reader = Reader(door, Setting(9600, "8N1"), number)
            found = await recognise(reader, profiles)
            first += bool(found) and found[0].profile == profile.profile
            proposed += profile.profile in {m.profile for m in found[:5]}
            wrong = [m for m in found[:1] if m.certainty == "likely"]
            assert all(m.profile == profile.profile for m in wrong), found
        await door.close()
        line.close()
        return first, proposed

    first, proposed = run_virtual(main())

    figure("profiles", len(chosen))
    figure("right_one_first", first)
    figure("among_the_first_five", proposed)
    assert first >= len(chosen) / 2
