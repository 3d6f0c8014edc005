"""What each phase asks next, and what it says when it can only wait."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from rotator.core.findings import Code
from rotator.core.liveness import Liveness
from rotator.core.record import Phase, Record, Revoke, Terms
from rotator.core.saga import Context
from rotator.core.saga.words import (
    Again,
    CreateKey,
    DeleteKey,
    DeleteOlder,
    DestroySecrets,
    Do,
    Done,
    Effect,
    Event,
    FencePath,
    FindElsewhere,
    Guard,
    Holder,
    Inspect,
    Lost,
    Moment,
    PatchMetadata,
    Places,
    Publish,
    ReadPath,
    RetireVersions,
    Stale,
    Standstill,
    Stay,
    Unretire,
    Which,
    Write,
    WriteHistory,
    Written,
)

from . import saga_kit as kit
from .saga_kit import ALIVE, BLOCKED, DEAD, LATER, M0, ODD, T0, UNKNOWN, at, guard, order, path

P = Phase
OLD_1, OLD_3 = path(1, Holder.OLD), path(3, Holder.OLD)
NEW_2, OTHER_3, GONE_3 = path(2, Holder.NEW), path(3, Holder.OTHER), path(3, Holder.GONE)
SECOND = at(P.CREATING, attempt=2)
ACKED = Terms(revoke=Revoke.ACKED, drain=kit.DRAIN, consumers=("bot",))
BY_HAND = Terms(revoke=Revoke.MANUAL, drain=kit.DRAIN)
FRESH: dict[str, Any] = {"fresh_at": M0}
EARLIER = Moment(T0, -1.0)
CHECKED: dict[str, Any] = {
    "retired": Done(),
    "elsewhere": Places((), complete=True),
    "new": ALIVE,
    "guard_again": guard(),
}
GIVEN_UP: dict[str, Any] = {"retired": Done(), "elsewhere": Places((), complete=True), "new": DEAD}
BACK: dict[str, Any] = {"path": OLD_3, "served": ALIVE, "guard": guard(3)}
HANDED: dict[str, Any] = BACK | {"path": path(3, Holder.OLD, new_versions=(2,))}
ABORTED = at(P.CLOSING, outcome=P.ABORTED, retire=(1,))
QUARANTINED = at(P.QUARANTINED)

INCIDENT = Standstill("keys die", Code.MASS_INVALIDATION)

ASKED: list[tuple[Record, dict[str, Any], Effect]] = [
    (at(P.CREATING), FRESH, CreateKey(M0)),
    (SECOND, FRESH, ReadPath()),
    (SECOND, FRESH | {"path": OLD_1}, Inspect(Which.SERVED)),
    (SECOND, FRESH | {"path": OLD_1, "served": ALIVE}, DeleteOlder(2, M0)),
    (SECOND, FRESH | {"path": OLD_1, "served": DEAD}, CreateKey(M0)),
    (SECOND, FRESH | {"path": GONE_3}, CreateKey(M0)),
    (SECOND, FRESH | {"path": replace(OLD_1, recreated=True)}, CreateKey(M0)),
    (SECOND, FRESH | {"tidied": Done()}, CreateKey(M0)),
    (at(P.STAGED), {}, Inspect(Which.NEW)),
    (at(P.STAGED), {"new": ALIVE}, Inspect(Which.NEW, again=True)),
    (at(P.VERIFIED), {}, ReadPath()),
    (at(P.VERIFIED), {"path": OLD_1}, Inspect(Which.NEW)),
    (at(P.VERIFIED), {"path": OLD_1, "new": ALIVE}, Publish(Which.NEW, 1)),
    (
        at(P.VERIFIED, publish_over=3, overwrite=True),
        {"path": OTHER_3, "new": ALIVE},
        Publish(Which.NEW, 3),
    ),
    (at(P.DRAINING), {}, ReadPath()),
    (at(P.DRAINING), {"path": NEW_2}, Inspect(Which.NEW)),
    (at(P.DRAINING), {"path": NEW_2, "new": DEAD}, Inspect(Which.OLD)),
    (at(P.DRAINING, terms=ACKED), {"path": NEW_2, "new": ALIVE}, Inspect(Which.OLD)),
    (at(P.ROLLING_BACK), {}, ReadPath()),
    (at(P.ROLLING_BACK), {"path": NEW_2}, Inspect(Which.OLD)),
    (at(P.ROLLING_BACK), {"path": NEW_2, "old": ALIVE}, Publish(Which.OLD, 2)),
    (at(P.DRAINING_BACK), {}, ReadPath()),
    (at(P.DRAINING_BACK), {"path": OLD_3}, Inspect(Which.SERVED)),
    (at(P.DRAINING_BACK, terms=BY_HAND), {"path": OLD_3, "served": ALIVE}, Inspect(Which.NEW)),
    (at(P.REVOKING), {}, Guard()),
    (at(P.REVOKING), {"guard": guard()}, RetireVersions((1,), M0)),
    (at(P.REVOKING), {"guard": guard(3)}, ReadPath()),
    (at(P.REVOKING), {"retired": Done()}, FindElsewhere(T0)),
    (at(P.REVOKING, retire=()), {}, FindElsewhere(T0)),
    (at(P.REVOKING), CHECKED | {"new": None, "guard_again": None}, Inspect(Which.NEW)),
    (at(P.REVOKING), CHECKED | {"guard_again": None}, Guard(again=True)),
    (at(P.REVOKING), CHECKED, DeleteKey(Which.OLD, M0)),
    (at(P.REVOKING), CHECKED | {"new": replace(ALIVE, at=EARLIER)}, DeleteKey(Which.OLD, EARLIER)),
    (
        at(P.REVOKING),
        CHECKED | {"guard_again": replace(guard(), at=EARLIER)},
        DeleteKey(Which.OLD, EARLIER),
    ),
    (at(P.REVOKING), GIVEN_UP, Inspect(Which.OLD)),
    (at(P.REVOKING), GIVEN_UP | {"old": ALIVE}, Guard(again=True)),
    (at(P.REVOKING), GIVEN_UP | {"old": ALIVE, "guard_again": guard()}, Unretire((1,), M0)),
    (at(P.PROVING), {}, Inspect(Which.NEW)),
    (at(P.PROVING), {"new": ALIVE}, Inspect(Which.OLD)),
    (at(P.PROVING), {"new": ALIVE, "old": DEAD}, ReadPath()),
    (at(P.ABORTING), {}, ReadPath()),
    (at(P.ABORTING), {"path": OLD_3}, Inspect(Which.SERVED)),
    (at(P.ABORTING, permits=(3,)), {"path": OLD_3, "served": ALIVE}, FencePath(3)),
    (at(P.ABORTING), {"path": OLD_3, "served": ALIVE}, Guard()),
    (at(P.ABORTING), BACK, DeleteKey(Which.NEW, M0)),
    (at(P.ABORTING, withdraw=(2,)), HANDED | {"guard": None}, Guard()),
    (at(P.ABORTING, withdraw=(2,)), HANDED, RetireVersions((2,), M0)),
    (
        at(P.ABORTING, withdraw=(2,)),
        HANDED | {"retired": Done(), "served": None},
        Inspect(Which.SERVED),
    ),
    (at(P.ABORTING, withdraw=(2,)), HANDED | {"retired": Done()}, Guard(again=True)),
    (
        at(P.ABORTING, withdraw=(2,)),
        HANDED | {"retired": Done(), "guard_again": guard(3)},
        DeleteKey(Which.NEW, M0),
    ),
    (at(P.ABORTING, withdraw=(2,)), BACK, DeleteKey(Which.NEW, M0)),
    (at(P.ABORTING, attempt=2), BACK | {"deleted": Done()}, DeleteOlder(2, M0)),
    (at(P.ABORTING, attempt=2, new=None), BACK, DeleteOlder(3, M0)),
    (at(P.CLOSING), {}, DestroySecrets()),
    (at(P.CLOSING), {"destroyed": Done()}, WriteHistory()),
    (at(P.CLOSING), {"destroyed": Done(), "history": Done()}, PatchMetadata()),
    (ABORTED, {"destroyed": Done()}, ReadPath()),
    (ABORTED, {"destroyed": Done(), "path": OTHER_3}, WriteHistory()),
    (ABORTED, {"destroyed": Done(), "path": OLD_3}, Inspect(Which.SERVED)),
    (ABORTED, {"destroyed": Done(), "path": OLD_3, "served": DEAD}, WriteHistory()),
    (ABORTED, {"destroyed": Done(), "path": OLD_3, "served": ALIVE}, Guard()),
    (ABORTED, {"destroyed": Done()} | BACK, Unretire((1,), M0)),
    (ABORTED, {"destroyed": Done()} | BACK | {"guard": guard(None)}, WriteHistory()),
    (ABORTED, {"destroyed": Done(), "unretired": Done()}, WriteHistory()),
    (at(P.CLOSING, outcome=P.ABORTED), {"destroyed": Done()}, WriteHistory()),
]


@pytest.mark.parametrize(
    ("r", "saw", "asked"), ASKED, ids=[f"{n} {r.phase}" for n, (r, _, _) in enumerate(ASKED)]
)
def test_the_first_open_question_is_asked(r: Record, saw: dict[str, Any], asked: Effect) -> None:
    """A step asks for exactly the first thing that it does not know or has not done."""
    assert kit.effect_of(kit.decide(r, **saw)) == asked


AGAIN: list[tuple[Record, dict[str, Any]]] = [
    (at(P.VERIFIED), {"path": OLD_1, "new": ALIVE, "published": Lost()}),
    (at(P.ROLLING_BACK), {"path": NEW_2, "old": ALIVE, "published": Lost()}),
    (at(P.REVOKING), {"retired": Stale()}),
    (at(P.REVOKING), CHECKED | {"guard_again": guard(record_unchanged=False)}),
    (
        at(P.REVOKING),
        GIVEN_UP | {"old": ALIVE, "guard_again": guard(), "unretired": Lost()},
    ),
    (at(P.ABORTING), BACK | {"guard": guard(4)}),
    (at(P.ABORTING, withdraw=(2,)), HANDED | {"guard": guard(4)}),
    (at(P.ABORTING, withdraw=(2,)), HANDED | {"retired": Stale()}),
    (at(P.ABORTING, withdraw=(2,)), HANDED | {"retired": Lost()}),
    (at(P.ABORTING, permits=(3,)), BACK | {"guard": None, "fenced": Lost()}),
]


@pytest.mark.parametrize(("r", "saw"), AGAIN, ids=[r.phase for r, _ in AGAIN])
def test_what_is_stale_is_forgotten(r: Record, saw: dict[str, Any]) -> None:
    """A conflict, a late guard or a changed record makes the step begin anew."""
    assert isinstance(kit.decide(r, **saw), Again)


EVENTS: list[tuple[Record, dict[str, Any], Event]] = [
    (at(P.CREATING), FRESH | {"created": kit.UNSURE}, Event.NOT_CREATED),
    (at(P.STAGED), {"new": ALIVE, "new_again": UNKNOWN}, Event.UNREACHABLE),
    (at(P.STAGED), {"new": ALIVE, "new_again": DEAD}, Event.UNREACHABLE),
    (at(P.STAGED), {"new": ALIVE, "new_again": ODD}, Event.UNREACHABLE),
    (at(P.STAGED), {"new": DEAD, "new_again": DEAD}, Event.NOT_AS_ASKED),
    (at(P.VERIFIED), {"path": NEW_2}, Event.PUBLISHED),
    (at(P.DRAINING), {"path": NEW_2, "new": DEAD, "old": UNKNOWN}, Event.UNREACHABLE),
    (at(P.ROLLING_BACK), {"path": OLD_3}, Event.RESTORED),
    (
        at(P.DRAINING_BACK, terms=BY_HAND),
        {"path": OLD_3, "served": ALIVE, "new": DEAD},
        Event.DRAINED,
    ),
    (at(P.REVOKING), GIVEN_UP | {"old": UNKNOWN}, Event.UNREACHABLE),
    (at(P.REVOKING), GIVEN_UP | {"old": ALIVE, "guard_again": guard(hold="ann")}, Event.HELD),
    (at(P.REVOKING, retire=()), GIVEN_UP | {"old": ALIVE}, Event.NEW_DEAD),
    (
        at(P.REVOKING),
        {"guard": guard(3), "path": path(3, Holder.NEW, recreated=True)},
        Event.RECREATED,
    ),
    (at(P.REVOKING), {"guard": guard(None)}, Event.RECREATED),
    (at(P.REVOKING), CHECKED | {"guard_again": guard(standstill=INCIDENT)}, Event.HELD),
    (at(P.REVOKING), CHECKED | {"deleted": kit.UNSURE}, Event.UNREACHABLE),
    (at(P.ABORTING, permits=(3,)), BACK | {"guard": None, "fenced": Written(4)}, Event.MOVED),
    (at(P.ABORTING), {"path": path(5, Holder.OLD)}, Event.MOVED),
    (at(P.ABORTING, withdraw=(2,)), HANDED | {"guard": guard(3, hold="ann")}, Event.HELD),
    (at(P.ABORTING, path_version=None), {"path": OLD_3}, Event.MOVED),
    (
        at(P.ABORTING, attempt=2),
        BACK | {"deleted": Done(), "tidied": kit.REFUSED},
        Event.DELETE_REFUSED,
    ),
    (at(P.ABORTING, attempt=2), BACK | {"deleted": Done(), "tidied": Done()}, Event.TIDIED),
    (
        ABORTED,
        {"destroyed": Done(), "path": OLD_3, "served": UNKNOWN},
        Event.UNREACHABLE,
    ),
    (at(P.CLOSING), {"destroyed": Lost(), "history": Done(), "patched": Done()}, Event.UNREACHABLE),
]


@pytest.mark.parametrize(
    ("r", "saw", "event"), EVENTS, ids=[f"{r.phase}: {e.value}" for r, _, e in EVENTS]
)
def test_other_ways_to_an_event(r: Record, saw: dict[str, Any], event: Event) -> None:
    """A row that can be reached in several ways is reached in each of them."""
    assert kit.event_of(kit.decide(r, **saw)) is event


def test_a_closing_guard_that_saw_the_path_move_starts_over() -> None:
    """Versions are brought back only at the very path version that was looked at."""
    saw: dict[str, Any] = {"destroyed": Done()} | BACK | {"guard": guard(4)}
    assert isinstance(kit.decide(ABORTED, **saw), Again)


def test_a_throttled_create_waits_as_long_as_the_exchange_asks() -> None:
    """A create that was surely not applied waits for `retry_after` and does not count."""
    r, saw = at(P.CREATING), FRESH | {"created": kit.THROTTLED}
    waits = kit.decide(r, T0 + timedelta(seconds=30), **saw)
    assert isinstance(waits, Stay)
    assert waits.until == T0 + timedelta(minutes=1)
    assert waits.keep
    after = kit.decide(r, **saw)
    assert isinstance(after, Write)
    assert (after.record.attempt, after.record.counted) == (2, 1)


def test_an_unsure_create_counts() -> None:
    """A create whose outcome is unknown counts as an attempt."""
    after = kit.decide(at(P.CREATING), **FRESH, created=kit.UNSURE)
    assert isinstance(after, Write)
    assert (after.record.attempt, after.record.counted) == (2, 2)


def test_a_chosen_passphrase_goes_to_the_new_key() -> None:
    """The passphrase that we chose signs for the new key, and leaves the record's own field."""
    issued = kit.CALM["created"]
    after = kit.decide(at(P.CREATING), **FRESH, created=issued)
    assert isinstance(after, Write)
    assert after.record.new is not None
    assert after.record.new.secrets.passphrase == kit.FIRST.passphrase
    assert after.record.passphrase is None


def test_an_issued_key_keeps_its_own_secrets() -> None:
    """Where no passphrase was chosen, the new key signs with what the exchange issued."""
    after = kit.decide(at(P.CREATING, passphrase=None), **FRESH, created=kit.CALM["created"])
    assert isinstance(after, Write)
    assert after.record.new == kit.NEW


def test_a_new_key_that_is_not_active_yet_is_waited_for() -> None:
    """Before the exchange's activation delay is over, the new key is not even looked at."""
    r = at(P.STAGED, terms=Terms(activation=timedelta(minutes=3)))
    waits = kit.decide(r, T0 + timedelta(minutes=1))
    assert isinstance(waits, Stay)
    assert (waits.event, waits.until) == (Event.NOT_ACTIVE_YET, T0 + timedelta(minutes=3))
    assert isinstance(kit.decide(r), Do)


def test_a_refused_address_is_for_a_person() -> None:
    """A key that refuses our address is never taken for dead: a person is told what to do."""
    looks: list[dict[str, Any]] = [{"new": BLOCKED}, {"new": ALIVE, "new_again": BLOCKED}]
    for saw in looks:
        waits = kit.decide(at(P.STAGED), **saw)
        assert isinstance(waits, Stay)
        assert (waits.on, waits.alert) == ("person", Code.VANTAGE_BLOCKED)
        assert "verify: list" in waits.sentence


def test_editing_another_field_keeps_the_drain() -> None:
    """If every version since v1 holds the new key, the drain goes on; else it begins anew."""
    r = at(P.DRAINING)
    kept = kit.decide(r, path=path(3, Holder.NEW, new_versions=(2, 3)))
    anew = kit.decide(r, path=path(4, Holder.NEW, new_versions=(2, 4)))
    assert isinstance(kept, Write)
    assert (kept.record.v1, kept.record.drain_since) == (3, T0)
    assert isinstance(anew, Write)
    assert (anew.record.v1, anew.record.drain_since) == (4, LATER)


def test_withdrawn_versions_are_named_before_they_are_hidden() -> None:
    """Every older version with the key that goes is in the record first, those of before kept."""
    seen = path(9, Holder.OLD, new_versions=(2, 6), unread=(4,))
    after = kit.decide(
        at(P.ABORTING, withdraw=(4,), path_version=9, permits=(8,)), path=seen, served=ALIVE
    )
    assert isinstance(after, Write)
    assert (after.record.phase, after.record.withdraw) == (P.ABORTING, (2, 4, 6))


def test_nothing_is_withdrawn_while_the_paths_key_is_dead() -> None:
    """A version that may be needed again stays readable until the path's key is known to live."""
    decision = kit.decide(at(P.ABORTING), **HANDED | {"served": DEAD})
    assert kit.event_of(decision) is Event.SERVED_DEAD


@pytest.mark.parametrize(("alert", "on"), [(None, "time"), (Code.PARENT_MISSING, "person")])
def test_nothing_is_announced_without_a_parent(alert: Code | None, on: str) -> None:
    """Without a key to create with no further attempt is announced, and what was seen is kept."""
    why = Standstill("no key of the parent", alert)
    for saw in ({}, FRESH | {"created": kit.THROTTLED}):
        waits = kit.decide(at(P.CREATING), ctx=Context(LATER, no_parent=why), **saw)
        assert isinstance(waits, Stay)
        assert (waits.event, waits.on, waits.alert) == (Event.NO_PARENT, on, alert)
        assert (waits.sentence, waits.keep) == (why.sentence, True)


def test_retired_versions_are_never_forgotten() -> None:
    """A second round to REVOKING keeps the versions that the first one retired."""
    after = kit.decide(
        at(P.DRAINING, v1=5, retire=(1,)),
        path=path(5, Holder.NEW, old_versions=(3,), unread=(1,)),
        new=ALIVE,
    )
    assert isinstance(after, Write)
    assert after.record.retire == (1, 3)


def test_complete_counts_only_for_this_version_after_the_drain() -> None:
    """`rotator complete` is obeyed once, for its rotation and version, if given after the drain."""
    r = at(P.DRAINING, terms=BY_HAND)
    good = order("complete", 2)
    wrong = [
        replace(good, version=1),
        replace(good, rotation="bbbbbbbb"),
        replace(good, given_at=T0),
        replace(good, command="resolve"),
        replace(good, number=0),
    ]
    for given in wrong:
        decision = kit.decide(r, ctx=Context(LATER, order=given), path=NEW_2, new=ALIVE)
        assert kit.event_of(decision) is Event.PROOF_MISSING
    for given, by in ((good, "ann"), (replace(good, by=None), "a person")):
        decision = kit.decide(r, ctx=Context(LATER, order=given), path=NEW_2, new=ALIVE)
        assert isinstance(decision, Write)
        assert decision.record.proof == f"manual: complete by {by}"


def test_acked_takes_consumers_the_last_use_or_a_person() -> None:
    """`acked` is met by every consumer, by the exchange's last use before v1, or by complete."""
    r = at(P.DRAINING, terms=ACKED)
    used = replace(ALIVE, last_used_at=T0 - timedelta(seconds=1))
    late = replace(ALIVE, last_used_at=T0)
    ways = [
        (Context(LATER, acks=frozenset({"bot"})), None, "every consumer"),
        (Context(LATER), used, "last used at 2026-01-04T23:59:59Z"),
        (Context(LATER, order=order("complete", 2)), late, "complete by ann"),
    ]
    for ctx, old, proof in ways:
        decision = kit.decide(r, ctx=ctx, path=NEW_2, new=ALIVE, old=old)
        assert isinstance(decision, Write)
        assert proof in decision.record.proof


def test_acked_says_who_is_missing() -> None:
    """While a proof is missing, the sentence names the consumers that it waits for."""
    for terms, words in ((ACKED, "(bot)"), (replace(ACKED, consumers=()), "no consumer is named")):
        waits = kit.decide(at(P.DRAINING, terms=terms), path=NEW_2, new=ALIVE, old=ALIVE)
        assert isinstance(waits, Stay)
        assert (waits.event, waits.on) == (Event.PROOF_MISSING, "consumers")
        assert words in waits.sentence


def test_a_late_proof_raises_the_alarm() -> None:
    """A deleted key that still answers is looked at often, and told once the grace is over."""
    saw: dict[str, Any] = {"new": ALIVE, "old": ALIVE}
    soon = kit.decide(at(P.PROVING), T0 + timedelta(minutes=1), **saw)
    late = kit.decide(at(P.PROVING), **saw)
    assert isinstance(soon, Stay)
    assert isinstance(late, Stay)
    assert (soon.alert, late.alert) == (None, Code.REVOCATION_OWED)


@pytest.mark.parametrize(
    ("new", "seen", "alarm"),
    [
        (ALIVE, NEW_2, ""),
        (DEAD, NEW_2, "the old key is deleted and the new one is dead"),
        (ALIVE, OTHER_3, "the old key is deleted and the path does not hold the new one"),
    ],
)
def test_a_proved_deletion_says_what_is_left(new: Any, seen: Any, alarm: str) -> None:
    """After the proof, a dead new key or another key on the path is a critical finding."""
    after = kit.decide(at(P.PROVING), new=new, old=DEAD, path=seen)
    assert isinstance(after, Write)
    assert after.record.alarm == alarm
    assert after.record.outcome is P.DONE


@pytest.mark.parametrize(
    ("why", "on"),
    [
        (Standstill("the first look at all keys is not over yet"), "time"),
        (Standstill("it may be restored", Code.STORE_RESTORED), "person"),
        (INCIDENT, "person"),
    ],
)
def test_a_standstill_is_told_as_what_it_is(why: Standstill, on: str) -> None:
    """Each standstill of all deletions has its own alert; one that ends by itself has none."""
    for r, saw in (
        (at(P.REVOKING), {"guard": guard(standstill=why)}),
        (at(P.ABORTING), BACK | {"guard": guard(3, standstill=why)}),
    ):
        waits = kit.decide(r, **saw)
        assert isinstance(waits, Stay)
        assert (waits.event, waits.on, waits.alert) == (Event.HELD, on, why.alert)
        assert why.sentence in waits.sentence


def test_no_time_passes_while_clocks_disagree() -> None:
    """While our clock may be wrong, no settle, no drain and no grace is over."""
    doubtful = Context(LATER, clock_ok=False)
    waits: list[tuple[Record, dict[str, Any], Event]] = [
        (at(P.CREATING), {}, Event.SETTLING),
        (at(P.DRAINING), {"path": NEW_2, "new": ALIVE}, Event.DRAINING),
        (at(P.ROLLING_BACK), {}, Event.SETTLING),
        (at(P.STAGED), {"new": DEAD, "new_again": DEAD}, Event.NOT_ACTIVE_YET),
    ]
    for r, saw, event in waits:
        assert kit.event_of(kit.decide(r, ctx=doubtful, **saw)) is event


def test_places_that_hold_the_old_key_are_named() -> None:
    """A deletion waits, with words, while the old key lies elsewhere or the look is incomplete."""
    for places, words in (
        (Places(("secret/b",), complete=True), "also at secret/b"),
        (Places((), complete=False, missing="mount kv2"), "not read: mount kv2"),
    ):
        waits = kit.decide(at(P.REVOKING), retired=Done(), elsewhere=places)
        assert isinstance(waits, Stay)
        assert words in waits.sentence


def test_liveness_words_are_all_met() -> None:
    """The examples of this file cover every judgement of a key."""
    assert {s.liveness for s in (ALIVE, DEAD, UNKNOWN, BLOCKED)} == set(Liveness)
