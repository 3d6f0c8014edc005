"""The tidy deletes what its own record proves useless, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rotator.core.liveness import Liveness
from rotator.core.outcome import StoreDenied, StoreError
from rotator.core.record import Phase
from rotator.core.schedule import Limits
from rotator.engine.tidy import TidyReport
from tests.engine.estate import SUBS, Estate, desk_path, name, play, record

DELETE = "/v5/user/del-api-key"


async def stray(estate: Estate, number: int = 0, **more: Any) -> str:
    """Set up a desk, and a key that its ABORTED record proves useless; return its id."""
    await estate.master()
    await estate.desk(number)
    await estate.run()
    made = estate.key(SUBS[number], "rkabcdefgh1")
    await estate.journal.write(record(estate.clock.now(), number, **more), 0)
    await estate.run()
    return str(made["api_key"])


async def tidy(estate: Estate) -> TidyReport:
    """Run one tidy as the daemon does."""
    await estate.watch.read()
    return await estate.tidy.run(estate.runner.accounts)


async def twice(estate: Estate) -> TidyReport:
    """Tidy, let half a minute pass, tidy again."""
    first = await tidy(estate)
    assert first.deleted == ()
    estate.clock.later(seconds=31)
    return await tidy(estate)


def alive(estate: Estate, key_id: str) -> bool:
    """Say whether a key lives, by the exchange's own books."""
    return estate.ledger.alive(estate.books(key_id))


def test_a_stray_is_deleted_at_its_second_sighting(tmp_path: Path) -> None:
    """Seen once it stays, seen again 30 s later it goes, after the path's key was probed."""

    async def scenario(estate: Estate) -> None:
        key_id = await stray(estate)
        first = await tidy(estate)
        assert first.deleted == ()
        assert first.pending_second_look_at is not None
        assert estate.probed == []
        estate.clock.later(seconds=20)
        assert (await tidy(estate)).deleted == ()
        estate.clock.later(seconds=11)
        report = await tidy(estate)
        assert [f.key_id for f in report.deleted] == [key_id]
        assert report.left == report.problems == ()
        assert estate.probed == [name(0)]
        assert not alive(estate, key_id)
        seen = await estate.documents.read(
            estate.documents.strays(report.deleted[0].exchange, report.deleted[0].account)
        )
        assert seen.data == {"seen": {}}

    play(tmp_path, scenario)


def test_the_first_sighting_survives_a_restart(tmp_path: Path) -> None:
    """A second daemon counts the first one's sighting."""

    async def scenario(estate: Estate) -> None:
        key_id = await stray(estate)
        await tidy(estate)
        estate.clock.later(seconds=31)
        estate.build()
        await estate.run()
        report = await tidy(estate)
        assert [f.key_id for f in report.deleted] == [key_id]

    play(tmp_path, scenario)


def test_a_record_in_the_history_proves_a_stray_too(tmp_path: Path) -> None:
    """A key of an aborted rotation goes after its path has had a further rotation."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        await estate.desk(0)
        await estate.run()
        made = estate.key(SUBS[0], "rkabcdefgh1")
        closing = record(estate.clock.now(), phase=Phase.CLOSING, outcome=Phase.ABORTED)
        await estate.journal.write_history(closing, {})
        later = record(estate.clock.now(), rotation="bbbbbbbb", phase=Phase.DONE)
        await estate.journal.write(later, 0)
        await estate.run()
        report = await twice(estate)
        assert [f.key_id for f in report.deleted] == [made["api_key"]]

    play(tmp_path, scenario)


def test_what_no_record_proves_is_never_touched(tmp_path: Path) -> None:
    """Strangers' keys, a second Rotator's labels, and a finished rotation's key stay for ever."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        await estate.desk(0)
        await estate.run()
        others = [
            estate.key(SUBS[0], label) for label in ("stranger", "rkzzzzzzzz1", "rkzzzzzzzz2")
        ]
        done = estate.key(SUBS[0], "rkabcdefgh1")
        past = record(estate.clock.now(), phase=Phase.DONE, new=done["api_key"])
        await estate.journal.write(past, 0)
        await estate.run()
        for _ in range(3):
            report = await twice(estate)
        assert len(report.foreign) == 3
        assert [f.key_id for f in report.unserved] == [done["api_key"]]
        assert all(alive(estate, k["api_key"]) for k in (*others, done))
        assert DELETE not in estate.streets["bybit"].paths

    play(tmp_path, scenario)


def test_a_key_of_the_present_attempt_stays_and_one_of_an_older_attempt_goes(
    tmp_path: Path,
) -> None:
    """Of an open rotation only keys of strictly older attempts are strays."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        await estate.desk(0)
        await estate.run()
        older = estate.key(SUBS[0], "rkabcdefgh1")
        present = estate.key(SUBS[0], "rkabcdefgh2")
        open_ = record(estate.clock.now(), phase=Phase.CREATING, attempt=2)
        await estate.journal.write(open_, 0)
        await estate.run()
        report = await twice(estate)
        assert [f.key_id for f in report.deleted] == [older["api_key"]]
        assert alive(estate, present["api_key"])

    play(tmp_path, scenario)


def left(report: TidyReport) -> str:
    """Return the one sentence that says why a stray was left."""
    assert report.deleted == ()
    (why,) = report.left
    return why


def test_nothing_goes_while_the_paths_own_key_is_not_alive(tmp_path: Path) -> None:
    """A dead, blocked or unknown key on the path keeps every stray (rule 5)."""

    async def scenario(estate: Estate) -> None:
        key_id = await stray(estate)
        await tidy(estate)
        for liveness in (Liveness.DEAD, Liveness.BLOCKED, Liveness.UNKNOWN):
            estate.alive = liveness
            estate.clock.later(seconds=31)
            assert "not known to be alive" in left(await tidy(estate))
        assert alive(estate, key_id)

    play(tmp_path, scenario)


def test_the_guard_sees_a_path_and_a_record_that_moved_during_the_probe(tmp_path: Path) -> None:
    """A new version of the path, or of the record, between probe and deletion stops it."""

    async def scenario(estate: Estate) -> None:
        key_id = await stray(estate)
        await tidy(estate)
        estate.clock.later(seconds=31)

        async def new_version() -> None:
            await estate.store(desk_path(0), estate.key(SUBS[0], "pasted"))

        estate.before_probe = new_version
        assert "path has changed" in left(await tidy(estate))

        async def new_record() -> None:
            await estate.journal.write(record(estate.clock.now()), 1)

        estate.before_probe = new_record
        estate.clock.later(seconds=31)
        assert "record has changed" in left(await tidy(estate))
        assert alive(estate, key_id)

    play(tmp_path, scenario)


def test_a_hold_set_during_the_probe_stops_the_deletion(tmp_path: Path) -> None:
    """Holds are read anew in the guard, after the probe."""

    async def scenario(estate: Estate) -> None:
        key_id = await stray(estate)
        await tidy(estate)
        estate.clock.later(seconds=31)

        async def hold() -> None:
            held = {"match": "secret/trading/**", "reason": "audit"}
            await estate.kv.write(estate.documents.hold("freeze"), held, 0)

        estate.before_probe = hold
        assert "audit" in left(await tidy(estate))
        assert alive(estate, key_id)

    play(tmp_path, scenario)


def test_a_driver_that_slept_in_the_probe_deletes_nothing(tmp_path: Path) -> None:
    """More than five seconds from the clock reading to the deletion are too many."""

    async def scenario(estate: Estate) -> None:
        key_id = await stray(estate)
        await tidy(estate)
        estate.clock.later(seconds=31)

        async def sleep() -> None:
            estate.clock.later(seconds=6)

        estate.before_probe = sleep
        assert "too long" in left(await tidy(estate))
        assert alive(estate, key_id)

    play(tmp_path, scenario)


def test_a_watched_path_is_never_tidied(tmp_path: Path) -> None:
    """Without an armed path nothing is deleted at the exchange."""

    async def scenario(estate: Estate) -> None:
        key_id = await stray(estate)
        assert "not armed" in left(await twice(estate))
        assert alive(estate, key_id)

    play(tmp_path, scenario, limits=Limits())


def test_an_incomplete_inventory_deletes_nothing(tmp_path: Path) -> None:
    """A secret that cannot be read might hold the stray, so it stays."""

    async def scenario(estate: Estate) -> None:
        key_id = await stray(estate)
        await estate.kv.write(desk_path(9), {"note": key_id}, 0)
        estate.front.bulk = False
        estate.front.refuse = lambda op, args: (
            StoreDenied("denied") if op == "read" and args[0] == desk_path(9) else None
        )
        assert "not complete" in left(await twice(estate))
        assert alive(estate, key_id)

    play(tmp_path, scenario)


def test_a_restored_store_deletes_nothing(tmp_path: Path) -> None:
    """While the store may be restored from a backup every stray stays."""

    async def scenario(estate: Estate) -> None:
        key_id = await stray(estate)
        estate.anchor = "lost"
        estate.build()
        snapshot = await estate.run()
        assert not snapshot.acts
        assert "restored" in left(await twice(estate))
        assert alive(estate, key_id)

    play(tmp_path, scenario)


def test_one_accounts_failure_is_not_the_others(tmp_path: Path) -> None:
    """A sighting that cannot be written, or an account that cannot be listed, is a problem."""

    async def scenario(estate: Estate) -> None:
        key_id = await stray(estate)
        await estate.desk(1)
        second = estate.key(SUBS[1], "rkbbbbbbbb1")
        await estate.journal.write(record(estate.clock.now(), 1, rotation="bbbbbbbb"), 0)
        await estate.run()
        estate.front.refuse = lambda op, args: (
            StoreError("full") if op == "write" and args[0].endswith(SUBS[0]) else None
        )
        report = await twice(estate)
        assert [f.key_id for f in report.deleted] == [second["api_key"]]
        assert len(report.problems) == 1
        assert "full" in report.problems[0]
        assert alive(estate, key_id)
        estate.streets["bybit"].down = True
        report = await tidy(estate)
        assert report.deleted == ()
        assert len(report.problems) == 2

    play(tmp_path, scenario)


def test_vanished_keys_leave_the_sightings(tmp_path: Path) -> None:
    """A stray that a person deleted is forgotten, so its id would be seen anew."""

    async def scenario(estate: Estate) -> None:
        key_id = await stray(estate)
        report = await tidy(estate)
        place = estate.documents.strays(report.strays[0].exchange, report.strays[0].account)
        assert list(((await estate.documents.read(place)).data or {})["seen"]) == [key_id]
        estate.ledger.kill(estate.books(key_id))
        estate.clock.later(seconds=31)
        await tidy(estate)
        assert (await estate.documents.read(place)).data == {"seen": {}}

    play(tmp_path, scenario)


def test_a_spoilt_sighting_is_seen_anew(tmp_path: Path) -> None:
    """What a person writes into the sightings is no sighting, and no error."""

    async def scenario(estate: Estate) -> None:
        key_id = await stray(estate)
        place = estate.documents.strays(
            estate.runner.accounts[0].exchange, estate.runner.accounts[0].account
        )
        for spoilt in ({"seen": {key_id: "yesterday"}}, {"seen": [key_id]}, {"seen": {key_id: 7}}):
            found = await estate.documents.read(place)
            await estate.kv.write(place, spoilt, found.version)
            assert (await tidy(estate)).deleted == ()
        assert alive(estate, key_id)

    play(tmp_path, scenario)
