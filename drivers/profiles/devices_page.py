"""docs/devices.md: what connects, by evidence, made from the profiles.

python -m drivers.profiles.devices_page            prints the page
python -m drivers.profiles.devices_page --check    exit status 1 where it is stale
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.profiles.library import load_profile, profile_names
from drivers.profiles.model import ModbusPoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from drivers.profiles.model import Point, Profile

PAGE = Path(__file__).resolve().parents[2] / "docs" / "devices.md"

_HEAD = """\
<!-- Made by python -m drivers.profiles.devices_page; do not edit. -->

# Devices / 设备

A device is one YAML file in `drivers/profiles/`; how sure its contents are is its
*evidence*. 每种设备是 `drivers/profiles/` 下的一个 YAML 文件；“依据”说明其可信程度。

- **hardware-recorded**: answers of a real device were recorded, a test replays them.
  有真实设备的应答录制，并由测试回放
- **manual**: written from the maker's register list. 依据厂家寄存器表
- **code**: from other projects' code, which the file names. 依据其他项目的代码
- **generic**: no particular device. 不针对具体设备

No profile is hardware-recorded yet. Before you rely on values, compare them with the
device's display. 目前尚无硬件录制的文件，使用数值前请与设备显示核对。
"""
_OVERVIEW = """\
| profile 文件 | maker 厂家 | models 型号 | evidence 依据 | line 线路 | points 测点 |
|---|---|---|---|---|---|"""
_POINTS = """\
| point 测点 | 中文 | English | table | address 地址 | type | scale 系数 | unit |
|---|---|---|---|---|---|---|---|"""


def page() -> str:
    """The whole page."""
    profiles = [load_profile(name) for name in profile_names()]
    return "\n".join([_HEAD, *_overview(profiles), "", *map(_chapter, profiles)])


def _overview(profiles: Iterable[Profile]) -> Iterator[str]:
    yield _OVERVIEW
    for profile in profiles:
        name = profile.profile
        yield (
            f"| [{name}](#{name}) | {profile.maker} | {', '.join(profile.models)} "
            f"| {profile.evidence} | {_line(profile)} | {len(profile.points)} |"
        )


def _line(profile: Profile) -> str:
    parts = [str(profile.baud) if profile.baud else "", profile.framing or ""]
    return " ".join(part for part in parts if part) or "as set 以设备设置为准"


def _chapter(profile: Profile) -> str:
    models = ", ".join(profile.models)
    about = f"Revision {profile.revision}, evidence: {profile.evidence}."
    lines = [
        f"## {profile.profile}",
        "",
        f"{profile.maker}: {models}. {about}",
        "",
        f"Source 来源: {profile.source}",
        "",
    ]
    for note in (profile.notes_zh, profile.notes):
        lines += [f"> {note}", ""] if note else []
    if profile.points:
        lines += [_POINTS, *map(_row, profile.points), ""]
    return "\n".join(lines)


def _row(point: Point) -> str:
    scale = "" if point.scale == 1 else f"{float(point.scale):g}"
    cells = [
        f"`{point.name}`",
        point.label.get("zh", ""),
        point.label.get("en", ""),
        point.table if isinstance(point, ModbusPoint) else "",
        point.where,
        point.form,
        scale,
        point.unit,
    ]
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Print the page, or check the one in ``docs``; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare, print nothing")
    if not parser.parse_args().check:
        sys.stdout.write(page())
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page():
        return 0
    sys.stderr.write(f"docs/{PAGE.name} is stale; make docs writes it\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
