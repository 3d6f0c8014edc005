"""Which keys are looked at, how often, and what counts of it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from rotator.core.facts import Validity
from rotator.core.findings import Code
from rotator.core.names import CredentialName
from tests.engine.estate import (
    MASTER,
    SUBS,
    Estate,
    codes,
    desk_path,
    name,
    play,
    validity,
)

INSPECT = "/v5/user/query-api"


def inspections(estate: Estate) -> int:
    """Count the inspect calls so far."""
    return estate.streets["bybit"].paths.count(INSPECT)


def test_a_key_is_looked_at_when_due_and_not_before(tmp_path: Path) -> None:
    """Passes within `every.inspect` ask nothing; a new version, its end, and force do."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        key = await estate.desk(0)
        await estate.run()
        assert inspections(estate) == 2
        estate.clock.later(minutes=30)
        await estate.run()
        assert inspections(estate) == 2
        await estate.store(desk_path(0), key)
        await estate.run()
        assert inspections(estate) == 3
        estate.clock.later(minutes=31)
        await estate.run()
        assert inspections(estate) == 4
        await estate.run(force=True)
        assert inspections(estate) == 6

    play(tmp_path, scenario)


def test_one_key_at_two_paths_is_looked_at_once(tmp_path: Path) -> None:
    """Two credentials with the same key share one look, and both are told of the other."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        key = await estate.desk(0)
        await estate.store(desk_path(1), key, exchange="bybit", parent=MASTER, account=SUBS[0])
        snapshot = await estate.run()
        assert inspections(estate) == 2
        assert validity(snapshot, name(0)) is validity(snapshot, name(1)) is Validity.VALID
        assert Code.SAME_KEY_TWICE in codes(snapshot, name(0)) & codes(snapshot, name(1))

    play(tmp_path, scenario)


def test_an_unmanaged_key_is_looked_at_only_as_a_parent(tmp_path: Path) -> None:
    """`managed: false` is not asked, unless somebody names it as parent."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        snapshot = await estate.run()
        assert inspections(estate) == 0
        await estate.desk(0)
        snapshot = await estate.run()
        assert inspections(estate) == 2
        assert codes(snapshot, MASTER) == set()

    play(tmp_path, scenario)


def test_facts_of_another_key_never_count(tmp_path: Path) -> None:
    """After another key was put to a path, nothing is known of it until it was looked at."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        await estate.desk(0, age=timedelta(days=200))
        assert Code.OVERDUE in codes(await estate.run(), name(0))
        estate.streets["bybit"].down = True
        await estate.store(desk_path(0), estate.key(label="fresh"))
        snapshot = await estate.run()
        seen = snapshot.by_name[name(0)]
        assert seen.facts is None
        assert seen.look is not None
        assert seen.look.validity is Validity.EXCHANGE_DOWN
        assert Code.OVERDUE not in codes(snapshot, name(0))

    play(tmp_path, scenario)


def test_a_silent_exchange_is_left_alone_but_told_for_every_key(tmp_path: Path) -> None:
    """When an exchange is down only a few keys are asked, and each says it told nothing."""

    async def scenario(estate: Estate) -> None:
        for number in range(40):
            key = estate.key(label=f"d{number}")
            await estate.store(f"secret/trading/bybit/d{number}", key, exchange="bybit")
        estate.streets["bybit"].down = True
        snapshot = await estate.run()
        names = [CredentialName(f"secret/trading/bybit/d{n}") for n in range(40)]
        assert {validity(snapshot, n) for n in names} == {Validity.EXCHANGE_DOWN}
        assert all(Code.UNREACHABLE in codes(snapshot, n) for n in names)
        asked = inspections(estate)
        assert asked < 40
        estate.streets["bybit"].down = False
        estate.clock.later(minutes=5)
        snapshot = await estate.run()
        assert {validity(snapshot, n) for n in names} == {Validity.VALID}

    play(tmp_path, scenario)


def test_a_closed_exchange_is_never_asked(tmp_path: Path) -> None:
    """A credential of a closed exchange is judged from the store alone."""

    async def scenario(estate: Estate) -> None:
        path = "secret/trading/bitmex/desk"
        await estate.store(path, estate.key(), exchange="bitmex")
        snapshot = await estate.run(force=True)
        assert codes(snapshot, path) == {Code.EXCHANGE_CLOSED}
        assert snapshot.by_name[CredentialName(path)].look is None
        assert snapshot.looks == 0

    play(tmp_path, scenario)


def test_drift_is_told_against_the_last_look_even_after_a_restart(tmp_path: Path) -> None:
    """A permission gained at the exchange is told by a new daemon, until the look after that."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        key = await estate.desk(0)
        await estate.run()
        books = estate.books(key["api_key"])
        estate.ledger.change(books, native=books.native | {"Wallet.AccountTransfer"})
        estate.build()
        assert Code.SCOPE_DRIFT in codes(await estate.run(), name(0))
        estate.clock.later(minutes=10)
        assert Code.SCOPE_DRIFT in codes(await estate.run(), name(0))
        estate.clock.later(hours=1)
        assert Code.SCOPE_DRIFT not in codes(await estate.run(), name(0))

    play(tmp_path, scenario)


def test_many_keys_that_die_at_once_are_one_incident(tmp_path: Path) -> None:
    """One look stops every deletion, a second one makes the incident, new keys end it."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        keys = [await estate.desk(number, age=timedelta(days=200)) for number in range(4)]
        await estate.run()
        assert estate.runner.standstill() is None
        estate.kill(*keys[:3])
        estate.clock.later(hours=1)
        snapshot = await estate.run()
        assert snapshot.incidents == ()
        still = estate.runner.standstill()
        assert still is not None
        assert "bybit" in still.sentence
        assert still.alert is Code.MASS_INVALIDATION
        assert {p.blocked_by for p in snapshot.plan} == {("MassInvalidation",)}
        estate.clock.later(minutes=5)
        snapshot = await estate.run()
        (incident,) = snapshot.incidents
        assert incident.credentials == {name(0), name(1), name(2)}
        assert Code.MASS_INVALIDATION in codes(snapshot, name(0))
        for number in range(3):
            fresh = estate.key(SUBS[number], "fresh")
            await estate.store(desk_path(number), fresh)
        snapshot = await estate.run()
        assert snapshot.incidents == ()
        assert estate.runner.standstill() is None

    play(tmp_path, scenario)


def test_a_restart_in_the_middle_of_an_incident_opens_no_door(tmp_path: Path) -> None:
    """A new daemon that finds known keys dead deletes nothing after its first look."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        keys = [await estate.desk(number) for number in range(3)]
        await estate.run()
        estate.kill(*keys)
        estate.build()
        snapshot = await estate.run()
        assert snapshot.incidents == ()
        assert estate.runner.standstill() is not None

    play(tmp_path, scenario)
