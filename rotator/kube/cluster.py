"""Where the API server is, and who we are to it: a pod's variables and files."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

TOKEN_SECONDS: Final = 60.0
"""How long a token is used before its file is read again: kubelet replaces it in place."""


class NotInCluster(Exception):
    """This process has not what a pod has; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """The API server's address, the folder of our service account, and the namespace."""

    url: str
    folder: Path
    namespace: str


def in_cluster(environ: Mapping[str, str], folder: Path, namespace: str | None) -> Cluster:
    """Return what the pod's variables and files say.

    `folder` holds `token`, `ca.crt` and `namespace`; a given namespace wins over the
    file.  Raises NotInCluster.
    """
    host, port = (environ.get(f"KUBERNETES_SERVICE_{word}", "") for word in ("HOST", "PORT"))
    if not host or not port:
        raise NotInCluster(
            "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set: this is no pod"
        )
    if namespace is None:
        namespace = _text(folder / "namespace")
    place = f"[{host}]" if ":" in host else host
    return Cluster(f"https://{place}:{port}", folder, namespace)


def _text(file: Path) -> str:
    try:
        found = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeError):
        found = ""
    if not found:
        raise NotInCluster(f"{file} cannot be read: a pod has it unless its token is not mounted")
    return found


@dataclass(slots=True)
class ServiceAccount:
    """The token and the CA of a folder, read again at least once a minute."""

    folder: Path
    monotonic: Callable[[], float]
    _token: str = field(default="", repr=False)
    _read_at: float | None = None

    def token(self) -> str:
        """Return the token.  Raises NotInCluster."""
        now = self.monotonic()
        if self._read_at is None or now - self._read_at >= TOKEN_SECONDS:
            self._token, self._read_at = _text(self.folder / "token"), now
        return self._token

    def forget(self) -> str:
        """Drop the token that was refused and return it."""
        self._read_at = None
        return self._token

    def ca(self) -> bytes:
        """Return the content of the CA file.  Raises NotInCluster."""
        return _text(self.folder / "ca.crt").encode()


def trusting(ca: bytes) -> ssl.SSLContext:
    """Return what trusts this CA alone.  Raises NotInCluster."""
    try:
        return ssl.create_default_context(cadata=ca.decode("ascii"))
    except ssl.SSLError:
        raise NotInCluster("ca.crt holds no certificate") from None
