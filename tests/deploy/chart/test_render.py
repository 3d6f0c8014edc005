"""Both Helms take the chart, and refuse what cannot be meant."""

from __future__ import annotations

from typing import Any

import pytest

from tests.deploy.chart.kit import CASES, Helm

pytestmark = pytest.mark.real


@pytest.mark.parametrize("case", CASES)
def test_lint_is_silent(helm: Helm, case: str) -> None:
    """`helm lint --strict` has nothing against any example."""
    done = helm.lint(case)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("case", CASES)
def test_every_example_renders(helm: Helm, case: str) -> None:
    """Each example gives objects with a name, a namespace and the usual labels."""
    rendered = helm.render(case)
    assert rendered.ok, rendered.message
    assert rendered.every("Deployment")
    ours = [each for each in rendered.objects if "labels" in each["metadata"]]
    assert len(ours) >= 5
    for each in ours:
        metadata = each["metadata"]
        assert metadata["namespace"]
        assert metadata["labels"]["app.kubernetes.io/name"] == "rotator"
        assert metadata["labels"]["app.kubernetes.io/instance"] == "rotator"
        assert metadata["labels"]["app.kubernetes.io/managed-by"] == "Helm"
        assert metadata["labels"]["app.kubernetes.io/part-of"] == "rotator"
        assert metadata["labels"]["helm.sh/chart"] == "rotator-0.1.0"


def test_both_helms_render_the_same(helm: Helm, helm4: Helm) -> None:
    """The objects do not depend on the Helm."""
    assert helm.render("alerts").objects == helm4.render("alerts").objects


def test_an_older_kubernetes_is_refused(helm: Helm) -> None:
    """A cluster before 1.25 is refused with the version that is needed."""
    rendered = helm.render("default", kube="1.24.0")
    assert not rendered.ok
    assert ">=1.25.0-0" in rendered.message


REFUSED: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "unknown value": ({"replicas": 3}, ("replicas",)),
    "unknown inner value": ({"image": {"tags": "1"}}, ("image", "tags")),
    "wrong type": ({"replicaCount": "three"}, ("replicaCount", "integer")),
    "wrong word": (
        {"serviceMonitor": {"renderMode": "maybe"}},
        ("serviceMonitor", "renderMode", "failIfMissing"),
    ),
    "wrong severity": (
        {"prometheusRule": {"alerts": {"RotatorDown": {"severity": "page"}}}},
        ("RotatorDown", "severity", "critical"),
    ),
    "unknown alert": (
        {"prometheusRule": {"alertForOverrides": {"RotatorUp": "1m"}}},
        ("alertForOverrides", "RotatorUp"),
    ),
    "port too high": ({"listen": {"port": 70000}}, ("listen", "port")),
    "no digest": ({"image": {"digest": "latest"}}, ("digest", "sha256")),
    "password in clear": (
        {"webConfig": {"config": {"basic_auth_users": {"me": "hunter2"}}}},
        ("basic_auth_users", "me"),
    ),
    "unknown web option": (
        {"webConfig": {"config": {"tls_config": {}}}},
        ("webConfig", "tls_config"),
    ),
    "unknown part of the configuration": ({"config": {"rotate": {}}}, ("config", "rotate")),
    "wrong duration": ({"config": {"every": {"inspect": "hourly"}}}, ("every", "inspect")),
    "wrong number": ({"config": {"rotation": {"in_flight": 0}}}, ("rotation", "in_flight")),
    "lease in the configuration": (
        {"config": {"lease": {"file": "/tmp/lock"}}},
        ("leaderElection.enabled",),
    ),
    "port in the configuration": (
        {"config": {"serve": {"listen": "0.0.0.0:1"}}},
        ("listen.address",),
    ),
    "port for probes in the configuration": (
        {"config": {"serve": {"probes": "0.0.0.0:1"}}},
        ("listen.probePort",),
    ),
    "one port for two": ({"listen": {"probePort": 9789}}, ("listen.probePort", "another")),
    "web file in the configuration": (
        {"config": {"serve": {"web_config": "/web.yaml"}}},
        ("webConfig.existingSecret",),
    ),
    "replicas without a lease": (
        {"replicaCount": 2, "leaderElection": {"enabled": False}},
        ("leaderElection.enabled to true",),
    ),
    "two monitors": (
        {"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}},
        ("serviceMonitor and podMonitor", "enable one"),
    ),
    "monitor without its Service": (
        {"serviceMonitor": {"enabled": True}, "service": {"enabled": False}},
        ("service.enabled",),
    ),
    "two web configurations": (
        {"webConfig": {"config": {"rate_limit": {"interval": "1s"}}, "existingSecret": "web"}},
        ("keep one",),
    ),
    "two CAs": (
        {"vault": {"ca": {"existingSecret": "a", "existingConfigMap": "b"}}},
        ("vault.ca.existingSecret", "keep one"),
    ),
    "two logins": (
        {
            "vault": {
                "approle": {"existingSecret": "a"},
                "clientCertificate": {"existingSecret": "b"},
            }
        },
        ("two logins",),
    ),
    "a login beside the configuration's": (
        {
            "vault": {"approle": {"existingSecret": "a"}},
            "config": {"store": {"vault": {"auth": {"method": "kubernetes"}}}},
        },
        ("config.store.vault.auth",),
    ),
    "two bounds of disruption": (
        {"podDisruptionBudget": {"enabled": True, "minAvailable": 1, "maxUnavailable": 1}},
        ("minAvailable and maxUnavailable",),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_meant_is_refused(helm: Helm, case: str) -> None:
    """A value that is wrong, or that contradicts another, is refused by name."""
    values, expected = REFUSED[case]
    rendered = helm.render(values)
    assert not rendered.ok, rendered.text
    assert [word for word in expected if word not in rendered.message] == [], rendered.message


MODES = {
    "serviceMonitor": "monitoring.coreos.com/v1/ServiceMonitor",
    "podMonitor": "monitoring.coreos.com/v1/PodMonitor",
    "prometheusRule": "monitoring.coreos.com/v1/PrometheusRule",
    "verticalPodAutoscaler": "autoscaling.k8s.io/v1/VerticalPodAutoscaler",
}


@pytest.mark.parametrize("value", MODES)
def test_a_kind_that_the_cluster_lacks(helm: Helm, value: str) -> None:
    """By `renderMode` a missing kind is left out, refused by name, or written all the same."""
    switch = "create" if value == "prometheusRule" else "enabled"
    api = MODES[value]
    kind = api.rsplit("/", 1)[-1]

    def values(mode: str) -> dict[str, Any]:
        return {value: {switch: True, "renderMode": mode}}

    assert helm.render(values("skipIfMissing")).every(kind) == []
    assert len(helm.render(values("skipIfMissing"), apis=[api]).every(kind)) == 1
    assert len(helm.render(values("alwaysRender")).every(kind)) == 1
    assert len(helm.render(values("failIfMissing"), apis=[api]).every(kind)) == 1
    refused = helm.render(values("failIfMissing"))
    assert not refused.ok
    assert f"{value}.{switch} is on, but the cluster has no {api}" in refused.message
