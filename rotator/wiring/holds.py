"""Holds of people: documents under `holds/`; nothing that one covers is replaced or deleted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rotator.core.credentials import compile_glob
from rotator.core.facts import Credential
from rotator.core.names import CredentialName, StorePath
from rotator.core.words import told
from rotator.engine.reports import time_of
from rotator.engine.watch import Hold, hold_from
from rotator.stores.documents import HOLDS, Document
from rotator.wiring.people import People, Refused, Target, find, several


@dataclass(frozen=True, slots=True)
class Held:
    """A hold as it was written, and the credentials that it covers now."""

    hold: Hold
    document: StorePath
    number: int
    covers: tuple[CredentialName, ...]
    unread: int


async def hold(
    people: People, match: str, reason: str, until: datetime | None, name: str | None
) -> Held:
    """Put a hold on every credential that MATCH covers.

    A MATCH without `*` that is the end of one credential's name means that one.
    Raises Refused.
    """
    result = await people.shelf.take()
    credentials = [e.credential for e in result.entries]
    covered = _covered(match, credentials)
    if not covered and "*" not in match:
        target = await find(people, match)
        match, covered = target.name, (target.name,)
    called = name or _named(match)
    document = people.documents.hold(called)
    found = await people.documents.read(document)
    standing = _standing_hold(people, called, found)
    if standing is not None and standing.match != match:
        raise Refused(
            f"a hold {told(called)} stands already, on {told(standing.match, 200)}: "
            "choose another --name, or release it first."
        )
    data = {"match": match, "reason": reason, "until": time_of(until)}
    number = await people.documents.put(document, data, found.version)
    return Held(Hold(called, match, reason, until), document, number, covered, len(result.faults))


async def release(people: People, name: str) -> Held:
    """End a hold now.  Raises Refused if there is none of this name."""
    documents, now = people.documents, people.clock.now()
    document = documents.hold(name)
    found = await documents.read(document)
    standing = _standing_hold(people, name, found)
    if standing is None:
        known = [h.name for h in await holds(people)]
        names = f"The holds are: {several(known)}" if known else "There is no hold at all."
        raise Refused(f"{told(name)}: no hold of this name stands. {names}")
    data = {**(found.data or {}), "until": time_of(now)}
    number = await documents.put(document, data, found.version)
    ended = Hold(name, standing.match, standing.reason, now)
    return Held(ended, document, number, (), 0)


async def holds(people: People) -> list[Hold]:
    """Return every hold that has not ended."""
    documents = people.documents
    changed = await documents.changed(HOLDS, {}, people.clock.now())
    found = [
        _standing_hold(people, documents.subject(HOLDS, document.path), document)
        for document in changed.documents
    ]
    return [h for h in found if h is not None]


async def holds_on(people: People, target: Target) -> list[Hold]:
    """Return the holds that cover a credential now."""
    now = people.clock.now()
    return [h for h in await holds(people) if h.covers(target.name, target.path, now)]


def _standing_hold(people: People, name: str, document: Document) -> Hold | None:
    if document.data is None:
        return None
    found = hold_from(name, document.data)
    ended = found.until is not None and found.until <= people.clock.now()
    return None if ended else found


def _covered(match: str, credentials: list[Credential]) -> tuple[CredentialName, ...]:
    pattern = compile_glob(match)
    return tuple(
        c.name for c in credentials if pattern.fullmatch(c.path) or pattern.fullmatch(c.name)
    )


def _named(match: str) -> str:
    """Return a name for a hold without one, from what it covers."""
    words = "".join(c if c.isalnum() else " " for c in match).split()
    every = ("all",) if "*" in match else ()
    return "-".join((*words, *every))[:80]


def hold_document(held: Held) -> dict[str, Any]:
    """Return a hold as the command line shows it."""
    return {
        "hold": held.hold.name,
        "match": held.hold.match,
        "reason": held.hold.reason,
        "until": time_of(held.hold.until),
        "covers": list(held.covers),
        "document": held.document,
        "number": held.number,
    }
