"""One pass: inventory, looks, listings, judgement, plan.

A pass changes nothing at a credential's path or at an exchange; it raises the
epoch, and writes facts that changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace

from rotator.core.checks import Slots, Watched, estate_findings, judge
from rotator.core.facts import Credential, KeyFacts, Look
from rotator.core.findings import Code, Finding
from rotator.core.names import AccountId, CredentialName, ExchangeName
from rotator.core.outcome import StoreError
from rotator.core.saga.words import Standstill
from rotator.core.schedule import Paths, Surroundings
from rotator.engine.accounts import Account
from rotator.engine.clock import Clock
from rotator.engine.contexts import Around, HoldBook, Owed, Settings, account_of, nothing_owed
from rotator.engine.derived import Derived, Past
from rotator.engine.facts_memory import FactsMemory
from rotator.engine.houses import Houses
from rotator.engine.hub import InventoryHub
from rotator.engine.incidents import Incidents
from rotator.engine.judging import LIGHT, Gathered, Judged, accounts_in, judge_all, void_orders
from rotator.engine.listings import Listings
from rotator.engine.looks import Looks, all_of
from rotator.engine.snapshot import Snapshot
from rotator.engine.twins import find_twins
from rotator.engine.watch import Watch
from rotator.stores.epoch import Epoch, Going, Standing
from rotator.stores.inventory import InventoryResult
from rotator.stores.journal import Journal
from rotator.stores.publisher import PathState


@dataclass(slots=True)
class PassRunner:
    """Runs passes, one at a time.

    `raises` False leaves the epoch alone (`check` only looks).  `owed` says of a
    rotation why its deletion was refused.  Holds and commands are those that
    `watch` last read.  `notes` are sentences that each of its snapshots carries.
    """

    epoch: Epoch
    hub: InventoryHub
    looks: Looks
    listings: Listings
    facts: FactsMemory
    journal: Journal
    watch: Watch
    houses: Houses
    settings: Settings
    clock: Clock
    breathe: Callable[[], Awaitable[None]]
    raises: bool = True
    owed: Owed = nothing_owed
    notes: tuple[str, ...] = ()
    incidents: Incidents = field(default_factory=Incidents)
    latest: Snapshot | None = None
    accounts: tuple[Account, ...] = ()
    _standing: Standing | None = None
    _around: Around | None = None
    _armed: Paths = field(init=False)
    _past: Past = field(init=False)
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self._armed = Paths(self.settings.limits.armed)
        self._past = Past(self.journal)

    async def run(
        self, *, force: bool = False, only: frozenset[CredentialName] | None = None
    ) -> Snapshot:
        """Run one pass; `force` looks at every key and lists every account.

        `only` looks at these whether due or not, and lists their accounts alone.
        Raises StoreError if the inventory or the journal cannot be read at all.
        """
        async with self._one:
            return await self._run(force=force, only=only)

    async def _run(self, *, force: bool, only: frozenset[CredentialName] | None) -> Snapshot:
        problems = [*self.notes, *await self._stand()]
        await self.facts.load()
        gathered = Gathered(await self.hub.take(), problems=problems)
        await self._look(gathered, force=force, only=only or frozenset())
        self.accounts = await accounts_in(gathered.taken.result, self.looks, self.breathe)
        async with self.listings.turn:
            await self.listings.refresh(_of(self.accounts, only), force=force)
            derived = await self._derive()
            await self._sort(gathered, derived)
        around = await self._gather(gathered, derived)
        self._around = around
        surroundings = self._surroundings(gathered, around)
        before = self.latest.by_name if self.latest is not None else {}
        judged = await judge_all(gathered, around, surroundings, self.breathe, before)
        self.latest = self._snapshot(gathered, around, surroundings, judged)
        return self.latest

    # standing

    async def _stand(self) -> list[str]:
        """Find out whether the store was restored; if that cannot be told, nothing is done."""
        try:
            if isinstance(self._standing, Going) and self.raises:
                self._standing = await self.epoch.raise_epoch()
            else:
                self._standing = await self.epoch.judge(acts=self.raises)
                if isinstance(self._standing, Going) and self.raises:
                    self._standing = await self.epoch.raise_epoch()
        except StoreError as error:
            self._standing = None
            return [f"the epoch cannot be told, so nothing is done: {error}"]
        return []

    async def may_act(self) -> bool:
        """Say whether anything may be driven before the first pass.  Never raises."""
        try:
            return isinstance(await self.epoch.judge(), Going)
        except StoreError:
            return False

    # looking

    async def _look(
        self, gathered: Gathered, *, force: bool, only: frozenset[CredentialName]
    ) -> None:
        entries = gathered.taken.result.entries
        await gathered.index(self.breathe)
        parents = gathered.parents
        targets = [e for e in entries if e.credential.managed or e.credential.name in parents]
        wanted = all_of(targets) if force else only
        gathered.looks = await self.looks.run(targets, wanted)

    async def _derive(self) -> Derived:
        """Read the journal, and what a rotation that a person asked for may stand over."""
        now = self.clock.now()
        survey = await self.journal.survey(now)
        derived = Derived(now, Paths(self.settings.limits.canary))
        for number, journaled in enumerate(survey.records.values(), 1):
            derived.note(journaled)
            if number % LIGHT == 0:
                await self.breathe()
        for record in derived.manual:
            for older in await self._past.of(record.path):
                derived.note_end(older)
        for exchange in derived.halted:
            await self._lift(derived, exchange)
        return derived

    async def _lift(self, derived: Derived, exchange: ExchangeName) -> None:
        """Look in the past of later rotations for the `rotate` that lifted a halt."""
        for record in derived.overwritten(exchange):
            for older in await self._past.of(record.path):
                derived.note_end(older)
            if exchange not in derived.halted:
                return

    async def _sort(self, gathered: Gathered, derived: Derived) -> None:
        """Judge the listed keys; what is new is compared with an inventory begun later."""
        if not await self.listings.sort(gathered.taken, derived.records):
            return
        latest = max(listed.at for listed in self.listings.latest)
        gathered.taken = await self.hub.complete_after(latest)
        await gathered.index(self.breathe)
        await self.listings.sort(gathered.taken, derived.records)

    # judging

    async def _gather(self, gathered: Gathered, derived: Derived) -> Around:
        result = gathered.taken.result
        around = Around(
            now=self.clock.now(),
            settings=self.settings,
            armed=self._armed,
            houses=self.houses,
            looks=self.looks,
            entries=gathered.entries,
            complete=result.complete,
            parents=gathered.parents,
            derived=derived,
            incidents=self.incidents,
            twins=await find_twins(result, self.breathe),
            told=self.listings.told(),
            slots=self._slots,
            owed=self.owed,
            holds=HoldBook.of(self.watch),
            orders=self.watch.orders,
        )
        watched: list[Watched] = []
        for number, entry in enumerate(result.entries, 1):
            seen = around.watched(entry)
            watched += () if seen is None else (seen,)
            if number % LIGHT == 0:
                await self.breathe()
        self.incidents.judge(watched)
        return around

    def _slots(self, credential: Credential, known: KeyFacts | None) -> Slots | None:
        account = account_of(credential, known)
        if account is None or credential.exchange is None:
            return None
        return self.listings.slots((credential.exchange, credential.environment, account))

    def _surroundings(self, gathered: Gathered, around: Around) -> Surroundings:
        derived = around.derived
        return Surroundings(
            limits=self.settings.limits,
            open=derived.occupied(gathered.paths),
            halted=derived.halted | derived.lost(gathered.paths),
            incident=self.incidents.any,
            restored=not isinstance(self._standing, Going),
            canary_done=derived.canary_done,
            armed_since=self.settings.armed_since,
        )

    def _snapshot(
        self, gathered: Gathered, around: Around, surroundings: Surroundings, judged: Judged
    ) -> Snapshot:
        result = gathered.taken.result
        problems = [*gathered.problems, *self._facts_problem(), *void_orders(around)]
        return Snapshot(
            at=around.now,
            standing=self._standing,
            complete=result.complete,
            credentials=tuple(judged.seen.values()),
            findings=(*self._estate(result), *judged.findings),
            incidents=self.incidents.confirmed,
            plan=judged.plan,
            around=surroundings,
            creates={e: tuple(times) for e, times in around.derived.creates.items()},
            listed=self.listings.latest,
            others=result.others,
            other_paths=result.other_paths,
            faults=result.faults,
            problems=tuple(problems),
            looks=gathered.looks,
            by_name=judged.seen,
        )

    def _estate(self, result: InventoryResult) -> Iterable[Finding]:
        mounts = sorted({path.partition("/")[0] for path in self.settings.paths})
        uncovered = () if result.paths_cover_mount else tuple(f"the rest of {m}/" for m in mounts)
        standing = self._standing
        restored = None if standing is None or isinstance(standing, Going) else standing.message
        return estate_findings(self.settings.state, restored=restored, uncovered=uncovered)

    def _facts_problem(self) -> tuple[str, ...]:
        if not self.facts.problem:
            return ()
        return (f"facts/ could not be kept {self.facts.problems} times: {self.facts.problem}",)

    def standstill(self) -> Standstill | None:
        """Say why nothing may be deleted or opened anywhere now; None if it may."""
        if self.latest is None:
            return Standstill("the first look at all keys is not over yet")
        if not isinstance(self._standing, Going):
            restored = "the store may have been restored from a backup"
            return Standstill(restored, Code.STORE_RESTORED)
        incident = self.incidents.sentence()
        return None if incident is None else Standstill(incident, Code.MASS_INVALIDATION)

    def known(self, credential: Credential, state: PathState) -> KeyFacts | None:
        """Return what an earlier look told of the very key that a path holds now."""
        entry = self._around.entries.get(credential.name) if self._around else None
        if entry is None or state.key_fp != entry.stored.key_fp:
            return None
        return self.looks.known(entry)

    def owner(self, name: CredentialName) -> AccountId | None:
        """Return the account of a credential's key as the exchange told it."""
        entry = self._around.entries.get(name) if self._around else None
        facts = self.looks.known(entry) if entry is not None else None
        return facts.account_id if facts is not None else None

    # opening

    def rejudge(self, credential: Credential, state: PathState, look: Look) -> str | None:
        """Judge a credential by a new look at the key just read; return what blocks it.

        Everything else is as the last pass saw it, so a path that has moved since
        waits for the next pass.
        """
        around = self._around
        entry = around.entries.get(credential.name) if around else None
        if around is None or entry is None:
            return "it was not judged yet"
        if state.version != entry.stored.version or state.key_fp != entry.stored.key_fp:
            return "the path has changed since it was judged"
        if (standstill := self.standstill()) is not None:
            return standstill.sentence
        self.looks.note(entry, look)
        around = replace(around, now=self.clock.now())
        judgement = judge(around.given(entry))
        candidate = around.candidate(entry, judgement)
        if judgement.blocking or candidate.holds:
            return f"blocked by {', '.join((*judgement.blocking, *candidate.holds))}"
        due = judgement.due_at is not None and judgement.due_at <= around.now
        return None if due or candidate.asked else "it is not due any more"


def _of(
    accounts: tuple[Account, ...], only: frozenset[CredentialName] | None
) -> tuple[Account, ...]:
    """Return the accounts that hold one of these credentials; all where None are named."""
    if only is None:
        return accounts
    return tuple(a for a in accounts if any(member.name in only for member in a.members))
