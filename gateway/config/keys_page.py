"""Prints ``docs/site-keys.md``: every key of the site file, from the catalogue.

python -m gateway.config.keys_page
"""

from __future__ import annotations

import sys

from drivers.profiles import bases, points, signs, watches
from gateway.config import (
    buses,
    camera_keys,
    camera_zones,
    devices,
    factor_keys,
    flag_keys,
    hj212_rights,
    hj212_targets,
    loader,
    place_keys,
    site_info,
    station_keys,
    targets,
    vision_keys,
)
from gateway.texts import both

_SECTIONS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("top", "The file / 文件", loader.KEYS),
    ("site", "`site`", site_info.SITE_KEYS),
    ("asset", "`assets.<id>`", site_info.ASSET_KEYS),
    ("buffer", "`buffer`", loader.BUFFER_KEYS),
    ("clock", "`clock`", loader.CLOCK_KEYS),
    ("history", "`history`", loader.HISTORY_KEYS),
    ("bus", "`buses.<name>`", buses.KEYS),
    ("device", "`devices.<name>`", devices.KEYS),
    ("point", "`points` (here and in profiles / 此处与设备配置文件通用)", points.KEYS),
    ("point", "`points`, in a site file only / 仅用于站点文件", (bases.KEY,)),
    *(
        ("point", f"`points` of protocol / 协议 {protocol}", kind.keys)
        for protocol, kind in points.KINDS.items()
    ),
    ("contact", "`contact` of a point / 点的 `contact`", watches.CONTACT_KEYS),
    ("counter", "`counter` of a point / 点的 `counter`", watches.COUNTER_KEYS),
    (
        "reception",
        "`reception` of a device / 设备的 `reception`",
        place_keys.RECEPTION_KEYS,
    ),
    ("track", "`track` of a device / 设备的 `track`", place_keys.TRACK_KEYS),
    (
        "state",
        "`states.<state>` of a device / 设备的 `states.<state>`",
        signs.STATE_KEYS,
    ),
    (
        "rule",
        "`rules.<point>` of a device / 设备的 `rules.<point>`",
        flag_keys.RULE_KEYS,
    ),
    (
        "parameters",
        "`parameters` of a device / 设备的 `parameters`",
        flag_keys.PARAMETER_KEYS,
    ),
    ("target", "`targets.<name>` with `mqtt` / 用 `mqtt` 的目标", targets.KEYS),
    (
        "hj212",
        "`targets.<name>` with `hj212` / 用 `hj212` 的目标",
        hj212_targets.KEYS,
    ),
    (
        "hj212_factor",
        "`factors.<name>` of an `hj212` target / `hj212` 目标的 `factors.<name>`",
        hj212_targets.FACTOR_KEYS,
    ),
    (
        "hj212_order",
        "`orders` of an `hj212` target / `hj212` 目标的 `orders`",
        hj212_rights.ORDER_KEYS,
    ),
    (
        "hj212_shown",
        "`shown` of an `hj212` target / `hj212` 目标的 `shown`",
        hj212_rights.SHOWN_KEYS,
    ),
    ("fence", "`fences.<name>`", place_keys.FENCE_KEYS),
    ("mobile", "`mobile`", place_keys.MOBILE_KEYS),
    ("station", "`stations.<name>`", station_keys.STATION_KEYS),
    (
        "factor",
        "`factors.<name>` of a station / 站点的 `factors.<name>`",
        factor_keys.FACTOR_KEYS,
    ),
    (
        "flue_gas",
        "`flue_gas` of a station / 站点的 `flue_gas`",
        station_keys.FLUE_GAS_KEYS,
    ),
    ("water", "`water` of a station / 站点的 `water`", station_keys.WATER_KEYS),
    ("camera", "`cameras.<name>`", camera_keys.CAMERA_KEYS),
    (
        "camera_rule",
        "`rules.<label>` of a camera / 摄像机的 `rules.<label>`",
        camera_keys.RULE_KEYS,
    ),
    (
        "zone",
        "`zones.<name>` of a camera / 摄像机的 `zones.<name>`",
        camera_zones.ZONE_KEYS,
    ),
    ("mount", "`mount` of a camera / 摄像机的 `mount`", camera_zones.MOUNT_KEYS),
    ("vision", "`vision`", vision_keys.VISION_KEYS),
    (
        "evidence",
        "`evidence` of `vision` / `vision` 的 `evidence`",
        vision_keys.EVIDENCE_KEYS,
    ),
)
_REQUIRED = {
    "top": {"gateway", "buffer"},
    "asset": {"kind"},
    "buffer": {"path"},
    "bus": {"protocol"},
    "device": {"bus", "address", "every"},
    "point": {"name", "table", "address", "type", "unit"},
    "target": {"mqtt"},
    "hj212": {"hj212", "mn", "station"},
    "hj212_order": {"command", "write"},
    "hj212_shown": {"code"},
    "fence": {"device", "rule"},
    "state": {"point"},
    "parameters": {"points"},
    "mobile": {"position"},
    "station": {"kind", "factors"},
    "factor": {"from"},
    "camera": {"url"},
    "zone": {"area"},
}

_HEAD = """\
<!-- Written by `make docs` from gateway/config and the text catalogue. -->
# Keys of the site file / 站点文件各项

What they mean together: [site-file.md](site-file.md). `*` marks what must be there.
用法见 [site-file.md](site-file.md)。`*` 为必填项。
"""


def page() -> str:
    """The whole document."""
    parts = [_HEAD]
    for area, title, keys in _SECTIONS:
        parts.append(f"### {title}\n")
        parts.append("| key | | |\n|---|---|---|")
        for key in keys:
            texts = both(f"schema.{area}.{key}")
            star = " *" if key in _REQUIRED.get(area, ()) else ""
            parts.append(f"| `{key}`{star} | {texts['en']} | {texts['zh']} |")
        parts.append("")
    return "\n".join(parts)


if __name__ == "__main__":
    sys.stdout.write(page())
