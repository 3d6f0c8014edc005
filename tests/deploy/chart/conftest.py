"""Both real Helms, and what the tests of the chart validate against."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import pytest

from tests.deploy.chart.kit import Helm
from tests.servers.build import HELM_3, HELM_4, Server, ServerMissing
from tests.servers.checkov import environment
from tests.servers.crd_schemas import Schema, crd_schemas

T = TypeVar("T")


def _had(make: Callable[[], T]) -> T:
    """Return what a test needs; skip with one sentence if it cannot be had, in CI fail."""
    try:
        return make()
    except ServerMissing as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing))
        pytest.skip(str(missing))


def _helm(server: Server, home: Path) -> Helm:
    return Helm(_had(server.ensured), home)


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


@pytest.fixture(scope="session")
def schemas() -> Mapping[tuple[str, str], Schema]:
    """The CRDs' schemas by apiVersion and kind."""
    return _had(crd_schemas)


@pytest.fixture(scope="session")
def checkov() -> Path:
    """The environment that checkov lives in."""
    return _had(environment)
