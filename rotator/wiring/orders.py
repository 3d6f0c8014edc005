"""Orders of people: documents under `commands/`, which whoever runs the daemon obeys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from rotator.config import limits
from rotator.core.names import CredentialName, RotationId, StorePath
from rotator.core.record import Phase
from rotator.core.saga.resolve import safe_answers
from rotator.core.schedule import Paths
from rotator.core.words import time_told, told
from rotator.engine.reports import rotation_of
from rotator.engine.standing import lost, of_record, resting
from rotator.stores.epoch import RESUME, Epoch, Going, epoch_in
from rotator.stores.journal import Journaled
from rotator.wiring.holds import holds_on
from rotator.wiring.leading import Elsewhere, anchor_of
from rotator.wiring.people import People, Refused, Target, find

NOWHERE: Final = StorePath("")
DRAINS: Final = {Phase.DRAINING, Phase.DRAINING_BACK}


@dataclass(frozen=True, slots=True)
class Given:
    """An order as it was written; `before` is the record that its author saw."""

    target: Target
    command: str
    rotation: str
    version: int
    answer: str | None
    before: Journaled
    next: str
    document: StorePath = NOWHERE
    number: int = 0


async def rotate(people: People, key: str) -> Given:
    """Ask for a rotation of the key that a path holds now.  Raises Refused."""
    target = await find(people, key)
    credential = target.credential
    if credential is None:
        raise Refused(f"{target.name}: the store holds no such credential any more.")
    if not credential.managed:
        raise Refused(f"{target.name}: is not managed, so it is never rotated.")
    journaled = await people.journal.read(target.path)
    if journaled.counts_as_open:
        raise Refused(
            f"{target.name}: a rotation of this path is open ({stands(people, journaled)})."
        )
    version = await _version(people, target.path)
    after = "The daemon opens it at its next pass"
    if not Paths(limits(people.config).armed).cover(target.path, target.name):
        after = "It is not opened before the path is armed (rotation.armed)"
    held = await holds_on(people, target)
    if held:
        after = f"It is not opened before the hold ends: rotator release {held[0].name}"
    following = f"{after}; follow it with: rotator explain {target.name}"
    return await _give(people, Given(target, "rotate", "", version, None, journaled, following))


async def complete(people: People, key: str) -> Given:
    """Confirm that no consumer uses the key that is to go.  Raises Refused."""
    target = await find(people, key)
    journaled = await people.journal.read(target.path)
    record = journaled.record
    if record is None or not journaled.counts_as_open:
        raise Refused(f"{target.name}: {_no_record(journaled)}")
    if record.phase not in DRAINS:
        raise Refused(f"{target.name}: nothing is to be completed; {stands(people, journaled)}.")
    version = record.v1 if record.path_version is None else record.path_version
    until = record.drain_until
    if version is None or until is None:
        raise Refused(f"{target.name}: its drain has not begun yet; try again in a moment.")
    if people.clock.now() < until:
        raise Refused(
            f"{target.name}: drains until {time_told(until)}; until then consumers may still "
            "hold the key, and no `complete` is taken."
        )
    target = Target(record.credential, target.path, target.credential)
    going = "The old key" if record.phase is Phase.DRAINING else "The withdrawn key"
    after = f"{going} is deleted by the daemon; follow it with: rotator explain {target.name}"
    return await _give(
        people, Given(target, "complete", record.rotation, version, None, journaled, after)
    )


async def resolve(people: People, key: str, answer: str) -> Given:
    """Answer the question of a quarantined rotation.  Raises Refused."""
    target = await find(people, key)
    journaled = await people.journal.read(target.path)
    version = await _version(people, target.path)
    record = journaled.record
    after = f"The daemon does it, if it is safe; follow it with: rotator explain {target.name}"
    if record is None and journaled.counts_as_open:
        report = lost(journaled, people.clock.now())
        _must_be_among(answer, report.answers, report.question or "")
        rotation = RotationId(f"record-{journaled.version}")
        target = Target(CredentialName(target.path), target.path, target.credential)
        return await _give(
            people, Given(target, "resolve", rotation, version, answer, journaled, after)
        )
    if record is None or not journaled.counts_as_open:
        raise Refused(f"{target.name}: {_no_record(journaled)}")
    if record.phase is not Phase.QUARANTINED:
        raise Refused(f"{target.name}: asks no question; {stands(people, journaled)}.")
    _must_be_among(answer, safe_answers(record), record.asks)
    target = Target(record.credential, target.path, target.credential)
    return await _give(
        people, Given(target, "resolve", record.rotation, version, answer, journaled, after)
    )


def _must_be_among(answer: str, answers: tuple[str, ...], question: str) -> None:
    if answer not in answers:
        known = ", ".join(answers) or "none"
        raise Refused(
            f"ANSWER: {told(answer)} is none of the answers to this question ({known}): {question}",
            usage=True,
        )


async def _give(people: People, given: Given) -> Given:
    """Write an order over what stands at its place."""
    place = people.documents.command(given.target.name)
    data = {
        "command": given.command,
        "rotation": given.rotation,
        "version": given.version,
        "answer": given.answer,
    }
    return replace(given, document=place, number=await _put(people, place, data))


async def _put(people: People, path: StorePath, data: Mapping[str, Any]) -> int:
    """Write over what stands there.  Raises StoreConflict if somebody else wrote first."""
    found = await people.documents.read(path)
    return await people.documents.put(path, data, found.version)


async def _version(people: People, path: StorePath) -> int:
    metadata = await people.kv.read_metadata(path)
    return metadata.current if metadata is not None else 0


def _no_record(journaled: Journaled) -> str:
    if journaled.counts_as_open:
        return f"{journaled.problem}; see: rotator status"
    return "no rotation of it is open; see: rotator status"


def stands(people: People, journaled: Journaled) -> str:
    """Say where a rotation stands and what it waits for."""
    record = journaled.record
    if record is None:
        return journaled.problem
    waits = resting(record, people.clock.now())
    return f"rotation {record.rotation} is in {record.phase}{f'; {waits}' if waits else ''}"


def order_document(
    people: People, given: Given, journaled: Journaled, *, obeyed: bool | None
) -> dict[str, Any]:
    """Return an order as the command line shows it; `now` is the path's rotation.

    `obeyed` None: nobody waited for that.
    """
    return {
        "command": given.command,
        "credential": given.target.name,
        "rotation": given.rotation or None,
        "version": given.version,
        "answer": given.answer,
        "document": given.document,
        "number": given.number,
        "obeyed": obeyed,
        "next": given.next,
        "now": _rotation(people, journaled),
    }


def _rotation(people: People, journaled: Journaled) -> dict[str, Any] | None:
    """Return a path's record in the public form, None if there is none."""
    record, now = journaled.record, people.clock.now()
    if record is not None:
        return rotation_of(of_record(record, None if record.closed else resting(record, now)))
    return rotation_of(lost(journaled, now)) if journaled.counts_as_open else None


@dataclass(frozen=True, slots=True)
class Resumed:
    """A resume as it was written; `number` 0 where nothing had to be."""

    epoch: int
    document: StorePath
    number: int


async def resume(people: People) -> Resumed:
    """Say that a store which looks restored may be acted on again.

    Where the store looks well from this machine nothing is written: an answer that
    nobody asked for could fit a later restore.  Where the anchor is a Lease that only
    pods see, the person is believed.
    """
    documents = people.documents
    epoch = await documents.read(documents.epoch)
    place = documents.command(RESUME)
    anchor = anchor_of(people.config, people.environ, people.clock)
    standing = await Epoch(documents, anchor).judge(acts=False)
    if isinstance(standing, Going) and not isinstance(anchor, Elsewhere):
        return Resumed(standing.epoch, place, 0)
    number = await _put(people, place, {"epoch": epoch_in(epoch)})
    return Resumed(epoch_in(epoch), place, number)
