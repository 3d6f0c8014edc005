"""A store restored from a backup must not act."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from rotator.core.names import RotationId
from rotator.core.outcome import StoreError
from rotator.stores.documents import Documents
from rotator.stores.epoch import Epoch, FileAnchor, Going, Restored, default_anchor_file
from rotator.stores.local import LocalKv
from tests.stores.kit import DESK, STATE, Watched, documents, play


def parts(kv: LocalKv, tmp_path: Path) -> tuple[Documents, FileAnchor, Epoch]:
    """Return documents, anchor and epoch of one daemon."""
    docs, anchor = documents(kv), FileAnchor(tmp_path / "state" / "anchor")
    return docs, anchor, Epoch(docs, anchor)


async def use_journal(docs: Documents) -> None:
    """Write a record, so that the journal is in use."""
    await docs.put(docs.rotation(DESK), {}, 0)


def test_first_start(tmp_path: Path) -> None:
    """A store never used and no anchor: the anchor 0 is written, and the daemon may act."""

    async def scenario(kv: LocalKv) -> None:
        _, anchor, epoch = parts(kv, tmp_path)
        assert await epoch.judge() == Going(0)
        assert await anchor.read() == 0

    play(tmp_path, scenario)


def test_each_pass_raises_epoch_then_anchor(tmp_path: Path) -> None:
    """The number grows by one a pass, in the store first and then outside it."""

    async def scenario(kv: LocalKv) -> None:
        docs, anchor, epoch = parts(kv, tmp_path)
        await epoch.judge()
        for n in (1, 2, 3):
            assert await epoch.raise_epoch() == Going(n)
            assert await anchor.read() == n
        assert (await docs.read(docs.epoch)).data == {"epoch": 3}
        await use_journal(docs)
        assert await epoch.judge() == Going(3)

    play(tmp_path, scenario)


@pytest.mark.parametrize("folder", ["rotations", "history"])
def test_in_use_without_an_anchor(tmp_path: Path, folder: str) -> None:
    """A journal in use and no anchor: watch only, at every start anew, and nothing is stored."""

    async def scenario(kv: LocalKv) -> None:
        docs, anchor, epoch = parts(kv, tmp_path)
        at = {"rotations": docs.rotation(DESK), "history": docs.history(DESK, RotationId("r"))}
        await docs.put(at[folder], {}, 0)
        for _ in range(2):
            standing = await epoch.judge()
            assert isinstance(standing, Restored)
            assert (standing.epoch, standing.anchor) == (0, None)
            assert "rotator resume" in standing.cure
        assert await anchor.read() is None
        assert isinstance(await epoch.raise_epoch(), Restored)
        assert not (await docs.read(docs.epoch)).exists

    play(tmp_path, scenario)


@pytest.mark.parametrize("used", [True, False])
def test_below_the_anchor(tmp_path: Path, used: bool) -> None:
    """An epoch below its anchor: watch only, whether or not the journal is in use."""

    async def scenario(kv: LocalKv) -> None:
        docs, anchor, epoch = parts(kv, tmp_path)
        await docs.put(docs.epoch, {"epoch": 4}, 0)
        await anchor.raise_to(9)
        if used:
            await use_journal(docs)
        standing = await epoch.judge()
        assert isinstance(standing, Restored)
        assert (standing.epoch, standing.anchor) == (4, 9)

    play(tmp_path, scenario)


def test_restored_under_a_running_daemon(tmp_path: Path) -> None:
    """A store that falls behind between two passes stops the next pass."""

    async def scenario(kv: LocalKv) -> None:
        docs, anchor, epoch = parts(kv, tmp_path)
        await epoch.judge()
        await epoch.raise_epoch()
        await epoch.raise_epoch()
        await docs.put(docs.epoch, {"epoch": 1}, 2)
        assert isinstance(await epoch.raise_epoch(), Restored)
        assert await anchor.read() == 2

    play(tmp_path, scenario)


@pytest.mark.parametrize("anchored", [None, 9])
@pytest.mark.parametrize("seen", [4, "4"])
def test_resume(tmp_path: Path, anchored: int | None, seen: Any) -> None:
    """`resume` with the epoch seen raises the epoch above the anchor, and the daemon goes on."""

    async def scenario(kv: LocalKv) -> None:
        docs, anchor, epoch = parts(kv, tmp_path)
        await use_journal(docs)
        await docs.put(docs.epoch, {"epoch": 4}, 0)
        if anchored is not None:
            await anchor.raise_to(anchored)
        assert isinstance(await epoch.judge(), Restored)
        await docs.put(docs.command("resume"), {"epoch": seen}, 0)
        raised = (anchored or 4) + 1
        assert await epoch.judge() == Going(raised, resumed=True)
        assert await anchor.read() == raised
        assert await epoch.judge() == Going(raised)

    play(tmp_path, scenario)


@pytest.mark.parametrize("seen", [3, 5, None, True, "x", -1, 2**60])
def test_resume_for_another_epoch_is_void(tmp_path: Path, seen: Any) -> None:
    """A `resume` that saw another epoch changes nothing."""

    async def scenario(kv: LocalKv) -> None:
        docs, _, epoch = parts(kv, tmp_path)
        await use_journal(docs)
        await docs.put(docs.epoch, {"epoch": 4}, 0)
        await docs.put(docs.command("resume"), {"epoch": seen}, 0)
        assert isinstance(await epoch.judge(), Restored)
        assert (await docs.read(docs.epoch)).version == 1

    play(tmp_path, scenario)


@pytest.mark.parametrize("data", [{}, {"epoch": "?"}, {"epoch": True}, {"epoch": -3}])
def test_spoiled_epoch_counts_as_zero(tmp_path: Path, data: dict[str, Any]) -> None:
    """An epoch that is no number is 0, so a store with an anchor above is not trusted."""

    async def scenario(kv: LocalKv) -> None:
        docs, anchor, epoch = parts(kv, tmp_path)
        await docs.put(docs.epoch, data, 0)
        await anchor.raise_to(1)
        assert isinstance(await epoch.judge(), Restored)

    play(tmp_path, scenario)


def test_deleted_epoch_counts_as_zero(tmp_path: Path) -> None:
    """An epoch document that somebody deleted is 0."""

    async def scenario(kv: LocalKv) -> None:
        docs, _, epoch = parts(kv, tmp_path)
        await epoch.judge()
        await epoch.raise_epoch()
        await kv.delete_versions(docs.epoch, [1])
        assert isinstance(await epoch.judge(), Restored)

    play(tmp_path, scenario)


def test_conflict_and_lost_answer(tmp_path: Path) -> None:
    """When another daemon raises first, or the answer is lost, it is read and raised again."""

    async def scenario(kv: LocalKv) -> None:
        docs, anchor, _ = parts(kv, tmp_path)
        watched = Watched(kv)
        epoch = Epoch(Documents(watched.kv, STATE), anchor)
        await epoch.judge()
        rivals = iter([True, True, False])

        async def rival(name: str, _args: tuple[Any, ...]) -> None:
            if name == "write" and next(rivals, False):
                now = await docs.read(docs.epoch)
                await docs.put(docs.epoch, {"epoch": now.version + 1}, now.version)

        watched.before = rival
        assert await epoch.raise_epoch() == Going(3)
        watched.lose_answer_of = {"write"}

        async def heal(name: str, _args: tuple[Any, ...]) -> None:
            if name == "read":
                watched.lose_answer_of = {"write"} if (await kv_version()) < 4 else set()

        async def kv_version() -> int:
            return (await docs.read(docs.epoch)).version

        watched.before = heal
        assert await epoch.raise_epoch() == Going(5)
        assert await anchor.read() == 5

    play(tmp_path, scenario)


def test_endless_conflict_ends(tmp_path: Path) -> None:
    """If every write loses, raising gives up with an error instead of spinning."""

    async def scenario(kv: LocalKv) -> None:
        docs, anchor, _ = parts(kv, tmp_path)
        watched = Watched(kv)
        epoch = Epoch(Documents(watched.kv, STATE), anchor)
        await epoch.judge()

        async def rival(name: str, _args: tuple[Any, ...]) -> None:
            if name == "write":
                now = await docs.read(docs.epoch)
                await docs.put(docs.epoch, {"epoch": now.version + 1}, now.version)

        watched.before = rival
        with pytest.raises(StoreError, match="changed"):
            await epoch.raise_epoch()

    play(tmp_path, scenario)


def test_store_that_fails(tmp_path: Path) -> None:
    """A store that cannot be written is an error, and the anchor is not ahead of it."""

    async def scenario(kv: LocalKv) -> None:
        _, anchor, _ = parts(kv, tmp_path)
        watched = Watched(kv)
        epoch = Epoch(Documents(watched.kv, STATE), anchor)
        await epoch.judge()
        watched.refuse = lambda name, args: StoreError("down") if name == "write" else None
        with pytest.raises(StoreError, match="down"):
            await epoch.raise_epoch()
        assert await anchor.read() == 0

    play(tmp_path, scenario)


def test_anchor_is_never_lowered(tmp_path: Path) -> None:
    """Of many who raise the anchor at once the highest number stays."""
    anchor = FileAnchor(tmp_path / "deep" / "anchor")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: asyncio.run(anchor.raise_to(n)), [5, 40, 3, 39, 17, 1]))
    assert asyncio.run(anchor.read()) == 40
    asyncio.run(anchor.raise_to(2))
    assert asyncio.run(anchor.read()) == 40
    assert sorted(f.name for f in anchor.file.parent.iterdir()) == ["anchor", "anchor.lock"]


@pytest.mark.parametrize("content", ["", "-1", "x", "1.5", "²"])
def test_spoiled_anchor(tmp_path: Path, content: str) -> None:
    """An anchor file that holds no number is an error, never 0, and is not overwritten."""
    file = tmp_path / "anchor"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(StoreError):
        asyncio.run(FileAnchor(file).read())
    with pytest.raises(StoreError):
        asyncio.run(FileAnchor(file).raise_to(7))
    assert file.read_text(encoding="utf-8") == content


def test_unusable_anchor(tmp_path: Path) -> None:
    """An anchor that cannot be read or written is an error in plain words."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be"):
        asyncio.run(FileAnchor(tmp_path / "file" / "anchor").raise_to(1))
    with pytest.raises(StoreError, match="cannot be read"):
        asyncio.run(FileAnchor(tmp_path).read())


def test_default_place(tmp_path: Path) -> None:
    """The anchor's default place depends on store and state prefix, and respects XDG."""
    here = default_anchor_file({"XDG_STATE_HOME": "/x"}, "https://vault.example", STATE)
    assert here.parent == Path("/x/rotator")
    assert default_anchor_file({"HOME": "/h"}, "s", STATE).parent == Path("/h/.local/state/rotator")
    other = default_anchor_file({"XDG_STATE_HOME": "/x"}, "https://other.example", STATE)
    assert here != other
