"""A Vault put back from a backup must not act: in place, under a running daemon, elsewhere."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.processes.conftest import Build
from tests.processes.estate import Estate
from tests.processes.program import Program, until
from tests.processes.verdict import assert_fields_kept, assert_sound
from tests.servers.build import VAULT
from tests.servers.vault_server import VaultServer

pytestmark = [pytest.mark.process, pytest.mark.real, pytest.mark.timeout(150)]
DESK = "trading/bybit/desk0"


@pytest.fixture
def filed(vault: VaultServer) -> Iterator[VaultServer]:
    """A Vault on file storage, whose files can be put back."""
    server = VaultServer(VAULT.ensured()).start()
    yield server
    server.close()


@pytest.fixture
def rafted(vault: VaultServer) -> Iterator[VaultServer]:
    """A Vault on raft storage, which restores a snapshot while it runs."""
    server = VaultServer(VAULT.ensured(), storage="raft").start()
    yield server
    server.close()


def looked_once(there: Estate) -> None:
    """Run one pass that only looks, so that epoch and anchor are there."""
    armed, there.document["rotation"]["armed"] = there.document["rotation"]["armed"], []
    there.write_config()
    assert there.once("5s").ended() == 0
    there.document["rotation"]["armed"] = armed
    there.write_config()


def restored(told: dict[str, Any]) -> bool:
    """Say whether a run has found that its store was restored."""
    found = [f for f in told["findings"] if f["code"] == "StoreRestored"]
    assert all(f["severity"] == "critical" and "rotator resume" in f["cure"] for f in found)
    return bool(found)


def resume(there: Estate) -> None:
    """Write the command that a person gives after having looked, for the epoch that is seen."""
    epoch = there.vault.get("rotator/epoch")
    seen = epoch["data"]["epoch"] if epoch else 0
    there.vault.put("rotator/commands/resume", {"epoch": seen}, there.person())


def nothing_acts(there: Estate, program: Program, books: tuple[int, int]) -> None:
    """A run on the restored store says so and changes nothing."""
    assert program.ended() == 0, program.log()
    told = program.json()
    assert restored(told)
    assert told["rotations"] == []
    assert_untouched(there, books)


def assert_untouched(there: Estate, books: tuple[int, int]) -> None:
    """The path is as the backup has it, and nobody created or deleted a key."""
    assert list(there.vault.versions(DESK)) == [1]
    assert (len(there.ours()), len(there.alive())) == books


def goes_on_after_resume(there: Estate) -> None:
    """After `resume` the rotation is done, and what the lost journal made stays foreign."""
    there.document["policies"]["desk"]["revoke"] = "drain"
    there.write_config()
    lost = set(there.ours())
    resume(there)
    run = there.once()
    assert run.ended() == 0
    told = run.json()
    assert not restored(told)
    assert [r["phase"] for r in told["rotations"]] == ["DONE"]
    assert set(there.alive()) == {there.served()["api_key"], *lost}
    assert [f for f in told["findings"] if f["code"] == "ForeignKey"]
    for consumer in there.consumers:
        consumer.stop()
    assert_fields_kept(there)
    assert_sound(there)


def test_in_place_while_the_daemon_is_down(build: Build, filed: VaultServer) -> None:
    """Put back while nobody ran: the next run reports it, acts on nothing, and obeys `resume`."""
    there = build(server=filed, policy={"revoke": "manual"})
    looked_once(there)
    kept = filed.save_files()
    assert there.once().ended() == 0
    assert there.phase() == "DRAINING"
    filed.put_files(kept)
    assert there.phase() == ""
    there.consumer()
    books = (1, 2)
    nothing_acts(there, there.once("5s"), books)
    nothing_acts(there, there.once("5s"), books)
    goes_on_after_resume(there)


def test_in_place_under_a_running_daemon(build: Build, rafted: VaultServer) -> None:
    """Put back under its feet: its next pass notices, its rotation stops, nothing is changed."""
    there = build(server=rafted, policy={"revoke": "manual"})
    looked_once(there)
    snapshot = rafted.save_snapshot()
    there.consumer()
    daemon = there.daemon()
    there.wait_for_phase("DRAINING")
    rafted.restore_snapshot(snapshot)
    wait_for_restored(daemon)
    assert_untouched(there, (1, 2))
    assert "StoreRestored" in daemon.metrics()
    assert daemon.stop() == 0
    nothing_acts(there, there.once("5s"), (1, 2))
    goes_on_after_resume(there)


def wait_for_restored(daemon: Program) -> None:
    """Wait for a pass that found its store restored."""

    def found() -> bool:
        return any("restored from a backup" in e["standing"] for e in daemon.events("pass"))

    until(found, "a pass notices it", 40)


def test_elsewhere(build: Build, filed: VaultServer) -> None:
    """An old copy started as another server: whoever comes with the anchor acts on nothing."""
    there = build(server=filed, policy={"revoke": "manual"})
    looked_once(there)
    kept = filed.save_files()
    assert there.once().ended() == 0
    elsewhere = VaultServer(filed.binary)
    try:
        shutil.copytree(kept, elsewhere.folder / "data")
        elsewhere.root_token, elsewhere.unseal_key = filed.root_token, filed.unseal_key
        elsewhere.start()
        there.moves_to(elsewhere)
        nothing_acts(there, there.once("5s"), (1, 2))
    finally:
        elsewhere.close()


def test_the_anchor_lost(build: Build) -> None:
    """With the journal in use and no anchor it only watches, until a person says `resume`."""
    there = build(policy={"revoke": "manual"})
    assert there.once().ended() == 0
    assert there.phase() == "DRAINING"
    (there.folder / "anchor").unlink()
    there.order("complete")
    run = there.once("5s")
    assert run.ended() == 0
    assert restored(run.json())
    assert there.phase() == "DRAINING"
    assert len(there.alive()) == 2
    resume(there)
    run = there.once()
    assert run.ended() == 0
    assert not restored(run.json())
    assert there.phase() == "DONE"
