"""Both real Helms, and what the tests of the chart validate against."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.deploy.chart.kit import Helm
from tests.servers.build import HELM_3, HELM_4, Server, ServerMissing


def _helm(server: Server, home: Path) -> Helm:
    try:
        return Helm(server.ensured(), home)
    except ServerMissing as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing))
        pytest.skip(str(missing))


@pytest.fixture(
    scope="session", params=[HELM_4, HELM_3], ids=lambda server: f"helm{server.version[0]}"
)
def helm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Each of the two Helms."""
    return _helm(request.param, tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def helm4(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """The newer Helm alone, where both render the same."""
    return _helm(HELM_4, tmp_path_factory.mktemp("helm"))
