"""Follows an order by the record that it is about, as `--wait` does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from rotator.config import limits
from rotator.core.record import Phase
from rotator.core.schedule import Paths
from rotator.core.words import told
from rotator.engine.standing import resting
from rotator.stores.epoch import epoch_in
from rotator.stores.journal import Journaled, State
from rotator.wiring.holds import holds_on
from rotator.wiring.orders import Given, Resumed, stands
from rotator.wiring.people import People


@dataclass(frozen=True, slots=True)
class Followed:
    """How far an order came: `fine` if it did what was asked, and the sentence to tell."""

    journaled: Journaled
    obeyed: bool
    fine: bool
    sentence: str


POLL: Final = 1.0


async def follow(
    people: People, given: Given, seconds: float, tell: Callable[[str], None]
) -> Followed:
    """Follow the record until the order is carried out, a person is asked, or time is up.

    `tell` hears each phase.  Raises StoreError.
    """
    journal, path = people.journal, given.target.path
    deadline = people.clock.monotonic() + seconds
    before = ""
    while True:
        journaled = await journal.read(path)
        obeyed = _obeyed(given, journaled)
        now = _line(people, given, journaled) if obeyed else ""
        if now and now != before:
            tell(now)
            before = now
        end = _end(people, given, journaled) if obeyed else None
        if end is not None:
            return end
        if people.clock.monotonic() >= deadline:
            return await _late(people, given, journaled, obeyed=obeyed)
        await people.clock.sleep(POLL)


def _line(people: People, given: Given, journaled: Journaled) -> str:
    record = journaled.record
    if record is None:
        return f"{given.target.name}: {journaled.problem or journaled.state}"
    waits = None if record.closed else resting(record, people.clock.now())
    return f"{record.credential}: {record.phase}{f' ({waits})' if waits else ''}"


def _obeyed(given: Given, journaled: Journaled) -> bool:
    """Say whether the daemon has taken up an order."""
    record, before = journaled.record, given.before.record
    if given.before.counts_as_open and before is None:
        return journaled.version != given.before.version or journaled.state is State.OPEN
    if record is None:
        return not journaled.counts_as_open and before is not None
    if before is None or record.rotation != before.rotation:
        return True
    if given.command == "rotate":
        return False
    moved = record.phase is not before.phase or record.closed
    return moved or record.obeyed >= given.number


def _end(people: People, given: Given, journaled: Journaled) -> Followed | None:
    """Return the end of an order that was obeyed, None while machines are at work."""
    record = journaled.record
    if record is None:
        fine = not journaled.counts_as_open
        said = "the lost record is buried" if fine else journaled.problem
        return Followed(journaled, obeyed=True, fine=fine, sentence=said)
    if record.closed:
        wanted = given.command == "resolve" or record.phase is Phase.DONE
        why = f": {record.why}" if record.why else ""
        said = f"rotation {record.rotation} ended {record.phase}{why}"
        return Followed(journaled, obeyed=True, fine=wanted, sentence=said)
    if record.phase is Phase.QUARANTINED:
        return Followed(journaled, obeyed=True, fine=False, sentence=record.asks)
    waits = resting(record, people.clock.now())
    if waits is not None and "rotator complete" in waits:
        return Followed(journaled, obeyed=True, fine=True, sentence=waits)
    return None


async def _late(people: People, given: Given, journaled: Journaled, *, obeyed: bool) -> Followed:
    if obeyed:
        said = f"not ended yet: {stands(people, journaled)}; it goes on without this command"
        return Followed(journaled, obeyed=True, fine=False, sentence=said)
    name = given.target.name
    causes = ["is a daemon running (rotator run), or will `rotator run --once` come?"]
    if not Paths(limits(people.config).armed).cover(given.target.path, name):
        causes.append("The path is not armed (rotation.armed).")
    held = await holds_on(people, given.target)
    causes += [f"A hold covers it: rotator release {told(h.name)}." for h in held]
    said = f"nobody has obeyed yet: {' '.join(causes)} Look: rotator explain {name}"
    return Followed(journaled, obeyed=False, fine=False, sentence=said)


async def follow_resume(people: People, resumed: Resumed, seconds: float) -> bool:
    """Wait until a daemon has raised the epoch; False if none did in time."""
    documents = people.documents
    deadline = people.clock.monotonic() + seconds
    while True:
        if epoch_in(await documents.read(documents.epoch)) > resumed.epoch:
            return True
        if people.clock.monotonic() >= deadline:
            return False
        await people.clock.sleep(POLL)
