"""What the world answers to each effect, and the invariants that no effect may break."""

from __future__ import annotations

from collections.abc import Callable

from rotator.core.facts import KeyFacts
from rotator.core.issue import IssuedKey
from rotator.core.liveness import Liveness
from rotator.core.names import KeyId, Secrets
from rotator.core.outcome import Failure, Happened, Meaning
from rotator.core.record import Record, label_of
from rotator.core.saga.words import (
    Answer,
    CreateKey,
    DeleteKey,
    DeleteOlder,
    Done,
    Effect,
    FencePath,
    FindElsewhere,
    Guard,
    GuardSeen,
    Holder,
    Inspect,
    Lost,
    PathSeen,
    Places,
    Publish,
    ReadPath,
    RetireVersions,
    Sight,
    Stale,
    Unretire,
    Which,
    Written,
)
from rotator.core.strays import Kind, judge

from .world import (
    ALIVE,
    DELETED,
    M0,
    NONE,
    THIRD,
    Driver,
    PathVersion,
    Rules,
    State,
    alive,
    attempt_of,
    key_of,
    lives,
    made_at,
    record,
    seen,
    served,
    set_key,
)

REFUSED_STALE = Failure(Meaning.CLOCK_SKEW, Happened.NOT_APPLIED)


class Violation(Exception):
    """An invariant is broken."""


def names_of(r: Record) -> tuple[str, str | None]:
    """The old key's and the new key's name."""
    return str(r.old_key_id), None if r.new is None else str(r.new.key_id)


def delete(s: State, name: str) -> State:
    """Apply a deletion of ours, which must never hit a key that consumers may hold."""
    if not alive(s, name):
        return s
    if served(s) == name:
        raise Violation(f"deleted {name}, which the path serves")
    if name in s.held:
        raise Violation(f"deleted {name}, which a consumer may still hold")
    return set_key(s, name, DELETED)


def must_stay_alive(s: State) -> None:
    """At the moment of sending a deletion, the path's key must be alive."""
    if not lives(s, served(s)):
        raise Violation("a deletion was sent while the path serves no living key")


def may_delete(s: State, d: Driver, name: str) -> None:
    """A driver that is awake deletes a living key only as the record says now, unheld."""
    if not alive(s, name):
        return
    must_stay_alive(s)
    if s.document.deleted or s.document.version != d.version:
        raise Violation(f"deleted {name} under a record that is not in force any more")
    if s.hold:
        raise Violation(f"deleted {name} although somebody holds the credential")


def perform(s: State, d: Driver, r: Record, e: Effect, rules: Rules) -> tuple[State, Answer]:
    """Carry an effect out without any fault."""
    return HANDLERS.get(type(e), _done)(s, d, r, e, rules)


def _read_path(s: State, d: Driver, r: Record, e: Effect, rules: Rules) -> tuple[State, Answer]:
    old, new = names_of(r)
    numbered = list(enumerate(s.path, 1))
    top = served(s)
    words = {None: Holder.GONE, old: Holder.OLD, new: Holder.NEW}
    holds = Holder.GONE if top is None else words.get(top, Holder.OTHER)
    return s, PathSeen(
        version=len(s.path),
        holds=holds,
        recreated=made_at(s) != r.pins.path_created,
        created_at=made_at(s),
        old_versions=tuple(
            n for n, v in numbered if v.holds == old and not v.deleted and n < len(s.path)
        ),
        new_versions=tuple(n for n, v in numbered if v.holds == new and not v.deleted),
        unread=tuple(n for n, v in numbered if v.deleted),
    )


def _inspect(s: State, d: Driver, r: Record, e: Effect, rules: Rules) -> tuple[State, Answer]:
    assert isinstance(e, Inspect)
    old, new = names_of(r)
    name = {Which.OLD: old, Which.NEW: new, Which.SERVED: served(s)}[e.which]
    if name is None:
        return s, Sight(Liveness.UNKNOWN, M0)
    life = Liveness.ALIVE if lives(s, name) else Liveness.DEAD
    return s, Sight(life, M0, matches=name not in s.mismatched)


def _guard(s: State, d: Driver, r: Record, e: Effect, rules: Rules) -> tuple[State, Answer]:
    same = s.document.version == d.version and not s.document.deleted
    return s, GuardSeen(
        at=M0,
        path_version=len(s.path),
        recreated=made_at(s) != r.pins.path_created,
        record_unchanged=same or rules.guard_blind_to_record,
        hold="somebody" if s.hold else None,
    )


def _create(s: State, d: Driver, r: Record, e: Effect, rules: Rules) -> tuple[State, Answer]:
    if d.slept:
        return s, REFUSED_STALE
    name = key_of(r.rotation, r.attempt)
    return create(s, name), IssuedKey(KeyId(name), Secrets())


def create(s: State, name: str) -> State:
    """Apply a create; each attempt may create one key."""
    if name in s.created:
        raise Violation(f"attempt {name} created two keys")
    return set_key(s, name, ALIVE)._replace(created=s.created | {name})


def _delete_key(s: State, d: Driver, r: Record, e: Effect, rules: Rules) -> tuple[State, Answer]:
    assert isinstance(e, DeleteKey)
    if d.slept and not rules.no_clock_in_guard:
        return s, REFUSED_STALE
    name = target(r, e)
    if not d.slept:
        may_delete(s, d, name)
    return delete(s, name), Done()


def target(r: Record, e: DeleteKey) -> str:
    """The name of the key that a DeleteKey means."""
    old, new = names_of(r)
    name = old if e.which is Which.OLD else new
    assert name is not None
    return name


def _delete_older(s: State, d: Driver, r: Record, e: Effect, rules: Rules) -> tuple[State, Answer]:
    assert isinstance(e, DeleteOlder)
    if d.slept and not rules.no_clock_in_guard:
        return s, REFUSED_STALE
    path = seen(d.seen).path
    if not d.slept and (path is None or path.version == len(s.path)):
        must_stay_alive(s)
    for name, life in s.keys:
        named = attempt_of(name)
        if named is None or life != ALIVE or named[0] != r.rotation:
            continue
        if named[1] < e.before or (rules.delete_others and named[1] != r.attempt):
            s = delete(s, name)
    return s, Done()


def _publish(s: State, d: Driver, r: Record, e: Effect, rules: Rules) -> tuple[State, Answer]:
    assert isinstance(e, Publish)
    name = published(r, e)
    if len(s.path) != e.cas and not rules.no_cas_on_path:
        return s, Lost()
    if name in s.mismatched and not r.obeyed:
        raise Violation("published a key that is not what was asked for")
    if not alive(s, name) and not d.slept:
        raise Violation(f"published {name}, which is dead")
    if served(s) == THIRD and not r.overwrite:
        raise Violation("published over the key that a person had put there")
    return put(s, name), Written(len(s.path) + 1)


def published(r: Record, e: Publish) -> str:
    """The name of the key that a Publish puts on the path."""
    old, new = names_of(r)
    name = new if e.which is Which.NEW else old
    assert name is not None
    return name


def land(s: State, kind: str, name: str, cas: int, rules: Rules) -> State:
    """Apply what was on its way."""
    if kind == "create":
        return create(s, name)
    if kind == "delete":
        return delete(s, name)
    return put(s, name) if len(s.path) == cas or rules.no_cas_on_path else s


def put(s: State, name: str) -> State:
    """Write a new version of the path by our own hand; consumers may read it at once."""
    if (name, DELETED) in s.keys:
        raise Violation(f"published {name}, which we had deleted")
    return paste(s, name)


def paste(s: State, name: str) -> State:
    """Write a new version of the path, by whosever hand."""
    return s._replace(path=(*s.path, PathVersion(name, False)), held=s.held | {name})


def _fence(s: State, d: Driver, r: Record, e: Effect, rules: Rules) -> tuple[State, Answer]:
    assert isinstance(e, FencePath)
    if len(s.path) != e.cas:
        return s, Lost()
    return s._replace(path=(*s.path, s.path[-1])), Written(len(s.path) + 1)


def _retire(s: State, d: Driver, r: Record, e: Effect, rules: Rules) -> tuple[State, Answer]:
    assert isinstance(e, RetireVersions | Unretire)
    down = isinstance(e, RetireVersions)
    if d.slept and not (down and rules.skip_guard_before_retire):
        return s, Stale()
    versions = e.versions
    if rules.retire_by_content and down:
        versions = tuple(n for n, v in enumerate(s.path, 1) if v.holds == r.old_key_id)
    if down and len(s.path) in versions:
        raise Violation("retired the version that consumers read")
    if down and s.hold and not d.slept:
        raise Violation("retired versions although somebody holds the credential")
    path = tuple(v._replace(deleted=down) if n in versions else v for n, v in enumerate(s.path, 1))
    return s._replace(path=path), Done()


def _done(s: State, d: Driver, r: Record, e: Effect, rules: Rules) -> tuple[State, Answer]:
    return s, Places((), complete=True) if isinstance(e, FindElsewhere) else Done()


Handler = Callable[[State, Driver, Record, Effect, Rules], tuple[State, Answer]]

HANDLERS: dict[type, Handler] = {
    ReadPath: _read_path,
    Inspect: _inspect,
    Guard: _guard,
    CreateKey: _create,
    DeleteKey: _delete_key,
    DeleteOlder: _delete_older,
    Publish: _publish,
    FencePath: _fence,
    RetireVersions: _retire,
    Unretire: _retire,
}


def strays(s: State, listed: tuple[str, ...]) -> tuple[str, ...]:
    """Which of the listed keys the tidy may delete, by the real judgement."""
    numbers = [n for n in (s.document.record, s.history) if n != NONE]
    records = {r.rotation: r for r in map(record, numbers)}
    holder = served(s)
    ids = frozenset() if holder is None else frozenset({KeyId(holder)})
    found = []
    for name in listed:
        named = attempt_of(name)
        label = None if named is None else label_of(*named)
        if judge(KeyFacts(KeyId(name), label=label), records, ids).kind is Kind.STRAY:
            found.append(name)
    return tuple(found)
