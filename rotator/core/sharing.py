"""One object for equal values: ten thousand keys with the same powers hold them once."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from rotator.core.facts import KeyFacts

T = TypeVar("T", bound=Hashable)

MOST: Final = 4096
"""Different values that are shared; whatever comes later is left as it is."""


@dataclass(slots=True)
class Shared:
    """A table of values, each standing for all that are equal to it and of its type."""

    _known: dict[tuple[type, Any], Any] = field(default_factory=dict)

    def one(self, value: T) -> T:
        """Return the value that was first seen equal to this one."""
        name = (type(value), value)
        if len(self._known) < MOST:
            found: T = self._known.setdefault(name, value)
            return found
        kept: T = self._known.get(name, value)
        return kept

    def facts(self, facts: KeyFacts) -> KeyFacts:
        """Return the same facts, with shared values for what many keys have in common."""
        return replace(
            facts,
            account_id=self.one(facts.account_id),
            parent_account_id=self.one(facts.parent_account_id),
            scopes=self.one(facts.scopes),
            native=self.one(facts.native),
            native_flags=self.one(facts.native_flags),
            unknown_native=self.one(facts.unknown_native),
            ip_allowlist=self.one(facts.ip_allowlist),
        )
