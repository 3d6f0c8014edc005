"""Policies: ages by scope, scope rules, strategies; and due times that follow."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from rotator.core.due import LATEST, Why, born, due_of, expiry, fraction, moved, violates
from rotator.core.facts import NEVER
from rotator.core.policy import (
    OnViolation,
    Policy,
    ScopeRules,
    Strategy,
    resolve_strategy,
)
from rotator.core.scopes import Scope
from tests.core.kit import CREDENTIAL, DAY, FACTS, ISSUING, NAME, NOW, STORED, WATCHED

BY_SCOPE = Policy(max_age=90 * DAY, max_age_of=(("withdraw", 7 * DAY), ("trade:*", 30 * DAY)))


@pytest.mark.parametrize(
    ("scopes", "days"),
    [
        ({Scope.READ, Scope.WITHDRAW}, 7),
        ({Scope.READ, Scope.TRADE_SPOT}, 30),
        ({Scope.READ}, 90),
        ({Scope.TRANSFER, Scope.TRADE_SPOT}, 90),
        (set(), 90),
    ],
)
def test_the_widest_scope_decides_the_age(scopes: set[Scope], days: int) -> None:
    """Only the widest scope that a key really has picks its greatest age."""
    assert BY_SCOPE.age_limit(frozenset(scopes)) == days * DAY


def test_unknown_scopes_get_the_shortest_age() -> None:
    """A key whose scopes nobody knows is treated as the widest one."""
    assert BY_SCOPE.age_limit(None) == 7 * DAY
    assert Policy().age_limit(None) == 90 * DAY


def test_forbid_wins_over_allow() -> None:
    """What is forbidden is excess even where a pattern allows it."""
    rules = ScopeRules(allow=("*",), forbid=("with*",))
    assert rules.excess(frozenset({Scope.READ, Scope.WITHDRAW})) == {Scope.WITHDRAW}
    assert not rules.names(Scope.WITHDRAW)


def test_only_its_own_word_names_withdraw() -> None:
    """A star allows withdrawing but does not say that it is meant."""
    assert not ScopeRules(allow=("*",)).names(Scope.WITHDRAW)
    assert ScopeRules(allow=("read", "withdraw")).names(Scope.WITHDRAW)


@pytest.mark.parametrize(
    ("word", "traits", "parent", "strategy"),
    [
        (None, ISSUING, False, Strategy.OVERLAP),
        (None, WATCHED, False, Strategy.ASSISTED),
        (None, None, False, Strategy.OBSERVE),
        (None, ISSUING, True, Strategy.ASSISTED),
        (None, replace(ISSUING, needs_parent=False), True, Strategy.OVERLAP),
        (None, replace(ISSUING, overlap=False), False, Strategy.ASSISTED),
        ("reset", ISSUING, False, Strategy.RESET),
        ("nonsense", ISSUING, False, Strategy.OBSERVE),
    ],
)
def test_auto_takes_what_the_exchange_can(
    word: str | None, traits: object, parent: bool, strategy: Strategy
) -> None:
    """The strategy auto is overlap where a program can do it, else a person's work."""
    credential = replace(CREDENTIAL, strategy=word)
    found = resolve_strategy(credential, Policy(), traits, serves_as_parent=parent)  # type: ignore[arg-type]
    assert found is strategy


def test_age_comes_from_the_exchange_then_from_the_store() -> None:
    """The exchange's creation time wins; a creation in the future is not believed."""
    stored = replace(STORED, key_since=NOW - 50 * DAY)
    assert born(stored, FACTS, NOW) == NOW - 10 * DAY
    assert born(stored, replace(FACTS, created_at=None), NOW) == NOW - 50 * DAY
    assert born(stored, replace(FACTS, created_at=NOW + 9 * DAY), NOW) == NOW - 50 * DAY
    assert born(None, None, NOW) is None


def test_expiry_may_follow_from_a_missing_address_list() -> None:
    """Where the exchange ends keys without a list and tells no date, the rule gives it."""
    traits = replace(ISSUING, life_without_addresses=30 * DAY)
    bare = replace(FACTS, expires_at=None, ip_allowlist=())
    assert expiry(bare, traits, NOW) == NOW + 30 * DAY
    assert expiry(bare, traits, None) is None
    assert expiry(replace(bare, ip_allowlist=None), traits, NOW) is None
    assert expiry(bare, None, NOW) is None
    assert expiry(None, traits, NOW) is None
    assert expiry(FACTS, traits, NOW) is NEVER


def test_jitter_pulls_forward_by_at_most_a_tenth() -> None:
    """Due times of keys born together are spread over the last tenth of their age, for good."""
    dues = [due_of(type(NAME)(f"{NAME}{n}"), Policy(), FACTS, NOW, NEVER) for n in range(200)]
    times = [d.at for d in dues if d is not None]
    assert all(NOW + 81 * DAY <= t <= NOW + 90 * DAY for t in times)
    assert max(times) - min(times) > 7 * DAY
    again = due_of(NAME, Policy(), FACTS, NOW, NEVER)
    assert again == due_of(NAME, Policy(), FACTS, NOW, NEVER)


def test_the_earlier_of_age_and_expiry_counts() -> None:
    """A key that its exchange ends soon is due before its age says so."""
    due = due_of(NAME, Policy(), FACTS, NOW - 40 * DAY, NOW + 20 * DAY)
    assert due is not None
    assert (due.at, due.why) == (NOW + 13 * DAY, Why.EXPIRY)


def test_a_short_lived_key_is_not_due_at_once() -> None:
    """A key whose whole life is shorter than the lead is due at half of it."""
    due = due_of(NAME, Policy(), FACTS, NOW, NOW + 4 * DAY)
    assert due is not None
    assert due.at == NOW + 2 * DAY


def test_nothing_known_means_no_due_time() -> None:
    """Without age and expiry there is no due time, and none is made up."""
    assert due_of(NAME, Policy(), None, None, None) is None
    assert due_of(NAME, Policy(), None, None, NEVER) is None


def test_an_expiry_without_a_birth_still_counts() -> None:
    """A key of unknown age is due by its expiry."""
    due = due_of(NAME, Policy(), None, None, NOW + 30 * DAY)
    assert due is not None
    assert due.at == NOW + 23 * DAY


def test_times_stay_within_the_calendar() -> None:
    """Adding to the last or first date that Python knows does not fail."""
    assert moved(LATEST, DAY) == LATEST
    assert moved(datetime(1, 1, 1, tzinfo=UTC), -DAY) == datetime(1, 1, 1, tzinfo=UTC)


def test_a_fraction_is_derived_and_even() -> None:
    """The same texts give the same number, and many give an even spread."""
    numbers = [fraction("x", str(n)) for n in range(1000)]
    assert numbers == [fraction("x", str(n)) for n in range(1000)]
    assert all(0 <= n < 1 for n in numbers)
    assert 450 < sum(n < 0.5 for n in numbers) < 550


def test_only_a_forbidden_scope_seen_twice_is_a_violation() -> None:
    """A rotation cures only what `forbid` names, and one look is not enough."""
    policy = Policy(on_violation=OnViolation.ROTATE, scopes=ScopeRules(forbid=("withdraw",)))
    bad = replace(FACTS, scopes=frozenset({Scope.WITHDRAW}))
    assert violates(policy, bad, bad)
    assert not violates(policy, bad, FACTS)
    assert not violates(policy, bad, None)
    assert not violates(replace(policy, on_violation=OnViolation.ALERT), bad, bad)
    excess = Policy(on_violation=OnViolation.ROTATE, scopes=ScopeRules(allow=("read",)))
    assert not violates(excess, bad, bad)
    assert timedelta(0) < policy.expiry_lead
