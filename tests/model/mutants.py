"""The mutants of the machine: each breaks one rule, and the smallest set-up that shows it."""

from __future__ import annotations

from dataclasses import dataclass

from rotator.core.record import Revoke

from .world import Rules, Setup

ALONE = Setup(drivers=1, events=1)
TWO_FAULTS = Setup(drivers=1, events=2)
THREE_FAULTS = Setup(drivers=1, events=3)
ONE_ACT = Setup(drivers=1, events=0, operator=1)
TWO_ACTS = Setup(drivers=1, events=0, operator=2)
FAULT_AND_ACT = Setup(drivers=1, events=1, operator=1)
BY_HAND = Setup(drivers=1, events=0, operator=3, revoke=Revoke.MANUAL)
PAIR = Setup(drivers=2, events=1)
PAIR_TWO_FAULTS = Setup(drivers=2, events=2)


@dataclass(frozen=True)
class Mutant:
    """One wrong machine: what it does, its rules, and where that shows."""

    name: str
    rules: Rules
    setup: Setup

    def __str__(self) -> str:
        return self.name


MUTANTS = (
    Mutant("looking before fencing", Rules(looks_before_fencing=True), TWO_FAULTS),
    Mutant('deleting "attempts other than mine"', Rules(delete_others=True), PAIR_TWO_FAULTS),
    Mutant("no guard before revoke", Rules(skip_guard_before_revoke=True), ONE_ACT),
    Mutant("a guard blind to the key that stays", Rules(skip_probe_before_revoke=True), ALONE),
    Mutant("a guard blind to the record", Rules(guard_blind_to_record=True), ONE_ACT),
    Mutant("retiring by what versions hold now", Rules(retire_by_content=True), ONE_ACT),
    Mutant("retiring forgets an earlier round", Rules(retire_forgets=True), FAULT_AND_ACT),
    Mutant("deleting what one has just created", Rules(delete_just_created=True), ALONE),
    Mutant('a tidy that trusts "no open record"', Rules(tidy_trusts_no_open_record=True), ALONE),
    Mutant("closing by DELETE", Rules(close_by_delete=True), ALONE),
    Mutant("a Publish that no fence stops", Rules(no_path_fence=True), TWO_FAULTS),
    Mutant("a rollback without settle", Rules(no_settle_in_rollback=True), THREE_FAULTS),
    Mutant("an abort without draining back", Rules(no_drain_back=True), TWO_ACTS),
    Mutant("a complete not bound to its version", Rules(unbound_complete=True), BY_HAND),
    Mutant("no CAS on the record", Rules(no_cas_on_record=True), PAIR),
    Mutant("no CAS on the path", Rules(no_cas_on_path=True), ONE_ACT),
    Mutant("the record after the effect", Rules(record_after_effect=True), TWO_FAULTS),
    Mutant("verify skipped", Rules(skip_verify=True), ALONE),
    Mutant("live-key rule skipped before publish", Rules(skip_probe_before_publish=True), ALONE),
    Mutant("live-key rule skipped in abort", Rules(skip_probe_before_abort=True), TWO_FAULTS),
    Mutant("live-key rule skipped in tidy", Rules(skip_probe_in_tidy=True), THREE_FAULTS),
    Mutant("guard before retire skipped", Rules(skip_guard_before_retire=True), ONE_ACT),
    Mutant("guard before abort skipped", Rules(skip_guard_before_abort=True), FAULT_AND_ACT),
    Mutant("an abort that leaves the dead key readable", Rules(withdraws_nothing=True), ALONE),
    Mutant(
        "a retry on a path that was made again",
        Rules(retries_made_again=True),
        Setup(drivers=1, events=0, operator=3, makes_again=True),
    ),
    Mutant("no clock in the guard", Rules(no_clock_in_guard=True), FAULT_AND_ACT),
    Mutant(
        "ROLLING_BACK that gives up on a conflict", Rules(rollback_gives_up=True), FAULT_AND_ACT
    ),
)
