"""What `open_vault` needs to know; filled from `store.vault` of the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TokenFileAuth:
    """A token in a file that somebody else keeps fresh (Vault Agent, `~/.vault-token`)."""

    token_file: Path


@dataclass(frozen=True, slots=True)
class ApproleAuth:
    """AppRole: both ids come from files."""

    role_id_file: Path
    secret_id_file: Path
    mount: str = "approle"


@dataclass(frozen=True, slots=True)
class KubernetesAuth:
    """A service account's token, reviewed by the cluster; the file is read at every login."""

    role: str
    token_file: Path
    mount: str = "kubernetes"


@dataclass(frozen=True, slots=True)
class JwtAuth:
    """A signed JSON Web Token; the file is read at every login."""

    role: str
    token_file: Path
    mount: str = "jwt"


@dataclass(frozen=True, slots=True)
class CertAuth:
    """A TLS client certificate (PEM files); an empty role lets Vault try all of them."""

    cert_file: Path
    key_file: Path
    role: str = ""
    mount: str = "cert"


Auth = TokenFileAuth | ApproleAuth | KubernetesAuth | JwtAuth | CertAuth


@dataclass(frozen=True, slots=True)
class VaultSettings:
    """Where the Vault is and how to speak to it.

    `workers` bounds the requests of a sweep, and again those of single calls;
    `redirect_hosts` (`host` or `host:port`) are the cluster's other nodes that a
    307 may lead to; `tries` counts a read's attempts.
    """

    address: str
    auth: Auth
    namespace: str | None = None
    ca_file: Path | None = None
    workers: int = 16
    connect_timeout: timedelta = timedelta(seconds=5)
    read_timeout: timedelta = timedelta(seconds=30)
    tries: int = 4
    redirect_hosts: tuple[str, ...] = ()
