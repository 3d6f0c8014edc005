"""The daemon's configuration schema in draft-07, the one that every Helm reads."""

from __future__ import annotations

from typing import Any, Final

from rotator.config import config_schema

DROPPED: Final = frozenset({"$schema", "title", "discriminator"})
POINTER: Final = "#/$defs/"
ROOT: Final = "Config"


def definitions() -> dict[str, Any]:
    """Return the draft-07 `definitions` of the configuration; the whole is `Config`."""
    schema = config_schema()
    parts = schema.pop("$defs")
    return {name: _converted(part) for name, part in sorted({**parts, ROOT: schema}.items())}


def _converted(schema: Any) -> Any:
    """Return a 2020-12 schema of the kinds that pydantic writes as draft-07."""
    if isinstance(schema, list):
        return [_converted(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:  # draft-07 reads nothing beside it
        return {"$ref": schema["$ref"].replace(POINTER, "#/definitions/")}
    return {key: _inside(key, value) for key, value in schema.items() if key not in DROPPED}


def _inside(key: str, value: Any) -> Any:
    """Convert what stands under a keyword; a property may bear a keyword's name."""
    if key == "properties":
        return {name: _converted(each) for name, each in value.items()}
    return value if key in {"default", "examples", "enum", "const"} else _converted(value)
