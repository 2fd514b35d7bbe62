"""docs/devices.md: what connects, by evidence, made from the profiles.

python -m drivers.profiles.devices_page            prints the page
python -m drivers.profiles.devices_page --check    exit status 1 where it is stale
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.profiles.kinds import KINDS_OF_DEVICE, NAMES
from drivers.profiles.library import load_profile, profile_names, quantities

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
- **generic**: no particular device. Where its points stand in brackets, it comes
  without addresses: `ecogate profile show NAME` prints the lines to fill in from the
  device's manual. 不针对具体设备；测点数带括号者不含地址，
  `ecogate profile show NAME` 给出按手册填写的各行

Before you rely on the values of one that is not hardware-recorded, compare them with
the device's display. 未经硬件录制的文件，使用数值前请与设备显示核对。

`ecogate profile list so2` lists those that have it; a maker, a model, a use, a code
such as `a21026` or 氨氮 do as well. 后接厂家、型号、用途、因子编码或中文名均可筛选。
"""
_OVERVIEW = (
    "| profile 文件 | maker 厂家 | models 型号 | evidence 依据 | speaks 协议 "
    "| line 线路 | points 测点 |\n|---|---|---|---|---|---|---|"
)
_POINTS = """\
| point 测点 | 中文 | English | where 位置 | form 形式 | scale 系数 | unit | HJ 212 |
|---|---|---|---|---|---|---|---|"""
_TEMPLATE = """\
| point 测点 | 中文 | English | unit | HJ 212 |
|---|---|---|---|---|"""


def page() -> str:
    """The whole page."""
    profiles = [load_profile(name) for name in profile_names()]
    groups = [[p for p in profiles if p.kind == kind] for kind in KINDS_OF_DEVICE]
    lines = [_HEAD]
    for group in filter(None, groups):
        lines += [f"## {_heading(group[0])}", "", *_overview(group), ""]
    for group in filter(None, groups):
        lines += [f"# {_heading(group[0])}: points 测点", "", *map(_chapter, group)]
    return "\n".join(lines)


def _heading(profile: Profile) -> str:
    names = NAMES[profile.kind]
    return f"{names['en'].capitalize()} / {names['zh']}"


def _overview(profiles: Iterable[Profile]) -> Iterator[str]:
    yield _OVERVIEW
    for profile in profiles:
        name = profile.profile
        blank = len(profile.template)
        points = f"({blank})" if blank else len(profile.points)
        yield (
            f"| [{name}](#{name}) | {profile.maker} | {', '.join(profile.models)} "
            f"| {profile.evidence} | {profile.protocol} | {_line(profile)} | {points} |"
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
    if profile.template:
        lines += [_TEMPLATE, *map(_blank_row, profile.template), ""]
    return "\n".join(lines)


def _row(point: Point) -> str:
    scale = "" if point.scale == 1 else f"{float(point.scale):g}"
    return _cells(
        f"`{point.name}`",
        point.label.get("zh", ""),
        point.label.get("en", ""),
        point.where,
        point.form,
        scale,
        point.unit,
        point.code or "",
    )


def _blank_row(name: str) -> str:
    quantity = quantities()[name]
    return _cells(
        f"`{name}`", quantity.zh, quantity.en, quantity.unit, quantity.code or ""
    )


def _cells(*cells: str) -> str:
    # What an instrument sends may hold the mark that ends a cell.
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


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
