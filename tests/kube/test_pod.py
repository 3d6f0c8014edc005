"""A daemon in a pod: what it shows while it stands by, what it may not do, how it signs in."""

from __future__ import annotations

import time

import pytest

from tests.kube.conftest import ACCOUNT
from tests.kube.team import DURATION, Team
from tests.processes.conftest import Build
from tests.processes.program import until
from tests.processes.verdict import assert_done, assert_sound
from tests.servers.kube_server import LEASES, KubeServer, Pod
from tests.servers.vault_server import VaultServer

pytestmark = [pytest.mark.process, pytest.mark.real, pytest.mark.timeout(120)]


@pytest.fixture
def idle(build: Build, kube: KubeServer, namespace: str, pod: Pod) -> Team:
    """Daemons that have nothing to rotate."""
    return Team(build(armed=False), kube, namespace, pod)


def test_who_stands_by(idle: Team) -> None:
    """Every replica is ready; only the leader tells of credentials, not one that led before."""
    first, (second,) = idle.start(2)
    first.wait_for("pass")
    until(lambda: "rotator_credential_info{" in first.metrics(), "the first pass is rendered")
    assert "\nrotator_leader 1" in first.metrics()
    for path in ("/readyz", "/healthz"):
        assert second.page(path)[0] == 200
    assert "\nrotator_leader 0" in second.metrics()
    assert "\nrotator_store_up 1" in second.metrics()
    assert "rotator_credential" not in second.metrics()
    assert idle.holder() == "member0"
    assert second.events("standby")[0]["why"].startswith("member0_")
    first.freeze()
    second.wait_for("leader")
    first.thaw()
    first.wait_for("standby")
    assert "\nrotator_leader 0" in first.metrics()
    assert "rotator_credential" not in first.metrics()
    assert first.page("/readyz")[0] == 200
    idle.stop()
    assert_sound(idle.there)


def test_the_lease_keeps_the_anchor(idle: Team) -> None:
    """The epoch is written to the Lease at each pass; without it the store counts as restored."""
    first, (second,) = idle.start(2)
    first.wait_for("pass")
    assert idle.anchor() == _epoch(idle)
    first.kill()
    second.wait_for("pass", standing="going")
    assert (idle.anchor() or 0) >= 2
    assert second.stop() == 0
    path = f"{LEASES}/namespaces/{idle.namespace}/leases/rotator"
    lease = idle.kube.lease(idle.namespace)
    number = int(lease["metadata"]["annotations"]["rotator/epoch"])
    lease["metadata"]["annotations"]["rotator/epoch"] = str(number + 5)
    idle.kube.api("PUT", path, lease)
    third = idle.member()
    told = third.wait_for("pass")
    assert "restored from a backup" in told["standing"]
    idle.there.vault.put("rotator/commands/resume", {"epoch": _epoch(idle)}, idle.there.person())
    third.wait_for("pass", standing="going")
    assert (idle.anchor() or 0) > number + 5
    idle.stop()


def _epoch(team: Team) -> int:
    found = team.there.vault.get("rotator/epoch")
    return int(found["data"]["epoch"]) if found else 0


def test_a_role_that_does_not_allow_leases(idle: Team) -> None:
    """A refusal is one sentence that says what to bind; with the Role it leads by itself."""
    idle.kube.forbid_leases(idle.namespace, ACCOUNT)
    once = idle.once()
    assert once.ended() == 1
    assert "bind a Role to our service account that allows" in once.log()
    member = idle.member()
    why = member.wait_for("standby")["why"]
    assert "refuses to get the Lease" in why
    assert "(403)" in why
    assert member.page("/readyz")[0] == 200
    time.sleep(2)
    assert len(member.events("standby")) == 1
    _bind_again(idle)
    member.wait_for("leader")
    idle.kube.forbid_leases(idle.namespace, ACCOUNT)
    assert "update the Lease" in member.wait_for("lease_lost")["why"]
    member.wait_for("stood_down")
    idle.stop()


def _bind_again(team: Team) -> None:
    path = f"apis/rbac.authorization.k8s.io/v1/namespaces/{team.namespace}/roles/{ACCOUNT}"
    team.kube.api("DELETE", path)
    team.kube.allow_leases(team.namespace, ACCOUNT)


def test_a_single_run(idle: Team) -> None:
    """`run --once` exits 1 while another leads; a holder that was killed is waited out."""
    first = idle.member()
    first.wait_for("pass")
    once = idle.once()
    assert once.ended() == 1
    assert "lease.kubernetes: member0_" in once.log()
    first.kill()
    died = time.monotonic()
    once = idle.once("1s")
    assert once.ended() == 0, once.log()
    assert time.monotonic() - died > DURATION - 2
    assert once.json()["credentials"] == 2
    assert idle.holder() == ""


def test_doctor_in_a_pod(idle: Team) -> None:
    """`doctor` says whether the Lease may be used, and changes nothing."""

    def asked() -> dict[str, bool]:
        program = idle.there._program("doctor", "doctor", "-o", "json", environ=idle.pod.environ)
        program.ended()
        return {c["name"]: c["ok"] for c in program.json()["checks"]}

    assert asked()["lease"] is True
    assert idle.kube.lease(idle.namespace) == {}
    member = idle.member()
    member.wait_for("leader")
    assert asked()["lease"] is True
    assert asked()["anchor"] is True
    idle.kube.forbid_leases(idle.namespace, ACCOUNT)
    assert asked()["lease"] is False
    idle.stop()


def test_vault_takes_the_pods_token(
    build: Build, kube: KubeServer, vault: VaultServer, namespace: str, pod: Pod
) -> None:
    """Vault's kubernetes auth knows the daemon by a projected token, through a TokenReview."""
    there = build()
    team = Team(there, kube, namespace, pod)
    kube.account(namespace, "vault")
    kube.review_tokens(namespace, "vault")
    mount = f"kubernetes-{namespace}"
    vault.enable_auth("kubernetes", mount)
    config = {
        "kubernetes_host": kube.address,
        "kubernetes_ca_cert": kube.ca_file.read_text(),
        "token_reviewer_jwt": kube.token(namespace, "vault"),
        "disable_iss_validation": True,
    }
    vault.write(f"auth/{mount}/config", config)
    role = {
        "bound_service_account_names": ACCOUNT,
        "bound_service_account_namespaces": namespace,
        "audience": "vault",
        "token_policies": [f"{there.vault.mount}-rotate"],
        "token_ttl": "1h",
    }
    vault.write(f"auth/{mount}/role/rotator", role)
    token = there.folder / "vault-token"
    token.write_text(kube.token(namespace, ACCOUNT, "vault"))
    auth = {"method": "kubernetes", "role": "rotator", "mount": mount, "token_file": str(token)}
    there.document["store"]["vault"]["auth"] = auth
    there.canaries.add(token.read_text())
    there.write_config()
    team.member()
    there.wait_for_phase("DONE")
    team.stop()
    assert_done(there, creates=1)
