"""Fields to values: exact, in the point's unit, or BAD with its reason."""

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from drivers.ascii.cut import cut
from drivers.ascii.device import Record
from drivers.ascii.reading import Reader, is_mark, split_number
from drivers.ascii.record_time import sampled_ms
from drivers.ascii.units import conversion
from drivers.profiles.dialogue import Columns, RecordTime
from drivers.profiles.library import profile_from_text
from drivers.values import Flaw, Quality

SHANGHAI = ZoneInfo("Asia/Shanghai")


def bad(reason):
    return Flaw(Quality.BAD, reason)


def read(point, line, *, invalid="[]", status="[]", columns="1-9"):
    profile = profile_from_text(
        f"""
profile: x
maker: x
models: [x]
protocol: ascii
evidence: generic
source: x
dialogue:
  mode: listen
  invalid: {invalid}
  messages: {{line: {{columns: {{count: {columns}}}, status: {status}}}}}
points: [{{name: p, {point}}}]
""",
        "x",
    )
    ask = profile.dialogue.asks[0]
    reader = Reader(ask, profile.points, profile.dialogue.invalid)
    values, flaws = {}, {}
    reader.read(cut(ask.cut, line), ["p"], values, flaws)
    return values.get("p"), flaws.get("p")


SPEED = 'field: 1, unit: m/s, units: {M: m/s, K: km/h, S: "[mi_i]/h", N: "[kn_i]"}'


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.1M", 0.1),
        ("36.0K", 10.0),
        ("10.0N", 5.144444444444445),
        ("10.0S", 4.4704),
        ("-1.5M", -1.5),
    ],
)
def test_a_unit_letter_is_heeded_and_turned_exactly(text, value):
    assert read(SPEED, text) == (value, None)


@pytest.mark.parametrize("text", ["0.1", "0.1F", "0.1m", "0.1 ppb"])
def test_any_other_unit_is_no_value(text):
    assert read(SPEED, text) == (None, bad("wrong_unit"))


def test_parts_by_volume_are_not_turned_into_mass():
    point = 'field: 1, unit: mg/m3, units: {ppb: "[ppb]", ug: ug/m3}'
    assert read(point, "12 ppb") == (None, bad("wrong_unit"))
    assert read(point, "12 ug") == (0.012, None)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("550E-2", 5.5),
        ("5.500E+3", 5500.0),
        ("+00.027", 0.027),
        ("000.04", 0.04),
        (".5", 0.5),
        ("5.", 5.0),
        ("-0.0", 0.0),
        ("2301", 2301.0),
    ],
)
def test_numbers_as_instruments_write_them(text, value):
    found, flaw = read("field: 1, unit: V", text)
    assert (found, flaw) == (value, None)
    assert isinstance(found, float)


@pytest.mark.parametrize(
    "text",
    [
        "0x10",
        "1.2.3",
        "--5",
        "1,5",
        "0m=032D",
        "nan",
        "inf",
        "1e999",
        "1_000",
        "٣",
        "1 2",
    ],
)
def test_what_is_no_number_is_not_read(text):
    value, flaw = read('field: 1, unit: V, units: {"": V}', text.replace(",", ";"))
    assert value is None
    assert flaw.quality is Quality.BAD


@pytest.mark.parametrize(
    "text", ["#", "###", "XXXX", "99999", "99999.0", "9.9999E4", "---", "-", ""]
)
def test_marks_of_no_value(text):
    marks = '["#", XXXX, 99999, "-"]'
    assert read("field: 1, unit: V", text, invalid=marks) == (
        None,
        bad("not_available"),
    )


def test_a_mark_may_stand_where_the_unit_does():
    assert read(SPEED, "4.0#", invalid='["#"]') == (None, bad("not_available"))


def test_a_mark_is_no_part_of_a_number():
    assert not is_mark("1-5", ["-"])
    assert not is_mark("199999", ["99999"])


def test_the_unit_in_a_field_of_its_own():
    point = "field: 1, unit: m/s, unit_field: 2, units: {M: m/s, K: km/h}"
    assert read(point, "36,K") == (10.0, None)
    assert read(point, "36,X") == (None, bad("wrong_unit"))
    assert read(point, "36") == (None, bad("wrong_unit"))
    assert read(point, "36M,M") == (None, bad("unreadable"))


def test_the_decimal_point_from_another_field():
    point = "field: 1, unit: kg, times: [{field: 2, by: {0: 1, 2: 0.01}}]"
    assert read(point, "002000,2") == (20.0, None)
    assert read(point, "002000,7") == (None, bad("unreadable"))


def test_a_status_word_has_bits():
    point = "field: 1, written: hex, bits: {0: alarm, 31: agc}"
    assert read(point, "80068000") == (0x80068000, None)


def test_one_bit_is_a_bool():
    assert read("field: 1, written: hex, mask: 0x8000", "80068000") == (True, None)
    assert read("field: 1, written: hex, mask: 0x0001", "80068000") == (False, None)


def test_a_status_makes_the_value_bad():
    status = '[{field: 2, good: ["00", A], reason: device_fault}]'
    assert read("field: 1, unit: V", "1,00", status=status) == (1.0, None)
    assert read("field: 1, unit: V", "1,04", status=status) == (
        None,
        bad("device_fault"),
    )
    assert read("field: 1, unit: V", "1", status=status) == (None, bad("unreadable"))
    ignoring = "field: 1, unit: V, status: ignored"
    assert read(ignoring, "1,04", status=status) == (1.0, None)


def test_outside_its_range_a_value_is_kept_and_doubted():
    value, flaw = read("field: 1, unit: V, maximum: 10", "11")
    assert (value, flaw) == (11.0, Flaw(Quality.UNCERTAIN, "out_of_range"))


def test_a_field_that_is_not_there():
    assert read("field: 3, unit: V", "1,2") == (None, bad("unreadable"))


def test_text_is_text():
    assert read("field: 2, written: text", "1, sample ") == ("sample", None)


def test_conversions_are_exact_both_ways():
    for one, two in [("km/h", "m/s"), ("[degF]", "Cel"), ("mm[Hg]", "kPa")]:
        there, back = conversion(one, two), conversion(two, one)
        assert there[0] * back[0] == 1
        assert there[1] * back[0] + back[1] == 0
    assert conversion("[ppb]", "mg/m3") is None


def test_the_longest_number_and_the_largest_exponent():
    assert split_number("9" * 65) is None
    assert split_number("1e401") is None
    assert split_number("1E-5 V")[1] == "V"


MET = RecordTime(fields=("1",), form="MM/DD/YY hh:mm")


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("01/30/08 16:00", 1_201_680_000_000),
        ("01/29/08 24:00", 1_201_622_400_000),
        ("13/30/08 16:00", None),
        ("02/30/08 16:00", None),
        ("01/30/08 25:00", None),
        ("01/30/08 16:0", None),
        ("x01/30/08 16:00", None),
    ],
)
def test_the_time_of_a_record(text, ms):
    assert sampled_ms(MET, Columns(), {"1": text}, SHANGHAI) == ms


def test_other_forms_and_zones():
    form = RecordTime(fields=("1", "2"), form="DD-MON-YYYY hh:mm:ss", zone_min=0)
    fields = {"1": "03-DEC-2008", "2": "18:00:00"}
    assert sampled_ms(form, Columns(), fields) == 1_228_327_200_000
    assert sampled_ms(MET, Columns(), {"1": "01/30/08 16:00"}, UTC) == 1_201_708_800_000


def test_the_same_record_is_stale_after_its_time():
    record = Record(4500)
    assert not record.stale(b"16:00, 0.084", 0.0)
    assert not record.stale(b"16:00, 0.084", 4500.0)
    assert record.stale(b"16:00, 0.084", 4501.0)
    assert not record.stale(b"17:00, 0.061", 4502.0)
