"""The transition table of the overlap strategy, as data.

The rules above the table.  Every one of them is held by a named mutant that the
model test must see fail.

 1  The record is written with compare-and-set **before** the effect that it
    announces.  One CreateKey per attempt; one Publish per version named.
 2  Nothing that a driver remembers is needed to recover.
 3  Every effect has a question that tells whether it happened.
 4  Recovery fences first (the attempt goes up), then looks, and deletes only
    keys of strictly older attempts.  The path is fenced too: before anything is
    deleted its version must be above every version that a Publish was permitted
    over.
 5  The key that stays is probed in the same step as the Publish or the deletion.
 6  Probe, guard, delete, as one step: the deletion is signed with the clock value
    taken before the probe, so the exchange refuses a driver that slept since.
 7  Time counts only while our clock agrees with store and exchange.
 8  The record pins what must not change.
 9  An event with no row causes no effect; the record goes to QUARANTINED.
10  Time enters as `now`.

A row whose phase stays the same may still be a new record (another version to
publish over); whether it is one is said by the step that emits the event.
"""

from __future__ import annotations

from rotator.core.record import Phase
from rotator.core.saga.words import Event

_P, _E = Phase, Event

ROWS: dict[Phase, dict[Event, Phase]] = {
    _P.CREATING: {
        _E.CREATED: _P.STAGED,
        _E.REFUSED_FOR_GOOD: _P.ABORTING,
        _E.SETTLING: _P.CREATING,
        _E.HELD: _P.CREATING,
        _E.NO_PARENT: _P.CREATING,
        _E.NOT_CREATED: _P.CREATING,
        _E.TOO_MANY: _P.QUARANTINED,
        _E.CANNOT_LIST: _P.QUARANTINED,
    },
    _P.STAGED: {
        _E.MATCHED: _P.VERIFIED,
        _E.NOT_ACTIVE_YET: _P.STAGED,
        _E.ADDRESS_REFUSED: _P.STAGED,
        _E.UNREACHABLE: _P.STAGED,
        _E.NOT_AS_ASKED: _P.ABORTING,
    },
    _P.VERIFIED: {
        _E.PUBLISHED: _P.DRAINING,
        _E.MOVED: _P.VERIFIED,
        _E.HELD: _P.VERIFIED,
        _E.UNREACHABLE: _P.VERIFIED,
        _E.NEW_DEAD: _P.ABORTING,
        _E.ROLLED_BACK: _P.QUARANTINED,
        _E.ANOTHER_KEY: _P.QUARANTINED,
    },
    _P.DRAINING: {
        _E.DRAINED: _P.REVOKING,
        _E.DRAINING: _P.DRAINING,
        _E.PROOF_MISSING: _P.DRAINING,
        _E.HELD: _P.DRAINING,
        _E.UNREACHABLE: _P.DRAINING,
        _E.MOVED: _P.DRAINING,
        _E.NEW_DEAD: _P.ROLLING_BACK,
        _E.BOTH_DEAD: _P.QUARANTINED,
        _E.ANOTHER_KEY: _P.QUARANTINED,
    },
    _P.ROLLING_BACK: {
        _E.SETTLING: _P.ROLLING_BACK,
        _E.RESTORED: _P.DRAINING_BACK,
        _E.MOVED: _P.ROLLING_BACK,
        _E.UNREACHABLE: _P.ROLLING_BACK,
        _E.OLD_DEAD: _P.QUARANTINED,
        _E.ANOTHER_KEY: _P.QUARANTINED,
    },
    _P.DRAINING_BACK: {
        _E.DRAINING: _P.DRAINING_BACK,
        _E.MOVED: _P.DRAINING_BACK,
        _E.PROOF_MISSING: _P.DRAINING_BACK,
        _E.HELD: _P.DRAINING_BACK,
        _E.UNREACHABLE: _P.DRAINING_BACK,
        _E.DRAINED: _P.ABORTING,
        _E.NEW_RETURNED: _P.QUARANTINED,
        _E.SERVED_DEAD: _P.QUARANTINED,
        _E.ANOTHER_KEY: _P.QUARANTINED,
    },
    _P.REVOKING: {
        _E.DELETED: _P.PROVING,
        _E.MOVED: _P.DRAINING,
        _E.HELD: _P.REVOKING,
        _E.INCOMPLETE: _P.REVOKING,
        _E.ELSEWHERE: _P.REVOKING,
        _E.UNREACHABLE: _P.REVOKING,
        _E.DELETE_REFUSED: _P.REVOKING,
        _E.NEW_DEAD: _P.ROLLING_BACK,
        _E.BOTH_DEAD: _P.QUARANTINED,
        _E.ANOTHER_KEY: _P.QUARANTINED,
    },
    _P.PROVING: {
        _E.PROVED: _P.CLOSING,
        _E.STILL_ANSWERS: _P.PROVING,
        _E.UNREACHABLE: _P.PROVING,
    },
    _P.ABORTING: {
        _E.TIDIED: _P.CLOSING,
        _E.MOVED: _P.ABORTING,
        _E.HANDED_OUT: _P.ABORTING,
        _E.NEW_RETURNED: _P.QUARANTINED,
        _E.RESTORED: _P.DRAINING_BACK,
        _E.HELD: _P.ABORTING,
        _E.UNREACHABLE: _P.ABORTING,
        _E.DELETE_REFUSED: _P.ABORTING,
        _E.SERVED_DEAD: _P.QUARANTINED,
        _E.ANOTHER_KEY: _P.QUARANTINED,
    },
    _P.CLOSING: {
        _E.FINISHED: _P.DONE,
        _E.UNREACHABLE: _P.CLOSING,
    },
    _P.QUARANTINED: {
        _E.ASKED: _P.QUARANTINED,
        _E.SETTLING: _P.QUARANTINED,
        _E.UNREACHABLE: _P.QUARANTINED,
        _E.ANSWER_REFUSED: _P.QUARANTINED,
        _E.ADOPTED_PUBLISHED: _P.DRAINING,
        _E.ADOPTED: _P.VERIFIED,
        _E.ABORT_PUBLISHED: _P.ROLLING_BACK,
        _E.ABORT_VERIFIED: _P.DRAINING_BACK,
        _E.ABORT_UNSEEN: _P.ABORTING,
        _E.RETRIED: _P.QUARANTINED,
    },
}
"""Phase, event -> next phase.

CLOSING's FINISHED leads to the record's own outcome, QUARANTINED's RETRIED to
the phase that the record left.
"""

EVERYWHERE: dict[Event, Phase] = {
    Event.PINS_CHANGED: Phase.QUARANTINED,
    Event.RECREATED: Phase.QUARANTINED,
}
"""Rows of every phase from CREATING to ABORTING (rule 8)."""


def row(phase: Phase, event: Event) -> Phase | None:
    """Return the phase that an event leads to; None where the table has no row."""
    if event in EVERYWHERE and phase not in (Phase.CLOSING, Phase.QUARANTINED):
        return EVERYWHERE[event]
    return ROWS.get(phase, {}).get(event)


def as_markdown() -> str:
    """Return the table as the documentation shows it."""
    lines = ["| phase | event | next |", "|---|---|---|"]
    for phase, events in ROWS.items():
        lines += [f"| {phase} | {event.value} | {to} |" for event, to in events.items()]
    lines += [f"| any open phase | {e.value} | {to} |" for e, to in EVERYWHERE.items()]
    return "\n".join(lines) + "\n"
