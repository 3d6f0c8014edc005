"""Meaning: what the adapter says is what the exchange's books hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from rotator.core.facts import NEVER, KeyFacts, Look, Validity
from rotator.core.issue import IssuedKey, KeySpec
from rotator.core.liveness import Listed, Liveness, judge, listed_in
from rotator.core.names import AccountId, KeyId, SigningKey
from rotator.core.outcome import Failure, Happened, Meaning
from rotator.core.scopes import Scope
from rotator.exchanges.port import Listing
from tests.conformance.harness import BINANCE, BYBIT, HERE, HOUSES, ISSUERS, House, Town
from tests.exchanges.fakes import run

EACH = pytest.mark.parametrize("house", HOUSES, ids=lambda h: h.name)
ISSUING = pytest.mark.parametrize("house", ISSUERS, ids=lambda h: h.name)


async def create(town: Town, label: str = "rkabcdefgh1", spec: KeySpec | None = None) -> IssuedKey:
    """Create a key that must come to be."""
    told = await town.exchange.create_key(town.parent, spec or town.spec(), label, town.ticks.now())
    assert isinstance(told, IssuedKey), told
    return told


async def delete(town: Town, key_id: str, account: str = "") -> Failure | None:
    """Delete a key of a sub-account."""
    return await town.exchange.delete_key(
        town.parent, AccountId(account or town.house.subs[0]), KeyId(key_id), town.ticks.now()
    )


async def listed(town: Town, account: str | None) -> Listing:
    """Return a list that must come to be."""
    told = await town.exchange.list_keys(
        town.parent, AccountId(account) if account is not None else None
    )
    assert isinstance(told, Listing), told
    return told


def signing(issued: IssuedKey) -> SigningKey:
    """Return an issued key as it signs."""
    return SigningKey(issued.key_id, issued.secrets)


@EACH
def test_a_look_tells_what_the_books_hold(house: House) -> None:
    """Scopes, creation and binding of a key are read as the exchange has them."""
    town = Town(house)
    key = town.key(age=timedelta(days=40))
    facts = run(town.exchange.inspect(key)).facts
    assert facts is not None
    books = town.books(key.key_id)
    assert facts.key_id == books.id
    assert facts.native is not None
    assert set(facts.native) == books.native
    assert facts.scopes is not None
    assert Scope.READ in facts.scopes
    assert Scope.WITHDRAW not in facts.scopes
    assert facts.created_at is not None
    assert abs(facts.created_at - books.created_at) < timedelta(seconds=1)
    assert facts.ip_restricted is True
    assert facts.enabled is True


@EACH
def test_what_is_not_claimed_to_be_shown_is_null(house: House) -> None:
    """A fact that the capabilities do not name is unknown in every look."""
    town = Town(house)
    look = run(town.exchange.inspect(town.key(label="desk")))
    assert look.facts is not None
    shown = {
        "created": look.facts.created_at,
        "expires": look.facts.expires_at,
        "scopes": look.facts.scopes,
        "addresses": look.facts.ip_allowlist,
        "last_used": look.facts.last_used_at,
    }
    claimed = town.exchange.capabilities.shows
    assert {name for name, value in shown.items() if value is not None} == set(claimed)


@ISSUING
def test_the_life_of_a_key(house: House) -> None:
    """A created key is listed, signs in, and is gone after its deletion."""
    town = Town(house)

    async def live() -> None:
        issued = await create(town)
        listing = await listed(town, house.subs[0])
        assert listing.complete
        (entry,) = listing.keys
        assert (entry.key_id, entry.label, entry.enabled) == (
            issued.key_id,
            "rkabcdefgh1",
            True,
        )
        look = await town.exchange.inspect(signing(issued))
        assert look.validity is Validity.VALID
        assert await delete(town, issued.key_id) is None
        assert (await listed(town, house.subs[0])).keys == ()
        assert (await town.exchange.inspect(signing(issued))).reason is Meaning.INVALID_KEY

    run(live())


@ISSUING
def test_a_spec_is_what_list_and_look_report(house: House) -> None:
    """Permissions, flags, addresses, account and label come back as they were asked for."""
    town = Town(house)
    spec = replace(town.spec(), addresses=("192.0.2.7", HERE))

    async def compare() -> tuple[KeyFacts, KeyFacts | None]:
        issued = await create(town, spec=spec)
        (entry,) = (await listed(town, house.subs[0])).keys
        return entry, (await town.exchange.inspect(signing(issued))).facts

    for facts in run(compare()):
        assert facts is not None
        assert facts.native == spec.native
        assert facts.ip_allowlist == spec.addresses
        assert facts.account_id == spec.account_id
        assert facts.label == "rkabcdefgh1"
        assert set(spec.flags) <= set(facts.native_flags)


@ISSUING
def test_a_key_made_again_is_the_same_key(house: House) -> None:
    """The spec read from a key makes a key from which the same spec is read."""
    town = Town(house)

    async def twice() -> tuple[object, object]:
        first = await town.exchange.inspect(town.key(addresses=()))
        assert first.facts is not None
        spec = town.exchange.respec(first.facts)
        assert isinstance(spec, KeySpec)
        issued = await create(town, spec=spec)
        second = await town.exchange.inspect(signing(issued))
        assert second.facts is not None
        return spec, town.exchange.respec(second.facts)

    first, second = run(twice())
    assert first == second


@ISSUING
def test_deleting_twice_and_deleting_nothing_succeed(house: House) -> None:
    """A key that is gone, or never was, is deleted with success."""
    town = Town(house)

    async def twice() -> list[Failure | None]:
        issued = await create(town)
        return [
            await delete(town, issued.key_id),
            await delete(town, issued.key_id),
            await delete(town, "N" * 18),
        ]

    assert run(twice()) == [None, None, None]


@ISSUING
def test_another_masters_account_is_no_success(house: House) -> None:
    """A sub-account that is not ours is refused as a bad request, and proves nothing."""
    town = Town(house)
    town.ledger.open_account("20000001", None)
    town.ledger.open_account("20000002", "20000001")
    foreign = town.key(account="20000002")

    async def ask() -> list[object]:
        spec = town.spec(account="20000002")
        return [
            await delete(town, foreign.key_id, "20000002"),
            await delete(town, "N" * 18, "20000002"),
            await town.exchange.list_keys(town.parent, AccountId("20000002")),
            await town.exchange.create_key(town.parent, spec, "x", town.ticks.now()),
        ]

    for told in run(ask()):
        assert isinstance(told, Failure)
        assert (told.meaning, told.happened) == (Meaning.BAD_REQUEST, Happened.REFUSED)
    assert foreign.key_id in town.alive()


@ISSUING
def test_lists_are_paged_to_their_end(house: House) -> None:
    """More keys than a page holds are all listed, and each account's keys alone."""
    town = Town(house)
    for number in range(53):
        town.key(label=f"k{number}")
    town.key(account=house.subs[1], label="other")

    async def both() -> tuple[Listing, Listing]:
        return await listed(town, house.subs[0]), await listed(town, None)

    one, every = run(both())
    assert one.complete
    assert every.complete
    assert {k.label for k in one.keys} == {f"k{n}" for n in range(53)}
    assert len(every.keys) == 54
    assert {k.key_id for k in every.keys} == town.alive()
    assert {k.account_id for k in every.keys} == set(house.subs)


@ISSUING
def test_a_sub_key_may_not_manage(house: House) -> None:
    """A sub-account's key that lists or creates is denied, and has changed nothing."""
    town = Town(house)
    key = town.key()

    async def ask() -> list[object]:
        return [
            await town.exchange.list_keys(key, AccountId(house.subs[0])),
            await town.exchange.create_key(key, town.spec(), "x", town.ticks.now()),
        ]

    for told in run(ask()):
        assert isinstance(told, Failure)
        assert told.meaning is Meaning.PERMISSION_DENIED
        assert told.happened is not Happened.UNKNOWN
    assert town.ledger.creates == 0


def test_expiry_is_told_to_the_second() -> None:
    """A Bybit key without list expires 90 days after its creation, one with a list never."""
    town = Town(BYBIT)

    async def look() -> tuple[KeyFacts | None, KeyFacts | None]:
        free = await town.exchange.inspect(town.key(addresses=(), age=timedelta(days=80)))
        return free.facts, (await town.exchange.inspect(town.key())).facts

    free, bound = run(look())
    assert free is not None
    assert bound is not None
    assert free.expires_at == town.ticks.now() + timedelta(days=10)
    assert (free.ip_restricted, free.ip_allowlist) == (False, ())
    assert bound.expires_at is NEVER


def test_an_expired_key_says_so() -> None:
    """A Bybit key past its 90 days is expired, and its list entry is not enabled."""
    town = Town(BYBIT)
    key = town.key(addresses=(), age=timedelta(days=91))

    async def ask() -> tuple[Look, Listing]:
        return await town.exchange.inspect(key), await listed(town, BYBIT.subs[0])

    look, listing = run(ask())
    assert look.validity is Validity.EXPIRED
    assert [k.enabled for k in listing.keys] == [False]


def test_a_key_for_other_addresses_blocks_us_and_lives() -> None:
    """Bybit refuses our address clearly, and the parent's list shows the key alive."""
    town = Town(BYBIT)
    key = town.key(addresses=("192.0.2.9",))

    async def ask() -> tuple[Look, Listed]:
        look = await town.exchange.inspect(key)
        listing = await listed(town, BYBIT.subs[0])
        return look, listed_in(
            listing.keys, key.key_id, complete=listing.complete, known_alive=None
        )

    look, seen = run(ask())
    assert look.validity is Validity.IP_BLOCKED
    assert judge(look) is Liveness.BLOCKED
    assert judge(look, listed=seen) is Liveness.ALIVE


def test_a_deleted_key_is_judged_dead_beside_a_living_one() -> None:
    """Two refusals of a deleted Bybit key beside a key that signs in are its death."""
    town = Town(BYBIT)
    key, other = town.key(), town.key()
    town.ledger.kill(town.books(key.key_id))

    async def ask() -> list[Look]:
        return [await town.exchange.inspect(k) for k in (key, key, other)]

    first, second, control = run(ask())
    assert judge(first, second, control) is Liveness.DEAD
    assert judge(first, second) is Liveness.UNKNOWN


@pytest.mark.parametrize("trouble", ["deleted", "address"])
def test_binance_never_says_dead(trouble: str) -> None:
    """A deleted key and a refused address look the same on Binance, and prove nothing."""
    town = Town(BINANCE)
    other = town.key()
    key = town.key(addresses=("192.0.2.9",) if trouble == "address" else (HERE,))
    if trouble == "deleted":
        town.ledger.kill(town.books(key.key_id))

    async def ask() -> list[Look]:
        return [await town.exchange.inspect(k) for k in (key, key, other)]

    first, second, control = run(ask())
    assert first.validity is Validity.UNKNOWN
    assert first.failure is not None
    assert len(first.failure.candidates) == 4
    assert control.validity is Validity.VALID
    assert judge(first, second, control) is Liveness.UNKNOWN


def test_withdraw_is_seen() -> None:
    """A Binance key that may withdraw is seen to."""
    town = Town(BINANCE)
    key = town.key(native=BINANCE.ordinary | {"enableWithdrawals"})
    facts = run(town.exchange.inspect(key)).facts
    assert facts is not None
    assert facts.scopes is not None
    assert Scope.WITHDRAW in facts.scopes
