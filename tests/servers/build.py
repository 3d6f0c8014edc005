"""Where the real servers come from: PATH, then the cache, then a build of our own.

A build takes a server from its published Go modules with the pins in a folder
beside this file; the cache lies outside the clone and is named by the pins' hash.
What Debian packages is not built: it is found on PATH, or its package is named.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
STRIPPED: Final = "-s -w"
KUBE_VERSION: Final = "1.36.3"
STAMP: Final = "k8s.io/component-base/version."


class ServerMissing(Exception):
    """No server is there and none can be built; the message says what to install."""


@dataclass(frozen=True, slots=True)
class Server:
    """A program, its pinned version, the folder of its pins and what to build."""

    name: str
    version: str
    pins: str
    package: str
    ldflags: str = STRIPPED
    from_path: bool = True

    @property
    def how_to(self) -> str:
        """One sentence: what to install."""
        return f"Install `{self.name}` {self.version} or Go 1.26 for the tests that need it."

    def cached(self, environment: dict[str, str] | None = None) -> Path:
        """Return the path where the built server lies or will lie."""
        env = dict(os.environ) if environment is None else environment
        root = Path(env.get("XDG_CACHE_HOME") or Path(env.get("HOME", "/")) / ".cache")
        folder = HERE / self.pins
        pins = (folder / "go.mod").read_bytes() + (folder / "go.sum").read_bytes()
        digest = hashlib.sha256(pins).hexdigest()[:16]
        return root / "rotator" / "servers" / f"{self.name}-{self.version}-{digest}" / self.name

    def found(self) -> Path | None:
        """Return the server on PATH or in the cache, None if neither is there."""
        on_path = shutil.which(self.name) if self.from_path else None
        if on_path:
            return Path(on_path)
        return self.cached() if self.cached().is_file() else None

    def build(self) -> Path:
        """Build the server into the cache (minutes) and return its path."""
        go = shutil.which("go")
        if go is None:
            raise ServerMissing(self.how_to)
        target = self.cached()
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(f"{self.name}.tmp")
        command = [go, "build", "-trimpath", "-ldflags", self.ldflags, "-o", str(unfinished)]
        with target.with_name("lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two at once would take twice as long
            if not target.is_file():
                subprocess.run([*command, self.package], cwd=HERE / self.pins, check=True)
                unfinished.rename(target)
        return target

    def ensured(self) -> Path:
        """Return a server, built if need be; raise ServerMissing if that is impossible."""
        return self.found() or self.build()


def _kube(name: str) -> Server:
    """One of Kubernetes' programs; Helm reads its version, so the build says it."""
    major, minor, _patch = KUBE_VERSION.split(".")
    stamps = {"gitVersion": f"v{KUBE_VERSION}", "gitMajor": major, "gitMinor": minor}
    flags = " ".join([STRIPPED, *(f"-X {STAMP}{key}={value}" for key, value in stamps.items())])
    return Server(name, KUBE_VERSION, "kubernetes", f"k8s.io/kubernetes/cmd/{name}", flags)


VAULT: Final = Server("vault", "1.21.1", "vault", "github.com/hashicorp/vault")
KUBE_APISERVER: Final = _kube("kube-apiserver")
KUBE_CONTROLLER_MANAGER: Final = _kube("kube-controller-manager")
KUBECTL: Final = _kube("kubectl")
# Its major version matters, so whichever `helm` is on PATH will not do.
HELM_4: Final = Server("helm", "4.3.1", "helm4", "helm.sh/helm/v4/cmd/helm", from_path=False)
HELM_3: Final = Server("helm", "3.22.0", "helm3", "helm.sh/helm/v3/cmd/helm", from_path=False)
SERVERS: Final = (VAULT, KUBE_APISERVER, KUBE_CONTROLLER_MANAGER, KUBECTL, HELM_4, HELM_3)

PACKAGES: Final = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "amtool": "prometheus-alertmanager",
    "etcd": "etcd-server",
    "chromium": "chromium",
    "faketime": "faketime",
    "systemd-analyze": "systemd",
}
"""The programs that come from Debian, each with its package."""


def packaged(program: str, path: str | None = None) -> Path:
    """Return a program of `PACKAGES` on PATH; raise ServerMissing that names its package."""
    on_path = shutil.which(program, path=path)
    if on_path is None:
        message = f"Install the package {PACKAGES[program]} for the tests that need {program}."
        raise ServerMissing(message)
    return Path(on_path)
