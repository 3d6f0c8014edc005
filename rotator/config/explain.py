"""Turn what pydantic found into one `ConfigProblem` that a person can act on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from rotator.config.models import Config
from rotator.config.problem import ConfigProblem, named, suggestion
from rotator.config.values import DEFAULT_AGE

Loc = tuple[int | str, ...]

KEY = "[key]"
MAX_WORDS = 12

KINDS: Mapping[str, tuple[str, str]] = {
    "missing": ("is missing", "Set it."),
    "dict_type": ("is not a mapping", "Write `key: value` lines below it."),
    "model_type": ("is not a mapping", "Write `key: value` lines below it."),
    "model_attributes_type": ("is not a mapping", "Write `key: value` lines below it."),
    "tuple_type": ("is not a list", "Write it as [a, b] or as lines that begin with `-`."),
    "too_short": ("is empty", "Name at least one."),
    "bool_type": ("is neither true nor false", "Write true or false."),
    "bool_parsing": ("is neither true nor false", "Write true or false."),
    "int_type": ("is not a whole number", "Write a whole number."),
    "int_parsing": ("is not a whole number", "Write a whole number."),
    "int_from_float": ("is not a whole number", "Write a whole number."),
    "float_type": ("is not a number", "Write a number such as 0.2."),
    "float_parsing": ("is not a number", "Write a number such as 0.2."),
    "string_type": ("is not a text", "Put it in quotes."),
    "union_tag_not_found": ("does not say how to sign in", "Set `method`."),
}

BOUNDS: Mapping[str, tuple[str, str]] = {
    "less_than_equal": ("le", "is too large; write at most {}"),
    "greater_than_equal": ("ge", "is too small; write at least {}"),
    "greater_than": ("gt", "is too small; write more than {}"),
    "less_than": ("lt", "is too large; write less than {}"),
}


def explained(error: ValidationError, raw: Any, origins: Mapping[str, str]) -> ConfigProblem:
    """Return the first problem of a validation; `origins` names variables by dotted path."""
    details = error.errors(include_url=False, include_input=False)
    # A misspelt key makes the right one missing: the misspelling is the cause.
    first = next((d for d in details if d["type"] == "extra_forbidden"), details[0])
    loc: Loc = tuple(first["loc"])
    if loc[-2:] == ("max_age", DEFAULT_AGE) and not isinstance(_found(raw, loc[:-1]), dict):
        loc = loc[:-1]
    if first["type"] == "union_tag_invalid":
        loc = (*loc, "method")
    field = dotted(loc, origins)
    what, cure = _explain(first["type"], loc, first.get("ctx", {}), raw)
    return ConfigProblem(field, what, cure, len(details) - 1)


def dotted(loc: Iterable[int | str], origins: Mapping[str, str]) -> str:
    """Return `rules[0].match`, with the variable that set it where there is one."""
    text = ""
    for part in _plain(tuple(loc)):
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{named(part)}" if text else named(part)
    return f"{text} (from {origins[text]})" if text in origins else text


def _explain(kind: str, loc: Loc, ctx: Mapping[str, Any], raw: Any) -> tuple[str, str]:
    if kind == "extra_forbidden":
        return "is not a field that Rotator knows", suggestion(str(loc[-1]), _known(loc))
    if kind == "value_error":
        what, _, cure = str(ctx.get("error", "is not valid")).partition("; ")
        return what, f"{cure[:1].upper()}{cure[1:]}." if cure else "Correct it."
    if kind in ("enum", "literal_error", "union_tag_invalid"):
        return "is not one of its words", _words(loc, ctx, raw)
    if kind in BOUNDS:
        name, form = BOUNDS[kind]
        what, _, cure = form.format(ctx.get(name)).partition("; ")
        return what, f"{cure[:1].upper()}{cure[1:]}."
    return KINDS.get(kind, ("is not valid", "See `rotator config schema`."))


def _words(loc: Loc, ctx: Mapping[str, Any], raw: Any) -> str:
    """Return the words that a field takes, or the one that was probably meant."""
    expected = str(ctx.get("expected") or ctx.get("expected_tags") or "")
    words = [w.strip(" '") for w in expected.replace(" or ", ", ").split(",")]
    given = loc[-2] if loc and loc[-1] == KEY else _found(raw, loc)
    if isinstance(given, str):
        near = suggestion(given, words)
        if near.startswith("Did"):
            return near
    shown = words if len(words) <= MAX_WORDS else [*words[:MAX_WORDS], "…"]
    return f"Write one of: {', '.join(shown)}."


def _found(raw: Any, loc: Loc) -> Any:
    """Return the value at a place of the raw configuration, None if there is none."""
    for part in _plain(loc):
        if isinstance(raw, dict):
            raw = raw.get(part)
        elif isinstance(raw, list) and isinstance(part, int) and part < len(raw):
            raw = raw[part]
        else:
            return None
    return raw


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a walk over the models stands: its models, and whether an index comes next."""

    models: tuple[type[BaseModel], ...]
    container: bool = False

    def step(self, part: int | str) -> _Place:
        if self.container:
            return _Place(self.models)
        for model in self.models:
            for name, info in model.model_fields.items():
                if part in (info.alias or name, name):
                    kinds = _origins(info.annotation)
                    container = bool(kinds & {tuple, dict})
                    return _Place(tuple(_models(info.annotation)), container)
        tagged = tuple(m for m in self.models if part in _tags(m))
        return _Place(tagged or self.models)


def _plain(loc: Loc) -> Loc:
    """Return a place without what pydantic puts in: union tags and the mark of a key."""
    place = _Place((Config,))
    parts: list[int | str] = []
    for part in loc:
        is_tag = not place.container and any(part in _tags(m) for m in place.models)
        if not is_tag and part != KEY:
            parts.append(part)
        place = place.step(part)
    return tuple(parts)


def _known(loc: Loc) -> list[str]:
    """Return the field names at the place where an unknown one stands."""
    place = _Place((Config,))
    for part in loc[:-1]:
        place = place.step(part)
    return [
        info.alias or name for model in place.models for name, info in model.model_fields.items()
    ]


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    info = model.model_fields.get("method")
    return get_args(info.annotation) if info is not None else ()


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for arg in get_args(annotation) for model in _models(arg)]


def _origins(annotation: Any) -> set[Any]:
    found = {get_origin(annotation)}
    for arg in get_args(annotation):
        found |= _origins(arg)
    return found
