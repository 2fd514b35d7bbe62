"""What a device is for: the groups that lists of profiles are cut into."""

from __future__ import annotations

from typing import Literal, get_args

DeviceKind = Literal[
    "electricity",
    "air",
    "flue-gas",
    "voc",
    "water",
    "process",
    "io",
    "position",
    "any",
]
KINDS_OF_DEVICE: tuple[DeviceKind, ...] = get_args(DeviceKind)
"""In the order of the lists."""

NAMES: dict[DeviceKind, dict[str, str]] = {
    "electricity": {"zh": "电能", "en": "electricity meters"},
    "air": {
        "zh": "环境空气、气象、扬尘噪声",
        "en": "ambient air, weather, dust and noise",
    },
    "flue-gas": {"zh": "烟气（CEMS）", "en": "flue gas (CEMS)"},
    "voc": {
        "zh": "挥发性有机物、油烟、油气回收、可燃气体",
        "en": "organic compounds, fume, vapour recovery, gas alarms",
    },
    "water": {"zh": "水质与水量", "en": "water and waste water"},
    "process": {"zh": "称重与过程量", "en": "weighing and process"},
    "io": {"zh": "模拟量、开关量模块", "en": "analog and contact modules"},
    "position": {"zh": "定位", "en": "position"},
    "any": {"zh": "通用", "en": "any device"},
}
