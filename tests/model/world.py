"""The world of the model: one path, its keys at the exchange, its record, its drivers.

Everything is a small immutable tuple, so that a state can be hashed; records and
what drivers have seen are the real objects of `core`, interned.  Time has three
values: 0 (just written), 1 (minutes: every settle and back-off is over) and 2
(days: every drain is over).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from rotator.core.issue import KeySpec
from rotator.core.names import (
    AccountId,
    CredentialName,
    ExchangeName,
    Fingerprint,
    KeyId,
    RotationId,
    StorePath,
)
from rotator.core.record import Phase, Pins, Record, Revoke, Terms, Trigger
from rotator.core.saga import Context
from rotator.core.saga.words import Moment, Order, Seen

T0 = datetime(2026, 1, 5, tzinfo=UTC)
AGES = (timedelta(0), timedelta(minutes=5), timedelta(days=1))
M0 = Moment(T0, 0.0)
OLD, THIRD = "old", "third"
ALIVE, DEAD, DELETED = "alive", "dead", "deleted"

ROTATIONS = {"n": RotationId("aaaaaaaa"), "m": RotationId("bbbbbbbb")}
"""The first rotation's keys are `n1`, `n2`, ...; the second's are `m1`, `m2`, ..."""

LETTERS = {rotation: letter for letter, rotation in ROTATIONS.items()}

Keys = tuple[tuple[str, str], ...]
"""(name, life) of every key: alive, dead (the exchange did it), deleted (we did)."""


class PathVersion(NamedTuple):
    """One version of the path: whose key it holds, and whether it is soft-deleted."""

    holds: str
    deleted: bool


NONE = -1


class Intern:
    """Numbers for records and for what drivers have seen, so that a state hashes fast."""

    def __init__(self) -> None:
        self.numbers: dict[object, int] = {}
        self.values: list[object] = []

    def number(self, value: object) -> int:
        """Return the number of a value; the same value has the same number."""
        found = self.numbers.get(value)
        if found is None:
            found = self.numbers[value] = len(self.values)
            self.values.append(value)
        return found


RECORDS = Intern()
SEEN = Intern()
NOTHING_SEEN = SEEN.number(Seen())
FRESH = SEEN.number(Seen(fresh_at=M0))


class Document(NamedTuple):
    """The record's document: its version, the record in it, and whether it is deleted."""

    version: int
    record: int
    deleted: bool


class Driver(NamedTuple):
    """One driver: what it believes, and what it has seen in this step."""

    version: int
    record: int
    seen: int
    age: int
    slept: bool


IDLE = Driver(0, NONE, NOTHING_SEEN, 0, False)


class Tidy(NamedTuple):
    """A tidy under way: it has `listed` these keys, or found these `doomed`."""

    stage: str
    names: tuple[str, ...]


class State(NamedTuple):
    """The whole world at one instant.

    `held` are the keys that some consumer may still use; `history` is the closed
    record of the rotation before this one; `meddled` says that a person has put a
    key on the path, or taken the record away; `made` counts how often the path was
    removed and made again.
    """

    keys: Keys
    path: tuple[PathVersion, ...]
    document: Document
    drivers: tuple[Driver, ...]
    pending: tuple[tuple[str, str, int], ...]
    order: Order | None
    hold: bool
    age: int
    held: frozenset[str]
    events: int
    operator: int
    created: frozenset[str]
    mismatched: frozenset[str]
    tidy: Tidy | None
    meddled: bool
    history: int
    made: int = 0


@dataclass(frozen=True)
class Setup:
    """One configuration that is enumerated."""

    drivers: int
    events: int
    operator: int = 0
    revoke: Revoke = Revoke.DRAIN
    lists_keys: bool = True
    rotations: int = 1
    makes_again: bool = False

    def __str__(self) -> str:
        said = f"{self.drivers} driver(s), {self.events} event(s), {self.operator} operator act(s)"
        more = "" if self.revoke is Revoke.DRAIN else f", revoke {self.revoke}"
        more += "" if self.lists_keys else ", an exchange that cannot list"
        more += ", paths made again" if self.makes_again else ""
        return said + more + ("" if self.rotations == 1 else ", two rotations in a row")


def first_record(setup: Setup, letter: str = "n", old: str = OLD, version: int = 1) -> Record:
    """The record as a driver writes it when it opens a rotation."""
    return Record(
        rotation=ROTATIONS[letter],
        credential=CredentialName("secret/desk"),
        path=StorePath("secret/desk"),
        strategy="overlap",
        trigger=Trigger.DUE,
        phase=Phase.CREATING,
        pins=Pins(ExchangeName("bybit"), "prod", "h", AccountId("1"), None, None, (), T0),
        terms=Terms(revoke=setup.revoke, lists_keys=setup.lists_keys),
        spec=KeySpec(AccountId("1"), ()),
        old_key_id=KeyId(old),
        old_fingerprint=Fingerprint("f"),
        started_at=T0,
        phase_since=T0,
        written_at=T0,
        v0=version,
    )


def start(setup: Setup) -> State:
    """The state in which the opening record has not been written yet."""
    return State(
        keys=((OLD, ALIVE),),
        path=(PathVersion(OLD, False),),
        document=Document(0, NONE, False),
        drivers=(IDLE,) * setup.drivers,
        pending=(),
        order=None,
        hold=False,
        age=0,
        held=frozenset({OLD}),
        events=setup.events,
        operator=setup.operator,
        created=frozenset(),
        mismatched=frozenset(),
        tidy=None,
        meddled=False,
        history=NONE,
    )


@dataclass(frozen=True, slots=True)
class Rules:
    """What the mutants change; the real machine is `Rules()`."""

    looks_before_fencing: bool = False
    delete_others: bool = False
    skip_guard_before_revoke: bool = False
    skip_probe_before_revoke: bool = False
    guard_blind_to_record: bool = False
    retire_by_content: bool = False
    delete_just_created: bool = False
    tidy_trusts_no_open_record: bool = False
    close_by_delete: bool = False
    no_path_fence: bool = False
    no_settle_in_rollback: bool = False
    no_drain_back: bool = False
    unbound_complete: bool = False
    no_cas_on_record: bool = False
    no_cas_on_path: bool = False
    record_after_effect: bool = False
    skip_verify: bool = False
    skip_probe_before_publish: bool = False
    skip_probe_in_tidy: bool = False
    skip_guard_before_retire: bool = False
    no_clock_in_guard: bool = False
    rollback_gives_up: bool = False
    retire_forgets: bool = False
    skip_probe_before_abort: bool = False
    skip_guard_before_abort: bool = False
    withdraws_nothing: bool = False
    retries_made_again: bool = False


REAL = Rules()


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


def context(age: int, hold: bool, order: Order | None) -> Context:
    """What a driver is told."""
    return Context(now=T0 + AGES[age], hold="somebody" if hold else None, order=order)


def canonical(record: Record, age: int) -> Record:
    """Bring a record that was written at age `age` back to time zero."""
    shift = AGES[age]

    def back(at: datetime | None) -> datetime | None:
        return None if at is None else max(T0, at - shift)

    return replace(
        record,
        steps=(),
        started_at=T0,
        phase_since=max(T0, record.phase_since - shift),
        written_at=T0,
        drain_since=back(record.drain_since),
        drain_until=back(record.drain_until),
        deleted_at=back(record.deleted_at),
        question="?" if record.question else "",
        why="",
        refused="",
        looks="",
        proof="",
    )


def alive(s: State, name: str) -> bool:
    """Say whether a key lives at the exchange."""
    return (name, ALIVE) in s.keys


def lives(s: State, name: str | None) -> bool:
    """Say whether what the path serves is a living key; a person's third key lives."""
    return name is not None and (name == THIRD or alive(s, name))


def set_key(s: State, name: str, life: str) -> State:
    """Set a key's life."""
    rest = tuple(k for k in s.keys if k[0] != name)
    return s._replace(keys=tuple(sorted((*rest, (name, life)))))


def served(s: State) -> str | None:
    """The key that the path's current version holds; None if it is deleted."""
    top = s.path[-1]
    return None if top.deleted else top.holds


def made_at(s: State) -> datetime:
    """The creation time of the path that is there now."""
    return T0 + timedelta(milliseconds=s.made)


def key_of(rotation: str, attempt: int) -> str:
    """The name of the key that an attempt creates."""
    return f"{LETTERS[RotationId(rotation)]}{attempt}"


def attempt_of(name: str) -> tuple[RotationId, int] | None:
    """The rotation and the attempt that a name tells; None for a key that is not ours."""
    if name[0] in ROTATIONS and name[1:].isdigit():
        return ROTATIONS[name[0]], int(name[1:])
    return None
