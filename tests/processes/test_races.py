"""Several daemons on one store, with and without a lease; and one killed again and again."""

from __future__ import annotations

import random
import time

import pytest

from tests.processes.conftest import Build
from tests.processes.verdict import assert_done, assert_one_key
from tests.told import Tell

pytestmark = [pytest.mark.process, pytest.mark.real, pytest.mark.timeout(200)]

RESTARTS = 50


@pytest.mark.parametrize("count", [2, 3, 5])
def test_daemons_without_a_lease(build: Build, count: int) -> None:
    """Daemons that know nothing of each other make one key, and publish no dead one."""
    there = build()
    consumer = there.consumer()
    files = [there.instance(f"i{number}") for number in range(count)]
    daemons = [there.daemon(config=file) for file in files]
    there.wait_for_phase("DONE", patience=90)
    for daemon in daemons:
        assert daemon.stop() == 0
    consumer.stop()
    assert_done(there, creates=1)
    opened = [e for d in daemons for e in d.events("rotation_opened")]
    assert len(opened) == 1


def test_single_runs_side_by_side(build: Build) -> None:
    """Every one of several `run --once` exits 0, whoever else works on the store."""
    there = build()
    consumer = there.consumer()
    runs = [there.once(config=there.instance(f"i{number}")) for number in range(3)]
    assert [run.ended() for run in runs] == [0, 0, 0]
    for run in runs:
        assert run.json()["credentials"] == 2
    consumer.stop()
    assert_done(there, creates=1)


def test_a_file_lock(build: Build) -> None:
    """With a file lock a second daemon waits and says so, a run exits 1, and a crash frees it."""
    there = build(armed=False)
    there.document["lease"] = {"file": str(there.folder / "lease")}
    there.write_config()
    first = there.daemon()
    first.wait_for("pass")
    second = there.daemon(config=there.instance("second"))
    second.wait_for("standby")
    once = there.once(config=there.instance("once"))
    assert once.ended() == 1
    assert "another daemon holds" in once.log()
    assert not second.events("leader")
    first.kill()
    died = time.monotonic()
    second.wait_for("leader")
    assert time.monotonic() - died < 5
    second.wait_for("pass")
    assert second.stop() == 0


@pytest.mark.slow
def test_a_restart_storm(build: Build, tell: Tell) -> None:
    """Killed fifty times at random moments, it makes no key that is not accounted for."""
    chance = random.Random(50)
    there = build()
    consumer = there.consumer()
    creating = 0
    for _ in range(RESTARTS):
        run = there.once()
        time.sleep(chance.uniform(0.5, 2.2))
        run.kill()
        creating += there.phase() == "CREATING"
        assert len(there.alive()) <= 2 + creating
    last = there.daemon()
    last.wait_for("leader")  # a signal before that ends a process that has not begun yet
    there.wait_for_phase("DONE", patience=90)
    assert last.stop() == 0
    consumer.stop()
    assert_done(there, creates=1 + creating)
    tell(f"{RESTARTS} restarts, {len(there.ours())} keys created, {creating} times at CREATING")


@pytest.mark.slow
def test_restarts_while_it_waits(build: Build) -> None:
    """Fifty restarts in a row, while a rotation waits for a person, change nothing at all."""
    chance = random.Random(51)
    there = build(policy={"revoke": "manual", "drain": "0s"})
    consumer = there.consumer()
    first = there.daemon()
    there.wait_for_phase("DRAINING")
    first.kill()
    record = there.vault.versions(there.record_path)
    keys = there.keys()
    for _ in range(RESTARTS):
        run = there.once("1s")
        time.sleep(chance.uniform(0.4, 1.4))
        run.kill()
    assert there.vault.versions(there.record_path) == record
    assert there.keys() == keys
    there.order("complete")
    assert there.once().ended() == 0
    consumer.stop()
    assert_done(there, creates=1)
    assert_one_key(there, creates=1)
