"""What all phases share: the context of a step, and how a step speaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from rotator.core.findings import Code
from rotator.core.record import Record
from rotator.core.saga.words import Again, Do, Event, GuardSeen, Order, Standstill, Stay

SETTLE = timedelta(seconds=10)
"""From a record to the moment when no request sent under it can take effect any more."""

MAX_ATTEMPTS = 8
PATIENCE = 30
"""Settles between two attempts at most: an exchange that stays away is asked ever less."""

ACTIVATION_GRACE = timedelta(minutes=2)
"""How long a new key's "invalid" means "not active yet"."""

LOOK_AGAIN = timedelta(minutes=5)
"""How often a draining rotation looks whether its new key still lives."""

BACK_OFF = timedelta(seconds=15)
PERSON = "person"
CONSUMERS = "consumers"
TIME = "time"
EXCHANGE = "exchange"


@dataclass(frozen=True, slots=True)
class Context:
    """What a step is told besides its record: time, people's orders, the surroundings.

    `clock_ok` is False while our clock and the `Date` of store or exchange differ
    by more than 30 s: then no waiting time counts as over (rule 7).  `pins_problem`
    says which pin the present configuration contradicts, `no_parent` why no key
    can be created now.  `acks` are the consumers
    that have proved to use the new key.
    """

    now: datetime
    clock_ok: bool = True
    hold: str | None = None
    order: Order | None = None
    pins_problem: str | None = None
    no_parent: Standstill | None = None
    acks: frozenset[str] = frozenset()

    def elapsed(self, at: datetime) -> bool:
        """Say whether a moment has surely passed."""
        return self.clock_ok and self.now >= at


@dataclass(frozen=True, slots=True)
class Happens:
    """The step came to an event: change the record so, and go where the table says."""

    event: Event
    changes: Mapping[str, Any] = field(default_factory=dict)


StepResult = Do | Happens | Stay | Again


def happens(event: Event, **changes: Any) -> Happens:
    """Return an event with the record fields that it sets."""
    return Happens(event, changes)


def recreated() -> Happens:
    """Return the event of a path that is not the one that the record pins (rule 8)."""
    return happens(Event.RECREATED, why="the path was removed and made again")


def later(ctx: Context, event: Event, sentence: str, *, alert: Code | None = None) -> Stay:
    """Wait one back-off for an exchange or store that gives no certain answer."""
    return Stay(event, ctx.now + BACK_OFF, EXCHANGE, sentence, alert)


def until(ctx: Context, event: Event, at: datetime, sentence: str) -> Stay:
    """Wait for a moment; look again at the latest after LOOK_AGAIN."""
    # While the clocks disagree no time counts as passed: look again, but not at once.
    at = max(at, ctx.now + (timedelta(seconds=1) if ctx.clock_ok else BACK_OFF))
    return Stay(event, min(at, ctx.now + LOOK_AGAIN), TIME, sentence)


def person(ctx: Context, event: Event, sentence: str, *, alert: Code | None = None) -> Stay:
    """Wait for a person; the sentence ends with what to type."""
    return Stay(event, ctx.now + LOOK_AGAIN, PERSON, sentence, alert)


def held(ctx: Context, hold: str) -> Stay:
    """Wait because somebody holds this credential."""
    return Stay(
        Event.HELD, ctx.now + LOOK_AGAIN, PERSON, f"held: {hold}; release it with: rotator release"
    )


def settled(record: Record, ctx: Context) -> bool:
    """Say whether no request sent under this record can still take effect."""
    return ctx.elapsed(record.written_at + SETTLE)


def stale_guard(guard: GuardSeen, path_version: int) -> StepResult | None:
    """Judge a guard; None means that the deletion may go ahead.

    A path at another version is for the caller: it must read the path.
    """
    if not guard.record_unchanged:
        return Again("the record has changed")
    if guard.recreated or guard.path_version is None:
        return happens(Event.RECREATED, why="the path was removed or made again")
    if guard.path_version != path_version:
        return Again("the path has moved")
    return None


def blocked(guard: GuardSeen, ctx: Context) -> Stay | None:
    """Return the wait that a hold, or a standstill of everything, demands."""
    if guard.hold is not None:
        return held(ctx, guard.hold)
    if guard.standstill is not None:
        alert = guard.standstill.alert
        sentence = f"nothing is deleted now: {guard.standstill.sentence}"
        return Stay(
            Event.HELD, ctx.now + LOOK_AGAIN, TIME if alert is None else PERSON, sentence, alert
        )
    return None
