"""How old a key is, when it ends, and when its rotation is due.

All three can be unknown.  The due time is computed from policy and facts each
time it is asked for; it is never stored.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from rotator.core.facts import NEVER, KeyFacts, Never, StoredKey
from rotator.core.names import CredentialName
from rotator.core.policy import ExchangeTraits, OnViolation, Policy

JITTER_SHARE = 10
"""Jitter pulls a due time forward by at most `max_age / JITTER_SHARE`."""

CLOCK_TOLERANCE = timedelta(days=1)
"""A creation farther in the future than this is no creation time."""

EARLIEST = datetime.min.replace(tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)


class Why(StrEnum):
    """What makes a rotation due."""

    AGE = "age"
    EXPIRY = "expiry"
    VIOLATION = "violation"


@dataclass(frozen=True, slots=True)
class Due:
    """When a rotation is due: `at`, never later than `deadline`, the time without jitter."""

    at: datetime
    deadline: datetime
    why: Why


def fraction(*parts: str) -> float:
    """Return a number in [0, 1) derived from texts: the same texts, the same number."""
    digest = hashlib.sha256("\x00".join(parts).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:6]) / 2**48


def moved(at: datetime, by: timedelta) -> datetime:
    """Return `at + by`, held within the dates that Python knows."""
    try:
        return at + by
    except OverflowError:
        return LATEST if by > timedelta(0) else EARLIEST


def born(stored: StoredKey | None, facts: KeyFacts | None, now: datetime) -> datetime | None:
    """Return when the key was created, as the exchange or else the store knows it.

    Never from an update time.  A creation in the future is not believed.
    """
    told = (facts.created_at if facts else None, stored.key_since if stored else None)
    latest = moved(now, CLOCK_TOLERANCE)
    return next((at for at in told if at is not None and at <= latest), None)


def expiry(
    facts: KeyFacts | None, traits: ExchangeTraits | None, created: datetime | None
) -> datetime | Never | None:
    """Return when the key ends: as told, else by the exchange's rule for keys without a list."""
    if facts is None:
        return None
    if facts.expires_at is not None:
        return facts.expires_at
    life = traits.life_without_addresses if traits else None
    if life is None or facts.ip_allowlist != () or created is None:
        return None
    return moved(created, life)


def due_of(
    name: CredentialName,
    policy: Policy,
    facts: KeyFacts | None,
    created: datetime | None,
    expires: datetime | Never | None,
    *,
    jitter: bool = True,
) -> Due | None:
    """Return the earliest due time that age and expiry give, or None if neither is known."""
    dues = (
        _by_age(name, policy, facts, created, jitter=jitter),
        _by_expiry(policy, created, expires),
    )
    return min((d for d in dues if d is not None), key=lambda d: d.at, default=None)


def violates(policy: Policy, facts: KeyFacts | None, last: KeyFacts | None) -> bool:
    """Say whether a policy wants a key replaced for a forbidden power, seen in two looks.

    Only `forbid` counts, because a new key is made without what it names; a
    rotation would not cure another excess.
    """
    if policy.on_violation is not OnViolation.ROTATE or facts is None or last is None:
        return False
    forbidden = policy.scopes.forbidden(facts.scopes or frozenset())
    return bool(forbidden & policy.scopes.forbidden(last.scopes or frozenset()))


def _by_age(
    name: CredentialName,
    policy: Policy,
    facts: KeyFacts | None,
    created: datetime | None,
    *,
    jitter: bool,
) -> Due | None:
    if created is None:
        return None
    limit = policy.age_limit(facts.scopes if facts else None)
    deadline = moved(created, limit)
    if not jitter:
        return Due(deadline, deadline, Why.AGE)
    early = limit / JITTER_SHARE * fraction(name, deadline.isoformat())
    return Due(moved(deadline, -early), deadline, Why.AGE)


def _by_expiry(
    policy: Policy, created: datetime | None, expires: datetime | Never | None
) -> Due | None:
    """Return a time before the key ends, but not before half of its life is over."""
    if expires is None or expires is NEVER:
        return None
    at = moved(expires, -policy.expiry_lead)
    if created is not None and created < expires:
        at = max(at, moved(created, (expires - created) / 2))
    return Due(at, at, Why.EXPIRY)
