"""QUARANTINED: the question a person must answer, and which answers are safe now."""

from __future__ import annotations

from rotator.core.liveness import Liveness
from rotator.core.record import Phase, Record
from rotator.core.saga.step import (
    BACK_OFF,
    PERSON,
    SETTLE,
    Context,
    StepResult,
    happens,
    later,
    person,
    settled,
    until,
)
from rotator.core.saga.words import (
    Do,
    Event,
    Holder,
    Inspect,
    Order,
    PathSeen,
    ReadPath,
    Seen,
    Sight,
    Stay,
    Which,
)

ANSWERS = ("adopt", "abort", "retry")
PUT_A_KEY = "put a living key on the path"


def safe_answers(r: Record) -> tuple[str, ...]:
    """Return the answers that can be given to this record's question."""
    return ANSWERS if r.new is not None else ANSWERS[1:]


def question_of(event: Event, why: str, r: Record) -> str:
    """Return the question that a quarantined record asks."""
    cause = why or event.value
    return (
        f"{cause}. Look at the path and at the exchange, then answer with: "
        f"rotator resolve {r.credential} {'|'.join(safe_answers(r))}"
    )


def quarantined(r: Record, s: Seen, c: Context) -> StepResult:
    """Wait for an answer to this very question, then do what its row permits."""
    order = _order(r, c)
    if order is None:
        return person(c, Event.ASKED, r.question)
    if not settled(r, c):
        return until(c, Event.SETTLING, r.written_at + SETTLE, "waits for requests on their way")
    if s.path is None:
        return Do(ReadPath())
    if order.version != s.path.version:
        return _refuse(r, c, "the path has moved since the answer was given")
    match order.answer:
        case "adopt":
            return _adopt(r, s, s.path, order, c)
        case "abort":
            return _abort(r, s, s.path, order, c)
        case "retry":
            return _retry(r, s.path, order, c)
        case _:
            return _refuse(r, c, "the answer is none of adopt, abort, retry")


def _order(r: Record, c: Context) -> Order | None:
    o = c.order
    if o is None or o.command != "resolve" or o.rotation != r.rotation or o.number <= r.obeyed:
        return None
    return o


def _refuse(r: Record, c: Context, why: str) -> StepResult:
    return Stay(Event.ANSWER_REFUSED, c.now + BACK_OFF, PERSON, f"{why}. {r.question}")


def _not_alive(r: Record, sight: Sight, key: str, c: Context) -> StepResult:
    """Refuse the answer if a key is surely dead; ask again if nothing is certain."""
    if sight.liveness is Liveness.DEAD:
        return _refuse(r, c, f"{key} is not alive; {PUT_A_KEY}")
    return later(c, Event.UNREACHABLE, f"{key} gives no certain answer: {sight.detail}")


def _adopt(r: Record, s: Seen, path: PathSeen, order: Order, c: Context) -> StepResult:
    if r.new is None or path.holds is Holder.GONE or path.recreated:
        return _refuse(r, c, f"nothing can be adopted; {PUT_A_KEY}")
    if s.new is None:
        return Do(Inspect(Which.NEW))
    if s.new.liveness is not Liveness.ALIVE:
        return _not_alive(r, s.new, "the new key", c)
    if path.holds is Holder.NEW:
        return happens(
            Event.ADOPTED_PUBLISHED,
            obeyed=order.number,
            v1=path.version,
            path_version=None,
            permits=r.permits or (path.version,),
            drain_since=c.now,
            drain_until=c.now + r.terms.drain,
        )
    if path.holds is Holder.OTHER:
        if s.served is None:
            return Do(Inspect(Which.SERVED))
        if s.served.liveness is not Liveness.DEAD:
            return _refuse(r, c, "the path's own key is not dead; take it out, or answer abort")
    return happens(
        Event.ADOPTED,
        obeyed=order.number,
        publish_over=path.version,
        permits=(*r.permits, path.version),
        v0=path.version,
        path_version=None,
        overwrite=path.holds is Holder.OTHER,
    )


def _abort(r: Record, s: Seen, path: PathSeen, order: Order, c: Context) -> StepResult:
    if path.holds is Holder.GONE or path.recreated:
        return _refuse(r, c, f"the path serves no key of this rotation; {PUT_A_KEY}")
    if path.holds is Holder.NEW:
        if s.old is None:
            return Do(Inspect(Which.OLD))
        if s.old.liveness is not Liveness.ALIVE:
            return _not_alive(r, s.old, "the old key", c)
        return happens(
            Event.ABORT_PUBLISHED,
            obeyed=order.number,
            publish_over=path.version,
            permits=(*r.permits, path.version),
            rolled_back=True,
        )
    if s.served is None:
        return Do(Inspect(Which.SERVED))
    if s.served.liveness is not Liveness.ALIVE:
        return _not_alive(r, s.served, "the key on the path", c)
    if r.ever_verified:
        return happens(
            Event.ABORT_VERIFIED,
            obeyed=order.number,
            path_version=path.version,
            drain_since=c.now,
            drain_until=c.now + r.terms.drain,
        )
    return happens(Event.ABORT_UNSEEN, obeyed=order.number, path_version=path.version)


def _retry(r: Record, path: PathSeen, order: Order, c: Context) -> StepResult:
    if r.left is None or path.recreated:
        return _refuse(r, c, f"there is no phase to go back to; {PUT_A_KEY}")
    changes: dict[str, object] = {"obeyed": order.number}
    if r.left is Phase.CREATING:
        changes |= {"counted": 1, "attempt": r.attempt + 1}
    return happens(Event.RETRIED, **changes)
