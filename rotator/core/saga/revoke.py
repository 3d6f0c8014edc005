"""REVOKING, PROVING, CLOSING: the one effect that cannot be undone, and its proof."""

from __future__ import annotations

from rotator.core.findings import Code
from rotator.core.liveness import Liveness
from rotator.core.outcome import Failure
from rotator.core.record import Phase, Record
from rotator.core.saga.back import not_deleted
from rotator.core.saga.forward import moved
from rotator.core.saga.step import (
    LOOK_AGAIN,
    PERSON,
    TIME,
    Context,
    StepResult,
    blocked,
    happens,
    later,
    recreated,
    stale_guard,
    until,
)
from rotator.core.saga.words import (
    Again,
    DeleteKey,
    DestroySecrets,
    Do,
    Done,
    Event,
    FindElsewhere,
    Guard,
    GuardSeen,
    Holder,
    Inspect,
    Lost,
    PatchMetadata,
    PathSeen,
    Places,
    ReadPath,
    RetireVersions,
    Seen,
    Sight,
    Stale,
    Stay,
    Unretire,
    Which,
    WriteHistory,
    earlier,
)

REVOCATION_GRACE = 10 * LOOK_AGAIN / 5


def revoking(r: Record, s: Seen, c: Context) -> StepResult:
    """Retire, look everywhere, probe the key that stays, guard, delete."""
    if r.retire and s.retired is None:
        stop = _guarded(r, s, s.guard, Guard(), c)
        if stop is not None:
            return stop
        assert s.guard is not None
        return Do(RetireVersions(r.retire, s.guard.at))
    if isinstance(s.retired, Stale | Lost):
        return Again("old versions were not surely retired")
    if s.elsewhere is None:
        return Do(FindElsewhere(r.written_at))
    if not s.elsewhere.complete or s.elsewhere.paths:
        return _not_only_here(s.elsewhere, c)
    return _delete_old(r, s, c)


def _delete_old(r: Record, s: Seen, c: Context) -> StepResult:
    """Probe, guard, delete: one step (rules 5 and 6)."""
    if s.new is None:
        return Do(Inspect(Which.NEW))
    if s.new.liveness is not Liveness.ALIVE:
        return _new_not_alive(r, s, s.new, c)
    stop = _guarded(r, s, s.guard_again, Guard(again=True), c)
    if stop is not None:
        return stop
    assert s.guard_again is not None
    if s.deleted is None:
        return Do(DeleteKey(Which.OLD, earlier(s.new.at, s.guard_again.at)))
    if isinstance(s.deleted, Failure):
        return not_deleted(s.deleted, c)
    return happens(Event.DELETED, deleted_at=c.now)


def _guarded(
    r: Record, s: Seen, guard: GuardSeen | None, ask: Guard, c: Context
) -> StepResult | None:
    """Return what stands in the way; None = the guard has just been passed."""
    if guard is None:
        return Do(ask)
    assert r.v1 is not None
    if guard.path_version not in (None, r.v1) and guard.record_unchanged:
        return _moved(r, s.path, c) if s.path is not None else Do(ReadPath())
    return stale_guard(guard, r.v1) or blocked(guard, c)


def _moved(r: Record, path: PathSeen, c: Context) -> StepResult:
    """Another version: drain on with it if it is still new, else ask a person."""
    if path.recreated:
        return recreated()
    if path.holds is not Holder.NEW:
        return happens(Event.ANOTHER_KEY, why="the path no longer holds the new key")
    return moved(r, path, c)


def _not_only_here(places: Places, c: Context) -> StepResult:
    if places.paths:
        sentence = f"the old key is also at {', '.join(places.paths)}; take it out there first"
        return Stay(Event.ELSEWHERE, c.now + LOOK_AGAIN / 10, PERSON, sentence, Code.SAME_KEY_TWICE)
    sentence = f"waits for a complete inventory; not read: {places.missing or 'unknown'}"
    return Stay(Event.INCOMPLETE, c.now + LOOK_AGAIN / 10, TIME, sentence)


def _new_not_alive(r: Record, s: Seen, new: Sight, c: Context) -> StepResult:
    if new.liveness is not Liveness.DEAD:
        return later(c, Event.UNREACHABLE, f"the new key gives no certain answer: {new.detail}")
    if s.old is None:
        return Do(Inspect(Which.OLD))
    if s.old.liveness is Liveness.DEAD:
        return happens(Event.BOTH_DEAD, why="both the old and the new key are dead")
    if s.old.liveness is not Liveness.ALIVE:
        return later(c, Event.UNREACHABLE, f"the old key gives no certain answer: {s.old.detail}")
    if r.retire and s.unretired is None:
        stop = _guarded(r, s, s.guard_again, Guard(again=True), c)
        if stop is not None:
            return stop
        assert s.guard_again is not None
        return Do(Unretire(r.retire, s.guard_again.at))
    if isinstance(s.unretired, Stale | Lost):
        return Again("old versions were not surely brought back")
    assert r.v1 is not None
    return happens(
        Event.NEW_DEAD,
        why="the new key died; the old one is put back",
        publish_over=r.v1,
        permits=(*r.permits, r.v1),
        rolled_back=True,
    )


def proving(r: Record, s: Seen, c: Context) -> StepResult:
    """Show that the old key is dead, and that what stays is not."""
    if s.new is None:
        return Do(Inspect(Which.NEW))
    if s.old is None:
        return Do(Inspect(Which.OLD))
    if s.old.liveness is Liveness.ALIVE:
        return _still_answers(r, c)
    if s.old.liveness is not Liveness.DEAD:
        return later(c, Event.UNREACHABLE, f"the old key gives no certain answer: {s.old.detail}")
    if s.path is None:
        return Do(ReadPath())
    alarm = ""
    if s.new.liveness is Liveness.DEAD:
        alarm = "the old key is deleted and the new one is dead"
    elif s.path.holds is not Holder.NEW:
        alarm = "the old key is deleted and the path does not hold the new one"
    return happens(Event.PROVED, outcome=Phase.DONE, alarm=alarm)


def _still_answers(r: Record, c: Context) -> StepResult:
    assert r.deleted_at is not None
    limit = r.deleted_at + r.terms.revocation + REVOCATION_GRACE
    sentence = "the exchange says that the old key is deleted, but it still answers"
    if c.elapsed(limit):
        return later(c, Event.STILL_ANSWERS, sentence, alert=Code.REVOCATION_OWED)
    return until(c, Event.STILL_ANSWERS, c.now + LOOK_AGAIN / 60, sentence)


def closing(r: Record, s: Seen, c: Context) -> StepResult:
    """Leave no secret behind, and the story in the history."""
    if s.destroyed is None:
        return Do(DestroySecrets())
    if r.outcome is Phase.ABORTED and r.retire and s.unretired is None:
        step = _bring_back(r, s, c)
        if step is not None:
            return step
    if s.history is None:
        return Do(WriteHistory())
    if r.outcome is Phase.DONE and s.patched is None:
        return Do(PatchMetadata())
    answers = (s.destroyed, s.history, s.patched, s.unretired)
    if not all(a is None or isinstance(a, Done) for a in answers):
        return later(c, Event.UNREACHABLE, "the store did not acknowledge; it is tried again")
    return happens(Event.FINISHED)


def _bring_back(r: Record, s: Seen, c: Context) -> StepResult | None:
    """Bring retired versions back, only while the old key is on the path and alive."""
    if s.path is None:
        return Do(ReadPath())
    if s.path.holds is not Holder.OLD or s.path.recreated:
        return None
    if s.served is None:
        return Do(Inspect(Which.SERVED))
    if s.served.liveness is Liveness.DEAD:
        return None
    if s.served.liveness is not Liveness.ALIVE:
        sentence = f"the old key gives no certain answer: {s.served.detail}"
        return later(c, Event.UNREACHABLE, sentence)
    if s.guard is None:
        return Do(Guard())
    if s.guard.recreated or s.guard.path_version is None:
        return None
    stop = stale_guard(s.guard, s.path.version)
    return stop if stop is not None else Do(Unretire(r.retire, s.guard.at))
