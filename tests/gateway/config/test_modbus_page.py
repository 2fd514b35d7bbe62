"""The examples of docs/modbus.md are what the gateway takes."""

from __future__ import annotations

import re
from pathlib import Path

from gateway.config import load_problems

PAGE = Path(__file__).parents[3] / "docs" / "modbus.md"
REST = """\
gateway: g
buffer: {path: ./data}
buses:
  rs485-1: {protocol: modbus-rtu, serial: /dev/null}
"""


def test_the_channels_of_the_page_are_read_as_it_says(tmp_path):
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    file = tmp_path / "site.yaml"
    file.write_text(REST + example, "utf-8")

    site, problems = load_problems(file)

    assert [str(p) for p in problems if not p.warning] == []
    points = {p.name: p for p in site.devices["adc"].points}
    assert list(points) == ["tank_level", "outlet_ph"]
    assert points["tank_level"].loop.high == 5
