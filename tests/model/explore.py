"""Every interleaving: what can happen next in a state, and a walk over all of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from rotator.core.issue import IssuedKey
from rotator.core.liveness import Liveness
from rotator.core.names import KeyId, Secrets
from rotator.core.outcome import Failure, Happened, Meaning
from rotator.core.record import Phase, Record, Revoke
from rotator.core.saga import advance, observe
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
    GuardSeen,
    Inspect,
    Order,
    PatchMetadata,
    Publish,
    RetireVersions,
    Seen,
    Sight,
    Stay,
    Unretire,
    Which,
    Write,
    WriteHistory,
)

from .effects import Violation, create, delete, must_stay_alive, perform, put, strays, target
from .world import (
    AGES,
    FRESH,
    IDLE,
    M0,
    NONE,
    NOTHING_SEEN,
    OLD,
    REAL,
    RECORDS,
    SEEN,
    T0,
    THIRD,
    Document,
    Driver,
    Rules,
    Setup,
    State,
    alive,
    canonical,
    context,
    first_record,
    key_of,
    served,
    set_key,
    start,
)

Move = tuple[str, State]
MUTATIONS = (CreateKey, DeleteKey, DeleteOlder, Publish, FencePath, RetireVersions, Unretire)
LONG_WAITS = frozenset({Event.DRAINING})
UNSHARED = (FindElsewhere, DestroySecrets, WriteHistory, PatchMetadata)
UNSURE = Failure(Meaning.UNKNOWN_OUTCOME, Happened.UNKNOWN)


def record(number: int) -> Record:
    """The record with this number."""
    value = RECORDS.values[number]
    assert isinstance(value, Record)
    return value


def seen(number: int) -> Seen:
    """What a driver has seen, by number."""
    value = SEEN.values[number]
    assert isinstance(value, Seen)
    return value


@dataclass
class Machine:
    """The real `advance()` under one set of rules, remembered because it is pure."""

    rules: Rules = REAL
    memory: dict[tuple[int, int, int, bool, Order | None], Decision] = field(default_factory=dict)

    def decide(self, s: State, d: Driver) -> Decision:
        """Return what the real machine (or its mutant) decides."""
        key = (d.record, d.seen, d.age, s.hold, s.order)
        found = self.memory.get(key)
        if found is None:
            found = self.memory[key] = self._decide(*key)
        return found

    def _decide(
        self, rec: int, saw: int, age: int, hold: bool, order: Order | None
    ) -> Decision:
        r, what, ctx = record(rec), seen(saw), context(age, hold, order)
        if self.rules.always_fresh and what.fresh_at is None:
            what = replace(what, fresh_at=M0)
        if self.rules.unbound_complete and order is not None and r.v1 is not None:
            version = r.v1 if r.path_version is None else r.path_version
            ctx = replace(ctx, order=replace(order, version=version, given_at=T0 + AGES[2]))
        if self.rules.no_settle_in_rollback and r.phase is Phase.ROLLING_BACK:
            ctx = replace(ctx, now=T0 + AGES[1])
        decision = advance(r, what, ctx)
        return self._mutate(r, decision)

    def _mutate(self, r: Record, decision: Decision) -> Decision:
        rules = self.rules
        if isinstance(decision, Write):
            after = decision.record
            if rules.no_drain_back and after.phase is Phase.DRAINING_BACK:
                return Write(replace(after, phase=Phase.ABORTING), decision.event)
        if rules.rollback_gives_up and r.phase is Phase.ROLLING_BACK and isinstance(decision, Again):
            return Write(replace(r, phase=Phase.CLOSING, outcome=Phase.ABORTED), Event.TIDIED)
        return decision

    def shortcut(self, s: State, d: Driver, r: Record, e: Effect) -> Answer | None:
        """A mutant's invented answer to a question that it does not ask."""
        rules = self.rules
        passed = GuardSeen(M0, r.v1, False, True)
        if isinstance(e, Guard) and r.phase is Phase.REVOKING:
            if e.again and rules.skip_guard_before_revoke:
                return passed
            if not e.again and rules.skip_guard_before_retire:
                return passed
        if isinstance(e, Inspect) and e.which is Which.NEW:
            if r.phase is Phase.REVOKING and rules.skip_probe_before_revoke:
                return Sight(Liveness.ALIVE, M0, True)
            if r.phase is Phase.VERIFIED and rules.skip_probe_before_publish:
                return Sight(Liveness.ALIVE, M0, True)
            if r.phase is Phase.STAGED and rules.skip_verify:
                return Sight(Liveness.ALIVE, M0, True)
        if isinstance(e, FencePath) and rules.no_path_fence:
            return None
        return None


def moves(m: Machine, s: State, setup: Setup) -> Iterator[Move]:
    """Yield everything that can happen next."""
    for i in range(len(s.drivers)):
        yield from _driver_moves(m, s, setup, i)
    for number, (kind, name) in enumerate(s.pending):
        rest = s.pending[:number] + s.pending[number + 1 :]
        yield f"late {kind} {name}", _land(s._replace(pending=rest), kind, name)
    if not _on_the_wire(m, s):
        yield from _outside_moves(s, setup)
    yield from _tidy_moves(m, s)


def waiting(m: Machine, s: State) -> bool:
    """Say whether no driver can do anything without somebody else."""
    return all(_rests(m, s, d) for d in s.drivers) and not s.pending


def _rests(m: Machine, s: State, d: Driver) -> bool:
    if d.record == NONE:
        return s.document.deleted
    decision = m.decide(s, d)
    return isinstance(decision, Closed) or (isinstance(decision, Stay) and decision.on == "person")


def _put_driver(s: State, i: int, d: Driver) -> State:
    drivers = list(s.drivers)
    drivers[i] = d
    return s._replace(drivers=tuple(drivers))


def _driver_moves(m: Machine, s: State, setup: Setup, i: int) -> Iterator[Move]:
    d = s.drivers[i]
    if d.record == NONE:
        yield from _begin(s, setup, i)
        return
    if s.events and d.record != NONE:
        yield f"d{i} crashes", _drop(_spend(s), i)
        if not d.slept:
            yield f"d{i} sleeps", _pass_time(_spend(_put_driver(s, i, d._replace(slept=True))), 1, i)
    decision = m.decide(s, d)
    r = record(d.record)
    if isinstance(decision, Do):
        yield from _do(m, s, i, d, r, decision.effect)
    elif isinstance(decision, Write):
        yield from _write(m, s, i, d, r, decision)
    elif isinstance(decision, Again):
        yield f"d{i} again", _drop(s, i)
    elif isinstance(decision, Stay) and decision.on != "person":
        busy = sum(_busy(m, s, j) for j in range(len(s.drivers)) if j != i)
        if busy > s.events:
            return
        age = 2 if decision.event in LONG_WAITS else 1
        after = _pass_time(s._replace(events=s.events - busy), age, i)
        yield f"d{i} waits ({decision.event.value})", after if decision.keep else _drop(after, i)
    elif isinstance(decision, Stay | Closed) and s.document.version != d.version:
        yield f"d{i} looks again", _drop(s, i)


def _busy(m: Machine, s: State, i: int) -> bool:
    """Say whether a driver is in the middle of something: for it, waiting is sleeping."""
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
        first = canonical(first_record(setup), 0)
        after = s._replace(document=Document(1, RECORDS.number(first), False), age=0)
        yield f"d{i} opens", _put_driver(
            after, i, Driver(1, RECORDS.number(first), FRESH, 0, False)
        )
    elif not doc.deleted:
        yield f"d{i} reads", _put_driver(
            s, i, Driver(doc.version, doc.record, NOTHING_SEEN, s.age, False)
        )


def _do(m: Machine, s: State, i: int, d: Driver, r: Record, e: Effect) -> Iterator[Move]:
    name = type(e).__name__
    invented = m.shortcut(s, d, r, e)
    if invented is not None:
        yield f"d{i} skips {name}", _put_driver(s, i, _saw(d, e, invented))
        return
    if isinstance(e, FencePath) and m.rules.no_path_fence:
        r2 = replace(r, permits=())
        yield f"d{i} skips {name}", _put_driver(s, i, d._replace(record=RECORDS.number(r2)))
        return
    after, answer = perform(s, d, r, e, m.rules)
    woken = d._replace(slept=False) if _reads_clock(seen(d.seen), e) else d
    yield f"d{i} {name}", _put_driver(after, i, _saw(woken, e, answer))
    if not s.events or not isinstance(e, MUTATIONS):
        return
    yield f"d{i} {name}, then crashes", _drop(_spend(after), i)
    if isinstance(e, CreateKey):
        yield from _create_faults(s, i, d, r, e)
    if isinstance(e, DeleteKey) and not d.slept:
        must_stay_alive(s)
        late = _spend(s)._replace(pending=(*s.pending, ("delete", target(r, e))))
        yield f"d{i} {name} is late", _put_driver(late, i, _saw(d, e, UNSURE))
        refused = Failure(Meaning.PERMISSION_DENIED, Happened.REFUSED)
        yield f"d{i} {name} is refused", _put_driver(_spend(s), i, _saw(d, e, refused))


def _reads_clock(saw: Seen, e: Effect) -> bool:
    """Say whether what follows will be signed with a clock reading taken now."""
    if isinstance(e, Inspect):
        return e.which is not Which.OLD
    return isinstance(e, Guard) and saw.new is None and saw.served is None


def _create_faults(s: State, i: int, d: Driver, r: Record, e: Effect) -> Iterator[Move]:
    paid = _spend(s)
    refused = Failure(Meaning.QUOTA_EXCEEDED, Happened.REFUSED)
    yield f"d{i} create is refused", _put_driver(paid, i, _saw(d, e, refused))
    nothing = Failure(Meaning.RATE_LIMITED, Happened.NOT_APPLIED)
    yield f"d{i} create is not applied", _put_driver(paid, i, _saw(d, e, nothing))
    if d.slept:
        return
    name = key_of(r.attempt)
    late = paid._replace(pending=(*s.pending, ("create", name)))
    yield f"d{i} create is late", _put_driver(late, i, _saw(d, e, UNSURE))
    made = create(paid, r.attempt)
    odd = made._replace(mismatched=made.mismatched | {name})
    issued = IssuedKey(KeyId(name), Secrets())
    yield f"d{i} creates another thing", _put_driver(odd, i, _saw(d, e, issued))


def _saw(d: Driver, e: Effect, answer: Answer) -> Driver:
    return d._replace(seen=SEEN.number(observe(seen(d.seen), e, answer)))


def _write(m: Machine, s: State, i: int, d: Driver, r: Record, w: Write) -> Iterator[Move]:
    after = canonical(w.record, d.age)
    if m.rules.record_after_effect and w.event is Event.NOT_CREATED and not d.slept:
        s = create(s, after.attempt)
        issued = observe(Seen(fresh_at=M0), CreateKey(M0), IssuedKey(KeyId(key_of(after.attempt)), Secrets()))
        fresh = SEEN.number(issued)
    else:
        fresh = FRESH
    fits = s.document.version == d.version or m.rules.no_cas_on_record
    if not fits:
        lost = s
        if m.rules.delete_just_created and w.event is Event.CREATED and not d.slept:
            lost = delete(s, key_of(r.attempt))
        yield f"d{i} write conflicts", _drop(lost, i)
        return
    number = RECORDS.number(after)
    version = s.document.version + 1
    if m.rules.close_by_delete and after.closed:
        doc = Document(0, NONE, False)
    else:
        doc = Document(version, number, False)
    landed = s._replace(document=doc, age=0, order=_shift(s.order, d.age))
    mine = Driver(version, number, fresh, 0, False)
    yield f"d{i} writes {after.phase} ({w.event.value})", _put_driver(landed, i, mine)
    if s.events:
        yield f"d{i} writes {after.phase}, answer lost", _drop(_spend(landed), i)


def _shift(order: Order | None, age: int) -> Order | None:
    if order is None:
        return None
    return replace(order, given_at=max(T0 - AGES[2], order.given_at - AGES[age]))


def _pass_time(s: State, age: int, waiter: int) -> State:
    """Let time pass: what is on its way lands, signatures of sleepers grow stale."""
    for kind, name in s.pending:
        s = _land(s, kind, name)
    drivers = tuple(
        d if d.record == NONE else d._replace(age=max(d.age, age), slept=d.slept or j != waiter)
        for j, d in enumerate(s.drivers)
    )
    held = s.held
    if age == 2:
        now = served(s)
        held = frozenset({now}) if now is not None else held
    return s._replace(pending=(), drivers=drivers, age=max(s.age, age), held=held)


def _land(s: State, kind: str, name: str) -> State:
    if kind == "create":
        return create(s, int(name[1:]))
    return delete(s, name)


def _on_the_wire(m: Machine, s: State) -> bool:
    """Excused: what happens while a guarded deletion, or a Publish, is on its way."""
    for d in s.drivers:
        if d.record != NONE and not d.slept:
            decision = m.decide(s, d)
            if isinstance(decision, Do) and _in_one_step(seen(d.seen), decision.effect):
                return True
    return False


def _in_one_step(saw: Seen, e: Effect) -> bool:
    """From the probe of the key that stays to the deletion or Publish is one step."""
    if isinstance(e, Guard):
        return saw.new is not None or saw.served is not None
    return isinstance(e, DeleteKey | Publish | DeleteOlder)


def _outside_moves(s: State, setup: Setup) -> Iterator[Move]:
    if s.events:
        for name, life in s.keys:
            if life == "alive":
                yield f"the exchange kills {name}", set_key(_spend(s), name, "dead")
    if s.operator and s.document.version:
        yield from _operator(s._replace(operator=s.operator - 1, meddled=True))
        yield from _orders(s._replace(operator=s.operator - 1))


def _operator(s: State) -> Iterator[Move]:
    doomed = {name for kind, name in s.pending if kind == "delete"}
    for name in sorted({OLD, THIRD, *(v.holds for v in s.path)}):
        if name not in doomed and (name == THIRD or alive(s, name)):
            yield f"operator pastes {name}", put(s, name)
    top = s.path[-1]
    yield "operator edits another field", s._replace(path=(*s.path, top))
    if not s.document.deleted:
        yield "operator deletes the record", s._replace(document=s.document._replace(deleted=True))


def _orders(s: State) -> Iterator[Move]:
    yield ("operator holds" if not s.hold else "operator releases"), s._replace(hold=not s.hold)
    if s.document.record == NONE:
        return
    r = record(s.document.record)
    number = 1 + (s.order.number if s.order else 0)
    at = T0 + AGES[s.age]
    if r.phase in (Phase.DRAINING, Phase.DRAINING_BACK):
        order = Order("complete", r.rotation, len(s.path), None, number, at)
        yield "operator completes", s._replace(order=order)
    if r.phase is Phase.QUARANTINED:
        for answer in ("adopt", "abort", "retry"):
            order = Order("resolve", r.rotation, len(s.path), answer, number, at)
            yield f"operator resolves {answer}", s._replace(order=order)


def _tidy_moves(m: Machine, s: State) -> Iterator[Move]:
    if s.listed is None:
        if s.events and s.document.version:
            names = tuple(k for k, life in s.keys if life == "alive")
            yield "the tidy lists", _spend(s)._replace(listed=names)
        return
    if s.document.record == NONE or s.document.deleted:
        yield "the tidy ends", s._replace(listed=None)
        return
    r = record(s.document.record)
    after = s._replace(listed=None)
    stays = served(s)
    if m.rules.skip_probe_in_tidy or (stays is not None and (stays == THIRD or alive(s, stays))):
        for name in strays(s, s.listed, r, m.rules):
            if alive(after, name):
                must_stay_alive(after)
                after = delete(after, name)
    yield "the tidy deletes strays", after


@dataclass
class Walked:
    """What a walk over all states found."""

    states: int
    violation: str | None = None
    trace: tuple[str, ...] = ()


def walk(setup: Setup, rules: Rules = REAL, limit: int = 5_000_000) -> Walked:
    """Visit every reachable state, breadth first; stop at the first violation."""
    m = Machine(rules)
    first = start(setup)
    parents: dict[State, tuple[State, str] | None] = {first: None}
    frontier = [first]
    while frontier and len(parents) < limit:
        following: list[State] = []
        for s in frontier:
            try:
                ended = True
                for label, moved in moves(m, s, setup):
                    ended = False
                    after = _normal(m, moved)
                    if after not in parents:
                        parents[after] = (s, label)
                        following.append(after)
                if ended or waiting(m, s):
                    _check_end(m, s, setup, rules)
            except Violation as v:
                return Walked(len(parents), str(v), _trace(parents, s))
        frontier = following
    return Walked(len(parents))


def _normal(m: Machine, s: State) -> State:
    """Return the one state that stands for all that differ in nothing visible.

    Drivers are interchangeable; a sleeper without a clock reading in hand is
    awake; effects that touch nothing shared are carried out at once.
    """
    drivers = []
    for d in s.drivers:
        while d.record != NONE:
            decision = m.decide(s, d)
            if not isinstance(decision, Do) or not isinstance(decision.effect, UNSHARED):
                break
            _, answer = perform(s, d, record(d.record), decision.effect, m.rules)
            d = _saw(d, decision.effect, answer)
        if d.slept and not _has_reading(seen(d.seen)):
            d = d._replace(slept=False)
        drivers.append(d)
    return s._replace(drivers=tuple(sorted(drivers)))


def _has_reading(saw: Seen) -> bool:
    return any(x is not None for x in (saw.fresh_at, saw.new, saw.served, saw.guard))


def _trace(parents: dict[State, tuple[State, str] | None], s: State) -> tuple[str, ...]:
    labels: list[str] = []
    step = parents[s]
    while step is not None:
        labels.append(step[1])
        step = parents[step[0]]
    return tuple(reversed(labels))


def _check_end(m: Machine, s: State, setup: Setup, rules: Rules) -> None:
    """Judge a state in which nobody has anything left to do."""
    if s.document.deleted or s.document.record == NONE:
        return
    r = record(s.document.record)
    if r.phase is Phase.QUARANTINED:
        if not r.question:
            raise Violation("quarantined without a question")
        return
    if not r.closed:
        if s.hold or setup.revoke is not Revoke.DRAIN:
            return
        raise Violation(f"ended in {r.phase}")
    top = served(s)
    if top is None or (top != THIRD and not alive(s, top)):
        known = {str(r.old_key_id)} | ({str(r.new.key_id)} if r.new else set())
        others = [n for n, life in s.keys if life == "alive" and n in known]
        if others and not s.meddled and not r.alarm:
            raise Violation(f"closed while the path serves the dead {top} and {others} live")
    for name, life in s.keys:
        if life == "alive" and name.startswith("n") and name != top and not s.meddled:
            if name not in strays(s, (name,), r, REAL):
                raise Violation(f"no tidy will ever remove {name}")
