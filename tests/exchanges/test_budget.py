"""Rate budgets and bans on a clock that only moves when slept on."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from rotator.core.outcome import ExchangeError, Happened, Meaning
from rotator.exchanges.budget import Budget, Rate
from tests.exchanges.fakes import Ticks, run

RATES = {"address": Rate(600, 5, per_account=False), "create": Rate(1, 1), "inspect": Rate(10, 1)}


def budget(ticks: Ticks, share: float | None = 0.2) -> Budget:
    """Return a budget on a fake clock."""
    return Budget(RATES, share, ticks.monotonic, ticks.sleep)


def test_a_share_of_the_published_rate_is_used() -> None:
    """Ten calls at a fifth of ten a second take as long as two a second need."""
    ticks = Ticks()

    async def spend() -> None:
        mine = budget(ticks)
        for _ in range(10):
            await mine.take((("inspect", 1),), "a")

    run(spend())
    assert ticks.seconds == pytest.approx(4.0)


def test_a_rate_below_one_token_still_lets_one_through() -> None:
    """A fifth of one call a second is one call now and the next after five seconds."""
    ticks = Ticks()

    async def spend() -> None:
        mine = budget(ticks)
        await mine.take((("create", 1),), "a")
        await mine.take((("create", 1),), "a")

    run(spend())
    assert ticks.slept == [pytest.approx(5.0)]


def test_accounts_do_not_share_but_the_address_does() -> None:
    """Another account has tokens of its own, while the address's rate counts for all."""
    ticks = Ticks()

    async def spend() -> None:
        mine = budget(ticks)
        await mine.take((("create", 1),), "a")
        await mine.take((("create", 1),), "b")
        assert ticks.slept == []
        await mine.take((("address", 120),), "a")
        await mine.take((("address", 24),), "b")

    run(spend())
    assert ticks.slept == [pytest.approx(1.0)]


def test_waiting_calls_go_in_the_order_they_came() -> None:
    """Calls that wait together are let through one after the other, first come first."""
    ticks = Ticks()
    order: list[int] = []

    async def one(mine: Budget, number: int) -> None:
        await mine.take((("create", 1),), "a")
        order.append(number)

    async def many() -> None:
        mine = budget(ticks)
        await asyncio.gather(*(one(mine, n) for n in range(4)))

    run(many())
    assert order == [0, 1, 2, 3]
    assert ticks.seconds == pytest.approx(15.0)


def test_a_cancelled_wait_gives_its_tokens_back() -> None:
    """Who is cancelled while waiting has spent nothing."""
    ticks = Ticks()

    async def give_up() -> None:
        mine = budget(ticks)
        await mine.take((("create", 1),), "a")
        waiting = asyncio.Event()

        async def never(_: float) -> None:
            waiting.set()
            await asyncio.Event().wait()

        mine._sleep = never
        task = asyncio.create_task(mine.take((("create", 1),), "a"))
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        mine._sleep = ticks.sleep
        await mine.take((("create", 1),), "a")

    run(give_up())
    assert ticks.slept == [pytest.approx(5.0)]


def test_a_call_dearer_than_the_share_waits_for_a_full_bucket() -> None:
    """A call that costs more than the bucket holds goes when it is full, and leaves a debt."""
    ticks = Ticks()

    async def spend() -> None:
        mine = budget(ticks)
        await mine.take((("inspect", 20),), "a")
        await mine.take((("inspect", 1),), "a")

    run(spend())
    assert ticks.slept == [pytest.approx(9.5)]


def test_without_a_share_nothing_waits_but_bans_hold() -> None:
    """No budget of our own still obeys a ban."""
    ticks = Ticks()

    async def spend() -> None:
        mine = budget(ticks, None)
        for _ in range(1000):
            await mine.take((("create", 1),), "a")
        mine.stop(timedelta(minutes=10))
        with pytest.raises(ExchangeError):
            await mine.take((("create", 1),), "a")

    run(spend())
    assert ticks.slept == []


def test_a_ban_refuses_at_once_and_ends_by_itself() -> None:
    """While banned a call fails at once, not applied, with the time left; later it goes."""
    ticks = Ticks()

    async def banned() -> None:
        mine = budget(ticks)
        mine.stop(timedelta(minutes=10))
        mine.stop(timedelta(minutes=1))
        ticks.seconds = 60
        with pytest.raises(ExchangeError) as raised:
            await mine.take((("inspect", 1),), "a")
        failure = raised.value.failure
        assert (failure.meaning, failure.happened) == (Meaning.BANNED, Happened.NOT_APPLIED)
        assert failure.retry_after == timedelta(minutes=9)
        ticks.seconds = 600
        assert mine.stopped_for() is None
        await mine.take((("inspect", 1),), "a")

    run(banned())


def test_a_ban_that_begins_while_a_call_waits_refuses_it() -> None:
    """A call that waited for its budget is not sent into a ban."""
    ticks = Ticks()

    async def banned() -> None:
        mine = budget(ticks)
        await mine.take((("create", 1),), "a")

        async def hit(seconds: float) -> None:
            ticks.seconds += seconds
            mine.stop(timedelta(minutes=1))

        mine._sleep = hit
        with pytest.raises(ExchangeError):
            await mine.take((("create", 1),), "a")

    run(banned())


def test_a_ban_is_bounded() -> None:
    """No answer can stop us for longer than the longest ban that an exchange documents."""
    ticks = Ticks()
    mine = budget(ticks)
    mine.stop(timedelta(days=9999))
    assert mine.stopped_for() == timedelta(days=3)
    other = budget(ticks)
    other.stop(timedelta(seconds=-5))
    assert other.stopped_for() is None


def test_full_buckets_are_forgotten() -> None:
    """Ten thousand keys leave no ten thousand buckets behind."""
    ticks = Ticks()

    async def spend() -> int:
        mine = budget(ticks)
        for number in range(5000):
            ticks.seconds += 1
            await mine.take((("inspect", 1),), str(number))
        return len(mine._buckets)

    assert run(spend()) <= 1025


@pytest.mark.parametrize("share", [0.0, -1.0, 1.5])
def test_a_share_outside_its_range_is_refused(share: float) -> None:
    """A share of nothing, or of more than all, is a configuration error."""
    with pytest.raises(ValueError, match="share"):
        budget(Ticks(), share)


def test_the_used_part_of_our_share_is_that_of_the_busiest_rate() -> None:
    """It rises with each call, falls with time, and is never above all of it."""
    ticks = Ticks()

    async def spend() -> list[float | None]:
        mine = budget(ticks)
        seen = [mine.used_ratio()]
        await mine.take((("inspect", 1), ("address", 12)), "a")
        seen.append(mine.used_ratio())
        ticks.seconds += 0.25
        seen.append(mine.used_ratio())
        ticks.seconds += 10
        seen.append(mine.used_ratio())
        await asyncio.gather(*(mine.take((("inspect", 1),), "a") for _ in range(4)))
        return [*seen, mine.used_ratio()]

    first, *others = run(spend())
    assert first == 0.0
    assert others == [pytest.approx(used) for used in (0.5, 0.25, 0.0, 1.0)]
    assert budget(ticks, None).used_ratio() is None
