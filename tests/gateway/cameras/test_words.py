"""What cameras have said in the log is in the reader's language, all of it."""

from __future__ import annotations

import ast
import asyncio
import re
from pathlib import Path

import pytest

import gateway.cameras
import vision
from gateway.texts import set_language
from tests.support.virtual import run_virtual
from tests.support.watched_site import Watched, a_camera
from vision.messages import LABELS, UNTOLD_FOLDER

PHRASE = re.compile("[A-Za-z]{2,} [A-Za-z]{2,}")
"""Two words of English in a row; a name, a path or a unit is one."""
MESSAGES = {
    *("Beat", "CameraBeat", "Condition", "Hello", "NoFrame", "Picture", "Refused"),
    *("Sight", "SourceError", "Trouble"),
}
"""What a vision process says, or what becomes of it."""
GATEWAY = sorted(Path(gateway.cameras.__file__).parent.glob("*.py"))
VISION = [
    path
    for path in sorted(Path(vision.__file__).parent.rglob("*.py"))
    if "train" not in path.parts
]


@pytest.fixture
def chinese():
    set_language("zh")
    yield
    set_language(None)


def calls(paths):
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                yield f"{path.name}:{node.lineno}", node


def phrases(node):
    return [
        part.value
        for part in ast.walk(node)
        if isinstance(part, ast.Constant)
        and isinstance(part.value, str)
        and PHRASE.search(part.value)
    ]


def test_no_message_of_a_vision_process_holds_a_phrase_where_a_key_should_be():
    wrong = [
        f"{where}: {phrase!r}"
        for where, call in calls(VISION)
        if getattr(call.func, "id", getattr(call.func, "attr", "")) in MESSAGES
        for argument in (*call.args, *(keyword.value for keyword in call.keywords))
        for phrase in phrases(argument)
    ]

    assert wrong == []


def test_no_line_of_the_log_is_put_together_here():
    wrong = [
        where
        for where, call in calls(GATEWAY)
        if getattr(getattr(call.func, "value", None), "id", "") == "log"
        and "%s" not in [getattr(argument, "value", "") for argument in call.args]
    ]

    assert wrong == []


def test_whatever_goes_wrong_is_said_in_chinese(tmp_path, caplog, chinese):
    folder = tmp_path / "data" / "media"

    async def main():
        secret = {"username": "watch", "password_file": tmp_path / "absent"}
        cameras = (
            *(a_camera(name, "a") for name in ("yard-1", "yard-2")),
            a_camera("gate-1", "b", **secret),
            a_camera("tower-1", "c"),
        )
        async with Watched(tmp_path, *cameras, every_s=60.0) as site:
            await asyncio.sleep(20)
            full = {"path": "/media", "error": "No space left on device"}
            process = site.vision["c"]
            process.unkept = {"unkept": "vision.unkept.file", "unkept_args": full}
            gone = process.keep("tower-1", "t1", "at")
            (folder / gone.file).unlink()
            process.picture("tower-1", "t2", "at", t_ms=0)
            (folder / UNTOLD_FOLDER / "yard-1~x.json").write_bytes(b"{")
            (folder / UNTOLD_FOLDER / "yard-9~x.json").write_bytes(b"{")
            await asyncio.sleep(3)
            for status in (-11, 3, None, -40):
                process.die(status)
                site.vision["a"].die(status)
                await asyncio.sleep(20)
                process = site.vision["c"]
            process.hangs = True
            await asyncio.sleep(20)
            site.vision["c"].condition(
                "tower-1", "gone", why="vision.source.unreachable"
            )
            site.vision["c"].stuck = ("tower-1",)
            site.vision["a"].rss = 700_000_000
            await asyncio.sleep(700)
            site.vision.refusal = "vision.refused.failed"
            site.vision["c"].die(1)
            site.vision.no_start = None
            await asyncio.sleep(5)
            site.vision.no_start = OSError(12, "Cannot allocate memory")
            site.vision["a"].die(-9)
            await asyncio.sleep(5)

    run_virtual(main())

    said = {
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("gateway.cameras")
    }
    assert len(said) >= 20, said
    assert [line for line in said if PHRASE.search(line)] == []


def test_pictures_are_written_on_in_chinese(tmp_path, chinese):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1")) as site:
            await asyncio.sleep(5)
            return site.vision["main"].configure.evidence.words

    words = run_virtual(main())

    assert words.keys() == {*LABELS, "peak", "bearing", "night"}
    assert words["dark_smoke"] == "黑烟"
    assert [text for text in words.values() if text.isascii()] == []
