"""What page and API are made from: values of one instant, and who gives them.

Everything here is shown to people: it holds no secret, and of key ids the last four
characters.  Texts may come from an exchange or from the store and are escaped where
they are shown.  `None` is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from rotator.core.facts import Never, Validity
from rotator.core.findings import Code, Finding, Severity, Verdict

Document = dict[str, Any]
"""A JSON form of the command line."""


@dataclass(frozen=True, slots=True)
class CredentialRow:
    """One credential; `phase` is that of its open rotation, `gravest` of its findings."""

    name: str
    exchange: str | None
    account: str | None
    owner: str | None
    verdict: Verdict
    validity: Validity
    due_at: datetime | None = None
    expires_at: datetime | Never | None = None
    looked_at: datetime | None = None
    codes: tuple[Code, ...] = ()
    gravest: Severity | None = None
    blocked_by: tuple[str, ...] = ()
    phase: str | None = None


@dataclass(frozen=True, slots=True)
class RotationRow:
    """One open rotation; `person` says whether it waits for a person."""

    rotation: str
    credential: str
    strategy: str
    phase: str
    reason: str
    started_at: datetime
    phase_since: datetime | None = None
    waits_for: str | None = None
    question: str | None = None
    answers: tuple[str, ...] = ()
    person: bool = False


@dataclass(frozen=True, slots=True)
class ExchangeRow:
    """An exchange by the last looks at its keys.

    `unanswered` counts the keys whose last look got no answer; `answered_at` is the
    newest answer.
    """

    name: str
    credentials: int
    armed: int = 0
    unanswered: int = 0
    answered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class HoldRow:
    """A hold; `until` None = until somebody releases it."""

    name: str
    match: str
    reason: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Fleet:
    """What the last pass saw, and where the rotations stand.  Never changes.

    `acts` False: nothing is rotated or deleted, because the store may be restored or
    that could not be told.  `problems` are sentences.
    """

    at: datetime
    complete: bool = True
    acts: bool = True
    armed: int = 0
    credentials: tuple[CredentialRow, ...] = ()
    findings: tuple[Finding, ...] = ()
    rotations: tuple[RotationRow, ...] = ()
    exchanges: tuple[ExchangeRow, ...] = ()
    holds: tuple[HoldRow, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoreRow:
    """What the store said of itself last; `token_expires_at` None = never or unknown."""

    up: bool
    sealed: bool
    message: str
    token_expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class HouseRow:
    """What an exchange's answers say at this moment, apart from keys."""

    name: str
    banned_until: datetime | None = None
    clock_skew: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Live:
    """What changes without a pass.

    `leads`: it works, and no other process does.  `rotates`: its login may rotate.
    `why_empty` says why there is no fleet to show.  What is shown is old when its age
    is above `stale_after`.  `store` None = not asked yet.
    """

    now: datetime
    leads: bool
    rotates: bool
    stale_after: timedelta
    why_empty: str
    store: StoreRow | None = None
    houses: tuple[HouseRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Sight:
    """One state of the fleet; two with the same `version` show the same.

    The callables are CPU work without I/O, to be called in a worker thread.
    `named` gives the credentials that a name, or an end of one, may mean; `explain`
    takes a whole name.
    """

    version: int
    at: datetime
    fleet: Callable[[], Fleet]
    status: Callable[[], Document]
    plan: Callable[[timedelta], Document]
    strays: Callable[[], Document]
    named: Callable[[str], Sequence[str]]
    explain: Callable[[str], Document]


class Views(Protocol):
    """Gives what is known now, from memory; called on the event loop, and quick."""

    def live(self) -> Live:
        """Return what changes without a pass."""
        ...

    def sight(self) -> Sight | None:
        """Return the fleet as of now; None before the first pass."""
        ...
