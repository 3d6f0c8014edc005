"""The conformance suite, continued: names, folders, walks and reads of many paths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import pytest

from rotator.core.names import StorePath
from rotator.stores.port import KvStore, Secret, StoreFault
from tests.stores.kv_drivers import Driver, at, metadata_of, refused, run, secret_of


@runtime_checkable
class BulkReader(Protocol):
    """A store that reads many versions in one call."""

    async def read_many(
        self, wanted: Sequence[tuple[StorePath, int | None]]
    ) -> list[Secret | None | StoreFault]:
        """Return one version for each (path, version), in that order."""
        ...


def test_list_names_folders_and_secrets_of_one_name(driver: Driver) -> None:
    """A name may be both a secret and a folder; folders end in a slash."""

    async def scenario(store: KvStore, mount: str) -> None:
        for rest in ("t/foo", "t/foo/bar", "t/zed/deep/one"):
            await store.write(at(mount, rest), {"a": "b"}, 0)
        listed = await store.list_folder(at(mount, "t"))
        assert listed is not None
        assert sorted(listed) == ["foo", "foo/", "zed/"]
        assert await store.list_folder(at(mount, "t/foo")) == ("bar",)
        assert await store.list_folder(StorePath(mount)) == ("t/",)

    run(driver, scenario)


def test_a_folder_is_the_same_with_and_without_its_slash(driver: Driver) -> None:
    """Callers write folders in both ways; a mount, a deep one and an absent one alike."""

    async def scenario(store: KvStore, mount: str) -> None:
        for rest in ("t/foo", "t/foo/bar", "t/zed/deep/one"):
            await store.write(at(mount, rest), {"a": "b"}, 0)
        told = {}
        for folder in (mount, f"{mount}/t", f"{mount}/t/zed/deep", f"{mount}/nowhere"):
            bare = await store.list_folder(StorePath(folder))
            assert await store.list_folder(StorePath(f"{folder}/")) == bare
            told[folder.removeprefix(mount)] = sorted(bare) if bare is not None else None
        assert told == {
            "": ["t/"],
            "/t": ["foo", "foo/", "zed/"],
            "/t/zed/deep": ["one"],
            "/nowhere": None,
        }

    run(driver, scenario)


def test_walk_finds_every_path_but_the_skipped(driver: Driver) -> None:
    """A walk returns all paths below its root and never looks into a skipped prefix."""

    async def scenario(store: KvStore, mount: str) -> None:
        names = ("t/foo", "t/foo/bar", "t/zed/deep/one", "t/state/x", "t/state2", "other")
        for rest in names:
            await store.write(at(mount, rest), {"a": "b"}, 0)
        walk = await store.walk(at(mount, "t"), [at(mount, "t/state")])
        wanted = ("t/foo", "t/foo/bar", "t/state2", "t/zed/deep/one")
        assert sorted(walk.paths) == [at(mount, rest) for rest in wanted]
        assert walk.complete
        everything = await store.walk(StorePath(mount), [])
        assert sorted(everything.paths) == sorted(at(mount, rest) for rest in names)
        nothing = await store.walk(at(mount, "nowhere"), [])
        assert nothing.paths == ()
        assert nothing.complete

    run(driver, scenario)


def test_a_walk_lists_deleted_secrets_too(driver: Driver) -> None:
    """A path whose versions are all deleted still has metadata, so a walk names it."""

    async def scenario(store: KvStore, mount: str) -> None:
        path = at(mount, "t/a")
        await store.write(path, {"a": "b"}, 0)
        await store.destroy_versions(path, [1])
        assert (await store.walk(at(mount, "t"), [])).paths == (path,)

    run(driver, scenario)


NAMES = ["ünï-✓", "sp ace", "a%2fb", "q?x=1", "h#x", "a&b=c", "a;b", "a\\b", "trail ", "..x", "x.."]


@pytest.mark.parametrize("name", NAMES)
def test_unusual_names_are_names(driver: Driver, name: str) -> None:
    """A name with any printable character is written, listed, walked and read back."""

    async def scenario(store: KvStore, mount: str) -> None:
        path = at(mount, f"t/{name}")
        await store.write(path, {"n": name}, 0)
        assert await store.list_folder(at(mount, "t")) == (name,)
        assert (await store.walk(at(mount, "t"), [])).paths == (path,)
        assert (await secret_of(store, path)).data == {"n": name}
        assert (await metadata_of(store, path)).current == 1
        await store.delete_versions(path, [1])
        assert (await secret_of(store, path)).data is None

    run(driver, scenario)


@pytest.mark.parametrize("rest", ["a/../b", "a/./b", "a//b", "a\nb", "a\x00b", "\u202eb"])
def test_names_that_cannot_be_addressed_are_refused(driver: Driver, rest: str) -> None:
    """A path with an empty, dotted or unprintable segment is an error, never an absence."""

    async def scenario(store: KvStore, mount: str) -> None:
        await refused(store.write(at(mount, rest), {"a": "b"}, 0))
        await refused(store.read(at(mount, rest)))
        await refused(store.read_metadata(at(mount, rest)))

    run(driver, scenario)


def test_many_metadata_at_once(driver: Driver) -> None:
    """A bulk read gives each path what a single read gives, absence and faults included."""

    async def scenario(store: KvStore, mount: str) -> None:
        there = [at(mount, f"t/{n}") for n in range(40)]
        for path in there:
            await store.write(path, {"a": "b"}, 0)
        absent, bad = at(mount, "t/none"), at(mount, "t/../x")
        told = await store.read_many_metadata([*there, absent, bad])
        assert set(told) == {*there, absent, bad}
        assert told[absent] is None
        assert isinstance(told[bad], StoreFault)
        for path in there:
            assert told[path] == await store.read_metadata(path)
        assert await store.read_many_metadata([]) == {}

    run(driver, scenario)


def test_many_secrets_at_once(driver: Driver) -> None:
    """A bulk read of versions answers in the order asked, absence and deletion included."""

    async def scenario(store: KvStore, mount: str) -> None:
        assert isinstance(store, BulkReader)
        for n in range(20):
            await store.write(at(mount, f"t/{n}"), {"n": n}, 0)
        await store.write(at(mount, "t/0"), {"n": "new"}, 1)
        await store.delete_versions(at(mount, "t/1"), [1])
        wanted = [(at(mount, f"t/{n}"), 1 if n == 0 else None) for n in range(20)]
        told = await store.read_many([*wanted, (at(mount, "t/none"), None)])
        assert told[-1] is None
        secrets = [secret for secret in told if isinstance(secret, Secret)]
        assert [s.path for s in secrets] == [path for path, _ in wanted]
        assert [s.data for s in secrets[:3]] == [{"n": 0}, None, {"n": 2}]
        assert await store.read_many([]) == []

    run(driver, scenario)
