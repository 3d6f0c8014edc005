"""Records of every phase, answers of a calm world, and a way to run through them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from rotator.core.issue import IssuedKey, KeySpec
from rotator.core.liveness import Liveness
from rotator.core.names import (
    AccountId,
    CredentialName,
    ExchangeName,
    Fingerprint,
    KeyId,
    RotationId,
    Secrets,
    Sensitive,
    SigningKey,
    StorePath,
)
from rotator.core.outcome import Failure, Meaning
from rotator.core.record import Phase, Pins, Record, Revoke, Terms, Trigger
from rotator.core.saga import Context, advance, answer_field, observe
from rotator.core.saga.words import (
    Answer,
    Closed,
    Decision,
    Do,
    Done,
    Effect,
    Event,
    GuardSeen,
    Holder,
    Inspect,
    Moment,
    Order,
    PathSeen,
    Places,
    Seen,
    Sight,
    Stay,
    Write,
    Written,
)

T0 = datetime(2026, 1, 5, tzinfo=UTC)
LATER = T0 + timedelta(days=1)
M0 = Moment(T0, 0.0)
OLD_KEY, NEW_KEY = KeyId("key-old"), KeyId("key-new")
DRAIN = timedelta(hours=2)
NEW = SigningKey(NEW_KEY, Secrets(Sensitive("canary-secret-new")))
OLD_FIELDS = Secrets(Sensitive("canary-secret-old"))

UNSURE = Failure.of(Meaning.UNKNOWN_OUTCOME, "no answer")
REFUSED = Failure.of(Meaning.PERMISSION_DENIED, "not allowed")
THROTTLED = Failure.of(Meaning.RATE_LIMITED, "slow down", retry_after=timedelta(minutes=1))

ALIVE = Sight(Liveness.ALIVE, M0, matches=True)
DEAD = Sight(Liveness.DEAD, M0, detail="unknown key")
UNKNOWN = Sight(Liveness.UNKNOWN, M0, detail="timeout")
BLOCKED = Sight(Liveness.BLOCKED, M0)
ODD = Sight(Liveness.ALIVE, M0, matches=False, detail="scopes differ")

FIRST = Record(
    rotation=RotationId("aaaaaaaa"),
    credential=CredentialName("secret/desk"),
    path=StorePath("secret/desk"),
    strategy="overlap",
    trigger=Trigger.DUE,
    phase=Phase.CREATING,
    pins=Pins(ExchangeName("bybit"), "prod", "h", AccountId("1"), None, None, (), T0),
    terms=Terms(revoke=Revoke.DRAIN, drain=DRAIN),
    spec=KeySpec(AccountId("1"), ()),
    old_key_id=OLD_KEY,
    old_fingerprint=Fingerprint("f"),
    started_at=T0,
    phase_since=T0,
    written_at=T0,
    v0=1,
    passphrase=Sensitive("canary-secret-phrase"),
)
DRAINS: dict[str, Any] = {
    "v1": 2,
    "permits": (1,),
    "drain_since": T0,
    "drain_until": T0 + DRAIN,
    "retire": (1,),
}
KNOWN: dict[Phase, dict[str, Any]] = {
    Phase.VERIFIED: {"publish_over": 1, "permits": (1,)},
    Phase.DRAINING: DRAINS,
    Phase.REVOKING: DRAINS,
    Phase.PROVING: DRAINS | {"deleted_at": T0},
    Phase.ROLLING_BACK: DRAINS | {"publish_over": 2, "permits": (1, 2)},
    Phase.DRAINING_BACK: DRAINS | {"path_version": 3, "permits": (1, 2)},
    Phase.ABORTING: {"path_version": 3, "permits": (1, 2)},
    Phase.CLOSING: {"outcome": Phase.DONE},
    Phase.QUARANTINED: DRAINS | {"left": Phase.DRAINING, "question": "What now?"},
}
"""What a record of this phase holds besides its keys."""


def at(phase: Phase, **changes: Any) -> Record:
    """Return a record as it stands in a phase, with some fields changed."""
    r = replace(FIRST, phase=phase)
    if phase is not Phase.CREATING:
        r = replace(r, new=NEW, old_fields=OLD_FIELDS, passphrase=None)
    return replace(r, **(KNOWN.get(phase, {}) | changes))


def path(version: int, holds: Holder, **more: Any) -> PathSeen:
    """Return a path as read."""
    return PathSeen(version, holds, **more)


def guard(version: int | None = 2, **more: Any) -> GuardSeen:
    """Return a guard that saw nothing in the way, unless told otherwise."""
    seen: dict[str, Any] = {"recreated": False, "record_unchanged": True} | more
    return GuardSeen(M0, version, **seen)


def order(command: str, version: int, answer: str | None = None, **more: Any) -> Order:
    """Return a person's command for the rotation of `FIRST`."""
    return replace(Order(command, "aaaaaaaa", version, answer, 1, LATER, "ann"), **more)


def decide(r: Record, now: datetime = LATER, ctx: Context | None = None, **saw: Any) -> Decision:
    """Return what the machine decides when this much was seen."""
    return advance(r, Seen(**saw), Context(now) if ctx is None else ctx)


def event_of(decision: Decision) -> Event:
    """Return the event that a step came to; it must have come to one."""
    assert isinstance(decision, Write | Stay), decision
    return decision.event


def effect_of(decision: Decision) -> Effect:
    """Return the effect that a step asks for; it must ask for one."""
    assert isinstance(decision, Do), decision
    return decision.effect


CALM: Mapping[str, Answer] = {
    "tidied": Done(),
    "created": IssuedKey(NEW_KEY, NEW.secrets),
    "new": ALIVE,
    "new_again": ALIVE,
    "old": ALIVE,
    "served": ALIVE,
    "path": path(1, Holder.OLD),
    "published": Written(2),
    "fenced": Written(4),
    "guard": guard(),
    "guard_again": guard(),
    "retired": Done(),
    "unretired": Done(),
    "elsewhere": Places((), complete=True),
    "deleted": Done(),
    "destroyed": Done(),
    "history": Done(),
    "patched": Done(),
}
"""What a world without trouble answers, by the field of `Seen`."""


@dataclass
class Run:
    """A rotation driven to its end by scripted answers; `says(phase, ...)` overrides."""

    record: Record
    script: dict[tuple[Phase, str], Answer] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    written: list[Record] = field(default_factory=list)

    def says(self, phase: Phase, **answers: Answer) -> Run:
        """Answer these questions of this phase differently."""
        self.script |= {(phase, name): answer for name, answer in answers.items()}
        return self

    def to_the_end(self, limit: int = 200) -> Run:
        """Advance, a day at a time, until the record is closed or rests on a person."""
        seen, now = Seen(fresh_at=M0), T0
        for _ in range(limit):
            decision = advance(self.record, seen, Context(now))
            match decision:
                case Closed():
                    return self
                case Do(effect):
                    self.effects.append(effect)
                    name = answer_field(effect)
                    answer = self.script.get((self.record.phase, name), CALM[name])
                    seen = observe(seen, effect, answer)
                case Write(after):
                    self.record, seen = after, Seen(fresh_at=M0)
                    self.written.append(after)
                case Stay(on="person"):
                    return self
                case _:
                    now, seen = now + timedelta(days=1), Seen()
        raise AssertionError(f"no end after {limit} steps, in {self.record.phase}")

    def inspected(self) -> list[Inspect]:
        """Return the looks that were taken."""
        return [e for e in self.effects if isinstance(e, Inspect)]
