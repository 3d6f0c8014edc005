"""The tidy: finds and deletes the strays that rotations left at the exchanges.

For each account the keys are listed first, then the records and the history are
read, then the paths.  A stray is deleted when it was seen twice, 30 s apart, and
only in one step: clock, probe of the key that its path serves, guard, deletion.
Foreign keys are never touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from rotator.core.names import KeyId, StorePath
from rotator.core.outcome import StoreConflict, StoreError
from rotator.core.schedule import Paths
from rotator.core.strays import SEEN_APART, Judged, Kind, confirmed
from rotator.core.words import key_told, told
from rotator.engine.accounts import Account
from rotator.engine.clock import Clock
from rotator.engine.derived import Derived
from rotator.engine.hub import InventoryHub
from rotator.engine.listings import Listed, Listings
from rotator.engine.removal import Evidence, Found, Remover
from rotator.engine.sightings import Sightings
from rotator.stores.journal import Journal

BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class TidyReport:
    """What one tidy did and saw.

    `pending_second_look_at` is when the first of the strays seen once may be
    looked at again.  `left` says of each confirmed stray why it was not deleted.
    """

    deleted: tuple[Found, ...] = ()
    foreign: tuple[Found, ...] = ()
    unserved: tuple[Found, ...] = ()
    strays: tuple[Found, ...] = ()
    pending_second_look_at: datetime | None = None
    left: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(slots=True)
class _Tally:
    """The report while it is being made."""

    deleted: list[Found] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    pending: list[datetime] = field(default_factory=list)


@dataclass(slots=True)
class Tidy:
    """Finds strays, and has them removed at their second sighting."""

    hub: InventoryHub
    listings: Listings
    journal: Journal
    sightings: Sightings
    remover: Remover
    clock: Clock

    async def run(self, accounts: Sequence[Account]) -> TidyReport:
        """List, judge, and delete what is certain.

        Raises StoreError if journal, inventory or sightings cannot be read at all;
        what fails for one account is a problem in the report.
        """
        async with self.listings.turn:
            await self.listings.refresh(accounts, force=True)
            evidence = await self._evidence()
            listings = self.listings.latest
        await self.sightings.read(self.clock.now())
        tally = _Tally()
        for listed in listings:
            await self._account(listed, evidence, tally)
            await self.listings.breathe()
        return _report(listings, tally)

    async def _evidence(self) -> Evidence:
        """Read the journal, then an inventory begun after the listings if any key wants it."""
        derived = Derived(self.clock.now(), Paths(()))
        survey = await self.journal.survey(derived.now)
        versions: dict[StorePath, int] = {}
        for number, journaled in enumerate(survey.records.values(), 1):
            versions[journaled.path] = journaled.version
            derived.note(journaled)
            if number % BATCH == 0:
                await self.listings.breathe()
        taken = self.hub.latest or await self.hub.take()
        wanting = await self.listings.sort(taken, derived.records)
        listings = self.listings.latest
        if wanting or any(listed.of_kind(Kind.STRAY) for listed in listings):
            taken = await self.hub.complete_after(max(listed.at for listed in listings))
            await self.listings.sort(taken, derived.records)
        entries = {entry.credential.name: entry for entry in taken.result.entries}
        return Evidence(derived, versions, taken, entries)

    async def _account(self, listed: Listed, evidence: Evidence, tally: _Tally) -> None:
        account = listed.account
        if listed.listing is None:
            why = listed.failure.message if listed.failure else "nobody can sign for it"
            tally.problems.append(f"{_name(account)} could not be listed: {told(why, 200)}")
            return
        strays = {j.key.key_id: j for j in listed.of_kind(Kind.STRAY) if j.key.key_id is not None}
        try:
            await self._strays(listed, strays, evidence, tally)
        except StoreConflict:
            tally.problems.append(f"another daemon tidies {_name(account)}")
        except StoreError as error:
            tally.problems.append(f"{_name(account)}: {error}")

    async def _strays(
        self, listed: Listed, strays: Mapping[KeyId, Judged], evidence: Evidence, tally: _Tally
    ) -> None:
        account, listing = listed.account, listed.listing
        kept = set(strays)
        if listing is not None and not listing.complete:
            kept |= set(self.sightings.of(account).first)
        seen = await self.sightings.keep(account, kept, listed.at)
        for key_id, judged in strays.items():
            first = seen.first.get(key_id)
            if not confirmed(first, listed.at):
                tally.pending.append((first or listed.at) + SEEN_APART)
                continue
            found = _found(account, judged, key_id)
            why = await self.remover.remove(listed, found, evidence)
            if why is None:
                tally.deleted.append(found)
                kept.discard(key_id)
            else:
                tally.left.append(f"{key_told(key_id)} of {_name(account)} stays: {why}")
        await self.sightings.keep(account, kept, listed.at)


def _report(listings: Sequence[Listed], tally: _Tally) -> TidyReport:
    gone = {found.key_id for found in tally.deleted}
    found = [
        _found(listed.account, judged, judged.key.key_id)
        for listed in listings
        for judged in listed.judged
        if judged.key.key_id is not None and judged.key.key_id not in gone
    ]
    return TidyReport(
        deleted=tuple(tally.deleted),
        foreign=tuple(f for f in found if f.kind is Kind.FOREIGN),
        unserved=tuple(f for f in found if f.kind is Kind.UNSERVED),
        strays=tuple(f for f in found if f.kind is Kind.STRAY),
        pending_second_look_at=min(tally.pending, default=None),
        left=tuple(tally.left),
        problems=tuple(tally.problems),
    )


def _found(account: Account, judged: Judged, key_id: KeyId) -> Found:
    return Found(
        account.exchange, account.account, key_id, judged.key.label, judged.kind, judged.rotation
    )


def _name(account: Account) -> str:
    return f"account {told(account.account)} of {told(account.exchange)}"
