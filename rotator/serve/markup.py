"""HTML that cannot be injected into: a tree of elements, escaped when it is written.

There is no way to put markup into a text.  Characters that are not printable (control
characters, overrides of the writing direction, zero-width ones, lone surrogates) are
written as escapes such as `u202e` behind a backslash, so that a name looks like what it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from typing import Final, TypeAlias

VOID: Final = frozenset({"br", "input", "link", "meta", "wbr"})

Node: TypeAlias = "Element | str | None | Iterable[Node]"
"""What may stand inside an element; None is nothing, an iterable its members in turn."""

Value: TypeAlias = str | int | bool | None
"""An attribute's value: True is the bare name, False and None leave it out."""


@dataclass(frozen=True, slots=True)
class Element:
    """An element; `name` and the attributes' names are words of the program."""

    name: str
    attributes: tuple[tuple[str, str | None], ...]
    children: tuple[Node, ...]


def el(element: str, /, *children: Node, **attributes: Value) -> Element:
    """Return an element; `class_` is written class, `aria_sort` aria-sort."""
    kept = tuple(
        (name.rstrip("_").replace("_", "-"), None if value is True else str(value))
        for name, value in attributes.items()
        if value is not None and value is not False
    )
    return Element(element, kept, children)


def written(node: Node) -> str:
    """Return a tree as HTML."""
    return "".join(_parts(node))


def visible(text: str) -> str:
    """Return a text in which every character can be seen."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _parts(node: Node) -> Iterator[str]:
    if node is None:
        return
    if isinstance(node, str):
        yield escape(visible(node))
    elif isinstance(node, Element):
        yield f"<{node.name}"
        for name, value in node.attributes:
            yield f" {name}" if value is None else f' {name}="{escape(visible(value))}"'
        yield ">"
        for child in node.children:
            yield from _parts(child)
        if node.name not in VOID:
            yield f"</{node.name}>"
    else:
        for child in node:
            yield from _parts(child)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "backslashreplace").decode("ascii")
