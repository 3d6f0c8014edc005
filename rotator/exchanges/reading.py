"""Careful readers of what an exchange says: pure, bounded, never raising.

A value of a wrong type, size or range is `None` (unknown), not an error.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

LONGEST_TEXT = 256
LONGEST_LIST = 1000
LONGEST_WORD_SHOWN = 16
LONGEST_MESSAGE = 160
UNBOUND = frozenset({"", "*", "0.0.0.0", "0.0.0.0/0", "::/0"})  # noqa: S104  # data, not a bind
MASKS = ("*", "…")


def mapping(value: object) -> Mapping[str, object]:
    """Return an object of the answer, empty if it is none."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> Sequence[object] | None:
    """Return a list of the answer of a believable length."""
    return value if isinstance(value, list) and len(value) <= LONGEST_LIST else None


def text(value: object) -> str | None:
    """Return a text that is neither empty nor too long, with control characters escaped."""
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_TEXT:
        return None
    return printable(value)


def number(value: object) -> int | None:
    """Return a whole number, also one written as text; a truth value is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and len(value) < 20 and value.lstrip("-").isdecimal():
        return int(value) if value.isascii() and value.rfind("-") <= 0 else None
    return None


def identifier(value: object) -> str | None:
    """Return an id given as text or as number, as text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return text(value)


def switch(value: object) -> bool | None:
    """Return a yes or no in any of its spellings: true, 1, "true", "1"."""
    spellings = {True: True, False: False, "true": True, "false": False, "1": True, "0": False}
    return spellings.get(value) if isinstance(value, bool | int | str) else None


def texts(value: object) -> tuple[str, ...] | None:
    """Return a list of texts; None if anything in it is something else."""
    found = items(value)
    if found is None:
        return None
    read = [printable(v) for v in found if isinstance(v, str) and len(v) <= LONGEST_TEXT]
    return tuple(read) if len(read) == len(found) else None


def addresses(value: object) -> tuple[str, ...] | None:
    """Return an address list; `()` for each way of writing "no list", None if unknown."""
    found = texts(value)
    if found is None:
        return None
    return () if any(a.strip() in UNBOUND for a in found) else found


def iso_time(value: object) -> datetime | None:
    """Return an ISO 8601 text as an aware UTC time."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        read = datetime.fromisoformat(value)
        return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def millis(value: object) -> datetime | None:
    """Return a positive count of Unix milliseconds as an aware UTC time."""
    count = number(value)
    if count is None or count <= 0:
        return None
    try:
        return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=count)
    except OverflowError:
        return None


def http_date(value: str | None) -> datetime | None:
    """Return an HTTP `Date` as an aware UTC time."""
    if not value or len(value) > 64:
        return None
    try:
        read = parsedate_to_datetime(value)
        return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError):
        return None


def wait_time(value: str | None, server_date: datetime | None) -> timedelta | None:
    """Return a `Retry-After` (seconds, or a date measured by the server's own clock)."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        until = http_date(value)
        if until is None or server_date is None:
            return None
        return max(timedelta(0), until - server_date)
    if not math.isfinite(seconds) or not 0 <= seconds < 1e9:
        return None
    return timedelta(seconds=seconds)


def printable(value: str) -> str:
    """Return a text whose control, format and surrogate characters are escaped."""
    if value.isprintable():
        return value
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in value)


def quoted(value: object) -> str:
    """Return an exchange's own words fit to be shown.

    Long words are left out, because an exchange may repeat a key or a signature
    in what it says.
    """
    if not isinstance(value, str):
        return ""
    words = printable(value[: 4 * LONGEST_MESSAGE]).split()
    kept = " ".join(w if len(w) <= LONGEST_WORD_SHOWN else "…" for w in words)
    return kept[:LONGEST_MESSAGE]


def masked(key_id: str) -> bool:
    """Say whether an exchange shows a key id only in part."""
    return any(m in key_id for m in MASKS)


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return names sorted, each once."""
    return tuple(sorted(set(names)))
