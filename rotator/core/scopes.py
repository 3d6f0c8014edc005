"""The normalised scope vocabulary: what a key may do, in nine words.

Exchanges name powers in their own ways; an adapter's table turns native names
into these.  A name that no table knows is `other` and a finding, never dropped.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from fnmatch import fnmatchcase


class Scope(StrEnum):
    """One power of a key."""

    READ = "read"
    TRADE_SPOT = "trade:spot"
    TRADE_MARGIN = "trade:margin"
    TRADE_DERIVATIVES = "trade:derivatives"
    TRANSFER = "transfer"
    WITHDRAW = "withdraw"
    MANAGE = "manage"
    EARN = "earn"
    OTHER = "other"


ALL_TRADE = frozenset({Scope.TRADE_SPOT, Scope.TRADE_MARGIN, Scope.TRADE_DERIVATIVES})

WIDTH: tuple[Scope, ...] = (
    Scope.WITHDRAW,
    Scope.MANAGE,
    Scope.TRANSFER,
    Scope.OTHER,
    Scope.TRADE_DERIVATIVES,
    Scope.TRADE_MARGIN,
    Scope.TRADE_SPOT,
    Scope.EARN,
    Scope.READ,
)
"""Widest first: the order in which a `max_age` per scope is looked up."""


def matches(scope: Scope, pattern: str) -> bool:
    """Say whether a policy's pattern (`read`, `trade:*`) covers a scope."""
    return fnmatchcase(scope.value, pattern)


def covered(scopes: Iterable[Scope], patterns: Iterable[str]) -> frozenset[Scope]:
    """Return the scopes that at least one pattern covers."""
    wanted = tuple(patterns)
    return frozenset(s for s in scopes if any(matches(s, p) for p in wanted))
