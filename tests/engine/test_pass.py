"""A whole pass over the embedded store and the sandbox."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from rotator.core.credentials import Rule
from rotator.core.facts import Look, Validity
from rotator.core.findings import Code, Verdict
from rotator.core.names import CredentialName, SigningKey
from rotator.core.outcome import StoreDenied, StoreError
from rotator.core.record import Phase, Trigger
from rotator.core.schedule import HALTED, OPEN, Limits, Planned
from rotator.engine.snapshot import Snapshot
from rotator.stores.epoch import Restored
from rotator.stores.publisher import Publisher
from tests.engine.estate import (
    MASTER,
    STATE,
    SUBS,
    Estate,
    codes,
    desk_path,
    name,
    play,
    record,
    validity,
)

OLD = timedelta(days=200)


def planned(snapshot: Snapshot, number: int = 0) -> Planned:
    """Return the plan of a desk."""
    found = snapshot.by_name[name(number)].planned
    assert found is not None
    return found


async def ask(estate: Estate, version: int, number: int = 0) -> int:
    """Ask for a rotation, as `rotator rotate` does."""
    place = estate.documents.command(name(number))
    before = await estate.documents.read(place)
    said = {"command": "rotate", "version": version}
    return await estate.kv.write(place, said, before.version)


def test_a_pass_finds_judges_and_plans(tmp_path: Path) -> None:
    """An overdue key of an armed path is due and may open; a fresh one is healthy."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        await estate.desk(0, age=OLD)
        await estate.desk(1)
        snapshot = await estate.run()
        assert snapshot.complete
        assert snapshot.acts
        assert Code.OVERDUE in codes(snapshot, name(0))
        assert snapshot.by_name[name(0)].judgement.verdict is Verdict.DUE
        assert snapshot.by_name[name(1)].judgement.verdict is Verdict.HEALTHY
        assert planned(snapshot).ready(snapshot.at)
        assert not planned(snapshot, 1).ready(snapshot.at)
        assert estate.runner.latest is snapshot
        assert estate.ledger.creates == estate.ledger.deletes == 0

    play(tmp_path, scenario)


def test_a_pass_changes_nothing_but_its_own_state(tmp_path: Path) -> None:
    """Not one write goes to a credential's path, and every write is under the state prefix."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        await estate.desk(0, age=OLD)
        await estate.run(force=True)
        changing = ("write", "patch_metadata", "delete_versions", "destroy_versions")
        written = [args[0] for op, args in estate.front.asked if op in changing]
        assert written
        assert all(path.startswith(STATE) for path in written)

    play(tmp_path, scenario)


def test_a_path_that_is_denied_is_told_and_blocks_only_itself(tmp_path: Path) -> None:
    """One unreadable secret makes the inventory incomplete; the others are judged as ever."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        await estate.desk(0, age=OLD)
        await estate.desk(1, age=OLD)
        estate.front.bulk = False
        estate.front.refuse = lambda op, args: (
            StoreDenied("permission denied") if op == "read" and args[0] == desk_path(1) else None
        )
        snapshot = await estate.run()
        assert not snapshot.complete
        assert [f.path for f in snapshot.faults] == [desk_path(1)]
        assert planned(snapshot).blocked_by == ()
        seen = snapshot.by_name[name(1)]
        assert seen.problem is not None
        assert Code.METADATA_MALFORMED in codes(snapshot, name(1))
        assert seen.judgement.verdict is Verdict.BLOCKED

    play(tmp_path, scenario)


def test_a_store_without_an_answer_ends_the_pass(tmp_path: Path) -> None:
    """If the inventory cannot be taken at all, the pass raises and the last snapshot stays."""

    async def scenario(estate: Estate) -> None:
        await estate.desk(0)
        before = await estate.run()
        estate.front.refuse = lambda op, args: StoreError("sealed") if op == "walk" else None
        with pytest.raises(StoreError):
            await estate.runner.run()
        assert estate.runner.latest is before

    play(tmp_path, scenario)


def test_a_restored_store_is_only_watched(tmp_path: Path) -> None:
    """A journal in use without its anchor is told, blocks all, and stays so until resumed."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        await estate.desk(0, age=OLD)
        await estate.run()
        await estate.journal.write(record(estate.clock.now(), 1, phase=Phase.DONE), 0)
        estate.anchor = "another-machine"
        estate.build()
        snapshot = await estate.run()
        assert isinstance(snapshot.standing, Restored)
        assert Code.STORE_RESTORED in codes(snapshot, STATE.rstrip("/"))
        assert "StoreRestored" in planned(snapshot).blocked_by
        still = estate.runner.standstill()
        assert still is not None
        assert "restored" in still.sentence
        assert still.alert is Code.STORE_RESTORED
        assert not (await estate.run()).acts
        epoch = snapshot.standing.epoch
        await estate.kv.write(estate.documents.command("resume"), {"epoch": epoch}, 0)
        snapshot = await estate.run()
        assert snapshot.acts
        assert planned(snapshot).blocked_by == ()

    play(tmp_path, scenario)


def test_an_epoch_that_cannot_be_told_means_that_nothing_is_done(tmp_path: Path) -> None:
    """Without an answer about the epoch the pass only looks, and says so."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        await estate.desk(0, age=OLD)
        estate.front.refuse = lambda op, args: (
            StoreDenied("denied") if args and str(args[0]).endswith("/epoch") else None
        )
        snapshot = await estate.run()
        assert snapshot.standing is None
        assert not snapshot.acts
        assert any("epoch" in problem for problem in snapshot.problems)
        assert not planned(snapshot).ready(snapshot.at)
        estate.front.refuse = lambda _op, _args: None
        assert (await estate.run()).acts

    play(tmp_path, scenario)


def test_a_check_leaves_the_epoch_alone(tmp_path: Path) -> None:
    """A pass that only looks raises nothing."""

    async def scenario(estate: Estate) -> None:
        await estate.run()
        assert not (await estate.documents.read(estate.documents.epoch)).exists

    play(tmp_path, scenario, raises=False)


def test_holds_and_unarmed_paths_keep_a_rotation_shut(tmp_path: Path) -> None:
    """A hold is named in the plan, a path without a glob is not armed, a fault holds all."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        await estate.desk(0, age=OLD)
        await estate.desk(1, age=OLD)
        hold = {"match": desk_path(0), "reason": "migration"}
        await estate.kv.write(estate.documents.hold("quiet"), hold, 0)
        snapshot = await estate.run()
        assert planned(snapshot).blocked_by == ("Hold:quiet",)
        assert planned(snapshot, 1).blocked_by == ("NotArmed",)
        estate.watch.fault = "denied"
        snapshot = await estate.runner.run()
        assert planned(snapshot, 1).blocked_by == ("NotArmed", "Hold:unread")

    play(tmp_path, scenario, limits=Limits(armed=(desk_path(0),)))


def test_a_wish_counts_for_the_version_that_its_author_saw(tmp_path: Path) -> None:
    """`rotate` makes a fresh key due; after the path moved it is void, and told."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        key = await estate.desk(0)
        await ask(estate, 1)
        snapshot = await estate.run()
        assert planned(snapshot).trigger is Trigger.MANUAL
        assert planned(snapshot).ready(snapshot.at)
        await estate.store(desk_path(0), key)
        snapshot = await estate.run()
        assert planned(snapshot).trigger is Trigger.DUE
        assert any(p.startswith("void") for p in snapshot.problems)

    play(tmp_path, scenario)


def test_a_wish_is_used_up_by_the_rotation_that_it_began(tmp_path: Path) -> None:
    """After an aborted rotation the same command does not begin another one."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        await estate.desk(0)
        await ask(estate, 1)
        estate.clock.later(seconds=1)
        await estate.run()
        aborted = record(estate.clock.now(), trigger=Trigger.MANUAL)
        await estate.journal.write(aborted, 0)
        assert planned(await estate.run()).trigger is Trigger.DUE
        estate.clock.later(seconds=1)
        await ask(estate, 1)
        assert planned(await estate.run()).trigger is Trigger.MANUAL

    play(tmp_path, scenario)


def test_a_bad_end_halts_its_exchange_until_a_wish_ended_well(tmp_path: Path) -> None:
    """ABORTED halts the exchange; it stays so while a `rotate` is under way, until DONE."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        await estate.desk(0, age=OLD)
        await estate.desk(1, age=OLD)
        await estate.run()
        aborted = record(estate.clock.now())
        version = await estate.journal.write(aborted, 0)
        await estate.journal.write_history(aborted, {})
        snapshot = await estate.run()
        assert planned(snapshot).blocked_by == (HALTED, "CoolDown")
        assert planned(snapshot, 1).blocked_by == (HALTED,)
        estate.clock.later(minutes=1)
        wished = record(
            estate.clock.now(), rotation="bbbbbbbb", phase=Phase.STAGED, trigger=Trigger.MANUAL
        )
        version = await estate.journal.write(wished, version)
        snapshot = await estate.run()
        assert OPEN in planned(snapshot).blocked_by
        assert planned(snapshot, 1).blocked_by == (HALTED,)
        estate.clock.later(minutes=1)
        done = replace(wished, phase=Phase.DONE, phase_since=estate.clock.now())
        await estate.journal.write(done, version)
        assert planned(await estate.run(), 1).blocked_by == ()

    play(tmp_path, scenario)


def test_a_quarantined_or_unreadable_record_is_stuck_and_occupies(tmp_path: Path) -> None:
    """A question is told with its answers, and a record that was deleted counts as open."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        await estate.desk(0, age=OLD)
        await estate.desk(1, age=OLD)
        await estate.run()
        asks = record(estate.clock.now(), phase=Phase.QUARANTINED, question="what now?")
        await estate.journal.write(asks, 0)
        gone = record(estate.clock.now(), 1, rotation="bbbbbbbb", phase=Phase.STAGED)
        await estate.journal.write(gone, 0)
        await estate.kv.delete_versions(estate.documents.rotation(desk_path(1)), [1])
        snapshot = await estate.run()
        stuck = {f.credential: f for f in snapshot.findings if f.code is Code.ROTATION_STUCK}
        assert "what now?" in stuck[name(0)].message
        assert "retry" in stuck[name(1)].cure
        assert {o.path for o in snapshot.around.open} == {desk_path(0), desk_path(1)}
        assert OPEN in planned(snapshot, 1).blocked_by

    play(tmp_path, scenario)


def test_metadata_that_makes_no_sense_is_told_and_never_a_crash(tmp_path: Path) -> None:
    """Unknown exchange, policy, environment and an empty secret are findings."""

    async def scenario(estate: Estate) -> None:
        key = estate.key()
        base = "secret/trading/odd/"
        await estate.store(f"{base}a", key, exchange="nowhere")
        await estate.store(f"{base}b", estate.key(), exchange="bybit", policy="unknown")
        await estate.store(f"{base}c", estate.key(), exchange="bitmex", environment="demo")
        await estate.kv.write(desk_path(8), {"api_key": ""}, 0)
        await estate.kv.patch_metadata(desk_path(8), {"exchange": "bybit"})
        snapshot = await estate.run(force=True)
        for odd in (f"{base}a", f"{base}b", desk_path(8)):
            assert Code.METADATA_MALFORMED in codes(snapshot, odd)
        assert codes(snapshot, f"{base}c") == {Code.EXCHANGE_CLOSED}

    play(tmp_path, scenario)


def test_two_credentials_of_one_secret_on_one_field_are_twins(tmp_path: Path) -> None:
    """Two rules that map the same key make it served twice, and both are told."""
    rules = tuple(
        Rule(desk_path(0), exchange="bybit", name=word, fields={"api_key": "k", "api_secret": "s"})
        for word in ("one", "two")
    )

    async def scenario(estate: Estate) -> None:
        key = estate.key()
        data = {"k": key["api_key"], "s": key["api_secret"]}
        await estate.kv.write(desk_path(0), data, 0)
        snapshot = await estate.run()
        for word in ("one", "two"):
            assert Code.SAME_KEY_TWICE in codes(snapshot, f"{desk_path(0)}#{word}")

    play(tmp_path, scenario, rules=rules)


def test_passes_do_not_run_side_by_side(tmp_path: Path) -> None:
    """Two calls at once give two passes, one after the other, each with its own epoch."""

    async def scenario(estate: Estate) -> None:
        await estate.desk(0)
        await estate.watch.read()
        one, two = await asyncio.gather(estate.runner.run(), estate.runner.run())
        assert one.standing is not None
        assert two.standing is not None
        assert two.standing.epoch == one.standing.epoch + 1

    play(tmp_path, scenario)


async def rejudged(estate: Estate, look: Look, number: int = 0) -> str | None:
    """Judge a desk again by a new look at its present key, as the opener does."""
    assert estate.runner.latest is not None
    credential = estate.runner.latest.by_name[name(number)].credential
    publisher = Publisher(estate.kv, estate.marks)
    state = await publisher.read(desk_path(number), credential.fields)
    return estate.runner.rejudge(credential, state, look)


def signing(estate: Estate, number: int = 0) -> SigningKey:
    """Return the key at a desk's path."""
    found = estate.hub.signing_key(name(number))
    assert found is not None
    return found


def test_the_opener_judges_again(tmp_path: Path) -> None:
    """A due key opens; one that moved, is not due, or is new to us does not."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        await estate.desk(0, age=OLD)
        await estate.desk(1)
        await estate.run()
        house = estate.houses.get(estate.runner.accounts[0].exchange, "prod")
        assert house is not None
        look = await house.inspect(signing(estate))
        assert await rejudged(estate, look) is None
        fresh = await house.inspect(signing(estate, 1))
        assert "not due" in (await rejudged(estate, fresh, 1) or "")
        await estate.store(desk_path(0), estate.key(SUBS[0], "pasted"))
        assert "changed" in (await rejudged(estate, look) or "")
        stranger = replace(
            estate.runner.latest.by_name[name(1)].credential,  # type: ignore[union-attr]
            name=CredentialName("secret/trading/none"),
        )
        state = await Publisher(estate.kv, estate.marks).read(desk_path(1), stranger.fields)
        assert estate.runner.rejudge(stranger, state, fresh) == "it was not judged yet"

    play(tmp_path, scenario)


def test_a_closed_parent_gate_is_seen_at_the_second_judgement(tmp_path: Path) -> None:
    """A look that finds the key's address list against us blocks the opening."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        await estate.desk(0, age=OLD)
        await estate.run()
        blocked = Look(Validity.IP_BLOCKED)
        assert "VantageBlocked" in (await rejudged(estate, blocked) or "")

    play(tmp_path, scenario)


def test_the_account_is_learnt_from_the_exchange(tmp_path: Path) -> None:
    """A credential without `account` in its metadata is listed under what the exchange says."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        key = estate.key(SUBS[2], "plain")
        await estate.store(desk_path(0), key, exchange="bybit", parent=MASTER)
        estate.key(SUBS[2], "stranger")
        snapshot = await estate.run()
        assert validity(snapshot, name(0)) is Validity.VALID
        assert [a.account for a in estate.runner.accounts] == [SUBS[2]]
        assert Code.FOREIGN_KEY in codes(snapshot, name(0))

    play(tmp_path, scenario)
