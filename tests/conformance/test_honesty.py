"""Honesty: each claim of an exchange's capabilities is challenged."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta

import pytest

from rotator.core.facts import Look, Validity
from rotator.core.issue import IssuedKey, KeySpec
from rotator.core.names import AccountId, SigningKey
from rotator.core.outcome import Failure, Meaning
from rotator.exchanges.port import Capabilities
from rotator.exchanges.registry import EXCHANGES
from tests.conformance.harness import HOUSES, ISSUERS, House, Town
from tests.exchanges.fakes import NOW, run

EACH = pytest.mark.parametrize("house", HOUSES, ids=lambda h: h.name)
ISSUING = pytest.mark.parametrize("house", ISSUERS, ids=lambda h: h.name)


def test_capabilities_have_no_defaults() -> None:
    """Every claim must be made: a capability left out is an error, not a guess."""
    with pytest.raises(TypeError):
        Capabilities()  # type: ignore[call-arg]
    assert len(fields(Capabilities)) == 20


@pytest.mark.parametrize("name", sorted(EXCHANGES))
def test_the_documents_are_named_and_recent(name: str) -> None:
    """Each adapter names its documents and was checked against them within a year."""
    can = EXCHANGES[name].profile.capabilities
    assert can.documentation.startswith("https://")
    assert can.keys_page.startswith("https://")
    assert can.status.source
    assert NOW.date() - can.checked < timedelta(days=365)


@EACH
def test_the_receive_window_is_kept_by_the_exchange(house: House) -> None:
    """A request that arrives within the window is taken, one that arrives later refused."""
    for late, expected in [(4, Validity.VALID), (6, Validity.UNKNOWN)]:
        town = Town(house)
        window = town.exchange.capabilities.receive_window
        assert window == timedelta(seconds=5)

        def slow(_: object, town: Town = town, late: int = late) -> None:
            town.ticks.seconds += late

        town.change = slow
        assert run(town.exchange.inspect(town.key())).validity is expected


@ISSUING
def test_a_mutation_on_its_way_for_too_long_is_not_applied(house: House) -> None:
    """A create or delete that slept for longer than the window changes nothing."""
    town = Town(house)
    key = town.key()
    before = town.alive()

    async def sleep_in_between() -> list[object]:
        signed_at = town.ticks.now()
        town.ticks.seconds += 6
        account = AccountId(house.subs[0])
        return [
            await town.exchange.create_key(town.parent, town.spec(), "x", signed_at),
            await town.exchange.delete_key(town.parent, account, key.key_id, signed_at),
        ]

    for told in run(sleep_in_between()):
        assert isinstance(told, Failure)
        assert told.meaning is Meaning.CLOCK_SKEW
    assert town.alive() == before


@ISSUING
def test_each_creatable_permission_can_be_created(house: House) -> None:
    """Every permission said to be creatable is granted by the exchange when asked for."""
    town = Town(house)
    creatable = town.exchange.capabilities.creatable
    assert creatable

    async def create() -> None:
        for native in sorted(creatable):
            spec = replace(town.spec(), native=(native,))
            told = await town.exchange.create_key(town.parent, spec, "x", town.ticks.now())
            assert isinstance(told, IssuedKey), native
            assert town.books(told.key_id).native == {native}
            account = AccountId(house.subs[0])
            gone = await town.exchange.delete_key(
                town.parent, account, told.key_id, town.ticks.now()
            )
            assert gone is None

    run(create())


@ISSUING
@pytest.mark.parametrize("native", ["Wallet.Withdraw", "Derivatives.DerivativesTrade", "A.B"])
def test_what_is_not_creatable_is_said_and_refused(house: House, native: str) -> None:
    """What is not creatable blocks beforehand, and the exchange would refuse it too."""
    town = Town(house)
    creatable = town.exchange.capabilities.creatable
    assert creatable is not None
    assert native not in creatable
    spec = replace(town.spec(), native=(native,))
    told = run(town.exchange.create_key(town.parent, spec, "x", town.ticks.now()))
    assert isinstance(told, Failure)
    assert town.ledger.creates == 0


@ISSUING
def test_two_keys_live_side_by_side(house: House) -> None:
    """Overlap means that the old key signs in while the new one does."""
    town = Town(house)
    assert town.exchange.capabilities.overlap
    old = town.key()

    async def both() -> list[Look]:
        told = await town.exchange.create_key(town.parent, town.spec(), "x", town.ticks.now())
        assert isinstance(told, IssuedKey)
        new = SigningKey(told.key_id, told.secrets)
        return [await town.exchange.inspect(old), await town.exchange.inspect(new)]

    assert [look.validity for look in run(both())] == [Validity.VALID, Validity.VALID]


@ISSUING
def test_addresses_bind(house: House) -> None:
    """A key created for another address does not sign in from ours."""
    town = Town(house)
    assert town.exchange.capabilities.binds_addresses

    async def create() -> Look:
        told = await town.exchange.create_key(
            town.parent, town.spec(("192.0.2.1",)), "x", town.ticks.now()
        )
        assert isinstance(told, IssuedKey)
        return await town.exchange.inspect(SigningKey(told.key_id, told.secrets))

    assert run(create()).validity is Validity.IP_BLOCKED


@ISSUING
def test_the_longest_label_that_we_use_survives(house: House) -> None:
    """A label of 16 characters comes back whole."""
    town = Town(house)
    label = "rk" + "a2" * 7

    async def create() -> str | None:
        told = await town.exchange.create_key(town.parent, town.spec(), label, town.ticks.now())
        assert isinstance(told, IssuedKey)
        return (await town.exchange.inspect(SigningKey(told.key_id, told.secrets))).facts.label  # type: ignore[union-attr]

    assert run(create()) == label


@ISSUING
def test_full_slots_refuse_for_good(house: House) -> None:
    """One key too many is refused, was surely not made, and the refusal will stay."""
    town = Town(house)
    for number in range(town.ledger.house.slots):
        town.key(label=str(number))
    told = run(town.exchange.create_key(town.parent, town.spec(), "x", town.ticks.now()))
    assert isinstance(told, Failure)
    assert told.happened.value == "refused"
    assert town.ledger.creates == 0


@ISSUING
def test_an_activation_delay_is_an_invalid_key_for_a_while(house: House) -> None:
    """A fresh key that is not active yet is refused as invalid, and signs in later."""
    town = Town(house, activation=timedelta(seconds=30))

    async def create() -> list[Look]:
        told = await town.exchange.create_key(town.parent, town.spec(), "x", town.ticks.now())
        assert isinstance(told, IssuedKey)
        key = SigningKey(told.key_id, told.secrets)
        early = await town.exchange.inspect(key)
        town.world.calendar.advance(timedelta(minutes=1))
        return [early, await town.exchange.inspect(key)]

    early, later = run(create())
    assert early.reason is Meaning.INVALID_KEY
    assert later.validity is Validity.VALID


@EACH
def test_our_budget_keeps_the_exchange_content(house: House) -> None:
    """With the default share and the limits enforced, a long burst is never refused."""
    town = Town(house, limits=True, share=0.2)
    keys = [town.key(account=sub) for sub in house.subs for _ in range(5)]

    async def burst() -> set[Validity]:
        return {(await town.exchange.inspect(key)).validity for _ in range(20) for key in keys}

    assert run(burst()) == {Validity.VALID}


@ISSUING
def test_an_unreadable_spec_is_never_sent(house: House) -> None:
    """An account that the exchange cannot have is refused before anything leaves."""
    town = Town(house)
    spec = KeySpec(AccountId("no account"), tuple(house.ordinary))
    told = run(town.exchange.create_key(town.parent, spec, "x", town.ticks.now()))
    assert isinstance(told, Failure)
    assert town.requests == []
