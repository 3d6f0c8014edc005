"""Programs that Debian packages: each test that needs one is skipped without it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.servers.build import ServerMissing, packaged


def program(name: str) -> Path:
    """Return a program's path; without it the test is skipped, with CI=true it fails."""
    try:
        return packaged(name)
    except ServerMissing as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing))
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def promtool() -> Path:
    """Prometheus' tool that checks and tests rules."""
    return program("promtool")


@pytest.fixture(scope="session")
def amtool() -> Path:
    """Alertmanager's tool that checks configurations and routes."""
    return program("amtool")
