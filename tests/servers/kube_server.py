"""A real Kubernetes API server on loopback, with its etcd: started, stopped and killed at will.

No kubelet runs: a pod is a process of ours with a pod's variables and files.
"""

from __future__ import annotations

import json
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import urllib3
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.servers.build import KUBE_APISERVER, KUBE_CONTROLLER_MANAGER, packaged
from tests.servers.vault_server import free_port

READY_WITHIN_S: Final = 120.0
POLL_S: Final = 0.1
ISSUER: Final = "https://kubernetes.default.svc"
RBAC: Final = "apis/rbac.authorization.k8s.io/v1"
RBAC_VERSION: Final = "rbac.authorization.k8s.io/v1"
LEASES: Final = "apis/coordination.k8s.io/v1"
VERBS: Final = ("get", "update", "watch")


class KubeRefused(Exception):
    """The API server answered with an error."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"the API server answered {status}: {body[:300]}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Pod:
    """What kubelet gives a container: the folder of its service account, and variables."""

    folder: Path
    environ: dict[str, str]

    def through(self, port: int) -> Pod:
        """Return the same pod with another way to the API server."""
        return Pod(self.folder, self.environ | {"KUBERNETES_SERVICE_PORT": str(port)})


@dataclass
class KubeServer:
    """One API server with its etcd; `control` runs the controller manager as well."""

    folder: Path = field(init=False)
    port: int = field(init=False)
    admin: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.etcd = packaged("etcd")
        self.binary = KUBE_APISERVER.ensured()
        self.folder = Path(tempfile.mkdtemp(prefix="rotator-kube-"))
        self.port = free_port()
        self.etcd_url = f"http://127.0.0.1:{free_port()}"
        self.peer_url = f"http://127.0.0.1:{free_port()}"
        self.admin = secrets.token_hex(16)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._pool: urllib3.PoolManager | None = None

    @property
    def address(self) -> str:
        """Return the URL of the API server."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def ca_file(self) -> Path:
        """Return the certificate to trust: the server signs its own."""
        return self.folder / "certs" / "apiserver.crt"

    # life

    def start(self) -> KubeServer:
        """Start etcd and the API server; wait until ready."""
        self._write_keys()
        data = ["--data-dir", str(self.folder / "etcd")]
        urls = ["--listen-client-urls", self.etcd_url, "--advertise-client-urls", self.etcd_url]
        self._launch("etcd", [str(self.etcd), *data, *urls, "--listen-peer-urls", self.peer_url])
        self.launch()
        return self

    def control(self) -> None:
        """Start the controllers, unless they run: a Deployment gets its pods, all pending.

        Raises ServerMissing.
        """
        if "controllers" in self._running:
            return
        manager = KUBE_CONTROLLER_MANAGER.ensured()
        flags = [f"--kubeconfig={self.kubeconfig()}", "--leader-elect=false"]
        self._launch("controllers", [str(manager), *flags, f"--secure-port={free_port()}"])

    def launch(self) -> None:
        """Start the API server (again), on the same port, and wait until it is ready."""
        self._launch(
            "apiserver",
            [
                str(self.binary),
                f"--etcd-servers={self.etcd_url}",
                f"--cert-dir={self.folder / 'certs'}",
                f"--secure-port={self.port}",
                "--bind-address=127.0.0.1",
                "--endpoint-reconciler-type=none",
                "--authorization-mode=RBAC",
                "--service-cluster-ip-range=10.0.0.0/24",
                "--disable-admission-plugins=ServiceAccount",
                f"--service-account-issuer={ISSUER}",
                f"--service-account-key-file={self.folder / 'sa.pub'}",
                f"--service-account-signing-key-file={self.folder / 'sa.key'}",
                f"--token-auth-file={self.folder / 'tokens.csv'}",
                f"--api-audiences={ISSUER},vault",
            ],
        )
        self._wait_until_ready()

    def kill(self) -> None:
        """End the API server as a crash does; etcd stays."""
        self._end("apiserver", signal.SIGKILL)

    def pause(self) -> None:
        """Freeze the API server: connections stand, and nothing is answered."""
        self._running["apiserver"].send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen API server go on."""
        self._running["apiserver"].send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Stop everything and remove its data."""
        for name in reversed(list(self._running)):
            self._end(name, signal.SIGKILL)
        if self._pool is not None:
            self._pool.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    # use

    def api(
        self, method: str, path: str, body: dict[str, Any] | None = None, token: str | None = None
    ) -> dict[str, Any]:
        """Send one request (as administrator unless a token is given) and return its JSON."""
        sent = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token or self.admin}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        answer = self._http().request(method, f"{self.address}/{path}", body=sent, headers=headers)
        if answer.status >= 400:
            raise KubeRefused(answer.status, answer.data.decode(errors="replace"))
        return dict(json.loads(answer.data))

    def namespace(self) -> str:
        """Create a namespace under a new name and return it."""
        name = f"ns-{secrets.token_hex(4)}"
        self.api("POST", "api/v1/namespaces", _object("v1", "Namespace", name))
        return name

    def account(self, namespace: str, name: str) -> None:
        """Create a service account."""
        path = f"api/v1/namespaces/{namespace}/serviceaccounts"
        self.api("POST", path, _object("v1", "ServiceAccount", name))

    def token(self, namespace: str, account: str, audience: str = ISSUER) -> str:
        """Return a token as kubelet projects it."""
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": [audience], "expirationSeconds": 3600},
        }
        path = f"api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        return str(self.api("POST", path, body)["status"]["token"])

    def allow_leases(
        self, namespace: str, account: str, verbs: tuple[str, ...] = VERBS, name: str = "rotator"
    ) -> None:
        """Bind a Role that allows to create leases, and these verbs on the one of this name."""
        leases = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"]}
        rules = [
            leases | {"verbs": ["create"]},
            leases | {"resourceNames": [name], "verbs": verbs},
        ]
        role = _object(RBAC_VERSION, "Role", account) | {"rules": rules}
        self.api("POST", f"{RBAC}/namespaces/{namespace}/roles", role)
        binding = _object(RBAC_VERSION, "RoleBinding", account)
        binding |= _who(namespace, account) | _role("Role", account)
        self.api("POST", f"{RBAC}/namespaces/{namespace}/rolebindings", binding)

    def forbid_leases(self, namespace: str, account: str) -> None:
        """Take the binding back."""
        self.api("DELETE", f"{RBAC}/namespaces/{namespace}/rolebindings/{account}")

    def review_tokens(self, namespace: str, account: str) -> None:
        """Let an account review other tokens, as Vault's does."""
        binding = _object(RBAC_VERSION, "ClusterRoleBinding", f"{namespace}-{account}")
        binding |= _who(namespace, account) | _role("ClusterRole", "system:auth-delegator")
        self.api("POST", f"{RBAC}/clusterrolebindings", binding)

    def pod(self, folder: Path, namespace: str, account: str) -> Pod:
        """Write what a pod of this account finds in it."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "token").write_text(self.token(namespace, account))
        (folder / "ca.crt").write_bytes(self.ca_file.read_bytes())
        (folder / "namespace").write_text(namespace)
        port = str(self.port)
        environ = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": port}
        return Pod(folder, environ)

    def lease(self, namespace: str, name: str = "rotator") -> dict[str, Any]:
        """Return a Lease, empty if there is none."""
        try:
            return self.api("GET", f"{LEASES}/namespaces/{namespace}/leases/{name}")
        except KubeRefused as refused:
            if refused.status == 404:
                return {}
            raise

    def kubeconfig(self) -> Path:
        """Write the administrator's kubeconfig and return its path."""
        file = self.folder / "kubeconfig"
        cluster = {"server": self.address, "certificate-authority": str(self.ca_file)}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "admin", "user": {"token": self.admin}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
            "current-context": "test",
        }
        file.write_text(json.dumps(document))
        return file

    def log(self, name: str = "apiserver") -> str:
        """Return what one of the processes has logged."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    # inside

    def _write_keys(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        plain = serialization.NoEncryption()
        pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        spki = serialization.PublicFormat.SubjectPublicKeyInfo
        (self.folder / "sa.key").write_bytes(key.private_bytes(pem, pkcs8, plain))
        (self.folder / "sa.pub").write_bytes(key.public_key().public_bytes(pem, spki))
        line = f'{self.admin},admin,admin,"system:masters"\n'
        (self.folder / "tokens.csv").write_text(line)

    def _launch(self, name: str, command: list[str]) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"HOME": str(self.folder), "PATH": "/usr/bin:/bin"},
            )

    def _end(self, name: str, number: signal.Signals) -> None:
        process = self._running.pop(name, None)
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.send_signal(number)
        process.wait(timeout=30)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while not self._ready():
            dead = [n for n, process in self._running.items() if process.poll() is not None]
            if dead or time.monotonic() > deadline:
                name = dead[0] if dead else "apiserver"
                raise RuntimeError(f"{name} does not come up; it says:\n{self.log(name)[-2000:]}")
            time.sleep(POLL_S)

    def _ready(self) -> bool:
        if not self.ca_file.exists():
            return False
        try:
            headers = {"Authorization": f"Bearer {self.admin}"}
            url = f"{self.address}/readyz"
            answer = self._http().request("GET", url, headers=headers, timeout=5.0)
        except urllib3.exceptions.HTTPError:
            return False
        return answer.status == 200

    def _http(self) -> urllib3.PoolManager:
        if self._pool is None:
            self._pool = urllib3.PoolManager(
                retries=False, ca_certs=str(self.ca_file), timeout=urllib3.Timeout(total=30)
            )
        return self._pool


def _object(version: str, kind: str, name: str) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}}


def _who(namespace: str, account: str) -> dict[str, Any]:
    return {"subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}]}


def _role(kind: str, name: str) -> dict[str, Any]:
    return {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}}
