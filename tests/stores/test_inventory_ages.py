"""Since when a key is at its path, found with as few reads as possible."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from rotator.core.outcome import StoreError
from rotator.stores.local import LocalKv
from tests.stores.inventory_kit import MARKS, Bench, pair
from tests.stores.kit import DESK, START, FakeClock, Watched, play, put


def test_age_from_the_oldest_version_with_the_key(tmp_path: Path) -> None:
    """The key's age is that of the oldest kept version holding it, found by one read each."""
    clock = FakeClock()

    async def scenario(kv: LocalKv) -> None:
        bench = Bench(Watched(kv), clock=clock)
        for n, key in enumerate(["zero", "one", "one", "one"]):
            await put(kv, DESK, {**pair(key), "note": str(n)}, exchange="bybit")
            clock.later(days=1)
        assert (await bench.one()).stored.key_since == START + timedelta(days=1)
        reads = bench.watched.reads()
        assert sorted(reads) == [(DESK, n) for n in (1, 2, 3, 4)]
        await put(kv, DESK, {**pair("one"), "note": "5"})
        assert (await bench.one()).stored.key_since == START + timedelta(days=1)
        assert bench.watched.reads() == [(DESK, 5)]
        await put(kv, DESK, pair("two"))
        assert (await bench.one()).stored.key_since == START + timedelta(days=4)
        assert bench.watched.reads() == [(DESK, 6)]

    play(tmp_path, scenario, clock)


def test_age_is_not_looked_for_without_need(tmp_path: Path) -> None:
    """Where the age is known otherwise no older version is read, and the store's is unknown."""

    async def scenario(kv: LocalKv) -> None:
        await put(kv, DESK, pair("one"), exchange="bybit")
        await put(kv, DESK, pair("one"))
        bench = Bench(Watched(kv), needs_age=lambda _credential: False)
        assert (await bench.one()).stored.key_since is None
        assert bench.watched.reads() == [(DESK, 2)]

    play(tmp_path, scenario)


def test_noted_age_is_bound_to_the_key(tmp_path: Path) -> None:
    """`rotator_key_since` counts only for the key whose fingerprint stands beside it."""

    async def scenario(kv: LocalKv) -> None:
        noted = {"rotator_key_since": "2025-06-01T00:00:00+00:00"}
        await put(kv, DESK, pair("one"), exchange="bybit", **noted)
        bench = Bench(Watched(kv))
        assert (await bench.one()).stored.key_since == START
        await kv.patch_metadata(DESK, {"rotator_key_fp": MARKS.of("one")})
        assert (await bench.one()).stored.key_since == START.replace(year=2025, month=6)
        for wrong in ("yesterday", "2025-06-01T00:00:00"):
            await kv.patch_metadata(DESK, {"rotator_key_since": wrong})
            assert (await bench.one()).stored.key_since == START

    play(tmp_path, scenario)


def test_unread_older_version_leaves_age_unknown(tmp_path: Path) -> None:
    """If an older version cannot be read the age is unknown, asked again, and no rotation waits."""

    async def scenario(kv: LocalKv) -> None:
        await put(kv, DESK, pair("one"), exchange="bybit")
        await put(kv, DESK, pair("one"))
        bench = Bench(Watched(kv, bulk=False))
        bench.watched.refuse = lambda name, args: (
            StoreError("busy", status=500) if name == "read" and args[1] == 1 else None
        )
        result = await bench.take()
        (entry,) = result.entries
        assert (entry.stored.key_since, entry.problem, result.complete) == (None, None, True)
        assert len(result.faults) == 1
        bench.watched.refuse = lambda name, args: None
        assert (await bench.one()).stored.key_since == START

    play(tmp_path, scenario)


def test_future_deletion_is_told(tmp_path: Path) -> None:
    """A version that will delete itself says when."""

    async def scenario(kv: LocalKv) -> None:
        await kv.set_mount_limits("secret", delete_version_after=timedelta(days=3))
        await put(kv, DESK, pair("one"), exchange="bybit")
        assert (await Bench(Watched(kv)).one()).stored.deletes_at == START + timedelta(days=3)

    play(tmp_path, scenario)
