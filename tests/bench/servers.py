"""The real Vault and the real sandbox, each a process of its own, and a fast way to fill them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import urllib3

from tests.servers.build import VAULT
from tests.servers.vault_server import VaultServer

T = TypeVar("T")

ROOT: Final = Path(__file__).resolve().parents[2]
THREADS: Final = 16
STOP_SECONDS: Final = 20.0
TRADING: Final = "trading"
TWINS: Final = "sibling"
"""The credentials' folder, and one of the same length that no inventory walks."""

POLICY: Final = ROOT / "deploy" / "vault" / "rotate.hcl"


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A running sandbox: its control address, and the address of each exchange."""

    control: str
    urls: dict[str, str]

    def post(self, pool: urllib3.PoolManager, path: str, **body: Any) -> dict[str, Any]:
        """Send one call to the control port and return its JSON."""
        answer = pool.request("POST", self.control + path, json=body)
        if answer.status != 200:
            raise RuntimeError(f"the sandbox answered {answer.status} to {path}")
        return dict(answer.json())


@contextmanager
def vault_process() -> Iterator[VaultServer]:
    """Run a fresh Vault with file storage."""
    server = VaultServer(VAULT.ensured()).start()
    try:
        yield server
    finally:
        server.close()


@contextmanager
def sandbox_process() -> Iterator[Sandbox]:
    """Run the sandbox without rate limits."""
    command = [sys.executable, "-m", "rotator", "sandbox", "--limits", "off", "-o", "json"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        assert child.stdout is not None
        try:
            told = json.loads(child.stdout.readline())
            urls = {name: str(e["base_url"]) for name, e in told["exchanges"].items()}
            yield Sandbox(str(told["control"]), urls)
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(timeout=STOP_SECONDS)


def rotating_token(vault: VaultServer, mount: str) -> str:
    """Return a token of the rotating role, as `deploy/vault/rotate.hcl` has it, on a mount.

    It holds for a second folder as well, where the twins of replayed rotations lie.
    """
    policy = POLICY.read_text().replace('"secret/', f'"{mount}/')
    vault.policy(mount, policy)
    vault.policy(f"{mount}-twins", policy.replace(f"/{TRADING}/", f"/{TWINS}/"))
    return vault.token([mount, f"{mount}-twins"])


class Filler:
    """Writes many secrets and makes many keys, in threads."""

    def __init__(self, vault: VaultServer, sandbox: Sandbox) -> None:
        self._vault = vault
        self._sandbox = sandbox
        self._pool = urllib3.PoolManager(maxsize=THREADS, retries=False)
        self._headers = {"X-Vault-Token": vault.root_token, "X-Vault-Request": "true"}

    def key(self, **wish: Any) -> dict[str, Any]:
        """Make a key at an exchange of the sandbox."""
        return self._sandbox.post(self._pool, "/keys", **wish)

    def secret(self, mount: str, name: str, data: dict[str, Any], custom: dict[str, str]) -> None:
        """Put a secret with custom_metadata."""
        self._send(f"{mount}/data/{name}", {"data": data})
        self._send(f"{mount}/metadata/{name}", {"custom_metadata": custom})

    def document(self, mount: str, name: str, data: dict[str, Any]) -> None:
        """Put a document, as a person does with `vault kv put`."""
        self._send(f"{mount}/data/{name}", {"data": data})

    def each(self, work: Callable[[T], None], items: Iterable[T]) -> None:
        """Do the work for every item, side by side."""
        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(work, items))

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def _send(self, path: str, body: dict[str, Any]) -> None:
        url = f"{self._vault.address}/v1/{path}"
        answer = self._pool.request("POST", url, json=body, headers=self._headers)
        if answer.status >= 300:
            raise RuntimeError(f"Vault answered {answer.status} to {path}")
