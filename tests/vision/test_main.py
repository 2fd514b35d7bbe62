"""``python -m vision VERB`` ends when its verb ends, whatever its threads do."""

import subprocess
import sys

# A reader in a call of C cannot be stopped: a thread that nothing wakes stands for it.
_HANGING = """
import importlib.machinery, runpy, sys, threading, types
verb = types.ModuleType("vision.verbs.hang")
verb.__spec__ = importlib.machinery.ModuleSpec("vision.verbs.hang", None)
def main(arguments):
    threading.Thread(target=threading.Event().wait).start()
    print("said", *arguments)
    return 3
verb.main = main
import vision.verbs
sys.modules["vision.verbs.hang"] = verb
sys.argv = ["vision", "hang", "now"]
runpy.run_module("vision", run_name="__main__")
"""


def test_a_hanging_reader_keeps_nobody():
    ended = subprocess.run(
        [sys.executable, "-c", _HANGING],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stdout) == (3, "said now\n"), ended.stderr


def test_another_word_is_no_verb():
    ended = subprocess.run(
        [sys.executable, "-m", "vision", "fly"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 2
    assert "'fly'" in ended.stderr
