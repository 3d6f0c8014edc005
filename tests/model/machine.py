"""The real `advance()`, remembered because it is pure, and its mutants."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from rotator.core.liveness import Liveness
from rotator.core.record import Phase, Record
from rotator.core.saga import Context, advance
from rotator.core.saga.words import (
    Again,
    Answer,
    Decision,
    Effect,
    Event,
    Guard,
    GuardSeen,
    Inspect,
    Order,
    Seen,
    Sight,
    Which,
    Write,
)

from .world import (
    AGES,
    FRESH,
    M0,
    NOTHING_SEEN,
    REAL,
    RECORDS,
    T0,
    Driver,
    Rules,
    State,
    canonical,
    context,
    key_of,
    record,
    seen,
)

Key = tuple[int, int, int, bool, Order | None]
CALM = Context(now=T0)
ALIVE_AS_ASKED = Sight(Liveness.ALIVE, M0, True)


@dataclass
class Machine:
    """What decides: the real machine, or a mutant of it.

    `rows` collects every (phase, event) that was decided.
    """

    rules: Rules = REAL
    memory: dict[Key, Decision] = field(default_factory=dict)
    numbers: dict[tuple[int, int], int] = field(default_factory=dict)
    rows: set[tuple[Phase, Event]] = field(default_factory=set)

    def decide(self, s: State, d: Driver) -> Decision:
        """Return what the real machine (or its mutant) decides."""
        key = (d.record, self._saw(s, d), d.age, s.hold, s.order)
        found = self.memory.get(key)
        if found is None:
            found = self.memory[key] = self._decide(*key)
        return found

    def number(self, w: Write, age: int) -> int:
        """Return the number of the record that a decision of this machine writes.

        A decision is known by its identity: `memory` keeps every one of them.
        """
        key = (id(w), age)
        if key not in self.numbers:
            self.numbers[key] = RECORDS.number(canonical(w.record, age))
        return self.numbers[key]

    def _saw(self, s: State, d: Driver) -> int:
        """The mutant that looks first takes "no key yet" for "no create of ours"."""
        if self.rules.looks_before_fencing and d.seen == NOTHING_SEEN:
            r = record(d.record)
            if r.phase is Phase.CREATING and key_of(r.rotation, r.attempt) not in s.created:
                return FRESH
        return d.seen

    def _decide(self, rec: int, saw: int, age: int, hold: bool, order: Order | None) -> Decision:
        r, ctx = record(rec), context(age, hold, order)
        ctx = self._unbound(r, ctx)
        if self.rules.no_settle_in_rollback and r.phase is Phase.ROLLING_BACK:
            ctx = replace(ctx, now=T0 + AGES[1])
        decision = advance(r, seen(saw), ctx)
        event = getattr(decision, "event", None)
        if event is not None:
            self.rows.add((r.phase, event))
        if self.rules.retries_made_again and order is not None and order.answer == "retry":
            decision = _retried(r, seen(saw), decision, order)
        return self._mutate(r, seen(saw), decision)

    def _unbound(self, r: Record, ctx: Context) -> Context:
        """A mutant takes any order for one about the present version, given after the drain."""
        order, version = ctx.order, r.v1 if r.path_version is None else r.path_version
        if order is not None and version is not None and self.rules.unbound_complete:
            return replace(ctx, order=replace(order, version=version, given_at=T0 + AGES[2]))
        return ctx

    def _mutate(self, r: Record, saw: Seen, decision: Decision) -> Decision:
        rules = self.rules
        if r.phase is Phase.ROLLING_BACK and isinstance(decision, Again):
            closing = replace(r, phase=Phase.CLOSING, outcome=Phase.ABORTED)
            return Write(closing, Event.TIDIED) if rules.rollback_gives_up else decision
        if not isinstance(decision, Write):
            return decision
        after = decision.record
        if rules.retire_forgets and saw.path and decision.event is Event.DRAINED:
            after = replace(after, retire=saw.path.old_versions)
        if rules.withdraws_nothing and saw.path and decision.event is Event.HANDED_OUT:
            return advance(r, replace(saw, path=replace(saw.path, new_versions=())), CALM)
        if rules.no_drain_back and after.phase is Phase.DRAINING_BACK:
            after = replace(after, phase=Phase.ABORTING)
        return decision if after is decision.record else Write(after, decision.event)

    def shortcut(self, r: Record, e: Effect) -> Answer | None:
        """A mutant's invented answer to a question that it does not ask."""
        rules = self.rules
        if isinstance(e, Guard) and r.phase is Phase.REVOKING:
            skips = rules.skip_guard_before_revoke if e.again else rules.skip_guard_before_retire
            return GuardSeen(M0, r.v1, False, True) if skips else None
        if isinstance(e, Guard) and r.phase is Phase.ABORTING and rules.skip_guard_before_abort:
            return GuardSeen(M0, r.path_version, False, True)
        if isinstance(e, Inspect) and r.phase is Phase.ABORTING and rules.skip_probe_before_abort:
            return ALIVE_AS_ASKED
        if isinstance(e, Inspect) and e.which is Which.NEW:
            skips = {
                Phase.REVOKING: rules.skip_probe_before_revoke,
                Phase.VERIFIED: rules.skip_probe_before_publish,
                Phase.STAGED: rules.skip_verify,
            }.get(r.phase, False)
            return ALIVE_AS_ASKED if skips else None
        return None


def _retried(r: Record, saw: Seen, decision: Decision, order: Order) -> Decision:
    """A mutant goes on with the old path's version numbers on one that was made again."""
    if saw.path is None or not saw.path.recreated or saw.path.created_at is None:
        return decision
    if not isinstance(decision, Write) or decision.event is not Event.ANSWER_REFUSED:
        return decision
    pins = replace(r.pins, path_created=saw.path.created_at)
    left = r.left or r.phase
    after = replace(r, phase=left, left=None, question="", pins=pins, obeyed=order.number)
    return Write(after, Event.RETRIED)
