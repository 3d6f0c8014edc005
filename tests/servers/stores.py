"""Opens the product's Vault store on a test server, with real time."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rotator.stores.port import OnRequest
from rotator.stores.vault.kv import VaultKv, open_vault
from rotator.stores.vault.settings import Auth, TokenFileAuth, VaultSettings
from tests.servers.vault_server import VaultServer


def utc_now() -> datetime:
    """Return the time of the machine."""
    return datetime.now(UTC)


def token_auth(folder: Path, token: str) -> TokenFileAuth:
    """Write a token into a file of its own and return the auth that reads it."""
    file = folder / f"token-{time.monotonic_ns()}"
    file.write_text(token + "\n")
    return TokenFileAuth(file)


def open_store(
    vault: VaultServer | str,
    auth: Auth,
    *,
    on_request: OnRequest | None = None,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    **settings: Any,
) -> VaultKv:
    """Open a store on a server (or an address) with an auth and any other settings."""
    address = vault if isinstance(vault, str) else vault.address
    return open_vault(
        VaultSettings(address, auth, **settings),
        clock=utc_now,
        monotonic=monotonic,
        sleep=sleep,
        on_request=on_request,
    )
