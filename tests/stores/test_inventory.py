"""The inventory finds every credential, reads each value once, and never guesses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from rotator.core.credentials import Rule
from rotator.core.names import CredentialName, StorePath
from rotator.core.outcome import StoreDenied, StoreError
from rotator.stores.held import Place
from rotator.stores.local import LocalKv
from rotator.stores.port import StoreFault, Walk
from tests.stores.inventory_kit import MARKS, ROOT, Bench, pair
from tests.stores.kit import DESK, START, STATE, FakeClock, Watched, play, put, secret_of


def test_credential_from_metadata(tmp_path: Path) -> None:
    """A secret with an exchange in its custom_metadata is a credential, with its key."""

    async def scenario(kv: LocalKv) -> None:
        await put(kv, DESK, pair("key-one-1"), exchange="bybit", account="42", owner="ana")
        bench = Bench(Watched(kv))
        entry = await bench.one()
        assert entry.problem is None
        assert str(entry.credential.name) == DESK
        assert entry.credential.exchange == "bybit"
        assert (entry.credential.account, entry.credential.owner) == ("42", "ana")
        stored = entry.stored
        assert (stored.version, stored.key_id) == (1, "key-one-1")
        assert stored.key_fp == MARKS.of("key-one-1")
        assert stored.secret_fp == MARKS.of("canary-secret-of-key-one-1")
        assert stored.path_created == stored.version_created == stored.key_since == START
        key = bench.inventory.signing_key(CredentialName(DESK))
        assert secret_of(key) == "canary-secret-of-key-one-1"
        assert bench.inventory.signing_key(CredentialName("none")) is None
        assert entry.metadata is not None
        assert entry.metadata.custom["owner"] == "ana"

    play(tmp_path, scenario)


def test_others_are_counted_and_compared(tmp_path: Path) -> None:
    """A secret with no exchange is no credential, but a copy of a key in it is found."""

    async def scenario(kv: LocalKv) -> None:
        await put(kv, DESK, pair("key-one-1"), exchange="bybit")
        await put(
            kv, "secret/trading/app", {"url": "https://x/?k=key-one-1&s=canary-secret-of-key-one-1"}
        )
        result = await Bench(Watched(kv)).take()
        assert (len(result.entries), result.others) == (1, 1)
        assert result.other_paths == ("secret/trading/app",)
        assert result.complete
        copy = Place(StorePath("secret/trading/app"), "url")
        assert set(result.places[MARKS.of("key-one-1")]) == {Place(DESK, "api_key"), copy}
        assert copy in result.places[MARKS.of("canary-secret-of-key-one-1")]

    play(tmp_path, scenario)


def test_copy_in_an_unmapped_field(tmp_path: Path) -> None:
    """A key in another field of a credential's secret is among its unmapped fingerprints."""

    async def scenario(kv: LocalKv) -> None:
        await put(kv, DESK, {**pair("key-one-1"), "old": "key-zero-0"}, exchange="okx")
        entry = await Bench(Watched(kv)).one()
        assert MARKS.of("key-zero-0") in entry.stored.unmapped_fps
        assert MARKS.of("key-one-1") not in entry.stored.unmapped_fps

    play(tmp_path, scenario)


def test_passphrases_may_be_the_same(tmp_path: Path) -> None:
    """A passphrase at two paths is no second place of a key."""

    async def scenario(kv: LocalKv) -> None:
        for n in "ab":
            await put(kv, f"{ROOT}{n}", {**pair(f"key-{n}"), "passphrase": "same"}, exchange="okx")
        result = await Bench(Watched(kv)).take()
        assert MARKS.of("same") not in result.places

    play(tmp_path, scenario)


def test_rules_and_names(tmp_path: Path) -> None:
    """Rules supply what metadata lacks; named rules make several credentials of one secret."""
    rules = [
        Rule("**/both", "okx", name="spot", fields={"api_key": "k1", "api_secret": "s1"}),
        Rule("**/both", "okx", name="perp", fields={"api_key": "k2", "api_secret": "s2"}),
        Rule("secret/trading/**", exchange="bybit", fields={"api_key": "key"}),
    ]

    async def scenario(kv: LocalKv) -> None:
        await put(kv, f"{ROOT}both", {"k1": "A", "s1": "a", "k2": "B", "s2": "b", "note": "x"})
        await put(kv, DESK, {"key": "C", "api_secret": "c"}, owner="ana")
        bench = Bench(Watched(kv), rules)
        result = await bench.take()
        keys = {e.credential.name: e.stored.key_id for e in result.entries}
        assert keys == {f"{ROOT}both#spot": "A", f"{ROOT}both#perp": "B", DESK: "C"}
        for name, secret in (("both#spot", "a"), ("both#perp", "b")):
            key = bench.inventory.signing_key(CredentialName(ROOT + name))
            assert secret_of(key) == secret
        both = next(e for e in result.entries if e.credential.name.endswith("#spot"))
        assert both.stored.unmapped_fps == (MARKS.of("x"),)

    play(tmp_path, scenario)


def test_nothing_is_read_twice(tmp_path: Path) -> None:
    """A value is read again only when its version changed, and never twice in a pass."""

    async def scenario(kv: LocalKv) -> None:
        for n in range(3):
            await put(kv, f"{ROOT}k{n}", pair(f"key{n}"), exchange="bybit")
        await put(kv, f"{ROOT}other", {"x": "y"})
        bench = Bench(Watched(kv), paths=["secret/trading", "secret/trading/deep/", "secret/"])
        first = await bench.take()
        assert len(bench.watched.reads()) == len(set(bench.watched.reads())) == 4
        again = await bench.take()
        assert bench.watched.reads() == []
        assert again.entries == first.entries
        await put(kv, f"{ROOT}k1", pair("key9"))
        third = await bench.take()
        assert bench.watched.reads() == [(f"{ROOT}k1", 2)]
        assert {e.stored.key_id for e in third.entries} == {"key0", "key9", "key2"}

    play(tmp_path, scenario)


def test_metadata_alone_changes(tmp_path: Path) -> None:
    """Changed custom_metadata is taken in; the value is read again only if it is needed."""

    async def scenario(kv: LocalKv) -> None:
        await put(kv, DESK, pair("key1"))
        bench = Bench(Watched(kv))
        assert (await bench.take()).others == 1
        await kv.patch_metadata(DESK, {"exchange": "bybit"})
        assert (await bench.one()).stored.key_id == "key1"
        await kv.patch_metadata(DESK, {"owner": "bob"})
        assert (await bench.one()).credential.owner == "bob"
        assert bench.watched.reads() == []

    play(tmp_path, scenario)


def test_state_prefix_is_never_inventoried(tmp_path: Path) -> None:
    """Documents of our own are not secrets, even where the paths cover them."""

    async def scenario(kv: LocalKv) -> None:
        await put(kv, f"{STATE}rotations/x", {"api_key": "k"}, exchange="bybit")
        await put(kv, "secret/rotator", {"api_key": "k"}, exchange="bybit")
        await put(kv, "secret/rotator2", {"api_key": "k"}, exchange="bybit")
        for paths in (["secret/"], ["secret/rotator/", "secret/rotator2/", "secret/"]):
            result = await Bench(Watched(kv), paths=paths).take()
            assert [e.stored.path for e in result.entries] == ["secret/rotator2"]
        assert (await Bench(Watched(kv), paths=["secret/rotator/"]).take()).entries == ()

    play(tmp_path, scenario)


def test_coverage_of_mounts(tmp_path: Path) -> None:
    """Paths cover their mounts only if each is walked from its root."""

    async def scenario(kv: LocalKv) -> None:
        async def covered(*paths: str) -> bool:
            return (await Bench(Watched(kv), paths=paths).take()).paths_cover_mount

        assert await covered("secret/")
        assert await covered("secret/", "secret/trading/", "other")
        assert not await covered("secret/trading/")
        assert not await covered("secret/", "other/x/")

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, "api_key"),
        ({"api_key": "  ", "api_secret": "s"}, "api_key"),
        ({"api_key": "k"}, "api_secret"),
        ({"api_key": 7, "api_secret": "s"}, "text"),
        ({"api_key": "k", "api_secret": ["s"]}, "text"),
    ],
)
def test_unusable_secret(tmp_path: Path, data: dict[str, object], words: str) -> None:
    """A secret that lacks what signs is an entry with a problem, and gives no signing key."""

    async def scenario(kv: LocalKv) -> None:
        await put(kv, DESK, data, exchange="bybit")
        bench = Bench(Watched(kv))
        result = await bench.take()
        (entry,) = result.entries
        assert words in (entry.problem or "")
        assert bench.inventory.signing_key(CredentialName(DESK)) is None
        assert result.complete

    play(tmp_path, scenario)


def test_deleted_version(tmp_path: Path) -> None:
    """A deleted current version is not compared, gives no key, and comes back when undeleted."""

    async def scenario(kv: LocalKv) -> None:
        await put(kv, DESK, pair("key1"), exchange="bybit")
        bench = Bench(Watched(kv))
        await bench.take()
        await kv.delete_versions(DESK, [1])
        result = await bench.take()
        assert "deleted" in (result.entries[0].problem or "")
        assert (result.places, result.complete) == ({}, True)
        assert bench.inventory.signing_key(CredentialName(DESK)) is None
        await kv.undelete_versions(DESK, [1])
        assert (await bench.one()).stored.key_id == "key1"

    play(tmp_path, scenario)


def test_vanished_path(tmp_path: Path) -> None:
    """A path that is surely gone is forgotten."""

    async def scenario(kv: LocalKv) -> None:
        await put(kv, DESK, pair("key1"), exchange="bybit")
        bench = Bench(Watched(kv))
        await bench.take()
        connection = kv._tables._connection
        connection.execute("DELETE FROM paths")
        result = await bench.take()
        assert (result.entries, result.others, result.complete) == ((), 0, True)
        assert bench.inventory.signing_key(CredentialName(DESK)) is None

    play(tmp_path, scenario)


def test_recreated_path_is_read_again(tmp_path: Path) -> None:
    """A path deleted with its metadata and written anew at the same version is another life."""
    clock = FakeClock()

    async def scenario(kv: LocalKv) -> None:
        bench = Bench(Watched(kv), clock=clock)
        await put(kv, DESK, pair("key1"), exchange="bybit")
        await bench.take()
        for order in ("DELETE FROM paths", "DELETE FROM versions", "DELETE FROM contents"):
            kv._tables._connection.execute(order)
        clock.later(seconds=5)
        await put(kv, DESK, pair("key2"), exchange="bybit")
        assert (await bench.one()).stored.key_id == "key2"

    play(tmp_path, scenario, clock)


def test_unreadable_secret(tmp_path: Path) -> None:
    """One secret that cannot be read makes the inventory incomplete and is named; others go on."""

    async def scenario(kv: LocalKv) -> None:
        for n in range(3):
            await put(kv, f"{ROOT}k{n}", pair(f"key{n}"), exchange="bybit")
        bench = Bench(Watched(kv, bulk=False))
        bench.watched.refuse = lambda name, args: (
            StoreDenied("permission denied", status=403)
            if name == "read" and args[0] == f"{ROOT}k1"
            else None
        )
        result = await bench.take()
        assert not result.complete
        assert [(f.path, f.denied) for f in result.faults] == [(f"{ROOT}k1", True)]
        problems = {e.credential.name: e.problem for e in result.entries}
        assert "permission denied" in (problems.pop(CredentialName(f"{ROOT}k1")) or "")
        assert list(problems.values()) == [None, None]
        bench.watched.refuse = lambda name, args: None
        result = await bench.take()
        assert result.complete
        assert bench.watched.reads() == [(f"{ROOT}k1", 1)]

    play(tmp_path, scenario)


def test_lost_store_is_not_hammered(tmp_path: Path) -> None:
    """Once the store is away, the remaining values are not asked for one by one."""

    async def scenario(kv: LocalKv) -> None:
        for n in range(100):
            await put(kv, f"{ROOT}k{n}", pair(f"key{n}"), exchange="bybit")
        bench = Bench(Watched(kv, bulk=False))
        bench.watched.refuse = lambda name, args: StoreError("down") if name == "read" else None
        result = await bench.take()
        assert len(result.faults) == 100
        assert len(bench.watched.reads()) <= 16

    play(tmp_path, scenario)


def test_unlisted_folder_keeps_what_was_known(tmp_path: Path) -> None:
    """A credential in a folder that cannot be listed now is kept, with a problem."""

    async def scenario(kv: LocalKv) -> None:
        await put(kv, f"{ROOT}deep/k", pair("key1"), exchange="bybit")
        bench = Bench(Watched(kv))
        before = await bench.one()

        class Blind(Watched):
            async def walk(self, root: StorePath, skip: Sequence[StorePath]) -> object:
                return Walk((), (StoreFault("secret/trading/deep", "denied", denied=True),))

        bench.inventory._kv = Blind(kv).kv
        result = await bench.take()
        (entry,) = result.entries
        assert not result.complete
        assert "denied" in (entry.problem or "")
        assert entry.stored == before.stored

    play(tmp_path, scenario)


def test_changed_while_reading(tmp_path: Path) -> None:
    """A version that disappears between metadata and value is a fault of this pass only."""

    async def scenario(kv: LocalKv) -> None:
        await put(kv, DESK, pair("key1"), exchange="bybit")
        bench = Bench(Watched(kv))

        async def delete(name: str, _args: object) -> None:
            if name == "read_many":
                await kv.delete_versions(DESK, [1])

        bench.watched.before = delete
        result = await bench.take()
        assert not result.complete
        assert "changed" in (result.entries[0].problem or "")
        bench.watched.before = None
        assert (await bench.take()).complete

    play(tmp_path, scenario)


def test_malformed_metadata(tmp_path: Path) -> None:
    """Malformed metadata is told key by key, and the credential stays visible."""

    async def scenario(kv: LocalKv) -> None:
        await put(kv, DESK, pair("key1"), exchange="By bit!", environment="moon", managed="no")
        entry = await Bench(Watched(kv)).one()
        assert {key for key, _ in entry.credential.malformed} == {
            "exchange",
            "environment",
            "managed",
        }
        assert entry.credential.exchange is None

    play(tmp_path, scenario)


def test_the_loop_gets_its_turn(tmp_path: Path) -> None:
    """Between small batches the event loop may do other work."""

    async def scenario(kv: LocalKv) -> None:
        for n in range(1000):
            await put(kv, f"{ROOT}k{n}", pair(f"key{n}"), exchange="bybit")
        bench = Bench(Watched(kv))
        await bench.take()
        assert bench.breaths >= 40

    play(tmp_path, scenario)


def test_no_secret_in_any_repr(tmp_path: Path) -> None:
    """Neither the result nor what the inventory remembers shows a secret in its repr."""

    async def scenario(kv: LocalKv) -> None:
        await put(kv, DESK, {**pair("one"), "note": "hush-hush"}, exchange="bybit")
        bench = Bench(Watched(kv))
        shown = repr(await bench.take()) + repr(bench.inventory._held)
        assert "canary-secret-of-one" not in shown
        assert "hush-hush" not in shown

    play(tmp_path, scenario)
