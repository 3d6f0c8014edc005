"""The embedded store keeps KV v2's promises."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from rotator.core.names import StorePath
from rotator.core.outcome import Happened, StoreConflict, StoreError
from rotator.stores.local import LocalKv
from tests.stores.kit import DESK, START, FakeClock, metadata, play, secret


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
