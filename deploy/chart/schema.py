"""values.schema.json: types from values.yaml, `config` from the daemon's own models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from deploy.chart import draft07, named
from deploy.chart.values import ChartFault, Value

TYPES: Final = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}
OPEN: Final = ("global",)
"""Shared with the charts around this one, whose keys are none of our business."""
DEFINITION: Final = "definition"
"""In an `@schema`: the name of the definition that is the whole schema of the value."""


def values_schema(values: Sequence[Value], alerts: Sequence[str]) -> dict[str, Any]:
    """Return the draft-07 schema of the values; `alerts` are the names of the built-in alerts.

    Raises ChartFault for a value whose type nothing says.
    """
    definitions = {**draft07.definitions(), **named.definitions(alerts)}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the chart rotator",
        **_object(values, (), definitions),
        "definitions": definitions,
    }


def _object(
    values: Sequence[Value], path: tuple[str, ...], definitions: Mapping[str, Any]
) -> dict[str, Any]:
    depth = len(path)
    properties: dict[str, Any] = {}
    for key in dict.fromkeys(value.path[depth] for value in values):
        here = (*path, key)
        inner = [value for value in values if value.path[: depth + 1] == here]
        leaf = inner[0].path == here
        properties[key] = _one(inner[0], definitions) if leaf else _object(inner, here, definitions)
    return {"type": "object", "properties": properties, "additionalProperties": path == OPEN}


def _one(value: Value, definitions: Mapping[str, Any]) -> dict[str, Any]:
    name, dotted = value.narrowed.get(DEFINITION), ".".join(value.path)
    if name is not None:
        if name not in definitions:
            raise ChartFault(f"{dotted}: there is no definition {name}")
        return {"$ref": f"#/definitions/{name}"}
    if value.default is None and not {"type", "enum"} & set(value.narrowed):
        raise ChartFault(f"{dotted} is null: its type must stand in an @schema")
    typed = {} if value.default is None else {"type": TYPES[type(value.default)]}
    return {
        "description": value.about,
        "default": value.default,
        **typed,
        **value.narrowed,
    }
