"""A real Vault server on loopback: started, sealed, killed and restored at will.

Everything goes through its HTTP API; no secret is ever a process argument.
"""

from __future__ import annotations

import json
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import urllib3

READY_WITHIN_S = 30.0
POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Tls:
    """Files of the listener's certificate and the CA that clients trust."""

    cert_file: Path
    key_file: Path
    ca_file: Path


class VaultRefused(Exception):
    """The server answered an administrative request with an error."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"Vault answered {status}: {body[:300]}")
        self.status = status


def free_port() -> int:
    """Return a loopback port that the kernel says is free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class VaultServer:
    """One server process with its data folder, port, root token and unseal key."""

    binary: Path
    storage: Literal["file", "raft"] = "file"
    tls: Tls | None = None
    folder: Path = field(init=False)
    port: int = field(init=False)
    root_token: str = field(init=False, default="", repr=False)
    unseal_key: str = field(init=False, default="", repr=False)

    def __post_init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="rotator-vault-"))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        ca = {"ca_certs": str(self.tls.ca_file)} if self.tls else {}
        self._http = urllib3.PoolManager(retries=False, maxsize=8, **ca)  # type: ignore[arg-type]

    @property
    def address(self) -> str:
        """Return the URL of the listener."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """Return the process id, None while it is stopped."""
        return self._process.pid if self._process else None

    # life

    def start(self) -> VaultServer:
        """Start the process, initialise it if it is new, unseal it, wait until it is active."""
        self.launch()
        if not self.root_token:
            answer = self.api("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
            self.root_token = str(answer["root_token"])
            self.unseal_key = str(answer["keys"][0])
        self.unseal()
        return self

    def launch(self) -> None:
        """Start the process on the same port and data, as sealed as it wakes up."""
        config = self.folder / "config.json"
        config.write_text(json.dumps(self._config()))
        with (self.folder / "vault.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self.binary), "server", f"-config={config}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"HOME": str(self.folder), "PATH": "/usr/bin:/bin"},
            )
        self._wait_for(lambda: self.health_status() != 0)

    def stop(self) -> None:
        """Stop the process in good order (SIGTERM)."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the process as a crash does (SIGKILL)."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Freeze the process (SIGSTOP)."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen process go on (SIGCONT)."""
        self._signal(signal.SIGCONT)

    def restart(self) -> None:
        """Start the stopped process again and unseal it."""
        self.start()

    def close(self) -> None:
        """Stop the process and remove its data."""
        self.kill()
        self._http.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def seal(self) -> None:
        """Seal the server."""
        self.api("PUT", "sys/seal")

    def unseal(self) -> None:
        """Unseal the server and wait until it is active."""
        self.api("PUT", "sys/unseal", {"key": self.unseal_key})
        self._wait_for(lambda: self.health_status() == 200)

    def health_status(self) -> int:
        """Return the status of /sys/health, 0 while nothing listens."""
        try:
            answer = self._http.request(
                "GET", f"{self.address}/v1/sys/health", timeout=urllib3.Timeout(total=5)
            )
        except urllib3.exceptions.HTTPError:
            return 0
        return answer.status

    def wait_for_clock(self, seconds: int) -> None:
        """Wait until the server's own clock has moved on by more than so many seconds."""
        until = int(self.api("GET", "sys/health")["server_time_utc"]) + seconds
        self._wait_for(lambda: int(self.api("GET", "sys/health")["server_time_utc"]) > until)

    def save_files(self) -> Path:
        """Return a copy of the data of a running server, as a machine's backup makes it.

        File storage only; the server is restarted for it.  Much faster than a raft snapshot.
        """
        kept = Path(tempfile.mkdtemp(dir=self.folder, prefix="kept-")) / "data"
        self.stop()
        shutil.copytree(self.folder / "data", kept)
        self.restart()
        return kept

    def put_files(self, kept: Path) -> None:
        """Put a copy of the data back in place of what is there, and restart on it."""
        self.stop()
        shutil.rmtree(self.folder / "data")
        shutil.copytree(kept, self.folder / "data")
        self.restart()

    def save_snapshot(self) -> bytes:
        """Return a snapshot (raft storage only)."""
        return self.raw("GET", "sys/storage/raft/snapshot")

    def restore_snapshot(self, snapshot: bytes, unseal_key: str | None = None) -> None:
        """Put a snapshot back, here or on another server, which then has the source's key.

        The restored server has the token store of the snapshot as well.
        """
        self.raw("POST", "sys/storage/raft/snapshot-force", snapshot)
        if unseal_key is not None:
            self.unseal_key = unseal_key
        self._wait_for(lambda: self.health_status() in (200, 503))
        if self.health_status() == 503:
            self.unseal()
        self._wait_for(self._answers_requests)

    # administration

    def mount(self, path: str, **config: Any) -> None:
        """Mount a KV v2 engine at any path and wait until it serves."""
        body = {"type": "kv", "options": {"version": "2"}}
        self.api("POST", f"sys/mounts/{path}", body)
        self._wait_for(lambda: self._serves(f"{path}/config"))
        if config:
            self.api("POST", f"{path}/config", config)

    def fresh_mount(self, **config: Any) -> str:
        """Mount a KV v2 engine under a new name and return it."""
        name = f"kv{secrets.token_hex(4)}"
        self.mount(name, **config)
        return name

    def policy(self, name: str, hcl: str) -> None:
        """Write a policy."""
        self.api("PUT", f"sys/policies/acl/{name}", {"policy": hcl})

    def token(self, policies: list[str], **options: Any) -> str:
        """Create a token with these policies; options as of auth/token/create."""
        body = {"policies": policies, **options}
        return str(self.api("POST", "auth/token/create", body)["auth"]["client_token"])

    def revoke(self, token: str) -> None:
        """Revoke a token."""
        self.api("POST", "auth/token/revoke", {"token": token})

    def enable_auth(self, method: str, path: str | None = None) -> None:
        """Enable an auth method: approle, jwt, cert, kubernetes."""
        self.api("POST", f"sys/auth/{path or method}", {"type": method})

    def approle(self, name: str, mount: str = "approle", **role: Any) -> tuple[str, str]:
        """Create an approle and return its role id and a secret id."""
        self.api("POST", f"auth/{mount}/role/{name}", role)
        role_id = self.api("GET", f"auth/{mount}/role/{name}/role-id")["data"]["role_id"]
        return str(role_id), self.secret_id(name, mount)

    def secret_id(self, name: str, mount: str = "approle") -> str:
        """Return a new secret id of an approle."""
        known = {"secret_id": f"canary-secret-{secrets.token_hex(12)}"}  # see tests/net
        answer = self.api("POST", f"auth/{mount}/role/{name}/custom-secret-id", known)
        return str(answer["data"]["secret_id"])

    def write(self, api_path: str, body: dict[str, Any]) -> dict[str, Any]:
        """POST any API path as root."""
        return self.api("POST", api_path, body)

    def read(self, api_path: str) -> dict[str, Any]:
        """GET any API path as root."""
        return self.api("GET", api_path)

    def api(
        self, method: str, path: str, body: dict[str, Any] | None = None, token: str | None = None
    ) -> dict[str, Any]:
        """Send one request (as root unless a token is given) and return its JSON."""
        sent = None if body is None else json.dumps(body).encode()
        answer = self.raw(method, path, sent, token)
        return dict(json.loads(answer)) if answer else {}

    def raw(
        self, method: str, path: str, body: bytes | None = None, token: str | None = None
    ) -> bytes:
        """Send one request and return the raw body; raise VaultRefused from 400 on."""
        headers = {"X-Vault-Request": "true"}
        if token or self.root_token:
            headers["X-Vault-Token"] = token or self.root_token
        answer = self._http.request(
            method, f"{self.address}/v1/{path}", body=body, headers=headers, timeout=30.0
        )
        if answer.status >= 400:
            raise VaultRefused(answer.status, answer.data.decode(errors="replace"))
        return answer.data

    def log(self) -> str:
        """Return what the server has logged."""
        return (self.folder / "vault.log").read_text(errors="replace")

    # inside

    def _config(self) -> dict[str, Any]:
        listener: dict[str, Any] = {"address": f"127.0.0.1:{self.port}"}
        if self.tls:
            listener["tls_cert_file"] = str(self.tls.cert_file)
            listener["tls_key_file"] = str(self.tls.key_file)
        else:
            listener["tls_disable"] = True
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        store: dict[str, Any] = {"path": str(data)}
        if self.storage == "raft":
            store |= {"node_id": "one", "performance_multiplier": 1}
        return {
            "storage": {self.storage: store},
            "listener": [{"tcp": listener}],
            "api_addr": self.address,
            "cluster_addr": f"https://127.0.0.1:{self._cluster_port()}",
            "disable_mlock": True,
            "ui": False,
            "raw_storage_endpoint": True,
            "log_level": "warn",
        }

    def _cluster_port(self) -> int:
        kept = self.folder / "cluster_port"
        if not kept.exists():
            kept.write_text(str(free_port()))
        return int(kept.read_text())

    def _serves(self, path: str) -> bool:
        try:
            self.api("GET", path)
        except VaultRefused:
            return False
        return True

    def _answers_requests(self) -> bool:
        return self.health_status() == 200

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.send_signal(number)
        process.wait(timeout=READY_WITHIN_S)
        self._http.clear()

    def _wait_for(self, condition: Any) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while not condition():
            dead = self._process is None or self._process.poll() is not None
            if dead or time.monotonic() > deadline:
                raise RuntimeError(f"Vault does not come up; its log says:\n{self.log()[-2000:]}")
            time.sleep(POLL_S)
