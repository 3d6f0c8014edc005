"""Lists the keys of each account, and says what each is: served, ours, a stray, or foreign.

The order is the contract: the keys first, then the records and the history, then
the paths; a key that was made in between can then never look like a stray.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from rotator.core.checks import ListedKey, Slots
from rotator.core.facts import KeyFacts
from rotator.core.names import CredentialName, KeyId, RotationId, SigningKey
from rotator.core.outcome import Failure
from rotator.core.record import Record, read_label
from rotator.core.strays import Judged, Kind
from rotator.engine.accounts import (
    CODES,
    NO_RECORDS,
    Account,
    Place,
    Records,
    place_of,
    sort_keys,
    told,
)
from rotator.engine.clock import Clock
from rotator.engine.houses import Houses
from rotator.engine.hub import Taken
from rotator.exchanges.port import Listing
from rotator.stores.fingerprints import Fingerprints
from rotator.stores.journal import Journal

LANES: Final = 4
HISTORY_READS: Final = 64
"""Labels of one listing whose record is looked for in the history."""

BATCH: Final = 25
MANY: Final = 4096

SLACK: Final = 1.5
"""A pass lists by itself what the tidy has not listed for so many of its periods."""


Breathe = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Listed:
    """What a listing of one account came to; `at` was read before it was asked for."""

    account: Account
    at: datetime
    listing: Listing | None
    failure: Failure | None = None
    judged: tuple[Judged, ...] = ()

    def of_kind(self, kind: Kind) -> tuple[Judged, ...]:
        """Return the keys of one kind."""
        return tuple(j for j in self.judged if j.kind is kind)


@dataclass(slots=True)
class Listings:
    """The last listing of each account; `every` is the tidy's period.

    Whoever lists, reads the records and judges holds `turn` from the first of
    these to the last, so that nobody judges keys by records that are older.
    """

    houses: Houses
    signing_key: Callable[[CredentialName], SigningKey | None]
    journal: Journal
    marks: Fingerprints
    clock: Clock
    breathe: Breathe
    every: timedelta
    within: timedelta = timedelta(minutes=5)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _listed: dict[Place, Listed] = field(default_factory=dict)
    _changed: set[Place] = field(default_factory=set)
    _history: dict[RotationId, Record] = field(default_factory=dict)
    _missed: dict[RotationId, datetime] = field(default_factory=dict)

    @property
    def latest(self) -> tuple[Listed, ...]:
        """The last listing of every account."""
        return tuple(self._listed.values())

    def of(self, place: Place) -> Listed | None:
        """Return the last listing of an account."""
        return self._listed.get(place)

    def expire(self, place: Place, changed_at: datetime) -> None:
        """Have an account listed anew: a rotation changed its keys after the last listing."""
        listed = self._listed.get(place)
        if listed is not None and listed.at <= changed_at:
            self._changed.add(place)

    async def refresh(self, accounts: Sequence[Account], *, force: bool = False) -> None:
        """List the accounts whose listing is old, each once; `force` lists all of them."""
        known = {account.place for account in accounts}
        self._listed = {p: listed for p, listed in self._listed.items() if p in known}
        due = [a for a in accounts if (force or self._due(a)) and self._can(a)]
        give_up = self.clock.monotonic() + self.within.total_seconds()
        lanes: dict[tuple[str, str], list[Account]] = {}
        for account in due:
            lanes.setdefault((account.exchange, account.environment), []).append(account)
        async with asyncio.TaskGroup() as group:
            for found in lanes.values():
                todo = iter(found)
                for _ in range(min(LANES, len(found))):
                    group.create_task(self._lane(todo, give_up))

    def _due(self, account: Account) -> bool:
        listed = self._listed.get(account.place)
        if listed is None or account.place in self._changed:
            return True
        return self.clock.now() - listed.at >= self.every * SLACK

    def _can(self, account: Account) -> bool:
        house = self.houses.get(account.exchange, account.environment)
        return house is not None and house.capabilities.lists_keys and house.closed() is None

    async def _lane(self, todo: Iterator[Account], give_up: float) -> None:
        for account in todo:
            if self.clock.monotonic() >= give_up:
                return
            self._changed.discard(account.place)
            self._listed[account.place] = await self._list(account)

    async def _list(self, account: Account) -> Listed:
        at = self.clock.now()
        house = self.houses.get(account.exchange, account.environment)
        key = self.signing_key(account.lister)
        if house is None or key is None:
            return Listed(account, at, None)
        answer = await house.list_keys(key, account.account)
        before = self._listed.get(account.place)
        # Until it is judged anew, what was told of the account stands.
        judged = before.judged if before else ()
        if isinstance(answer, Failure):
            return Listed(account, at, None, answer, judged)
        return Listed(account, at, answer, None, judged)

    async def sort(self, taken: Taken, records: Records) -> bool:
        """Judge every listed key; True if a newly told one wants an inventory begun later.

        `records` must have been read after the listings.  Raises StoreError where
        the history cannot be read.
        """
        wanting = False
        for number, (place, listed) in enumerate(list(self._listed.items()), 1):
            if number % BATCH == 0:
                await self.breathe()
            if listed.listing is None:
                continue
            keys = listed.listing.keys
            mine = await self._with_history(listed, keys, records.get(place, NO_RECORDS))
            judged = sort_keys(keys, mine, self._served(keys, taken))
            news = _told_ids(judged) - _told_ids(listed.judged)
            wanting = wanting or (bool(news) and taken.begun_at <= listed.at)
            self._listed[place] = replace(listed, judged=judged)
        return wanting

    def _served(self, keys: Sequence[KeyFacts], taken: Taken) -> frozenset[KeyId]:
        """Return the keys of a listing that stand anywhere in the store, unmapped fields too."""
        places = taken.result.places
        ids = (key.key_id for key in keys)
        return frozenset(k for k in ids if k is not None and self.marks.of(k) in places)

    async def _with_history(
        self, listed: Listed, keys: Sequence[KeyFacts], records: Mapping[RotationId, Record]
    ) -> Mapping[RotationId, Record]:
        """Return the account's records, and those of its labels that only the history has."""
        labels = (read_label(key.label) for key in keys)
        named = dict.fromkeys(label[0] for label in labels if label is not None)
        unknown = [rotation for rotation in named if rotation not in records][:HISTORY_READS]
        found = dict(records)
        for rotation in unknown:
            record = await self._from_history(listed, rotation)
            if record is not None and place_of(record) == listed.account.place:
                found[rotation] = record
        return found

    async def _from_history(self, listed: Listed, rotation: RotationId) -> Record | None:
        known = self._history.get(rotation)
        if known is not None or self._missed.get(rotation) == listed.at:
            return known
        for path in dict.fromkeys(member.path for member in listed.account.members):
            record = await self.journal.history(path, rotation)
            if record is not None and record.closed and record.rotation == rotation:
                self._history[rotation] = record
                return record
        if len(self._missed) >= MANY:
            self._missed.clear()
        self._missed[rotation] = listed.at
        return None

    def from_history(self, rotation: RotationId) -> Record | None:
        """Return a closed record that a label led to, if the history has it."""
        return self._history.get(rotation)

    def told(self) -> dict[CredentialName, tuple[ListedKey, ...]]:
        """Return what is told of each account's keys, at the first of its credentials."""
        found: dict[CredentialName, tuple[ListedKey, ...]] = {}
        for listed in self._listed.values():
            keys = told(listed.judged, listed.account.account)
            if keys:
                name = listed.account.members[0].name
                found[name] = found.get(name, ()) + keys
        return found

    def slots(self, place: Place) -> Slots | None:
        """Return how full an account is; None if that is not known."""
        listed = self._listed.get(place)
        house = self.houses.get(place[0], place[1])
        limit = house.capabilities.max_keys if house else None
        if listed is None or listed.listing is None or limit is None:
            return None
        return Slots(len(listed.listing.keys), limit)


def _told_ids(judged: Sequence[Judged]) -> set[tuple[KeyId | None, Kind]]:
    return {(j.key.key_id, j.kind) for j in judged if j.kind in CODES}
