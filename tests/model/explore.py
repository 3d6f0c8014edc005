"""A walk over every state, and the judgement of the states in which all rest."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from sys import intern

from rotator.core.record import Phase, Record, Revoke
from rotator.core.saga import observe
from rotator.core.saga.resolve import safe_answers
from rotator.core.saga.words import Do, Event, Order, Write

from .effects import Violation, perform, strays
from .machine import Machine
from .moves import moves, normal, waiting
from .world import (
    ALIVE,
    NONE,
    NOTHING_SEEN,
    REAL,
    SEEN,
    T0,
    Driver,
    Rules,
    Setup,
    State,
    alive,
    attempt_of,
    lives,
    record,
    seen,
    served,
    start,
)

Parents = dict[State, tuple[State, str] | None]


@dataclass
class Walked:
    """What a walk over all states found; `rows` are the (phase, event) taken."""

    states: int
    violation: str | None = None
    trace: tuple[str, ...] = ()
    rows: frozenset[tuple[Phase, Event]] = frozenset()
    visited: Iterable[State] = field(default=(), repr=False)


def walk(setup: Setup, rules: Rules = REAL, limit: int = 5_000_000) -> Walked:
    """Visit every reachable state, breadth first; stop at the first violation."""
    m = Machine(rules)
    first = start(setup)
    parents: Parents = {first: None}
    frontier = [first]
    gc.disable()  # millions of small tuples, and no cycle among them
    try:
        return _walk(m, setup, parents, frontier, limit)
    finally:
        gc.enable()


def _walk(m: Machine, setup: Setup, parents: Parents, frontier: list[State], limit: int) -> Walked:
    while frontier and len(parents) < limit:
        following: list[State] = []
        for s in frontier:
            label = "rests"
            try:
                for label, moved in moves(m, s, setup):
                    after = normal(m, moved)
                    if after not in parents:
                        parents[after] = (s, intern(label))
                        following.append(after)
                if label == "rests" or waiting(m, s):
                    label = "rests"
                    check_end(s)
            except Violation as v:
                return Walked(len(parents), str(v), (*_trace(parents, s), f"after {label}"))
        frontier = following
    return Walked(len(parents), rows=frozenset(m.rows), visited=parents)


def _trace(parents: Parents, s: State) -> tuple[str, ...]:
    labels: list[str] = []
    step = parents[s]
    while step is not None:
        labels.append(step[1])
        step = parents[step[0]]
    return tuple(reversed(labels))


def check_end(s: State) -> None:
    """Judge a state in which nobody has anything left to do."""
    if s.document.deleted or s.document.record == NONE:
        return
    r = record(s.document.record)
    if r.phase is Phase.QUARANTINED:
        if not r.question:
            raise Violation("quarantined without a question")
    elif r.closed:
        _check_closed(s, r)
    elif not s.hold and r.terms.revoke is Revoke.DRAIN:
        raise Violation(f"ended in {r.phase}")


def _check_closed(s: State, r: Record) -> None:
    top = served(s)
    if not lives(s, top) and not s.meddled and not r.alarm:
        known = {str(r.old_key_id)} | ({str(r.new.key_id)} if r.new else set())
        others = [n for n in known if alive(s, n)]
        if others:
            raise Violation(f"closed while the path serves the dead {top} and {others} live")
    ours = [n for n, life in s.keys if life == ALIVE and attempt_of(n) and n != top]
    for name in ours:
        if not s.meddled and not strays(s, (name,)):
            raise Violation(f"no tidy will ever remove {name}")
    _check_versions(s, r)


def _check_versions(s: State, r: Record) -> None:
    """`vault kv rollback` hands out what still reads: never a key that we deleted."""
    old = str(r.old_key_id)
    versions = [v for v in s.path[:-1] if v.holds == old]
    hidden = any(v.deleted for v in versions)
    shown = any(not v.deleted for v in versions)
    if r.phase is Phase.DONE and not alive(s, old) and shown:
        raise Violation("a readable older version holds the deleted old key")
    new = None if r.new is None else str(r.new.key_id)
    handed = any(v.holds == new and not v.deleted for v in s.path[:-1])
    if r.phase is Phase.ABORTED and new is not None and not alive(s, new) and handed:
        raise Violation("a readable older version holds the dead new key")
    back = r.phase is Phase.ABORTED and alive(s, old) and served(s) == old
    if back and hidden and not s.meddled:
        raise Violation("aborted, and versions of the living old key stay deleted")


def unanswerable(setup: Setup) -> list[State]:
    """Return the states whose question offers no way out, although the path's key lives."""
    m, found = Machine(), []
    for s in walk(setup).visited:
        asks = s.document.record != NONE and not s.document.deleted and not s.pending
        r = record(s.document.record) if asks else None
        if r is None or r.phase is not Phase.QUARANTINED or not lives(s, served(s)):
            continue
        if not any(leads_out(m, s, r, answer) for answer in safe_answers(r)):
            found.append(s)
    return found


def leads_out(m: Machine, s: State, r: Record, answer: str) -> bool:
    """Say whether an answer to a question brings its record on."""
    number = 1 + max(r.obeyed, s.order.number if s.order else 0)
    order = Order("resolve", r.rotation, len(s.path), answer, number, T0)
    d = Driver(s.document.version, s.document.record, NOTHING_SEEN, 1, False)
    s = s._replace(order=order, drivers=(d,))
    while isinstance(decision := m.decide(s, d), Do):
        s, said = perform(s, d, r, decision.effect, m.rules)
        d = d._replace(seen=SEEN.number(observe(seen(d.seen), decision.effect, said)))
    return isinstance(decision, Write) and decision.record.phase is not Phase.QUARANTINED


def unending(setup: Setup) -> list[State]:
    """Return the states from which, without any further fault, no run comes to rest.

    From every state that the set-up reaches, the graph of what happens without
    faults is walked; then the way back is searched from the states of rest:
    closed, quarantined, waiting for a person.
    """
    m = Machine()
    calm = {normal(m, s._replace(events=0, operator=0)) for s in walk(setup).visited}
    before: dict[State, list[State]] = {s: [] for s in calm}
    rested: deque[State] = deque()
    todo = list(calm)
    while todo:
        s = todo.pop()
        if waiting(m, s):
            rested.append(s)
        for _, moved in moves(m, s, setup):
            after = normal(m, moved)
            if after not in before:
                before[after] = []
                todo.append(after)
            before[after].append(s)
    ending = set(rested)
    while rested:
        for s in before[rested.popleft()]:
            if s not in ending:
                ending.add(s)
                rested.append(s)
    return [s for s in before if s not in ending]
