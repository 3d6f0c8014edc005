"""What the looking commands print: `check`, `status`, `explain`, `plan`, `strays`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import BinaryIO

from rotator.config import Config
from rotator.core.findings import Code
from rotator.core.names import CredentialName
from rotator.core.record import Phase, Record
from rotator.core.saga.words import Order
from rotator.core.words import time_told, told
from rotator.engine.desk import Desk
from rotator.engine.reports import (
    Document,
    RotationReport,
    explain_document,
    holds_of,
    plan_document,
    problems_of,
    status_document,
    strays_document,
    time_of,
)
from rotator.engine.snapshot import Snapshot
from rotator.engine.standing import lost, of_record, resting
from rotator.wiring.daemon import look
from rotator.wiring.orders import DRAINS
from rotator.wiring.people import find, on_people

Looked = tuple[Desk, Snapshot]

PARENTLESS = frozenset({Code.PARENT_MISSING, Code.PARENT_INVALID})

NO_PASS = (
    "no pass was ever made over this store: the keys were asked just now. "
    "Is a daemon running (`rotator run`)?"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What every looking command is given: configuration, environment, and where logs go."""

    config: Config
    environ: Mapping[str, str]
    logs: BinaryIO


async def check(asked: Asked) -> Document:
    """Look at every key now; change nothing.  Raises SetupError and StoreError."""
    async with _closing(look(asked.config, asked.environ, asked.logs, force=True)) as (
        desk,
        snapshot,
    ):
        return await _status(desk, snapshot)


async def status(asked: Asked) -> Document:
    """Tell what the last pass saw, from the store; raises SetupError and StoreError.

    `as_of` is the time of that pass.  Keys of which the store remembers nothing are
    asked now, where the login may read them.
    """
    async with _closing(_recalled(asked, frozenset())) as (desk, snapshot):
        document = await _status(desk, snapshot)
        passed = await _passed_at(desk)
        if passed is None:
            document["problems"] = [NO_PASS, *document["problems"]]
        elif passed < snapshot.at:
            document["as_of"] = time_of(passed)
        return document


async def explain(asked: Asked, key: str) -> Document:
    """Look at one credential's key and tell all about it.

    Raises Refused for a KEY that names none or several.
    """
    target = await on_people(asked.config, asked.environ, lambda people: find(people, key))
    async with _closing(_recalled(asked, frozenset({target.name}))) as (desk, snapshot):
        seen = snapshot.by_name.get(target.name)
        if seen is None:
            return _gone(target.name, snapshot)
        rotations = {r.credential: r for r in await rotations_of(desk)}
        document = explain_document(seen, rotations.get(target.name), snapshot.at)
        return {**document, "problems": problems_of(snapshot)}


async def planned(asked: Asked, within: timedelta) -> Document:
    """Tell every rotation that is due within a span.  Raises SetupError and StoreError."""
    async with _closing(_recalled(asked, frozenset())) as (_, snapshot):
        return {**plan_document(snapshot, within), "problems": problems_of(snapshot)}


async def strays(asked: Asked) -> Document:
    """List every account that a parent or lister may list.  Raises as `status`."""
    async with _closing(_recalled(asked, None)) as (_, snapshot):
        unread = [
            f"account {listed.account.account} of {listed.account.exchange} could not be listed: "
            f"{listed.failure.message if listed.failure else 'nobody can sign for it'}"
            for listed in snapshot.listed
            if listed.listing is None
        ]
        some = [
            f"the list of account {listed.account.account} of {listed.account.exchange} may not "
            "be complete"
            for listed in snapshot.listed
            if listed.listing is not None and not listed.listing.complete
        ]
        document = strays_document(snapshot.listed)
        return {
            **document,
            "accounts": len(snapshot.listed),
            "problems": [*unread, *some, *problems_of(snapshot)],
        }


async def _status(desk: Desk, snapshot: Snapshot) -> Document:
    document = status_document(snapshot, await rotations_of(desk))
    holds = holds_of(desk.watch.holds)
    unread = () if desk.watch.fault is None else (f"holds: {told(desk.watch.fault, 300)}",)
    return {**document, "holds": holds, "problems": [*document["problems"], *unread]}


async def rotations_of(desk: Desk) -> list[RotationReport]:
    """Return every open rotation of the journal, as far as records alone tell."""
    now = desk.clock.now()
    survey = await desk.journal.survey(now)
    found: list[RotationReport] = []
    for journaled in survey.records.values():
        if not journaled.counts_as_open:
            continue
        record = journaled.record
        if record is None:
            found.append(lost(journaled, now))
        else:
            found.append(of_record(record, _waits_for(desk, record, now)))
    return sorted(found, key=lambda r: (r.started_at, r.credential))


def _waits_for(desk: Desk, record: Record, now: datetime) -> str | None:
    """Say what a record waits for: a hold's end, a daemon that obeys, or what it says itself."""
    if desk.watch.fault is None:
        names = desk.watch.holds_on(record.credential, record.path)
        if names:
            return f"the end of a hold: rotator release {told(names[0])}"
    order = desk.watch.order(record.credential)
    if order is not None and _fits(order, record):
        asked = f"{order.command} {order.answer or ''}".strip()
        return (
            f"the daemon, which has not obeyed `{told(asked)}` of {time_told(order.given_at)} yet"
        )
    return resting(record, now) or _parentless(desk, record)


def _parentless(desk: Desk, record: Record) -> str | None:
    """Say that a rotation which has no key yet lacks the parent to make one with."""
    seen = desk.snapshot.by_name.get(record.credential) if desk.snapshot is not None else None
    if record.phase is not Phase.CREATING or seen is None:
        return None
    lacks = (f for f in seen.judgement.findings if f.code in PARENTLESS)
    look = f"Look with: rotator explain {record.credential}"
    return next((f"{f.message} {f.cure} {look}" for f in lacks), None)


def _fits(order: Order, record: Record) -> bool:
    """Say whether an order is the one that a record waits for."""
    if order.rotation != record.rotation or order.number <= record.obeyed:
        return False
    if record.phase is Phase.QUARANTINED:
        return order.command == "resolve"
    until = record.drain_until
    drained = until is not None and order.given_at >= until
    return order.command == "complete" and record.phase in DRAINS and drained


@asynccontextmanager
async def _closing(looking: Awaitable[Looked]) -> AsyncIterator[Looked]:
    """Close the desk at the end, unless the command is interrupted: nobody waits then."""
    desk, snapshot = await looking
    interrupted = False
    try:
        yield desk, snapshot
    except asyncio.CancelledError:
        interrupted = True
        raise
    finally:
        if not interrupted:
            await desk.close()


async def _recalled(asked: Asked, only: frozenset[CredentialName] | None) -> Looked:
    return await look(asked.config, asked.environ, asked.logs, force=False, recall=True, only=only)


async def _passed_at(desk: Desk) -> datetime | None:
    """Return when the last pass raised the epoch; None if none ever did."""
    documents = desk.journal.documents
    return (await documents.read(documents.epoch)).created_at


def _gone(name: CredentialName, snapshot: Snapshot) -> Document:
    """Return the document of a credential that left the store while it was looked for."""
    return {
        "credential": name,
        "verdict": "unknown",
        "findings": [],
        "next": "Nothing: the store does not show it now.",
        "due_at": None,
        "validity": "unknown",
        "strategy": "observe",
        "policy": "unknown",
        "problems": problems_of(snapshot),
    }
