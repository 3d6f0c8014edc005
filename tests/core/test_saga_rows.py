"""Every row of the transition table, taken once by an example."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from rotator.core.findings import Code
from rotator.core.issue import IssuedKey
from rotator.core.names import Secrets
from rotator.core.record import Phase, Record, Revoke, Terms
from rotator.core.saga import Context
from rotator.core.saga.table import EVERYWHERE, ROWS, as_markdown, row
from rotator.core.saga.words import (
    Done,
    Event,
    Holder,
    Lost,
    Places,
    Standstill,
    Stay,
    Write,
    Written,
)

from . import saga_kit as kit
from .saga_kit import ALIVE, BLOCKED, DEAD, LATER, ODD, T0, UNKNOWN, at, guard, order, path

P, E = Phase, Event
BY_HAND = Terms(revoke=Revoke.MANUAL, drain=kit.DRAIN)
HELD = Context(LATER, hold="ann: a big day")
NO_PARENT = Standstill("no key of the parent", Code.PARENT_MISSING)
QUICK = Context(T0 + timedelta(seconds=5))


@dataclass(frozen=True)
class Example:
    """A record, what is told and what was seen, and the event that must follow."""

    record: Record
    event: Event
    to: Phase
    saw: dict[str, Any] = field(default_factory=dict)
    ctx: Context = field(default_factory=lambda: Context(LATER))


def example(
    record: Record, event: Event, to: Phase, ctx: Context | None = None, **saw: Any
) -> Example:
    """Build an example; `saw` names fields of `Seen`."""
    return Example(record, event, to, saw, Context(LATER) if ctx is None else ctx)


def resolve(answer: str, version: int) -> Context:
    """Somebody has answered the question of a quarantined record."""
    return Context(LATER, order=order("resolve", version, answer))


CREATING, STAGED, VERIFIED = at(P.CREATING), at(P.STAGED), at(P.VERIFIED)
DRAINING, REVOKING, PROVING = at(P.DRAINING), at(P.REVOKING), at(P.PROVING)
BACK, DRAINING_BACK, ABORTING = at(P.ROLLING_BACK), at(P.DRAINING_BACK), at(P.ABORTING)
QUARANTINED, CLOSING = at(P.QUARANTINED), at(P.CLOSING)
NEW_2, OLD_1, OLD_3 = path(2, Holder.NEW), path(1, Holder.OLD), path(3, Holder.OLD)
OTHER_3, GONE_3 = path(3, Holder.OTHER), path(3, Holder.GONE)
AGAIN_3 = path(3, Holder.OLD, recreated=True)
RETIRED: dict[str, Any] = {"retired": Done(), "elsewhere": Places((), complete=True)}
CHECKED: dict[str, Any] = RETIRED | {"new": ALIVE, "guard_again": guard()}
BACK_CHECKED: dict[str, Any] = {"path": OLD_3, "served": ALIVE, "guard": guard(3)}
TIDIED: dict[str, Any] = BACK_CHECKED | {"deleted": Done()}
CLOSED: dict[str, Any] = {"destroyed": Done(), "history": Done(), "patched": Done()}

EXAMPLES = [
    example(
        CREATING, E.CREATED, P.STAGED, fresh_at=kit.M0, created=IssuedKey(kit.NEW_KEY, Secrets())
    ),
    example(CREATING, E.REFUSED_FOR_GOOD, P.ABORTING, fresh_at=kit.M0, created=kit.REFUSED),
    example(CREATING, E.SETTLING, P.CREATING, ctx=QUICK),
    example(CREATING, E.HELD, P.CREATING, ctx=HELD),
    example(CREATING, E.NO_PARENT, P.CREATING, ctx=Context(LATER, no_parent=NO_PARENT)),
    example(CREATING, E.NOT_CREATED, P.CREATING),
    example(at(P.CREATING, counted=8), E.TOO_MANY, P.QUARANTINED),
    example(at(P.CREATING, terms=Terms(lists_keys=False)), E.CANNOT_LIST, P.QUARANTINED),
    example(STAGED, E.MATCHED, P.VERIFIED, new=ALIVE, new_again=ALIVE),
    example(STAGED, E.NOT_ACTIVE_YET, P.STAGED, ctx=QUICK, new=DEAD, new_again=DEAD),
    example(STAGED, E.ADDRESS_REFUSED, P.STAGED, new=BLOCKED),
    example(STAGED, E.UNREACHABLE, P.STAGED, new=UNKNOWN),
    example(STAGED, E.NOT_AS_ASKED, P.ABORTING, new=ODD, new_again=ODD),
    example(VERIFIED, E.PUBLISHED, P.DRAINING, path=OLD_1, new=ALIVE, published=Written(2)),
    example(VERIFIED, E.MOVED, P.VERIFIED, path=path(2, Holder.OLD), new=ALIVE),
    example(VERIFIED, E.HELD, P.VERIFIED, ctx=HELD),
    example(VERIFIED, E.UNREACHABLE, P.VERIFIED, path=OLD_1, new=UNKNOWN),
    example(VERIFIED, E.NEW_DEAD, P.ABORTING, path=OLD_1, new=DEAD),
    example(
        VERIFIED, E.ROLLED_BACK, P.QUARANTINED, path=replace(OLD_3, new_versions=(2,)), new=ALIVE
    ),
    example(VERIFIED, E.ANOTHER_KEY, P.QUARANTINED, path=OTHER_3),
    example(VERIFIED, E.RECREATED, P.QUARANTINED, path=AGAIN_3),
    example(DRAINING, E.DRAINED, P.REVOKING, path=NEW_2, new=ALIVE),
    example(DRAINING, E.DRAINING, P.DRAINING, ctx=QUICK, path=NEW_2, new=ALIVE),
    example(replace(DRAINING, terms=BY_HAND), E.PROOF_MISSING, P.DRAINING, path=NEW_2, new=ALIVE),
    example(DRAINING, E.HELD, P.DRAINING, ctx=HELD, path=NEW_2, new=ALIVE),
    example(DRAINING, E.UNREACHABLE, P.DRAINING, path=NEW_2, new=UNKNOWN),
    example(DRAINING, E.MOVED, P.DRAINING, path=path(3, Holder.NEW)),
    example(DRAINING, E.NEW_DEAD, P.ROLLING_BACK, path=NEW_2, new=DEAD, old=ALIVE),
    example(DRAINING, E.BOTH_DEAD, P.QUARANTINED, path=NEW_2, new=DEAD, old=DEAD),
    example(DRAINING, E.ANOTHER_KEY, P.QUARANTINED, path=OLD_3),
    example(DRAINING, E.RECREATED, P.QUARANTINED, path=AGAIN_3),
    example(BACK, E.SETTLING, P.ROLLING_BACK, ctx=QUICK),
    example(BACK, E.RESTORED, P.DRAINING_BACK, path=NEW_2, old=ALIVE, published=Written(3)),
    example(BACK, E.MOVED, P.ROLLING_BACK, path=path(3, Holder.NEW)),
    example(BACK, E.UNREACHABLE, P.ROLLING_BACK, path=NEW_2, old=UNKNOWN),
    example(BACK, E.OLD_DEAD, P.QUARANTINED, path=NEW_2, old=DEAD),
    example(BACK, E.ANOTHER_KEY, P.QUARANTINED, path=OTHER_3),
    example(BACK, E.RECREATED, P.QUARANTINED, path=AGAIN_3),
    example(DRAINING_BACK, E.DRAINING, P.DRAINING_BACK, ctx=QUICK, path=OLD_3, served=ALIVE),
    example(DRAINING_BACK, E.MOVED, P.DRAINING_BACK, path=path(4, Holder.OLD)),
    example(
        replace(DRAINING_BACK, terms=BY_HAND),
        E.PROOF_MISSING,
        P.DRAINING_BACK,
        path=OLD_3,
        served=ALIVE,
        new=ALIVE,
    ),
    example(DRAINING_BACK, E.HELD, P.DRAINING_BACK, ctx=HELD, path=OLD_3, served=ALIVE),
    example(DRAINING_BACK, E.UNREACHABLE, P.DRAINING_BACK, path=OLD_3, served=UNKNOWN),
    example(DRAINING_BACK, E.DRAINED, P.ABORTING, path=OLD_3, served=ALIVE),
    example(DRAINING_BACK, E.NEW_RETURNED, P.QUARANTINED, path=path(4, Holder.NEW)),
    example(DRAINING_BACK, E.SERVED_DEAD, P.QUARANTINED, path=OLD_3, served=DEAD),
    example(DRAINING_BACK, E.ANOTHER_KEY, P.QUARANTINED, path=GONE_3),
    example(DRAINING_BACK, E.RECREATED, P.QUARANTINED, path=AGAIN_3),
    example(REVOKING, E.DELETED, P.PROVING, **CHECKED, deleted=Done()),
    example(REVOKING, E.MOVED, P.DRAINING, guard=guard(3), path=path(3, Holder.NEW)),
    example(REVOKING, E.HELD, P.REVOKING, guard=guard(hold="ann")),
    example(
        REVOKING, E.INCOMPLETE, P.REVOKING, retired=Done(), elsewhere=Places((), complete=False)
    ),
    example(
        REVOKING, E.ELSEWHERE, P.REVOKING, retired=Done(), elsewhere=Places(("a/b",), complete=True)
    ),
    example(REVOKING, E.UNREACHABLE, P.REVOKING, **RETIRED, new=UNKNOWN),
    example(REVOKING, E.DELETE_REFUSED, P.REVOKING, **CHECKED, deleted=kit.REFUSED),
    example(
        REVOKING,
        E.NEW_DEAD,
        P.ROLLING_BACK,
        **RETIRED,
        new=DEAD,
        old=ALIVE,
        guard_again=guard(),
        unretired=Done(),
    ),
    example(REVOKING, E.BOTH_DEAD, P.QUARANTINED, **RETIRED, new=DEAD, old=DEAD),
    example(REVOKING, E.ANOTHER_KEY, P.QUARANTINED, guard=guard(3), path=OLD_3),
    example(REVOKING, E.RECREATED, P.QUARANTINED, guard=guard(recreated=True)),
    example(PROVING, E.PROVED, P.CLOSING, new=ALIVE, old=DEAD, path=NEW_2),
    example(PROVING, E.STILL_ANSWERS, P.PROVING, new=ALIVE, old=ALIVE),
    example(PROVING, E.UNREACHABLE, P.PROVING, new=ALIVE, old=UNKNOWN),
    example(ABORTING, E.TIDIED, P.CLOSING, **TIDIED),
    example(ABORTING, E.MOVED, P.ABORTING, path=path(4, Holder.OLD)),
    example(
        ABORTING,
        E.HANDED_OUT,
        P.ABORTING,
        path=path(3, Holder.OLD, new_versions=(2,)),
        served=ALIVE,
    ),
    example(ABORTING, E.NEW_RETURNED, P.QUARANTINED, path=path(4, Holder.NEW)),
    example(ABORTING, E.RESTORED, P.DRAINING_BACK, path=path(5, Holder.OLD, new_versions=(4,))),
    example(ABORTING, E.HELD, P.ABORTING, path=OLD_3, served=ALIVE, guard=guard(3, hold="ann")),
    example(ABORTING, E.UNREACHABLE, P.ABORTING, path=OLD_3, served=UNKNOWN),
    example(ABORTING, E.DELETE_REFUSED, P.ABORTING, **BACK_CHECKED, deleted=kit.REFUSED),
    example(ABORTING, E.SERVED_DEAD, P.QUARANTINED, path=OLD_3, served=DEAD),
    example(ABORTING, E.ANOTHER_KEY, P.QUARANTINED, path=GONE_3),
    example(ABORTING, E.RECREATED, P.QUARANTINED, path=AGAIN_3),
    example(CLOSING, E.FINISHED, P.DONE, **CLOSED),
    example(CLOSING, E.UNREACHABLE, P.CLOSING, **CLOSED | {"history": Lost()}),
    example(QUARANTINED, E.ASKED, P.QUARANTINED),
    example(
        QUARANTINED,
        E.SETTLING,
        P.QUARANTINED,
        ctx=replace(QUICK, order=order("resolve", 2, "abort")),
    ),
    example(
        QUARANTINED, E.UNREACHABLE, P.QUARANTINED, ctx=resolve("adopt", 2), path=NEW_2, new=UNKNOWN
    ),
    example(QUARANTINED, E.ANSWER_REFUSED, P.QUARANTINED, ctx=resolve("adopt", 1), path=NEW_2),
    example(
        QUARANTINED, E.ADOPTED_PUBLISHED, P.DRAINING, ctx=resolve("adopt", 2), path=NEW_2, new=ALIVE
    ),
    example(QUARANTINED, E.ADOPTED, P.VERIFIED, ctx=resolve("adopt", 3), path=OLD_3, new=ALIVE),
    example(
        QUARANTINED,
        E.ABORT_PUBLISHED,
        P.ROLLING_BACK,
        ctx=resolve("abort", 2),
        path=NEW_2,
        old=ALIVE,
    ),
    example(
        QUARANTINED,
        E.ABORT_VERIFIED,
        P.DRAINING_BACK,
        ctx=resolve("abort", 3),
        path=OLD_3,
        served=ALIVE,
    ),
    example(
        at(P.QUARANTINED, permits=()),
        E.ABORT_UNSEEN,
        P.ABORTING,
        ctx=resolve("abort", 3),
        path=OLD_3,
        served=ALIVE,
    ),
    example(QUARANTINED, E.RETRIED, P.DRAINING, ctx=resolve("retry", 2), path=NEW_2),
    *(
        example(at(phase), E.PINS_CHANGED, P.QUARANTINED, ctx=Context(LATER, pins_problem="host"))
        for phase in (*ROWS, P.QUARANTINED)
        if phase not in (P.CLOSING, P.QUARANTINED)
    ),
]

PATHLESS = {(phase, E.RECREATED) for phase in (P.CREATING, P.STAGED, P.PROVING)}
"""Rows that only a phase's absent look at the path would take."""


def takes(e: Example) -> str:
    """Name an example by the row that it takes."""
    return f"{e.record.phase}: {e.event.value}"


@pytest.mark.parametrize("e", EXAMPLES, ids=takes)
def test_each_row_is_taken(e: Example) -> None:
    """What was seen comes to the row's event, and the row's phase follows."""
    decision = kit.decide(e.record, ctx=e.ctx, **e.saw)
    assert kit.event_of(decision) is e.event
    after = decision.record.phase if isinstance(decision, Write) else e.record.phase
    assert after is e.to


def test_no_row_is_dead() -> None:
    """Every row of the table has an example that takes it."""
    rows = {(phase, event) for phase, events in ROWS.items() for event in events}
    open_phases = {phase for phase in ROWS if phase not in (P.CLOSING, P.QUARANTINED)}
    rows |= {(phase, event) for phase in open_phases for event in EVERYWHERE}
    taken = {(e.record.phase, e.event) for e in EXAMPLES}
    assert rows - PATHLESS == taken


def test_waiting_never_leaves_its_phase() -> None:
    """A step that waits is in a row that stays in its phase."""
    for e in EXAMPLES:
        if isinstance(kit.decide(e.record, ctx=e.ctx, **e.saw), Stay):
            assert row(e.record.phase, e.event) is e.record.phase


def test_the_table_is_shown_whole() -> None:
    """The table for people has a line for every row, and one for each rule of all phases."""
    lines = as_markdown().splitlines()
    assert len(lines) == 2 + sum(map(len, ROWS.values())) + len(EVERYWHERE)
    assert "| DRAINING | drained, and the revoke rule is met | REVOKING |" in lines
