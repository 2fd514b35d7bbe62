"""Checks messages against ``docs/mqtt.schema.json``, unknown keys included."""

from __future__ import annotations

import copy
import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

SCHEMA = Path(__file__).parents[2] / "docs" / "mqtt.schema.json"
KINDS = ("data", "event", "status", "meta", "media")
"""What a gateway publishes."""
READ = ("receipt",)
"""What it reads."""


def kind_of(topic: str) -> str:
    """Which of the messages belongs on this topic."""
    parts = topic.split("/")
    if parts[-3:-2] == ["media"]:
        return "media"
    return "meta" if parts[-2] == "meta" else parts[-1]


@cache
def validator(kind: str) -> Draft202012Validator:
    """For one kind of message; keys the schema does not name are errors here."""
    schema = json.loads(SCHEMA.read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    strict = copy.deepcopy(schema["$defs"])
    for part in strict.values():
        _close(part)
    return Draft202012Validator({"$defs": strict, "$ref": f"#/$defs/{kind}"})


def _close(part: Any) -> None:
    """Consumers ignore unknown keys; what we publish has none."""
    if isinstance(part, list):
        for each in part:
            _close(each)
    elif isinstance(part, dict):
        if part.get("type") == "object" and "properties" in part:
            part.setdefault("additionalProperties", False)
        for each in part.values():
            _close(each)


def errors(topic: str, payload: bytes) -> list[str]:
    """What is wrong with a message; an emptied meta topic is right."""
    kind = kind_of(topic)
    if kind not in KINDS + READ:
        return [f"{topic}: no topic of ours"]
    if kind == "meta" and not payload:
        return []
    if kind == "media":
        payload, end, _bytes = payload.partition(b"\n")
        if not end:
            return [f"{topic}: no end of the line of JSON"]
    message = json.loads(payload)
    return [
        f"{topic} {error.json_path}: {error.message}"
        for error in validator(kind).iter_errors(message)
    ]
