"""What a rotation will need of the store is asked before it begins."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from rotator.core.names import CredentialName, StorePath
from rotator.core.outcome import StoreDenied, StoreError
from rotator.stores.documents import Documents
from rotator.stores.local import LocalKv
from rotator.stores.port import KvStore
from rotator.stores.preflight import Preflight
from tests.stores.kit import DESK, STATE, Watched, documents, play, put

NAME = CredentialName(DESK)


def preflight(kv: KvStore) -> Preflight:
    """Return the conditions over a store."""
    return Preflight(kv, Documents(kv, STATE))


class Limited(Watched):
    """A store whose token may do what a table says."""

    def __init__(self, inner: LocalKv, granted: dict[str, frozenset[str]]) -> None:
        super().__init__(inner)
        self.granted = granted

    async def capabilities(self, paths: Sequence[str]) -> dict[str, frozenset[str]]:
        return {path: self.granted.get(path, frozenset({"deny"})) for path in paths}


def test_fine(tmp_path: Path) -> None:
    """A store that keeps all and allows all has no problem."""

    async def scenario(kv: LocalKv) -> None:
        await put(kv, DESK, {})
        assert await preflight(kv).problems(NAME, DESK) == ()
        assert await preflight(kv).problems(NAME, DESK, assisted=True) == ()

    play(tmp_path, scenario)


def test_state_mount_that_forgets(tmp_path: Path) -> None:
    """A state mount with a retention would delete the journal; the cure is a command."""

    async def scenario(kv: LocalKv) -> None:
        await put(kv, "desk/a", {})
        await kv.set_mount_limits("secret", delete_version_after=timedelta(days=1))
        (problem,) = await preflight(kv).problems(CredentialName("desk/a"), StorePath("desk/a"))
        assert "journal" in problem.message
        assert "vault write secret/config delete_version_after=0s" in problem.cure

    play(tmp_path, scenario)


def test_record_that_forgets(tmp_path: Path) -> None:
    """A retention on the record's own metadata counts too."""

    async def scenario(kv: LocalKv) -> None:
        await put(kv, DESK, {})
        record = documents(kv).rotation(DESK)
        await kv.set_path_limits(record, delete_version_after=timedelta(days=1))
        (problem,) = await preflight(kv).problems(NAME, DESK)
        assert record in problem.message

    play(tmp_path, scenario)


@pytest.mark.parametrize(("mount", "path", "fine"), [(2, 0, False), (2, 4, True), (3, 2, False)])
def test_window(tmp_path: Path, mount: int, path: int, fine: bool) -> None:
    """The larger of the mount's and the path's max_versions must hold what a rollback needs."""

    async def scenario(kv: LocalKv) -> None:
        await put(kv, DESK, {})
        await kv.set_mount_limits("secret", max_versions=mount)
        await kv.set_path_limits(DESK, max_versions=path)
        found = await preflight(kv).problems(NAME, DESK)
        assert [p for p in found if "versions" in p.message] == list(found)
        assert bool(found) is not fine

    play(tmp_path, scenario)


def test_path_gone(tmp_path: Path) -> None:
    """A credential that is no longer in the store cannot be rotated."""

    async def scenario(kv: LocalKv) -> None:
        (problem,) = await preflight(kv).problems(NAME, DESK)
        assert "gone" in problem.message

    play(tmp_path, scenario)


def test_every_power_is_asked_for(tmp_path: Path) -> None:
    """Taking any single power away gives one problem that names it and its path."""

    async def scenario(kv: LocalKv) -> None:
        await put(kv, DESK, {})
        needs = preflight(kv).needs(NAME, DESK, assisted=True)
        assert needs["secret/data/trading/desk0"] == {"read", "update"}
        assert "secret/destroy/rotator/rotations/secret/trading/desk0" in needs
        assert "secret/metadata/rotator/holds/" in needs
        granted = Limited(kv, dict(needs))
        assert await preflight(granted.kv).problems(NAME, DESK, assisted=True) == ()
        for api, powers in needs.items():
            for power in powers:
                limited = Limited(kv, {**needs, api: powers - {power}})
                (problem,) = await preflight(limited.kv).problems(NAME, DESK, assisted=True)
                assert power in problem.message
                assert api in problem.message
                assert api in problem.cure

    play(tmp_path, scenario)


def test_root_may_do_all(tmp_path: Path) -> None:
    """`root` stands for every power, `deny` for none."""

    async def scenario(kv: LocalKv) -> None:
        await put(kv, DESK, {})
        needs = preflight(kv).needs(NAME, DESK)
        root = Limited(kv, dict.fromkeys(needs, frozenset({"root"})))
        assert await preflight(root.kv).problems(NAME, DESK) == ()
        nothing = Limited(kv, {})
        assert len(await preflight(nothing.kv).problems(NAME, DESK)) == len(needs)

    play(tmp_path, scenario)


@pytest.mark.parametrize("denied", ["mount_limits", "capabilities"])
def test_refusals_are_problems(tmp_path: Path, denied: str) -> None:
    """A store that does not even tell the conditions is a problem, not a crash."""

    async def scenario(kv: LocalKv) -> None:
        await put(kv, DESK, {})
        watched = Watched(kv)
        watched.refuse = lambda name, args: StoreDenied("no") if name == denied else None
        (problem,) = await preflight(watched.kv).problems(NAME, DESK)
        assert "grant" in problem.cure

    play(tmp_path, scenario)


def test_a_silent_store_is_an_error(tmp_path: Path) -> None:
    """If the store does not answer, nothing is known and the error is handed on."""

    async def scenario(kv: LocalKv) -> None:
        watched = Watched(kv)
        watched.refuse = lambda name, args: StoreError("down")
        with pytest.raises(StoreError, match="down"):
            await preflight(watched.kv).problems(NAME, DESK)

    play(tmp_path, scenario)
