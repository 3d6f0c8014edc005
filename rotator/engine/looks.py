"""Looks at keys: which are due, side by side but bounded, and what the last one came to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from rotator.core.checks.inputs import DEAD
from rotator.core.facts import KeyFacts, Look, StoredKey, Validity
from rotator.core.names import CredentialName, Fingerprint, SigningKey
from rotator.engine.clock import Clock
from rotator.engine.facts_codec import NOTHING
from rotator.engine.facts_memory import FactsMemory, Noted
from rotator.engine.houses import Houses
from rotator.exchanges.exchange import Exchange
from rotator.stores.held import Entry

LANES: Final = 4
"""Looks under way at one exchange.

As many answers may be ready in one turn of the event loop, which it takes one after the
other: more of them would hold up everything else, and the exchange's limits bind before.
"""

BATCH: Final = 50
SOON: Final = timedelta(minutes=5)
"""After a look that told nothing, and after a first look that says dead."""

SILENT: Final = 5
"""Looks in a row without an answer after which an exchange is not asked again in a pass."""

SURE: Final = 2
LASTING: Final = DEAD | {Validity.IP_BLOCKED, Validity.PERMISSION_DENIED}
NOTHING_TOLD: Final = frozenset({Validity.EXCHANGE_DOWN, Validity.THROTTLED})

Breathe = Callable[[], Awaitable[None]]
Bond = tuple[Fingerprint | None, Fingerprint | None]
"""Of which key a look speaks: the fingerprints of its id and its secret."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The last look at the key of a credential.

    `before` are the facts of the look before it, of the same key; `dead_looks`
    counts looks in a row that said dead, where one that told nothing does not
    count; `was_alive` tells whether an earlier look saw this key alive.
    """

    bond: Bond
    version: int
    look: Look
    at: datetime
    before: KeyFacts | None
    dead_looks: int
    was_alive: bool

    @property
    def facts(self) -> KeyFacts | None:
        """The newest facts of this key."""
        return self.look.facts or self.before

    def due_at(self, every: timedelta) -> datetime:
        """Return when the next look is due."""
        return self.at + (min(every, SOON) if _unsure(self) else every)


def _unsure(kept: Kept) -> bool:
    look = kept.look
    if look.validity in DEAD:
        return kept.dead_looks < SURE
    vague = look.validity is Validity.UNKNOWN and not (look.failure and look.failure.candidates)
    return vague or look.validity in NOTHING_TOLD


def bond_of(stored: StoredKey) -> Bond:
    """Return which key stands at a path."""
    return (stored.key_fp, stored.secret_fp)


@dataclass(slots=True)
class _Target:
    """One key to look at, and the credentials that hold it."""

    entries: list[Entry] = field(default_factory=list)


@dataclass(slots=True)
class _Round:
    """The looks of one pass at one exchange."""

    exchange: Exchange
    targets: Iterator[_Target]
    count: int
    silent: int = 0
    last: Look | None = None


@dataclass(slots=True)
class Looks:
    """Remembers the last look at each credential, bound to the key that it saw.

    `every` is the time between two looks, `within` how long one pass may go on
    beginning looks; what is left over stays due.  `recalls` takes what the store
    remembers of a key for a look at it, so that only keys of which it remembers
    nothing are looked at.
    """

    houses: Houses
    signing_key: Callable[[CredentialName], SigningKey | None]
    facts: FactsMemory
    clock: Clock
    breathe: Breathe
    every: timedelta
    within: timedelta = timedelta(minutes=5)
    recalls: bool = False
    _kept: dict[CredentialName, Kept] = field(default_factory=dict)

    def kept(self, entry: Entry) -> Kept | None:
        """Return the last look at the key that a credential holds now."""
        kept = self._kept.get(entry.credential.name)
        if kept is not None and kept.bond == bond_of(entry.stored):
            return kept
        return self._recalled(entry) if self.recalls else None

    def _recalled(self, entry: Entry) -> Kept | None:
        """Return the look that the store remembers of the key now at a credential."""
        told = self.facts.remembered(entry.credential.name)
        if told is None or told.key_fp != entry.stored.key_fp:
            return None
        look = Look.failed(told.failure) if told.failure else Look(Validity.VALID, told.facts)
        at = told.seen_at or self.clock.now()
        return Kept(bond_of(entry.stored), entry.stored.version, look, at, told.known, 0, False)

    def known(self, entry: Entry) -> KeyFacts | None:
        """Return the newest facts of the key that a credential holds now."""
        kept = self.kept(entry)
        if kept is not None and kept.facts is not None:
            return kept.facts
        return self.facts.last(entry.credential.name, entry.stored.key_fp)

    def note(self, entry: Entry, look: Look) -> Kept:
        """Take in a look at the key of a credential."""
        before, known = self.kept(entry), self.known(entry)
        if known is not None and look.facts == known:
            look = replace(look, facts=known)  # the same facts are kept once
        kept = Kept(
            bond=bond_of(entry.stored),
            version=entry.stored.version,
            look=look,
            at=self.clock.now(),
            before=known,
            dead_looks=_dead_looks(before.dead_looks if before else 0, look),
            was_alive=self._was_alive(entry, before),
        )
        self._kept[entry.credential.name] = kept
        return kept

    def _was_alive(self, entry: Entry, before: Kept | None) -> bool:
        if before is not None and (before.was_alive or before.look.validity is Validity.VALID):
            return True
        return self.facts.last(entry.credential.name, entry.stored.key_fp) is not None

    async def run(self, entries: Sequence[Entry], wanted: frozenset[CredentialName]) -> int:
        """Look at every key of `entries` that is due or wanted; return how many were asked.

        A key that several credentials hold is looked at once.  A closed exchange
        is not asked.  An exchange that stays silent is left alone for this pass;
        the keys not asked carry its silence.
        """
        rounds = await self._rounds(entries, wanted)
        noted: list[Noted] = []
        give_up = self.clock.monotonic() + self.within.total_seconds()
        async with asyncio.TaskGroup() as group:
            for each in rounds:
                for _ in range(min(LANES, each.count)):
                    group.create_task(self._lane(each, noted, give_up))
        await self.facts.note(noted)
        return sum(each.count for each in rounds)

    async def _rounds(
        self, entries: Sequence[Entry], wanted: frozenset[CredentialName]
    ) -> tuple[_Round, ...]:
        now = self.clock.now()
        found: dict[Exchange, dict[Bond, _Target]] = {}
        names: set[CredentialName] = set()
        for number, entry in enumerate(entries, 1):
            credential = entry.credential
            names.add(credential.name)
            if number % BATCH == 0:
                await self.breathe()
            if credential.name not in wanted and not self._due(entry, now):
                continue
            exchange = self.houses.get(credential.exchange, credential.environment)
            if exchange is None or entry.problem is not None or exchange.closed() is not None:
                continue
            targets = found.setdefault(exchange, {})
            targets.setdefault(bond_of(entry.stored), _Target()).entries.append(entry)
        if len(self._kept) > len(names):
            self._kept = {n: k for n, k in self._kept.items() if n in names}
        return tuple(_Round(e, iter(t.values()), len(t)) for e, t in found.items())

    def _due(self, entry: Entry, now: datetime) -> bool:
        kept = self.kept(entry)
        if self.recalls:
            return kept is None
        if kept is None or kept.version != entry.stored.version:
            return True
        return kept.due_at(self.every) <= now

    async def _lane(self, round_: _Round, noted: list[Noted], give_up: float) -> None:
        for target in round_.targets:
            if self.clock.monotonic() >= give_up:
                return
            key = self.signing_key(target.entries[0].credential.name)
            if key is None:
                continue
            look = await self._look(round_, key)
            for entry in target.entries:
                kept = self.note(entry, look)
                if entry.stored.key_fp is not None and _worth_noting(look):
                    facts = kept.facts or NOTHING
                    name, mark = entry.credential.name, entry.stored.key_fp
                    noted.append(Noted(name, mark, facts, look.failure))

    async def _look(self, round_: _Round, key: SigningKey) -> Look:
        if round_.silent >= SILENT and round_.last is not None:
            await self.breathe()
            return round_.last
        look = await round_.exchange.inspect(key)
        silent = look.validity in NOTHING_TOLD
        round_.silent = round_.silent + 1 if silent else 0
        round_.last = look if silent else None
        return look


def _worth_noting(look: Look) -> bool:
    """Say whether a look tells something of the key that lasts."""
    failure = look.failure
    if failure is None:
        return True
    return look.validity in LASTING or bool(failure.candidates)


def _dead_looks(before: int, look: Look) -> int:
    if look.validity in DEAD:
        return before + 1
    return 0 if look.validity is Validity.VALID else before


def all_of(entries: Iterable[Entry]) -> frozenset[CredentialName]:
    """Return every credential's name: a look at all of them is wanted."""
    return frozenset(entry.credential.name for entry in entries)
