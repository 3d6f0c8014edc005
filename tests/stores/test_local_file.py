"""The embedded store's file survives kills, full disks, damage and company."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from rotator.core.names import StorePath
from rotator.core.outcome import Happened, StoreConflict, StoreError
from rotator.stores.local import LocalKv, load_key, open_local
from rotator.stores.port import Health, Secret
from tests.stores.kit import DESK, KEY, START, FakeClock, metadata, play, secret


def raw_files(folder: Path) -> list[bytes]:
    """Return the content of every file in a folder."""
    return [file.read_bytes() for file in folder.iterdir()]


def test_values_are_encrypted(tmp_path: Path) -> None:
    """No value stands in any of the store's files in the clear."""

    async def scenario(kv: LocalKv) -> None:
        await kv.write(DESK, {"api_secret": "canary-secret"}, 0)
        assert not any(b"canary-secret" in raw for raw in raw_files(tmp_path))

    play(tmp_path, scenario)
    assert (tmp_path / "store.db").stat().st_mode & 0o777 == 0o600
    assert b"canary-secret" not in (tmp_path / "store.db").read_bytes()


def test_moved_value_is_refused(tmp_path: Path) -> None:
    """A sealed value copied to another path or version does not decrypt."""
    other = StorePath("secret/other")

    async def write(kv: LocalKv) -> None:
        await kv.write(DESK, {"v": "desk"}, 0)
        await kv.write(other, {"v": "other"}, 0)

    async def read(kv: LocalKv) -> None:
        assert (await secret(kv)).data == {"v": "desk"}
        with pytest.raises(StoreError, match="does not decrypt"):
            await kv.read(other)
        good, bad = await kv.read_many([(DESK, None), (other, None)])
        assert isinstance(good, Secret)
        assert not isinstance(bad, Secret)

    play(tmp_path, write)
    with closing(sqlite3.connect(tmp_path / "store.db")) as raw, raw:
        raw.execute(
            "UPDATE contents SET sealed = (SELECT sealed FROM contents WHERE path = ?)"
            " WHERE path = ?",
            (DESK, other),
        )
    play(tmp_path, read)


def test_other_key_is_refused(tmp_path: Path) -> None:
    """Opening with another key fails at once and in plain words."""

    async def scenario(kv: LocalKv) -> None:
        await kv.write(DESK, {}, 0)

    play(tmp_path, scenario)
    with pytest.raises(StoreError, match="another key"):
        open_local(tmp_path / "store.db", bytes(32), FakeClock())


@pytest.mark.parametrize("content", [b"", b"not a database" * 100])
def test_no_store_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file that is no store is a StoreError and stays as it was."""
    file = tmp_path / "store.db"
    file.write_bytes(content)
    with pytest.raises(StoreError):
        open_local(file, KEY, FakeClock())
    assert file.read_bytes() == content


def test_damage_is_an_error_and_health_says_so(tmp_path: Path) -> None:
    """A file damaged under our feet gives StoreError, never a wrong value."""

    async def scenario(kv: LocalKv) -> None:
        await kv.write(DESK, {"v": "1"}, 0)
        assert (await kv.health()) == Health(True, False, "", START)

    play(tmp_path, scenario)
    file = tmp_path / "store.db"
    raw = bytearray(file.read_bytes())
    raw[4096:] = bytes(len(raw) - 4096)
    file.write_bytes(raw)
    with pytest.raises(StoreError):
        open_local(file, KEY, FakeClock())


def test_full_disk_loses_nothing(tmp_path: Path) -> None:
    """A write that finds no room is refused, and what was there still reads."""

    async def scenario(kv: LocalKv) -> None:
        await kv.write(DESK, {"v": "1"}, 0)
        with closing(sqlite3.connect(tmp_path / "store.db")) as raw:
            pages = raw.execute("PRAGMA page_count").fetchone()[0]
        kv._tables._connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreError, match="full") as full:
            await kv.write(DESK, {"v": "x" * 100_000}, 1)
        assert full.value.happened is Happened.NOT_APPLIED
        assert (await secret(kv)).data == {"v": "1"}
        assert (await metadata(kv)).current == 1

    play(tmp_path, scenario)


def test_locked_file_is_not_applied(tmp_path: Path) -> None:
    """While another process holds the file, a write surely changes nothing."""

    async def scenario(kv: LocalKv) -> None:
        await kv.write(DESK, {"v": "1"}, 0)
        kv._tables._connection.execute("PRAGMA busy_timeout = 1")
        holder = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked") as locked:
            await kv.write(DESK, {"v": "2"}, 1)
        assert locked.value.happened is Happened.NOT_APPLIED
        assert (await secret(kv)).data == {"v": "1"}
        holder.execute("ROLLBACK")
        holder.close()
        assert await kv.write(DESK, {"v": "2"}, 1) == 2

    play(tmp_path, scenario)


def test_closed_store_says_so(tmp_path: Path) -> None:
    """After close every call is a StoreError, health included as an answer."""

    async def scenario(kv: LocalKv) -> None:
        await kv.close()
        with pytest.raises(StoreError, match="closed"):
            await kv.read(DESK)
        assert not (await kv.health()).up

    play(tmp_path, scenario)


def test_first_use_by_many_at_once(tmp_path: Path) -> None:
    """Many who open a store that does not exist yet all get the same one."""

    def open_and_write(n: int) -> int:
        async def run() -> int:
            key = load_key(tmp_path / "store.key", {})
            kv = open_local(tmp_path / "store.db", key, FakeClock(), f"user{n}")
            try:
                return await kv.write(StorePath(f"secret/p{n}"), {"n": n}, 0)
            finally:
                await kv.close()

        return asyncio.run(run())

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(open_and_write, range(8))) == {1}

    async def count() -> int:
        kv = open_local(tmp_path / "store.db", load_key(tmp_path / "store.key"), FakeClock())
        try:
            return len((await kv.walk(StorePath("secret"), [])).paths)
        finally:
            await kv.close()

    assert asyncio.run(count()) == 8
    assert {f.name for f in tmp_path.iterdir()} <= {"store.db", "store.key"}


WRITER = """
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
from rotator.stores.local import open_local

async def main():
    kv = open_local(Path(sys.argv[1]), bytes(range(32)), lambda: datetime(2026, 1, 1, tzinfo=UTC))
    n = 0
    while True:
        n = await kv.write("secret/killed", {"n": n + 1}, n)
        print(n, flush=True)

asyncio.run(main())
"""


def test_acknowledged_writes_survive_a_kill(tmp_path: Path) -> None:
    """After SIGKILL in the middle of writing, every acknowledged version is there."""
    file = tmp_path / "store.db"
    child = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(file)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    seen = 0
    for line in child.stdout:
        seen = int(line)
        if seen == 25:
            break
    child.kill()
    rest = child.stdout.read().split()
    child.wait()
    child.stdout.close()
    acknowledged = int(rest[-1]) if rest else seen

    async def scenario(kv: LocalKv) -> None:
        got = await secret(kv, StorePath("secret/killed"))
        assert got.version in (acknowledged, acknowledged + 1)
        assert got.data == {"n": got.version}

    play(tmp_path, scenario)


def test_racing_processes_never_share_a_version(tmp_path: Path) -> None:
    """Of several connections that write over one version, exactly one wins."""

    async def run() -> None:
        clock = FakeClock()
        stores = [open_local(tmp_path / "store.db", KEY, clock, f"u{n}") for n in range(4)]
        for version in range(5):
            results = await asyncio.gather(
                *(kv.write(DESK, {"by": n}, version) for n, kv in enumerate(stores)),
                return_exceptions=True,
            )
            assert [r for r in results if isinstance(r, int)] == [version + 1]
            assert sum(isinstance(r, StoreConflict) for r in results) == 3
        for kv in stores:
            await kv.close()

    asyncio.run(run())


def test_key_file_is_made_private(tmp_path: Path) -> None:
    """The first use makes a key file of mode 0600, the next reads the same key."""
    file = tmp_path / "deep" / "store.key"
    key = load_key(file, {})
    assert (len(key), file.stat().st_mode & 0o777) == (32, 0o600)
    assert load_key(file, {}) == key


def test_wide_key_file_is_refused(tmp_path: Path) -> None:
    """A key file that the group may read is refused with the command that cures it."""
    file = tmp_path / "store.key"
    load_key(file, {})
    file.chmod(0o640)
    with pytest.raises(StoreError, match="chmod 600"):
        load_key(file, {})


def test_key_from_the_environment(tmp_path: Path) -> None:
    """The variable wins over the file, and a wrong one is refused without being quoted."""
    file = tmp_path / "store.key"
    assert load_key(file, {"ROTATOR_STORE_KEY": KEY.hex()}) == KEY
    assert not file.exists()
    with pytest.raises(StoreError) as refused:
        load_key(file, {"ROTATOR_STORE_KEY": "hush-hush"})
    assert "hush" not in str(refused.value)
