"""The policies in deploy/vault give each role what it needs and no more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from rotator.core.names import StorePath
from rotator.core.outcome import StoreDenied
from rotator.stores.vault.kv import VaultKv
from tests.servers.stores import open_store, token_auth
from tests.servers.vault_server import VaultServer

pytestmark = pytest.mark.real
POLICIES = Path(__file__).parents[3] / "deploy" / "vault"
DESK = StorePath("secret/trading/bybit/desk0")
STATE = "secret/rotator"
Scenario = Callable[[VaultKv], Awaitable[None]]


@pytest.fixture(scope="module")
def server(own_vault: VaultServer) -> VaultServer:
    """A Vault with the shipped policies and one document of each kind."""
    for name in ("watch", "rotate", "people"):
        own_vault.policy(name, (POLICIES / f"{name}.hcl").read_text())
    kinds = ("rotations/x", "history/x/r", "facts/x", "seal", "pepper", "epoch", "commands/x")
    for kind in (*kinds, "holds/h", "inbox/x", "strays/bybit/a"):
        own_vault.write(f"secret/data/rotator/{kind}", {"data": {"k": "v"}})
    return own_vault


def as_role(server: VaultServer, folder: Path, role: str, scenario: Scenario) -> None:
    """Run a scenario with a token that has one policy (and Vault's default)."""
    own = StorePath(f"secret/trading/{role}/desk0")
    server.write(f"secret/data/{own[7:]}", {"data": {"api_key": "k"}})

    async def whole() -> None:
        store = open_store(server, token_auth(folder, server.token([role])))
        try:
            await scenario(store)
        finally:
            await store.close()

    asyncio.run(whole())


def state(rest: str) -> StorePath:
    """Return a state document's path."""
    return StorePath(f"{STATE}/{rest}")


async def denied(*calls: Awaitable[object]) -> None:
    """Await calls that policy must refuse."""
    for call in calls:
        with pytest.raises(StoreDenied):
            await call


def test_watch_reads_credentials_and_writes_its_facts(server: VaultServer, tmp_path: Path) -> None:
    """The watch role inventories, reads and keeps facts, epoch, strays and pepper."""

    async def scenario(store: VaultKv) -> None:
        desk = StorePath("secret/trading/watch/desk0")
        assert desk in (await store.walk(StorePath("secret/trading"), [])).paths
        assert await store.read(desk)
        assert await store.read_metadata(desk)
        assert await store.mount_limits(desk)
        assert await store.write(state("facts/new"), {"a": "b"}, 0) == 1
        assert await store.write(state("epoch"), {"n": 1}, 1) == 2
        assert await store.write(state("strays/bybit/a"), {"n": 1}, 1) == 2
        assert await store.read(state("pepper"))
        assert (await store.walk(state("rotations"), [])).complete
        for kind in ("rotations/x", "history/x/r", "commands/x", "holds/h"):
            assert await store.read(state(kind))

    as_role(server, tmp_path, "watch", scenario)


def test_watch_changes_nothing(server: VaultServer, tmp_path: Path) -> None:
    """The watch role cannot touch a credential, a record, a command, the seal or the inbox."""

    async def scenario(store: VaultKv) -> None:
        desk = StorePath("secret/trading/watch/desk0")
        await denied(
            store.write(desk, {"a": "b"}, 1),
            store.patch_metadata(desk, {"rotator_x": "y"}),
            store.delete_versions(desk, [1]),
            store.undelete_versions(desk, [1]),
            store.destroy_versions(desk, [1]),
            store.write(state("rotations/x"), {}, 1),
            store.write(state("history/x/r"), {}, 1),
            store.write(state("commands/x"), {}, 1),
            store.write(state("holds/h"), {}, 1),
            store.read(state("seal")),
            store.read(state("inbox/x")),
        )

    as_role(server, tmp_path, "watch", scenario)


def test_rotate_does_a_whole_rotation(server: VaultServer, tmp_path: Path) -> None:
    """The rotate role can do each step of a rotation at the path and in the journal."""

    async def scenario(store: VaultKv) -> None:
        desk = StorePath("secret/trading/rotate/desk0")
        assert desk in (await store.walk(StorePath("secret/trading"), [])).paths
        assert await store.write(desk, {"api_key": "new"}, 1) == 2
        await store.delete_versions(desk, [1])
        await store.undelete_versions(desk, [1])
        await store.patch_metadata(desk, {"rotator_rotation": "r"})
        record = state("rotations/secret/trading/rotate/desk0")
        assert await store.write(record, {"phase": "CREATING"}, 0) == 1
        assert await store.write(record, {"phase": "STAGED"}, 1) == 2
        await store.destroy_versions(record, [1])
        await store.undelete_versions(record, [2])
        assert await store.write(state("history/a/r"), {}, 0) == 1
        assert await store.write(state("facts/rotate"), {}, 0) == 1
        for kind in ("seal", "pepper", "commands/x", "holds/h", "inbox/x"):
            assert await store.read(state(kind))
        await store.destroy_versions(state("inbox/x"), [1])
        await store.mount_limits(desk)

    as_role(server, tmp_path, "rotate", scenario)


def test_rotate_is_told_its_capabilities(server: VaultServer, tmp_path: Path) -> None:
    """Asked beforehand, Vault lists exactly what the rotate role may do at each API path."""

    async def scenario(store: VaultKv) -> None:
        desk = StorePath("secret/trading/rotate/desk0")
        await store.mount_limits(desk)
        kinds = ("data", "metadata", "delete", "undelete", "destroy")
        asked = [store.api_path(kind, desk) for kind in kinds]
        told = await store.capabilities(asked)
        assert [sorted(told[path]) for path in asked] == [
            ["create", "read", "update"],
            ["list", "patch", "read"],
            ["update"],
            ["update"],
            [],
        ]

    as_role(server, tmp_path, "rotate", scenario)


def test_rotate_cannot_destroy_or_command(server: VaultServer, tmp_path: Path) -> None:
    """The rotate role destroys no credential, writes no command and no hold, removes no path."""
    token = server.token(["rotate"])

    async def scenario(store: VaultKv) -> None:
        desk = StorePath("secret/trading/rotate/desk0")
        await denied(
            store.destroy_versions(desk, [1]),
            store.write(state("commands/x"), {}, 1),
            store.write(state("holds/h"), {}, 1),
            store.write(state("inbox/x"), {}, 1),
        )
        told = await store.capabilities(["secret/metadata/trading/rotate/desk0"])
        assert "delete" not in told["secret/metadata/trading/rotate/desk0"]

    as_role(server, tmp_path, "rotate", scenario)
    assert token


def test_people_ask_and_hold(server: VaultServer, tmp_path: Path) -> None:
    """People write commands and holds, hand in a key, and read records, history and facts."""

    async def scenario(store: VaultKv) -> None:
        assert await store.write(state("commands/p"), {"command": "complete"}, 0) == 1
        assert await store.write(state("commands/p"), {"command": "complete"}, 1) == 2
        assert await store.read(state("commands/p"))
        assert await store.write(state("holds/p"), {"match": "*"}, 0) == 1
        assert await store.write(state("holds/p"), {"until": "x"}, 1) == 2
        assert await store.write(state("inbox/p"), {"api_key": "n"}, 0) == 1
        assert await store.write(state("inbox/p"), {"api_key": "m"}, 1) == 2
        for kind in ("rotations/x", "history/x/r", "facts/x", "epoch"):
            assert await store.read(state(kind))
        assert await store.read_metadata(StorePath("secret/trading/people/desk0"))

    as_role(server, tmp_path, "people", scenario)


def test_people_see_no_secret(server: VaultServer, tmp_path: Path) -> None:
    """People cannot read credentials, seal, pepper or inbox, nor write any record."""

    async def scenario(store: VaultKv) -> None:
        desk = StorePath("secret/trading/people/desk0")
        await denied(
            store.read(desk),
            store.write(desk, {}, 1),
            store.read(state("seal")),
            store.read(state("pepper")),
            store.read(state("inbox/x")),
            store.write(state("rotations/x"), {}, 1),
            store.write(state("history/x/r"), {}, 1),
            store.write(state("facts/x"), {}, 1),
            store.write(state("epoch"), {}, 1),
            store.destroy_versions(state("commands/x"), [1]),
            store.patch_metadata(desk, {"owner": "me"}),
        )

    as_role(server, tmp_path, "people", scenario)
