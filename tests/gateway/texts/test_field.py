"""What drivers and links say in English is worded in Chinese as well."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import drivers
import gateway
from drivers.errors import read_only
from drivers.modbus.bus import EXCEPTIONS
from gateway.texts import both, catalogue
from gateway.texts.field import parts, worded

DRIVERS = Path(drivers.__file__).parent
GATEWAY = Path(gateway.__file__).parent
SPEAKERS = [
    *(path for path in DRIVERS.rglob("*.py") if path.parent.name != "profiles"),
    GATEWAY / "uplink" / "paho_driver.py",
    GATEWAY / "uplink" / "tls.py",
    GATEWAY / "uplink" / "tls_words.py",
    GATEWAY / "secrets.py",
]
# A person meets them only through a mistake in the program: names are checked before.
_OURS = {"ProfileError", "ValueError", "RuntimeError", "AttributeError"}
# Refusals of writes: their reason is worded, and no verb writes yet.
_WRITES = {"write.py", "device.py", "convert.py", "plan.py"}
# A value that cannot be is BAD by its reason; the sentence stays in the package.
_INSIDE = {"formats.py"}
_CHINESE = re.compile("[\u4e00-\u9fff]")


def sample(node, known):
    """The text of a literal with 7 at every place; None where it is no literal."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(sample(piece, known) for piece in node.values)
    if isinstance(node, ast.FormattedValue):
        name = getattr(node.value, "id", "")
        return known.get(name, "7") if name.startswith("_") else "7"
    if isinstance(node, ast.Name):
        return known.get(node.id)
    return None


def sentences(source):
    """Everything a file says when it raises or, as advice, returns."""
    tree = ast.parse(source.read_text("utf-8"))
    known = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            text = sample(node.value, known)
            if text:
                known[node.targets[0].id] = text
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name.endswith("Error") and name not in _OURS:
                yield sample(node.args[-1 if name == "OSError" else 0], known)
        elif isinstance(node, ast.Return) and source.name in {
            "diagnosis.py",
            "serial_port.py",
        }:
            yield sample(node.value, known)


def said():
    for source in SPEAKERS:
        if source.name in _WRITES | _INSIDE:
            continue
        for text in sentences(source):
            # Words of ours, not only places for those of others.
            if text and re.search("[a-z]{3} [a-z]{2}", text):
                yield source.name, text


def test_what_drivers_say_is_found():
    files = {name for name, _ in said()}

    assert {
        "diagnosis.py",
        "line.py",
        "bus.py",
        "endpoint.py",
        "serial_bus.py",
    } <= files
    assert {"serial_port.py", "paho_driver.py"} <= files
    assert len(list(said())) > 30


@pytest.mark.parametrize(("file", "text"), sorted(set(said())))
def test_every_sentence_of_a_driver_has_its_chinese(file, text):
    assert _CHINESE.search(worded(text, "zh")), f"{file}: {text}: add it to field.yaml"


def test_every_meaning_of_an_exception_has_its_chinese():
    assert [m for m in EXCEPTIONS.values() if worded(m, "zh") == m] == []


def test_a_whole_failure_is_chinese_but_for_names_and_bytes():
    text = (
        "device fan, unit 9, input 0+36 (v1, v2, v3, and 12 more): /dev/ttyS0, unit 9: "
        "no answer in 0.50 s to 09 04 00 00; check the address, A/B wiring and supply,"
        " baud rate and framing; sent 09 04 00 00; received nothing"
    )

    assert worded(text, "zh") == (
        "设备 fan，地址 9，input 0+36（v1, v2, v3 等，另 12 个）：/dev/ttyS0，地址 9："
        "发出 09 04 00 00 后 0.50 秒内没有应答；请检查设备地址、A/B 接线、供电、"
        "波特率和数据格式；发送 09 04 00 00；收到 无"
    )
    assert worded(text, "en") == text


def test_a_refused_connection_is_told_in_chinese():
    text = (
        "127.0.0.1:5999: cannot connect (Connection refused); check the address, the"
        " port and that no other master holds the device's only connection"
    )

    assert not re.search("[a-z]{4} [a-z]{3}", worded(text, "zh"))


METER_SILENT = (
    "device m: meter 202511210009, 00: no answer in 1.00 s; check the address, A/B"
    " wiring and supply, speed and parity; sent fe; received nothing (current)"
)
ASCII_SILENT = (
    "device m, ask so2: h:5043: no usable answer in 2.00 s; sent so2<CR>;"
    " received nothing"
)


@pytest.mark.parametrize("text", [METER_SILENT, ASCII_SILENT])
def test_what_a_device_s_own_exchange_said_is_worded_whole(text):
    told = worded(text, "zh")

    assert told.startswith("设备 m")
    assert "秒内没有" in told
    assert "；收到 无" in told


def test_each_line_of_several_is_worded():
    text = "a: the bus is not open\nb: the bus is not open"

    assert worded(text, "zh") == "a：总线未打开\nb：总线未打开"


@pytest.mark.parametrize(
    "text", ["", "7", "voltage_l1", "something else happened", "{"]
)
def test_what_is_not_listed_stays(text):
    assert worded(text, "zh") == text


def test_parts_of_an_exchange():
    text = "device a, unit 3, input 0+2 (v): why; sent 03; received nothing"

    found = parts("exchange", text)

    assert found["error"] == "why"
    assert found["received"] == "nothing"
    assert parts("exchange", "why") is None


def test_events_carry_what_a_driver_said_in_both_languages():
    error = OSError("x: the bus is not open")

    text = both("event.bus_gone", bus="line-1", error=error)

    assert "the bus is not open" in text["en"]
    assert "总线未打开" in text["zh"]


def test_every_sentence_finds_itself():
    for key, texts in catalogue().items():
        if key.startswith("field."):
            filled = re.sub(r"\{\w+\}", "7", texts["en"])
            assert _CHINESE.search(worded(filled, "zh")), key


READ_ONLY = re.compile(r'read_only\(.+, "([^"]+)"\)')


@pytest.mark.parametrize("kind", ["ascii", "dlt645", "gnss", "gpio", "hj212"])
def test_that_nothing_is_written_to_a_device_is_said_in_chinese(kind):
    (what,) = READ_ONLY.findall((DRIVERS / kind / "device.py").read_text("utf-8"))

    text = worded(str(read_only("meter-1", "energy", what)), "zh")

    assert _CHINESE.search(text)
    assert what not in text
