"""Every sentence that sources and the condition ask for stands in the catalogue."""

import re
from pathlib import Path
from typing import get_args

from gateway.texts import catalogue
from vision.messages import Fault

VISION = Path(__file__).parents[2] / "vision"


def test_every_key_of_a_source_is_in_the_catalogue_and_none_too_many():
    code = "".join(
        path.read_text(encoding="utf-8")
        for path in [*VISION.glob("sources/*.py"), VISION / "feed.py"]
    )
    used = set(re.findall(r'"(vision\.source\.[a-z_]+)"', code))
    known = {key for key in catalogue() if key.startswith("vision.source.")}

    assert used == known


def test_every_fault_has_a_sentence():
    assert {f"vision.fault.{fault}" for fault in get_args(Fault)} <= set(catalogue())
