"""Ambiguity: for each call and each fault, what we say and what really happened."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
import pytest

from rotator.core.issue import IssuedKey
from rotator.core.names import AccountId
from rotator.core.outcome import Failure, Happened, Meaning
from rotator.exchanges.port import Listing
from tests.conformance.harness import HOUSES, ISSUERS, House, Town
from tests.exchanges.fakes import Wire, run


@dataclass(frozen=True, slots=True)
class Expected:
    """What a fault must be taken for, and whether the exchange applied the call."""

    meaning: Meaning
    happened: Happened
    applied: bool


UNKNOWN = Meaning.UNKNOWN_OUTCOME
TABLE = {
    "lost_answer": Expected(UNKNOWN, Happened.UNKNOWN, applied=True),
    "late_apply": Expected(UNKNOWN, Happened.UNKNOWN, applied=True),
    "not_applied": Expected(UNKNOWN, Happened.UNKNOWN, applied=False),
    "error_after_apply": Expected(UNKNOWN, Happened.UNKNOWN, applied=True),
    "truncated": Expected(UNKNOWN, Happened.UNKNOWN, applied=True),
    "html": Expected(UNKNOWN, Happened.UNKNOWN, applied=False),
    "rate_limited": Expected(Meaning.RATE_LIMITED, Happened.NOT_APPLIED, applied=False),
    "banned": Expected(Meaning.BANNED, Happened.NOT_APPLIED, applied=False),
    "clock_skew": Expected(Meaning.CLOCK_SKEW, Happened.NOT_APPLIED, applied=False),
    "maintenance": Expected(UNKNOWN, Happened.UNKNOWN, applied=False),
}
OWN_WORDS = {("binance", "maintenance"): Meaning.MAINTENANCE}
"""Where an exchange has an answer of its own for maintenance."""

FAULTS = pytest.mark.parametrize("fault", sorted(TABLE))
ISSUING = pytest.mark.parametrize("house", ISSUERS, ids=lambda h: h.name)
EACH = pytest.mark.parametrize("house", HOUSES, ids=lambda h: h.name)


async def create(town: Town) -> IssuedKey | Failure:
    """Send one create call."""
    return await town.exchange.create_key(town.parent, town.spec(), "label", town.ticks.now())


@FAULTS
@ISSUING
def test_a_create_under_each_fault(house: House, fault: str) -> None:
    """A create says unknown for whatever may have been applied, and not applied only if sure."""
    town, expected = Town(house), TABLE[fault]
    town.fault("create", fault)
    told = run(create(town))
    assert isinstance(told, Failure)
    assert (told.meaning, told.happened) == (expected.meaning, expected.happened)
    town.catch_up()
    assert len(town.alive()) == int(expected.applied)


@FAULTS
@ISSUING
def test_a_delete_under_each_fault(house: House, fault: str) -> None:
    """A delete says unknown for whatever may have been applied, and not applied only if sure."""
    town, expected = Town(house), TABLE[fault]
    key = town.key()
    town.fault("delete", fault)
    told = run(
        town.exchange.delete_key(
            town.parent, AccountId(house.subs[0]), key.key_id, town.ticks.now()
        )
    )
    assert told is not None
    assert (told.meaning, told.happened) == (expected.meaning, expected.happened)
    town.catch_up()
    assert (key.key_id in town.alive()) is not expected.applied


@FAULTS
@EACH
def test_a_look_under_each_fault(house: House, fault: str) -> None:
    """A look that fails has changed nothing, and its reason is the fault's meaning."""
    town, expected = Town(house), TABLE[fault]
    town.fault("inspect", fault)
    look = run(town.exchange.inspect(town.key()))
    assert look.failure is not None
    assert look.reason is OWN_WORDS.get((house.name, fault), expected.meaning)
    assert look.failure.happened is Happened.NOT_APPLIED


@FAULTS
@ISSUING
def test_a_list_under_each_fault(house: House, fault: str) -> None:
    """A list that fails on any page is a failure, never a shorter list."""
    town, expected = Town(house), TABLE[fault]
    for _ in range(30):
        town.key()

    async def second_page() -> Listing | Failure:
        whole = await town.exchange.list_keys(town.parent, AccountId(house.subs[0]))
        assert isinstance(whole, Listing)
        pages = [r for r in town.requests if "sub-apikeys" in r.url.path]
        assert len(pages) == 2
        town.change = lambda r: town.fault("list", fault) if "cursor" in str(r.url) else None
        return await town.exchange.list_keys(town.parent, AccountId(house.subs[0]))

    told = run(second_page())
    assert isinstance(told, Failure)
    assert told.meaning is expected.meaning
    assert told.happened is Happened.NOT_APPLIED


@ISSUING
@pytest.mark.parametrize("kind", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout])
def test_what_never_left_was_not_applied(house: House, kind: type[httpx.TransportError]) -> None:
    """A refused or impossible connection is surely not applied."""
    town = Town(house)
    town.exchange = town.opened(Wire(kind("")))
    told = run(create(town))
    assert isinstance(told, Failure)
    assert told.happened is Happened.NOT_APPLIED


@ISSUING
def test_after_an_unknown_create_the_list_tells(house: House) -> None:
    """A key whose answer was lost is found by its label, and can be deleted."""
    town = Town(house)
    town.fault("create", "lost_answer")

    async def recover() -> None:
        assert isinstance(await create(town), Failure)
        account = AccountId(house.subs[0])
        listing = await town.exchange.list_keys(town.parent, account)
        assert isinstance(listing, Listing)
        (found,) = [k for k in listing.keys if k.label == "label"]
        assert found.key_id is not None
        gone = await town.exchange.delete_key(town.parent, account, found.key_id, town.ticks.now())
        assert gone is None

    run(recover())
    assert town.alive() == set()


@EACH
def test_a_ban_by_the_exchange_silences_us(house: House) -> None:
    """After a ban no further request leaves, although many are wanted."""
    town = Town(house)
    town.fault("inspect", "banned")

    async def ask() -> None:
        for _ in range(5):
            look = await town.exchange.inspect(town.key())
            assert look.reason is Meaning.BANNED

    run(ask())
    assert len(town.requests) == 1
