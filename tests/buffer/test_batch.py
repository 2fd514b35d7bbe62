from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buffer import Entry, PriorityClass
from buffer.batch import (
    ROW_BYTES,
    head_is_intact,
    is_intact,
    pack,
    row_from,
    runs_of,
    split,
    unpack,
)
from buffer.errors import DamagedError

entries = st.lists(
    st.tuples(
        st.integers(1, 5),
        st.integers(-(2**40), 2**42),
        st.sampled_from(["", "meter-1", "水表"]),
        st.binary(max_size=300),
    ),
    min_size=1,
    max_size=30,
)


def chained(steps) -> list[Entry]:
    seq, made = 0, []
    for step, t_ms, subject, data in steps:
        seq += step
        made.append(Entry(seq, PriorityClass.LIVE, t_ms, subject, data))
    return made


@given(entries, st.none() | st.binary(max_size=40))
def test_what_is_packed_comes_back(steps, stamp) -> None:
    made = chained(steps)

    row = pack(made, 17, stamp)

    assert unpack(row, PriorityClass.LIVE) == made
    assert (row.first, row.last, row.records) == (made[0].seq, made[-1].seq, len(made))
    assert sum(row.counts.values()) == len(made)
    assert row.control == stamp
    assert is_intact(row)
    assert row_from(tuple(row)) == row
    seqs = [s for a, b in runs_of(made) for s in range(a, b + 1)]
    assert seqs == [e.seq for e in made]


@given(entries, st.data())
def test_any_flipped_bit_is_noticed_and_told_apart(steps, data) -> None:
    row = pack(chained(steps), 17, b"stamp")
    at = data.draw(st.integers(0, len(row.body) - 1))
    body = bytearray(row.body)
    body[at] ^= 1 << data.draw(st.integers(0, 7))

    in_body = row._replace(body=bytes(body))
    in_head = row._replace(before=row.before ^ 4)

    assert not is_intact(in_body)
    assert head_is_intact(in_body)
    assert not head_is_intact(in_head)


def test_a_large_group_becomes_several_rows_and_each_has_a_record() -> None:
    made = [Entry(n, PriorityClass.LIVE, 0, "a", bytes(100_000)) for n in range(1, 8)]
    made.insert(3, Entry(99, PriorityClass.LIVE, 0, "a", bytes(3 * ROW_BYTES)))

    pieces = split(made)

    assert [e for piece in pieces for e in piece] == made
    assert all(pieces)
    assert max(len(piece) for piece in pieces) <= 2


@pytest.mark.parametrize("column", range(10))
def test_columns_of_a_wrong_type_are_damage(column) -> None:
    row = list(pack([Entry(1, PriorityClass.LIVE, 0, "a", b"x")], 0, None))
    row[column] = 1.5

    with pytest.raises(DamagedError):
        row_from(row)


@pytest.mark.parametrize(
    "body", [b"", b"\x95", b"\x28\xb5\x2f\xfd", b"\x95\x90\xc0\x90\x90\x90"]
)
def test_a_body_that_is_none_is_damage_not_a_crash(body) -> None:
    row = pack([Entry(1, PriorityClass.LIVE, 0, "a", b"x")], 0, None)

    with pytest.raises(DamagedError):
        unpack(row._replace(body=body), PriorityClass.LIVE)
