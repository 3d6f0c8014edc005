"""Due map, gates and limits."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from rotator.core.checks import Judgement
from rotator.core.due import Due, Why
from rotator.core.names import AccountId, CredentialName, ExchangeName, StorePath
from rotator.core.opening import ACCOUNT, BUDGET, IN_FLIGHT, pick
from rotator.core.policy import Policy, Strategy
from rotator.core.record import Trigger
from rotator.core.schedule import (
    Candidate,
    Limits,
    Occupied,
    Paths,
    Planned,
    Surroundings,
    plan,
)
from rotator.core.windows import Blackout, Calendar, Window
from tests.core.kit import DAY, NOW, judged

HOUR = timedelta(hours=1)
BYBIT, OKX = ExchangeName("bybit"), ExchangeName("okx")
LATE = Due(NOW - HOUR, NOW - HOUR, Why.AGE)
LONG_LATE = Due(NOW - 300 * DAY, NOW - 300 * DAY, Why.AGE)
TUESDAY = 1
CLOSED_NOW = Calendar((Window(frozenset({TUESDAY}), time(20), HOUR, UTC),))
NIGHTLY = Policy(calendar=CLOSED_NOW)
HEALTHY = judged()


def one(n: int = 0, *, due: Due | None = LATE, **changes: Any) -> Judgement:
    """Return the judgement of the n-th credential, due since an hour."""
    name = f"secret/trading/bybit/desk{n}"
    judgement = replace(
        HEALTHY,
        credential=CredentialName(name),
        path=StorePath(name),
        account=AccountId(str(n)),
        due=due,
    )
    return replace(judgement, **changes)


def the(candidate: Candidate, **around: Any) -> Planned:
    """Plan one credential."""
    (planned,) = plan([candidate], Surroundings(**around), NOW)
    return planned


def words(candidate: Candidate, **around: Any) -> tuple[str, ...]:
    """Return what blocks one credential."""
    return the(candidate, **around).blocked_by


def test_a_due_credential_is_ready() -> None:
    """A due, armed, unblocked credential may be opened now."""
    planned = the(Candidate(one()))
    assert planned.blocked_by == ()
    assert planned.ready(NOW)
    assert (planned.due_at, planned.strategy) == (NOW - HOUR, Strategy.OVERLAP)


def test_the_plan_is_sorted_and_leaves_out_what_has_no_time() -> None:
    """Credentials without a due time, and unmanaged ones, are in no plan; the rest by time."""
    later = Due(NOW + DAY, NOW + DAY, Why.EXPIRY)
    found = plan(
        [
            Candidate(one(1, due=later)),
            Candidate(one(2, due=None)),
            Candidate(one(3)),
            Candidate(one(4, managed=False)),
        ],
        Surroundings(),
        NOW,
    )
    assert [p.credential[-1] for p in found] == ["3", "1"]
    assert found[1].trigger is Trigger.EXPIRY
    assert found[1].opens_at == NOW + DAY
    assert not found[1].ready(NOW)


@pytest.mark.parametrize(
    ("changes", "around", "word"),
    [
        ({"judgement": one(blocking=("SlotsFull",))}, {}, "SlotsFull"),
        ({"holds": ("audit",)}, {}, "Hold:audit"),
        ({}, {"incident": True}, "MassInvalidation"),
        ({}, {"restored": True}, "StoreRestored"),
        ({}, {"halted": frozenset({BYBIT})}, "ExchangeHalted"),
        ({"cooling_until": NOW + HOUR}, {}, "CoolDown"),
        (
            {},
            {"open": (Occupied(one().credential, one().path, BYBIT, AccountId("9")),)},
            "RotationOpen",
        ),
        ({"judgement": one(policy=NIGHTLY)}, {}, "Window"),
        (
            {"judgement": one(policy=Policy(calendar=Calendar((), (Blackout(NOW, NOW + DAY),))))},
            {},
            "Blackout",
        ),
        ({}, {"canary_done": {BYBIT: NOW - HOUR}, "limits": Limits(soak=2 * HOUR)}, "Soak"),
    ],
)
def test_each_gate_keeps_shut(changes: dict[str, Any], around: dict[str, Any], word: str) -> None:
    """Each gate alone keeps a due rotation shut, by its own word."""
    planned = the(Candidate(**{"judgement": one(), **changes}), **around)
    assert planned.blocked_by == (word,)
    assert not planned.ready(NOW)


def test_gates_with_an_end_tell_when_they_open() -> None:
    """opens_at is when the last gate opens, and None while one has no end."""
    closed = Candidate(one(policy=NIGHTLY), cooling_until=NOW + HOUR)
    assert the(closed).opens_at == NOW.replace(hour=20)
    assert the(replace(closed, cooling_until=NOW + DAY)).opens_at == NOW + DAY
    assert the(replace(closed, holds=("x",))).opens_at is None


def test_a_person_s_wish_skips_waiting_but_no_block() -> None:
    """A `rotate KEY` is due now and skips windows, cool-down, halt and backlog; nothing else."""
    judgement = one(due=None, policy=NIGHTLY)
    asked = Candidate(judgement, asked=True, cooling_until=NOW + DAY)
    planned = the(asked, halted=frozenset({BYBIT}))
    assert planned.ready(NOW)
    assert planned.trigger is Trigger.MANUAL
    assert planned.asked
    assert words(replace(asked, holds=("x",))) == ("Hold:x",)
    blackout = Policy(calendar=Calendar(CLOSED_NOW.windows, (Blackout(NOW, NOW + HOUR),)))
    shut = the(replace(asked, judgement=one(policy=blackout)))
    assert (shut.blocked_by, shut.opens_at) == (("Blackout",), NOW + HOUR)
    assert words(replace(asked, judgement=one(blocking=("NotArmed",)))) == ("NotArmed",)


def test_expiry_overrides_a_window_but_no_blackout() -> None:
    """A key that ends before its next window opens outside of it, and says so."""
    ending = one(policy=NIGHTLY, expires_at=NOW + 20 * HOUR)
    planned = the(Candidate(ending))
    assert planned.overrides_window
    assert planned.ready(NOW)
    assert words(Candidate(replace(ending, expires_at=NOW + 30 * DAY))) == ("Window",)
    never = Policy(calendar=Calendar((Window(frozenset(), time(0), HOUR, UTC),)))
    assert the(Candidate(replace(ending, policy=never))).overrides_window
    black = Policy(calendar=Calendar(CLOSED_NOW.windows, (Blackout(NOW, NOW + DAY),)))
    assert words(Candidate(replace(ending, policy=black))) == ("Blackout",)


def test_a_coming_rotation_opens_in_its_window() -> None:
    """A credential not yet due is not blocked by a closed window, but opens in one."""
    coming = one(policy=NIGHTLY, due=Due(NOW + DAY, NOW + DAY, Why.AGE))
    planned = the(Candidate(coming))
    assert planned.blocked_by == ()
    assert planned.opens_at == NOW.replace(hour=20) + 7 * DAY


def test_an_open_window_is_asked_once_for_many() -> None:
    """Credentials that share a calendar share its answer."""
    policy = Policy(calendar=Calendar((Window(frozenset({TUESDAY}), time(11), 2 * HOUR, UTC),)))
    found = plan([Candidate(one(n, policy=policy)) for n in range(3)], Surroundings(), NOW)
    assert all(p.ready(NOW) for p in found)


def test_what_no_program_rotates_is_planned_but_never_ready() -> None:
    """An assisted credential stands in the plan with its due time, and is never opened."""
    planned = the(Candidate(one(strategy=Strategy.ASSISTED)))
    assert not planned.ready(NOW)
    assert pick([planned], (), Limits(), {}, NOW).open == ()


def backlog(count: int, **around: Any) -> tuple[Planned, ...]:
    """Plan credentials that are long overdue."""
    candidates = [Candidate(one(n, due=LONG_LATE)) for n in range(count)]
    return plan(candidates, Surroundings(**around), NOW)


def test_a_small_backlog_is_not_spread() -> None:
    """As many overdue keys as may be in flight anyway are opened at once."""
    assert all(p.ready(NOW) for p in backlog(4))


def test_a_backlog_takes_turns_over_the_spread() -> None:
    """At first arming about a seventh may go at once; all have a turn within the spread."""
    found = backlog(700)
    ready = [p for p in found if p.ready(NOW)]
    assert 60 < len(ready) < 140
    waits = [p for p in found if not p.ready(NOW)]
    assert {p.blocked_by for p in waits} == {("Backlog",)}
    assert all(p.opens_at and NOW < p.opens_at <= NOW + 7 * DAY for p in waits)


def test_turns_do_not_depend_on_restarts() -> None:
    """A later plan opens what had its turn since the arming, and keeps the others' turns."""
    first = {p.credential: p.opens_at for p in backlog(100)}
    candidates = [Candidate(one(n, due=LONG_LATE)) for n in range(100)]
    later = NOW + 3 * DAY
    for planned in plan(candidates, Surroundings(armed_since=NOW), later):
        turn = first[planned.credential]
        assert turn is not None
        if NOW < turn <= later:
            assert planned.ready(later)
        elif turn > later:
            assert planned.opens_at == turn


def test_a_daily_run_reaches_everybody() -> None:
    """A run once a day that remembers nothing meets each key's turn within eight days."""
    candidates = [Candidate(one(n, due=LONG_LATE)) for n in range(50)]
    reached = {
        p.credential
        for day in range(8)
        for p in plan(candidates, Surroundings(), NOW + day * DAY)
        if p.ready(NOW + day * DAY)
    }
    assert len(reached) == 50


@pytest.mark.parametrize(
    "changes",
    [
        {"rotated_before": True},
        {"asked": True},
        {"judgement": one(99, due=LATE)},
        {"judgement": one(99, due=Due(NOW - 30 * DAY, NOW - 30 * DAY, Why.EXPIRY))},
        {"judgement": one(99, due=LONG_LATE, expires_at=NOW + 2 * DAY)},
    ],
)
def test_only_the_backlog_takes_turns(changes: dict[str, Any]) -> None:
    """Keys rotated before, asked for, freshly due or ending soon do not wait for a turn."""
    crowd = [Candidate(one(n, due=LONG_LATE)) for n in range(50)]
    special = Candidate(**{"judgement": one(99, due=LONG_LATE), **changes})
    found = plan([*crowd, special], Surroundings(), NOW)
    (mine,) = (p for p in found if p.credential == special.judgement.credential)
    assert mine.ready(NOW)


def test_no_spread_means_at_once() -> None:
    """spread_backlog: 0s opens the whole backlog, limits aside."""
    limits = Limits(spread_backlog=timedelta(0))
    assert all(p.ready(NOW) for p in backlog(100, limits=limits))


CANARY_LIMITS = Limits(canary=("secret/trading/bybit/desk0",), soak=2 * HOUR)


def test_others_wait_for_the_canary_and_its_soak() -> None:
    """While a canary is due or open its exchange's others wait; other exchanges do not."""
    crowd = [Candidate(one(0)), Candidate(one(1)), Candidate(one(2, exchange=OKX))]
    found = {
        p.credential[-1]: p.blocked_by for p in plan(crowd, Surroundings(limits=CANARY_LIMITS), NOW)
    }
    assert found == {"0": (), "1": ("Canary",), "2": ()}
    open_ = (Occupied(one(0).credential, one(0).path, BYBIT, AccountId("0")),)
    assert words(Candidate(one(1)), limits=CANARY_LIMITS, open=open_) == ("Canary",)
    done = {BYBIT: NOW - HOUR}
    soaking = the(Candidate(one(1)), limits=CANARY_LIMITS, canary_done=done)
    assert (soaking.blocked_by, soaking.opens_at) == (("Soak",), NOW + HOUR)
    done = {BYBIT: NOW - 2 * HOUR}
    assert words(Candidate(one(1)), limits=CANARY_LIMITS, canary_done=done) == ()


def test_globs_cover_paths_and_names() -> None:
    """A glob may name a path, a folder, or one credential of a shared secret."""
    paths = Paths(("secret/a/**", "secret/b#one"))
    assert paths.cover("secret/a/x/y")
    assert paths.cover("secret/b", "secret/b#one")
    assert not paths.cover("secret/b", "secret/b#two")
    assert not paths.cover("secret/b")
    assert paths.covering("secret/a/x") == "secret/a/**"
    assert paths.covering("secret/c") is None


def ready(count: int, **changes: Any) -> list[Planned]:
    """Return rotations that may be opened now."""
    return [replace(the(Candidate(one(n))), **changes) for n in range(count)]


def test_only_so_many_are_in_flight() -> None:
    """Open rotations count, and the rest waits for one to end."""
    busy = (Occupied(CredentialName("x"), StorePath("x"), OKX, AccountId("x")),)
    chosen = pick(ready(6), busy, Limits(in_flight=4), {}, NOW)
    assert len(chosen.open) == 3
    assert {w for _, w in chosen.waiting} == {IN_FLIGHT}
    assert chosen.wake_at is None


def test_one_key_of_an_account_at_a_time() -> None:
    """Two credentials of one account, of one path, or of unknown accounts go one by one."""
    for same in ({"account": AccountId("7")}, {"account": None}, {"path": StorePath("p")}):
        chosen = pick(ready(3, **same), (), Limits(), {}, NOW)
        assert len(chosen.open) == 1
        assert {w for _, w in chosen.waiting} == {ACCOUNT}
    mixed = [replace(p, exchange=OKX) for p in ready(1, account=AccountId("7"))]
    assert len(pick([*ready(1), *mixed], (), Limits(), {}, NOW).open) == 1


def test_creates_per_hour_are_kept_per_exchange() -> None:
    """Creates of the last hour, and those about to come, use up an exchange's budget."""
    limits = Limits(creates_per_hour=3)
    creates = {BYBIT: [NOW - 50 * timedelta(minutes=1), NOW - 2 * HOUR]}
    coming = (Occupied(CredentialName("x"), StorePath("x"), BYBIT, AccountId("x"), created=False),)
    chosen = pick(ready(3), coming, limits, creates, NOW)
    assert len(chosen.open) == 1
    assert {w for _, w in chosen.waiting} == {BUDGET}
    assert chosen.wake_at == NOW + timedelta(minutes=10)
    assert len(pick(ready(3, exchange=OKX), coming, limits, creates, NOW).open) == 3


def test_a_missing_exchange_has_a_budget_too() -> None:
    """A plan without an exchange is limited as well."""
    chosen = pick(ready(3, exchange=None), (), Limits(creates_per_hour=2), {}, NOW)
    assert len(chosen.open) == 2


def test_the_urgent_go_first() -> None:
    """A person's wish, then canaries, then the key that ends first, then the longest due."""
    plain, asked, canary, ending, older = ready(5)
    asked = replace(asked, trigger=Trigger.MANUAL)
    canary = replace(canary, canary=True)
    ending = replace(ending, expires_at=NOW + DAY)
    older = replace(older, due_at=NOW - 9 * DAY)
    chosen = pick([plain, older, ending, canary, asked], (), Limits(in_flight=9), {}, NOW)
    assert chosen.open == (asked, canary, ending, older, plain)


def test_the_next_wake_up_is_the_next_opening() -> None:
    """Without anything to open now, the next time at which something may open is told."""
    soon = the(Candidate(one(policy=NIGHTLY)))
    later = the(Candidate(one(1, due=Due(NOW + 5 * DAY, NOW + 5 * DAY, Why.AGE))))
    assert pick([later, soon], (), Limits(), {}, NOW).wake_at == NOW.replace(hour=20)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.booleans()), max_size=30),
    st.integers(1, 5),
    st.integers(1, 5),
)
def test_limits_hold_whatever_is_due(
    rows: list[tuple[int, bool, bool]], in_flight: int, budget: int
) -> None:
    """However many are due, asked for or blocked, no limit is passed and nothing blocked opens."""
    candidates = [
        Candidate(
            one(n, account=AccountId(str(account)), blocking=("SlotsFull",) if bad else ()),
            asked=asked,
        )
        for n, (account, asked, bad) in enumerate(rows)
    ]
    limits = Limits(in_flight=in_flight, creates_per_hour=budget)
    chosen = pick(plan(candidates, Surroundings(), NOW), (), limits, {}, NOW)
    assert len(chosen.open) <= min(in_flight, budget)
    assert len({p.account for p in chosen.open}) == len(chosen.open)
    assert not any(p.blocked_by for p in chosen.open)
    usable = {account for account, _, bad in rows if not bad}
    assert len(chosen.open) == min(in_flight, budget, len(usable))


def test_the_clock_of_the_plan_is_an_argument() -> None:
    """The same input and time give the same plan."""
    candidates = [Candidate(one(n, due=LONG_LATE)) for n in range(20)]
    assert plan(candidates, Surroundings(), NOW) == plan(candidates, Surroundings(), NOW)
    assert isinstance(NOW, datetime)
