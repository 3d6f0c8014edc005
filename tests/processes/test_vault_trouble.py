"""Vault is sealed, dies, forgets our login or is put back, in the middle of a rotation."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.processes.conftest import Build
from tests.processes.estate import Estate
from tests.processes.gate import Fate, Side, Stop
from tests.processes.verdict import assert_done
from tests.servers.build import VAULT
from tests.servers.vault_server import VaultServer

pytestmark = [pytest.mark.process, pytest.mark.real, pytest.mark.timeout(150)]
SEALED_SECONDS = 45.0
NOTHING = 'path "nothing" { capabilities = ["read"] }'


@pytest.fixture(scope="module")
def hurt(vault: VaultServer) -> Iterator[VaultServer]:
    """A Vault of this module's own, to be hurt."""
    server = VaultServer(VAULT.ensured()).start()
    yield server
    server.close()


def at(there: Estate, label: str, side: Side) -> Stop:
    """Let a daemon run until a request, and hold it there."""
    stop = Stop(label, side)
    there.road.stop_at(stop)
    there.daemon()
    assert stop.reached.wait(40), there.logs()
    return stop


def ends_well(there: Estate, *, creates: int = 1) -> None:
    """The daemon that is there leads the rotation to its end."""
    there.wait_for_phase("DONE", patience=90)
    assert there.programs[-1].stop() == 0
    for consumer in there.consumers:
        consumer.stop()
    assert_done(there, creates=creates)


@pytest.mark.parametrize(
    ("label", "side"),
    [
        ("create", Side.AFTER),
        ("publish", Side.BEFORE),
        ("record DRAINING", Side.AFTER),
        ("delete", Side.AFTER),
    ],
)
def test_sealed(build: Build, hurt: VaultServer, label: str, side: Side) -> None:
    """Sealed in mid-rotation, it waits; unsealed, it goes on, and made no second key."""
    there = build(server=hurt)
    there.consumer()
    stop = at(there, label, side)
    hurt.seal()
    stop.end(Fate.GO_ON)
    there.programs[0].wait_for("trouble")
    hurt.unseal()
    ends_well(there)


@pytest.mark.slow
def test_sealed_for_long(build: Build, hurt: VaultServer) -> None:
    """A new key's secret is kept for as long as it surely could not be stored, up to a minute."""
    there = build(server=hurt)
    there.consumer()
    stop = at(there, "create", Side.AFTER)
    hurt.seal()
    stop.end(Fate.GO_ON)
    there.programs[0].wait_for("trouble")
    time.sleep(SEALED_SECONDS)
    hurt.unseal()
    ends_well(there)


@pytest.mark.slow
def test_denied_for_long(build: Build) -> None:
    """The same where Vault serves, but our policy was taken away meanwhile."""
    there = build()
    there.consumer()
    stop = at(there, "create", Side.AFTER)
    there.vault.server.policy(f"{there.vault.mount}-rotate", NOTHING)
    stop.end(Fate.GO_ON)
    there.programs[0].wait_for("trouble")
    time.sleep(SEALED_SECONDS)
    there.vault.write_policies()
    ends_well(there)


@pytest.mark.parametrize(
    ("label", "side"), [("create", Side.AFTER), ("record REVOKING", Side.BEFORE)]
)
def test_killed_and_restarted(build: Build, hurt: VaultServer, label: str, side: Side) -> None:
    """Killed in mid-rotation and started again, Vault finds the daemon where it was."""
    there = build(server=hurt)
    there.consumer()
    stop = at(there, label, side)
    hurt.kill()
    stop.end(Fate.GO_ON)
    there.programs[0].wait_for("trouble")
    hurt.restart()
    ends_well(there)


@pytest.mark.parametrize("label", ["create", "publish", "delete"])
def test_token_revoked(build: Build, label: str) -> None:
    """With its token revoked in mid-rotation it logs in again and goes on."""
    there = build()
    there.consumer()
    stop = at(there, label, Side.AFTER)
    for token in list(there.tokens):
        there.vault.server.revoke(token)
    stop.end(Fate.GO_ON)
    ends_well(there)
    assert len(there.tokens) > 1


def test_sealed_at_the_start(build: Build, hurt: VaultServer) -> None:
    """A daemon that finds its store sealed waits for it and then works."""
    there = build(server=hurt)
    hurt.seal()
    daemon = there.daemon()
    told = daemon.wait_for("store_down")
    assert told["sealed"] is True
    hurt.unseal()
    ends_well(there)
