"""values.yaml as it is written: each value with its default and the comment above it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

DESCRIPTION: Final = "# -- "
NARROWED: Final = "# @schema "
SECTION: Final = "# @section "


class ChartFault(Exception):
    """values.yaml breaks its own form; the message says where and how."""


@dataclass(frozen=True, slots=True)
class Value:
    """One documented value.

    `path` are the keys that lead to it, `default` is what values.yaml gives it,
    `narrowed` is the JSON schema that its comment adds, empty if none.
    """

    path: tuple[str, ...]
    default: Any
    about: str
    narrowed: Mapping[str, Any]
    section: str


def documented(text: str) -> tuple[Value, ...]:
    """Return the values of a values.yaml in order; raise ChartFault for one without a comment."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        raise ChartFault("values.yaml is no mapping")
    return tuple(_under(root, (), text.splitlines()))


def _under(node: yaml.MappingNode, path: tuple[str, ...], lines: Sequence[str]) -> Iterator[Value]:
    for key, value in node.value:
        here, line = (*path, str(key.value)), key.start_mark.line
        about, narrowed = _comment(lines, line)
        if about:
            default = yaml.SafeLoader("").construct_document(value)
            yield Value(here, default, about, narrowed, _section(lines, line))
        elif isinstance(value, yaml.MappingNode) and value.value:
            yield from _under(value, here, lines)
        else:
            raise ChartFault(f"values.yaml:{line + 1}: {'.'.join(here)} has no `# --` comment")


def _comment(lines: Sequence[str], line: int) -> tuple[str, Mapping[str, Any]]:
    """Return the description and the schema in the comment that ends above a line."""
    start = line
    while start and lines[start - 1].lstrip().startswith("#"):
        start -= 1
    about: list[str] = []
    narrowed: dict[str, Any] = {}
    for comment in (each.strip() for each in lines[start:line]):
        if comment.startswith(NARROWED):
            narrowed.update(yaml.safe_load(comment.removeprefix(NARROWED)))
        elif comment.startswith(DESCRIPTION):
            about.append(comment.removeprefix(DESCRIPTION))
        elif about:
            about.append(comment.removeprefix("#").strip())
    return " ".join(about), narrowed


def _section(lines: Sequence[str], line: int) -> str:
    for each in reversed(lines[:line]):
        if each.startswith(SECTION):
            return each.removeprefix(SECTION).strip()
    raise ChartFault(f"values.yaml:{line + 1}: no `{SECTION.strip()}` above")
