"""Is a key alive?  Two looks, a control, and the parent's list where it may stand in.

The two looks of *dead* are 1 s apart.  The control is another key of the same
exchange asked from the same address: without it, a refusal may be about us.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from rotator.core.facts import KeyFacts, Look, Validity
from rotator.core.liveness import REFUSALS, Listed, Liveness, judge, listed_in
from rotator.core.names import AccountId, KeyId, SigningKey
from rotator.core.outcome import Failure
from rotator.core.saga.words import Moment
from rotator.engine.clock import Clock, moment
from rotator.exchanges.exchange import Exchange

APART: Final = 1.0
FRESH: Final = 5.0
"""Seconds for which a key that signed in stays the control of its exchange."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What one probe came to; `at` was read before its first request."""

    liveness: Liveness
    look: Look
    at: Moment
    listed: KeyFacts | None = None

    @property
    def facts(self) -> KeyFacts | None:
        """What the exchange told, by the key itself or by the list."""
        return self.look.facts or self.listed

    @property
    def detail(self) -> str:
        """One sentence for people."""
        if self.look.failure is None:
            return self.look.validity.value
        return f"{self.look.validity.value}: {self.look.failure.message}"[:300]


@dataclass(frozen=True, slots=True)
class Witness:
    """Who else may speak for a key: its parent, and the account it belongs to."""

    parent: SigningKey | None
    account: AccountId | None
    may_list: bool
    known_alive: KeyId | None = None


@dataclass(slots=True)
class Prober:
    """Probes keys of one exchange."""

    exchange: Exchange
    clock: Clock
    _signed_in: dict[KeyId, float] = field(default_factory=dict)

    async def probe(self, key: SigningKey, witness: Witness) -> Probe:
        """Return whether a key lives, by as few requests as certainty allows."""
        at = moment(self.clock)
        first = await self._look(key)
        second = control = None
        if _refused(first):
            control = await self._control(key, witness)
            await self.clock.sleep(APART)
            second = await self._look(key)
        listed, facts = Listed.UNKNOWN, None
        if witness.may_list and _wants_list(second or first):
            listed, facts = await self._list(key, witness)
        return Probe(judge(first, second, control, listed), second or first, at, facts)

    async def _look(self, key: SigningKey) -> Look:
        look = await self.exchange.inspect(key)
        if look.validity is Validity.VALID:
            self._signed_in[key.key_id] = self.clock.monotonic()
        return look

    async def _control(self, key: SigningKey, witness: Witness) -> Look | None:
        """Another key of the exchange that signs in: one that just did, else the parent."""
        now = self.clock.monotonic()
        others = (at for other, at in self._signed_in.items() if other != key.key_id)
        if any(now - at <= FRESH for at in others):
            return Look(Validity.VALID)
        if witness.parent is None or witness.parent.key_id == key.key_id:
            return None
        return await self._look(witness.parent)

    async def _list(self, key: SigningKey, witness: Witness) -> tuple[Listed, KeyFacts | None]:
        if witness.parent is None:
            return Listed.UNKNOWN, None
        listing = await self.exchange.list_keys(witness.parent, witness.account)
        if isinstance(listing, Failure):
            return Listed.UNKNOWN, None
        said = listed_in(
            listing.keys,
            key.key_id,
            complete=listing.complete,
            known_alive=witness.known_alive,
        )
        return said, next((k for k in listing.keys if k.key_id == key.key_id), None)


def _refused(look: Look) -> bool:
    failure = look.failure
    return failure is not None and not failure.candidates and failure.meaning in REFUSALS


def _wants_list(look: Look) -> bool:
    return look.validity is Validity.IP_BLOCKED


def used_at(probe: Probe) -> datetime | None:
    """Return the last use that the exchange tells of."""
    return probe.facts.last_used_at if probe.facts else None
