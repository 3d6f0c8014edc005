"""Removes one confirmed stray: clock, probe, guard and deletion as one step."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from rotator.core.facts import Credential
from rotator.core.liveness import Liveness
from rotator.core.names import (
    AccountId,
    CredentialName,
    ExchangeName,
    KeyId,
    RotationId,
    StorePath,
)
from rotator.core.outcome import Happened
from rotator.core.record import Record
from rotator.core.saga.words import Moment, Standstill
from rotator.core.schedule import Paths
from rotator.core.strays import Kind
from rotator.core.words import told
from rotator.engine.accounts import NO_RECORDS, Place, place_of
from rotator.engine.clock import Clock, moment
from rotator.engine.derived import Derived
from rotator.engine.houses import Houses
from rotator.engine.hub import InventoryHub, Taken
from rotator.engine.listings import Listed, Listings
from rotator.engine.watch import Watch
from rotator.exchanges.exchange import Exchange
from rotator.exchanges.port import Operation
from rotator.stores.held import Entry
from rotator.stores.journal import Journal
from rotator.stores.publisher import Publisher

STEP_LIMIT: Final = 5.0
"""Seconds from the probe within which the deletion is sent, or not at all."""

Probe = Callable[[Credential], Awaitable[Liveness]]
"""Says whether the key that a credential's path serves is alive."""


@dataclass(frozen=True, slots=True)
class Found:
    """A key that the tidy reports."""

    exchange: ExchangeName
    account: AccountId
    key_id: KeyId
    label: str | None
    kind: Kind
    rotation: RotationId | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was read after the listings: records, and then the paths."""

    derived: Derived
    versions: Mapping[StorePath, int]
    taken: Taken
    entries: Mapping[CredentialName, Entry]


@dataclass(slots=True)
class Remover:
    """Deletes strays of rotations whose path is armed.

    `probe` says whether the key that a credential's path serves is alive;
    `standstill` why nothing may be deleted anywhere now (an incident, a store
    that may be restored), None if it may.
    """

    hub: InventoryHub
    listings: Listings
    journal: Journal
    publisher: Publisher
    watch: Watch
    houses: Houses
    clock: Clock
    armed: Paths
    probe: Probe
    standstill: Callable[[], Standstill | None]

    async def remove(self, listed: Listed, found: Found, evidence: Evidence) -> str | None:
        """Delete one confirmed stray; return why it was left."""
        account, taken = listed.account, evidence.taken
        house = self.houses.get(account.exchange, account.environment)
        parent = self.hub.signing_key(account.parent) if account.parent else None
        if house is None or house.issuer is None or parent is None:
            return "nobody can delete it by API"
        if not taken.result.complete or taken.begun_at <= listed.at:
            return "the inventory is not complete, so a path that holds it could be missed"
        record = self._record(account.place, found, evidence)
        entry = evidence.entries.get(record.credential) if record else None
        if record is None or entry is None or entry.problem is not None:
            return "the credential that it was made for is not in the store"
        why = self._forbidden(entry)
        if why is not None:
            return why
        failure = await house.take(Operation.DELETE, parent)
        if failure is None:
            at = moment(self.clock)
            why = await self._guard(entry, evidence.versions.get(record.path, 0))
            why = why or self._late(house, at)
            if why is not None:
                return why
            failure = await house.delete_key(
                parent, account.account, found.key_id, at.at, budgeted=True
            )
        if failure is None or failure.happened is Happened.GONE:
            return None
        return f"{failure.meaning}: {told(failure.message, 200)}"

    def _record(self, place: Place, found: Found, evidence: Evidence) -> Record | None:
        """Return the record that proves a stray: the journal's, else the history's."""
        if found.rotation is None:
            return None
        record = evidence.derived.records.get(place, NO_RECORDS).get(found.rotation)
        record = record or self.listings.from_history(found.rotation)
        return record if record is not None and place_of(record) == place else None

    def _forbidden(self, entry: Entry) -> str | None:
        credential = entry.credential
        if not self.armed.cover(credential.path, credential.name):
            return "its path is not armed"
        held = self.watch.held(credential.name, credential.path)
        standstill = self.standstill()
        return held or (standstill.sentence if standstill is not None else None)

    async def _guard(self, entry: Entry, version: int) -> str | None:
        """Probe the key that stays, then look at path, record, holds and incidents at once."""
        if await self.probe(entry.credential) is not Liveness.ALIVE:
            return "the key that its path serves is not known to be alive"
        stored = entry.stored
        metadata, journaled, _ = await asyncio.gather(
            self.publisher.glance(stored.path),
            self.journal.version(stored.path, self.clock.now()),
            self.watch.read_holds(),
        )
        if metadata is None or metadata.current != stored.version:
            return "its path has changed meanwhile"
        if metadata.created_at != stored.path_created:
            return "its path was made again meanwhile"
        if journaled != version:
            return "its record has changed meanwhile"
        return self._forbidden(entry)

    def _late(self, house: Exchange, since: Moment) -> str | None:
        window = house.capabilities.receive_window
        limit = min(STEP_LIMIT, window.total_seconds() if window else STEP_LIMIT)
        spent = self.clock.monotonic() - since.mono
        return "the probe took too long" if spent > limit else None
