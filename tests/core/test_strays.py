"""Which listed keys may be removed: only those that their own record proves useless."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from rotator.core.facts import KeyFacts
from rotator.core.names import KeyId, Secrets, SigningKey
from rotator.core.record import Phase, Record, label_of
from rotator.core.strays import SEEN_APART, Kind, confirmed, judge

from .saga_kit import FIRST, NEW_KEY, OLD_KEY, T0, at

OURS = FIRST.rotation
SOME = KeyId("key-some")
NONE_SERVED: frozenset[KeyId] = frozenset()


def kind(
    key_id: KeyId,
    label: str | None,
    *records: Record,
    served: frozenset[KeyId] = NONE_SERVED,
) -> Kind:
    """Judge a key with this label against these records."""
    return judge(KeyFacts(key_id, label=label), {r.rotation: r for r in records}, served).kind


def test_a_served_key_is_never_a_stray() -> None:
    """A key that any path serves stays, whatever its record says."""
    served = frozenset({NEW_KEY})
    assert kind(NEW_KEY, label_of(OURS, 1), at(Phase.ABORTED), served=served) is Kind.SERVED


def test_the_old_key_of_an_open_rotation_is_open() -> None:
    """The old key of an open rotation belongs to it, even if no path holds it any more."""
    assert kind(OLD_KEY, None, at(Phase.REVOKING)) is Kind.OPEN
    assert kind(OLD_KEY, None, at(Phase.DONE)) is Kind.FOREIGN


@pytest.mark.parametrize("label", [None, "", "desk", "rk", "rkaaaaaaaa", "rkAAAAAAAA1", "rk1"])
def test_a_label_that_is_not_ours_is_foreign(label: str | None) -> None:
    """A key without a label of ours is foreign, even beside an aborted record."""
    assert kind(SOME, label, at(Phase.ABORTED)) is Kind.FOREIGN


def test_a_label_without_a_record_is_foreign() -> None:
    """A second Rotator's key, or one of a lost journal, is reported and never deleted."""
    judged = judge(KeyFacts(SOME, label=label_of("bbbbbbbb", 1)), {OURS: FIRST}, NONE_SERVED)
    assert (judged.kind, judged.rotation) == (Kind.FOREIGN, "bbbbbbbb")


PROOFS = [
    ("aborted", at(Phase.ABORTED), SOME, 1, Kind.STRAY),
    ("aborted, its own key", at(Phase.ABORTED), NEW_KEY, 1, Kind.STRAY),
    ("done, another key", at(Phase.DONE), SOME, 1, Kind.STRAY),
    ("done, its own key", at(Phase.DONE), NEW_KEY, 1, Kind.UNSERVED),
    ("an older attempt", at(Phase.CREATING, attempt=2), SOME, 1, Kind.STRAY),
    ("the present attempt", at(Phase.CREATING, attempt=2), SOME, 2, Kind.OPEN),
    ("a later attempt", at(Phase.CREATING, attempt=2), SOME, 3, Kind.OPEN),
    ("staged, another key", at(Phase.STAGED), SOME, 1, Kind.STRAY),
    ("staged, its own key", at(Phase.STAGED), NEW_KEY, 1, Kind.OPEN),
    ("quarantined, no key known", at(Phase.QUARANTINED, new=None), SOME, 1, Kind.OPEN),
    ("quarantined, another key", at(Phase.QUARANTINED), SOME, 1, Kind.STRAY),
]


@pytest.mark.parametrize(
    ("record", "key_id", "attempt", "expected"), [p[1:] for p in PROOFS], ids=[p[0] for p in PROOFS]
)
def test_only_its_own_record_proves_a_key_useless(
    record: Record, key_id: KeyId, attempt: int, expected: Kind
) -> None:
    """An aborted record, an older attempt or another key id is proof; all else is not."""
    assert kind(key_id, label_of(OURS, attempt), record) is expected


def test_the_new_key_is_known_by_its_id_alone() -> None:
    """A tombstone, which holds no secret, still names the key that it made."""
    tombstone = replace(at(Phase.DONE), new=SigningKey(NEW_KEY, Secrets()))
    assert kind(NEW_KEY, label_of(OURS, 1), tombstone) is Kind.UNSERVED


def test_a_stray_is_seen_twice_apart() -> None:
    """The first sighting confirms nothing, nor does one less than 30 s later."""
    assert not confirmed(None, T0)
    assert not confirmed(T0, T0 + SEEN_APART - timedelta(seconds=1))
    assert confirmed(T0, T0 + SEEN_APART)
