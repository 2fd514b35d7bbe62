"""The quick look at items allows nothing that the parser would not read back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drivers.hj212 import build
from drivers.hj212.cp import SegmentError, parse

NAMES = [
    "DataTime", "QnRtn", "PolId", "CTime", "Ctime", "i11001-Info", "a21026-Rtd",
    "a21026-Flag", "a21026-Avg", "w01018-SampleTime", "p99101-Rtd", "p99101-Avg",
    "a-b-Rtd", "-Rtd", "Rtd", "LA-td", "a21026", "SB1-RS", "a21026-avg", "a;b-Rtd",
]  # fmt: skip
VALUES = [
    "1", "-1.5", "1.", "1e5", "", "N", "Td", "N;", "&&", "//x//", "20251201080000",
    "20251301080000", "20251201080000123", "St", "12,3", "a=b", "全", "1" * 16,
]  # fmt: skip
PAIRS = st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES))
ITEMS = st.lists(st.lists(PAIRS, max_size=3).map(tuple), max_size=3).map(tuple)


@given(ITEMS)
def test_what_looks_plain_is_read_back_as_it_was(items):
    if not build._plain(items):
        return
    noted = []
    try:
        found = parse(build.encode_items(items), (), noted)
    except SegmentError as exc:
        raise AssertionError(items) from exc
    assert found == items
    assert not noted


def test_an_ordinary_minute_looks_plain():
    assert build._plain(
        (
            (("DataTime", "20251201080000"),),
            (("a21026-Avg", "1.5"), ("a21026-Flag", "N")),
        )
    )
