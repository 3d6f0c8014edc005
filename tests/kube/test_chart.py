"""The chart on a real API server: accepted, upgraded, rolled back, and its rights are enough.

No kubelet runs, so no pod does: what the pods would run is run as processes, with the
service account and the variables that they would have.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kube.team import Team
from tests.processes.conftest import Build
from tests.processes.program import ROOT, until
from tests.servers.build import HELM_3, HELM_4, Server, ServerMissing
from tests.servers.kube_server import KubeServer

CHART = ROOT / "helm" / "rotator"
RELEASE = "keys"

pytestmark = [
    pytest.mark.process,
    pytest.mark.real,
    pytest.mark.timeout(150),
    pytest.mark.skipif(not CHART.is_dir(), reason="There is no chart here yet."),
]


class Helm:
    """Runs helm on the chart in one namespace."""

    def __init__(self, binary: Path, kube: KubeServer, namespace: str, home: Path) -> None:
        self._start = [str(binary), "--kubeconfig", str(kube.kubeconfig()), "-n", namespace]
        self._environ = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
        self.kube = kube
        self.namespace = namespace

    def do(self, *arguments: str) -> str:
        """Run a command that must succeed; return what it printed."""
        done = subprocess.run(
            [*self._start, *arguments],
            check=False,
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=self._environ,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def objects(self, group: str, kind: str) -> list[dict[str, Any]]:
        """Return the objects of a kind that the API server has."""
        path = f"{group}/namespaces/{self.namespace}/{kind}"
        return list(self.kube.api("GET", path)["items"])

    def replicas(self) -> int:
        """Return how many daemons the Deployment asks for."""
        [deployment] = self.objects("apis/apps/v1", "deployments")
        return int(deployment["spec"]["replicas"])


@pytest.fixture(params=[HELM_4, HELM_3], ids=["helm4", "helm3"])
def helm(request: pytest.FixtureRequest, kube: KubeServer, tmp_path: Path) -> Helm:
    """Helm of both majors, as administrator, in a namespace of its own."""
    server: Server = request.param
    try:
        binary = server.ensured()
        kube.control()
    except ServerMissing as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    return Helm(binary, kube, kube.namespace(), tmp_path)


def values(name: str) -> tuple[str, str]:
    """Return the arguments that name one of the chart's own value sets."""
    return ("--values", str(CHART / "ci" / f"{name}-values.yaml"))


def test_install_upgrade_and_roll_back(helm: Helm) -> None:
    """The API server takes the chart in two shapes, and the way back."""
    helm.do("install", RELEASE, str(CHART), *values("default"))
    assert helm.replicas() == 1
    assert helm.objects("apis/policy/v1", "poddisruptionbudgets") == []
    helm.do("upgrade", RELEASE, str(CHART), *values("high-availability"))
    assert helm.replicas() == 3
    until(lambda: len(helm.objects("api/v1", "pods")) >= 3, "the controllers make three pods")
    assert len(helm.objects("apis/policy/v1", "poddisruptionbudgets")) == 1
    helm.do("rollback", RELEASE, "1")
    assert helm.replicas() == 1
    assert helm.objects("apis/policy/v1", "poddisruptionbudgets") == []
    history = json.loads(helm.do("history", RELEASE, "-o", "json"))
    assert [h["status"] for h in history] == ["superseded", "superseded", "deployed"]
    helm.do("uninstall", RELEASE)
    assert helm.objects("apis/apps/v1", "deployments") == []


@pytest.mark.parametrize("helm", [HELM_4], ids=["helm4"], indirect=True)
def test_the_charts_rights_are_enough(helm: Helm, build: Build) -> None:
    """A daemon with the chart's own account leads, and what `helm test` runs is content."""
    helm.do("install", RELEASE, str(CHART), *values("default"))
    [deployment] = helm.objects("apis/apps/v1", "deployments")
    [config] = [c for c in helm.objects("api/v1", "configmaps") if "rotator.yaml" in c["data"]]
    lease = yaml.safe_load(config["data"]["rotator.yaml"])["lease"]["kubernetes"]
    account = deployment["spec"]["template"]["spec"]["serviceAccountName"]
    there = build(armed=False)
    pod = helm.kube.pod(there.folder / "pod", helm.namespace, account)
    team = Team(there, helm.kube, helm.namespace, pod)
    there.document["lease"]["kubernetes"] |= lease
    there.write_config()
    first = team.member()
    first.wait_for("pass", standing="going")
    second = team.member()
    second.wait_for("standby")
    hooks = list(yaml.safe_load_all(helm.do("get", "hooks", RELEASE)))
    [doctor] = [h for h in hooks if h and h["kind"] == "Pod"]
    arguments = doctor["spec"]["containers"][0]["args"]
    assert arguments[:2] == ["doctor", "--config"]
    program = there._program("doctor", "doctor", environ=pod.environ)
    assert program.ended() == 0, program.out_file.read_text()
    first.process.terminate()
    second.wait_for("leader")
    team.stop()
