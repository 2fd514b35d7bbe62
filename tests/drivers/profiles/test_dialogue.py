"""Dialogues as they are written: the page's example, and what is wrong with others."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from drivers.ascii import Timing, make_device
from drivers.ascii.line import AsciiLine
from drivers.byte_line import ByteLine
from drivers.profiles.library import profile_from_text, read_profile
from drivers.values import Flaw, Quality
from tests.support.play_ascii import Replay, raw

PAGE = Path(__file__).parents[3] / "docs" / "ascii.md"


def example() -> str:
    text = PAGE.read_text(encoding="utf-8")
    found = re.search(r"<!-- example -->\n```yaml\n(.*?)```", text, re.DOTALL)
    assert found
    return found[1]


async def scan(response: str):
    profile = profile_from_text(example(), "acme-baro")
    far = Replay([(raw("#01P<CR>"), raw(response))])

    def open_stream(factory):
        far.protocol = factory()
        far.protocol.connection_made(far)

    port = AsciiLine(ByteLine("line", open_stream))
    await port.open()
    it = make_device(
        "it", None, port, profile.points, profile.dialogue, Timing(timeout_s=0.2)
    )
    answer = await asyncio.wait_for(it.scan(["pressure", "temperature"]), 2)
    await port.close()
    return answer


def summed(text: str) -> str:
    return f"{text}{sum(text.encode()) & 255:02X}<CR>"


BAD = Quality.BAD


@pytest.mark.parametrize(
    ("response", "values", "flaws"),
    [
        (
            ">01 P+0101.32kPa T+023.5C A5<CR>",
            {"pressure": 101.32, "temperature": 23.5},
            {},
        ),
        (
            summed(">01 P+1013.20hPa T-----"),
            {"pressure": 101.32},
            {"temperature": "not_available"},
        ),
        (
            summed(">01 P+0760.0mmHg T+074.3F "),
            {"temperature": 23.5},
            {"pressure": "wrong_unit"},
        ),
        (
            ">01 P+0101.32kPa T+023.5C A6<CR>",
            {},
            {"pressure": "bad_frame", "temperature": "bad_frame"},
        ),
        (
            summed(">02 P+0101.32kPa T+023.5C "),
            {},
            {"pressure": "bad_frame", "temperature": "bad_frame"},
        ),
    ],
)
async def test_the_example_of_the_page(response, values, flaws):
    answer = await scan(response)

    assert answer.values == values
    assert answer.flaws == {name: Flaw(BAD, word) for name, word in flaws.items()}


HEAD = """\
profile: x
maker: x
models: [x]
protocol: ascii
evidence: generic
source: x
points: []
"""


@pytest.mark.parametrize(
    ("dialogue", "path"),
    [
        ("{}", "dialogue"),
        ("{asks: {}}", "dialogue.asks"),
        ("{asks: {a: {send: x}}}", "dialogue.asks.a"),
        ("{asks: {a: {columns: {}}}}", "dialogue.asks.a"),
        ("{asks: {a: {send: x, columns: {}, pairs: {}}}}", "dialogue.asks.a.pairs"),
        ("{asks: {A: {send: x, columns: {}}}}", "dialogue.asks.A"),
        ("{asks: {a: {send: '{adress}', columns: {}}}}", "dialogue.asks.a.send"),
        ("{asks: {a: {send: x, pattern: '{a}{b}'}}}", "dialogue.asks.a.pattern"),
        ("{asks: {a: {send: x, colums: {}}}}", "dialogue.asks.a.colums"),
        (
            "{asks: {a: {send: x, columns: {count: many}}}}",
            "dialogue.asks.a.columns.count",
        ),
        ("{mode: listen, asks: {a: {columns: {}}}}", "dialogue.asks"),
        (
            "{mode: listen, messages: {a: {send: x, columns: {}}}}",
            "dialogue.messages.a.send",
        ),
        ("{frame: {start: a}, asks: {a: {send: x, columns: {}}}}", "dialogue.frame"),
        ("{check: crc9, asks: {a: {send: x, columns: {}}}}", "dialogue.check"),
        (
            "{check: xor_all, asks: {a: {send: x, columns: {}}}}",
            "dialogue.asks.a.check",
        ),
        (
            "{errors: {bad: Not Good}, asks: {a: {send: x, columns: {}}}}",
            "dialogue.errors.bad",
        ),
        (
            "{asks: {a: {send: x, columns: {}, time: {field: 1, form: hh}}}}",
            "dialogue.asks.a.time.form",
        ),
        (
            "{asks: {a: {send: x, columns: {}, time: {field: 1, zone: CST}}}}",
            "dialogue.asks.a.time",
        ),
        (
            "{asks: {a: {send: x, pairs: {}, time: {field: 1, form: MMYYMMDDhhmm}}}}",
            "dialogue.asks.a.time.form",
        ),
        (
            "{asks: {a: {send: x, columns: {}, status: [{field: 1}]}}}",
            "dialogue.asks.a.status[0]",
        ),
        ("{prompts: 就绪, asks: {a: {send: x, columns: {}}}}", "dialogue.prompts"),
        # The sign of an answer would be taken for its prompt.
        ("{prompts: '->', asks: {a: {send: x, columns: {}}}}", "dialogue.prompts"),
    ],
)
def test_a_mistake_is_named_with_its_place(dialogue, path):
    profile, problems = read_profile(f"{HEAD}dialogue: {dialogue}\n", "x")

    assert profile is None
    assert problems[0].path == path, problems
    assert all(str(problem) for problem in problems)
