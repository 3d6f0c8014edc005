"""`LocalKv`: the store port over one SQLite file, its SQL in one worker thread."""

from __future__ import annotations

import asyncio
import getpass
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from rotator.core.names import StorePath
from rotator.core.outcome import StoreError
from rotator.stores.cipher import Cipher
from rotator.stores.local import rules
from rotator.stores.local.file import open_file
from rotator.stores.local.observer import Observer
from rotator.stores.local.tables import Tables
from rotator.stores.port import (
    Data,
    Health,
    Metadata,
    MountLimits,
    Secret,
    StoreFault,
    Walk,
)

T = TypeVar("T")

BATCH: Final = 2_000
"""Paths per query of a bulk read, so that other calls get their turn in between."""

ALL_POWERS: Final = frozenset({"root"})


class LocalKv:
    """A KV v2 store in one encrypted SQLite file; see `rotator.stores.port.KvStore`."""

    def __init__(
        self, tables: Tables, clock: Callable[[], datetime], observer: Observer | None = None
    ) -> None:
        self._tables = tables
        self._clock = clock
        self._observer = observer
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="local-store")
        self._closed = False

    async def _run(self, operation: str, work: Callable[[], T]) -> T:
        if self._closed:
            raise StoreError("the local store is closed")
        if self._observer is not None:
            work = partial(self._observer.observed, operation, work)
        return await asyncio.get_running_loop().run_in_executor(self._worker, work)

    async def list_folder(self, folder: StorePath) -> tuple[str, ...] | None:
        """Return the names in a folder."""
        name = rules.folder_of(folder)
        return await self._run("list", lambda: self._tables.names(name))

    async def walk(self, root: StorePath, skip: Sequence[StorePath]) -> Walk:
        """Return every path below `root` in one query."""
        folder = rules.folder_of(root)
        skipped = tuple(rules.folder_of(s) for s in skip)

        def find() -> Walk:
            found = self._tables.paths(folder)
            return Walk(tuple(p for p in found if not f"{p}/".startswith(skipped)))

        return await self._run("list", find)

    async def read_metadata(self, path: StorePath) -> Metadata | None:
        """Return a path's metadata."""
        rules.split_mount(path)
        return (await self._run("metadata", lambda: self._tables.metadata([path])))[path]

    async def read_many_metadata(
        self, paths: Iterable[StorePath]
    ) -> dict[StorePath, Metadata | None | StoreFault]:
        """Return the metadata of many paths, two queries for each batch."""
        found: dict[StorePath, Metadata | None | StoreFault] = {}
        wanted: list[StorePath] = []
        for path in dict.fromkeys(paths):
            if rules.is_path(path):
                wanted.append(path)
            else:
                found[path] = StoreFault(path, "the path cannot be addressed")
        for start in range(0, len(wanted), BATCH):
            batch = wanted[start : start + BATCH]
            try:
                found.update(await self._run("metadata", partial(self._tables.metadata, batch)))
            except StoreError as error:
                found.update({path: StoreFault(path, str(error)) for path in batch})
        return found

    async def read(self, path: StorePath, version: int | None = None) -> Secret | None:
        """Return one version, the newest if None."""
        rules.split_mount(path)
        return await self._run("read", lambda: self._tables.secret(path, version))

    async def read_many(
        self, wanted: Sequence[tuple[StorePath, int | None]]
    ) -> list[Secret | None | StoreFault]:
        """Return one version for each (path, version) asked for, in that order."""
        found: list[Secret | None | StoreFault] = []
        for start in range(0, len(wanted), BATCH):
            batch = wanted[start : start + BATCH]
            found.extend(await self._run("read", partial(self._tables.secrets, batch)))
        return found

    async def write(self, path: StorePath, data: Data, cas: int) -> int:
        """Write a new version over version `cas`; durable when this returns."""
        return await self._run("write", lambda: self._tables.write(path, data, cas))

    async def patch_metadata(
        self,
        path: StorePath,
        custom: Mapping[str, str | None],
        held: Mapping[str, str] | None = None,
    ) -> None:
        """Merge keys into custom_metadata."""
        del held
        rules.split_mount(path)
        await self._run("patch_metadata", lambda: self._tables.patch(path, custom))

    async def delete_versions(self, path: StorePath, versions: Sequence[int]) -> None:
        """Soft-delete versions."""
        rules.split_mount(path)
        await self._run("delete", lambda: self._tables.delete(path, versions))

    async def undelete_versions(self, path: StorePath, versions: Sequence[int]) -> None:
        """Bring soft-deleted versions back."""
        await self._run("undelete", lambda: self._tables.undelete(path, versions))

    async def destroy_versions(self, path: StorePath, versions: Sequence[int]) -> None:
        """Remove versions' data for good."""
        rules.split_mount(path)
        await self._run("destroy", lambda: self._tables.destroy(path, versions))

    async def capabilities(self, paths: Sequence[str]) -> dict[str, frozenset[str]]:
        """Return `root` for every path: whoever has the key may do everything."""
        return dict.fromkeys(paths, ALL_POWERS)

    async def mount_limits(self, path: StorePath) -> MountLimits:
        """Return the effective settings of the mount that holds `path`."""
        mount = rules.folder_of(path).partition("/")[0]
        return await self._run("config", lambda: self._tables.limits(mount))

    async def set_mount_limits(
        self, mount: str, *, max_versions: int = 0, delete_version_after: timedelta = timedelta(0)
    ) -> None:
        """Set a mount's limits (0 = the default of 10 versions, zero = no retention)."""
        await self._run(
            "config", lambda: self._tables.set_mount(mount, max_versions, delete_version_after)
        )

    async def set_path_limits(
        self,
        path: StorePath,
        *,
        max_versions: int = 0,
        delete_version_after: timedelta = timedelta(0),
    ) -> None:
        """Set a path's own limits (0 and zero = inherited from the mount)."""
        rules.split_mount(path)
        await self._run(
            "config", lambda: self._tables.set_path(path, max_versions, delete_version_after)
        )

    def api_path(self, kind: str, path: StorePath) -> str:
        """Return the path as Vault's API would have it, such as `secret/data/desk0`."""
        mount, _, rest = path.partition("/")
        return f"{mount}/{kind}/{rest}"

    async def health(self) -> Health:
        """Say whether the file can be read."""
        try:
            await self._run("health", self._tables.ping)
        except StoreError as error:
            return Health(up=False, sealed=False, message=str(error))
        return Health(up=True, sealed=False, message="", server_time=self._clock())

    async def close(self) -> None:
        """Close the file and end the worker thread."""
        if self._closed:
            return
        await self._run("close", self._tables.close)
        self._closed = True
        self._worker.shutdown(wait=False)


def open_local(
    file: Path,
    key: bytes,
    clock: Callable[[], datetime],
    user: str | None = None,
    observer: Observer | None = None,
) -> LocalKv:
    """Open the embedded store, made at first use.

    `key` is 32 bytes (`load_key`), `user` is noted as `created_by` (the login
    name if None), `observer` is told of every request.  Raises StoreError: no
    such folder, not a store, another key.
    """
    cipher = Cipher(key)
    connection = open_file(file, cipher)
    return LocalKv(Tables(connection, cipher, clock, user or _login_name()), clock, observer)


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid:{os.getuid()}"
