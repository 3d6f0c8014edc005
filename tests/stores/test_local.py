"""The embedded store keeps KV v2's promises."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from rotator.core.names import StorePath
from rotator.core.outcome import Happened, StoreConflict, StoreError
from rotator.stores.local import LocalKv, load_key, open_local
from rotator.stores.port import Health, Secret
from tests.stores.kit import DESK, KEY, START, FakeClock, metadata, play


def raw_files(folder: Path) -> list[bytes]:
    """Return the content of every file in a folder."""
    return [file.read_bytes() for file in folder.iterdir()]


async def secret(kv: LocalKv, path: StorePath = DESK, version: int | None = None) -> Secret:
    """Return a version that must be there."""
    found = await kv.read(path, version)
    assert found is not None
    return found


def test_write_then_read(tmp_path: Path) -> None:
    """A written version is read back with its number, time and writer."""

    async def scenario(kv: LocalKv) -> None:
        assert await kv.write(DESK, {"api_key": "k", "n": 1, "deep": {"a": [None]}}, 0) == 1
        got = await secret(kv)
        assert got.data == {"api_key": "k", "n": 1, "deep": {"a": [None]}}
        assert (got.version, got.created_at, got.deletes_at, got.custom) == (1, START, None, {})
        assert (await metadata(kv)).versions[0].created_by == "ana"

    play(tmp_path, scenario)


def test_absent_is_none(tmp_path: Path) -> None:
    """What was never written reads as None, and so does an unknown version."""

    async def scenario(kv: LocalKv) -> None:
        assert await kv.read(DESK) is None
        assert await kv.read_metadata(DESK) is None
        assert await kv.list_folder(StorePath("secret/")) is None
        await kv.write(DESK, {}, 0)
        assert await kv.read(DESK, 9) is None

    play(tmp_path, scenario)


@pytest.mark.parametrize("cas", [0, 1, 3])
def test_cas_must_be_the_current_version(tmp_path: Path, cas: int) -> None:
    """A write over any version but the current one is a conflict and changes nothing."""

    async def scenario(kv: LocalKv) -> None:
        await kv.write(DESK, {"v": "1"}, 0)
        await kv.write(DESK, {"v": "2"}, 1)
        with pytest.raises(StoreConflict) as refused:
            await kv.write(DESK, {"v": "3"}, cas)
        assert refused.value.happened is Happened.NOT_APPLIED
        assert (await secret(kv)).data == {"v": "2"}

    play(tmp_path, scenario)


def test_cas_counts_deleted_versions(tmp_path: Path) -> None:
    """A soft-deleted newest version is still the one to write over."""

    async def scenario(kv: LocalKv) -> None:
        await kv.write(DESK, {"v": "1"}, 0)
        await kv.delete_versions(DESK, [1])
        with pytest.raises(StoreConflict):
            await kv.write(DESK, {"v": "2"}, 0)
        assert await kv.write(DESK, {"v": "2"}, 1) == 2

    play(tmp_path, scenario)


def test_delete_undelete_destroy(tmp_path: Path) -> None:
    """A deleted version has no data until undeleted; a destroyed one never again."""

    async def scenario(kv: LocalKv) -> None:
        await kv.write(DESK, {"v": "1"}, 0)
        await kv.write(DESK, {"v": "2"}, 1)
        await kv.delete_versions(DESK, [1])
        gone = await secret(kv, version=1)
        assert (gone.data, gone.deletes_at, gone.destroyed) == (None, START, False)
        assert (await secret(kv)).data == {"v": "2"}
        await kv.undelete_versions(DESK, [1])
        assert (await secret(kv, version=1)).data == {"v": "1"}
        await kv.destroy_versions(DESK, [1])
        await kv.undelete_versions(DESK, [1])
        gone = await secret(kv, version=1)
        assert (gone.data, gone.deletes_at, gone.destroyed) == (None, None, True)

    play(tmp_path, scenario)


def test_deleting_twice_keeps_the_first_time(tmp_path: Path) -> None:
    """A second soft-delete leaves the time of the first."""
    clock = FakeClock()

    async def scenario(kv: LocalKv) -> None:
        await kv.write(DESK, {}, 0)
        await kv.delete_versions(DESK, [1])
        clock.now += timedelta(hours=1)
        await kv.delete_versions(DESK, [1])
        assert (await secret(kv)).deletes_at == START

    play(tmp_path, scenario, clock)


def test_versions_act_on_nothing_quietly(tmp_path: Path) -> None:
    """Unknown paths and versions are no error; an empty list of versions is."""

    async def scenario(kv: LocalKv) -> None:
        await kv.delete_versions(DESK, [1])
        await kv.destroy_versions(DESK, [4])
        await kv.undelete_versions(DESK, [4])
        with pytest.raises(StoreError) as refused:
            await kv.delete_versions(DESK, [])
        assert refused.value.happened is Happened.REFUSED

    play(tmp_path, scenario)


def test_ten_versions_are_kept(tmp_path: Path) -> None:
    """The eleventh write removes the first version; oldest is told as KV v2 does."""

    async def scenario(kv: LocalKv) -> None:
        for n in range(9):
            await kv.write(DESK, {"n": n}, n)
        assert (await metadata(kv)).oldest == 0
        for n in range(9, 12):
            await kv.write(DESK, {"n": n}, n)
        found = await metadata(kv)
        assert (found.current, found.oldest) == (12, 3)
        assert [v.number for v in found.versions] == list(range(3, 13))
        assert await kv.read(DESK, 2) is None

    play(tmp_path, scenario)


def test_path_cannot_lower_the_mounts_versions(tmp_path: Path) -> None:
    """The larger of the path's and the mount's max_versions counts."""

    async def scenario(kv: LocalKv) -> None:
        await kv.set_mount_limits("secret", max_versions=3)
        await kv.write(DESK, {}, 0)
        await kv.set_path_limits(DESK, max_versions=2)
        for n in range(1, 6):
            await kv.write(DESK, {}, n)
        found = await metadata(kv)
        assert ([v.number for v in found.versions], found.max_versions) == ([4, 5, 6], 2)
        assert (await kv.mount_limits(DESK)).max_versions == 3
        assert (await kv.mount_limits(StorePath("other/x"))).max_versions == 10

    play(tmp_path, scenario)


def test_retention_deletes_by_itself(tmp_path: Path) -> None:
    """delete_version_after is fixed at the write: smaller of path and mount, then unreadable."""
    clock = FakeClock()

    async def scenario(kv: LocalKv) -> None:
        await kv.set_mount_limits("secret", delete_version_after=timedelta(days=2))
        await kv.write(DESK, {"v": "1"}, 0)
        await kv.set_path_limits(DESK, delete_version_after=timedelta(hours=1))
        await kv.write(DESK, {"v": "2"}, 1)
        assert (await secret(kv, version=1)).deletes_at == START + timedelta(days=2)
        assert (await secret(kv)).data == {"v": "2"}
        clock.now += timedelta(hours=1)
        assert (await secret(kv)).data is None
        await kv.undelete_versions(DESK, [2])
        got = await secret(kv)
        assert (got.data, got.deletes_at) == ({"v": "2"}, clock.now + timedelta(hours=1))

    play(tmp_path, scenario, clock)


def test_custom_metadata_merges(tmp_path: Path) -> None:
    """A patch changes the keys it names, None removes one, and no version is made."""

    async def scenario(kv: LocalKv) -> None:
        await kv.write(DESK, {}, 0)
        await kv.patch_metadata(DESK, {"exchange": "bybit", "owner": "ana"})
        await kv.patch_metadata(DESK, {"owner": None, "policy": "desk"})
        found = await metadata(kv)
        assert (found.custom, found.current) == ({"exchange": "bybit", "policy": "desk"}, 1)
        assert (await secret(kv)).custom == found.custom

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    "custom",
    [
        {"k": ""},
        {"k": "x" * 513},
        {"k": "ä" * 257},
        {"": "x"},
        {"k" * 129: "x"},
        {"k": "line\nbreak"},
        {f"k{n}": "x" for n in range(65)},
    ],
)
def test_custom_metadata_limits(tmp_path: Path, custom: dict[str, str]) -> None:
    """What Vault refuses as custom_metadata is refused here, and nothing changes."""

    async def scenario(kv: LocalKv) -> None:
        await kv.write(DESK, {}, 0)
        with pytest.raises(StoreError) as refused:
            await kv.patch_metadata(DESK, custom)
        assert (refused.value.status, refused.value.happened) == (400, Happened.REFUSED)
        assert (await metadata(kv)).custom == {}

    play(tmp_path, scenario)


def test_patch_needs_metadata(tmp_path: Path) -> None:
    """Patching the metadata of an unknown path is refused with 404."""

    async def scenario(kv: LocalKv) -> None:
        with pytest.raises(StoreError) as refused:
            await kv.patch_metadata(DESK, {"a": "b"})
        assert refused.value.status == 404

    play(tmp_path, scenario)


def test_list_and_walk(tmp_path: Path) -> None:
    """LIST gives names and folders, walk every path below a root except skipped folders."""

    async def scenario(kv: LocalKv) -> None:
        for path in ("a/x", "a/x/y", "a/x/z/deep", "a/x-1", "a/rotator/seal", "b/other"):
            await kv.write(StorePath(path), {}, 0)
        assert await kv.list_folder(StorePath("a")) == ("rotator/", "x", "x-1", "x/")
        assert await kv.list_folder(StorePath("a/x/")) == ("y", "z/")
        walk = await kv.walk(StorePath("a/"), [StorePath("a/rotator/")])
        assert sorted(walk.paths) == ["a/x", "a/x-1", "a/x/y", "a/x/z/deep"]
        assert walk.complete
        assert (await kv.walk(StorePath("none"), [])).paths == ()

    play(tmp_path, scenario)


def test_many_at_once(tmp_path: Path) -> None:
    """Bulk reads give each path its own answer, None where there is none."""

    async def scenario(kv: LocalKv) -> None:
        await kv.write(DESK, {"v": "1"}, 0)
        other = StorePath("secret/none")
        found = await kv.read_many_metadata([DESK, other, DESK])
        assert found == {DESK: await metadata(kv), other: None}
        assert await kv.read_many([(DESK, None), (other, None)]) == [await secret(kv), None]

    play(tmp_path, scenario)


@pytest.mark.parametrize("path", ["", "secret", "secret/", "/secret/a", "a//b", "a/../b", "a/\x00"])
def test_bad_paths(tmp_path: Path, path: str) -> None:
    """A path that Vault could not hold is refused."""

    async def scenario(kv: LocalKv) -> None:
        with pytest.raises(StoreError) as refused:
            await kv.write(StorePath(path), {}, 0)
        assert refused.value.happened is Happened.REFUSED

    play(tmp_path, scenario)


def test_error_does_not_quote_the_data(tmp_path: Path) -> None:
    """Data that is no JSON, or too large, is refused without repeating it."""

    async def scenario(kv: LocalKv) -> None:
        for data in ({"x": object()}, {"x": float("nan")}, {"x": "hush" * 300_000}):
            with pytest.raises(StoreError) as refused:
                await kv.write(DESK, data, 0)
            assert "hush" not in str(refused.value)
        assert await kv.read_metadata(DESK) is None

    play(tmp_path, scenario)


def test_values_are_encrypted(tmp_path: Path) -> None:
    """No value stands in any of the store's files in the clear."""

    async def scenario(kv: LocalKv) -> None:
        await kv.write(DESK, {"api_secret": "plain-as-day"}, 0)
        assert not any(b"plain-as-day" in raw for raw in raw_files(tmp_path))

    play(tmp_path, scenario)
    assert (tmp_path / "store.db").stat().st_mode & 0o777 == 0o600
    assert b"plain-as-day" not in (tmp_path / "store.db").read_bytes()


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
    with sqlite3.connect(tmp_path / "store.db") as raw:
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
        with sqlite3.connect(tmp_path / "store.db") as raw:
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


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=5),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=8),
            lambda inner: st.lists(inner, max_size=3),
            max_leaves=5,
        ),
        max_size=4,
    )
)
@settings(max_examples=25, deadline=None)
def test_any_json_comes_back(data: dict[str, object]) -> None:
    """Whatever JSON is written is read back equal."""
    with tempfile.TemporaryDirectory() as folder:

        async def scenario(kv: LocalKv) -> None:
            await kv.write(DESK, data, 0)
            assert (await secret(kv)).data == data

        play(Path(folder), scenario)
