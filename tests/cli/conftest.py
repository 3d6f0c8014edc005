"""A sandbox as a process of its own."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator

import pytest

from tests.cli.kit import Sandbox, started


def _running() -> Iterator[Sandbox]:
    with started("sandbox", "-o", "json") as child:
        assert child.stdout is not None
        running = Sandbox(json.loads(child.stdout.readline()))
        yield running
        running.close()
        child.send_signal(signal.SIGTERM)
        _, logs = child.communicate(timeout=20)
        assert child.returncode == 0, logs.decode()


@pytest.fixture(scope="package")
def shared_sandbox() -> Iterator[Sandbox]:
    """One sandbox for all; a test that bends its calendar takes `own_sandbox`."""
    yield from _running()


@pytest.fixture
def sandbox(shared_sandbox: Sandbox) -> Iterator[Sandbox]:
    """The shared sandbox, without faults that an earlier test ordered."""
    yield shared_sandbox
    shared_sandbox.control("DELETE", "/faults")


@pytest.fixture
def own_sandbox() -> Iterator[Sandbox]:
    """A sandbox for one test."""
    yield from _running()
