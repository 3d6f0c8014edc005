"""What the credential metrics are rendered from: one immutable picture of one instant.

The engine builds a `View` after each pass and after each change of a rotation.
It holds no secret and no key id.  `None` means unknown and gives no series.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from rotator.core.facts import Never, Validity
from rotator.core.findings import Finding, Verdict
from rotator.core.names import AccountId, CredentialName, ExchangeName, RotationId
from rotator.core.record import Phase

OPEN_PHASES: tuple[Phase, ...] = tuple(
    phase for phase in Phase if phase not in {Phase.DONE, Phase.ABORTED}
)
"""The phases that an open record can be in; each is exported, 0 included."""


class Unknown(StrEnum):
    """What of a key is unknown although its exchange tells it."""

    AGE = "age"
    EXPIRY = "expiry"
    SCOPES = "scopes"
    ADDRESSES = "addresses"


class WaitsOn(StrEnum):
    """Whom or what an open rotation waits for."""

    PERSON = "person"
    CONSUMERS = "consumers"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class CredentialView:
    """One credential as the metrics show it; times are aware and in UTC."""

    name: CredentialName
    exchange: ExchangeName | None
    account: AccountId | None = None
    owner: str | None = None
    policy: str = ""
    validity: Validity = Validity.UNKNOWN
    verdict: Verdict = Verdict.UNKNOWN
    created_at: datetime | None = None
    expires_at: datetime | Never | None = None
    due_at: datetime | None = None
    inspected_at: datetime | None = None
    unknown: frozenset[Unknown] = frozenset()


@dataclass(frozen=True, slots=True)
class RotationView:
    """One open rotation; `waits_on` is None while the machine itself is at work."""

    rotation: RotationId
    credential: CredentialName
    exchange: ExchangeName
    strategy: str
    phase: Phase
    phase_since: datetime
    started_at: datetime
    waits_on: WaitsOn | None = None


@dataclass(frozen=True, slots=True)
class ExchangeView:
    """Counts of one exchange; None where nobody has counted yet."""

    name: ExchangeName
    armed: int = 0
    strays: int | None = None
    foreign_keys: int | None = None
    revocations_owed: int | None = None


@dataclass(frozen=True, slots=True)
class View:
    """All that the credential metrics say, as of one instant."""

    as_of: datetime
    credentials: tuple[CredentialView, ...] = ()
    findings: tuple[Finding, ...] = ()
    rotations: tuple[RotationView, ...] = ()
    exchanges: tuple[ExchangeView, ...] = ()
