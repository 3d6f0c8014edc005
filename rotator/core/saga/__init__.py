"""The rotation machine of the overlap strategy: one pure function, `advance()`.

    decision = advance(record, seen, context)
    seen     = observe(seen, effect, answer)

`table.py` is the law and stands first; `forward.py`, `back.py`, `revoke.py` and
`resolve.py` say, per phase, what is asked and which event follows.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, assert_never

from rotator.core.record import MAX_STEPS, Phase, Record, Step, without_secrets
from rotator.core.saga import back, forward, resolve, revoke
from rotator.core.saga.step import Context, Happens, StepResult, happens
from rotator.core.saga.table import row
from rotator.core.saga.words import (
    Again,
    Answer,
    Closed,
    CreateKey,
    Decision,
    DeleteKey,
    DeleteOlder,
    DestroySecrets,
    Do,
    Effect,
    Event,
    FencePath,
    FindElsewhere,
    Guard,
    Inspect,
    PatchMetadata,
    Publish,
    ReadPath,
    RetireVersions,
    Seen,
    Stay,
    Unretire,
    Which,
    Write,
    WriteHistory,
)

STEPS = {
    Phase.CREATING: forward.creating,
    Phase.STAGED: forward.staged,
    Phase.VERIFIED: forward.verified,
    Phase.DRAINING: forward.draining,
    Phase.ROLLING_BACK: back.rolling_back,
    Phase.DRAINING_BACK: back.draining_back,
    Phase.ABORTING: back.aborting,
    Phase.REVOKING: revoke.revoking,
    Phase.PROVING: revoke.proving,
    Phase.CLOSING: revoke.closing,
    Phase.QUARANTINED: resolve.quarantined,
}

UNPINNED = frozenset({Phase.CLOSING, Phase.QUARANTINED})


def advance(record: Record, seen: Seen, ctx: Context) -> Decision:
    """Return what a driver does next; pure, total, and free of any memory."""
    if record.closed:
        return Closed()
    result = _step(record, seen, ctx)
    match result:
        case Do() | Again():
            return result
        case Stay(event=event):
            return result if row(record.phase, event) is not None else _no_row(record, event, ctx)
        case Happens(event, changes):
            return _apply(record, event, dict(changes), ctx.now)
        case _:
            assert_never(result)


def _step(record: Record, seen: Seen, ctx: Context) -> StepResult:
    if ctx.pins_problem is not None and record.phase not in UNPINNED:
        return happens(Event.PINS_CHANGED, why=ctx.pins_problem)
    return STEPS[record.phase](record, seen, ctx)


def _no_row(record: Record, event: Event, ctx: Context) -> Decision:
    why = f"no row for «{event.value}» in {record.phase}"
    return _write(record, event, Phase.QUARANTINED, {"why": why}, ctx.now)


def _apply(record: Record, event: Event, changes: dict[str, Any], now: datetime) -> Decision:
    to = row(record.phase, event)
    if to is None:
        changes["why"] = f"no row for «{event.value}» in {record.phase}"
        to = Phase.QUARANTINED
    elif event is Event.FINISHED:
        to = record.end
    elif event is Event.RETRIED:
        to = record.left or Phase.QUARANTINED
    return _write(record, event, to, changes, now)


def _write(
    record: Record, event: Event, to: Phase, changes: dict[str, Any], now: datetime
) -> Decision:
    why = str(changes.get("why", record.why))
    asks = record.phase is Phase.QUARANTINED
    if to is Phase.QUARANTINED and not (asks and event is Event.ANSWER_REFUSED):
        changes |= {"left": record.phase, "refused": ""} | resolve.asked(event, why, record)
    elif asks and to is not Phase.QUARANTINED:
        changes |= {"left": None, "refused": "", "question": "", "answers": ()}
    if to is not record.phase:
        changes["phase_since"] = now
    step = Step(now, to, event.value)
    steps = (*record.steps, step)[-MAX_STEPS:]
    after = replace(record, phase=to, written_at=now, steps=steps, **changes)
    if to in (Phase.CLOSING, Phase.DONE, Phase.ABORTED):
        after = without_secrets(after)
    return Write(after, event)


INSPECT_FIELD = {
    (Which.NEW, False): "new",
    (Which.NEW, True): "new_again",
    (Which.OLD, False): "old",
    (Which.SERVED, False): "served",
}


def answer_field(effect: Effect) -> str:
    """Return the field of `Seen` that an effect's answer fills."""
    match effect:
        case Inspect(which, again):
            return INSPECT_FIELD[which, again]
        case Guard(again):
            return "guard_again" if again else "guard"
        case _:
            return FIELDS[type(effect)]


FIELDS: dict[type, str] = {
    DeleteOlder: "tidied",
    CreateKey: "created",
    ReadPath: "path",
    Publish: "published",
    FencePath: "fenced",
    RetireVersions: "retired",
    Unretire: "unretired",
    FindElsewhere: "elsewhere",
    DeleteKey: "deleted",
    DestroySecrets: "destroyed",
    WriteHistory: "history",
    PatchMetadata: "patched",
}


def observe(seen: Seen, effect: Effect, answer: Answer) -> Seen:
    """Return what is seen after an effect was answered."""
    changes: dict[str, Any] = {answer_field(effect): answer}
    return replace(seen, **changes)


__all__ = ["STEPS", "Context", "advance", "answer_field", "observe"]
