"""How values from outside are put into a sentence: escaped and bounded."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from rotator.core.names import shown

TOLD_LENGTH = 64
TOLD_ITEMS = 8

_UNITS: tuple[tuple[str, timedelta], ...] = (
    ("days", timedelta(days=1)),
    ("hours", timedelta(hours=1)),
    ("minutes", timedelta(minutes=1)),
)


def told(value: str, length: int = TOLD_LENGTH) -> str:
    """Return a text fit for a sentence: no control characters, at most `length` long."""
    cut = value[:length]
    safe = "".join(c if c.isprintable() else _escaped(c) for c in cut)
    if len(value) <= length and len(safe) <= length:
        return safe
    return safe[: length - 1] + "…"


def listed(values: Iterable[str]) -> str:
    """Return texts as a comma list, sorted, the first few of many."""
    items = sorted(set(values))
    text = ", ".join(told(v) for v in items[:TOLD_ITEMS])
    return text if len(items) <= TOLD_ITEMS else f"{text} and {len(items) - TOLD_ITEMS} more"


def key_told(key_id: str | None) -> str:
    """Return "key …abcd", or "key" where the id is unknown."""
    return "key" if key_id is None else f"key {told(shown(key_id))}"


def time_told(at: datetime) -> str:
    """Return a time as `2026-11-24 06:48 UTC`."""
    return f"{at.year:04}-{at.month:02}-{at.day:02} {at.hour:02}:{at.minute:02} UTC"


def span_told(span: timedelta) -> str:
    """Return a span in its greatest whole unit: `12 days`, `3 hours`, `1 minute`."""
    span = abs(span)
    for word, unit in _UNITS:
        count = span // unit
        if count:
            return f"{count} {word if count > 1 else word[:-1]}"
    return "less than a minute"


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "backslashreplace").decode("ascii")
