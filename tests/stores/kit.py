"""What the store tests share: a clock that is told the time, and a local store for one scenario."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from rotator.core.names import SigningKey, StorePath
from rotator.core.outcome import Happened, StoreError
from rotator.stores import bulk
from rotator.stores.bulk import Answer, Wanted
from rotator.stores.documents import Documents
from rotator.stores.local import LocalKv, open_local
from rotator.stores.port import Data, KvStore, Metadata, Secret

KEY = bytes(range(32))
START = datetime(2026, 1, 1, tzinfo=UTC)
DESK = StorePath("secret/trading/desk0")
STATE = StorePath("secret/rotator/")

Scenario = Callable[[LocalKv], Awaitable[None]]


class FakeClock:
    """A clock that moves only when told."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def later(self, **by: float) -> datetime:
        self.now += timedelta(**by)
        return self.now


def play(tmp_path: Path, scenario: Scenario, clock: FakeClock | None = None) -> None:
    """Run a scenario over a store in `tmp_path`."""

    async def run() -> None:
        kv = open_local(tmp_path / "store.db", KEY, clock or FakeClock(), "ana")
        try:
            await scenario(kv)
        finally:
            await kv.close()

    asyncio.run(run())


async def put(kv: LocalKv, path: str, data: Data, **custom: str) -> int:
    """Write a next version and its custom_metadata, whatever the current version is."""
    at = StorePath(path)
    before = await kv.read_metadata(at)
    version = await kv.write(at, data, before.current if before else 0)
    if custom:
        await kv.patch_metadata(at, custom)
    return version


async def metadata(kv: LocalKv, path: StorePath = DESK) -> Metadata:
    """Return metadata that must be there."""
    found = await kv.read_metadata(path)
    assert found is not None
    return found


async def secret(kv: LocalKv, path: StorePath = DESK, version: int | None = None) -> Secret:
    """Return a version that must be there."""
    found = await kv.read(path, version)
    assert found is not None
    return found


def documents(kv: LocalKv) -> Documents:
    """Return the documents of the tests' state prefix."""
    return Documents(kv, STATE)


def secret_of(key: SigningKey | None) -> str | None:
    """Return a key's API secret in the clear."""
    return key.secrets.api_secret.reveal() if key and key.secrets.api_secret else None


class Watched:
    """A store in front of another: notes what is asked, and refuses what it is told to."""

    def __init__(self, inner: LocalKv, *, bulk: bool = True) -> None:
        self.inner = inner
        self.bulk = bulk
        self.asked: list[tuple[str, Any]] = []
        self.refuse: Callable[[str, tuple[Any, ...]], StoreError | None] = lambda _name, _args: None
        self.lose_answer_of: set[str] = set()
        self.before: Callable[[str, tuple[Any, ...]], Awaitable[None]] | None = None

    @property
    def kv(self) -> KvStore:
        """This store, as the port."""
        return cast("KvStore", self)

    def reads(self) -> list[Any]:
        """Return the (path, version) of every value read."""
        many = [pair for name, args in self.asked if name == "read_many" for pair in args[0]]
        return many + [(*args, None)[:2] for name, args in self.asked if name == "read"]

    @property
    def read_many(self) -> Any:
        """The call; Python 3.12 looks for it on the class."""
        return self._watching("read_many") if self.bulk else self._one_by_one

    async def _one_by_one(self, wanted: Wanted) -> list[Answer]:
        return await bulk.read_many(cast("KvStore", SimpleNamespace(read=self.read)), wanted)

    def __getattr__(self, name: str) -> Any:
        return self._watching(name)

    def _watching(self, name: str) -> Any:
        real = getattr(self.inner, name)
        if not inspect.iscoroutinefunction(real):
            return real

        async def call(*args: Any) -> Any:
            self.asked.append((name, args))
            if self.before is not None:
                await self.before(name, args)
            error = self.refuse(name, args)
            if error is not None:
                raise error
            answer = await real(*args)
            if name in self.lose_answer_of:
                raise StoreError("no answer", happened=Happened.UNKNOWN)
            return answer

        return call
