"""Alive, dead, or nothing that may be acted upon."""

from __future__ import annotations

import itertools

import pytest

from rotator.core.facts import KeyFacts, Look, Validity, validity_of
from rotator.core.liveness import MALFORMED, Listed, Liveness, judge, listed_in
from rotator.core.names import KeyId
from rotator.core.outcome import Failure, Meaning

VALID = Look(Validity.VALID, KeyFacts(key_id=KeyId("k")))
INVALID = Look.failed(Failure.of(Meaning.INVALID_KEY))
EXPIRED = Look.failed(Failure.of(Meaning.EXPIRED))
BLOCKED = Look.failed(Failure.of(Meaning.IP_BLOCKED))
DOWN = Look.failed(Failure.of(Meaning.UNKNOWN_OUTCOME))
DENIED = Look.failed(Failure.of(Meaning.PERMISSION_DENIED))
FORGED = Look.failed(Failure.of(Meaning.BAD_SIGNATURE))
UNSENT = Look.failed(Failure.of(Meaning.INVALID_KEY, code=MALFORMED))
AMBIGUOUS = Look.failed(
    Failure.of(Meaning.INVALID_KEY, candidates=(Meaning.INVALID_KEY, Meaning.IP_BLOCKED))
)
EVERY = [VALID, INVALID, EXPIRED, BLOCKED, DOWN, DENIED, FORGED, UNSENT, AMBIGUOUS] + [
    Look.failed(Failure.of(m)) for m in Meaning
]


@pytest.mark.parametrize(
    ("first", "second", "control", "listed", "verdict"),
    [
        (VALID, None, None, Listed.UNKNOWN, Liveness.ALIVE),
        (INVALID, VALID, VALID, Listed.ABSENT, Liveness.ALIVE),
        (VALID, INVALID, VALID, Listed.UNKNOWN, Liveness.UNKNOWN),
        (VALID, DOWN, None, Listed.UNKNOWN, Liveness.UNKNOWN),
        (BLOCKED, None, None, Listed.ENABLED, Liveness.ALIVE),
        (BLOCKED, BLOCKED, VALID, Listed.ENABLED, Liveness.ALIVE),
        (BLOCKED, None, None, Listed.UNKNOWN, Liveness.BLOCKED),
        (BLOCKED, BLOCKED, VALID, Listed.ABSENT, Liveness.BLOCKED),
        (BLOCKED, BLOCKED, VALID, Listed.DISABLED, Liveness.BLOCKED),
        (INVALID, INVALID, VALID, Listed.UNKNOWN, Liveness.DEAD),
        (INVALID, EXPIRED, VALID, Listed.UNKNOWN, Liveness.DEAD),
        (EXPIRED, EXPIRED, VALID, Listed.DISABLED, Liveness.DEAD),
        (INVALID, None, VALID, Listed.UNKNOWN, Liveness.UNKNOWN),
        (INVALID, INVALID, None, Listed.UNKNOWN, Liveness.UNKNOWN),
        (INVALID, INVALID, INVALID, Listed.UNKNOWN, Liveness.UNKNOWN),
        (INVALID, INVALID, BLOCKED, Listed.UNKNOWN, Liveness.UNKNOWN),
        (INVALID, INVALID, DENIED, Listed.UNKNOWN, Liveness.UNKNOWN),
        (INVALID, INVALID, VALID, Listed.ENABLED, Liveness.UNKNOWN),
        (INVALID, None, None, Listed.ABSENT, Liveness.DEAD),
        (DOWN, None, None, Listed.ABSENT, Liveness.DEAD),
        (DOWN, DOWN, VALID, Listed.ENABLED, Liveness.UNKNOWN),
        (DENIED, DENIED, VALID, Listed.UNKNOWN, Liveness.UNKNOWN),
        (FORGED, FORGED, VALID, Listed.UNKNOWN, Liveness.UNKNOWN),
        (UNSENT, UNSENT, VALID, Listed.UNKNOWN, Liveness.UNKNOWN),
        (AMBIGUOUS, AMBIGUOUS, VALID, Listed.UNKNOWN, Liveness.UNKNOWN),
        (INVALID, AMBIGUOUS, VALID, Listed.UNKNOWN, Liveness.UNKNOWN),
    ],
)
def test_each_judgement(
    first: Look, second: Look | None, control: Look | None, listed: Listed, verdict: Liveness
) -> None:
    """Each combination that matters is judged as the words alive and dead say."""
    assert judge(first, second, control, listed) is verdict


def test_dead_needs_proof_in_every_combination() -> None:
    """Over all looks, dead is only said on two refusals beside a living key, or an absence."""
    for first, second, control, listed in itertools.product(
        EVERY, [None, *EVERY], [None, *EVERY], Listed
    ):
        if judge(first, second, control, listed) is not Liveness.DEAD:
            continue
        assert (second or first).validity is not Validity.VALID
        if listed is not Listed.ABSENT:
            assert control is not None
            assert control.validity is Validity.VALID
            assert second is not None
            for look in (first, second):
                assert look.validity in {Validity.INVALID, Validity.EXPIRED}


def test_alive_needs_a_sign_in_or_a_list() -> None:
    """Over all looks, alive is only said on a sign-in, or our address refused beside a list."""
    for first, second, listed in itertools.product(EVERY, [None, *EVERY], Listed):
        if judge(first, second, None, listed) is not Liveness.ALIVE:
            continue
        latest = second or first
        assert latest.validity is Validity.VALID or (
            latest.validity is Validity.IP_BLOCKED and listed is Listed.ENABLED
        )


def test_candidates_make_any_meaning_unknown() -> None:
    """A failure that covers several meanings has no validity of its own."""
    for meaning in Meaning:
        failure = Failure.of(meaning, candidates=(meaning, Meaning.OTHER))
        assert validity_of(failure) is Validity.UNKNOWN


def facts(key_id: str | None, enabled: bool | None = True) -> KeyFacts:
    """Return one entry of a list."""
    return KeyFacts(key_id=KeyId(key_id) if key_id else None, enabled=enabled)


@pytest.mark.parametrize(
    ("keys", "complete", "known", "expected"),
    [
        ([facts("k")], False, None, Listed.ENABLED),
        ([facts("k", False)], True, None, Listed.DISABLED),
        ([facts("k", None)], True, None, Listed.UNKNOWN),
        ([facts("k", True), facts("k", False)], True, None, Listed.UNKNOWN),
        ([facts("a")], True, "a", Listed.ABSENT),
        ([facts("a", None)], True, "a", Listed.ABSENT),
        ([facts("a", False)], True, "a", Listed.UNKNOWN),
        ([facts("a")], False, "a", Listed.UNKNOWN),
        ([facts("a")], True, None, Listed.UNKNOWN),
        ([facts("b")], True, "a", Listed.UNKNOWN),
        ([], True, "a", Listed.UNKNOWN),
        ([facts("a"), facts(None)], True, "a", Listed.UNKNOWN),
        ([facts("a"), facts("xx***yy")], True, "a", Listed.UNKNOWN),
    ],
)
def test_what_a_list_proves(
    keys: list[KeyFacts], complete: bool, known: str | None, expected: Listed
) -> None:
    """A list proves presence by showing, and absence only in full beside a living key."""
    alive = KeyId(known) if known else None
    assert listed_in(keys, KeyId("k"), complete=complete, known_alive=alive) is expected
