"""Picks, sorts and pages what a reader asked for.  Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from rotator.core.facts import Validity
from rotator.core.findings import Finding, Severity, Verdict
from rotator.serve.query import Direction, Sort, Wanted, WantedFindings
from rotator.serve.view import CredentialRow, Fleet

T = TypeVar("T")

GRAVITY: Final = {severity: place for place, severity in enumerate(Severity)}
URGENCY: Final = {
    v: place
    for place, v in enumerate((Verdict.BLOCKED, Verdict.DUE, Verdict.UNKNOWN, Verdict.HEALTHY))
}
NUMBER: Final = re.compile("[0-9]+")
DIGITS: Final = 20
VALIDITIES: Final = {validity: place for place, validity in enumerate(Validity)}

KEYS: Final[Mapping[Sort, Callable[[CredentialRow], Any]]] = {
    Sort.TROUBLE: lambda r: (GRAVITY[r.gravest] if r.gravest else len(GRAVITY), URGENCY[r.verdict]),
    Sort.CREDENTIAL: lambda r: _counted(r.name),
    Sort.EXCHANGE: lambda r: r.exchange,
    Sort.ACCOUNT: lambda r: r.account,
    Sort.OWNER: lambda r: r.owner,
    Sort.VERDICT: lambda r: URGENCY[r.verdict],
    Sort.VALIDITY: lambda r: VALIDITIES[r.validity],
    Sort.DUE: lambda r: r.due_at,
    Sort.EXPIRES: lambda r: _moment(r.expires_at),
    Sort.LOOKED: lambda r: r.looked_at,
}
"""What each order compares; None comes last."""


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """One page of many; `total` counts all of them."""

    rows: tuple[T, ...]
    total: int
    page: int
    per_page: int

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-self.total // self.per_page))


def credentials(fleet: Fleet, asked: Wanted) -> Part[CredentialRow]:
    """Return the page of credentials that is asked for."""
    bad = _with_severity(fleet, asked.severity)
    needle = asked.q.casefold()
    rows = [row for row in fleet.credentials if _fits(row, asked, needle, bad)]
    return _page(_sorted(rows, asked), asked.page, asked.per_page)


def findings(fleet: Fleet, asked: WantedFindings) -> Part[Finding]:
    """Return the page of findings that is asked for, the gravest first."""
    rows = {row.name: row for row in fleet.credentials}

    def fits(finding: Finding) -> bool:
        row = rows.get(finding.credential)
        return (
            (not asked.exchange or (row is not None and row.exchange == asked.exchange))
            and (not asked.owner or (row is not None and row.owner == asked.owner))
            and (asked.severity is None or finding.severity is asked.severity)
            and (asked.code is None or finding.code is asked.code)
        )

    fitting = sorted(filter(fits, fleet.findings), key=lambda f: GRAVITY[f.severity])
    return _page(fitting, asked.page, asked.per_page)


def _with_severity(fleet: Fleet, severity: Severity | None) -> frozenset[str]:
    if severity is None:
        return frozenset()
    return frozenset(f.credential for f in fleet.findings if f.severity is severity)


def _fits(row: CredentialRow, asked: Wanted, needle: str, bad: frozenset[str]) -> bool:
    return (
        (not needle or _contains(row, needle))
        and (not asked.exchange or row.exchange == asked.exchange)
        and (not asked.owner or row.owner == asked.owner)
        and (asked.verdict is None or row.verdict is asked.verdict)
        and (asked.validity is None or row.validity is asked.validity)
        and (asked.severity is None or row.name in bad)
        and (asked.code is None or asked.code in row.codes)
    )


def _contains(row: CredentialRow, needle: str) -> bool:
    return any(needle in (text or "").casefold() for text in (row.name, row.owner, row.account))


def _sorted(rows: Iterable[CredentialRow], asked: Wanted) -> list[CredentialRow]:
    by_name = sorted(rows, key=lambda r: _counted(r.name))
    key = KEYS[asked.sort]
    known = [row for row in by_name if key(row) is not None]
    known.sort(key=key, reverse=asked.order is Direction.DESC)
    return known + [row for row in by_name if key(row) is None]


def _page(rows: Sequence[T], page: int, per_page: int) -> Part[T]:
    first = (page - 1) * per_page
    return Part(tuple(rows[first : first + per_page]), len(rows), page, per_page)


def _counted(name: str) -> tuple[str, str]:
    """Return what sorts desk9 before desk10."""
    return NUMBER.sub(lambda found: found[0].zfill(DIGITS), name), name


def _moment(at: object) -> datetime | None:
    """Return an end; what never ends sorts with what is unknown."""
    return at if isinstance(at, datetime) else None
