"""QUARANTINED: the question a person must answer, and which answers are safe now."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rotator.core.liveness import Liveness
from rotator.core.record import Phase, Record
from rotator.core.saga.step import (
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
    Which,
)
from rotator.core.words import told

ANSWERS = ("adopt", "abort", "retry")
PUT_A_KEY = "put a living key on the path"


def safe_answers(r: Record) -> tuple[str, ...]:
    """Return the answers that can be given to this record's question."""
    return r.answers or _possible(r)


def _possible(r: Record) -> tuple[str, ...]:
    return ANSWERS if r.new is not None else ANSWERS[1:]


def asked(event: Event, why: str, r: Record) -> dict[str, Any]:
    """Return the question that an event makes a record ask, and the answers that it takes."""
    answers, first = _possible(r), "Look at the path and at the exchange"
    if event is Event.RECREATED:
        # What the record knows of versions is about a path that is gone.
        answers = tuple(a for a in answers if a != "retry")
        first = "See that the path holds a living key, and look at the exchange"
    elif event is Event.PINS_CHANGED:
        first = "Put that back as it was"
    question = (
        f"{why or event.value}. {first}, then answer with: "
        f"rotator resolve {r.credential} {'|'.join(answers)}"
    )
    return {"question": question, "answers": answers}


def quarantined(r: Record, s: Seen, c: Context) -> StepResult:
    """Wait for an answer to this very question, then do what its row permits."""
    order = _order(r, c)
    if order is None:
        return person(c, Event.ASKED, r.asks)
    if not settled(r, c):
        return until(c, Event.SETTLING, r.written_at + SETTLE, "waits for requests on their way")
    if c.pins_problem is not None:
        return _refuse(order, f"{c.pins_problem}; put that back as it was")
    if s.path is None:
        return Do(ReadPath())
    if order.version != s.path.version:
        return _refuse(order, "the path has moved since the answer was given")
    match order.answer:
        case "adopt":
            return _adopt(r, s, s.path, order, c)
        case "abort":
            return _abort(r, s, s.path, order, c)
        case "retry":
            return _retry(r, s.path, order)
        case _:
            return _refuse(order, "the answer is none of adopt, abort, retry")


def _order(r: Record, c: Context) -> Order | None:
    o = c.order
    if o is None or o.command != "resolve" or o.rotation != r.rotation or o.number <= r.obeyed:
        return None
    return o


def _refuse(order: Order, why: str) -> StepResult:
    """Use an answer up without obeying it; the record says why."""
    said = f"the answer `{told(order.answer or '', 20)}` was refused: {why}"
    return happens(Event.ANSWER_REFUSED, obeyed=order.number, refused=said)


def _not_alive(order: Order, sight: Sight, key: str, c: Context) -> StepResult:
    """Refuse the answer if a key is surely dead; ask again if nothing is certain."""
    if sight.liveness is Liveness.DEAD:
        return _refuse(order, f"{key} is not alive; {PUT_A_KEY}")
    return _unsure(sight, key, c)


def _unsure(sight: Sight, key: str, c: Context) -> StepResult:
    return later(c, Event.UNREACHABLE, f"{key} gives no certain answer: {sight.detail}")


def _accept(r: Record, path: PathSeen) -> dict[str, Any]:
    """Pin a path that was made again, because a person has answered for it as it is now.

    The permits stay: a Publish on its way to the old path would fit the new one
    too, so whatever is deleted waits for the fence above all of them.
    """
    if path.created_at is None or not path.recreated:
        return {}
    pins = replace(r.pins, path_created=path.created_at)
    return {"pins": pins, "v0": path.version, "retire": (), "withdraw": ()}


def _old_may_land(r: Record, path: PathSeen) -> bool:
    """Say whether a Publish of the old key, permitted on the old path, would fit this one."""
    return path.recreated and r.rolled_back and path.version <= r.highest_permit


def _adopt(r: Record, s: Seen, path: PathSeen, order: Order, c: Context) -> StepResult:
    if r.new is None or path.holds is Holder.GONE:
        return _refuse(order, f"nothing can be adopted; {PUT_A_KEY}")
    if _old_may_land(r, path):
        return _refuse(order, "the old key may still be written to this path; answer abort")
    if s.new is None:
        return Do(Inspect(Which.NEW))
    if s.new.liveness is not Liveness.ALIVE:
        return _not_alive(order, s.new, "the new key", c)
    if path.holds is Holder.NEW:
        return happens(
            Event.ADOPTED_PUBLISHED,
            obeyed=order.number,
            v1=path.version,
            path_version=None,
            permits=r.permits or (path.version,),
            drain_since=c.now,
            drain_until=c.now + r.terms.drain,
            **_accept(r, path),
        )
    if path.holds is Holder.OTHER:
        if s.served is None:
            return Do(Inspect(Which.SERVED))
        if s.served.liveness is Liveness.UNKNOWN:
            return _unsure(s.served, "the path's own key", c)
        if s.served.liveness is not Liveness.DEAD:
            return _refuse(order, "the path's own key is not dead; take it out, or answer abort")
    changes = _accept(r, path) | {"v0": path.version}
    return happens(
        Event.ADOPTED,
        obeyed=order.number,
        publish_over=path.version,
        permits=(*r.permits, path.version),
        path_version=None,
        overwrite=path.holds is Holder.OTHER,
        **changes,
    )


def _abort(r: Record, s: Seen, path: PathSeen, order: Order, c: Context) -> StepResult:
    if path.holds is Holder.GONE:
        return _refuse(order, f"the path serves no key; {PUT_A_KEY}")
    accepted = _accept(r, path)
    if path.holds is Holder.NEW:
        if s.old is None:
            return Do(Inspect(Which.OLD))
        if s.old.liveness is not Liveness.ALIVE:
            return _not_alive(order, s.old, "the old key", c)
        return happens(
            Event.ABORT_PUBLISHED,
            obeyed=order.number,
            publish_over=path.version,
            permits=(*r.permits, path.version),
            rolled_back=True,
            **accepted,
        )
    if s.served is None:
        return Do(Inspect(Which.SERVED))
    if s.served.liveness is not Liveness.ALIVE:
        return _not_alive(order, s.served, "the key on the path", c)
    if r.ever_verified:
        return happens(
            Event.ABORT_VERIFIED,
            obeyed=order.number,
            path_version=path.version,
            drain_since=c.now,
            drain_until=c.now + r.terms.drain,
            **accepted,
        )
    return happens(Event.ABORT_UNSEEN, obeyed=order.number, path_version=path.version, **accepted)


def _retry(r: Record, path: PathSeen, order: Order) -> StepResult:
    if path.recreated:
        others = " or ".join(a for a in _possible(r) if a != "retry")
        return _refuse(order, f"the path was removed and made again; answer {others}")
    if r.left is None:
        return _refuse(order, f"there is no phase to go back to; {PUT_A_KEY}")
    changes: dict[str, object] = {"obeyed": order.number}
    if r.left is Phase.CREATING:
        changes |= {"counted": 1, "attempt": r.attempt + 1}
    return happens(Event.RETRIED, **changes)
