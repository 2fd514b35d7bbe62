"""The site file as a JSON Schema, for editors.

It knows the shape: keys, types, words, the form of durations, sizes and addresses. What
needs sums or other parts of the file (overlaps, references, check characters, the load
of a line) is left to ``ecogate check``. The keys are the readers' own: neither side can
have one more than the other.

Source: JSON Schema draft 2020-12.
"""

from __future__ import annotations

from typing import Any

from drivers.profiles import (
    ascii_points,
    bases,
    dlt645_items,
    gnss_points,
    gpio_points,
    hj212_points,
    layouts,
    loops,
    modbus_points,
    points,
    signs,
    watches,
)
from drivers.profiles.model import SHAPED
from drivers.profiles.units import DURATION_UNITS, SIZE_UNITS
from gateway.aggregate import PERIODS
from gateway.config import (
    buses,
    camera_keys,
    camera_url,
    camera_zones,
    devices,
    filters,
    flag_keys,
    hj212_rights,
    hj212_targets,
    loader,
    place_keys,
    places,
    security,
    site_info,
    station_keys,
    targets,
    vision_keys,
)
from gateway.config.factor_keys import FACTOR_KEYS, MOST_DECIMALS
from gateway.config.stations import FORMULAS, MINUTES, STATION_KINDS
from gateway.factors.table import molar_masses
from gateway.judge import validity
from gateway.texts import both
from vision.messages import HEADS, LABELS, PIXELS

Schema = dict[str, Any]

ID = "urn:ecogate:site:v1"
NAME_PATTERN = "^[A-Za-z][A-Za-z0-9_-]{0,63}$"
_DURATION = {
    "type": "string",
    "pattern": rf"^\s*[0-9]+(\.[0-9]+)? ?({'|'.join(DURATION_UNITS)})\s*$",
    "examples": ["500ms", "1s", "10m"],
}
_SIZE = {
    "type": "string",
    "pattern": rf"^\s*[0-9]+(\.[0-9]+)? ?({'|'.join(SIZE_UNITS)})\s*$",
    "examples": ["512MB"],
}
_TEXT: Schema = {"type": "string"}
_VARIABLE: Schema = {**_TEXT, "pattern": f"^{security.VARIABLE}$"}
_CREDENTIAL: Schema = {**_TEXT, "pattern": f"^{security.CREDENTIAL}$"}
_NUMBER: Schema = {"type": "number"}
_RATIO: Schema = {"type": "number", "exclusiveMinimum": 0}
_BOOLEAN: Schema = {"type": "boolean"}
_LABEL: Schema = {
    "type": "object",
    "properties": {"zh": _TEXT, "en": _TEXT},
    "additionalProperties": False,
}
_SENTENCE: Schema = {**_LABEL, "required": ["zh", "en"]}
_NAMED_NUMBERS: Schema = {
    "type": "object",
    "propertyNames": {"pattern": "^(-?[0-9]+|0x[0-9A-Fa-f]+)$"},
}


def site_schema() -> Schema:
    """The JSON Schema of a site file; descriptions in English and Chinese."""
    top: Schema = {
        "gateway": {**_TEXT, "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"},
        "site": _object("site", site_info.SITE_KEYS, _SITE, ()),
        "assets": _map(_object("asset", site_info.ASSET_KEYS, _ASSET, ("kind",))),
        "buffer": _object("buffer", loader.BUFFER_KEYS, _BUFFER, ("path",)),
        "clock": _object("clock", loader.CLOCK_KEYS, _CLOCK, ()),
        "buses": _map(_bus(), NAME_PATTERN),
        "devices": _map(_device(), NAME_PATTERN),
        "targets": _map({"anyOf": [_mqtt_target(), _hj212_target()]}, NAME_PATTERN),
        "fences": _map(_fence(), NAME_PATTERN),
        "mobile": _object("mobile", place_keys.MOBILE_KEYS, _MOBILE, ("position",)),
        "stations": _map(_station(), NAME_PATTERN),
        "history": _object("history", loader.HISTORY_KEYS, {"max_bytes": _SIZE}, ()),
        "cameras": _map(_camera(), NAME_PATTERN),
        "vision": _vision(),
    }
    root = _object("top", loader.KEYS, top, ("gateway", "buffer"))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        "title": "ecogate site file",
        **root,
        "$defs": {"point": _point()},
    }


_SITE: Schema = {
    "code": {**_TEXT, "pattern": "^[0-9A-Z]{17}[0-9A-Za-z][0-9]{3}[0-9A-Z]$"},
    "code_as_issued": _BOOLEAN,
    "name": _LABEL,
    "region": {**_TEXT, "pattern": "^[0-9]{6}$"},
    "grid": _TEXT,
    "position": {
        "type": "array",
        "prefixItems": [
            {"type": "number", "minimum": -180, "maximum": 180},
            {"type": "number", "minimum": -90, "maximum": 90},
        ],
        "minItems": 2,
        "maxItems": 2,
    },
    "timezone": _TEXT,
}
_ASSET: Schema = {
    "kind": {"enum": list(site_info.KINDS)},
    "outlet": _TEXT,
    "treats": {"type": "array", "items": _TEXT},
}
_BUFFER: Schema = {
    "path": _TEXT,
    "max_bytes": _SIZE,
    "keep_free": _SIZE,
    "write_through": _BOOLEAN,
    "endurance": _SIZE,
}
_CLOCK: Schema = {
    "trust": {"enum": ["ntp", "always"]},
    "wait": {"anyOf": [_DURATION, {"const": "never"}]},
}
_BUS: Schema = {
    "protocol": {"enum": list(buses.PROTOCOLS)},
    "serial": {**_TEXT, "pattern": "^/"},
    "tcp": _TEXT,
    "listen": _TEXT,
    "gpsd": _TEXT,
    "chip": {**_TEXT, "pattern": "^/"},
    "baud": {"type": "integer", "minimum": 300, "maximum": 4_000_000},
    "framing": {"pattern": "^[78][NEO][12]$", **_TEXT, "examples": ["8N1", "8E1"]},
    "echo": {"enum": ["auto", "yes", "no"]},
    "engine": {"enum": ["own", "pymodbus"]},
    "timeout": _DURATION,
    "pause": _DURATION,
    "broadcast_time": _BOOLEAN,
    "answer": _BOOLEAN,
}
_DEVICE: Schema = {
    "bus": _TEXT,
    "address": {
        "anyOf": [
            {"type": "integer", "minimum": 0, "maximum": 999_999_999_999},
            {**_TEXT, "pattern": "^[!-~]{1,64}$"},
        ]
    },
    "profile": _TEXT,
    "every": _DURATION,
    "asset": _TEXT,
    "points": {"type": "array", "items": {"$ref": "#/$defs/point"}, "minItems": 1},
    "only": {"const": "named"},
    "timeout": _DURATION,
    "pause": _DURATION,
    "max_reply": _DURATION,
    "max_registers": {"type": "integer", "minimum": 1, "maximum": 125},
    "ambiguous": _BOOLEAN,
    "transaction_id": {"enum": ["checked", "ignored"]},
    "holes": {"enum": ["served", "refused"]},
    "ct": _RATIO,
    "pt": _RATIO,
    "label": _LABEL,
}
_TARGET: Schema = {
    "mqtt": {
        **_TEXT,
        "pattern": "^((mqtts?|tcp|ssl|tls)://[^@/?#]+/?|wss?://[^@/?#]+(/[^@?#]*)?)$",
        "examples": ["mqtts://platform.example", "wss://platform.example/mqtt"],
    },
    "plaintext": {"const": "accepted"},
    "username": _TEXT,
    "password_file": _TEXT,
    "password_env": _VARIABLE,
    "password_credential": _CREDENTIAL,
    "ca": _TEXT,
    "cert": _TEXT,
    "key": _TEXT,
    "key_credential": _CREDENTIAL,
    "key_password_file": _TEXT,
    "key_password_env": _VARIABLE,
    "key_password_credential": _CREDENTIAL,
    "prefix": {**_TEXT, "pattern": "^[^/$+#][^+#]*$"},
    "in_flight": {"type": "integer", "minimum": 1, "maximum": 1000},
    "batch_records": {"type": "integer", "minimum": 1, "maximum": 10_000},
    "batch_bytes": _SIZE,
    "linger": _DURATION,
    "compress": _BOOLEAN,
    "keepalive": _DURATION,
    "devices": {
        "type": "array",
        "items": {**_TEXT, "pattern": f"^{filters.PATTERN}$"},
        "minItems": 1,
    },
    "kinds": {"type": "array", "items": {"enum": list(filters.KINDS)}, "minItems": 1},
    "backfill": {
        **_TEXT,
        "pattern": rf"^[0-9]+(\.[0-9]+)? ?/ ?({'|'.join(filters.RATE_UNITS)})$",
        "examples": ["20/s"],
    },
    "media": {"enum": ["all", "alarms", "none"]},
    "receipts": _BOOLEAN,
    "receipt_wait": _DURATION,
}
_FACTOR: Schema = {**_TEXT, "pattern": "^[0-9A-Za-z]{1,24}$"}
_POINT: Schema = {
    "factor": {**_FACTOR, "examples": ["a21026", "w01018"]},
    "field": {
        **_TEXT,
        "type": ["string", "integer"],
        "examples": [*hj212_points.FIELDS[:9], 3, "5-10"],
    },
    "ask": _TEXT,
    "written": {"enum": list(ascii_points.WRITTEN)},
    "mask": {"type": "integer", "minimum": 1},
    "units": {"type": "object", "additionalProperties": _TEXT},
    "unit_field": {"type": ["string", "integer"]},
    "unit_mask": {"type": "integer", "minimum": 1, "maximum": 255},
    "times": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "field": {"type": ["string", "integer"]},
                "written": {"enum": list(ascii_points.WRITTEN)},
                "mask": {"type": "integer", "minimum": 1},
                "by": {"type": "object", "additionalProperties": _NUMBER},
            },
            "required": ["field", "by"],
            "additionalProperties": False,
        },
    },
    "invalid": {"type": "array", "items": {"type": ["string", "number"]}},
    "status": {"enum": ["heeded", "ignored"]},
    "cn": {"enum": list(hj212_points.COMMANDS)},
    "factor_2005": {**_FACTOR, "examples": ["011"]},
    "name": {**_TEXT, "pattern": NAME_PATTERN},
    "table": {"enum": list(modbus_points.TABLES)},
    "address": {
        **_TEXT,
        "pattern": "^([pP][dD][uU]:(0[xX][0-9A-Fa-f]+|[0-9]+)|[0134][xX]:[0-9]{1,6})$",
        "examples": ["pdu:100", "pdu:0x2006", "4x:40101"],
    },
    "type": {"enum": list(modbus_points.TYPES)},
    "length": {"type": "integer", "minimum": 1, "maximum": 125},
    "layout": {
        "anyOf": [
            {"enum": [*layouts.TEXT_LAYOUTS, *layouts.UNIX_LAYOUTS]},
            {**_TEXT, "pattern": f"^{layouts.PATTERN}$"},
        ],
        "examples": ["low_high", "unix32", "bcd:YYMDhms"],
    },
    "encoding": {"enum": list(modbus_points.ENCODINGS)},
    "base": _TEXT,
    "word_order": {"enum": list(modbus_points.WORD_ORDERS)},
    "bit": {"type": "integer", "minimum": 0, "maximum": 15},
    "of": {"enum": list(gnss_points.GIVES)},
    "scale": {"type": "number", "not": {"const": 0}},
    "offset": _NUMBER,
    "unit": _TEXT,
    "decimals": {"type": "integer", "minimum": 0, "maximum": 9},
    "not_available": {"type": "array", "items": {"type": "integer"}},
    "enum": _NAMED_NUMBERS,
    "bits": _NAMED_NUMBERS,
    "minimum": _NUMBER,
    "maximum": _NUMBER,
    "writable": _BOOLEAN,
    "write_min": _NUMBER,
    "write_max": _NUMBER,
    "every": _DURATION,
    "label": _LABEL,
    "code": _TEXT,
    "di": {**_TEXT, "pattern": "^([0-9A-Fa-f]{8}|[0-9A-Fa-f]{4})$"},
    "part": _TEXT,
    "format": {**_TEXT, "examples": ["XXX.X", "N12", "A6", "B16"]},
    "sign": {"enum": list(dlt645_items.SIGNS)},
    "ratio": {"enum": list(dlt645_items.RATIOS)},
    "line": {"type": ["integer", "string"], "examples": [17, "GPIO17"]},
    "active_low": _BOOLEAN,
    "bias": {"enum": list(gpio_points.BIASES)},
    "debounce": _DURATION,
    "count": {"enum": list(gpio_points.EDGES)},
}
_PLACE: Schema = {
    "type": "array",
    "prefixItems": [
        {"type": "number", "minimum": -180, "maximum": 180},
        {"type": "number", "minimum": -90, "maximum": 90},
    ],
    "minItems": 2,
    "maxItems": 2,
}
_FENCE: Schema = {
    "device": _TEXT,
    "rule": {"enum": list(places.RULES)},
    "circle": _PLACE,
    "radius_m": {"type": "number", "minimum": 1},
    "polygon": {"type": "array", "items": _PLACE, "minItems": 3},
    "dwell": _DURATION,
    "margin_m": {"type": "number", "minimum": 0},
    "accuracy_m": {"type": "number", "exclusiveMinimum": 0},
    "max_hdop": {"type": "number", "exclusiveMinimum": 0},
    "severity": {"enum": list(watches.SEVERITIES)},
    "label": _LABEL,
}
_MOBILE: Schema = {"position": _TEXT, "max_age": _DURATION}
_RECEPTION: Schema = {
    "no_fix": {"anyOf": [_DURATION, {"const": "never"}]},
    "jamming": _BOOLEAN,
}
_TRACK: Schema = {"every": _DURATION, "within_m": {"type": "number", "minimum": 0.5}}
_VALUE: Schema = {"type": ["boolean", "number", "string"]}
_NAMES: Schema = {"type": "array", "items": {**_TEXT, "pattern": NAME_PATTERN}}
_STATE: Schema = {
    "point": _TEXT,
    "equals": {"anyOf": [_VALUE, {"type": "array", "items": _VALUE, "minItems": 1}]},
    "at_least": _NUMBER,
    "at_most": _NUMBER,
    "points": _NAMES,
}
_RULE: Schema = {
    "below": _NUMBER,
    "above": _NUMBER,
    "constant": _DURATION,
    "jump": {**_TEXT, "examples": ["50 per 1m"]},
    "max_age": _DURATION,
    "clock": _BOOLEAN,
    "missing": _DURATION,
}
_PARAMETERS: Schema = {"points": {**_NAMES, "minItems": 1}, "every": _DURATION}
_LOOP: Schema = dict.fromkeys(loops.KEYS, _NUMBER)
_CONTACT: Schema = {
    "kind": {"enum": list(watches.CONTACT_KINDS)},
    "normal": {"type": ["boolean", "integer", "string"]},
    "debounce": _DURATION,
    "polls": {"type": "integer", "minimum": 1, "maximum": 100},
    "severity": {"enum": list(watches.SEVERITIES)},
    "edges": {**_TEXT, "pattern": NAME_PATTERN},
    "text": _SENTENCE,
    "text_normal": _SENTENCE,
}
_COUNTER: Schema = {
    "bits": {"type": "integer", "minimum": 8, "maximum": 64},
    "digits": {"type": "integer", "minimum": 3, "maximum": watches.MOST_DIGITS},
    "max_rate": {
        **_TEXT,
        "pattern": r"^[0-9]+(\.[0-9]+)? ?/ ?(s|min|h)$",
        "examples": ["50/s"],
    },
}


_FED: Schema = {**_TEXT, "pattern": "^[^.]+[.].+$", "examples": ["cems-1.so2"]}
_DIGITS: Schema = {"type": "integer", "minimum": 0, "maximum": MOST_DECIMALS}
_STATION: Schema = {
    "kind": {"enum": list(STATION_KINDS)},
    "asset": _TEXT,
    "minute": {"enum": [f"{minutes}m" for minutes in MINUTES]},
    "grace": _DURATION,
    "label": _LABEL,
}
_REPORTED: Schema = {
    "from": {
        "anyOf": [
            _FED,
            {"type": "array", "items": _FED, "minItems": 1, "maxItems": 2},
        ]
    },
    "code": _TEXT,
    "unit": _TEXT,
    "decimals": _DIGITS,
    "cou_unit": _TEXT,
    "cou_decimals": _DIGITS,
    "holds": _DURATION,
    "counter": _BOOLEAN,
    "converted": _BOOLEAN,
    "total": _BOOLEAN,
    "formula": {"enum": list(FORMULAS)},
    "label": _LABEL,
}
_FLUE_GAS: Schema = {
    "measured": {"enum": list(station_keys.MEASURED)},
    "oxygen": _TEXT,
    "oxygen_measured": {"enum": list(station_keys.OXYGEN_MEASURED)},
    "reference_oxygen": {"type": "number", "exclusiveMinimum": 0, "maximum": 21},
    "moisture": {"type": ["string", "number"]},
    "temperature": {"type": ["string", "number"]},
    "pressure": {"type": ["string", "number"]},
    "atmosphere": {"type": ["string", "number"]},
    "velocity": _TEXT,
    "area": _RATIO,
    "flow": _TEXT,
}
_WATER: Schema = {
    "flow": _TEXT,
    "volume": _TEXT,
    "mean": {"enum": list(station_keys.MEANS)},
}


_LABELS: Schema = {"type": "array", "items": {"enum": list(LABELS)}, "minItems": 1}
_SHARE_OF_ONE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_CORNER: Schema = {
    "type": "array",
    "prefixItems": [_SHARE_OF_ONE, _SHARE_OF_ONE],
    "minItems": 2,
    "maxItems": 2,
}
_PAIR: Schema = {
    "type": "array",
    "items": {"type": "integer", "minimum": 1},
    "minItems": 2,
    "maxItems": 2,
}
_CAMERA: Schema = {
    "url": {
        **_TEXT,
        "examples": ["rtsp://192.168.1.64/Streaming/Channels/102", "/dev/video0"],
    },
    "kind": {"enum": list(camera_url.KINDS)},
    "username": _TEXT,
    "password_file": _TEXT,
    "password_env": _VARIABLE,
    "password_credential": _CREDENTIAL,
    "transport": {"enum": list(camera_keys.TRANSPORTS)},
    "every": _DURATION,
    "loop": _BOOLEAN,
    "labels": _LABELS,
    "night": {"enum": list(camera_keys.NIGHTS)},
    "tiles": {**_PAIR, "examples": [[4, 2]]},
    "heartbeat": {
        **_TEXT,
        "pattern": f"^(([01][0-9]|2[0-3]):[0-5][0-9]|{camera_keys.NEVER})$",
    },
    "clip": _DURATION,
    "group": {**_TEXT, "pattern": NAME_PATTERN},
    "asset": _TEXT,
    "grid": _TEXT,
    "values": {"type": "array", "items": {**_TEXT, "examples": ["cems-1.so2"]}},
}
_CAMERA_RULE: Schema = {
    "threshold": {"type": "number", "minimum": 0.01, "maximum": 0.99},
    "confirm": {"type": "integer", "minimum": camera_keys.LEAST_CONFIRM, "maximum": 60},
    "of": {"type": "integer", "minimum": camera_keys.LEAST_CONFIRM, "maximum": 120},
    "clear": _DURATION,
    "cooldown": _DURATION,
    "off": _BOOLEAN,
}
_ZONE: Schema = {
    "area": {
        "type": "array",
        "items": _CORNER,
        "minItems": camera_zones.LEAST_CORNERS,
    },
    "use": {"enum": list(camera_zones.USES)},
    "labels": _LABELS,
}
_MOUNT: Schema = {
    "position": _PLACE,
    "bearing": {"type": "number", "minimum": 0, "maximum": 360},
    "view": {"type": "number", "minimum": 1, "maximum": 360},
}
_EVIDENCE: Schema = {
    "path": _TEXT,
    "max_bytes": _SIZE,
    "keep": _DURATION,
    "picture_bytes": _SIZE,
    "part_bytes": _SIZE,
}
_VISION: Schema = {
    "model": {**_TEXT, "pattern": r"\.[oO][nN][nN][xX]$"},
    "head": {"enum": list(HEADS)},
    "classes": {"type": "object", "additionalProperties": {"enum": list(LABELS)}},
    "size": _PAIR,
    "pixels": {"enum": list(PIXELS)},
    "threads": {"type": "integer", "minimum": 1, "maximum": 4},
    "memory": _SIZE,
}


def _camera() -> Schema:
    rule = _object("camera_rule", camera_keys.RULE_KEYS, _CAMERA_RULE, ())
    zone = _object("zone", camera_zones.ZONE_KEYS, _ZONE, ("area",))
    shapes = {
        **_CAMERA,
        "rules": {**_map(rule), "propertyNames": {"enum": list(LABELS)}},
        "zones": _map(zone, NAME_PATTERN),
        "mount": _object("mount", camera_zones.MOUNT_KEYS, _MOUNT, ()),
    }
    return _object("camera", camera_keys.CAMERA_KEYS, shapes, ("url",))


def _vision() -> Schema:
    evidence = _object("evidence", vision_keys.EVIDENCE_KEYS, _EVIDENCE, ())
    shapes = {**_VISION, "evidence": evidence}
    return _object("vision", vision_keys.VISION_KEYS, shapes, ())


def _station() -> Schema:
    """A factor is a point's name, or a mapping."""
    gases = {"gas": {"enum": list(molar_masses())}}
    factor = _object("factor", FACTOR_KEYS, {**_REPORTED, **gases}, ("from",))
    shapes = {
        **_STATION,
        "rules": {"enum": list(validity.names())},
        "factors": _map({"anyOf": [_FED, factor]}, NAME_PATTERN),
        "flue_gas": _object("flue_gas", station_keys.FLUE_GAS_KEYS, _FLUE_GAS, ()),
        "water": _object("water", station_keys.WATER_KEYS, _WATER, ()),
    }
    return _object("station", station_keys.STATION_KEYS, shapes, ("kind", "factors"))


def _bus() -> Schema:
    """One way each, of those its protocol has; line settings with a serial port."""
    rules: list[Schema] = []
    for protocol, manner in buses.MANNERS.items():
        ways: list[Schema] = [{"required": [way]} for way in manner.ways]
        others = [way for way in buses.WAYS if way not in manner.ways]
        rules.append(
            {
                "if": {"properties": {"protocol": {"const": protocol}}},
                "then": {"oneOf": ways, "properties": dict.fromkeys(others, False)},
            }
        )
    rules.append(
        {
            "if": {"not": {"required": ["serial"]}},
            "then": {"properties": dict.fromkeys(buses.ONLY_SERIAL, False)},
        }
    )
    return {**_object("bus", buses.KEYS, _BUS, ("protocol",)), "allOf": rules}


def _fence() -> Schema:
    """A circle with its radius, or a polygon."""
    fence = _object("fence", place_keys.FENCE_KEYS, _FENCE, ("device", "rule"))
    circle = {"required": ["circle", "radius_m"]}
    return {**fence, "oneOf": [circle, {"required": ["polygon"]}]}


def _states() -> Schema:
    """By state, one way to show it or several."""
    one = _object("state", signs.STATE_KEYS, _STATE, ("point",))
    several = {"type": "array", "items": one, "minItems": 1}
    states = _map({"anyOf": [one, several]})
    return {**states, "propertyNames": {"enum": list(signs.CAN_BE_SHOWN)}}


def _device() -> Schema:
    shapes = {
        **_DEVICE,
        "reception": _object("reception", place_keys.RECEPTION_KEYS, _RECEPTION, ()),
        "track": _object("track", place_keys.TRACK_KEYS, _TRACK, ()),
        "states": _states(),
        "rules": _map(_object("rule", flag_keys.RULE_KEYS, _RULE, ()), NAME_PATTERN),
        "parameters": _object(
            "parameters", flag_keys.PARAMETER_KEYS, _PARAMETERS, ("points",)
        ),
    }
    return {
        **_object("device", devices.KEYS, shapes, ("bus", "every")),
        "anyOf": [{"required": ["profile"]}, {"required": ["points"]}],
    }


def _point() -> Schema:
    """The keys of every protocol; which go together is for ``ecogate check``.

    Of Modbus, the one with tables: bits need no type, and numbers need a unit.
    """
    keys = dict.fromkeys((*points.KEYS, bases.KEY))
    for kind in points.KINDS.values():
        keys |= dict.fromkeys(kind.keys)
    unitless_types = ["bool", *sorted(SHAPED)]
    unitless = [
        {"required": ["unit"]},
        {"required": ["enum"]},
        {"required": ["bits"]},
        {"required": ["type"], "properties": {"type": {"enum": unitless_types}}},
    ]
    in_bits = {"properties": {"table": {"enum": list(modbus_points.BIT_TABLES)}}}
    modbus = {
        "required": ["address"],
        "if": in_bits,
        "then": {"properties": {"type": {"const": "bool"}}},
        "else": {"required": ["type"], "anyOf": unitless},
    }
    shapes = {
        **_POINT,
        "loop": _object("loop", loops.KEYS, _LOOP, ("low", "high")),
        "contact": _object("contact", watches.CONTACT_KEYS, _CONTACT, ()),
        "counter": _object("counter", watches.COUNTER_KEYS, _COUNTER, ()),
    }
    return {
        **_object("point", tuple(keys), shapes, ("name",)),
        # A point with a base takes from it what it does not say.
        "if": {"required": ["table"], "not": {"required": [bases.KEY]}},
        "then": modbus,
    }


_HJ212_FACTOR: Schema = {
    "code": {**_TEXT, "pattern": f"^{hj212_rights.CODE}$"},
    "unit": _TEXT,
    "decimals": {
        "type": "integer",
        "minimum": 0,
        "maximum": hj212_targets.MOST_DECIMALS,
    },
    "cou_unit": _TEXT,
    "cou_decimals": {
        "type": "integer",
        "minimum": 0,
        "maximum": hj212_targets.MOST_DECIMALS,
    },
}
_HJ212_ORDER: Schema = {
    "command": {"enum": list(hj212_rights.COMMANDS)},
    "factor": {**_TEXT, "pattern": f"^{hj212_rights.CODE}$"},
    "write": {**_TEXT, "examples": ["cod-1.sample_now"]},
    "value": {"type": ["number", "boolean", "string"]},
    "field": {**_TEXT, "pattern": f"^({hj212_rights.FIELD})$"},
}
_HJ212_SHOWN: Schema = {
    "code": {**_TEXT, "pattern": f"^({hj212_rights.FIELD})$"},
    "factor": {**_TEXT, "pattern": f"^{hj212_rights.CODE}$"},
    "read": {**_TEXT, "examples": ["cod-1.slope"]},
    "text": _TEXT,
}
_YEAR: Schema = {"enum": [2017, 2025, "2017", "2025"]}
_ST: Schema = {"type": ["string", "integer"], "examples": [31, 32]}
_OR_NEVER: Schema = {"anyOf": [_DURATION, {"const": hj212_targets.NEVER}]}
_SHARE: Schema = {"type": "number", "exclusiveMinimum": 0, "maximum": 1}


def _mqtt_target() -> Schema:
    return _object("target", targets.KEYS, _TARGET, ("mqtt",))


def _hj212_target() -> Schema:
    """The keys of a target that speaks HJ 212."""
    periods: Schema = dict.fromkeys(PERIODS, _SHARE)
    hardware: Schema = dict.fromkeys(hj212_rights.HARDWARE, _TEXT)
    factor = _object("hj212_factor", hj212_targets.FACTOR_KEYS, _HJ212_FACTOR, ())
    shapes: Schema = {
        "hj212": {**_TEXT, "examples": ["platform.example:8212"]},
        "version": _YEAR,
        "mn": {"type": ["string", "integer"]},
        "station": {**_TEXT, "pattern": NAME_PATTERN},
        "st": _ST,
        "password_file": _TEXT,
        "password_env": _VARIABLE,
        "password_credential": _CREDENTIAL,
        "plaintext": {"const": "accepted"},
        "answer": _BOOLEAN,
        "realtime": _OR_NEVER,
        "facilities": _OR_NEVER,
        "kinds": {"type": "array", "items": {"enum": list(PERIODS)}, "minItems": 1},
        "factors": _map({"anyOf": [_TEXT, factor]}),
        "only": {"type": "array", "items": _TEXT, "minItems": 1},
        "absent": {"enum": list(hj212_targets.ABSENT)},
        "overtime": _DURATION,
        "recount": {"type": "integer", "minimum": 0, "maximum": 99},
        "backfill": _TARGET["backfill"],
        "heartbeat": _DURATION,
        "heartbeat_st": _ST,
        "flags": _YEAR,
        "validity": {
            "type": "object",
            "properties": periods,
            "additionalProperties": False,
        },
        "key_file": _TEXT,
        "key_env": _VARIABLE,
        "key_credential": _CREDENTIAL,
        "sealed": {"enum": list(hj212_targets.SEALED)},
        "allow": {
            "type": "array",
            "items": {"enum": list(hj212_rights.COMMANDS)},
        },
        "orders": {
            "type": "array",
            "items": _object(
                "hj212_order",
                hj212_rights.ORDER_KEYS,
                _HJ212_ORDER,
                ("command", "write"),
            ),
        },
        "shown": {
            "type": "array",
            "items": _object(
                "hj212_shown", hj212_rights.SHOWN_KEYS, _HJ212_SHOWN, ("code",)
            ),
        },
        "hardware": {
            "type": "object",
            "properties": hardware,
            "additionalProperties": False,
        },
    }
    return _object("hj212", hj212_targets.KEYS, shapes, ("hj212", "mn", "station"))


def _object(
    area: str, keys: tuple[str, ...], shapes: Schema, required: tuple[str, ...]
) -> Schema:
    """A mapping with exactly these keys, each described."""
    described = {
        key: {**shapes[key], "description": _described(area, key)} for key in keys
    }
    schema: Schema = {
        "type": "object",
        "properties": described,
        "additionalProperties": False,
    }
    return {**schema, "required": list(required)} if required else schema


def _map(values: Schema, pattern: str = "") -> Schema:
    names: Schema = {"propertyNames": {"pattern": pattern}} if pattern else {}
    return {"type": "object", "additionalProperties": values, **names}


def _described(area: str, key: str) -> str:
    texts = both(f"schema.{area}.{key}")
    return f"{texts['en']}\n{texts['zh']}"
