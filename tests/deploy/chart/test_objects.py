"""What the objects of the chart say."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from rotator.config import Config, load_bytes
from rotator.exchanges.registry import exchange_names
from tests.deploy.chart.kit import CASES, NAMESPACE, Helm

pytestmark = pytest.mark.real


def volume(spec: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a volume of a pod."""
    return next(each for each in spec["volumes"] if each["name"] == name)


def mounted(container: dict[str, Any]) -> dict[str, str]:
    """Return the mount path of each volume of a container."""
    return {each["name"]: each["mountPath"] for each in container["volumeMounts"]}


@pytest.mark.parametrize("case", [case for case in CASES if case != "existing-configmap"])
def test_the_daemon_accepts_its_configuration(helm4: Helm, case: str) -> None:
    """The file of every example passes `rotator config check`."""
    rendered = helm4.render(case)
    name = "keys" if case == "naming" else "rotator"
    file = rendered.one("ConfigMap", name)["data"]["rotator.yaml"]
    config = load_bytes(file.encode(), {}, tuple(exchange_names()))
    assert isinstance(config, Config), config
    assert config.store.vault is not None


def test_a_fresh_install_only_watches(helm4: Helm) -> None:
    """Nothing is armed by default, one daemon works by a Lease, and it answers on 9789."""
    config = load_bytes(helm4.render().config.encode(), {})
    assert isinstance(config, Config)
    assert config.rotation.armed == ()
    assert config.lease.kubernetes is not None
    assert config.lease.kubernetes.name == "rotator"
    assert config.lease.kubernetes.namespace == NAMESPACE
    assert config.store.anchor.file is None, "the Lease keeps the anchor"
    assert config.serve.listen == "0.0.0.0:9789"
    assert config.serve.web_config is None


def test_the_configuration_is_a_folder(helm4: Helm) -> None:
    """The ConfigMap is mounted whole, so that a change reaches the daemon without a restart."""
    rendered = helm4.render()
    mounts = [m for m in rendered.daemon["volumeMounts"] if m["name"] == "config"]
    assert mounts == [{"name": "config", "mountPath": "/etc/rotator/config", "readOnly": True}]
    assert rendered.daemon["args"] == ["run", "--config", "/etc/rotator/config/rotator.yaml"]
    assert not any("subPath" in mount for mount in rendered.daemon["volumeMounts"])
    template = rendered.one("Deployment")["spec"]["template"]
    assert "checksum/config" not in template["metadata"]["annotations"]


def test_a_restart_by_a_change_can_be_asked_for(helm4: Helm) -> None:
    """`rollOnConfigChange` puts a checksum on the pod that follows the configuration."""

    def checksum(armed: list[str]) -> str:
        values = {"rollOnConfigChange": True, "config": {"rotation": {"armed": armed}}}
        template = helm4.render(values).one("Deployment")["spec"]["template"]
        text: str = template["metadata"]["annotations"]["checksum/config"]
        return text

    assert checksum([]) == checksum([]) != checksum(["secret/trading/a"])


def test_the_configuration_of_somebody_else(helm4: Helm) -> None:
    """With `existingConfigMap` there is no ConfigMap of ours, and its key is what is read."""
    rendered = helm4.render("existing-configmap")
    assert rendered.every("ConfigMap") == []
    assert volume(rendered.pod, "config")["configMap"]["name"] == "rotator-config"
    assert rendered.daemon["args"][-1] == "/etc/rotator/config/config.yaml"


def test_the_pod_may_as_little_as_possible(helm4: Helm) -> None:
    """No root, no capability, no writable root, no token but the projected ones."""
    rendered = helm4.render()
    pod, daemon = rendered.pod, rendered.daemon
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 10_000
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert daemon["securityContext"]["allowPrivilegeEscalation"] is False
    assert daemon["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert daemon["securityContext"]["readOnlyRootFilesystem"] is True
    writable = [m["mountPath"] for m in daemon["volumeMounts"] if not m.get("readOnly")]
    assert writable == ["/var/lib/rotator", "/tmp"]
    assert {"name": "XDG_STATE_HOME", "value": "/var/lib/rotator"} in daemon["env"]


def test_vault_gets_a_token_of_its_own(helm4: Helm) -> None:
    """The token for Vault has Vault's audience and lies where the daemon looks by default."""
    rendered = helm4.render("vault-token")
    source = volume(rendered.pod, "vault-token")["projected"]["sources"][0]["serviceAccountToken"]
    assert source == {
        "path": "token",
        "audience": "https://vault.example",
        "expirationSeconds": 7200,
    }
    assert mounted(rendered.daemon)["vault-token"] == "/var/run/secrets/vault"


def test_the_api_token_is_where_a_client_looks(helm4: Helm) -> None:
    """Token, CA and namespace lie in the usual folder, and only if the API is asked."""
    rendered = helm4.render()
    sources = volume(rendered.pod, "kubernetes-api")["projected"]["sources"]
    assert [next(iter(each)) for each in sources] == [
        "serviceAccountToken",
        "configMap",
        "downwardAPI",
    ]
    usual = "/var/run/secrets/kubernetes.io/serviceaccount"
    assert mounted(rendered.daemon)["kubernetes-api"] == usual
    assert "kubernetes-api" not in mounted(helm4.render("no-lease").daemon)
    old = helm4.render({"serviceAccount": {"automount": True}})
    assert "kubernetes-api" not in mounted(old.daemon)
    assert old.pod["automountServiceAccountToken"] is True


@pytest.mark.parametrize(
    ("case", "method", "files"),
    [
        ("vault-approle", "approle", ("role_id_file", "secret_id_file")),
        ("vault-certificate", "cert", ("cert_file", "key_file")),
    ],
)
def test_other_logins_come_from_secrets(
    helm4: Helm, case: str, method: str, files: tuple[str, str]
) -> None:
    """AppRole and certificate point the configuration at files of a mounted Secret."""
    rendered = helm4.render(case)
    vault = yaml.safe_load(rendered.config)["store"]["vault"]
    assert vault["auth"]["method"] == method
    folders = set(mounted(rendered.daemon).values())
    for file in (vault["ca_file"], *(vault["auth"][name] for name in files)):
        assert file.rsplit("/", 1)[0] in folders
    assert "vault-token" not in mounted(rendered.daemon)


def test_probes_ask_the_daemon(helm4: Helm) -> None:
    """Liveness and readiness ask their own paths at the port."""
    daemon = helm4.render().daemon
    port = daemon["ports"][0]
    assert (port["name"], port["containerPort"]) == ("http", 9789)
    for probe, path in (("livenessProbe", "/-/healthy"), ("readinessProbe", "/-/ready")):
        assert daemon[probe]["httpGet"] == {"path": path, "port": "http", "scheme": "HTTP"}


def test_probes_know_what_the_port_asks_for(helm4: Helm) -> None:
    """With TLS alone they speak it; a probe that is given whole is taken as it is."""
    existing = helm4.render("web-config-existing").daemon
    assert existing["livenessProbe"]["httpGet"]["scheme"] == "HTTPS"
    own = helm4.render("scheduling").daemon
    assert own["livenessProbe"]["exec"] == {"command": ["rotator", "--version"]}
    assert "httpGet" not in own["livenessProbe"]
    assert "readinessProbe" not in own


CERTIFICATES = {"cert_file": "a", "key_file": "b", "client_auth_type": "RequireAndVerifyClientCert"}


@pytest.mark.parametrize(
    "values", ["web-config", {"webConfig": {"config": {"tls_server_config": CERTIFICATES}}}]
)
def test_probes_have_a_port_of_their_own(helm4: Helm, values: Any) -> None:
    """The kubelet has neither password nor certificate; no Service leads to that port."""
    rendered = helm4.render(values)
    assert yaml.safe_load(rendered.config)["serve"]["probes"] == "0.0.0.0:9790"
    daemon = rendered.daemon
    assert [port["containerPort"] for port in daemon["ports"]] == [9789, 9790]
    for probe, path in (("livenessProbe", "/-/healthy"), ("readinessProbe", "/-/ready")):
        assert daemon[probe]["httpGet"] == {"path": path, "port": "probes", "scheme": "HTTP"}
    service = rendered.one("Service")["spec"]
    assert [port["targetPort"] for port in service["ports"]] == ["http"]


def test_a_configmap_of_theirs_says_where_probes_go(helm4: Helm) -> None:
    """Its port for probes is asked if it is told; else a guarded port is only connected to."""
    theirs = {"existingConfigMap": "own", "webConfig": {"existingSecret": "web", "guarded": True}}
    untold = helm4.render(theirs).daemon
    assert untold["livenessProbe"]["tcpSocket"] == {"port": "http"}
    told = helm4.render({**theirs, "listen": {"probePort": 9999}}).daemon
    assert told["livenessProbe"]["httpGet"]["port"] == "probes"
    assert told["ports"][1]["containerPort"] == 9999


def test_the_web_configuration_is_a_secret(helm4: Helm) -> None:
    """An inline web configuration lies in a Secret at the path that the daemon is told."""
    rendered = helm4.render("web-config")
    secret = rendered.one("Secret", "rotator-web")
    assert "basic_auth_users" in yaml.safe_load(secret["stringData"]["web-config.yaml"])
    assert yaml.safe_load(rendered.config)["serve"]["web_config"] == (
        "/etc/rotator/web/web-config.yaml"
    )
    assert mounted(rendered.daemon)["web"] == "/etc/rotator/web"
    assert mounted(rendered.daemon)["tls"] == "/etc/rotator/tls"
    assert "xxxx" not in rendered.config
    assert rendered.every("ServiceMonitor")[0]["spec"]["endpoints"][0]["scheme"] == "https"
    existing = helm4.render("web-config-existing")
    assert existing.every("Secret") == []
    assert yaml.safe_load(existing.config)["serve"]["web_config"] == "/etc/rotator/web/web.yaml"


def test_hand_over_by_strategy(helm4: Helm) -> None:
    """With a Lease a new pod comes before the old one goes; without one it comes after."""
    with_lease = helm4.render("high-availability").one("Deployment")["spec"]
    assert with_lease["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert with_lease["replicas"] == 3
    assert helm4.render("no-lease").one("Deployment")["spec"]["strategy"] == {"type": "Recreate"}
    assert helm4.render().pod["terminationGracePeriodSeconds"] == 60


def test_the_lease_can_be_timed(helm4: Helm) -> None:
    """Name and times of the Lease reach the configuration, and the Role names the same Lease."""
    timed = {"leaseName": "lead", "duration": "30s", "renewDeadline": "20s", "retry": "4s"}
    rendered = helm4.render({"leaderElection": timed})
    assert yaml.safe_load(rendered.config)["lease"]["kubernetes"] == {
        "name": "lead",
        "namespace": NAMESPACE,
        "duration": "30s",
        "renew_deadline": "20s",
        "retry": "4s",
    }
    assert rendered.one("Role")["rules"][1]["resourceNames"] == ["lead"]


def test_replicas_are_spread_and_kept(helm4: Helm) -> None:
    """A constraint without a selector gets the pods' own, and a budget selects the same pods."""
    rendered = helm4.render("high-availability")
    labels = rendered.one("Deployment")["spec"]["selector"]["matchLabels"]
    zone, host = rendered.pod["topologySpreadConstraints"]
    assert zone["labelSelector"] == {"matchLabels": labels}
    assert host["labelSelector"]["matchLabels"] == {"app.kubernetes.io/name": "rotator"}
    budget = rendered.one("PodDisruptionBudget")["spec"]
    assert budget["selector"]["matchLabels"] == labels
    assert budget["minAvailable"] == 1
    assert "maxUnavailable" not in budget
    by_default = helm4.render({"podDisruptionBudget": {"enabled": True}})
    assert by_default.one("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    none = helm4.render({"podDisruptionBudget": {"enabled": True, "minAvailable": 0}})
    assert none.one("PodDisruptionBudget")["spec"]["minAvailable"] == 0


def test_the_service_sends_to_the_daemon_alone(helm4: Helm) -> None:
    """Service and Deployment select the daemon's pods, and never the pod of `helm test`."""
    rendered = helm4.render()
    selector = rendered.one("Service")["spec"]["selector"]
    daemon = rendered.one("Deployment")["spec"]["template"]["metadata"]["labels"]
    doctor = rendered.one("Pod")["metadata"]["labels"]
    assert selector.items() <= daemon.items()
    assert not selector.items() <= doctor.items()


def test_helm_test_runs_the_doctor(helm4: Helm) -> None:
    """`helm test` runs `rotator doctor` once, as the daemon's own account and configuration."""
    rendered = helm4.render()
    test = rendered.one("Pod")
    assert test["metadata"]["annotations"]["helm.sh/hook"] == "test"
    (doctor,) = test["spec"]["containers"]
    assert doctor["args"] == ["doctor", "--config", "/etc/rotator/config/rotator.yaml"]
    assert doctor["volumeMounts"] == rendered.daemon["volumeMounts"]
    assert doctor["env"] == rendered.daemon["env"]
    assert doctor["securityContext"] == rendered.daemon["securityContext"]
    assert "livenessProbe" not in doctor
    assert test["spec"]["restartPolicy"] == "Never"
    assert test["spec"]["serviceAccountName"] == rendered.pod["serviceAccountName"]
    assert test["spec"]["volumes"] == rendered.pod["volumes"]
    assert helm4.render({"helmTest": {"enabled": False}}).every("Pod") == []


def test_images_by_registry_tag_and_digest(helm4: Helm) -> None:
    """A digest wins over a tag, a global registry over the image's own."""

    def image(values: dict[str, Any]) -> str:
        text: str = helm4.render(values).daemon["image"]
        return text

    digest = f"sha256:{'0' * 64}"
    assert image({}) == "rotator:0.1.0"
    assert image({"image": {"registry": "r.example", "tag": "2"}}) == "r.example/rotator:2"
    assert image({"image": {"tag": "2", "digest": digest}}) == f"rotator@{digest}"
    mirrored = {"global": {"imageRegistry": "m.example"}, "image": {"registry": "r.example"}}
    assert image(mirrored) == "m.example/rotator:0.1.0"
    assert helm4.render("naming").pod["imagePullSecrets"] == [{"name": "mirror"}, {"name": "own"}]


def test_names_and_labels_are_taken_over(helm4: Helm) -> None:
    """Full name, namespace, common labels and annotations stand on every object."""
    rendered = helm4.render("naming")
    for each in rendered.objects:
        assert each["metadata"]["namespace"] == "security"
        assert each["metadata"]["labels"]["team"] == "trading"
        assert each["metadata"]["annotations"]["example.com/owner"] == "security"
    assert rendered.one("Deployment")["metadata"]["name"] == "keys"
    assert rendered.one("ServiceAccount")["metadata"]["name"] == "keys-watcher"
    assert rendered.pod["serviceAccountName"] == "keys-watcher"
    assert yaml.safe_load(rendered.one("ConfigMap")["data"]["rotator.yaml"])["lease"] == {
        "kubernetes": {"name": "keys", "namespace": "security"}
    }


def test_everything_can_be_extended(helm4: Helm) -> None:
    """Arguments, environment, volumes, containers, the pod itself and objects can be added."""
    rendered = helm4.render("extension")
    pod, daemon = rendered.pod, rendered.daemon
    assert daemon["command"] == ["rotator"]
    assert daemon["args"][-2:] == ["-o", "json"]
    assert daemon["env"][-1]["name"] == "ROTATOR_EXCHANGES__BYBIT__PROXY"
    assert daemon["envFrom"] == [{"configMapRef": {"name": "rotator-env"}}]
    assert mounted(daemon)["zones"] == "/zones"
    assert [each["name"] for each in pod["containers"]] == ["rotator", "beside"]
    assert [each["name"] for each in pod["initContainers"]] == ["before"]
    assert pod["shareProcessNamespace"] is True
    assert pod["terminationGracePeriodSeconds"] == 90
    assert rendered.one("ConfigMap", "rotator-more")["data"] == {"release": "rotator"}
    assert rendered.one("ConfigMap", "rotator-text")


def test_the_pod_runs_where_it_is_told(helm4: Helm) -> None:
    """Every value about placement stands in the pod."""
    rendered = helm4.render("scheduling")
    pod = rendered.pod
    assert pod["nodeSelector"] == {"kubernetes.io/os": "linux"}
    assert pod["tolerations"][0]["value"] == "security"
    assert "nodeAffinity" in pod["affinity"]
    assert (pod["priorityClassName"], pod["runtimeClassName"]) == ("high", "gvisor")
    assert (pod["schedulerName"], pod["dnsPolicy"]) == ("default-scheduler", "ClusterFirst")
    assert pod["hostUsers"] is False
    assert pod["dnsConfig"]["options"] == [{"name": "ndots", "value": "2"}]
    metadata = rendered.one("Deployment")["spec"]["template"]["metadata"]
    assert metadata["labels"]["tier"] == "security"
    assert metadata["annotations"]["example.com/scan"] == "yes"
    assert rendered.one("Deployment")["metadata"]["annotations"] == {"example.com/ticket": "17"}
    assert "hostUsers" not in helm4.render().pod


def test_a_hostile_label_stays_text(helm4: Helm) -> None:
    """Values that look like YAML or templates are text wherever they are put."""
    nasty = 'yes: {{ .Values }} # "x"'
    rendered = helm4.render({"podAnnotations": {"a": nasty}})
    annotations = rendered.one("Deployment")["spec"]["template"]["metadata"]["annotations"]
    assert annotations["a"] == nasty
