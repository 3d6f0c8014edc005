"""Writes to a credential's path change our fields only, over the version that was read."""

from __future__ import annotations

from pathlib import Path

import pytest

from rotator.core.names import KeyId, Secrets, Sensitive, SigningKey, StorePath
from rotator.core.outcome import Happened, StoreConflict, StoreError
from rotator.stores.fingerprints import Fingerprints
from rotator.stores.local import LocalKv
from rotator.stores.publisher import Publisher
from tests.stores.kit import DESK, KEY, START, FakeClock, Watched, metadata, play, put, secret_of

FIELDS = {"api_key": "key", "api_secret": "secret", "passphrase": "phrase", "private_key": "pem"}
MARKS = Fingerprints(KEY)
OLD = {
    "key": "old-id",
    "secret": "canary-secret-1",
    "phrase": "p1",
    "note": "keep",
    "n": [1, None],
}
NEW = SigningKey(KeyId("new-id"), Secrets(Sensitive("canary-secret-2"), passphrase=Sensitive("p2")))


def publisher(kv: LocalKv) -> Publisher:
    """Return a publisher over a store."""
    return Publisher(kv, MARKS)


def test_read(tmp_path: Path) -> None:
    """One request gives the key, its fingerprint and the version; the repr shows no secret."""

    async def scenario(kv: LocalKv) -> None:
        await put(kv, DESK, OLD)
        watched = Watched(kv)
        state = await Publisher(watched.kv, MARKS).read(DESK, FIELDS)
        assert len(watched.asked) == 1
        assert (state.version, state.created_at, state.key_id) == (1, START, "old-id")
        assert secret_of(state.key) == "canary-secret-1"
        assert state.key_fp == MARKS.of("old-id")
        assert state.holds(KeyId("old-id"))
        assert not state.holds(KeyId("new-id"))
        assert "canary-secret-1" not in repr(state)

    play(tmp_path, scenario)


def test_read_what_is_not_there(tmp_path: Path) -> None:
    """No path, a deleted version and a missing field are told apart."""

    async def scenario(kv: LocalKv) -> None:
        assert not (await publisher(kv).read(DESK, FIELDS)).exists
        await put(kv, DESK, {"key": "id", "secret": 5})
        half = await publisher(kv).read(DESK, FIELDS)
        assert (half.key, half.key_id) == (None, "id")
        await kv.delete_versions(DESK, [1])
        gone = await publisher(kv).read(DESK, FIELDS)
        assert (gone.exists, gone.key_id, gone.content, gone.destroyed) == (True, None, None, False)
        await kv.destroy_versions(DESK, [1])
        assert (await publisher(kv).read(DESK, FIELDS)).destroyed

    play(tmp_path, scenario)


def test_publish_keeps_unknown_fields(tmp_path: Path) -> None:
    """The new key's fields replace the old key's, all others stay as they were."""

    async def scenario(kv: LocalKv) -> None:
        await put(kv, DESK, OLD)
        pub = publisher(kv)
        assert await pub.publish(await pub.read(DESK, FIELDS), FIELDS, NEW) == 2
        found = await kv.read(DESK)
        assert found is not None
        assert found.data == {
            **OLD,
            "key": "new-id",
            "secret": "canary-secret-2",
            "phrase": "p2",
        }

    play(tmp_path, scenario)


def test_publish_leaves_no_mixture(tmp_path: Path) -> None:
    """Our fields that the new key does not have are removed."""

    async def scenario(kv: LocalKv) -> None:
        await put(kv, DESK, {**OLD, "pem": "old-pem"})
        pub = publisher(kv)
        key = SigningKey(KeyId("new-id"), Secrets(private_key=Sensitive("new-pem")))
        await pub.publish(await pub.read(DESK, FIELDS), FIELDS, key)
        found = await kv.read(DESK)
        assert found is not None
        assert found.data == {"key": "new-id", "pem": "new-pem", "note": "keep", "n": [1, None]}

    play(tmp_path, scenario)


def test_publish_over_another_version(tmp_path: Path) -> None:
    """If somebody wrote since the read, nothing is published."""

    async def scenario(kv: LocalKv) -> None:
        await put(kv, DESK, OLD)
        pub = publisher(kv)
        state = await pub.read(DESK, FIELDS)
        await put(kv, DESK, {**OLD, "note": "edited"})
        for act in (pub.publish(state, FIELDS, NEW), pub.rewrite(state)):
            with pytest.raises(StoreConflict):
                await act
        assert (await metadata(kv)).current == 2

    play(tmp_path, scenario)


def test_publish_back_is_exact(tmp_path: Path) -> None:
    """Publishing the old key again restores the old secret exactly."""

    async def scenario(kv: LocalKv) -> None:
        await put(kv, DESK, OLD)
        pub = publisher(kv)
        old = await pub.read(DESK, FIELDS)
        assert old.key is not None
        await pub.publish(old, FIELDS, NEW)
        await pub.publish(await pub.read(DESK, FIELDS), FIELDS, old.key)
        found = await kv.read(DESK)
        assert found is not None
        assert (found.data, found.version) == (OLD, 3)

    play(tmp_path, scenario)


def test_rewrite_is_a_new_version_of_the_same(tmp_path: Path) -> None:
    """The fence writes the same content as a new version, so an older Publish cannot land."""

    async def scenario(kv: LocalKv) -> None:
        await put(kv, DESK, OLD)
        pub = publisher(kv)
        state = await pub.read(DESK, FIELDS)
        assert await pub.rewrite(state) == 2
        with pytest.raises(StoreConflict):
            await pub.publish(state, FIELDS, NEW)
        found = await kv.read(DESK)
        assert found is not None
        assert found.data == OLD

    play(tmp_path, scenario)


def test_publish_needs_content_and_fields(tmp_path: Path) -> None:
    """Over a deleted version, or without a field for a word, publishing is refused."""

    async def scenario(kv: LocalKv) -> None:
        await put(kv, DESK, OLD)
        pub = publisher(kv)
        state = await pub.read(DESK, FIELDS)
        with pytest.raises(StoreError, match="no field for passphrase"):
            await pub.publish(state, {"api_key": "key", "api_secret": "secret"}, NEW)
        await kv.delete_versions(DESK, [1])
        with pytest.raises(StoreError) as refused:
            await pub.publish(await pub.read(DESK, FIELDS), FIELDS, NEW)
        assert refused.value.happened is Happened.REFUSED
        assert (await metadata(kv)).current == 1

    play(tmp_path, scenario)


def test_retire_and_unretire(tmp_path: Path) -> None:
    """Exactly the numbers given are deleted and brought back."""
    clock = FakeClock()

    async def scenario(kv: LocalKv) -> None:
        pub = publisher(kv)
        for n in range(5):
            await put(kv, DESK, {"key": f"id{n}"})
        await kv.destroy_versions(DESK, [1])
        assert await pub.retire(await metadata(kv), [1, 2, 4], clock.now) == (2, 4)
        assert await pub.retire(await metadata(kv), [2, 4], clock.now) == ()
        readable = [v.number for v in (await metadata(kv)).versions if v.readable(clock.now)]
        assert readable == [3, 5]
        assert await pub.unretire(await metadata(kv), [1, 3, 4, 2]) == (4, 2)
        readable = [v.number for v in (await metadata(kv)).versions if v.readable(clock.now)]
        assert readable == [2, 3, 4, 5]
        assert await pub.unretire(await metadata(kv), []) == ()

    play(tmp_path, scenario, clock)


@pytest.mark.parametrize("number", [2, 3])
def test_current_version_is_never_touched(tmp_path: Path, number: int) -> None:
    """A list with the current version, or a later one, is refused whole."""

    async def scenario(kv: LocalKv) -> None:
        await put(kv, DESK, OLD)
        await put(kv, DESK, OLD)
        watched = Watched(kv)
        pub = Publisher(watched.kv, MARKS)
        now = await metadata(kv)
        with pytest.raises(StoreError, match="current"):
            await pub.retire(now, [1, number], START)
        with pytest.raises(StoreError, match="current"):
            await pub.unretire(now, [1, number])
        assert watched.asked == []

    play(tmp_path, scenario)


def test_note(tmp_path: Path) -> None:
    """Only keys that begin with rotator_ are written to custom_metadata."""

    async def scenario(kv: LocalKv) -> None:
        await put(kv, DESK, OLD, owner="ana")
        pub = publisher(kv)
        await pub.note(DESK, {"rotator_rotation": "r1"})
        await pub.note(DESK, {})
        with pytest.raises(StoreError, match="rotator_"):
            await pub.note(DESK, {"rotator_x": "1", "owner": "bob"})
        found = await pub.glance(DESK)
        assert found is not None
        assert found.custom == {"owner": "ana", "rotator_rotation": "r1"}
        assert await pub.glance(StorePath("secret/none")) is None

    play(tmp_path, scenario)
