"""The rules above the table: no row, no effect; people's answers; no secret at the end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from rotator.core import saga
from rotator.core.record import (
    MAX_STEPS,
    Phase,
    Record,
    Step,
    bears_secret,
    encode,
    without_secrets,
)
from rotator.core.saga import Context, answer_field
from rotator.core.saga.resolve import safe_answers
from rotator.core.saga.table import ROWS, row
from rotator.core.saga.words import (
    Closed,
    CreateKey,
    DeleteKey,
    DeleteOlder,
    Effect,
    Event,
    Guard,
    Holder,
    Inspect,
    Publish,
    ReadPath,
    RetireVersions,
    Stay,
    Unretire,
    Which,
    Write,
    Written,
)

from . import saga_kit as kit
from .saga_kit import ALIVE, DEAD, LATER, T0, UNKNOWN, at, guard, order, path

P, E = Phase, Event


@pytest.mark.parametrize("phase", list(ROWS))
def test_an_event_without_a_row_only_quarantines(phase: Phase) -> None:
    """What the table does not know writes QUARANTINED with a question, and asks for nothing."""
    for event in (e for e in E if row(phase, e) is None):
        for decision in (
            saga._apply(at(phase), event, {}, LATER),
            saga._no_row(at(phase), event, Context(LATER)),
        ):
            assert isinstance(decision, Write)
            after = decision.record
            assert (after.phase, after.left) == (P.QUARANTINED, phase)
            assert f"no row for «{event.value}» in {phase}" in after.question


def test_a_tombstone_does_nothing() -> None:
    """A closed record is advanced to nothing at all."""
    for phase in (P.DONE, P.ABORTED):
        assert isinstance(kit.decide(at(phase)), Closed)


def test_a_changed_pin_stops_everything_but_the_end() -> None:
    """While a pin contradicts the configuration, only CLOSING and QUARANTINED go on."""
    ctx = Context(LATER, pins_problem="the account changed")
    for phase in ROWS:
        decision = kit.decide(at(phase), ctx=ctx)
        stopped = isinstance(decision, Write) and decision.event is E.PINS_CHANGED
        assert stopped is (phase not in saga.UNPINNED)


def test_the_steps_are_kept_but_bounded() -> None:
    """Every write adds its step with its cause; only the latest are kept."""
    many = tuple(Step(T0, P.CREATING, str(n)) for n in range(MAX_STEPS))
    decision = kit.decide(at(P.CREATING, steps=many))
    assert isinstance(decision, Write)
    assert len(decision.record.steps) == MAX_STEPS
    assert decision.record.steps[-1] == Step(LATER, P.CREATING, E.NOT_CREATED.value)


# --- people's answers ---------------------------------------------------------------


def resolved(answer: str | None, version: int, r: Record | None = None, **saw: Any) -> Any:
    """Decide on a quarantined record to which somebody has given this answer."""
    ctx = Context(LATER, order=order("resolve", version, answer))
    return kit.decide(at(P.QUARANTINED) if r is None else r, ctx=ctx, **saw)


NEW_2, OLD_3 = path(2, Holder.NEW), path(3, Holder.OLD)
OTHER_3, GONE_3 = path(3, Holder.OTHER), path(3, Holder.GONE)
MADE = T0 + timedelta(hours=1)
AGAIN_2 = path(2, Holder.NEW, recreated=True, created_at=MADE)


def test_an_answer_is_for_this_question_only() -> None:
    """An answer to another rotation, or one that was obeyed before, is no answer."""
    given = order("resolve", 2, "abort")
    others = [
        None,
        replace(given, rotation="bbbbbbbb"),
        replace(given, command="complete"),
        replace(given, number=0),
    ]
    for other in others:
        waits = kit.decide(at(P.QUARANTINED), ctx=Context(LATER, order=other))
        assert isinstance(waits, Stay)
        assert (waits.event, waits.on, waits.sentence) == (E.ASKED, "person", "What now?")


ASKS: list[tuple[str, int, dict[str, Any], Any]] = [
    ("adopt", 2, {}, ReadPath()),
    ("adopt", 2, {"path": NEW_2}, Inspect(Which.NEW)),
    ("adopt", 3, {"path": OTHER_3, "new": ALIVE}, Inspect(Which.SERVED)),
    ("abort", 2, {"path": NEW_2}, Inspect(Which.OLD)),
    ("abort", 3, {"path": OLD_3}, Inspect(Which.SERVED)),
]


@pytest.mark.parametrize(("answer", "version", "saw", "asked"), ASKS)
def test_an_answer_is_checked_before_it_is_obeyed(
    answer: str, version: int, saw: dict[str, Any], asked: Any
) -> None:
    """Whatever a person says, the path and the keys are looked at first."""
    assert kit.effect_of(resolved(answer, version, **saw)) == asked


REFUSALS: list[tuple[str | None, int, dict[str, Any], str]] = [
    ("adopt", 1, {"path": NEW_2}, "the path has moved"),
    ("please", 2, {"path": NEW_2}, "none of adopt, abort, retry"),
    (None, 2, {"path": NEW_2}, "none of adopt, abort, retry"),
    ("adopt", 3, {"path": GONE_3}, "nothing can be adopted"),
    ("adopt", 2, {"path": NEW_2, "new": DEAD}, "the new key is not alive"),
    ("adopt", 3, {"path": OTHER_3, "new": ALIVE, "served": ALIVE}, "not dead; take it out"),
    ("abort", 3, {"path": GONE_3}, "serves no key; put a living key"),
    ("abort", 2, {"path": NEW_2, "old": DEAD}, "the old key is not alive"),
    ("abort", 3, {"path": OLD_3, "served": DEAD}, "the key on the path is not alive"),
    ("retry", 2, {"path": AGAIN_2}, "made again; answer adopt or abort"),
    ("adopt", 3, {"path": replace(GONE_3, recreated=True)}, "nothing can be adopted"),
]


@pytest.mark.parametrize(("answer", "version", "saw", "words"), REFUSALS)
def test_an_unsafe_answer_is_refused_with_its_reason(
    answer: str | None, version: int, saw: dict[str, Any], words: str
) -> None:
    """An answer that is not safe now is used up, changes nothing else, and says why."""
    after = resolved(answer, version, **saw)
    assert isinstance(after, Write)
    assert after.event is E.ANSWER_REFUSED
    r, before = after.record, at(P.QUARANTINED)
    assert (r.phase, r.left, r.question) == (P.QUARANTINED, P.DRAINING, before.question)
    assert words in r.refused
    assert r.asks == f"{r.refused}. What now?"
    again = kit.decide(r, ctx=Context(LATER, order=order("resolve", version, answer)))
    assert isinstance(again, Stay)
    assert (again.event, again.sentence) == (E.ASKED, r.asks)


@pytest.mark.parametrize(
    ("answer", "version", "saw"),
    [
        ("adopt", 2, {"path": NEW_2, "new": UNKNOWN}),
        ("adopt", 3, {"path": OTHER_3, "new": ALIVE, "served": UNKNOWN}),
        ("abort", 2, {"path": NEW_2, "old": UNKNOWN}),
        ("abort", 3, {"path": OLD_3, "served": UNKNOWN}),
    ],
)
def test_an_answer_waits_for_certainty(answer: str, version: int, saw: dict[str, Any]) -> None:
    """A key that gives no certain answer is asked again, and is not called dead."""
    waits = resolved(answer, version, **saw)
    assert isinstance(waits, Stay)
    assert (waits.event, waits.on) == (E.UNREACHABLE, "exchange")


def test_a_dead_third_key_is_replaced_on_demand() -> None:
    """`adopt` over a dead key of somebody else permits one Publish over exactly it."""
    after = resolved("adopt", 3, path=OTHER_3, new=ALIVE, served=DEAD)
    assert isinstance(after, Write)
    record = after.record
    assert (record.phase, record.overwrite, record.publish_over) == (P.VERIFIED, True, 3)
    assert (record.question, record.left, record.obeyed) == ("", None, 1)
    assert kit.effect_of(kit.decide(record, path=OTHER_3, new=ALIVE)) == Publish(Which.NEW, 3)


def test_retry_of_a_creation_is_a_new_attempt() -> None:
    """`retry` of CREATING starts the count anew under the next label."""
    after = resolved("retry", 2, at(P.QUARANTINED, left=P.CREATING, counted=8), path=NEW_2)
    assert isinstance(after, Write)
    assert (after.record.phase, after.record.attempt, after.record.counted) == (P.CREATING, 2, 1)


def test_only_possible_answers_are_offered() -> None:
    """`adopt` is not offered where there is no new key."""
    assert safe_answers(at(P.QUARANTINED)) == ("adopt", "abort", "retry")
    assert safe_answers(at(P.QUARANTINED, new=None)) == ("abort", "retry")


def test_a_retry_without_a_phase_is_refused() -> None:
    """A record that does not know which phase it left goes back to none."""
    after = resolved("retry", 2, at(P.QUARANTINED, left=None), path=NEW_2)
    assert "no phase to go back to" in after.record.refused


def test_a_changed_pin_is_put_back_before_an_answer_counts() -> None:
    """While the configuration points elsewhere the question says so, and answers are refused."""
    ctx = Context(LATER, pins_problem="the parent changed")
    asks = kit.decide(at(P.DRAINING), ctx=ctx)
    assert isinstance(asks, Write)
    assert "Put that back as it was" in asks.record.question
    given = replace(ctx, now=LATER + timedelta(hours=1), order=order("resolve", 2, "abort"))
    after = kit.decide(asks.record, ctx=given, path=NEW_2)
    assert isinstance(after, Write)
    assert "the parent changed; put that back" in after.record.refused


def test_a_path_that_was_made_again_is_not_offered_a_retry() -> None:
    """Nothing that the record knows of versions is about the new path, so no phase goes on."""
    for new, answers in ((kit.NEW, ("adopt", "abort")), (None, ("abort",))):
        asks = kit.decide(at(P.DRAINING, new=new), path=AGAIN_2)
        assert isinstance(asks, Write)
        assert safe_answers(asks.record) == answers
        assert asks.record.question.endswith(f"rotator resolve secret/desk {'|'.join(answers)}")
        assert "living key" in asks.record.question


ACCEPTED: list[tuple[str, dict[str, Any], Phase]] = [
    ("adopt", {"path": AGAIN_2, "new": ALIVE}, P.DRAINING),
    ("adopt", {"path": replace(AGAIN_2, holds=Holder.OLD), "new": ALIVE}, P.VERIFIED),
    ("abort", {"path": AGAIN_2, "old": ALIVE}, P.ROLLING_BACK),
    ("abort", {"path": replace(AGAIN_2, holds=Holder.OTHER), "served": ALIVE}, P.DRAINING_BACK),
]


@pytest.mark.parametrize(("answer", "saw", "to"), ACCEPTED)
def test_an_answer_accepts_a_path_that_was_made_again(
    answer: str, saw: dict[str, Any], to: Phase
) -> None:
    """`adopt` and `abort` pin the path as it is now; versions of the old path are forgotten."""
    before = at(P.QUARANTINED, permits=(1, 7), retire=(1,), withdraw=(5,))
    after = resolved(answer, 2, before, **saw)
    assert isinstance(after, Write)
    r = after.record
    assert (r.phase, r.pins.path_created, r.v0) == (to, MADE, 2)
    assert (r.retire, r.withdraw) == ((), ())
    assert r.highest_permit == 7


def test_an_unseen_key_goes_after_the_path_was_made_again() -> None:
    """Where no Publish was ever permitted, abort needs no drain."""
    seen = replace(AGAIN_2, holds=Holder.OLD)
    after = resolved("abort", 2, at(P.QUARANTINED, permits=()), path=seen, served=ALIVE)
    assert isinstance(after, Write)
    assert (after.record.phase, after.record.pins.path_created) == (P.ABORTING, MADE)


def test_a_late_rollback_could_land_on_a_path_that_was_made_again() -> None:
    """After a rollback `adopt` waits until the new path is above every version permitted."""
    before = at(P.QUARANTINED, permits=(1, 2), rolled_back=True)
    refused = resolved("adopt", 2, before, path=AGAIN_2, new=ALIVE)
    assert "answer abort" in refused.record.refused
    above = replace(AGAIN_2, version=3)
    assert resolved("adopt", 3, before, path=above, new=ALIVE).record.phase is P.DRAINING


# --- whole runs -----------------------------------------------------------------------


def calm_run() -> kit.Run:
    """A rotation without any trouble."""
    run = kit.Run(at(P.CREATING))
    for phase in (P.DRAINING, P.REVOKING, P.PROVING):
        run.says(phase, path=path(2, Holder.NEW, new_versions=(2,), old_versions=(1,)))
    return run.says(P.PROVING, old=DEAD).to_the_end()


def rolled_back_run() -> kit.Run:
    """A rotation whose new key dies after the old versions were retired."""
    run = kit.Run(at(P.CREATING)).says(P.DRAINING, path=path(2, Holder.NEW, old_versions=(1,)))
    run.says(P.REVOKING, path=NEW_2, new=DEAD)
    run.says(P.ROLLING_BACK, path=path(2, Holder.NEW), published=Written(3))
    for phase in (P.DRAINING_BACK, P.ABORTING, P.CLOSING):
        run.says(phase, path=OLD_3, guard=guard(3))
    return run.to_the_end()


def test_a_calm_rotation_does_each_thing_once() -> None:
    """Create, publish, retire, delete: one of each, in this order, then DONE."""
    run = calm_run()
    assert run.record.phase is P.DONE
    kinds = (CreateKey, Publish, RetireVersions, DeleteKey)
    assert [type(e) for e in run.effects if isinstance(e, kinds)] == list(kinds)
    deleted = next(e for e in run.effects if isinstance(e, DeleteKey))
    assert deleted.which is Which.OLD


def test_a_rolled_back_rotation_leaves_the_old_key() -> None:
    """The old key is put back, its versions are brought back, and only the new key is deleted."""
    run = rolled_back_run()
    assert run.record.phase is P.ABORTED
    assert run.record.rolled_back
    assert [e.which for e in run.effects if isinstance(e, DeleteKey)] == [Which.NEW]
    assert any(isinstance(e, Unretire) for e in run.effects)


@pytest.mark.parametrize("run", [calm_run, rolled_back_run])
def test_no_secret_rests_after_the_end(run: Any) -> None:
    """From CLOSING on the record bears no secret, and its document needs no seal."""
    written: list[Record] = run().written
    assert any(bears_secret(r) for r in written)
    ended = [r for r in written if r.phase in (P.CLOSING, P.DONE, P.ABORTED)]
    assert len(ended) == 2
    for r in ended:
        assert not bears_secret(r)

        def refuse(secret: Any) -> str:
            raise AssertionError("a secret is left in a closed record")

        assert "words" not in repr(encode(r, refuse))


def test_a_record_for_people_bears_no_secret() -> None:
    """Without its secrets a record still says which keys it speaks of."""
    r = without_secrets(at(P.DRAINING, passphrase=kit.FIRST.passphrase))
    assert not bears_secret(r)
    assert r.new is not None
    assert r.new.key_id == kit.NEW_KEY
    assert without_secrets(replace(at(P.CREATING))).new is None


def test_every_answer_has_its_place() -> None:
    """Each effect's answer fills one field of what is seen, and no two effects share one."""
    effects: list[Effect] = [
        Inspect(Which.NEW),
        Inspect(Which.NEW, again=True),
        Inspect(Which.OLD),
        Inspect(Which.SERVED),
        Guard(),
        Guard(again=True),
        ReadPath(),
        DeleteOlder(1, kit.M0),
    ]
    names = [answer_field(e) for e in effects]
    assert len(set(names)) == len(effects)
