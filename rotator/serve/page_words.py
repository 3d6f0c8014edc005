"""The small pieces of the page: times, commands, marks, counts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from rotator.core.findings import Severity, Verdict
from rotator.core.words import time_told
from rotator.serve.markup import Element, Node, el

COMMAND: Final = re.compile(r"`([^`]+)`|\b((?:rotator|vault) [a-z]+(?: [^ ].*)?)$")
"""A command in a sentence: between backticks, or from its first word to the end."""

SIGNS: Final = {Severity.CRITICAL: "\u25b2", Severity.WARNING: "\u25c6", Severity.INFO: "\u25cb"}
"""A shape for each severity, for those to whom colours say nothing."""

VERDICT_KINDS: Final = {
    Verdict.BLOCKED: "warning",
    Verdict.DUE: "warning",
    Verdict.UNKNOWN: "unknown",
    Verdict.HEALTHY: "good",
}


def when(at: datetime | None, otherwise: str = "unknown", *, zone: bool = True) -> Node:
    """Return a time as people and machines read it; `zone` False where UTC stands above it."""
    if at is None:
        return el("span", otherwise, class_="quiet")
    stamp = at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    told = time_told(at.astimezone(UTC))
    return el("time", told if zone else told.removesuffix(" UTC"), datetime=stamp)


def sentence(text: str) -> Iterator[Node]:
    """Yield a sentence with its commands set apart."""
    rest = 0
    for found in COMMAND.finditer(text):
        yield text[rest : found.start()]
        yield command(found[1] or found[2])
        rest = found.end()
    yield text[rest:]


def from_outside(text: str) -> Element:
    """Return a sentence that may quote a name from outside, which turns no direction."""
    return el("bdi", sentence(text))


def command(text: str) -> Element:
    """Return a command as it is typed."""
    return el("code", text)


def name_of(text: str, class_: str = "name") -> Element:
    """Return a name from outside: it cannot turn the direction of what follows."""
    return el("bdi", text, class_=class_)


def mark(severity: Severity) -> Element:
    """Return a severity as a word with its shape."""
    sign = el("span", SIGNS[severity], aria_hidden="true")
    return el("span", sign, f" {severity.value}", class_=f"mark {severity.value}")


def verdict_mark(verdict: Verdict) -> Element:
    """Return a verdict as a word."""
    return el("span", verdict.value, class_=f"mark {VERDICT_KINDS[verdict]}")


def path_of(text: str) -> Element:
    """Return a name that is a path: it is broken behind a slash where it must be."""
    first, *rest = text.split("/")
    parts: list[Node] = [first]
    for part in rest:
        parts += ["/", el("wbr"), part]
    return el("bdi", parts, class_="name")


def counted(number: int, what: str) -> str:
    """Return `1 key`, `2 keys`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def section(name: str, title: str, *children: Node) -> Element:
    """Return a section of the page that is reached by its name."""
    heading = el("h2", title, id=f"{name}-title")
    return el("section", heading, *children, id=name, aria_labelledby=f"{name}-title")
