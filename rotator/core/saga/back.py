"""ROLLING_BACK, DRAINING_BACK, ABORTING: the way back to the old key."""

from __future__ import annotations

from typing import assert_never

from rotator.core.findings import Code
from rotator.core.liveness import Liveness
from rotator.core.outcome import Failure, Happened
from rotator.core.record import Phase, Record, Revoke
from rotator.core.saga.forward import completed_by
from rotator.core.saga.step import (
    SETTLE,
    Context,
    StepResult,
    blocked,
    happens,
    held,
    later,
    person,
    recreated,
    settled,
    stale_guard,
    until,
)
from rotator.core.saga.words import (
    Again,
    DeleteKey,
    DeleteOlder,
    Do,
    Done,
    Event,
    FencePath,
    Guard,
    Holder,
    Inspect,
    Lost,
    PathSeen,
    Publish,
    ReadPath,
    RetireVersions,
    Seen,
    Sight,
    Which,
    Written,
    earlier,
)


def rolling_back(r: Record, s: Seen, c: Context) -> StepResult:
    """Put the old key's fields back, only over the new key's."""
    if not settled(r, c):
        return until(c, Event.SETTLING, r.written_at + SETTLE, "waits for deletions on their way")
    if s.path is None:
        return Do(ReadPath())
    if s.path.recreated:
        return recreated()
    if s.path.holds is Holder.OLD:
        return _restored(r, s.path.version, c)
    if s.path.holds is not Holder.NEW:
        return happens(Event.ANOTHER_KEY, why="the path holds a key that is neither old nor new")
    if s.path.version != r.publish_over:
        return happens(
            Event.MOVED, publish_over=s.path.version, permits=(*r.permits, s.path.version)
        )
    return _restore(r, s, s.path, c)


def _restore(r: Record, s: Seen, path: PathSeen, c: Context) -> StepResult:
    if s.old is None:
        return Do(Inspect(Which.OLD))
    if s.old.liveness is Liveness.DEAD:
        return happens(Event.OLD_DEAD, why="the old key died before it could be put back")
    if s.old.liveness is not Liveness.ALIVE:
        return later(c, Event.UNREACHABLE, f"the old key gives no certain answer: {s.old.detail}")
    match s.published:
        case None:
            return Do(Publish(Which.OLD, path.version))
        case Written(version):
            return _restored(r, version, c)
        case Lost():
            return Again("the restoring write was not acknowledged")
        case _:
            assert_never(s.published)


def _restored(r: Record, version: int, c: Context) -> StepResult:
    return happens(
        Event.RESTORED,
        path_version=version,
        drain_since=c.now,
        drain_until=c.now + r.terms.drain,
    )


def draining_back(r: Record, s: Seen, c: Context) -> StepResult:
    """Let consumers that saw the new key move back before it is deleted."""
    if s.path is None:
        return Do(ReadPath())
    moved = _left_the_path(r, s.path, c)
    if moved is not None:
        return moved
    if s.served is None:
        return Do(Inspect(Which.SERVED))
    if s.served.liveness is Liveness.DEAD:
        return happens(Event.SERVED_DEAD, why="the key on the path is dead")
    if s.served.liveness is not Liveness.ALIVE:
        return _unsure(s.served, c)
    if c.hold is not None:
        return held(c, c.hold)
    return _drained_back(r, s, c)


def _unsure(served: Sight, c: Context) -> StepResult:
    sentence = f"the path's key gives no certain answer: {served.detail}"
    return later(c, Event.UNREACHABLE, sentence)


def _drained_back(r: Record, s: Seen, c: Context) -> StepResult:
    assert r.drain_until is not None
    if not c.elapsed(r.drain_until):
        sentence = f"drains back until {r.drain_until:%Y-%m-%dT%H:%M:%SZ}"
        return until(c, Event.DRAINING, r.drain_until, sentence)
    if r.terms.revoke is Revoke.DRAIN or completed_by(r, c) is not None:
        return happens(Event.DRAINED)
    if s.new is None:
        return Do(Inspect(Which.NEW))
    if s.new.liveness is Liveness.DEAD:
        return happens(Event.DRAINED)
    sentence = (
        f"a person must confirm that the withdrawn key is unused: rotator complete {r.credential}"
    )
    return person(c, Event.PROOF_MISSING, sentence)


def _left_the_path(r: Record, path: PathSeen, c: Context) -> StepResult | None:
    if path.recreated:
        return recreated()
    if path.holds is Holder.NEW:
        return happens(Event.NEW_RETURNED, why="the path serves the new key again")
    if path.holds is Holder.GONE:
        return happens(Event.ANOTHER_KEY, why="the path holds no key")
    if path.version != r.path_version:
        return happens(
            Event.MOVED,
            path_version=path.version,
            drain_since=c.now,
            drain_until=c.now + r.terms.drain,
        )
    return None


def aborting(r: Record, s: Seen, c: Context) -> StepResult:
    """Delete the keys of this rotation; the path must serve another, living key."""
    if s.path is None:
        return Do(ReadPath())
    moved = _abort_path(r, s.path, c)
    if moved is not None:
        return moved
    hiding = _withdraw(r, s, s.path, c)
    if hiding is not None:
        return hiding
    if s.served is None:
        return Do(Inspect(Which.SERVED))
    if s.served.liveness is Liveness.DEAD:
        return happens(Event.SERVED_DEAD, why="the key on the path is dead; nothing is deleted")
    if s.served.liveness is not Liveness.ALIVE:
        return _unsure(s.served, c)
    if s.path.version <= r.highest_permit:
        return _fence_path(s, s.path.version)
    readable = _readable(s.path)
    if readable - set(r.withdraw):
        return happens(Event.HANDED_OUT, withdraw=tuple(sorted(readable | set(r.withdraw))))
    return _delete_new(r, s, s.path, c)


def _abort_path(r: Record, path: PathSeen, c: Context) -> StepResult | None:
    if path.recreated:
        return recreated()
    if path.holds is Holder.NEW:
        return happens(Event.NEW_RETURNED, why="the path serves the key that should be deleted")
    if path.holds is Holder.GONE:
        return happens(Event.ANOTHER_KEY, why="the path holds no key; nothing is deleted")
    if path.version == r.path_version:
        return None
    if r.path_version is not None and path.may_have_held_new_after(r.path_version):
        return _restored(r, path.version, c)
    return happens(Event.MOVED, path_version=path.version)


def _fence_path(s: Seen, version: int) -> StepResult:
    match s.fenced:
        case None:
            return Do(FencePath(version))
        case Written(new_version):
            return happens(Event.MOVED, path_version=new_version)
        case Lost():
            return Again("the fencing write was not acknowledged")
        case _:
            assert_never(s.fenced)


def _withdraw(r: Record, s: Seen, path: PathSeen, c: Context) -> StepResult | None:
    """Hide the recorded versions that hold the key which goes: no rollback hands it out dead."""
    if not _readable(path) & set(r.withdraw) or isinstance(s.retired, Done):
        return None
    if s.retired is not None:
        return Again("versions with the new key were not surely withdrawn")
    if s.guard is None:
        return Do(Guard())
    stop = stale_guard(s.guard, path.version) or blocked(s.guard, c)
    return stop if stop is not None else Do(RetireVersions(r.withdraw, s.guard.at))


def _readable(path: PathSeen) -> set[int]:
    """Return the older versions that still hand out the new key."""
    return {n for n in path.new_versions if n < path.version}


def _delete_new(r: Record, s: Seen, path: PathSeen, c: Context) -> StepResult:
    guard = s.guard if s.retired is None else s.guard_again
    if guard is None:
        return Do(Guard(again=s.retired is not None))
    stop = stale_guard(guard, path.version) or blocked(guard, c)
    if stop is not None:
        return stop
    assert s.served is not None
    signed_at = earlier(s.served.at, guard.at)
    if r.new is not None:
        if s.deleted is None:
            return Do(DeleteKey(Which.NEW, signed_at))
        if isinstance(s.deleted, Failure):
            return not_deleted(s.deleted, c)
    if r.attempt > 1:
        if s.tidied is None:
            return Do(DeleteOlder(r.attempt + 1 if r.new is None else r.attempt, signed_at))
        if isinstance(s.tidied, Failure):
            return not_deleted(s.tidied, c)
    return happens(Event.TIDIED, outcome=Phase.ABORTED)


def not_deleted(failure: Failure, c: Context) -> StepResult:
    """Say what follows from a deletion that did not surely happen."""
    if failure.happened is Happened.REFUSED:
        sentence = f"the exchange refuses the deletion: {failure.message or failure.meaning}"
        return later(c, Event.DELETE_REFUSED, sentence, alert=Code.REVOCATION_OWED)
    return later(c, Event.UNREACHABLE, f"the deletion gave no certain answer: {failure.message}")
