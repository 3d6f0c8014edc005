"""Drives one path's rotation: read the record, advance, write, act, and again.

Nothing that a driver remembers is needed: after any doubt it drops what it has
seen and reads the record anew (rule 2).  The one exception is a STAGED write
that surely did not land: its secret exists nowhere else, so the write is tried
again for up to a minute.

A driver ends when its rotation has ended, or, once it is told to stop, at the
next place where nothing is half-way: never between a CREATING record and the
answer to its create.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Protocol, assert_never

from rotator.core.names import CredentialName, StorePath
from rotator.core.outcome import Failure, Happened, StoreConflict, StoreError
from rotator.core.record import Phase, Record
from rotator.core.saga import Context, advance, observe
from rotator.core.saga.words import (
    Again,
    Closed,
    Do,
    Event,
    Moment,
    Seen,
    Stay,
    Write,
)
from rotator.engine.clock import moment
from rotator.engine.effects import Effects
from rotator.engine.tools import Tools
from rotator.exchanges.port import Operation
from rotator.stores.journal import Journaled, State

SKEW_LIMIT: Final = 30.0
STAGED_RETRY: Final = timedelta(seconds=60)
RETRY: Final = 1.0
STORE_BACK_OFF: Final = 5.0
AGAIN: Final = 0.05
"""Before a step is begun anew; longer each time that nothing came of it."""


class Told(Protocol):
    """Who hears what a driver does: logs, metrics and the audit."""

    async def opened(self, record: Record) -> None:
        """A rotation was opened."""
        ...

    async def wrote(self, before: Record | None, after: Record, event: Event) -> None:
        """A record landed."""
        ...

    def stays(self, record: Record, stay: Stay) -> None:
        """A rotation waits."""
        ...

    def trouble(self, record: Record | None, path: StorePath, message: str) -> None:
        """Something failed and will be tried again."""
        ...

    def crashed(self, path: StorePath, error: Exception) -> None:
        """A driver met an error that nobody foresaw; its rotation is taken up again."""
        ...


@dataclass(slots=True)
class Stand:
    """Where one rotation stands, for status and reports."""

    path: StorePath
    record: Record | None = None
    version: int = 0
    stay: Stay | None = None
    lost: Journaled | None = None
    problem: str = ""


@dataclass(slots=True)
class Driver:
    """Drives the rotation of one path."""

    tools: Tools
    effects: Effects
    told: Told
    stand: Stand
    stop: asyncio.Event
    pins_problem: Callable[[Record], str | None]
    _seen: Seen = field(default_factory=Seen)
    _stale: bool = True
    _agains: int = 0

    async def run(self) -> None:
        """Drive until the rotation has ended, or we are told to stop."""
        while True:
            try:
                if await self._round():
                    return
            except StoreError as error:
                self._forget(f"the store gives no answer: {error}")
                if await self._pause(STORE_BACK_OFF):
                    return

    async def _round(self) -> bool:
        """One decision; True when there is nothing more to drive."""
        if self._stale and not await self._read():
            return True
        record = self.stand.record
        if record is None:
            return True
        decision = advance(record, self._seen, self._context(record))
        match decision:
            case Do(effect):
                if self.stand.stay is not None and self.stand.stay.alert is None:
                    self.stand.stay = None  # what alarms stands until there is another answer
                answer = await self.effects.perform(record, self.stand.version, effect)
                self._seen = observe(self._seen, effect, answer)
                return False
            case Write():
                await self._write(record, decision)
                return self._may_end()
            case Again(reason):
                self._forget(reason)
                self._agains += 1
                return await self._pause(min(AGAIN * 2**self._agains, STORE_BACK_OFF))
            case Stay():
                return await self._stay(record, decision)
            case Closed():
                return True
            case _:
                assert_never(decision)

    def _may_end(self) -> bool:
        record = self.stand.record
        creating = record is not None and record.phase is Phase.CREATING and self.fresh_step
        halfway = creating and not isinstance(self._seen.created, Failure)
        return self.stop.is_set() and not halfway

    @property
    def fresh_step(self) -> bool:
        """True while only this driver knows that the present record is its own."""
        return self._seen.fresh_at is not None

    def _context(self, record: Record) -> Context:
        watch, creating = self.tools.watch, record.phase is Phase.CREATING
        return Context(
            now=self.tools.clock.now(),
            clock_ok=self._clock_ok(record),
            hold=watch.held(record.credential, record.path),
            order=watch.order(record.credential),
            pins_problem=self.pins_problem(record),
            no_parent=self.effects.keys.no_parent(record) if creating else None,
        )

    def _clock_ok(self, record: Record) -> bool:
        """Say whether our clock agrees with the store's and the exchange's (rule 7)."""
        exchange = self.effects.keys.exchange(record)
        offset = exchange.clock_offset if exchange else None
        theirs = abs(offset.total_seconds()) if offset is not None else 0.0
        return max(theirs, abs(self.tools.skew() or 0.0)) <= SKEW_LIMIT

    async def _read(self) -> bool:
        """Take the record from the journal; False if there is none to drive."""
        self._seen = Seen()
        journaled = await self.tools.journal.read(self.stand.path)
        self.stand.version = journaled.version
        if journaled.state is State.OPEN:
            self.stand.record, self.stand.lost = journaled.record, None
            self._stale = False
            return True
        self.stand.stay, self.stand.lost = None, None
        if journaled.counts_as_open:
            return await self._recover(journaled)
        if journaled.record is None and self.stand.record is not None:
            self._gone("the record is gone; keys of this rotation are foreign from now on")
        self.stand.record = journaled.record
        return False

    async def _recover(self, journaled: Journaled) -> bool:
        """A record that is deleted or destroyed: a person says what becomes of it."""
        self.stand.lost = journaled
        order = self.tools.watch.order(CredentialName(self.stand.path))
        if order is None or order.rotation != f"record-{journaled.version}":
            return False
        if journaled.state is State.DELETED and order.answer == "retry":
            await self.tools.journal.undelete(journaled)
            return await self._read()
        if journaled.state is State.DESTROYED:
            await self.tools.journal.bury(journaled)
            self._gone("the destroyed record is given up; its keys are foreign from now on")
            self.stand.record, self.stand.lost = None, None
        return False

    def _gone(self, message: str) -> None:
        self.told.trouble(self.stand.record, self.stand.path, message)

    def begin(self, record: Record, version: int, at: Moment) -> None:
        """Go on from a CREATING record that the opening has just written."""
        self.stand.record, self.stand.version = record, version
        self._seen, self._stale = Seen(fresh_at=at), False

    def _forget(self, reason: str) -> None:
        self.told.trouble(self.stand.record, self.stand.path, reason)
        self._stale = True
        self._seen = Seen()

    async def _write(self, before: Record, write: Write) -> None:
        after = write.record
        if after.phase is Phase.CREATING:
            refused = await self._budget(after)
            if refused is not None:
                self.told.trouble(before, before.path, f"no budget for a create: {refused.message}")
                wait = refused.retry_after or timedelta(seconds=STORE_BACK_OFF)
                await self._pause(min(wait.total_seconds(), 60.0))
                return
        at = moment(self.tools.clock)
        if after.phase is Phase.CREATING:
            # Its settle time counts from the clock value that signs the create.
            after = replace(after, written_at=at.at)
        version = await self._put(after, at)
        if version is None:
            return
        self._agains = 0
        self.stand.record, self.stand.version, self.stand.stay = after, version, None
        self._seen = Seen(fresh_at=at)
        await self.told.wrote(before, after, write.event)

    async def _budget(self, after: Record) -> Failure | None:
        """Obtain the budget of the create that the record announces, before the record."""
        exchange, parent = self.effects.keys.exchange(after), self.effects.keys.parent(after)
        if exchange is None or parent is None:
            return None
        return await exchange.take(Operation.CREATE, parent)

    async def _put(self, after: Record, at: Moment) -> int | None:
        """Write a record; None if this driver must read again."""
        give_up = at.at + STAGED_RETRY
        while True:
            try:
                return await self.tools.journal.write(after, self.stand.version)
            except StoreConflict:
                self._forget("somebody else wrote the record")
                return None
            except StoreError as error:
                landed = await self._after_failure(after, error, give_up)
                if landed is not False:
                    return landed

    async def _after_failure(
        self, after: Record, error: StoreError, give_up: datetime
    ) -> int | None | bool:
        """Return the version if the write landed, None to read again, False to try again."""
        if after.phase is not Phase.STAGED:
            raise error
        self.told.trouble(after, after.path, f"the new key is not stored yet: {error}")
        await self.tools.clock.sleep(RETRY)
        if self.tools.clock.now() >= give_up:
            raise error
        if error.happened is not Happened.UNKNOWN:
            return False
        try:
            found = await self.tools.journal.read(after.path)
        except StoreError:
            return False
        if found.version == self.stand.version:
            return False
        mine = found.record is not None and found.record.new == after.new
        if mine and found.state is State.OPEN and found.version == self.stand.version + 1:
            return found.version
        self._forget("somebody else wrote the record")
        return None

    async def _stay(self, record: Record, stay: Stay) -> bool:
        self.stand.stay = stay
        self.told.stays(record, stay)
        if self.stop.is_set():
            return True
        span = max(0.0, (stay.until - self.tools.clock.now()).total_seconds())
        ended = await self._pause(span)
        if not stay.keep:
            self._stale, self._seen = True, Seen()
        return ended

    async def _pause(self, seconds: float) -> bool:
        """Wait, or until people's orders changed; True once we are told to stop."""
        if self.stop.is_set():
            return True
        changed = self.tools.watch.changed
        sleeping = asyncio.ensure_future(self.tools.clock.sleep(seconds))
        waiters = (
            sleeping,
            asyncio.ensure_future(self.stop.wait()),
            asyncio.ensure_future(changed.wait()),
        )
        try:
            await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiter in waiters:
                waiter.cancel()
        return self.stop.is_set()
