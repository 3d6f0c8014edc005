"""The narrow port of a versioned secret store, in KV v2 words.

Two drivers implement it: HashiCorp Vault (`vault/`) and one encrypted SQLite
file (`local.py`).  One conformance suite runs over both; where they differ,
local is wrong.  Callers use the wide types on top of it (inventory, documents,
journal, publisher), which are written once.

All values are texts or JSON; a document's data is a mapping of field to JSON
value.  Paths are full, mount first.  Every method raises `StoreError` (or its
`StoreDenied`, `StoreConflict`); a read never raises for absence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from rotator.core.names import StorePath

Data = Mapping[str, Any]

OnRequest = Callable[[str, str, float], None]
"""Told of every request: operation, code (a status, or a word), seconds.  Called in threads."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a secret as its metadata tells it.

    `deletes_at` is the time of deletion, which may lie in the future
    (`delete_version_after`); `created_by` says who wrote it where the store
    knows.
    """

    number: int
    created_at: datetime
    deletes_at: datetime | None = None
    destroyed: bool = False
    created_by: str | None = None

    def readable(self, now: datetime) -> bool:
        """Say whether this version can still be read."""
        return not self.destroyed and (self.deletes_at is None or self.deletes_at > now)


@dataclass(frozen=True, slots=True)
class Metadata:
    """A path's metadata: its versions (oldest first), limits and custom_metadata.

    `max_versions` and `delete_version_after` are the path's own values (0 and
    zero = inherited from the mount).
    """

    path: StorePath
    current: int
    oldest: int
    created_at: datetime
    versions: tuple[Version, ...]
    custom: Mapping[str, str]
    max_versions: int = 0
    delete_version_after: timedelta = timedelta(0)

    def version(self, number: int) -> Version | None:
        """Return one version's entry if the metadata still has it."""
        return next((v for v in self.versions if v.number == number), None)


@dataclass(frozen=True, slots=True)
class Secret:
    """One version with its data; `data` is None when it is deleted or destroyed."""

    path: StorePath
    version: int
    data: Data | None
    created_at: datetime
    deletes_at: datetime | None = None
    destroyed: bool = False
    custom: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class MountLimits:
    """A mount's effective settings: `max_versions` never 0, retention zero = none."""

    mount: str
    max_versions: int
    delete_version_after: timedelta


@dataclass(frozen=True, slots=True)
class Health:
    """What the store says of itself; `token_expires_at` None = never or unknown."""

    up: bool
    sealed: bool
    message: str
    server_time: datetime | None = None
    token_expires_at: datetime | None = None


class KvStore(Protocol):
    """A KV v2 store: versions, compare-and-set, custom metadata, soft delete."""

    async def list_folder(self, folder: StorePath) -> tuple[str, ...] | None:
        """Return the names in a folder, sub-folders ending in `/`; None if empty or absent."""
        ...

    async def walk(self, root: StorePath, skip: Sequence[StorePath]) -> Walk:
        """Return every path below `root`, without the `skip` prefixes."""
        ...

    async def read_metadata(self, path: StorePath) -> Metadata | None:
        """Return a path's metadata; None only if the store surely has none."""
        ...

    async def read_many_metadata(
        self, paths: Iterable[StorePath]
    ) -> dict[StorePath, Metadata | None | StoreFault]:
        """Read many at once with the store's own concurrency; a fault per path."""
        ...

    async def read(self, path: StorePath, version: int | None = None) -> Secret | None:
        """Return one version (newest if None); None only if the store surely has none.

        A deleted or destroyed version is a `Secret` without data.
        """
        ...

    async def write(self, path: StorePath, data: Data, cas: int) -> int:
        """Write a new version over version `cas` (0 = none exists); return its number.

        Raises StoreConflict if the current version is another; StoreError with
        `happened` UNKNOWN if the answer was lost.
        """
        ...

    async def patch_metadata(
        self,
        path: StorePath,
        custom: Mapping[str, str | None],
        held: Mapping[str, str] | None = None,
    ) -> None:
        """Merge keys into custom_metadata (None removes one); nothing else changes.

        `held` is what the caller has just read there; it saves the store a look.
        """
        ...

    async def delete_versions(self, path: StorePath, versions: Sequence[int]) -> None:
        """Soft-delete versions."""
        ...

    async def undelete_versions(self, path: StorePath, versions: Sequence[int]) -> None:
        """Bring soft-deleted versions back."""
        ...

    async def destroy_versions(self, path: StorePath, versions: Sequence[int]) -> None:
        """Remove versions' data for good."""
        ...

    async def capabilities(self, paths: Sequence[str]) -> dict[str, frozenset[str]]:
        """Return what the caller may do at API paths (`secret/data/x`): `root` means all."""
        ...

    async def mount_limits(self, path: StorePath) -> MountLimits:
        """Return the settings of the mount that holds `path`."""
        ...

    def api_path(self, kind: str, path: StorePath) -> str:
        """Return the API path of `kind` (data, metadata, delete, …) for a path."""
        ...

    async def health(self) -> Health:
        """Say how the store is; never raises."""
        ...

    async def close(self) -> None:
        """Release connections and threads."""
        ...


@dataclass(frozen=True, slots=True)
class StoreFault:
    """Why one path of many could not be read."""

    path: str
    message: str
    denied: bool = False


@dataclass(frozen=True, slots=True)
class Walk:
    """What a walk found; `complete` only if every folder was listed."""

    paths: tuple[StorePath, ...]
    faults: tuple[StoreFault, ...] = ()

    @property
    def complete(self) -> bool:
        """True if every folder was listed."""
        return not self.faults
