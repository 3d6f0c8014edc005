"""Who leads, and where the epoch's anchor lies: as the configuration's `lease:` says."""

from __future__ import annotations

import random
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rotator.config import Config, KubernetesLease
from rotator.core.names import StorePath
from rotator.engine.clock import Clock
from rotator.engine.lease import FileLease, Lease, NoLease
from rotator.kube.anchor import LeaseAnchor
from rotator.kube.client import LeaseClient
from rotator.kube.cluster import Cluster, NotInCluster, in_cluster
from rotator.kube.lock import LeaseLock, Terms
from rotator.stores.epoch import Anchor, FileAnchor, default_anchor_file
from rotator.wiring import SetupError

JITTER: Final = 0.2
"""By how much of `retry` those who wait are spread; the most is as client-go has it."""


def lease_of(config: Config, environ: Mapping[str, str], clock: Clock) -> Lease:
    """Return the lease that the configuration names.  Raises SetupError."""
    section = config.lease.kubernetes
    if section is not None:
        client = LeaseClient(cluster_of(section, environ), section.name, clock.monotonic)
        return LeaseLock(client, _identity(environ), _terms(section), clock, _jitter)
    return NoLease() if config.lease.file is None else FileLease(Path(config.lease.file), clock)


async def take(lease: Lease) -> None:
    """Take the lease for one run.  Raises SetupError that says who has it."""
    try:
        why = await lease.try_acquire()
    except OSError as error:
        raise SetupError(f"lease.file: {error.filename}: {error.strerror}") from None
    if why is not None:
        kind = "file" if isinstance(lease, FileLease) else "kubernetes"
        raise SetupError(f"lease.{kind}: {why}")


def cluster_of(section: KubernetesLease, environ: Mapping[str, str]) -> Cluster:
    """Return the cluster in which this process is a pod.  Raises SetupError."""
    try:
        return in_cluster(environ, Path(section.service_account), section.namespace)
    except NotInCluster as missing:
        raise SetupError(
            f"lease.kubernetes: {missing}. On one machine use lease: {{file: PATH}}"
        ) from None


def anchor_of(config: Config, environ: Mapping[str, str], clock: Clock) -> Anchor:
    """Return the anchor of the configured store.

    It is the named file, else the Lease, else a state file.  A Lease is seen by pods
    alone: elsewhere the answer is the anchor of a person's machine, which lets every
    store pass, because the daemon judges by the real one.
    """
    file, section = anchor_file(config, environ), config.lease.kubernetes
    if file is not None:
        return FileAnchor(file)
    if section is None:  # pragma: no cover  # without a Lease there is a file
        raise AssertionError
    try:
        cluster = cluster_of(section, environ)
    except SetupError:
        return Elsewhere()
    name = section.name
    return LeaseAnchor(lambda: LeaseClient(cluster, name, clock.monotonic))


def anchor_file(config: Config, environ: Mapping[str, str]) -> Path | None:
    """Return where the anchor lies on this machine; None where the Lease has it."""
    store = config.store
    if store.anchor.file is not None:
        return Path(store.anchor.file)
    if config.lease.kubernetes is not None:
        return None
    local = store.local.file if store.local is not None else ""
    name = store.vault.address if store.vault is not None else local
    return default_anchor_file(environ, name, StorePath(store.state.strip("/")))


class Elsewhere:
    """The anchor on a person's machine: it lies with the daemon, who judges by it."""

    async def read(self) -> int | None:
        """Return the number that every store has reached."""
        return 0

    async def raise_to(self, number: int) -> None:
        """Keep nothing."""
        del number


def _terms(section: KubernetesLease) -> Terms:
    return Terms(section.duration, section.renew_deadline, section.retry)


def _identity(environ: Mapping[str, str]) -> str:
    """Return a name for this process alone: a restarted container is another."""
    return f"{environ.get('HOSTNAME') or socket.gethostname()}_{secrets.token_hex(4)}"


def _jitter() -> float:
    return 1.0 + random.uniform(0.0, JITTER)  # noqa: S311  # spreads looks, keeps no secret
