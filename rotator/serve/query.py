"""What a reader asks of the fleet: filters, order and page, validated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from rotator.core.facts import Validity
from rotator.core.findings import Code, Severity, Verdict
from rotator.core.words import told

LONGEST_TEXT: Final = 200
LARGEST_PAGE: Final = 1000
LAST_PAGE: Final = 1_000_000
SPAN_DIGITS: Final = 5
UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}

Pairs = Iterable[tuple[str, str]]
E = TypeVar("E", bound=StrEnum)


class Sort(StrEnum):
    """By what the credentials are sorted; trouble = the worst first."""

    TROUBLE = "trouble"
    CREDENTIAL = "credential"
    EXCHANGE = "exchange"
    ACCOUNT = "account"
    OWNER = "owner"
    VERDICT = "verdict"
    VALIDITY = "validity"
    DUE = "due"
    EXPIRES = "expires"
    LOOKED = "looked"


class Direction(StrEnum):
    """Upwards or downwards; what is unknown comes last either way."""

    ASC = "asc"
    DESC = "desc"


class BadQuery(Exception):
    """A query that is refused; its text is one sentence for the reader."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which credentials are shown; the defaults show all of them."""

    q: str = ""
    exchange: str = ""
    owner: str = ""
    verdict: Verdict | None = None
    validity: Validity | None = None
    severity: Severity | None = None
    code: Code | None = None
    sort: Sort = Sort.TROUBLE
    order: Direction = Direction.ASC
    page: int = 1
    per_page: int = 50


@dataclass(frozen=True, slots=True)
class WantedFindings:
    """Which findings are shown."""

    exchange: str = ""
    owner: str = ""
    severity: Severity | None = None
    code: Code | None = None
    page: int = 1
    per_page: int = 100


ALL: Final = Wanted()


def wanted(pairs: Pairs) -> Wanted:
    """Read what is asked of the credentials; raises BadQuery."""
    return Wanted(**_read(pairs, READERS))


def wanted_findings(pairs: Pairs) -> WantedFindings:
    """Read what is asked of the findings; raises BadQuery."""
    names = {f.name for f in fields(WantedFindings)}
    return WantedFindings(**_read(pairs, {n: r for n, r in READERS.items() if n in names}))


def wanted_span(pairs: Pairs) -> timedelta:
    """Read how far a plan looks ahead, 30 days if that is not said; raises BadQuery."""
    found: timedelta = _read(pairs, {"within": _span}).get("within", timedelta(days=30))
    return found


def nothing_wanted(pairs: Pairs) -> None:
    """Refuse every parameter: raises BadQuery."""
    _read(pairs, {})


def link(asked: Wanted, **changes: Any) -> str:
    """Return the link to what is asked, with changes; each change but a page's begins at 1."""
    values = {f.name: getattr(asked, f.name) for f in fields(Wanted)}
    values |= {"page": 1} | changes
    pairs = [(n, str(v)) for n, v in values.items() if v != getattr(ALL, n)]
    return f"?{urlencode(pairs)}#fleet" if pairs else "./#fleet"


def _read(pairs: Pairs, readers: Mapping[str, Callable[[str, str], Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name not in readers:
            known = ", ".join(readers) or "none"
            raise BadQuery(f"There is no parameter {told(name, 40)!r}; known are: {known}.")
        if name in found:
            raise BadQuery(f"{name} is given twice.")
        found[name] = readers[name](name, value)
    return found


def _text(name: str, value: str) -> str:
    if not 0 < len(value) <= LONGEST_TEXT:
        raise BadQuery(f"{name} must have 1 to {LONGEST_TEXT} characters.")
    return value


def _word(words: type[E]) -> Callable[[str, str], E]:
    def read(name: str, value: str) -> E:
        try:
            return words(value)
        except ValueError:
            known = ", ".join(words)
            raise BadQuery(f"{name} is {told(value, 40)!r}, but must be one of {known}.") from None

    return read


def _number(least: int, most: int) -> Callable[[str, str], int]:
    def read(name: str, value: str) -> int:
        if value.isascii() and value.isdigit() and len(value) <= len(str(most)):
            number = int(value)
            if least <= number <= most:
                return number
        raise BadQuery(
            f"{name} is {told(value, 40)!r}, but must be a whole number from {least} to {most}."
        )

    return read


def _span(name: str, value: str) -> timedelta:
    number, unit = value[:-1], value[-1:]
    if unit in UNITS and number.isascii() and number.isdigit() and len(number) <= SPAN_DIGITS:
        return timedelta(seconds=int(number) * UNITS[unit])
    raise BadQuery(
        f"{name} must be a span such as 12h, 30d or 4w, of at most {SPAN_DIGITS} digits."
    )


READERS: Final[Mapping[str, Callable[[str, str], Any]]] = {
    "q": _text,
    "exchange": _text,
    "owner": _text,
    "verdict": _word(Verdict),
    "validity": _word(Validity),
    "severity": _word(Severity),
    "code": _word(Code),
    "sort": _word(Sort),
    "order": _word(Direction),
    "page": _number(1, LAST_PAGE),
    "per_page": _number(1, LARGEST_PAGE),
}
"""Each parameter of the fleet and how it is read."""
