"""Whatever a platform sends, the host answers with frames and never fails."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.errors import PointError
from drivers.hj212.build import encode
from drivers.hj212.commands import KNOWN
from drivers.hj212.deviations import Refusal
from drivers.hj212.segment import Segment, SegmentError, parse
from gateway.config.rights import Order, Shown
from gateway.uplink.hj212.seams import Upload
from tests.support.hj212_host import MN, Site

NAMES = (
    "PolId", "InfoId", "BeginTime", "EndTime", "SystemTime", "NewPW", "NewSK", "MN",
    "OverTime", "ReCount", "RtdInterval", "MinInterval", "Ctime", "CstartTime",
    "VaseNo", "i13008-Info", "i23005-Info", "DataTime", "SKCreateTime", "w01018-SN",
)  # fmt: skip
VALUES = st.sampled_from(
    ("", "1", "5", "99", "30", "-1", "20240703100000", "20240703100000123", "abcdef",
     "00010101000000", "99991231235959", "w01018", "i13008", "//x;y=&&##//", "密",
     "AezF0nZRs4kypuGO", "080000", "1.5", "9" * 15),
) | st.text(max_size=12)  # fmt: skip
INSIDE = st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=4).map(
    lambda pairs: ";".join(f"{name}={value}" for name, value in pairs)
)
HEAD = st.fixed_dictionaries(
    {
        "QN": st.sampled_from(["20240703174640001", "20240703174640002", "2024", ""]),
        "ST": st.sampled_from(["31", "31", "31", "91", "3"]),
        "CN": st.sampled_from(sorted(KNOWN)) | st.integers(0, 9999),
        "PW": st.sampled_from(["123456", "123456", "123456", "", "abcdef", "1;2"]),
        "MN": st.sampled_from([MN, MN, MN, "", "A" * 24]),
        "Flag": st.sampled_from([5, 9, 5, 9, 4, 8, 7, 0, 99]),
    }
)


@pytest.fixture(scope="module", params=[2017, 2025])
def site(request, tmp_path_factory):
    return Site(
        tmp_path_factory.mktemp("fuzz"),
        request.param,
        key="msbE74gsiSHSEh5e" if request.param == 2025 else None,
        allow=tuple(range(3011, 3025)),
        orders=tuple(
            Order(command=cn, device="cod", point="start", value=1)
            for cn in range(3011, 3025)
        ),
        shown=(
            Shown(code="i13008", factor="w01018", device="cod", point="slope"),
            Shown(code="SN", factor="w01018", text="A1"),
        ),
        hardware={"i23005": "1"},
    )


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(heads=HEAD, inside=INSIDE)
async def test_whatever_is_asked_is_answered_in_frames(site, heads, inside):
    site.bench.error = PointError("no such thing")
    head = "".join(f"{name}={value};" for name, value in heads.items() if value != "")
    data = f"{head}CP=&&{inside}&&".encode()
    try:
        segment, _ = parse(data)
    except SegmentError as exc:
        said = list(site.host.refused(str(exc.cause), data).replies)
    else:
        said = await site.say(segment)

    for each in said:
        if isinstance(each, Upload):
            each = Segment(  # noqa: PLW2901
                qn="20240703174640000", st="31", cn=each.cn, pw="", mn=MN, flag=4,
                items=each.items,
            )  # fmt: skip
        assert encode(each)
    assert len(said) <= 3


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200), cause=st.sampled_from([*Refusal, "something new"]))
def test_whatever_cannot_be_read_is_survived(site, data, cause):
    handled = site.host.refused(str(cause), data)

    assert handled.work is None
    assert len(handled.replies) <= 1
