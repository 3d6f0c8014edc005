"""What the daemon may do in the cluster, and whom it may reach."""

from __future__ import annotations

import pytest

from tests.deploy.chart.kit import CASES, NAMESPACE, Helm, Object

pytestmark = pytest.mark.real


def rules(role: Object) -> set[tuple[str, str, str, str]]:
    """Return (group, resource, verb, name) of each thing that a role allows; * = any name."""
    return {
        (group, resource, verb, name)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", ["*"])
    }


def test_the_daemon_may_only_hold_its_lease(helm4: Helm) -> None:
    """By default it may make a Lease and read, watch and change its own, in its own namespace."""
    rendered = helm4.render()
    role = rendered.one("Role")
    lease = ("coordination.k8s.io", "leases")
    assert rules(role) == {
        (*lease, "create", "*"),
        (*lease, "get", "rotator"),
        (*lease, "update", "rotator"),
        (*lease, "watch", "rotator"),
    }
    assert role["metadata"]["namespace"] == NAMESPACE


@pytest.mark.parametrize("case", CASES)
def test_no_right_reaches_over_the_cluster(helm4: Helm, case: str) -> None:
    """No example has a ClusterRole, a wildcard, a right over Secrets, or a Role without binding."""
    rendered = helm4.render(case)
    assert not [each for each in rendered.objects if each["kind"].startswith("ClusterRole")]
    roles, bindings = rendered.every("Role"), rendered.every("RoleBinding")
    for role in roles:
        allowed = {word for rule in rules(role) for word in rule[:3]}
        assert not {"*", "secrets"} & allowed
    for role, binding in zip(roles, bindings, strict=True):
        assert binding["roleRef"]["name"] == role["metadata"]["name"]
        assert binding["metadata"]["namespace"] == role["metadata"]["namespace"]
        (subject,) = binding["subjects"]
        assert subject["name"] == rendered.pod["serviceAccountName"]
        assert subject["namespace"] == rendered.one("Deployment")["metadata"]["namespace"]


def test_restarts_are_allowed_where_they_are_named(helm4: Helm) -> None:
    """Each namespace of `rolloutRestart` has a Role that patches the named Deployments, no more."""
    rendered = helm4.render("rollout-restart")
    restart = {
        r["metadata"]["namespace"]: r
        for r in rendered.every("Role")
        if "restart" in r["metadata"]["name"]
    }
    assert set(restart) == {"desk-a", "desk-b"}
    for role in restart.values():
        assert rules(role) == {
            ("apps", "deployments", verb, name)
            for verb in ("get", "patch")
            for name in ("bot", "hedger")
        }
    own = rules(rendered.one("Role", "rotator"))
    assert ("events.k8s.io", "events", "create", "*") in own


def test_rights_can_be_given_by_somebody_else(helm4: Helm) -> None:
    """With `rbac.create` off no Role is made; without a lease none is needed."""
    assert helm4.render({"rbac": {"create": False}}).every("Role") == []
    assert helm4.render("no-lease").every("Role") == []


def test_the_account_can_be_somebody_elses(helm4: Helm) -> None:
    """With `serviceAccount.create` off the named account is used, else the namespace's default."""
    rendered = helm4.render({"serviceAccount": {"create": False, "name": "given"}})
    assert rendered.every("ServiceAccount") == []
    assert rendered.pod["serviceAccountName"] == "given"
    unnamed = helm4.render({"serviceAccount": {"create": False}})
    assert unnamed.pod["serviceAccountName"] == "default"


def test_the_network_policy_covers_both_pods(helm4: Helm) -> None:
    """The policy selects the daemon's pod and that of `helm test`, both ways."""
    rendered = helm4.render("network-policy")
    policy = rendered.one("NetworkPolicy")["spec"]
    selector = policy["podSelector"]["matchLabels"]
    daemon = rendered.one("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert selector.items() <= daemon.items()
    assert selector.items() <= rendered.one("Pod")["metadata"]["labels"].items()
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["egress"][-1]["ports"] == [{"port": 3128, "protocol": "TCP"}]
    assert len(policy["egress"]) == 4


def test_the_default_policy_keeps_the_instance_metadata_out(helm4: Helm) -> None:
    """Exchanges are reached on 443 of public addresses only."""
    policy = helm4.render("network-policy-open").one("NetworkPolicy")["spec"]
    public = policy["egress"][-1]
    assert public["ports"] == [{"port": 443, "protocol": "TCP"}]
    assert "169.254.0.0/16" in public["to"][0]["ipBlock"]["except"]
    assert {port["port"] for rule in policy["egress"] for port in rule["ports"]} == {
        *(53, 443, 6443, 8200)
    }
