"""What the process tests share: one sandbox without rate limits, one Vault."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.processes.estate import Estate, estate
from tests.processes.program import Sandbox
from tests.servers.vault_server import VaultServer

Build = Callable[..., Estate]


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One sandbox for all tests that order no faults and move no clock."""
    running = Sandbox(tmp_path_factory.mktemp("sandbox"))
    yield running
    running.close()


@pytest.fixture
def own_sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox of the test's own, to break as it likes."""
    folder = tmp_path / "sandbox"
    folder.mkdir()
    running = Sandbox(folder)
    yield running
    running.close()


@pytest.fixture
def build(vault: VaultServer, sandbox: Sandbox, tmp_path: Path) -> Iterator[Build]:
    """Build an estate on the shared Vault (or another one); it is ended with the test."""
    with ExitStack() as stack:

        def built(**options: Any) -> Estate:
            server = options.pop("server", vault)
            exchange = options.pop("exchange", sandbox)
            folder = tmp_path / f"estate{options.pop('name', '')}"
            return stack.enter_context(estate(server, exchange, folder, **options))

        yield built
