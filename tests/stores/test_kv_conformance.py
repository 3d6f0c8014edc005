"""One suite over every store driver: what KV v2 promises, each of them keeps."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from rotator.core.outcome import StoreConflict, StoreError
from rotator.stores.port import KvStore
from tests.servers.stores import utc_now
from tests.stores.kv_drivers import Driver, at, metadata_of, refused, run, secret_of


def test_versions_are_counted_and_kept(driver: Driver) -> None:
    """Each write makes the next version, and older ones stay readable with their own data."""

    async def scenario(store: KvStore, mount: str) -> None:
        path = at(mount, "bybit/desk0")
        before = utc_now() - timedelta(seconds=2)
        assert await store.write(path, {"api_key": "one"}, 0) == 1
        assert await store.write(path, {"api_key": "two"}, 1) == 2
        assert (await secret_of(store, path)).data == {"api_key": "two"}
        first = await secret_of(store, path, 1)
        assert (first.version, first.data) == (1, {"api_key": "one"})
        metadata = await metadata_of(store, path)
        assert (metadata.path, metadata.current, metadata.oldest) == (path, 2, 0)
        assert [v.number for v in metadata.versions] == [1, 2]
        assert before <= metadata.created_at <= utc_now() + timedelta(seconds=2)
        assert metadata.created_at.utcoffset() == timedelta(0)
        assert all(v.readable(utc_now()) for v in metadata.versions)

    run(driver, scenario)


def test_absence_is_none_and_nothing_else(driver: Driver) -> None:
    """What was never written reads as None: path, version, metadata, folder."""

    async def scenario(store: KvStore, mount: str) -> None:
        path = at(mount, "never")
        assert await store.read(path) is None
        assert await store.read_metadata(path) is None
        assert await store.list_folder(at(mount, "folder")) is None
        await store.write(path, {"a": "b"}, 0)
        assert await store.read(path, 9) is None

    run(driver, scenario)


@pytest.mark.parametrize("cas", [0, 1, 3])
def test_only_the_current_version_can_be_written_over(driver: Driver, cas: int) -> None:
    """A write over a version that is not the current one conflicts and changes nothing."""

    async def scenario(store: KvStore, mount: str) -> None:
        path = at(mount, "a")
        await store.write(path, {"v": "1"}, 0)
        await store.write(path, {"v": "2"}, 1)
        error = await refused(store.write(path, {"v": "x"}, cas))
        assert isinstance(error, StoreConflict)
        secret = await secret_of(store, path)
        assert (secret.version, secret.data) == (2, {"v": "2"})

    run(driver, scenario)


def test_a_first_write_over_a_version_that_is_not_there_conflicts(driver: Driver) -> None:
    """CAS above zero on a path without versions conflicts and creates nothing."""

    async def scenario(store: KvStore, mount: str) -> None:
        assert isinstance(await refused(store.write(at(mount, "a"), {}, 1)), StoreConflict)
        assert await store.read_metadata(at(mount, "a")) is None

    run(driver, scenario)


def test_a_deleted_newest_version_still_counts(driver: Driver) -> None:
    """After the newest version is deleted, its number is the one to write over, not zero."""

    async def scenario(store: KvStore, mount: str) -> None:
        path = at(mount, "a")
        await store.write(path, {"v": "1"}, 0)
        await store.delete_versions(path, [1])
        assert isinstance(await refused(store.write(path, {"v": "x"}, 0)), StoreConflict)
        assert await store.write(path, {"v": "2"}, 1) == 2

    run(driver, scenario)


def test_a_destroyed_newest_version_still_counts(driver: Driver) -> None:
    """After the newest version is destroyed, its number is the one to write over."""

    async def scenario(store: KvStore, mount: str) -> None:
        path = at(mount, "a")
        await store.write(path, {"v": "1"}, 0)
        await store.destroy_versions(path, [1])
        assert isinstance(await refused(store.write(path, {"v": "x"}, 0)), StoreConflict)
        assert await store.write(path, {"v": "2"}, 1) == 2

    run(driver, scenario)


def test_soft_delete_and_undelete(driver: Driver) -> None:
    """A soft-deleted version is a secret without data until it is undeleted."""

    async def scenario(store: KvStore, mount: str) -> None:
        path = at(mount, "a")
        await store.write(path, {"v": "1"}, 0)
        await store.write(path, {"v": "2"}, 1)
        await store.delete_versions(path, [1, 2])
        gone = await secret_of(store, path)
        assert (gone.version, gone.data, gone.destroyed) == (2, None, False)
        assert gone.deletes_at is not None
        assert gone.deletes_at <= utc_now() + timedelta(seconds=2)
        metadata = await metadata_of(store, path)
        assert metadata.current == 2
        later = utc_now() + timedelta(seconds=2)
        assert not any(v.readable(later) for v in metadata.versions)
        await store.undelete_versions(path, [1])
        assert (await secret_of(store, path, 1)).data == {"v": "1"}
        assert (await secret_of(store, path)).data is None
        restored = (await metadata_of(store, path)).version(1)
        assert restored is not None
        assert restored.deletes_at is None

    run(driver, scenario)


def test_destroy_is_for_good(driver: Driver) -> None:
    """A destroyed version has no data, says so, and cannot be undeleted; others stay."""

    async def scenario(store: KvStore, mount: str) -> None:
        path = at(mount, "a")
        await store.write(path, {"v": "1"}, 0)
        await store.write(path, {"v": "2"}, 1)
        await store.destroy_versions(path, [2])
        await store.undelete_versions(path, [2])
        dead = await secret_of(store, path)
        assert (dead.version, dead.data, dead.destroyed) == (2, None, True)
        version = (await metadata_of(store, path)).version(2)
        assert version is not None
        assert version.destroyed
        assert not version.readable(utc_now())
        assert (await secret_of(store, path, 1)).data == {"v": "1"}

    run(driver, scenario)


def test_no_versions_named_is_an_error(driver: Driver) -> None:
    """Deleting, undeleting or destroying an empty list of versions is refused."""

    async def scenario(store: KvStore, mount: str) -> None:
        path = at(mount, "a")
        await store.write(path, {"v": "1"}, 0)
        await refused(store.delete_versions(path, []))
        await refused(store.undelete_versions(path, []))
        await refused(store.destroy_versions(path, []))
        assert (await secret_of(store, path)).data == {"v": "1"}

    run(driver, scenario)


def test_versions_that_are_not_there_are_no_error(driver: Driver) -> None:
    """Deleting, undeleting or destroying what does not exist does nothing."""

    async def scenario(store: KvStore, mount: str) -> None:
        path = at(mount, "a")
        await store.write(path, {"v": "1"}, 0)
        for there in (path, at(mount, "never")):
            await store.delete_versions(there, [7])
            await store.undelete_versions(there, [7])
            await store.destroy_versions(there, [7])
        assert (await secret_of(store, path)).data == {"v": "1"}
        assert await store.read_metadata(at(mount, "never")) is None

    run(driver, scenario)


def test_metadata_patch_merges(driver: Driver) -> None:
    """A patch sets and removes the keys it names, keeps the others, makes no version."""

    async def scenario(store: KvStore, mount: str) -> None:
        path = at(mount, "a")
        await store.write(path, {"a": "b"}, 0)
        await store.patch_metadata(path, {"owner": "desk", "rotator_key_fp": "aa"})
        await store.patch_metadata(path, {"rotator_key_fp": "bb", "note": "ünï ✓"})
        await store.patch_metadata(path, {"owner": None, "absent": None})
        metadata = await metadata_of(store, path)
        assert dict(metadata.custom) == {"rotator_key_fp": "bb", "note": "ünï ✓"}
        assert metadata.current == 1
        secret = await secret_of(store, path)
        assert dict(secret.custom or {}) == dict(metadata.custom)

    run(driver, scenario)


def test_metadata_patch_takes_the_longest_value(driver: Driver) -> None:
    """512 bytes of value, 128 bytes of key and 64 keys are accepted."""

    async def scenario(store: KvStore, mount: str) -> None:
        path = at(mount, "a")
        await store.write(path, {"a": "b"}, 0)
        full = {f"k{n}": "v" for n in range(63)} | {"k" * 128: "v" * 512}
        await store.patch_metadata(path, full)
        assert dict((await metadata_of(store, path)).custom) == full

    run(driver, scenario)


@pytest.mark.parametrize(
    "change",
    [
        {"a": ""},
        {"a": "x" * 513},
        {"a": "é" * 257},
        {"": "x"},
        {"k" * 129: "x"},
        {"a": "new\nline"},
        {f"k{n}": "v" for n in range(65)},
        {f"more{n}": "v" for n in range(64)},
    ],
    ids=["empty", "513", "514-bytes", "no-key", "key-129", "control", "65", "64-beside-one"],
)
def test_metadata_patch_limits(driver: Driver, change: dict[str, str]) -> None:
    """A patch beyond KV v2's limits is refused and changes nothing."""

    async def scenario(store: KvStore, mount: str) -> None:
        path = at(mount, "a")
        await store.write(path, {"a": "b"}, 0)
        await store.patch_metadata(path, {"held": "x"})
        await refused(store.patch_metadata(path, change))
        assert dict((await metadata_of(store, path)).custom) == {"held": "x"}

    run(driver, scenario)


def test_metadata_patch_needs_a_path(driver: Driver) -> None:
    """Patching a path without metadata is refused and creates nothing."""

    async def scenario(store: KvStore, mount: str) -> None:
        await refused(store.patch_metadata(at(mount, "never"), {"a": "b"}))
        assert await store.read_metadata(at(mount, "never")) is None

    run(driver, scenario)


def test_the_mounts_limit_evicts_the_oldest(driver: Driver) -> None:
    """With max_versions 3, the fourth write removes the first version for good."""

    async def scenario(store: KvStore, mount: str) -> None:
        path = at(mount, "a")
        for n in range(4):
            await store.write(path, {"n": n}, n)
        metadata = await metadata_of(store, path)
        assert [v.number for v in metadata.versions] == [2, 3, 4]
        assert metadata.oldest == 2
        assert await store.read(path, 1) is None
        limits = await store.mount_limits(path)
        assert (limits.mount, limits.max_versions) == (mount, 3)

    run(driver, scenario, max_versions=3)


def test_a_mount_keeps_ten_versions_by_default(driver: Driver) -> None:
    """Without a limit of its own a mount keeps ten versions and says ten, for ever."""

    async def scenario(store: KvStore, mount: str) -> None:
        path = at(mount, "a")
        for n in range(11):
            await store.write(path, {"n": n}, n)
        assert (await metadata_of(store, path)).oldest == 2
        limits = await store.mount_limits(path)
        assert limits.max_versions == 10
        assert limits.delete_version_after == timedelta(0)

    run(driver, scenario)


def test_retention_shows_as_a_future_deletion(driver: Driver) -> None:
    """With delete_version_after a new version is readable and names the time of its end."""

    async def scenario(store: KvStore, mount: str) -> None:
        path = at(mount, "a")
        await store.write(path, {"a": "b"}, 0)
        version = (await metadata_of(store, path)).version(1)
        secret = await secret_of(store, path)
        assert version is not None
        assert version.deletes_at is not None
        assert version.readable(utc_now())
        lasts = version.deletes_at - version.created_at
        assert abs(lasts - timedelta(days=2)) < timedelta(seconds=2)
        assert (secret.data, secret.deletes_at) == ({"a": "b"}, version.deletes_at)
        limits = await store.mount_limits(path)
        assert limits.delete_version_after == timedelta(days=2)

    run(driver, scenario, delete_version_after=timedelta(days=2))


DATA: dict[str, Any] = {
    "text": 'ünï ✓ \u2028 " \\ \n',
    "empty": "",
    "number": 2**53 - 1,
    "negative": -7,
    "float": 0.1,
    "yes": True,
    "nothing": None,
    "list": [1, "two", [3], {}],
    "object": {"a": {"b": ["c"]}},
    "key with spaces / ü": "x",
    "pem": "-----BEGIN X-----\nabc\n-----END X-----\n",
}


def test_data_comes_back_as_it_went(driver: Driver) -> None:
    """Every JSON value keeps its type and value, whole numbers up to 2**53 included."""

    async def scenario(store: KvStore, mount: str) -> None:
        path = at(mount, "a")
        await store.write(path, DATA, 0)
        first = await secret_of(store, path)
        assert first.data == DATA
        assert {k: type(v) for k, v in first.data.items()} == {k: type(v) for k, v in DATA.items()}
        await store.write(path, first.data or {}, 1)
        assert (await secret_of(store, path)).data == DATA

    run(driver, scenario)


@pytest.mark.parametrize("data", [{"x": float("nan")}, {"x": {1, 2}}, {"x": "\ud800"}])
def test_what_is_not_json_is_refused(driver: Driver, data: dict[str, Any]) -> None:
    """Data that JSON cannot carry is refused before anything is written."""

    async def scenario(store: KvStore, mount: str) -> None:
        await refused(store.write(at(mount, "a"), data, 0))
        assert await store.read_metadata(at(mount, "a")) is None

    run(driver, scenario)


def test_of_many_writers_exactly_one_wins(driver: Driver) -> None:
    """Of twelve writers over the same version one succeeds and the others conflict."""

    async def scenario(store: KvStore, mount: str) -> None:
        path = at(mount, "a")
        await store.write(path, {"by": "first"}, 0)
        attempts = [store.write(path, {"by": n}, 1) for n in range(12)]
        answers = await asyncio.gather(*attempts, return_exceptions=True)
        won = [n for n, answer in enumerate(answers) if answer == 2]
        assert len(won) == 1
        assert sum(isinstance(answer, StoreConflict) for answer in answers) == 11
        secret = await secret_of(store, path)
        assert (secret.version, secret.data) == (2, {"by": won[0]})

    run(driver, scenario)


def test_the_owner_may_do_everything(driver: Driver) -> None:
    """The highest role's capabilities are `root`, asked at API paths of the path."""

    async def scenario(store: KvStore, mount: str) -> None:
        path = at(mount, "t/a")
        await store.mount_limits(path)
        api = store.api_path("data", path)
        assert api == f"{mount}/data/t/a"
        assert await store.capabilities([api]) == {api: frozenset({"root"})}

    run(driver, scenario)


def test_health_says_up(driver: Driver) -> None:
    """A store that serves says so, with a message for people only when it does not."""

    async def scenario(store: KvStore, mount: str) -> None:
        health = await store.health()
        assert health.up
        assert not health.sealed

    run(driver, scenario)


def test_a_closed_store_is_an_error(driver: Driver) -> None:
    """After close every call raises StoreError; closing twice is harmless."""

    async def scenario(store: KvStore, mount: str) -> None:
        await store.close()
        await store.close()
        with pytest.raises(StoreError):
            await store.read(at(mount, "a"))

    run(driver, scenario)
