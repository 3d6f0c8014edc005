"""The store drivers as the conformance suite opens them, and its short words."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from rotator.core.names import StorePath
from rotator.core.outcome import Happened, StoreError
from rotator.stores.local import open_local
from rotator.stores.port import KvStore, Metadata, Secret
from tests.servers.stores import open_store, token_auth, utc_now

T = TypeVar("T")
Opened = AbstractContextManager[tuple[KvStore, str]]
Driver = Callable[..., Opened]


@contextmanager
def local(folder: Path, **limits: Any) -> Iterator[tuple[KvStore, str]]:
    """Open the embedded store in a folder, on a mount with these limits."""
    store = open_local(folder / "kv.db", b"k" * 32, utc_now)
    if limits:
        asyncio.run(store.set_mount_limits("secret", **limits))
    yield store, "secret"
    asyncio.run(store.close())


@contextmanager
def vault(server: Any, folder: Path, **limits: Any) -> Iterator[tuple[KvStore, str]]:
    """Open the Vault store on a fresh mount with these limits."""
    config: dict[str, Any] = dict(limits)
    if "delete_version_after" in config:
        seconds = config["delete_version_after"].total_seconds()
        config["delete_version_after"] = f"{seconds:.0f}s"
    store = open_store(server, token_auth(folder, server.root_token), workers=4)
    yield store, server.fresh_mount(**config)
    asyncio.run(store.close())


def run(driver: Driver, scenario: Callable[[KvStore, str], Awaitable[T]], **limits: Any) -> T:
    """Run a scenario over a fresh mount of a driver."""
    with driver(**limits) as (store, mount):
        return asyncio.run(_awaited(scenario(store, mount)))


async def _awaited(scenario: Awaitable[T]) -> T:
    return await scenario


def at(mount: str, rest: str) -> StorePath:
    """Return a path on a mount."""
    return StorePath(f"{mount}/{rest}")


async def secret_of(store: KvStore, path: StorePath, version: int | None = None) -> Secret:
    """Read a version that must be there."""
    secret = await store.read(path, version)
    assert secret is not None
    return secret


async def metadata_of(store: KvStore, path: StorePath) -> Metadata:
    """Read metadata that must be there."""
    metadata = await store.read_metadata(path)
    assert metadata is not None
    return metadata


async def refused(call: Awaitable[object]) -> StoreError:
    """Await a call that must be refused and return the error, which is never of unknown fate."""
    with pytest.raises(StoreError) as caught:
        await call
    assert caught.value.happened is not Happened.UNKNOWN
    return caught.value
