"""Cancellation: wherever a call is cut off, nothing stays open and the books tell."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from rotator.core.facts import Validity
from rotator.core.names import AccountId
from rotator.exchanges.registry import Exchange
from tests.conformance.harness import HOUSES, ISSUERS, House, Stopping, Town
from tests.exchanges.fakes import run

POINTS = pytest.mark.parametrize("point", ["before", "after", "inside"])
Call = Callable[[Exchange], Awaitable[object]]


async def cut(town: Town, point: str, call: Call) -> None:
    """Cancel a call at a point, and see that its answer is closed and the next call works."""
    stopping = Stopping(town.wire, point)
    exchange = town.opened(stopping)
    task = asyncio.ensure_future(call(exchange))
    await stopping.reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stopping.body is None or stopping.body.closed
    await exchange.aclose()
    look = await town.exchange.inspect(town.key())
    assert look.validity is Validity.VALID


@POINTS
@pytest.mark.parametrize("house", HOUSES, ids=lambda h: h.name)
def test_a_look_is_cut_off(house: House, point: str) -> None:
    """A cancelled look leaves no open answer."""
    town = Town(house)
    key = town.key()
    run(cut(town, point, lambda exchange: exchange.inspect(key)))


@POINTS
@pytest.mark.parametrize("house", ISSUERS, ids=lambda h: h.name)
def test_a_create_is_cut_off(house: House, point: str) -> None:
    """A cancelled create has made the key exactly if the request had reached the exchange."""
    town = Town(house)
    now = town.ticks.now()
    run(cut(town, point, lambda x: x.create_key(town.parent, town.spec(), "label", now)))
    assert town.ledger.creates == (0 if point == "before" else 1)


@POINTS
@pytest.mark.parametrize("house", ISSUERS, ids=lambda h: h.name)
def test_a_delete_is_cut_off(house: House, point: str) -> None:
    """A cancelled delete has removed the key exactly if the request had reached the exchange."""
    town = Town(house)
    key, now = town.key(), town.ticks.now()
    account = AccountId(house.subs[0])
    run(cut(town, point, lambda x: x.delete_key(town.parent, account, key.key_id, now)))
    assert (key.key_id in town.alive()) is (point == "before")


@POINTS
@pytest.mark.parametrize("house", ISSUERS, ids=lambda h: h.name)
def test_a_list_is_cut_off(house: House, point: str) -> None:
    """A cancelled list leaves no open answer."""
    town = Town(house)
    run(cut(town, point, lambda exchange: exchange.list_keys(town.parent, None)))
