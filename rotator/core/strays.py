"""Which keys at the exchange are ours to remove, and which nobody may touch.

The order matters: the keys are listed **first**, then the record (or the
history) that a label names is read, then the paths.  A key is a stray only if
its own record proves it useless:

    - the record is ABORTED, or
    - the key's attempt is older than the record's, or
    - the record is at STAGED or later and names another key id;

and no path holds it; and it was seen so twice, 30 s apart; and the credential of
its account serves a living key (rule 5, which the tidy asks itself in the same
step).  A label without a readable record is foreign: reported, never deleted, so
that a second Rotator on the same account, or a lost journal, deletes nothing.
A key that its DONE record names but no path holds is for a person (UnservedKey).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from rotator.core.facts import KeyFacts
from rotator.core.names import KeyId, RotationId
from rotator.core.record import Phase, Record, read_label

SEEN_APART = timedelta(seconds=30)


class Kind(StrEnum):
    """What a listed key is to us."""

    SERVED = "served"
    OPEN = "open"
    STRAY = "stray"
    UNSERVED = "unserved"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Judged:
    """One listed key, what it is, and the rotation that its label names."""

    key: KeyFacts
    kind: Kind
    rotation: RotationId | None = None


def judge(
    key: KeyFacts,
    records: Mapping[RotationId, Record],
    served: frozenset[KeyId],
) -> Judged:
    """Judge one key of a listing taken before `records` and `served` were read.

    `served` are the key ids of all paths, managed or not.
    """
    named = read_label(key.label)
    rotation = named[0] if named else None
    if key.key_id in served:
        return Judged(key, Kind.SERVED, rotation)
    if any(not r.closed and r.old_key_id == key.key_id for r in records.values()):
        return Judged(key, Kind.OPEN, rotation)
    if named is None:
        return Judged(key, Kind.FOREIGN)
    record = records.get(named[0])
    if record is None:
        return Judged(key, Kind.FOREIGN, rotation)
    return Judged(key, _by_record(key, named[1], record), rotation)


def _by_record(key: KeyFacts, attempt: int, record: Record) -> Kind:
    named = record.new is not None and record.new.key_id == key.key_id
    if record.phase is Phase.ABORTED:
        return Kind.STRAY
    if record.phase is Phase.DONE:
        return Kind.UNSERVED if named else Kind.STRAY
    if attempt < record.attempt:
        return Kind.STRAY
    if record.new is not None and not named:
        return Kind.STRAY
    return Kind.OPEN


def confirmed(first_seen: datetime | None, now: datetime) -> bool:
    """Say whether a sighting is the second one, at least 30 s after the first."""
    return first_seen is not None and now - first_seen >= SEEN_APART
