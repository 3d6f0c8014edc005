"""What the tests of the lease share: one real API server, and pods in namespaces of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes.conftest import build, sandbox
from tests.servers.build import ServerMissing
from tests.servers.kube_server import KubeServer, Pod

__all__ = ["build", "sandbox"]

ACCOUNT = "rotator"


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


@pytest.fixture
def namespace(kube: KubeServer) -> str:
    """A fresh namespace with the account of the daemon, which may use leases."""
    name = kube.namespace()
    kube.account(name, ACCOUNT)
    kube.allow_leases(name, ACCOUNT)
    return name


@pytest.fixture
def pod(kube: KubeServer, namespace: str, tmp_path: Path) -> Pod:
    """What a pod of the daemon finds in its container."""
    return kube.pod(tmp_path / "serviceaccount", namespace, ACCOUNT)
