"""What a firm demands of its keys, and which strategy can meet it.

A `Policy` is data; `rotator.config` builds it from YAML.  `ExchangeTraits` is
what the core needs to know of an exchange: the wiring fills it from the adapter's
`Capabilities`, because the core does not know adapters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from rotator.core.facts import Credential
from rotator.core.findings import Code, Severity
from rotator.core.names import ExchangeName
from rotator.core.record import Revoke, Verify
from rotator.core.scopes import WIDTH, Scope, matches
from rotator.core.windows import ALWAYS, Calendar

__all__ = [
    "DEFAULT_POLICY",
    "PROGRAM",
    "STRATEGY_WORDS",
    "AddressRules",
    "ExchangeTraits",
    "OnViolation",
    "Policy",
    "Revoke",
    "ScopeRules",
    "Strategy",
    "Verify",
    "resolve_strategy",
]


class Strategy(StrEnum):
    """How a key is replaced."""

    AUTO = "auto"
    OVERLAP = "overlap"
    CLIENT_KEY = "client_key"
    RESET = "reset"
    ASSISTED = "assisted"
    NATIVE = "native"
    OBSERVE = "observe"


STRATEGY_WORDS = frozenset(s.value for s in Strategy)

PROGRAM = frozenset({Strategy.OVERLAP, Strategy.CLIENT_KEY, Strategy.RESET, Strategy.NATIVE})
"""Strategies that a program can carry out without a person."""


class OnViolation(StrEnum):
    """What happens when a key has powers that its policy forbids."""

    ALERT = "alert"
    ROTATE = "rotate"
    FREEZE = "freeze"


@dataclass(frozen=True, slots=True)
class ScopeRules:
    """Patterns over the scope words (`read`, `trade:*`)."""

    allow: tuple[str, ...] = ("*",)
    require: tuple[str, ...] = ()
    forbid: tuple[str, ...] = ()

    def names(self, scope: Scope) -> bool:
        """Say whether a scope is allowed or required by its very word, and not forbidden."""
        if any(matches(scope, p) for p in self.forbid):
            return False
        return scope.value in self.allow or scope.value in self.require

    def excess(self, scopes: frozenset[Scope]) -> frozenset[Scope]:
        """Return the scopes that are not allowed, or forbidden."""
        return frozenset(s for s in scopes if not self._allows(s))

    def missing(self, scopes: frozenset[Scope]) -> tuple[str, ...]:
        """Return the required patterns that no scope of the key meets."""
        return tuple(p for p in self.require if not any(matches(s, p) for s in scopes))

    def forbidden(self, scopes: frozenset[Scope]) -> frozenset[Scope]:
        """Return the scopes that `forbid` names."""
        return frozenset(s for s in scopes if any(matches(s, p) for p in self.forbid))

    def _allows(self, scope: Scope) -> bool:
        if any(matches(scope, p) for p in self.forbid):
            return False
        return any(matches(scope, p) for p in (*self.allow, *self.require))


@dataclass(frozen=True, slots=True)
class AddressRules:
    """What a key's address list must be; networks in CIDR or single addresses.

    `exact` demands this very list, `subset` that every entry lies within these.
    """

    require: bool = False
    exact: tuple[str, ...] | None = None
    subset: tuple[str, ...] | None = None

    @property
    def demands(self) -> bool:
        """Say whether a key without a list breaks the policy."""
        return self.require or bool(self.exact) or self.subset is not None


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy; the defaults are the built-in one.

    `max_age_of` gives another age to keys whose widest scope a pattern covers,
    in the order written.  `min_left` is how long before its expiry a key is due.
    `dormant_after` is how long without use makes a key dormant.
    """

    name: str = "default"
    max_age: timedelta = timedelta(days=90)
    max_age_of: tuple[tuple[str, timedelta], ...] = ()
    warn_before: timedelta = timedelta(days=7)
    scopes: ScopeRules = ScopeRules()
    addresses: AddressRules = AddressRules()
    min_left: timedelta = timedelta(days=7)
    strategy: Strategy = Strategy.AUTO
    verify: Verify = Verify.SELF
    revoke: Revoke = Revoke.MANUAL
    drain: timedelta = timedelta(hours=2)
    calendar: Calendar = ALWAYS
    consumers: tuple[str, ...] = ()
    on_violation: OnViolation = OnViolation.ALERT
    severity: Mapping[Code, Severity] = field(default_factory=dict)
    key_type: str | None = None
    dormant_after: timedelta = timedelta(days=90)

    @property
    def expiry_lead(self) -> timedelta:
        """How long before its expiry a key is due."""
        return max(self.warn_before, self.min_left)

    def age_limit(self, scopes: frozenset[Scope] | None) -> timedelta:
        """Return the greatest age of a key with these scopes.

        The widest scope alone decides; a key whose scopes are unknown gets the
        shortest age that the policy knows.
        """
        if not self.max_age_of:
            return self.max_age
        if scopes is None:
            return min(self.max_age, *(age for _, age in self.max_age_of))
        widest = next((s for s in WIDTH if s in scopes), None)
        if widest is None:
            return self.max_age
        ages = (age for pattern, age in self.max_age_of if matches(widest, pattern))
        return next(ages, self.max_age)


DEFAULT_POLICY = Policy()


@dataclass(frozen=True, slots=True)
class ExchangeTraits:
    """What the core knows of an exchange.

    `creates_keys` and `deletes_keys` say what its adapter can do for the
    credential's kind of key; `needs_parent` that another, stronger key signs for
    it.  `closes_at` is the date of closing (past = closed), `source` where that
    news stands.  `life_without_addresses` is how long a key without an address
    list lives after its creation, where the exchange documents that.
    """

    name: ExchangeName
    creates_keys: bool = False
    deletes_keys: bool = False
    lists_keys: bool = False
    overlap: bool = False
    needs_parent: bool = True
    keys_page: str = ""
    closes_at: datetime | None = None
    source: str = ""
    life_without_addresses: timedelta | None = None

    @property
    def rotates(self) -> bool:
        """Say whether a program can replace a key while the old one lives on."""
        return self.creates_keys and self.deletes_keys and self.overlap

    def closed(self, now: datetime) -> bool:
        """Say whether the exchange is closed."""
        return self.closes_at is not None and now >= self.closes_at


def resolve_strategy(
    credential: Credential,
    policy: Policy,
    traits: ExchangeTraits | None,
    *,
    serves_as_parent: bool = False,
) -> Strategy:
    """Return the strategy of a credential: its own word, else its policy's.

    `auto` is overlap where a program can create and delete with both keys alive,
    else assisted; a key that itself manages others is replaced by a person where
    the exchange wants a stronger key for it.  A word that is no strategy, and an
    exchange without adapter, give observe.
    """
    word = credential.strategy or policy.strategy.value
    if word not in STRATEGY_WORDS:
        return Strategy.OBSERVE
    strategy = Strategy(word)
    if strategy is not Strategy.AUTO:
        return strategy
    if traits is None:
        return Strategy.OBSERVE
    if not traits.rotates or (serves_as_parent and traits.needs_parent):
        return Strategy.ASSISTED
    return Strategy.OVERLAP
