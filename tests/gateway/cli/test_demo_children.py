"""The demo's processes end with it, also when it ends while they start."""

import subprocess
import sys

import pytest

CODE = """\
import os
from gateway.cli.demo.children import _end_with
_end_with({parent})
print("goes on")
"""


@pytest.mark.parametrize(
    ("parent", "said"),
    [("os.getppid()", "goes on\n"), ("os.getpid()", "")],
    ids=["parent_lives", "parent_gone"],
)
def test_a_child_whose_parent_is_gone_before_it_asks_ends(parent, said):
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(parent=parent)],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )

    assert done.stdout == said
