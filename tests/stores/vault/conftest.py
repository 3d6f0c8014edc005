"""A Vault that one module may seal, kill and restart without hurting others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.build import VAULT
from tests.servers.vault_server import VaultServer


@pytest.fixture(scope="module")
def own_vault(vault: VaultServer) -> Iterator[VaultServer]:
    """A real Vault of this module's own, with a KV v2 mount at `secret`."""
    server = VaultServer(VAULT.ensured()).start()
    server.mount("secret")
    yield server
    server.close()
