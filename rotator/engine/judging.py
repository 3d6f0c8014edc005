"""Judges every credential and plans its rotation, without blocking the loop for long."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from rotator.core.checks import Judgement, judge
from rotator.core.due import born
from rotator.core.facts import Credential
from rotator.core.findings import Finding
from rotator.core.names import CredentialName, StorePath
from rotator.core.saga.words import Order
from rotator.core.schedule import Candidate, Planned, Surroundings, plan
from rotator.core.words import time_told, told
from rotator.engine.accounts import Account, AccountBook
from rotator.engine.contexts import Around, account_of
from rotator.engine.derived import DRAINS
from rotator.engine.hub import Taken
from rotator.engine.looks import Looks
from rotator.engine.snapshot import Seen
from rotator.stores.held import Entry
from rotator.stores.inventory import InventoryResult

BATCH: Final = 20
"""Credentials judged before the event loop gets its turn: a few milliseconds."""

LIGHT: Final = 500
"""The same for work that takes microseconds each."""

Breathe = Callable[[], Awaitable[None]]
NOTHING: Final[Mapping[CredentialName, Seen]] = {}


@dataclass(slots=True)
class Gathered:
    """What one pass has gathered so far: its inventory, and tables over it.

    `parents` are all credentials that others name as parent or lister; `paths`
    gives the first credential of each path.
    """

    taken: Taken
    entries: dict[CredentialName, Entry] = field(default_factory=dict)
    parents: frozenset[CredentialName] = frozenset()
    paths: dict[StorePath, Credential] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    looks: int = 0

    async def index(self, breathe: Breathe) -> None:
        """Build the tables of names, parents and paths."""
        parents: set[CredentialName] = set()
        self.entries, self.paths = {}, {}
        for number, entry in enumerate(self.taken.result.entries, 1):
            credential = entry.credential
            self.entries[credential.name] = entry
            self.paths.setdefault(credential.path, credential)
            if credential.managed:
                parents |= {n for n in (credential.parent, credential.lister) if n is not None}
            if number % LIGHT == 0:
                await breathe()
        self.parents = frozenset(parents)


@dataclass(frozen=True, slots=True)
class Judged:
    """Every credential with its judgement and plan, all findings, and the plan by due time."""

    seen: dict[CredentialName, Seen]
    findings: tuple[Finding, ...]
    plan: tuple[Planned, ...]


async def accounts_in(
    result: InventoryResult, looks: Looks, breathe: Breathe
) -> tuple[Account, ...]:
    """Return the accounts of an inventory's credentials that somebody may list."""
    book = AccountBook()
    for number, entry in enumerate(result.entries, 1):
        book.add(entry.credential, account_of(entry.credential, looks.known(entry)))
        if number % LIGHT == 0:
            await breathe()
    found: list[Account] = []
    for number, account in enumerate(book.accounts(), 1):
        found += () if account is None else (account,)
        if number % LIGHT == 0:
            await breathe()
    return tuple(found)


async def judge_all(
    gathered: Gathered,
    around: Around,
    surroundings: Surroundings,
    breathe: Breathe,
    before: Mapping[CredentialName, Seen] = NOTHING,
) -> Judged:
    """Judge and plan every credential of a pass.

    What has not changed since the pass `before` is the same object as there, so
    that a quiet pass leaves nothing new in memory.
    """
    entries = gathered.taken.result.entries
    judged: list[Judgement] = []
    candidates: list[Candidate] = []
    for number, entry in enumerate(entries, 1):
        judgement = judge(around.given(entry))
        known = before.get(entry.credential.name)
        if known is not None and known.judgement == judgement:
            judgement = known.judgement
        judged.append(judgement)
        candidates.append(around.candidate(entry, judgement))
        if number % BATCH == 0:
            await breathe()
    # Planning compares all with all, so it cannot take breath: a thread does it.
    planned = await asyncio.to_thread(plan, candidates, surroundings, around.now)
    plans = {p.credential: p for p in planned}
    seen: dict[CredentialName, Seen] = {}
    findings: list[Finding] = []
    for number, (entry, judgement) in enumerate(zip(entries, judged, strict=True), 1):
        name = entry.credential.name
        now, known = _seen(entry, judgement, plans.get(name), around), before.get(name)
        seen[name] = known if known is not None and known == now else now
        findings += judgement.findings
        if number % LIGHT == 0:
            await breathe()
    return Judged(seen, tuple(findings), planned)


def _seen(entry: Entry, judgement: Judgement, planned: Planned | None, around: Around) -> Seen:
    kept = around.looks.kept(entry)
    known = around.looks.known(entry)
    return Seen(
        credential=entry.credential,
        stored=entry.stored,
        look=kept.look if kept else None,
        looked_at=kept.at if kept else None,
        facts=known,
        created_at=born(entry.stored, known, around.now),
        judgement=judgement,
        planned=planned,
        problem=entry.problem,
    )


def void_orders(around: Around) -> Iterable[str]:
    """Tell each command that was given for another version of its path, or another rotation."""
    for name, order in around.orders.items():
        if order.command != "rotate":
            yield from _void_answer(around, name, order)
            continue
        entry = around.entries.get(name)
        if entry is None:
            yield f"void: `rotate` for {name!r}, which is no credential"
            continue
        record = around.derived.record_at(entry.credential.path)
        used = record is not None and order.given_at <= record.started_at
        if order.version != entry.stored.version and not used:
            yield (
                f"void: `rotate` for {name} was given for version {order.version}, "
                f"the path has version {entry.stored.version}; give it again"
            )


def _void_answer(around: Around, name: CredentialName, order: Order) -> Iterable[str]:
    """Tell a `complete` or `resolve` that fits nothing which waits now.

    One that is older than the open rotation was about an earlier one.
    """
    entry = around.entries.get(name)
    record = around.derived.record_at(entry.credential.path if entry else StorePath(name))
    if record is None or record.closed or order.given_at < record.started_at:
        return
    given = f"void: `{order.command}` for {name} was given"
    if order.rotation != record.rotation:
        yield f"{given} for rotation {told(order.rotation)}, {record.rotation} is open"
    elif order.command == "complete" and order.number > record.obeyed:
        version = record.v1 if record.path_version is None else record.path_version
        end = record.drain_until
        if record.phase not in DRAINS or end is None:
            return
        if order.version != version:
            yield f"{given} for version {order.version}, the path has {version}; give it again"
        elif order.given_at < end:
            yield f"{given} before the drain's end ({time_told(end)}); give it again then"
