"""One frame before the platform: the standard's vectors, and clauses to break."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.hj212_codec import Cutter, check_of, enveloped
from simulators.hj212_platform_account import Account
from simulators.hj212_platform_checks import examine
from simulators.hj212_platform_ledger import Ledger, clauses
from simulators.hj212_segment import cp_range, read, split, write
from simulators.hj212_sm4 import key_of, opened, sealed
from simulators.hj212_tables import form_of, misfit
from tests.drivers.hj212.test_seal import SEALED
from tests.drivers.hj212.vectors import REFUSED, TAKEN
from tests.support.hj212_device import MN, wrap

KEY = b"0" * 16
ACCOUNT = Account(MN, st="31")
NEW = Account(MN, st="31", version=2025)
HEAD = f"QN=20251121160000000;ST=31;CN={{cn}};PW=123456;MN={MN};Flag=5;"


def frame(cp, cn=2051, head=HEAD):
    return wrap(f"{head.format(cn=cn)}CP=&&{cp}&&")


GOOD = (
    "DataTime=20251121155800;a21026-Min=1.25,a21026-Avg=2.5,a21026-Max=3,a21026-Flag=N"
)


def held_to(data, account=ACCOUNT):
    (cut,) = Cutter().feed(data)
    return examine(cut, {account.mn: account})


def deviations(data, account=ACCOUNT):
    return [one.clause for one in held_to(data, account).deviations]


# -- vectors ------------------------------------------------------------------


@pytest.mark.parametrize("name", TAKEN)
def test_frames_that_verify_are_cut_checked_and_read(name):
    (cut,) = Cutter().feed(TAKEN[name].encode() + b"\r\n")

    assert cut.check.upper() == check_of(cut.segment)
    segment = read(cut.segment)
    assert segment.cn


@pytest.mark.parametrize("name", REFUSED)
def test_frames_that_do_not_verify_are_broken(name):
    data = REFUSED[name].encode() + b"\r\n"
    found = [examine(cut, {}).segment is None for cut in Cutter().feed(data)]

    assert found in ([True], [])


@pytest.mark.parametrize(
    "name", ["A1", "A2", "D1", "D2", "D6", "D7", "D8", "D10", "D11"]
)
def test_the_standards_own_frames_are_as_it_has_them(name):
    segment = read(TAKEN[name].removeprefix("##")[4:-4].encode())
    assert segment.deviations == ()


@pytest.mark.parametrize(
    ("name", "clauses_"),
    [
        ("B2", {"frame.crc_case"}),
        ("C13", {"segment.order"}),
        ("C12", {"cp.grammar", "frame.crc_case", "cp.names"}),
        ("C2", {"cp.time", "segment.mn_form"}),
        ("C10", {"segment.qn", "segment.st", "cp.factor"}),
    ],
)
def test_deviating_frames_of_the_field_are_told_by_clause(name, clauses_):
    (cut,) = Cutter().feed(TAKEN[name].encode() + b"\r\n")
    mn = read(cut.segment).mn

    found = examine(cut, {mn: Account(mn, st="32")})

    assert clauses_ <= {one.clause for one in found.deviations}


def test_a_modbus_crc_is_refused():
    def modbus(data):
        register = 0xFFFF
        for byte in data:
            register ^= byte
            for _ in range(8):
                carry, register = register & 1, register >> 1
                register ^= 0xA001 * carry
        return f"{register:04X}"

    assert check_of(b"123456789") == "2F80"
    assert modbus(b"123456789") == "4B37"
    data = frame(GOOD)
    wrong = enveloped(data[6:-6], modbus(data[6:-6]))
    assert held_to(data).segment is not None
    assert held_to(wrong).segment is None


# -- clauses ------------------------------------------------------------------


def test_a_right_frame_meets_every_clause():
    found = held_to(frame(GOOD))

    assert found.deviations == ()
    assert {"cp.aligned", "segment.flag", "frame.tail"} <= set(found.checked)
    assert set(found.checked) <= clauses().keys()


BROKEN = {
    "a byte between frames": ("frame.start", b"x" + frame(GOOD)),
    "too long": (
        "frame.length",
        frame(
            "DataTime=20251121155800;"
            + ";".join(f"a{n:05d}-Avg=1.0,a{n:05d}-Flag=N" for n in range(40))
        ),
    ),
    "cp too long": (
        "segment.cp_limit",
        frame(
            "DataTime=20251121155800;"
            + ";".join(f"a{n:05d}-Avg=1.0,a{n:05d}-Flag=N" for n in range(34))
        ),
    ),
    "lower case crc": ("frame.crc_case", frame(GOOD)[:-6] + frame(GOOD)[-6:].lower()),
    "a tail as text": ("frame.tail", frame(GOOD)[:-2] + b"\\r\\n"),
    "no utf-8": (
        "frame.utf8",
        wrap(HEAD.format(cn=3020).encode() + b"CP=&&i11001-Info=//\xff//&&"),
    ),
    "order": (
        "segment.order",
        wrap(
            f"ST=31;QN=20251121160000000;CN=2051;PW=123456;MN={MN};Flag=5;CP=&&{GOOD}&&"
        ),
    ),
    "unknown field": ("segment.order", frame(GOOD, head=HEAD + "XX=1;")),
    "no qn": (
        "segment.qn",
        frame(GOOD, head=HEAD.replace("QN=20251121160000000;", "")),
    ),
    "qn of a 13th month": (
        "segment.qn",
        frame(GOOD, head=HEAD.replace("QN=202511", "QN=202513")),
    ),
    "st": ("segment.st", frame(GOOD, head=HEAD.replace("ST=31", "ST=32"))),
    "cn": ("segment.cn", frame(GOOD, cn=2999)),
    "pw": ("segment.pw", frame(GOOD, head=HEAD.replace("PW=123456", "PW=654321"))),
    "version": ("segment.flag", frame(GOOD, head=HEAD.replace("Flag=5", "Flag=9"))),
    "packet bit alone": (
        "segment.flag",
        frame(GOOD, head=HEAD.replace("Flag=5", "Flag=7")),
    ),
    "packets without bit": ("segment.flag", frame(GOOD, head=HEAD + "PNUM=2;PNO=1;")),
    "packet 3 of 2": (
        "segment.packets",
        frame(GOOD, head=HEAD.replace("Flag=5", "Flag=7") + "PNUM=2;PNO=3;"),
    ),
    "rf in 2017": ("segment.rf", frame(GOOD, head=HEAD + "RF=1;")),
    "semicolon at the end": ("cp.grammar", frame(GOOD + ";")),
    "comma between items": ("cp.grammar", frame(GOOD.replace(";", ","))),
    "blank": ("cp.grammar", frame(GOOD.replace(";", "; "))),
    "DataTime with ms": (
        "cp.time",
        frame(GOOD.replace("20251121155800", "20251121155800000")),
    ),
    "no DataTime": ("cp.time", frame(GOOD.partition(";")[2])),
    "not aligned": ("cp.aligned", frame(GOOD.replace("155800", "155830"))),
    "label of the end": ("cp.ended", frame(GOOD.replace("155800", "160000"))),
    "real-time fields in a minute": ("cp.names", frame(GOOD.replace("-Avg", "-Rtd"))),
    "factor": ("cp.factor", frame(GOOD.replace("a21026", "a99999"))),
    "three decimals": ("cp.number", frame(GOOD.replace("1.25", "1.255"))),
    "exponent": ("cp.number", frame(GOOD.replace("1.25", "1e0"))),
    "no number": ("cp.number", frame(GOOD.replace("1.25", "nan"))),
    "negative zero": ("cp.number", frame(GOOD.replace("1.25", "-0.00"))),
    "flag": ("cp.flag", frame(GOOD.replace("Flag=N", "Flag=X"))),
    "Td in 2017": ("cp.flag", frame(GOOD.replace("-Flag=N", "-Flag=Td"))),
    "minimum above mean": ("cp.ordered", frame(GOOD.replace("1.25", "2.51"))),
}


@pytest.mark.parametrize("name", BROKEN)
def test_each_deviation_is_told_by_its_clause(name):
    clause, data = BROKEN[name]

    found = set(deviations(data))

    assert clause in found
    assert found <= {
        clause,
        "frame.length",
        "segment.cp_limit",
        "cp.factor",
        "cp.names",
    }


def test_every_clause_of_a_single_frame_is_refused_once():
    shown = {clause for clause, _ in BROKEN.values()}
    one_frame = {
        name
        for name in clauses()
        if name.partition(".")[0] in {"frame", "segment", "cp"}
    }
    elsewhere = {"frame.crc", "segment.read", "segment.mn", "segment.mn_form"}
    elsewhere |= {"segment.qn_unique", "cp.set"}
    assert one_frame - shown == elsewhere


@pytest.mark.parametrize("bad", ["CP=&", "QN=1;ST=31", "", "CP=&&"])
def test_a_segment_without_its_cp_is_broken(bad):
    found = held_to(wrap(f"QN=20251121160000000;MN={MN};{bad}"))

    assert found.segment is None
    assert [one.clause for one in found.deviations] == ["segment.read"]


def test_what_came_with_2025_is_not_asked_of_devices_of_2017():
    old, both = Ledger(versions={2017}), Ledger(versions={2017, 2025})

    assert "[not asked] cmd.1001" in old.text("en")
    assert "[不适用] cmd.1001" in old.text("zh")
    assert "[not seen] cmd.1011" in old.text("en")
    assert "[not seen] cmd.1001" in both.text("en")
    assert "0 not asked of this version" in both.text("en")


def test_strict_refuses_what_lenient_notes():
    found = held_to(frame(GOOD)[:-2] + b"\\r\\n").deviations
    lenient, strict = Ledger(), Ledger(strict=True)
    for ledger in (lenient, strict):
        ledger.judged(["frame.tail", "frame.crc"], found, b"##")

    assert lenient.accepts(found)
    assert not strict.accepts(found)
    assert (lenient.clean, strict.clean) == (True, False)
    assert lenient.standing()["frame.tail"] == "noted"
    assert strict.standing()["frame.tail"] == "failed"
    assert strict.standing()["frame.crc"] == "passed"


def test_content_fails_with_both_and_is_taken_by_both():
    found = held_to(frame(GOOD.replace("1.25", "1.255"))).deviations
    for ledger in (Ledger(), Ledger(strict=True)):
        ledger.judged(["cp.number"], found, b"##")
        assert ledger.accepts(found)
        assert ledger.failed == ["cp.number"]


def test_the_heading_of_2025():
    head = HEAD.replace("Flag=5", "Flag=9") + "RF=1;"
    assert deviations(frame(GOOD, head=head), NEW) == []
    assert deviations(frame(GOOD, head=HEAD), NEW) == ["segment.flag"]
    split_head = HEAD.replace("Flag=5", "Flag=11") + "PNUM={};PNO=1;"
    assert deviations(frame(GOOD, head=split_head.replace("{}", "9")), NEW) == []
    assert "segment.packets" in deviations(
        frame(GOOD, head=split_head.replace("{}", "12")), NEW
    )
    assert deviations(frame(GOOD, head=head.replace("RF=1", "RF=0")), NEW) == [
        "segment.rf"
    ]
    assert deviations(frame(GOOD.replace("Flag=N", "Flag=Td"), head=head), NEW) == []
    assert deviations(frame(GOOD.replace("Flag=N", "Flag=F"), head=head), NEW) == [
        "cp.flag"
    ]


# -- streams ------------------------------------------------------------------


@given(st.lists(st.binary(max_size=60), max_size=6), st.integers(1, 40), st.booleans())
def test_framing_survives_whatever_a_segment_holds(bodies, step, crlf):
    stream = b""
    for body in bodies:
        stream += enveloped(body + (b"&&\r\n##0003" if crlf else b""))
    cutter, found = Cutter(), []
    for at in range(0, len(stream), step):
        found += cutter.feed(stream[at : at + step])

    assert [
        cut.segment[: len(body)] for cut, body in zip(found, bodies, strict=True)
    ] == bodies
    assert cutter.pending == b""


def test_noise_between_frames_is_told_and_the_next_frame_is_read():
    cutter = Cutter()
    cuts = cutter.feed(b"#x##12" + b"\0##" + frame(GOOD) + b"##x" + frame(GOOD))

    assert [cut.before for cut in cuts] == [b"#x##12\0##", b"##x"]
    assert all(check_of(cut.segment) == cut.check for cut in cuts)


# -- encryption ---------------------------------------------------------------


@pytest.mark.parametrize("name", ["A3", "A4"])
def test_the_annexes_cipher(name):
    plain = TAKEN[name].removeprefix("##")[4:-4].encode()
    start, end = cp_range(plain)
    cipher = bytes.fromhex(SEALED[name].replace("\n", "").replace(" ", ""))

    assert sealed(plain[start:end], KEY)[: len(cipher)] == cipher
    assert opened(sealed(plain[start:end], KEY), KEY) == plain[start:end]


@given(st.binary(max_size=80), st.binary(min_size=16, max_size=16))
def test_what_is_sealed_opens_again_in_both_forms(plain, key):
    assert len(sealed(plain, key)) == len(plain)
    assert opened(sealed(plain, key), key) == plain
    if len(plain) >= 16:
        assert opened(sealed(plain, key, "literal"), key, "literal") == plain


@pytest.mark.parametrize("form", ["raw", "literal"])
def test_a_sealed_frame_is_opened_and_a_plain_one_told(form, seed):
    account = replace(NEW, key=random.Random(seed).randbytes(16), sealed=form)
    plain = frame(GOOD, head=HEAD.replace("Flag=5", "Flag=9"))[6:-6]
    start, end = cp_range(plain)
    body = sealed(plain[start:end], account.key, form)
    data = enveloped(plain[:start] + body + plain[end:], check_of(plain))

    found = held_to(data, account)
    told = held_to(enveloped(plain), account)
    other = held_to(data, replace(account, key=b"another key of 1"))

    assert found.sealed
    assert found.segment.data_time == "20251121155800"
    assert found.deviations == ()
    assert [one.clause for one in told.deviations] == ["seal.used"]
    # One wrong key in 256 passes the check by chance; nothing of it can be read then.
    assert other.segment is None or other.deviations


@pytest.mark.parametrize("text", ["30" * 16, "0" * 16])
def test_keys_as_people_write_them(text):
    assert key_of(f" {text}\n") == KEY


def test_no_key():
    with pytest.raises(ValueError, match="32 hex digits or 16 characters"):
        key_of("short")


# -- small parts --------------------------------------------------------------


def test_packets_hold_whole_items_and_no_more_than_their_room():
    items = [f"a{n:05d}-Avg=1.0,a{n:05d}-Flag=N" for n in range(60)]
    packets = split(items, first="DataTime=20251121155800")

    assert all(len(one) + 4 <= 950 for one in packets)
    assert all(one.startswith("DataTime=20251121155800;") for one in packets)
    assert [i for one in packets for i in one.split(";")[1:]] == items
    with pytest.raises(ValueError, match="an item of"):
        split(["x" * 950])


def test_writing_refuses_what_is_too_long():
    with pytest.raises(ValueError, match="split it"):
        write([("QN", "1")], "x" * 947, check=True)


def test_text_of_a_log_may_hold_separators():
    segment = read(wrap("CP=&&PolId=w01018;i11001-Info=//a;b,c=d//;X=1&&")[6:-6])

    assert segment.values["i11001-Info"] == "//a;b,c=d//"
    assert segment.values["X"] == "1"
    assert segment.deviations == ()


@pytest.mark.parametrize(
    ("text", "form", "fits"),
    [
        ("99999.99", "N5.2", True),
        ("100000.0", "N5.2", False),
        ("-1.5", "N5.2", True),
        ("1.234", "N5.2", False),
        ("12", "N4", True),
        ("1.0", "N4", False),
        (".5", "N4.1", False),
        ("1.", "N4.1", False),
        ("+1", "N4", False),
        ("-0.0", "N4.1", False),
    ],
)
def test_forms_of_numbers(text, form, fits):
    assert (misfit(text, form_of(form)) == "") is fits


def test_no_form():
    with pytest.raises(ValueError, match=r"expected N5\.2 or N4"):
        form_of("F5")
