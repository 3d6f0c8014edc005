"""One running instance: its passes, its rotations, its tidy, over one store.

The daemon ticks it, `run --once` walks it through one round, `check` only lets it
look.  It holds no timer and no signal handler of its own.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from rotator.core.facts import Credential
from rotator.core.names import CredentialName, ExchangeName, RotationId
from rotator.core.opening import Pick, pick
from rotator.core.outcome import StoreError
from rotator.core.policy import DEFAULT_POLICY, Policy
from rotator.core.record import Record
from rotator.core.saga.words import Stay
from rotator.core.schedule import Limits, Occupied, Planned
from rotator.engine.accounts import place_of
from rotator.engine.clock import Clock
from rotator.engine.derived import BAD, went_badly
from rotator.engine.houses import Houses
from rotator.engine.opener import Wish
from rotator.engine.pass_ import PassRunner
from rotator.engine.pinned import pins_problem
from rotator.engine.reports import RotationReport
from rotator.engine.rotations import Rotations
from rotator.engine.snapshot import Snapshot
from rotator.engine.standing import owed, report
from rotator.engine.telling import Telling
from rotator.engine.tidy import Tidy, TidyReport
from rotator.engine.views import view_of
from rotator.engine.watch import Watch
from rotator.observe import events
from rotator.observe.metrics import Metrics, PassResult
from rotator.stores.journal import Journal
from rotator.stores.port import Health, KvStore

OPENING_SECONDS: Final = 6.0
"""How long a stop waits for rotations that are being opened: most wait for a budget."""

DRAIN_SECONDS: Final = 30.0
"""How long a stop waits for drivers to reach a safe place; longer than any request."""

STANDSTILL_SECONDS: Final = 75.0
"""The same while the store gives no answer: a new key's secret, which is nowhere else
yet, is kept for a minute."""


@dataclass(slots=True)
class Desk:
    """What an instance does, one verb per duty."""

    kv: KvStore
    clock: Clock
    passes: PassRunner
    rotations: Rotations
    tidy: Tidy
    watch: Watch
    journal: Journal
    houses: Houses
    telling: Telling
    metrics: Metrics
    limits: Limits
    policies: Mapping[str, Policy]
    rotates: bool = True
    skew: float | None = None
    health: Health | None = None
    _tried: set[CredentialName] = field(default_factory=set)
    _opening: dict[asyncio.Task[None], Planned] = field(default_factory=dict)
    _opened: dict[ExchangeName, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    _rendered: tuple[Snapshot, tuple[tuple[Record | None, Stay | None], ...]] | None = None
    _drawing: asyncio.Future[None] | None = None

    @property
    def snapshot(self) -> Snapshot | None:
        """What the last pass saw."""
        return self.passes.latest

    async def look(
        self, *, force: bool = False, only: frozenset[CredentialName] | None = None
    ) -> Snapshot:
        """Run one pass, and take up what the journal holds; raises StoreError."""
        began, standstill = self.clock.monotonic(), self.passes.standstill()
        await self.watch.read()
        for record in self.rotations.records():
            if record.closed:
                self.passes.listings.expire(place_of(record), record.written_at)
        try:
            snapshot = await self.passes.run(force=force, only=only)
        except StoreError:
            self.metrics.pass_ended(
                PassResult.FAILED, self.clock.monotonic() - began, self.clock.now()
            )
            raise
        seconds = self.clock.monotonic() - began
        result = PassResult.COMPLETE if snapshot.complete else PassResult.INCOMPLETE
        self.metrics.pass_ended(result, seconds, snapshot.at)
        self._tell(snapshot, seconds)
        self._tried.clear()
        await self._stand(acts=snapshot.acts)
        if self.passes.standstill() != standstill:
            self.rotations.reconsider()
        return snapshot

    async def _stand(self, *, acts: bool) -> None:
        """Drive what is open; in a store that may be restored, nothing is driven."""
        if not self.rotates:
            return
        if not acts:
            await self.drain(STANDSTILL_SECONDS)
            self.rotations.stop.clear()
            return
        self.rotations.take_up(await self.journal.survey(self.clock.now()))

    async def take_up(self) -> None:
        """Drive the open records before the first pass, unless the store looks restored."""
        await self.watch.read()
        if self.rotates and await self.passes.may_act():
            await self._stand(acts=True)

    async def open_due(self) -> Pick:
        """Open what is due and allowed now; each credential is tried once per pass."""
        snapshot = self.snapshot
        if snapshot is None or not snapshot.acts or not self.rotates:
            return Pick((), (), None)
        halted = self._halted(snapshot.at)
        wanted = [
            p
            for p in snapshot.plan
            if p.credential not in self._tried and (p.asked or p.exchange not in halted)
        ]
        creates = {e: [*snapshot.creates.get(e, ()), *times] for e, times in self._opened.items()}
        chosen = pick(
            wanted,
            (*self.rotations.occupied(), *map(_occupied, self._opening.values())),
            self.limits,
            {**snapshot.creates, **creates},
            self.clock.now(),
        )
        for planned in chosen.open:
            self._tried.add(planned.credential)
            # A task of its own: waiting for an exchange's budget must not stop the passes.
            task = asyncio.create_task(self._open(snapshot, planned), name="opening")
            self._opening[task] = planned
        return chosen

    @property
    def opening(self) -> int:
        """How many rotations are being opened, which may take an exchange's time."""
        return len(self._opening)

    async def _open(self, snapshot: Snapshot, planned: Planned) -> None:
        """Open one rotation: a task boundary."""
        try:
            await self._try_open(snapshot, planned)
        except Exception as error:  # noqa: BLE001 - the boundary of this task
            self.telling.crashed(planned.path, error)
        finally:
            task = asyncio.current_task()
            if task is not None:
                self._opening.pop(task, None)
            self.rotations.wake()

    async def _settle_openings(self, seconds: float) -> None:
        """Let what is being opened come to its end, or give it up."""
        self.rotations.stop.set()
        tasks = tuple(self._opening)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=min(seconds, OPENING_SECONDS))
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def drain(self, seconds: float = DRAIN_SECONDS) -> int:
        """Bring every rotation to a safe place; return how many drivers were cut off."""
        until = self.clock.monotonic() + seconds
        await self._settle_openings(seconds)
        return await self.rotations.drain(max(0.0, until - self.clock.monotonic()))

    async def _try_open(self, snapshot: Snapshot, planned: Planned) -> None:
        credential = snapshot.by_name[planned.credential].credential
        wish = Wish(credential, self._policy(credential), planned.trigger)
        refused = await self.rotations.open(wish)
        if refused is None:
            if planned.exchange is not None:
                self._opened[planned.exchange].append(self.clock.now())
            return
        self.telling.log.info(
            "rotation_not_opened",
            credential=planned.credential,
            reason=refused.reason,
            cure=refused.cure,
        )

    def _policy(self, credential: Credential) -> Policy:
        return self.policies.get(credential.policy, DEFAULT_POLICY)

    def _halted(self, since: datetime) -> set[ExchangeName]:
        """Exchanges where a rotation of this run went badly: no further one is opened.

        What went badly before `since`, and is over, the last pass has judged.
        """
        return {
            r.pins.exchange
            for r in self.rotations.records()
            if r.phase in BAD or ((at := went_badly(r)) is not None and at > since)
        }

    async def tidy_up(self) -> TidyReport:
        """Look for strays, and remove what is certain; raises StoreError."""
        tidied = await self.tidy.run(self.passes.accounts)
        log = self.telling.log
        for found in tidied.deleted:
            log.warning(events.STRAY_DELETED, exchange=found.exchange, account=found.account)
            await self.telling.happened(
                "stray_deleted", exchange=found.exchange, account=found.account, label=found.label
            )
        log.info(
            events.TIDY,
            deleted=len(tidied.deleted),
            foreign=len(tidied.foreign),
            unserved=len(tidied.unserved),
            left=list(tidied.left),
            problems=list(tidied.problems),
        )
        return tidied

    async def feel(self) -> Health:
        """Ask the store how it is; never raises.  Renews a due login."""
        before, sent = self.health, self.clock.now()
        self.health = health = await self.kv.health()
        half = (self.clock.now() - sent) / 2
        if health.server_time is not None:
            self.skew = (health.server_time - (sent + half)).total_seconds()
        self.metrics.store_health(
            up=health.up, sealed=health.sealed, token_expires_at=health.token_expires_at
        )
        if before is not None and before.up != health.up:
            event = events.STORE_BACK if health.up else events.STORE_DOWN
            self.telling.log.warning(event, message=health.message, sealed=health.sealed)
        return health

    def reports(self) -> list[RotationReport]:
        """Return every rotation of this run, those closed in it included."""
        now = self.clock.now()
        return [report(stand, now) for stand in self.rotations.stands.values()]

    def owes(self, rotation: RotationId) -> str | None:
        """Say why a rotation's deletion was refused."""
        for stand in self.rotations.open_stands():
            if stand.record is not None and stand.record.rotation == rotation and owed(stand):
                return stand.stay.sentence if stand.stay else None
        return None

    async def render(self) -> None:
        """Render the metrics anew if anything has changed, in a worker thread."""
        snapshot, now = self.snapshot, self.clock.now()
        if snapshot is None:
            return
        stands = tuple(replace(stand) for stand in self.rotations.open_stands())
        standing = tuple((stand.record, stand.stay) for stand in stands)
        before = self._rendered
        if before is not None and before[0] is snapshot and before[1] == standing:
            return

        def draw() -> None:
            self.metrics.render(view_of(snapshot, stands, self.houses, now))

        self._drawing = asyncio.ensure_future(asyncio.to_thread(draw))
        await asyncio.shield(self._drawing)
        self._rendered = (snapshot, standing)

    def pins_problem(self, record: Record) -> str | None:
        """Say which pin of a record the present configuration contradicts (rule 8)."""
        exchange = self.houses.get(record.pins.exchange, record.pins.environment)
        if exchange is not None and exchange.origin.url != record.pins.host:
            return "the exchange's host is another than when the rotation was opened"
        seen = self.snapshot.by_name.get(record.credential) if self.snapshot else None
        if seen is None:
            return None
        parent = record.pins.parent
        owner = self.passes.owner(parent) if parent is not None else None
        return pins_problem(record.pins, seen.credential, owner)

    async def rest(self, seconds: float = DRAIN_SECONDS) -> int:
        """End all work: drivers reach a safe place, or are cut off after so many seconds.

        Returns how many were.  When it returns nothing is driven, read or drawn any more.
        """
        late = await self.drain(seconds)
        await self.passes.hub.close()
        if self._drawing is not None:
            await asyncio.wait([self._drawing])
        return late

    async def close(self) -> int:
        """End all work and close the connections; returns drivers cut off."""
        late = await self.rest()
        await self.houses.aclose()
        await self.kv.close()
        self.telling.audit.close()
        return late

    def _tell(self, snapshot: Snapshot, seconds: float) -> None:
        head = self.telling.audit.head
        self.telling.log.info(
            events.PASS,
            credentials=len(snapshot.credentials),
            others=snapshot.others,
            findings=len(snapshot.findings),
            complete=snapshot.complete,
            looks=snapshot.looks,
            seconds=round(seconds, 3),
            faults=[f"{f.path}: {f.message}" for f in snapshot.faults[:5]],
            problems=list(snapshot.problems),
            standing="going" if snapshot.acts else (snapshot.restored or "unknown"),
            audit_seq=head.seq,
            audit_head=head.hash,
        )


def _occupied(planned: Planned) -> Occupied:
    """Return what a rotation that is being opened takes of the limits."""
    return Occupied(
        planned.credential, planned.path, planned.exchange, planned.account, created=False
    )
