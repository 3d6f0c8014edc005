"""The embedded store tells of its requests as Vault's client does."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from rotator.core.names import StorePath
from rotator.core.outcome import StoreConflict, StoreError
from rotator.stores.local import Observer, open_local
from tests.servers.stores import utc_now

DESK = StorePath("secret/trading/desk0")


def test_each_request_is_told_with_its_outcome_and_its_time(tmp_path: Path) -> None:
    """What was done, what compare-and-set refused, what the rules of KV v2 refuse."""
    told: list[tuple[str, str, float]] = []
    ticks = iter(range(100))
    observer = Observer(lambda *each: told.append(each), lambda: float(next(ticks)))

    async def scenario() -> None:
        kv = open_local(tmp_path / "s.db", b"k" * 32, utc_now, observer=observer)
        await kv.write(DESK, {"a": "b"}, 0)
        with contextlib.suppress(StoreConflict):
            await kv.write(DESK, {"a": "c"}, 0)
        with contextlib.suppress(StoreError):
            await kv.write(StorePath("secret"), {"a": "b"}, 0)
        await kv.read(DESK)
        await kv.read_many([(DESK, None)])
        await kv.list_folder(StorePath("secret/"))
        await kv.health()
        await kv.close()

    asyncio.run(scenario())
    assert told == [
        ("write", "ok", 1.0),
        ("write", "conflict", 1.0),
        ("write", "refused", 1.0),
        ("read", "ok", 1.0),
        ("read", "ok", 1.0),
        ("list", "ok", 1.0),
        ("health", "ok", 1.0),
        ("close", "ok", 1.0),
    ]


def test_a_store_that_fails_is_told_as_failed() -> None:
    """Whatever the fault is, it is counted and goes on to who asked."""
    told: list[str] = []
    observer = Observer(lambda _, code, __: told.append(code), lambda: 0.0)

    def broken() -> None:
        raise StoreError("the disk is full")

    with pytest.raises(StoreError, match="disk"):
        observer.observed("write", broken)
    assert told == ["failed"]
