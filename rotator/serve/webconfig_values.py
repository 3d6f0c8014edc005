"""The kinds of values in a web config, each read or refused with a cure.

A reader takes the plain value and the dotted name of its field.  No message
repeats the value that it refuses: it may be a password in the wrong place.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, NoReturn

MAX_TEXT: Final = 4096
MAX_NAME: Final = 60
MAX_COST: Final = 16
"""The dearest bcrypt cost taken; one more doubles the seconds of each login."""

BCRYPT: Final = re.compile(r"\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")
SPAN: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ns|us|µs|ms|s|m|h)")
SECONDS: Final = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}

Reader = Callable[[Any, str], Any]


@dataclass(frozen=True, slots=True)
class WebProblem:
    """What is wrong with a web config: a field, one sentence, one cure."""

    field: str
    what: str
    cure: str

    def __str__(self) -> str:
        """Return the problem as one line."""
        return f"{self.field}: {self.what}. {self.cure}"


class Wrong(Exception):
    """Carries a `WebProblem` between the web config's own modules, no further."""

    def __init__(self, problem: WebProblem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def wrong(where: str, what: str, cure: str) -> NoReturn:
    """Raise Wrong."""
    raise Wrong(WebProblem(where, what, cure))


def shown(name: str) -> str:
    """Return the name of a key fit to be shown: escaped and cut."""
    cut = name if len(name) <= MAX_NAME else name[:MAX_NAME] + "…"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in cut)


def near(word: str, known: Iterable[str]) -> str:
    """Return "Did you mean X?", or the known words when none is near."""
    words = sorted(known)
    close = difflib.get_close_matches(word[:MAX_NAME], words, n=1)
    return f"Did you mean `{close[0]}`?" if close else f"Known here: {', '.join(words)}."


def section(value: Any, where: str, readers: Mapping[str, Reader]) -> dict[str, Any]:
    """Read a mapping field by field; an empty field is an absent one."""
    read: dict[str, Any] = {}
    for key, inner in mapping(value, where).items():
        place = f"{where}.{shown(key)}" if where else shown(key)
        if key not in readers:
            wrong(place, "is not a field of a web config", near(key, readers))
        if inner is not None:
            read[key] = readers[key](inner, place)
    return read


def mapping(value: Any, where: str) -> dict[str, Any]:
    """Read a mapping; nothing is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        wrong(where, "is not a mapping", "Write `key: value` lines below it.")
    return value


def text(value: Any, where: str) -> str:
    """Read a line of text; empty stays empty."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        wrong(where, "is not a text", "Put it in quotes.")
    word = str(value)
    if len(word) > MAX_TEXT or not word.isprintable():
        wrong(where, "is not one line of text", "Write one line without control characters.")
    return word


def pem(value: Any, where: str) -> str:
    """Read a PEM text of several lines."""
    if not isinstance(value, str) or "-----BEGIN " not in value:
        wrong(where, "is not PEM text", "Write the name of a file in the field with `_file`.")
    return value


def flag(value: Any, where: str) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        wrong(where, "is neither true nor false", "Write true or false.")
    return value


def whole(value: Any, where: str) -> int:
    """Read a whole number that is not negative."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        wrong(where, "is not a whole number", "Write a whole number such as 20.")
    return value


def words(value: Any, where: str) -> tuple[str, ...]:
    """Read a list of texts."""
    if not isinstance(value, list):
        wrong(where, "is not a list", "Write it as [a, b] or as lines that begin with `-`.")
    return tuple(text(word, f"{where}[{index}]") for index, word in enumerate(value))


def span(value: Any, where: str) -> timedelta:
    """Read a duration as Go writes it: `1s`, `100ms`, `1m30s`, 0."""
    if value == 0 and not isinstance(value, bool):
        return timedelta(0)
    parts = SPAN.findall(value) if isinstance(value, str) else []
    if value == "0":
        return timedelta(0)
    if not parts or "".join(n + u for n, u in parts) != value:
        wrong(where, "is not a duration", "Write a number and a unit: 100ms, 1s, 1m.")
    seconds = sum(float(number) * SECONDS[unit] for number, unit in parts)
    if seconds > SECONDS["h"]:
        wrong(where, "is longer than an hour", "Write a shorter one, such as 1s.")
    return timedelta(seconds=seconds)


def bcrypt_hash(value: Any, where: str) -> str:
    """Read a bcrypt hash that can be checked within seconds."""
    match = BCRYPT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        cure = "Make one with `htpasswd -nBC 10 \"\" | tr -d ':\\n'` and put it in quotes."
        wrong(where, "is not a bcrypt hash", cure)
    if int(match[1]) > MAX_COST:
        cure = f"Make it anew with a cost of 10 to 12; {MAX_COST} is the most that is taken."
        wrong(where, "has a bcrypt cost with which each login takes many seconds", cure)
    return match.string


def one_of(table: Mapping[str, Any]) -> Reader:
    """Return a reader of a word that stands for an entry of a table."""

    def read(value: Any, where: str) -> Any:
        word = text(value, where)
        if word not in table:
            wrong(where, "is not one of its words", near(word, table))
        return table[word]

    return read
