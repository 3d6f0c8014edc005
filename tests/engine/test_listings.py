"""What the keys of an account are to us."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from rotator.core.findings import Code
from rotator.core.outcome import StoreDenied
from rotator.core.record import Phase
from rotator.core.strays import Kind
from rotator.engine.reports import strays_document
from tests.engine.estate import (
    MASTER,
    SUBS,
    Estate,
    codes,
    desk_path,
    name,
    play,
    record,
)

LIST = "/v5/user/sub-apikeys"


def listings(estate: Estate) -> int:
    """Count the list calls so far."""
    return estate.streets["bybit"].paths.count(LIST)


def kinds(estate: Estate) -> dict[str | None, Kind]:
    """Return what each listed key is, by its label."""
    return {j.key.label: j.kind for listed in estate.listings.latest for j in listed.judged}


def test_an_account_is_listed_once_in_a_while(tmp_path: Path) -> None:
    """Two credentials of one account cause one listing, and passes in between none."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        await estate.desk(0)
        key = estate.key(SUBS[0], "second")
        await estate.store(desk_path(1), key, exchange="bybit", parent=MASTER, account=SUBS[0])
        await estate.run()
        assert listings(estate) == 1
        estate.clock.later(minutes=5)
        await estate.run()
        assert listings(estate) == 1
        estate.clock.later(minutes=30)
        await estate.run()
        assert listings(estate) == 2

    play(tmp_path, scenario)


def test_every_kind_of_key_is_told_apart(tmp_path: Path) -> None:
    """Served, open, stray, unserved and foreign keys of one account are each what they are."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        served = await estate.desk(0)
        now = estate.clock.now()
        estate.key(SUBS[0], "stranger")
        estate.key(SUBS[0], "rkabcdefgh1")
        done = estate.key(SUBS[0], "rkbbbbbbbb1")
        estate.key(SUBS[0], "rkcccccccc1")
        await estate.journal.write(record(now), 0)
        past = record(now, rotation="bbbbbbbb", phase=Phase.DONE, new=done["api_key"])
        await estate.journal.write_history(past, {})
        snapshot = await estate.run()
        assert kinds(estate) == {
            "desk0": Kind.SERVED,
            "stranger": Kind.FOREIGN,
            "rkabcdefgh1": Kind.STRAY,
            "rkbbbbbbbb1": Kind.UNSERVED,
            "rkcccccccc1": Kind.FOREIGN,
        }
        told = codes(snapshot, name(0))
        assert told >= {Code.FOREIGN_KEY, Code.UNSERVED_KEY, Code.STRAY_KEY}
        document = strays_document(snapshot.listed)["strays"]
        assert {s["label"] for s in document} == set(kinds(estate)) - {"desk0"}
        assert served["api_key"] not in {s["key_id"] for s in document}

    play(tmp_path, scenario)


def test_a_key_inside_a_field_that_nobody_maps_is_not_foreign(tmp_path: Path) -> None:
    """A key that stands anywhere in the store, a note of another secret even, is served."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        await estate.desk(0)
        key = estate.key(SUBS[0], "noted")
        await estate.kv.write(desk_path(7), {"note": f"use {key['api_key']} here"}, 0)
        await estate.run()
        assert kinds(estate)["noted"] is Kind.SERVED

    play(tmp_path, scenario)


def test_a_key_that_was_stored_after_the_inventory_is_not_foreign(tmp_path: Path) -> None:
    """A key that nobody knew when the paths were read is looked for once more."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        await estate.desk(0)
        await estate.run()
        late = estate.key(SUBS[0], "late")
        taken = await estate.hub.take()
        await estate.store(desk_path(5), late, exchange="bybit")
        await estate.listings.refresh(estate.runner.accounts, force=True)
        assert await estate.listings.sort(taken, {})
        assert kinds(estate)["late"] is Kind.FOREIGN
        estate.clock.later(hours=1)
        await estate.run()
        assert kinds(estate)["late"] is Kind.SERVED

    play(tmp_path, scenario)


def test_our_label_in_another_account_proves_nothing(tmp_path: Path) -> None:
    """A label copied to another account is foreign there, whatever its record says."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        await estate.desk(0)
        await estate.desk(1)
        await estate.journal.write(record(estate.clock.now(), 0), 0)
        estate.key(SUBS[1], "rkabcdefgh1")
        await estate.run()
        assert kinds(estate)["rkabcdefgh1"] is Kind.FOREIGN

    play(tmp_path, scenario)


def test_hostile_labels_are_foreign_and_told_safely(tmp_path: Path) -> None:
    """Labels with line breaks, our prefix or great length are reported, one line each."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        await estate.desk(0)
        for label in ("rk\nDONE:", "rkabcdefgh99999", "x" * 5000, "rkABCDEFGH1"):
            estate.key(SUBS[0], label)
        snapshot = await estate.run()
        foreign = [f for f in snapshot.findings if f.code is Code.FOREIGN_KEY]
        assert len(foreign) == 4
        assert all(f.message.isprintable() and len(f.message) < 400 for f in foreign)

    play(tmp_path, scenario)


def test_a_listing_that_fails_keeps_what_was_told(tmp_path: Path) -> None:
    """While the exchange gives no list, a foreign key known before is still told."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        await estate.desk(0)
        estate.key(SUBS[0], "stranger")
        await estate.run()
        estate.streets["bybit"].down = True
        estate.clock.later(hours=1)
        snapshot = await estate.run()
        assert Code.FOREIGN_KEY in codes(snapshot, name(0))
        assert any(listed.failure for listed in snapshot.listed)

    play(tmp_path, scenario)


def test_a_dead_parent_is_told_and_blocks(tmp_path: Path) -> None:
    """Without a working parent the rotation is blocked, and its account is not listed."""

    async def scenario(estate: Estate) -> None:
        master = await estate.master()
        await estate.desk(0, age=timedelta(days=200))
        estate.kill(master)
        snapshot = await estate.run()
        assert Code.PARENT_INVALID in codes(snapshot, name(0))
        assert "ParentInvalid" in snapshot.plan[0].blocked_by

    play(tmp_path, scenario)


def test_a_parent_that_is_not_there_is_missing_only_if_all_was_read(tmp_path: Path) -> None:
    """With an incomplete inventory an absent parent is unknown; else it is missing."""

    async def scenario(estate: Estate) -> None:
        await estate.desk(0, age=timedelta(days=200))
        assert Code.PARENT_MISSING in codes(await estate.run(), name(0))
        await estate.kv.write(desk_path(9), {"note": "n"}, 0)
        estate.front.bulk = False
        estate.front.refuse = lambda op, args: (
            StoreDenied("denied") if op == "read" and args[0] == desk_path(9) else None
        )
        snapshot = await estate.run()
        assert not snapshot.complete
        assert Code.PARENT_MISSING not in codes(snapshot, name(0))

    play(tmp_path, scenario)
