"""The drivers that the conformance suite runs over."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stores import kv_drivers
from tests.stores.kv_drivers import Driver


@pytest.fixture(params=["local", pytest.param("vault", marks=pytest.mark.real)])
def driver(request: pytest.FixtureRequest, tmp_path: Path) -> Driver:
    """A function that opens one driver on a fresh mount with given limits."""
    if request.param == "local":
        return lambda **limits: kv_drivers.local(tmp_path, **limits)
    server = request.getfixturevalue("vault")
    return lambda **limits: kv_drivers.vault(server, tmp_path, **limits)
