"""A real Vault for the demo: one that the environment names, or a fresh one of its own."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Final

from rotator.core.names import StorePath
from rotator.core.outcome import StoreError
from rotator.engine.clock import Clock
from rotator.stores.port import KvStore
from rotator.stores.vault.kv import open_vault
from rotator.stores.vault.settings import TokenFileAuth, VaultSettings
from rotator.wiring.demo.processes import Child, DemoFailed
from rotator.wiring.demo.recipe import Shelf, vault_shelf

READY_WITHIN: Final = 25.0
LOOK_AGAIN: Final = 0.1
MOUNT: Final = "secret/"

NO_VAULT: Final = (
    "--vault: there is none. Set VAULT_ADDR and log in (`vault login`), or install the `vault` "
    "program (https://developer.hashicorp.com/vault/install)."
)


Start = Callable[[str, tuple[str, ...], Path, Mapping[str, str]], Awaitable[Child]]
"""Starts a child that ends with the demo: its name, its command, its folder, its environment."""


@dataclass(frozen=True, slots=True)
class Vault:
    """Where the demo's secrets go, and what to tell of it."""

    shelf: Shelf
    told: str
    left: str = ""
    """What stays behind, and how it is removed."""


async def find_vault(start: Start, folder: Path, environ: Mapping[str, str], clock: Clock) -> Vault:
    """Return the Vault of VAULT_ADDR, else start one in memory; raises DemoFailed."""
    address = environ.get("VAULT_ADDR")
    if address:
        return _theirs(address, environ)
    program = shutil.which("vault", path=environ.get("PATH"))
    if program is None:
        raise DemoFailed(NO_VAULT)
    return await _ours(start, folder, program, environ, clock)


def _theirs(address: str, environ: Mapping[str, str]) -> Vault:
    token = Path(environ.get("ROTATOR_TOKEN_FILE") or "~/.vault-token").expanduser().absolute()
    if not token.is_file():
        raise DemoFailed(f"--vault: VAULT_ADDR is set, but {token} is missing. Run `vault login`.")
    below = f"{MOUNT}rotator-demo-{secrets.token_hex(3)}/"
    return Vault(
        vault_shelf(address, str(token), below),
        f"the Vault at {address}, everything below {below}",
        f"What the demo wrote stays in Vault below {below}: Rotator deletes no path. Remove it "
        "with `vault kv metadata delete` when you have seen enough.",
    )


async def _ours(
    start: Start, folder: Path, program: str, environ: Mapping[str, str], clock: Clock
) -> Vault:
    """Start a Vault in memory, on a loopback port that the kernel says is free."""
    port = _free_port()
    token = secrets.token_hex(16)
    token_file = folder / "vault-token"
    token_file.touch(mode=0o600)
    token_file.write_text(token)
    surroundings = {
        "HOME": str(folder),
        "PATH": environ.get("PATH", os.defpath),
        "VAULT_DEV_ROOT_TOKEN_ID": token,
    }
    listen = f"-dev-listen-address=127.0.0.1:{port}"
    command = (program, "server", "-dev", "-dev-no-store-token", listen)
    server = await start("vault", command, folder, surroundings)
    address = f"http://127.0.0.1:{port}"
    await _answers(server, VaultSettings(address, TokenFileAuth(token_file)), clock)
    return Vault(vault_shelf(address, token_file.name), f"a fresh Vault in memory at {address}")


async def _answers(server: Child, settings: VaultSettings, clock: Clock) -> None:
    """Wait until the server and its mount answer."""
    give_up = clock.monotonic() + READY_WITHIN
    store = open_vault(settings, clock=clock.now, monotonic=clock.monotonic, sleep=_wait)
    try:
        while not server.ended and clock.monotonic() < give_up:
            if (await store.health()).up and await _mounted(store):
                return
            await clock.sleep(LOOK_AGAIN)
    finally:
        await store.close()
    raise DemoFailed("the Vault server did not start", server.log)


async def _mounted(store: KvStore) -> bool:
    try:
        await store.mount_limits(StorePath(f"{MOUNT}rotator"))
    except StoreError:
        return False
    return True


def _wait(seconds: float) -> None:
    """Wait in one of the store's threads."""
    Event().wait(seconds)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
