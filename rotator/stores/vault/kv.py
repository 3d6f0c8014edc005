"""Vault as the asynchronous store port: the client's calls, run in worker threads.

Sweeps over many paths run wholly in the threads, each of which takes the next
path from one shared queue; the event loop wakes once when all are done.  Single
calls have threads of their own, so that none waits behind a sweep.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TypeVar

from rotator.core.names import StorePath
from rotator.core.outcome import StoreDenied, StoreError
from rotator.stores.port import (
    Data,
    Health,
    Metadata,
    MountLimits,
    OnRequest,
    Secret,
    StoreFault,
    Walk,
)
from rotator.stores.vault import paths
from rotator.stores.vault.adapter import VaultAway, VaultHttp
from rotator.stores.vault.client import HvacAuthority, VaultClient
from rotator.stores.vault.login import Session, TokenFile, Tokens
from rotator.stores.vault.requests import Requests
from rotator.stores.vault.settings import TokenFileAuth, VaultSettings

T = TypeVar("T")
R = TypeVar("R")


class VaultKv:
    """HashiCorp Vault behind `rotator.stores.port.KvStore`."""

    def __init__(self, client: VaultClient, workers: int) -> None:
        self._client = client
        self._workers = workers
        self._sweeps = ThreadPoolExecutor(workers, thread_name_prefix="vault-sweep")
        self._calls = ThreadPoolExecutor(workers, thread_name_prefix="vault-call")

    async def list_folder(self, folder: StorePath) -> tuple[str, ...] | None:
        """Return the names in a folder, sub-folders ending in `/`; None if empty or absent."""
        bare = StorePath(folder.strip("/"))
        return await self._run(lambda: self._client.list_folder(bare))

    async def walk(self, root: StorePath, skip: Sequence[StorePath]) -> Walk:
        """Return every path below `root`; a folder that cannot be listed is a fault."""
        skipped = tuple(s.strip("/") for s in skip)
        found: list[StorePath] = []
        faults: list[StoreFault] = []
        level = [StorePath(root.strip("/"))]
        while level := [folder for folder in level if not paths.is_below(folder, skipped)]:
            listed = await self._spread(level, lambda folder: (folder, self._names(folder)))
            level = []
            for folder, names in listed:
                if isinstance(names, StoreFault):
                    faults.append(names)
                else:
                    _sort(folder, names, found, level, faults)
        kept = tuple(sorted(path for path in found if not paths.is_below(path, skipped)))
        return Walk(kept, tuple(faults))

    async def read_metadata(self, path: StorePath) -> Metadata | None:
        """Return a path's metadata; None only if the store surely has none."""
        return await self._run(lambda: self._client.read_metadata(path))

    async def read_many_metadata(
        self, paths: Iterable[StorePath]
    ) -> dict[StorePath, Metadata | None | StoreFault]:
        """Read many at once; once Vault itself is lost, the rest is not asked for."""
        read = _faults_kept(self._client.read_metadata)
        return dict(await self._spread(list(paths), lambda path: (path, read(path, path))))

    async def read(self, path: StorePath, version: int | None = None) -> Secret | None:
        """Return one version (newest if None); None only if the store surely has none."""
        return await self._run(lambda: self._client.read(path, version))

    async def read_many(
        self, wanted: Sequence[tuple[StorePath, int | None]]
    ) -> list[Secret | None | StoreFault]:
        """Return one version for each (path, version) asked for, in that order."""

        def one(ask: tuple[StorePath, int | None]) -> Secret | None:
            return self._client.read(*ask)

        read = _faults_kept(one)
        told: dict[int, Secret | None | StoreFault] = {}

        def keep(number: int) -> None:
            told[number] = read(wanted[number][0], wanted[number])

        await self._spread(range(len(wanted)), keep)
        return [told[number] for number in range(len(wanted))]

    async def write(self, path: StorePath, data: Data, cas: int) -> int:
        """Write a new version over version `cas`; return its number."""
        return await self._run(lambda: self._client.write(path, data, cas))

    async def patch_metadata(
        self,
        path: StorePath,
        custom: Mapping[str, str | None],
        held: Mapping[str, str] | None = None,
    ) -> None:
        """Merge keys into custom_metadata (None removes one); nothing else changes."""
        await self._run(lambda: self._client.patch_metadata(path, custom, held))

    async def delete_versions(self, path: StorePath, versions: Sequence[int]) -> None:
        """Soft-delete versions."""
        await self._run(lambda: self._client.change_versions("delete", path, versions))

    async def undelete_versions(self, path: StorePath, versions: Sequence[int]) -> None:
        """Bring soft-deleted versions back."""
        await self._run(lambda: self._client.change_versions("undelete", path, versions))

    async def destroy_versions(self, path: StorePath, versions: Sequence[int]) -> None:
        """Remove versions' data for good."""
        await self._run(lambda: self._client.change_versions("destroy", path, versions))

    async def capabilities(self, paths: Sequence[str]) -> dict[str, frozenset[str]]:
        """Return what the caller may do at API paths: `root` means all."""
        return await self._run(lambda: self._client.capabilities(paths))

    async def mount_limits(self, path: StorePath) -> MountLimits:
        """Return the settings of the mount that holds `path`."""
        return await self._run(lambda: self._client.mount_limits(path))

    def api_path(self, kind: str, path: StorePath) -> str:
        """Return the API path of a path; asks Vault (blocking) if its mount is not known yet."""
        return self._client.api_path(kind, path)

    async def health(self) -> Health:
        """Say how Vault is; never raises."""
        return await self._run(self._client.health)

    async def close(self) -> None:
        """Release connections and threads; requests on their way are waited for."""
        self._sweeps.shutdown(wait=False, cancel_futures=True)
        self._calls.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self._finish)

    def _finish(self) -> None:
        self._sweeps.shutdown()
        self._calls.shutdown()
        self._client.close()

    async def _run(self, call: Callable[[], R]) -> R:
        try:
            future = self._calls.submit(call)
        except RuntimeError:
            raise StoreError("the store is closed") from None
        return await asyncio.wrap_future(future)

    async def _spread(self, items: Sequence[T], work: Callable[[T], R]) -> list[R]:
        """Run `work` over the items in all sweep threads; results come in no order."""
        queue = deque(items)

        def lane() -> list[R]:
            done: list[R] = []
            while True:
                try:
                    item = queue.popleft()
                except IndexError:
                    return done
                done.append(work(item))

        try:
            lanes = [self._sweeps.submit(lane) for _ in range(min(self._workers, len(items)))]
        except RuntimeError:
            raise StoreError("the store is closed") from None
        try:
            parts = await asyncio.gather(*map(asyncio.wrap_future, lanes))
        finally:
            queue.clear()
        return [result for part in parts for result in part]

    def _names(self, folder: StorePath) -> tuple[str, ...] | StoreFault:
        try:
            return self._client.list_folder(folder) or ()
        except VaultAway:
            raise
        except StoreError as fault:
            return _fault(folder, fault)


def open_vault(
    settings: VaultSettings,
    *,
    clock: Callable[[], datetime],
    monotonic: Callable[[], float],
    sleep: Callable[[float], None],
    on_request: OnRequest | None = None,
) -> VaultKv:
    """Build the store; nothing is sent before the first call.

    `clock` gives aware UTC, `monotonic` seconds, `sleep` blocks a worker thread
    for seconds.  Raises StoreError for an address or TLS file that cannot serve.
    """
    http = VaultHttp(settings)
    requests = Requests(http, settings.namespace, monotonic, on_request)
    tokens: Tokens
    if isinstance(settings.auth, TokenFileAuth):
        tokens = TokenFile(settings.auth, monotonic)
    else:
        tokens = Session(HvacAuthority(requests, settings.auth), clock, monotonic)
    return VaultKv(VaultClient(requests, tokens, settings, sleep), settings.workers)


def _sort(
    folder: StorePath,
    names: tuple[str, ...],
    found: list[StorePath],
    folders: list[StorePath],
    faults: list[StoreFault],
) -> None:
    """Put the names of a folder where they belong: paths, folders, or not addressable."""
    for name in names:
        bare = name.removesuffix("/")
        path = paths.joined(folder, bare)
        if "/" in bare or not paths.is_name(bare):
            faults.append(StoreFault(ascii(path)[1:201], "the name cannot be addressed"))
        elif name.endswith("/"):
            folders.append(path)
        else:
            found.append(path)


def _faults_kept(read: Callable[[T], R]) -> Callable[[StorePath, T], R | StoreFault]:
    """Return `read` with a fault as its value; once Vault is away it is not asked again."""
    away: list[VaultAway] = []

    def one(path: StorePath, what: T) -> R | StoreFault:
        if away:
            return _fault(path, away[0])
        try:
            return read(what)
        except StoreError as fault:
            if isinstance(fault, VaultAway):
                away.append(fault)
            return _fault(path, fault)

    return one


def _fault(path: StorePath, fault: StoreError) -> StoreFault:
    return StoreFault(path, str(fault), isinstance(fault, StoreDenied))
