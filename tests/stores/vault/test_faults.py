"""A real Vault that is sealed, killed, silent, or whose answers are lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rotator.core.names import StorePath
from rotator.core.outcome import Happened, StoreDenied, StoreError
from rotator.stores.port import StoreFault
from rotator.stores.vault.kv import VaultKv
from rotator.stores.vault.settings import ApproleAuth
from tests.servers.build import VAULT
from tests.servers.proxy import Cut, CuttingProxy
from tests.servers.stores import open_store, token_auth
from tests.servers.vault_server import VaultServer

pytestmark = pytest.mark.real
PATH = StorePath("secret/app/a")


def run(
    server: VaultServer,
    folder: Path,
    scenario: Callable[[VaultKv], Awaitable[None]],
    address: str | None = None,
    **settings: Any,
) -> None:
    """Run a scenario over a store that sleeps in no time."""

    async def whole() -> None:
        auth = token_auth(folder, server.root_token)
        store = open_store(address or server, auth, sleep=lambda _: None, workers=4, **settings)
        try:
            await scenario(store)
        finally:
            await store.close()

    asyncio.run(whole())


async def fault_of(call: Awaitable[object]) -> StoreError:
    """Await a call that must fail and return its error."""
    with pytest.raises(StoreError) as caught:
        await call
    return caught.value


def test_sealed_and_unsealed(own_vault: VaultServer, tmp_path: Path) -> None:
    """A sealed Vault is an error of its own on every call, nothing applied, until unsealed."""

    async def scenario(store: VaultKv) -> None:
        path = StorePath("secret/seal/a")
        await store.write(path, {"a": "b"}, 0)
        own_vault.seal()
        for call in (store.read(path), store.write(path, {"a": "c"}, 1), store.walk(path, [])):
            error = await fault_of(call)
            assert (error.sealed, error.happened) == (True, Happened.NOT_APPLIED)
        told = await store.read_many_metadata([path])
        fault = told[path]
        assert isinstance(fault, StoreFault)
        assert not fault.denied
        health = await store.health()
        assert (health.up, health.sealed, health.message) == (False, True, "Vault is sealed")
        own_vault.unseal()
        assert (await store.health()).up
        assert await store.write(path, {"a": "c"}, 1) == 2

    run(own_vault, tmp_path, scenario)


def test_killed_and_restarted(own_vault: VaultServer, tmp_path: Path) -> None:
    """What was acknowledged survives SIGKILL; while nothing listens nothing is applied."""

    async def scenario(store: VaultKv) -> None:
        path = StorePath("secret/kill/a")
        await store.write(path, {"a": "b"}, 0)
        own_vault.kill()
        assert (await fault_of(store.read(path))).happened is Happened.NOT_APPLIED
        error = await fault_of(store.write(path, {"a": "c"}, 1))
        assert error.happened is Happened.NOT_APPLIED
        assert not (await store.health()).up
        own_vault.restart()
        secret = await store.read(path)
        assert secret is not None
        assert (secret.version, secret.data) == (1, {"a": "b"})

    run(own_vault, tmp_path, scenario)


def test_a_sweep_gives_up_once_vault_is_gone(own_vault: VaultServer, tmp_path: Path) -> None:
    """With Vault gone a sweep over many paths asks a few times, not once for every path."""
    asked: list[str] = []

    async def scenario(store: VaultKv) -> None:
        await store.mount_limits(PATH)
        own_vault.kill()
        paths = [StorePath(f"secret/many/{n}") for n in range(500)]
        told = await store.read_many_metadata(paths)
        own_vault.restart()
        assert set(told) == set(paths)
        assert all(isinstance(fault, StoreFault) for fault in told.values())
        assert asked.count("metadata") < 50

    run(
        own_vault,
        tmp_path,
        scenario,
        on_request=lambda operation, code, seconds: asked.append(operation),
    )


def test_a_lost_answer_of_a_write_is_unknown(own_vault: VaultServer, tmp_path: Path) -> None:
    """A write whose answer is lost is of unknown fate and is not sent a second time."""
    with CuttingProxy(own_vault.port) as proxy:

        async def scenario(store: VaultKv) -> None:
            path = StorePath("secret/lost/a")
            await store.write(path, {"n": 1}, 0)
            proxy.cut(Cut.ANSWER)
            error = await fault_of(store.write(path, {"n": 2}, 1))
            assert error.happened is Happened.UNKNOWN
            secret = await store.read(path)
            assert secret is not None
            assert (secret.version, secret.data) == (2, {"n": 2})
            proxy.cut(Cut.REQUEST)
            error = await fault_of(store.write(path, {"n": 3}, 2))
            assert error.happened is Happened.UNKNOWN
            secret = await store.read(path)
            assert secret is not None
            assert secret.version == 2

        run(own_vault, tmp_path, scenario, proxy.address)


def test_a_lost_answer_of_a_read_is_asked_for_again(own_vault: VaultServer, tmp_path: Path) -> None:
    """Reads survive answers that are lost, up to the number of tries."""
    with CuttingProxy(own_vault.port) as proxy:

        async def scenario(store: VaultKv) -> None:
            path = StorePath("secret/again/a")
            await store.write(path, {"n": 1}, 0)
            proxy.cut(Cut.ANSWER, times=3)
            assert await store.read(path)
            proxy.cut(Cut.ANSWER, times=4)
            assert (await fault_of(store.read(path))).happened is Happened.NOT_APPLIED

        run(own_vault, tmp_path, scenario, proxy.address)


def test_a_frozen_server_is_a_timeout(own_vault: VaultServer, tmp_path: Path) -> None:
    """A server that accepts and never answers leaves a write unknown, within the timeout."""

    async def scenario(store: VaultKv) -> None:
        path = StorePath("secret/frozen/a")
        await store.write(path, {"n": 1}, 0)
        own_vault.pause()
        try:
            error = await fault_of(store.write(path, {"n": 2}, 1))
        finally:
            own_vault.resume()
        assert error.happened is Happened.UNKNOWN

    run(own_vault, tmp_path, scenario, read_timeout=timedelta(milliseconds=300))


def test_a_revoked_token_is_replaced_once(own_vault: VaultServer, tmp_path: Path) -> None:
    """When its token is revoked, forty calls at once lead to one login and all succeed."""
    own_vault.enable_auth("approle", "revoked")
    own_vault.policy("all", 'path "secret/*" { capabilities = ["create", "read", "update"] }')
    role_id, secret_id = own_vault.approle("r", "revoked", token_policies=["all"])
    (tmp_path / "role").write_text(role_id)
    (tmp_path / "secret").write_text(secret_id)
    auth = ApproleAuth(tmp_path / "role", tmp_path / "secret", mount="revoked")
    seconds = 1000.0
    seen: list[str] = []

    async def scenario() -> None:
        nonlocal seconds
        store = open_store(
            own_vault,
            auth,
            monotonic=lambda: seconds,
            on_request=lambda operation, code, s: seen.append(operation),
        )
        try:
            path = StorePath("secret/revoked/a")
            await store.write(path, {"n": 1}, 0)
            own_vault.write("sys/leases/revoke-prefix/auth/revoked", {})
            seconds += 20
            answers = await asyncio.gather(*[store.read(path) for _ in range(40)])
            assert all(answers)
        finally:
            await store.close()

    asyncio.run(scenario())
    assert seen.count("login") == 2


def test_a_refused_path_is_its_own_fault(own_vault: VaultServer, tmp_path: Path) -> None:
    """A path that policy refuses is a fault of that path; the others are read."""
    own_vault.policy(
        "half", 'path "secret/metadata/half/yes/*" { capabilities = ["read", "list"] }'
    )
    token = own_vault.token(["half"])
    yes, no = StorePath("secret/half/yes/a"), StorePath("secret/half/no/a")

    async def scenario() -> None:
        for path in (yes, no):
            own_vault.write(path.replace("secret/", "secret/data/"), {"data": {"a": "b"}})
        store = open_store(own_vault, token_auth(tmp_path, token), sleep=lambda _: None)
        try:
            told = await store.read_many_metadata([yes, no])
            fault = told[no]
            assert isinstance(fault, StoreFault)
            assert fault.denied
            assert told[yes] is not None
            assert not isinstance(told[yes], StoreFault)
            with pytest.raises(StoreDenied):
                await store.read_metadata(no)
            walk = await store.walk(StorePath("secret/half/no"), [])
            assert not walk.complete
            assert walk.faults[0].denied
        finally:
            await store.close()

    asyncio.run(scenario())


def test_an_unknown_mount_is_no_absence(own_vault: VaultServer, tmp_path: Path) -> None:
    """A path of no mount is an error on every read, never None or an empty folder."""

    async def scenario(store: VaultKv) -> None:
        path = StorePath("nope/a")
        for call in (store.read(path), store.read_metadata(path), store.list_folder(path)):
            await fault_of(call)
        assert isinstance((await store.read_many_metadata([path]))[path], StoreFault)
        assert not (await store.walk(path, [])).complete
        own_vault.mount("brief")
        brief = StorePath("brief/a")
        assert await store.read(brief) is None
        own_vault.api("DELETE", "sys/mounts/brief")
        await fault_of(store.read(brief))
        await fault_of(store.read_metadata(brief))

    run(own_vault, tmp_path, scenario)


def test_mounts_in_folders(own_vault: VaultServer, tmp_path: Path) -> None:
    """Several mounts, some with a slash in their names, are told apart by Vault itself."""
    own_vault.mount("team/kv")
    own_vault.mount("team/kv2")

    async def scenario(store: VaultKv) -> None:
        for path in ("team/kv/a/b", "team/kv2/a/b", "secret/a/b"):
            await store.write(StorePath(path), {"at": path}, 0)
        for path in ("team/kv/a/b", "team/kv2/a/b", "secret/a/b"):
            secret = await store.read(StorePath(path))
            assert secret is not None
            assert secret.data == {"at": path}
        assert store.api_path("delete", StorePath("team/kv/a/b")) == "team/kv/delete/a/b"
        assert (await store.mount_limits(StorePath("team/kv2/x"))).mount == "team/kv2"
        assert (await store.walk(StorePath("team/kv"), [])).paths == ("team/kv/a/b",)
        assert await store.list_folder(StorePath("team/kv2")) == ("a/",)

    run(own_vault, tmp_path, scenario)


def test_kv_version_one_is_refused(own_vault: VaultServer, tmp_path: Path) -> None:
    """A mount of KV version 1 is refused by name, because it keeps no versions."""
    own_vault.api("POST", "sys/mounts/one", {"type": "kv", "options": {"version": "1"}})

    async def scenario(store: VaultKv) -> None:
        error = await fault_of(store.read(StorePath("one/a")))
        assert "version 2" in str(error)

    run(own_vault, tmp_path, scenario)


def test_a_metadata_patch_keeps_the_operators_retention(
    own_vault: VaultServer, tmp_path: Path
) -> None:
    """A patch of custom_metadata leaves max_versions and delete_version_after of the path."""

    async def scenario(store: VaultKv) -> None:
        path = StorePath("secret/kept/a")
        await store.write(path, {"a": "b"}, 0)
        limits = {"max_versions": 7, "delete_version_after": "1h30m", "cas_required": True}
        own_vault.write("secret/metadata/kept/a", limits)
        await store.patch_metadata(path, {"rotator_key_fp": "aa"})
        metadata = await store.read_metadata(path)
        assert metadata is not None
        assert metadata.max_versions == 7
        assert metadata.delete_version_after == timedelta(minutes=90)
        assert own_vault.read("secret/metadata/kept/a")["data"]["cas_required"] is True

    run(own_vault, tmp_path, scenario)


def test_a_backup_put_back_is_an_older_truth(own_vault: VaultServer, tmp_path: Path) -> None:
    """After the server's files were put back the store reads the older version at once."""

    async def scenario(store: VaultKv) -> None:
        path = StorePath("secret/backup/a")
        await store.write(path, {"n": 1}, 0)
        kept = own_vault.save_files()
        await store.write(path, {"n": 2}, 1)
        own_vault.put_files(kept)
        secret = await store.read(path)
        assert secret is not None
        assert (secret.version, secret.data) == (1, {"n": 1})
        assert await store.write(path, {"n": 3}, 1) == 2

    run(own_vault, tmp_path, scenario)


@pytest.mark.slow
def test_a_snapshot_put_back_is_an_older_truth(vault: VaultServer, tmp_path: Path) -> None:
    """After a restored snapshot the store reads the older versions, here and elsewhere."""
    here = VaultServer(VAULT.ensured(), "raft").start()
    there = VaultServer(VAULT.ensured(), "raft").start()
    try:
        here.mount("secret")

        async def scenario(store: VaultKv) -> None:
            await store.write(PATH, {"n": 1}, 0)
            snapshot = here.save_snapshot()
            await store.write(PATH, {"n": 2}, 1)
            here.restore_snapshot(snapshot)
            secret = await store.read(PATH)
            assert secret is not None
            assert (secret.version, secret.data) == (1, {"n": 1})
            there.restore_snapshot(snapshot, here.unseal_key)

        async def elsewhere(store: VaultKv) -> None:
            secret = await store.read(PATH)
            assert secret is not None
            assert secret.data == {"n": 1}

        run(here, tmp_path, scenario)
        run(here, tmp_path, elsewhere, there.address)
    finally:
        here.close()
        there.close()
