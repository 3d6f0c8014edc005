"""Fixtures that several areas share."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.servers.build import VAULT, ServerMissing
from tests.servers.kube_server import KubeServer
from tests.servers.vault_server import VaultServer

pytest_plugins = ["tests.net.plugin", "tests.told"]

# A shell starts what runs behind it with SIGINT ignored, and children inherit that: the
# programs that the tests interrupt would never hear of it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine is no finding: a test has its minute, an example no share of it.
settings.register_profile("rotator", deadline=None)
settings.load_profile("rotator")


@pytest.fixture
def anyio_backend() -> str:
    """Run anyio's tests on asyncio alone."""
    return "asyncio"


@pytest.fixture(scope="session")
def vault() -> Iterator[VaultServer]:
    """One real Vault for the whole run; take a mount of your own by `vault.fresh_mount()`."""
    try:
        binary = VAULT.ensured()
    except ServerMissing:
        if os.environ.get("CI") == "true":
            pytest.fail(VAULT.how_to)
        pytest.skip(VAULT.how_to)
    server = VaultServer(binary).start()
    yield server
    server.close()


@pytest.fixture
def mount(vault: VaultServer) -> str:
    """A fresh KV v2 mount on the shared Vault."""
    return vault.fresh_mount()


@pytest.fixture(scope="session")
def kube() -> Iterator[KubeServer]:
    """One real API server for the whole run; take a namespace of your own."""
    try:
        server = KubeServer()
    except ServerMissing as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    try:
        yield server.start()
    finally:
        server.close()
