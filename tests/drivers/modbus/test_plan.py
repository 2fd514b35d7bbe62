"""Reads are planned: every point once, nothing cut, no request too long."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.modbus.plan import Limits, Plan, plan
from drivers.modbus.refusals import Refusals
from drivers.profiles.model import REGISTERS, ModbusPoint

TYPES = ["uint16", "int32", "float32", "uint64"]


def words(*addresses, table="holding", type_="uint16"):
    return [
        ModbusPoint(name=f"{table}{a}", table=table, address=a, type=type_)
        for a in addresses
    ]


def spans(planned: Plan):
    return [(b.span.start, b.span.count) for b in planned.blocks]


@st.composite
def layouts(draw):
    """Points of all tables that do not overlap, with small and large holes."""
    points = []
    for table in draw(st.sets(st.sampled_from(["holding", "input", "coil"]))):
        at = draw(st.integers(0, 500))
        for _ in range(draw(st.integers(0, 60))):
            at += draw(st.one_of(st.just(0), st.integers(0, 40), st.integers(100, 900)))
            kind = "bool" if table == "coil" else draw(st.sampled_from(TYPES))
            if at + REGISTERS[kind] > 0x10000:
                break
            points.append(
                ModbusPoint(name=f"{table}{at}", table=table, address=at, type=kind)
            )
            at += points[-1].registers
    return draw(st.permutations(points))


limits_ = st.builds(
    Limits,
    registers=st.integers(4, 125),
    bits=st.integers(1, 2000),
    request_cost=st.integers(0, 60),
    max_hole=st.one_of(st.none(), st.integers(0, 60)),
)


@given(layouts(), limits_)
def test_every_point_is_read_once_and_whole_within_the_limits(points, limits):
    planned = plan(points, limits)

    read = [point for block in planned.blocks for point in block.points]
    assert sorted(p.name for p in read) == sorted(p.name for p in points)
    for block in planned.blocks:
        span = block.span
        most = limits.bits if span.table == "coil" else limits.registers
        assert span.room_before + span.count + span.room_after <= max(most, span.count)
        assert span.count <= most
        assert span.start - span.room_before >= 0
        assert span.start + span.count + span.room_after <= 0x10000
        for point in block.points:
            assert point.table == span.table
            assert span.start <= point.address
            assert point.address + point.registers <= span.start + span.count


@given(layouts(), limits_)
def test_no_block_begins_or_ends_in_a_hole_or_reads_over_a_large_one(points, limits):
    for block in plan(points, limits).blocks:
        owned = {
            a for p in block.points for a in range(p.address, p.address + p.registers)
        }
        span = block.span
        assert span.start in owned
        assert span.start + span.count - 1 in owned
        hole = 0
        for at in range(span.start, span.start + span.count):
            hole = 0 if at in owned else hole + 1
            if span.table == "coil":
                assert hole <= limits.bit_request_cost
            else:
                assert hole <= (
                    limits.request_cost if limits.max_hole is None else limits.max_hole
                )


def cheapest(points, most, cost):
    """Lowest cost of reading sorted points, by plain recursion over the last block."""
    best = {0: 0}
    for i in range(1, len(points) + 1):
        end = points[i - 1].address + points[i - 1].registers
        best[i] = min(
            best[j] + cost + end - points[j].address
            for j in range(i)
            if end - points[j].address <= most
        )
    return best[len(points)]


@given(
    st.lists(st.integers(0, 400), min_size=1, max_size=40, unique=True),
    st.integers(16, 125),
    st.integers(1, 40),
)
@settings(max_examples=60)
def test_the_split_costs_no_more_than_the_best_there_is(addresses, most, cost):
    points = words(*sorted(addresses))

    planned = plan(points, Limits(registers=most, request_cost=cost))

    paid = sum(cost + b.span.count for b in planned.blocks)
    assert paid == cheapest(points, most - 4, cost)


def test_holes_that_pay_are_read_over_and_others_are_not():
    assert spans(plan(words(0, 17))) == [(0, 18)]
    assert spans(plan(words(0, 18))) == [(0, 1), (18, 1)]
    assert spans(plan(words(0, 5), Limits(max_hole=3))) == [(0, 1), (5, 1)]


def test_a_hundred_float32_need_two_requests():
    points = words(*range(0, 200, 2), type_="float32")

    assert len(plan(points).blocks) == 2


def test_tables_are_never_mixed():
    planned = plan([*words(1), *words(2, table="input"), *words(3, table="coil")])

    assert [b.span.table for b in planned.blocks] == ["coil", "holding", "input"]


def test_room_stays_inside_the_address_space():
    first, last = plan(words(0, 0xFFFF)).blocks

    assert (first.span.room_before, first.span.room_after) == (0, 8)
    assert (last.span.room_before, last.span.room_after) == (8, 0)


def refuse_alone(refusals, point, now=0.0):
    (block,) = plan([point], Limits(pad=0)).blocks
    assert refusals.refused(block, now) == []


def test_a_refused_point_is_left_out_and_no_block_or_room_covers_it():
    refusals = Refusals()
    refuse_alone(refusals, words(5)[0])

    planned = plan(words(3, 4, 5, 6, 7), refusals=refusals)

    assert planned.unsupported == ("holding5",)
    assert spans(planned) == [(3, 2), (6, 2)]
    assert planned.blocks[0].span.room_after == 0
    assert planned.blocks[1].span.room_before == 0


def test_a_refused_point_is_doubted_alone_after_the_retry_time():
    refusals = Refusals(retry_s=600)
    refuse_alone(refusals, words(5)[0])

    refusals.lapse(599.0)
    assert plan(words(4, 5, 6), refusals=refusals).unsupported == ("holding5",)
    refusals.lapse(600.0)
    planned = plan(words(4, 5, 6), refusals=refusals)

    assert planned.unsupported == ()
    assert sorted(spans(planned)) == [(4, 1), (5, 1), (6, 1)]
    (alone,) = [b for b in planned.blocks if b.span.start == 5]
    assert alone.span.room_before == alone.span.room_after == 0


def test_blocks_join_again_once_the_doubted_point_answers():
    refusals = Refusals(retry_s=600)
    refuse_alone(refusals, words(5)[0])
    refusals.lapse(600.0)
    (alone,) = plan(words(5), refusals=refusals).blocks

    refusals.answered(alone, 5, 1)

    assert spans(plan(words(4, 5, 6), refusals=refusals)) == [(4, 3)]
