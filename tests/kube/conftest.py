"""What the tests of the lease share: one real API server, and pods in namespaces of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.processes.conftest import build, sandbox
from tests.servers.kube_server import KubeServer, Pod

__all__ = ["build", "sandbox"]

ACCOUNT = "rotator"


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
