"""The nouns of the rotation machine: phases, events, effects and answers.

A driver holds a record and what it has `Seen` in the present step.  `advance()`
says what comes next:

    Do(effect)      ask the world; the answer goes into `Seen`
    Write(record)   put this record by compare-and-set, then begin a new step
    Stay(...)       nothing to do before a time, or until somebody acts
    Again           what was seen is stale: forget it and begin the step anew
    Closed          the rotation has ended
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from rotator.core.findings import Code
from rotator.core.issue import IssuedKey
from rotator.core.liveness import Liveness
from rotator.core.outcome import Failure
from rotator.core.record import Record


class Which(StrEnum):
    """Which key is meant: the new, the old, or the one that the path serves."""

    NEW = "new"
    OLD = "old"
    SERVED = "served"


class Holder(StrEnum):
    """What a version of the path holds."""

    NEW = "new"
    OLD = "old"
    OTHER = "other"
    GONE = "gone"


class Event(StrEnum):
    """What a step came to."""

    CREATED = "created"
    REFUSED_FOR_GOOD = "refused for good"
    NO_PARENT = "no key to create with"
    NOT_CREATED = "not applied, or unknown, or woken knowing nothing"
    TOO_MANY = "too many attempts"
    CANNOT_LIST = "unknown, and the exchange cannot list"
    MATCHED = "the new key works and is what was asked for"
    NOT_ACTIVE_YET = "not active yet"
    NOT_AS_ASKED = "denied, or its facts differ, twice"
    UNREACHABLE = "no certain answer"
    ADDRESS_REFUSED = "our address is refused"
    PUBLISHED = "the path serves the new key"
    MOVED = "the path has another version with the same key"
    ROLLED_BACK = "somebody brought the old key back"
    ANOTHER_KEY = "the path holds another key, or none"
    RECREATED = "the path was removed and made again"
    PINS_CHANGED = "the configuration points elsewhere"
    NEW_DEAD = "the new key is dead"
    OLD_DEAD = "the old key is dead"
    BOTH_DEAD = "both keys are dead"
    SERVED_DEAD = "the key on the path is dead"
    NEW_RETURNED = "the path serves the new key again"
    DRAINED = "drained, and the revoke rule is met"
    DRAINING = "the drain is not over"
    PROOF_MISSING = "the proof for the deletion is missing"
    HELD = "held"
    RESTORED = "the path serves the old key"
    SETTLING = "a request of ours may still be on its way"
    ELSEWHERE = "the old key is at another path"
    INCOMPLETE = "no complete inventory yet"
    DELETED = "the key is deleted"
    DELETE_REFUSED = "the exchange refuses the deletion"
    STILL_ANSWERS = "the old key still answers"
    PROVED = "the old key is proved dead"
    HANDED_OUT = "older versions still hold the key that goes"
    TIDIED = "the new keys are gone"
    FINISHED = "nothing is left to do"
    ASKED = "waits for an answer"
    ADOPTED_PUBLISHED = "adopt: the path serves the new key, alive"
    ADOPTED = "adopt: the new key is alive"
    ABORT_PUBLISHED = "abort: the path serves the new key, the old one is alive"
    ABORT_VERIFIED = "abort: consumers may have seen the new key"
    ABORT_UNSEEN = "abort: nobody can have seen the new key"
    RETRIED = "retry: the phase left"
    ANSWER_REFUSED = "the answer is not safe now"


@dataclass(frozen=True, slots=True)
class Order:
    """A command that a person has written: for this rotation and path version only.

    `number` is the version of the command's document; `given_at` its time by
    the store's clock.
    """

    command: str
    rotation: str
    version: int
    answer: str | None
    number: int
    given_at: datetime
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """One reading of both clocks: wall time (aware, UTC) and monotonic seconds."""

    at: datetime
    mono: float


# --- effects: what a step asks of the world -----------------------------------------


@dataclass(frozen=True, slots=True)
class DeleteOlder:
    """Delete the keys of this rotation's attempts below `before`, found by label."""

    before: int
    signed_at: Moment


@dataclass(frozen=True, slots=True)
class CreateKey:
    """Create the key that the record announces; sign with `signed_at`."""

    signed_at: Moment


@dataclass(frozen=True, slots=True)
class Inspect:
    """Look whether a key lives; `again` = the second look, one second later."""

    which: Which
    again: bool = False


@dataclass(frozen=True, slots=True)
class ReadPath:
    """Read the path: its version, whose key it holds, and what older versions held."""


@dataclass(frozen=True, slots=True)
class Publish:
    """Write a key's fields to the path over version `cas`; other fields stay."""

    which: Which
    cas: int


@dataclass(frozen=True, slots=True)
class FencePath:
    """Write the path's own fields once more over `cas`: no late Publish fits after it."""

    cas: int


@dataclass(frozen=True, slots=True)
class Guard:
    """Look at path version, record version, holds and incidents, all at once."""

    again: bool = False


@dataclass(frozen=True, slots=True)
class RetireVersions:
    """Soft-delete exactly these versions, within 5 s of the guard."""

    versions: tuple[int, ...]
    guarded_at: Moment


@dataclass(frozen=True, slots=True)
class Unretire:
    """Bring these versions back, within 5 s of the guard."""

    versions: tuple[int, ...]
    guarded_at: Moment


@dataclass(frozen=True, slots=True)
class FindElsewhere:
    """Find where else the old key is, by a complete inventory begun after `since`."""

    since: datetime


@dataclass(frozen=True, slots=True)
class DeleteKey:
    """Delete a key at the exchange.

    Signed with the clock value taken before its probe and its guard, so the
    exchange's receive window bounds all three together.
    """

    which: Which
    signed_at: Moment


@dataclass(frozen=True, slots=True)
class DestroySecrets:
    """Destroy every version of the record that bears a secret."""


@dataclass(frozen=True, slots=True)
class WriteHistory:
    """Write the closed record, without secrets, to the history."""


@dataclass(frozen=True, slots=True)
class PatchMetadata:
    """Write the `rotator_*` keys of the path's metadata."""


Effect = (
    DeleteOlder
    | CreateKey
    | Inspect
    | ReadPath
    | Publish
    | FencePath
    | Guard
    | RetireVersions
    | Unretire
    | FindElsewhere
    | DeleteKey
    | DestroySecrets
    | WriteHistory
    | PatchMetadata
)


# --- answers: what the world said ---------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sight:
    """What a look at one key came to.

    `matches` compares label, account, scopes and addresses with the record's
    spec (None = cannot be told); `last_used_at` is where the exchange shows it;
    `at` is the clock reading taken before the look.
    """

    liveness: Liveness
    at: Moment
    matches: bool | None = None
    last_used_at: datetime | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class PathSeen:
    """The path as read.

    `created_at` is the path's own time, which `recreated` says is not the pinned one.
    `old_versions` are the readable versions below the current one that hold the
    old key, `new_versions` all that hold the new one, `unread` those whose
    holder cannot be told (deleted).
    """

    version: int
    holds: Holder
    recreated: bool = False
    created_at: datetime | None = None
    old_versions: tuple[int, ...] = ()
    new_versions: tuple[int, ...] = ()
    unread: tuple[int, ...] = ()

    def may_have_held_new_after(self, version: int) -> bool:
        """Say whether a version above `version`, and below the present one, may hold new."""
        between = (*self.new_versions, *self.unread)
        return any(version < n < self.version for n in between)

    def all_new_from(self, version: int) -> bool:
        """Say whether every version from `version` to the present one holds the new key."""
        return all(n in self.new_versions for n in range(version, self.version + 1))


@dataclass(frozen=True, slots=True)
class Standstill:
    """Why nothing may be deleted anywhere now, and what it is told as; None = it ends by itself."""

    sentence: str
    alert: Code | None = None


@dataclass(frozen=True, slots=True)
class GuardSeen:
    """What the guard saw; `at` is the clock reading taken before it looked."""

    at: Moment
    path_version: int | None
    recreated: bool
    record_unchanged: bool
    hold: str | None = None
    standstill: Standstill | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """A write to the path landed as this version."""

    version: int


@dataclass(frozen=True, slots=True)
class Lost:
    """A write conflicted, or its answer was lost: read again."""


@dataclass(frozen=True, slots=True)
class Done:
    """An effect surely happened (or there was nothing left to do)."""


@dataclass(frozen=True, slots=True)
class Stale:
    """An effect was not tried: more than 5 s had passed since its guard."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where else the old key lies, from one inventory; `missing` names what was unread."""

    paths: tuple[str, ...]
    complete: bool
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What this step has seen so far: volatile, dropped at any doubt.

    `fresh_at` is set only for the driver whose own write of this record version
    was acknowledged: the clock value taken before that write.
    """

    fresh_at: Moment | None = None
    tidied: Done | Failure | None = None
    created: IssuedKey | Failure | None = None
    new: Sight | None = None
    new_again: Sight | None = None
    old: Sight | None = None
    served: Sight | None = None
    path: PathSeen | None = None
    published: Written | Lost | None = None
    fenced: Written | Lost | None = None
    guard: GuardSeen | None = None
    guard_again: GuardSeen | None = None
    retired: Done | Stale | Lost | None = None
    unretired: Done | Stale | Lost | None = None
    elsewhere: Places | None = None
    deleted: Done | Failure | None = None
    destroyed: Done | Lost | None = None
    history: Done | Lost | None = None
    patched: Done | Lost | None = None


Answer = Done | Failure | IssuedKey | Sight | PathSeen | Written | Lost | GuardSeen | Stale | Places


def earlier(one: Moment, two: Moment) -> Moment:
    """Return the earlier of two clock readings."""
    return one if one.mono <= two.mono else two


# --- decisions ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Do:
    """Carry out one effect and come back with its answer."""

    effect: Effect


@dataclass(frozen=True, slots=True)
class Write:
    """Put this record by compare-and-set, because of `event`."""

    record: Record
    event: Event


@dataclass(frozen=True, slots=True)
class Stay:
    """Nothing to do before `until`; `on` says who or what is waited for.

    `keep` = what was seen stays true meanwhile; otherwise the step begins anew.
    """

    event: Event
    until: datetime
    on: str
    sentence: str
    alert: Code | None = None
    keep: bool = False


@dataclass(frozen=True, slots=True)
class Again:
    """Forget what was seen, re-read the record and begin the step anew."""

    reason: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The record is a tombstone."""


Decision = Do | Write | Stay | Again | Closed
