"""Every interleaving: what can happen next in a state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from rotator.core.issue import IssuedKey
from rotator.core.names import KeyId, Secrets
from rotator.core.outcome import Failure, Happened, Meaning
from rotator.core.record import Phase, Record, Revoke
from rotator.core.saga import observe
from rotator.core.saga.words import (
    Again,
    Answer,
    Closed,
    CreateKey,
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
    Lost,
    Order,
    PatchMetadata,
    Publish,
    RetireVersions,
    Seen,
    Stay,
    Unretire,
    Write,
    WriteHistory,
)

from .effects import (
    create,
    delete,
    land,
    may_delete,
    must_stay_alive,
    paste,
    perform,
    published,
    strays,
    target,
)
from .machine import Machine
from .world import (
    AGES,
    ALIVE,
    DEAD,
    FRESH,
    IDLE,
    M0,
    NONE,
    NOTHING_SEEN,
    OLD,
    RECORDS,
    SEEN,
    T0,
    THIRD,
    Document,
    Driver,
    Setup,
    State,
    Tidy,
    alive,
    attempt_of,
    first_record,
    key_of,
    lives,
    record,
    seen,
    served,
    set_key,
)

Move = tuple[str, State]
MUTATIONS = (CreateKey, DeleteKey, DeleteOlder, Publish, FencePath, RetireVersions, Unretire)
LONG_WAITS = frozenset({Event.DRAINING})
UNSHARED = (FindElsewhere, DestroySecrets, WriteHistory, PatchMetadata)
UNSURE = Failure(Meaning.UNKNOWN_OUTCOME, Happened.UNKNOWN)
FORBIDDEN = Failure(Meaning.PERMISSION_DENIED, Happened.REFUSED)
NO_SLOT = Failure(Meaning.QUOTA_EXCEEDED, Happened.REFUSED)
THROTTLED = Failure(Meaning.RATE_LIMITED, Happened.NOT_APPLIED)


def moves(m: Machine, s: State, setup: Setup) -> Iterator[Move]:
    """Yield everything that can happen next."""
    for i in range(len(s.drivers)):
        yield from _driver_moves(m, s, setup, i)
    for number, late in enumerate(s.pending):
        rest = s.pending[:number] + s.pending[number + 1 :]
        yield f"late {late[0]} {late[1]}", land(s._replace(pending=rest), *late, m.rules)
    if (s.events or s.operator) and not _on_the_wire(m, s):
        yield from _outside_moves(m, s)
        if setup.makes_again and s.operator and s.document.version:
            yield from _made_again(s)
    yield from _tidy_moves(m, s)


def waiting(m: Machine, s: State) -> bool:
    """Say whether no driver can do anything without somebody else."""
    return not s.pending and all(_rests(m, s, d) for d in s.drivers)


def _rests(m: Machine, s: State, d: Driver) -> bool:
    if d.record == NONE:
        return s.document.deleted
    decision = m.decide(s, d)
    if isinstance(decision, Stay) and decision.on == "person":
        return s.hold or decision.event is not Event.HELD
    return isinstance(decision, Closed)


def normal(m: Machine, s: State) -> State:
    """Return the one state that stands for all that differ in nothing visible.

    Drivers are interchangeable; a sleeper without a clock reading in hand is
    awake; effects that touch nothing shared are carried out at once.
    """
    drivers = [_normal_driver(m, s, d) for d in s.drivers]
    if len(drivers) > 1:
        drivers.sort()
    same = tuple(drivers)
    return s if same == s.drivers else s._replace(drivers=same)


def _normal_driver(m: Machine, s: State, d: Driver) -> Driver:
    while d.record != NONE:
        decision = m.decide(s, d)
        if not isinstance(decision, Do) or not isinstance(decision.effect, UNSHARED):
            break
        _, answer = perform(s, d, record(d.record), decision.effect, m.rules)
        d = _saw(d, decision.effect, answer)
    return d._replace(slept=False) if d.slept and not _has_reading(seen(d.seen)) else d


def _has_reading(saw: Seen) -> bool:
    return any(x is not None for x in (saw.fresh_at, saw.new, saw.served, saw.guard))


def _put_driver(s: State, i: int, d: Driver) -> State:
    drivers = list(s.drivers)
    drivers[i] = d
    return s._replace(drivers=tuple(drivers))


# --- a driver's next step -------------------------------------------------------------


def _driver_moves(m: Machine, s: State, setup: Setup, i: int) -> Iterator[Move]:
    d = s.drivers[i]
    if d.record == NONE:
        yield from _begin(s, setup, i)
        return
    if s.events:
        yield f"d{i} crashes", _drop(_spend(s), i)
        if not d.slept:
            asleep = _put_driver(s, i, d._replace(slept=True))
            yield f"d{i} sleeps", _pass_time(m, _spend(asleep), 1, i)
    decision = m.decide(s, d)
    if isinstance(decision, Do):
        yield from _do(m, s, i, d, decision.effect)
    elif isinstance(decision, Write):
        yield from _write(m, s, i, d, decision)
    elif isinstance(decision, Again):
        yield f"d{i} again", _drop(s, i)
    elif isinstance(decision, Stay) and decision.on != "person":
        yield from _wait(m, s, i, decision)
    elif isinstance(decision, Stay) or s.document.version != d.version:
        yield f"d{i} looks again", _drop(s, i)
    else:
        yield from _open_second(s, setup, i, record(d.record))


def _wait(m: Machine, s: State, i: int, stay: Stay) -> Iterator[Move]:
    """While one waits, whoever is in the middle of something is asleep: that is a fault."""
    busy = sum(_busy(m, s, j) for j in range(len(s.drivers)) if j != i)
    if busy > s.events:
        return
    age = 2 if stay.event in LONG_WAITS else 1
    after = _pass_time(m, s._replace(events=s.events - busy), age, i)
    yield f"d{i} waits ({stay.event.value})", after if stay.keep else _drop(after, i)


def _busy(m: Machine, s: State, i: int) -> bool:
    d = s.drivers[i]
    if d.record == NONE or d.slept:
        return False
    return not isinstance(m.decide(s, d), Stay | Closed)


def _drop(s: State, i: int) -> State:
    """Forget everything and read the record again.

    Forgetting touches nothing that others see, so forgetting and reading at one
    instant loses no interleaving.
    """
    doc = s.document
    if doc.version == 0 or doc.deleted:
        return _put_driver(s, i, IDLE)
    return _put_driver(s, i, Driver(doc.version, doc.record, NOTHING_SEEN, s.age, False))


def _spend(s: State) -> State:
    return s._replace(events=s.events - 1)


def _begin(s: State, setup: Setup, i: int) -> Iterator[Move]:
    doc = s.document
    if doc.version == 0:
        yield f"d{i} opens", _open(s, i, first_record(setup))
    elif not doc.deleted:
        yield f"d{i} reads", _drop(s, i)


def _open_second(s: State, setup: Setup, i: int, closed: Record) -> Iterator[Move]:
    top = served(s)
    if setup.rotations < 2 or s.history != NONE or s.document.deleted:
        return
    if top is not None and top != THIRD and alive(s, top):
        first = first_record(setup, "m", top, len(s.path))
        history = RECORDS.number(closed)
        yield f"d{i} opens the next", _open(s._replace(history=history, order=None), i, first)


def _open(s: State, i: int, r: Record) -> State:
    number, version = RECORDS.number(r), s.document.version + 1
    landed = s._replace(document=Document(version, number, False), age=0)
    return _put_driver(landed, i, Driver(version, number, FRESH, 0, False))


def _do(m: Machine, s: State, i: int, d: Driver, e: Effect) -> Iterator[Move]:
    name, r = type(e).__name__, record(d.record)
    invented = m.shortcut(r, e)
    if invented is not None:
        yield f"d{i} skips {name}", _put_driver(s, i, _saw(d, e, invented))
        return
    if isinstance(e, FencePath) and m.rules.no_path_fence:
        unfenced = d._replace(record=RECORDS.number(replace(r, permits=())))
        yield f"d{i} skips {name}", _put_driver(s, i, unfenced)
        return
    after, answer = perform(s, d, r, e, m.rules)
    woken = d._replace(slept=False) if _reads_clock(seen(d.seen), e) else d
    yield f"d{i} {name}", _put_driver(after, i, _saw(woken, e, answer))
    if s.events and isinstance(e, MUTATIONS):
        yield f"d{i} {name}, then crashes", _drop(_spend(after), i)
        yield from _faults(s, i, d, r, e)


def _faults(s: State, i: int, d: Driver, r: Record, e: Effect) -> Iterator[Move]:
    paid = _spend(s)
    if isinstance(e, CreateKey):
        yield from _create_faults(paid, i, d, r, e)
    elif isinstance(e, DeleteKey) and not d.slept:
        may_delete(s, d, target(r, e))
        late = paid._replace(pending=(*s.pending, ("delete", target(r, e), 0)))
        yield f"d{i} DeleteKey is late", _put_driver(late, i, _saw(d, e, UNSURE))
        yield f"d{i} DeleteKey is refused", _put_driver(paid, i, _saw(d, e, FORBIDDEN))
    elif isinstance(e, Publish) and not d.slept and len(s.path) == e.cas:
        late = paid._replace(pending=(*s.pending, ("publish", published(r, e), e.cas)))
        yield f"d{i} Publish is late", _put_driver(late, i, _saw(d, e, Lost()))


def _create_faults(paid: State, i: int, d: Driver, r: Record, e: Effect) -> Iterator[Move]:
    yield f"d{i} create is refused", _put_driver(paid, i, _saw(d, e, NO_SLOT))
    yield f"d{i} create is not applied", _put_driver(paid, i, _saw(d, e, THROTTLED))
    if d.slept:
        return
    name = key_of(r.rotation, r.attempt)
    late = paid._replace(pending=(*paid.pending, ("create", name, 0)))
    yield f"d{i} create is late", _put_driver(late, i, _saw(d, e, UNSURE))
    made = create(paid, name)
    odd = made._replace(mismatched=made.mismatched | {name})
    yield f"d{i} creates another thing", _put_driver(odd, i, _saw(d, e, _issued(name)))


def _issued(name: str) -> IssuedKey:
    return IssuedKey(KeyId(name), Secrets())


def _reads_clock(saw: Seen, e: Effect) -> bool:
    """Say whether what follows will be signed with a clock reading taken now."""
    if isinstance(e, Inspect):
        return e.which.value != "old"
    return isinstance(e, Guard) and saw.new is None and saw.served is None


def _saw(d: Driver, e: Effect, answer: Answer) -> Driver:
    return d._replace(seen=_observed(d.seen, e, answer))


@cache
def _observed(saw: int, e: Effect, answer: Answer) -> int:
    return SEEN.number(observe(seen(saw), e, answer))


# --- a driver writes its record --------------------------------------------------------


def _write(m: Machine, s: State, i: int, d: Driver, w: Write) -> Iterator[Move]:
    number, fresh = m.number(w, d.age), FRESH
    after = record(number)
    if m.rules.record_after_effect and w.event is Event.NOT_CREATED and not d.slept:
        name = key_of(after.rotation, after.attempt)
        s = create(s, name)
        fresh = SEEN.number(observe(Seen(fresh_at=M0), CreateKey(M0), _issued(name)))
        if s.events:
            yield f"d{i} creates {name}, then crashes", _drop(_spend(s), i)
    if s.document.version != d.version and not m.rules.no_cas_on_record:
        yield f"d{i} write conflicts", _drop(s, i)
        return
    version = s.document.version + 1
    doc = Document(version, number, False)
    if m.rules.close_by_delete and after.closed:
        doc = Document(0, NONE, False)
    landed = s._replace(document=doc, age=0, order=_shift(s.order, d.age))
    mine = Driver(version, number, fresh, 0, False)
    yield f"d{i} writes {after.phase} ({w.event.value})", _put_driver(landed, i, mine)
    if s.events:
        lost = _drop(_spend(landed), i)
        yield f"d{i} writes {after.phase}, answer lost", lost
        if m.rules.delete_just_created and w.event is Event.CREATED:
            doomed = ("delete", key_of(after.rotation, after.attempt), 0)
            yield f"d{i} would undo its create", lost._replace(pending=(*s.pending, doomed))


def _shift(order: Order | None, age: int) -> Order | None:
    if order is None:
        return None
    return replace(order, given_at=max(T0 - AGES[2], order.given_at - AGES[age]))


def _pass_time(m: Machine, s: State, age: int, waiter: int) -> State:
    """Let time pass: what is on its way lands, signatures of sleepers grow stale.

    After a drain no consumer uses anything but the path's key, unless the policy
    says that a person must find that out.
    """
    for late in s.pending:
        s = land(s, *late, m.rules)
    drivers = tuple(
        d if d.record == NONE else d._replace(age=max(d.age, age), slept=d.slept or j != waiter)
        for j, d in enumerate(s.drivers)
    )
    if age == 2 and not _by_hand(s):
        s = _moved_over(s)
    return s._replace(pending=(), drivers=drivers, age=max(s.age, age))


def _by_hand(s: State) -> bool:
    number = s.document.record
    return number != NONE and record(number).terms.revoke is Revoke.MANUAL


def _moved_over(s: State) -> State:
    now = served(s)
    return s if now is None else s._replace(held=frozenset({now}))


# --- the exchange and people ------------------------------------------------------------


def _on_the_wire(m: Machine, s: State) -> bool:
    """Excused: what happens while a guarded deletion, or a Publish, is on its way."""
    if s.tidy is not None and s.tidy.stage == "doomed":
        return True
    return any(
        isinstance(e, DeleteKey | Publish | DeleteOlder)
        or (isinstance(e, Guard) and (saw.new is not None or saw.served is not None))
        for saw, e in _next_effects(m, s)
    )


def _next_effects(m: Machine, s: State) -> Iterator[tuple[Seen, Effect]]:
    for d in s.drivers:
        if d.record != NONE and not d.slept:
            decision = m.decide(s, d)
            if isinstance(decision, Do):
                yield seen(d.seen), decision.effect


def _outside_moves(m: Machine, s: State) -> Iterator[Move]:
    if s.events:
        for name, life in s.keys:
            if life == ALIVE:
                yield f"the exchange kills {name}", set_key(_spend(s), name, DEAD)
    if s.operator and s.document.version:
        acting = s._replace(operator=s.operator - 1)
        yield from _pastes(acting._replace(meddled=True))
        yield from _orders(acting)
        if not any(isinstance(e, RetireVersions) for _, e in _next_effects(m, s)):
            word = "releases" if s.hold else "holds"
            yield f"operator {word}", acting._replace(hold=not s.hold)
        yield "operator edits another field", acting._replace(path=(*s.path, s.path[-1]))


def _pastes(s: State) -> Iterator[Move]:
    """A key pasted by hand, or `vault kv rollback` to any version that still reads."""
    doomed = {name for kind, name, _ in s.pending if kind == "delete"}
    readable = {v.holds for v in s.path if not v.deleted}
    by_hand = {name for name in (OLD, *(v.holds for v in s.path)) if alive(s, name)}
    for name in sorted({THIRD} | readable | by_hand):
        if name not in doomed:
            yield f"operator pastes {name}", paste(s, name)
    if not s.document.deleted:
        yield "operator deletes the record", s._replace(document=s.document._replace(deleted=True))


def _made_again(s: State) -> Iterator[Move]:
    """The path removed with its metadata, and a living key written anew.

    Excused is the moment between a driver's look at the path and what follows:
    a version number is all that a write to the store can be bound to.
    """
    if any(saw.path or saw.guard for saw in (seen(d.seen) for d in s.drivers)):
        return
    acting = s._replace(operator=s.operator - 1, meddled=True, made=s.made + 1, path=())
    by_hand = {name for name in (OLD, *(v.holds for v in s.path)) if alive(s, name)}
    for name in sorted({THIRD} | by_hand):
        yield f"operator makes the path again with {name}", paste(acting, name)


def _orders(s: State) -> Iterator[Move]:
    if s.document.record == NONE:
        return
    r = record(s.document.record)
    number = 1 + (s.order.number if s.order else 0)
    at = T0 + AGES[s.age]
    if r.phase in (Phase.DRAINING, Phase.DRAINING_BACK):
        order = Order("complete", r.rotation, len(s.path), None, number, at)
        yield "operator completes", _moved_over(s._replace(order=order))
    if r.phase is Phase.QUARANTINED:
        for answer in ("adopt", "abort", "retry"):
            order = Order("resolve", r.rotation, len(s.path), answer, number, at)
            yield f"operator resolves {answer}", s._replace(order=order)


# --- the tidy -----------------------------------------------------------------------------


def _tidy_moves(m: Machine, s: State) -> Iterator[Move]:
    """It lists first, then reads record and path, then probes and deletes in one step."""
    if m.rules.tidy_trusts_no_open_record:
        yield from _trusting_tidy(s)
    elif s.tidy is None:
        if s.events and s.document.version:
            names = tuple(k for k, life in s.keys if life == ALIVE)
            yield "the tidy lists", _spend(s)._replace(tidy=Tidy("listed", names))
    elif s.tidy.stage == "listed":
        doomed = () if s.document.deleted else strays(s, s.tidy.names)
        tidy = Tidy("doomed", doomed) if doomed else None
        yield "the tidy judges", s._replace(tidy=tidy)
    else:
        after = s._replace(tidy=None)
        if m.rules.skip_probe_in_tidy or lives(s, served(s)):
            for name in s.tidy.names:
                if alive(after, name):
                    must_stay_alive(after)
                    after = delete(after, name)
        yield "the tidy deletes strays", after


def _trusting_tidy(s: State) -> Iterator[Move]:
    """A mutant: it reads record and path first, and what no open record names must go."""
    number = s.document.record
    if s.tidy is None:
        if s.events and (number == NONE or record(number).closed):
            top = served(s)
            yield (
                "the tidy finds no open record",
                _spend(s)._replace(tidy=Tidy("trusting", () if top is None else (top,))),
            )
        return
    after = s._replace(tidy=None)
    for name, life in s.keys:
        if life == ALIVE and attempt_of(name) is not None and name not in s.tidy.names:
            after = delete(after, name)
    yield "the tidy deletes the rest", after
