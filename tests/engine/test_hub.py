"""One inventory for all who wait."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from rotator.core.outcome import StoreError
from tests.engine.estate import Estate, play


def walks(estate: Estate) -> int:
    """Count the walks of the credentials' paths so far."""
    return sum(1 for name, args in estate.front.asked if name == "walk" and "trading" in args[0])


class Gate:
    """Stops the first walk of an inventory until it is opened."""

    def __init__(self, estate: Estate) -> None:
        self.reached = asyncio.Event()
        self.open = asyncio.Event()
        estate.front.before = self.before

    async def before(self, name: str, args: tuple[Any, ...]) -> None:
        if name == "walk":
            self.reached.set()
            await self.open.wait()


def test_all_who_ask_at_once_share_one_inventory(tmp_path: Path) -> None:
    """Ten callers of `take` at the same time cause one walk of the store."""

    async def scenario(estate: Estate) -> None:
        await estate.desk(0)
        taken = await asyncio.gather(*(estate.hub.take() for _ in range(10)))
        assert walks(estate) == 1
        assert len({id(t) for t in taken}) == 1
        assert estate.hub.latest is taken[0]

    play(tmp_path, scenario)


def test_an_inventory_begun_earlier_does_not_serve_those_who_want_a_later_one(
    tmp_path: Path,
) -> None:
    """Who waits for an inventory begun after a moment gets one, shared, and not the running one."""

    async def scenario(estate: Estate) -> None:
        gate = Gate(estate)
        first = asyncio.create_task(estate.hub.take())
        await gate.reached.wait()
        since = estate.clock.later(seconds=5)
        later = [asyncio.create_task(estate.hub.complete_after(since)) for _ in range(3)]
        await estate.clock.breathe()
        gate.open.set()
        estate.clock.later(seconds=1)
        early = await first
        found = await asyncio.gather(*later)
        assert early.begun_at < since < found[0].begun_at
        assert len({id(t) for t in found}) == 1
        assert walks(estate) == 2

    play(tmp_path, scenario)


def test_a_complete_inventory_that_is_late_enough_is_not_taken_again(tmp_path: Path) -> None:
    """A finished, complete inventory begun after the moment is returned as it is."""

    async def scenario(estate: Estate) -> None:
        since = estate.clock.now()
        estate.clock.later(seconds=1)
        taken = await estate.hub.take()
        assert await estate.hub.complete_after(since) is taken
        assert walks(estate) == 1

    play(tmp_path, scenario)


def test_an_incomplete_inventory_is_returned_but_never_reused(tmp_path: Path) -> None:
    """With a path that is denied each call takes a new inventory and says it is not complete."""

    async def scenario(estate: Estate) -> None:
        await estate.desk(0)
        estate.front.refuse = lambda name, _args: (
            StoreError("denied") if name == "read_many" else None
        )
        since = estate.clock.now()
        estate.clock.later(seconds=1)
        with pytest.raises(StoreError):
            await estate.hub.complete_after(since)
        estate.front.bulk = False
        estate.front.refuse = lambda name, _args: StoreError("denied") if name == "read" else None
        first = await estate.hub.complete_after(since)
        second = await estate.hub.complete_after(since)
        assert not first.result.complete
        assert first is not second

    play(tmp_path, scenario)


def test_a_clock_that_was_set_back_makes_nobody_wait_for_ever(tmp_path: Path) -> None:
    """An inventory begun after the call counts, even if our clock says it is earlier."""

    async def scenario(estate: Estate) -> None:
        taken = await estate.hub.complete_after(estate.clock.start.replace(year=2030))
        assert taken.result.complete

    play(tmp_path, scenario)


def test_a_store_without_an_answer_is_told_to_every_waiter(tmp_path: Path) -> None:
    """All who share an inventory get its StoreError, and the next call begins anew."""

    async def scenario(estate: Estate) -> None:
        estate.front.refuse = lambda name, _args: StoreError("sealed") if name == "walk" else None
        waiting = (estate.hub.take() for _ in range(3))
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(a) for a in answers] == [StoreError] * 3
        estate.front.refuse = lambda _name, _args: None
        assert (await estate.hub.take()).result.complete

    play(tmp_path, scenario)


def test_one_who_gives_up_does_not_take_it_from_the_others(tmp_path: Path) -> None:
    """Cancelling one waiter leaves the inventory to the rest; closing ends it for all."""

    async def scenario(estate: Estate) -> None:
        gate = Gate(estate)
        one, two = (asyncio.create_task(estate.hub.take()) for _ in range(2))
        await gate.reached.wait()
        one.cancel()
        await estate.clock.breathe()
        gate.open.set()
        assert (await two).result.complete
        assert one.cancelled()
        gate.open.clear()
        three = asyncio.create_task(estate.hub.take())
        await estate.clock.breathe()
        await estate.hub.close()
        with pytest.raises(asyncio.CancelledError):
            await three

    play(tmp_path, scenario)
