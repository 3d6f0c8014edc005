"""State documents lie where the design says, and are read and written by their version."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from rotator.core.names import AccountId, CredentialName, ExchangeName, RotationId, StorePath
from rotator.core.outcome import StoreConflict, StoreError
from rotator.stores.documents import (
    HOLDS,
    ROTATIONS,
    Documents,
    decode_path,
    encode_account,
    encode_path,
)
from rotator.stores.local import LocalKv
from rotator.stores.local.rules import split_mount
from tests.stores.kit import DESK, START, STATE, FakeClock, Watched, documents, play


def test_places(tmp_path: Path) -> None:
    """Each kind of document has its own folder; a usual path stays as it is."""

    async def scenario(kv: LocalKv) -> None:
        docs = documents(kv)
        assert docs.rotation(DESK) == "secret/rotator/rotations/secret/trading/desk0"
        assert docs.history(DESK, RotationId("abc")) == f"{STATE}history/{DESK}/abc"
        assert docs.facts(CredentialName(f"{DESK}#x")) == f"{STATE}facts/{DESK}~23x"
        assert docs.strays(ExchangeName("okx"), AccountId("a/b")) == f"{STATE}strays/okx/a~2fb"
        assert docs.command("resume") == f"{STATE}commands/resume"
        assert docs.hold("holiday") == f"{STATE}holds/holiday"
        assert docs.inbox(CredentialName(DESK)) == f"{STATE}inbox/{DESK}"
        assert (docs.epoch, docs.seal, docs.pepper) == (
            f"{STATE}epoch",
            f"{STATE}seal",
            f"{STATE}pepper",
        )
        assert docs.subject(ROTATIONS, docs.rotation(DESK)) == DESK

    play(tmp_path, scenario)


@given(st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), max_size=12))
def test_any_name_has_a_path_of_its_own(name: str) -> None:
    """Whatever a path or name is made of, its document's path is valid and turns back into it."""
    path = encode_path(f"secret/x{name}/{name}y")
    split_mount(path)
    assert decode_path(path) == f"secret/x{name}/{name}y"


@given(st.lists(st.text(max_size=400), min_size=2, max_size=6, unique=True))
def test_accounts_never_share_a_document(accounts: list[str]) -> None:
    """Different account ids, however long and odd, lie at different valid paths."""
    segments = [encode_account(account) for account in accounts]
    assert len(set(segments)) == len(accounts)
    for segment in segments:
        assert "/" not in segment
        assert len(segment) <= 160
        split_mount(f"secret/{segment}")


def test_long_and_odd_accounts() -> None:
    """A very long account id becomes a short segment, an empty or broken one a valid one."""
    one, other = encode_account("a" * 500), encode_account("a" * 499 + "b")
    assert one != other
    assert max(len(one), len(other)) <= 160
    for account in ("", "..", ".", "\ud800", "~", "a."):
        split_mount(f"secret/{encode_account(account)}")


def test_read_and_put(tmp_path: Path) -> None:
    """A document is written over the version read; somebody else's write is a conflict."""

    async def scenario(kv: LocalKv) -> None:
        docs = documents(kv)
        at = docs.rotation(DESK)
        absent = await docs.read(at)
        assert (absent.exists, absent.version, absent.data) == (False, 0, None)
        assert await docs.put(at, {"phase": "CREATING"}, absent.version) == 1
        with pytest.raises(StoreConflict):
            await docs.put(at, {"phase": "OTHER"}, absent.version)
        found = await docs.read(at)
        assert (found.version, found.data, found.gone) == (1, {"phase": "CREATING"}, False)

    play(tmp_path, scenario)


def test_deleted_and_destroyed_are_told_apart(tmp_path: Path) -> None:
    """A soft-deleted document exists and can be undeleted; a destroyed one says so."""

    async def scenario(kv: LocalKv) -> None:
        docs = documents(kv)
        at = docs.rotation(DESK)
        await docs.put(at, {"a": 1}, 0)
        await kv.delete_versions(at, [1])
        for found in (await docs.read(at), await docs.glance(at, START)):
            assert (found.exists, found.deleted, found.destroyed) == (True, True, False)
        await docs.undelete(at, 1)
        assert not (await docs.read(at)).gone
        await docs.destroy(at, [1])
        for found in (await docs.read(at), await docs.glance(at, START)):
            assert (found.deleted, found.destroyed) == (False, True)

    play(tmp_path, scenario)


def test_author(tmp_path: Path) -> None:
    """A glance knows the author, and costs one request."""

    async def scenario(kv: LocalKv) -> None:
        watched = Watched(kv)
        docs = Documents(watched.kv, STATE)
        await docs.put(docs.hold("h"), {"match": "**"}, 0)
        watched.asked.clear()
        assert (await docs.glance(docs.hold("h"), START)).created_by == "ana"
        assert len(watched.asked) == 1

    play(tmp_path, scenario)


def test_destroy_below(tmp_path: Path) -> None:
    """All older versions lose their data, the newest stays, and a second time does nothing."""

    async def scenario(kv: LocalKv) -> None:
        docs = documents(kv)
        at = docs.rotation(DESK)
        for n in range(4):
            await docs.put(at, {"n": n}, n)
        assert await docs.destroy_below(at, 4) == (1, 2, 3)
        assert await docs.destroy_below(at, 4) == ()
        assert (await docs.read(at)).data == {"n": 3}
        await docs.destroy(at, [])

    play(tmp_path, scenario)


def test_changed_reads_only_what_changed(tmp_path: Path) -> None:
    """A folder's documents are read at first sight and when they change, not again."""

    async def scenario(kv: LocalKv) -> None:
        watched = Watched(kv)
        docs = Documents(watched.kv, STATE)
        for name in ("a", "b", "c"):
            await docs.put(docs.hold(name), {"name": name}, 0)
        first = await docs.changed(HOLDS, {}, START)
        assert {d.data["name"] for d in first.documents if d.data} == {"a", "b", "c"}
        assert first.complete
        watched.asked.clear()
        again = await docs.changed(HOLDS, first.stamps, START)
        assert (again.documents, again.stamps, watched.reads()) == ((), first.stamps, [])
        await docs.put(docs.hold("a"), {"name": "A"}, 1)
        await kv.delete_versions(docs.hold("b"), [1])
        third = await docs.changed(HOLDS, again.stamps, START)
        assert {d.path: (d.data, d.deleted) for d in third.documents} == {
            docs.hold("a"): ({"name": "A"}, False),
            docs.hold("b"): (None, True),
        }
        assert watched.reads() == [(docs.hold("a"), 2)]

    play(tmp_path, scenario)


def test_changed_says_when_it_is_incomplete(tmp_path: Path) -> None:
    """A document that cannot be read is a fault and not in the stamps, so it is asked again."""

    async def scenario(kv: LocalKv) -> None:
        watched = Watched(kv, bulk=False)
        docs = Documents(watched.kv, STATE)
        await docs.put(docs.hold("a"), {}, 0)
        watched.refuse = lambda name, args: (
            StoreError("busy", status=500) if name == "read" else None
        )
        found = await docs.changed(HOLDS, {}, START)
        assert not found.complete
        assert (found.stamps, found.documents) == ({}, ())

    play(tmp_path, scenario)


def test_any_in(tmp_path: Path) -> None:
    """A folder is in use as soon as it holds a document, also a deleted one."""

    async def scenario(kv: LocalKv) -> None:
        docs = documents(kv)
        assert not await docs.any_in(ROTATIONS)
        await docs.put(docs.rotation(DESK), {}, 0)
        await kv.delete_versions(docs.rotation(DESK), [1])
        assert await docs.any_in(ROTATIONS)

    play(tmp_path, scenario)


def test_expired_document(tmp_path: Path) -> None:
    """A document that its mount's retention deleted counts as deleted."""
    clock = FakeClock()

    async def scenario(kv: LocalKv) -> None:
        docs = documents(kv)
        await kv.set_mount_limits("secret", delete_version_after=clock.later(hours=1) - START)
        await docs.put(docs.epoch, {"epoch": 1}, 0)
        now = clock.later(hours=1)
        assert (await docs.read(docs.epoch)).deleted
        assert (await docs.glance(docs.epoch, now)).deleted

    play(tmp_path, scenario, clock)


def test_repr_shows_no_data(tmp_path: Path) -> None:
    """A document's repr does not show its data."""

    async def scenario(kv: LocalKv) -> None:
        docs = documents(kv)
        await docs.put(docs.inbox(CredentialName(DESK)), {"api_secret": "canary-secret"}, 0)
        assert "canary-secret" not in repr(await docs.read(docs.inbox(CredentialName(DESK))))
        assert StorePath(DESK) in repr(await docs.read(docs.inbox(CredentialName(DESK))))

    play(tmp_path, scenario)
