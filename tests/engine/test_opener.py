"""A rotation is opened only over what was looked at anew; a refusal changes nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rotator.core.facts import Credential, Look
from rotator.core.names import CredentialName, ExchangeName
from rotator.core.outcome import StoreConflict, StoreDenied, StoreError
from rotator.core.policy import ScopeRules
from rotator.core.record import Phase, Revoke, Verify
from rotator.engine.opener import NotOpened, Opened, new_rotation
from rotator.stores.preflight import Preflight
from rotator.stores.publisher import PathState
from tests.engine.rig import ACCOUNT, PARENT, PATH, RECORD, Rig, World
from tests.engine.steps import run
from tests.stores.kit import Watched

FAR = "203.0.113.9"


async def refused(rig: Rig, **policy: Any) -> NotOpened:
    """Fail to open, and check that nothing was changed."""
    world = rig.world
    before = world.phase, world.metadata(PATH).current, len(world.made())
    result = await rig.open(**policy)
    assert isinstance(result, NotOpened), result
    assert (world.phase, world.metadata(PATH).current, len(world.made())) == before
    return result


def test_what_an_opened_record_says(world: World) -> None:
    """The record names the key, the version, the spec, the pins and the terms."""

    async def scenario() -> None:
        rig = await world.process()
        opened = await rig.open(revoke=Revoke.ACKED, drain=timedelta(hours=1), verify=Verify.LIST)
        assert isinstance(opened, Opened)
        record = opened.record
        assert record == (await rig.tools.journal.read(PATH)).record
        assert (record.phase, record.v0, opened.version) == (Phase.CREATING, 1, 1)
        assert record.old_key_id == world.content()["api_key"]
        assert record.old_fingerprint == rig.tools.mark((await rig.served()).key)  # type: ignore[arg-type]
        assert record.spec.addresses == ("127.0.0.1",)
        pins = record.pins
        assert (pins.exchange, pins.account) == ("bybit", ACCOUNT)
        assert pins.parent == CredentialName(PARENT)
        assert pins.host == "http://127.0.0.1:1"
        assert pins.path_created == world.metadata(PATH).created_at
        terms = record.terms
        assert (terms.revoke, terms.verify) == (Revoke.ACKED, Verify.LIST)
        assert terms.drain == timedelta(hours=1)
        assert record.written_at == opened.at.at

    run(scenario())


def test_a_second_opening_is_refused(world: World) -> None:
    """While a rotation is open no other opens; after its tombstone one does."""

    async def scenario() -> None:
        rig = await world.process()
        opened = await rig.open()
        assert isinstance(opened, Opened)
        assert "is open" in (await refused(rig)).reason
        await rig.tools.watch.read()
        await rig.driver(opened).run()
        assert world.phase == "DONE"
        again = await (await world.process()).open()
        assert isinstance(again, Opened)
        assert again.record.rotation != opened.record.rotation

    run(scenario())


def test_a_record_that_cannot_be_read_is_open(world: World) -> None:
    """An unreadable record stands in the way of every opening."""

    async def scenario() -> None:
        rig = await world.process()
        world.put(RECORD, {"odd": "thing"})
        assert "is open" in (await refused(rig)).reason

    run(scenario())


def test_a_path_without_a_whole_key(world: World) -> None:
    """A path that lacks a secret, or was deleted, is not rotated."""

    async def scenario() -> None:
        rig = await world.process()
        world.put(PATH, {"api_key": "lonely"})
        assert "no whole key" in (await refused(rig)).reason
        world.people._tables.delete(PATH, [2])
        assert "no whole key" in (await refused(rig)).reason
        world.erase(PATH)
        result = await rig.open()
        assert isinstance(result, NotOpened)
        assert "gone from the store" in result.reason

    run(scenario())


def test_a_path_that_is_being_written(world: World) -> None:
    """A version that appears between the read and the look stands in the way."""
    front = Watched(world.kv)
    written: list[str] = []

    async def before(name: str, args: tuple[Any, ...]) -> None:
        if name == "read" and args[0] == PATH and not written:
            written.append(name)
        elif name == "read_metadata" and args[0] == PATH and written == ["read"]:
            written.append(name)
            world.put(PATH, world.content())

    front.before = before

    async def scenario() -> None:
        rig = await world.process(store=lambda _kv: front.kv)
        result = await rig.open()
        assert isinstance(result, NotOpened)
        assert "being written" in result.reason
        assert world.phase == ""

    run(scenario())


@pytest.mark.parametrize("exchange", [None, "nowhere"])
def test_an_exchange_without_an_adapter(world: World, exchange: str | None) -> None:
    """A credential of no known exchange is not rotated."""

    async def scenario() -> None:
        rig = await world.process()
        name = None if exchange is None else ExchangeName(exchange)
        rig.credential = replace(rig.credential, exchange=name)
        assert "no adapter" in (await refused(rig)).reason

    run(scenario())


def test_what_the_judgement_says_stands(world: World) -> None:
    """The credential is judged again by the look just taken; what blocks it is the reason."""
    seen: list[tuple[Credential, PathState, Look]] = []

    def judge(credential: Credential, state: PathState, look: Look) -> str | None:
        seen.append((credential, state, look))
        return "it is not due any more"

    async def scenario() -> None:
        rig = await world.process(rejudge=judge)
        assert (await refused(rig)).reason == "it is not due any more"
        [(credential, state, look)] = seen
        assert credential == rig.credential
        assert look.facts is not None
        assert look.facts.key_id == state.key_id == world.content()["api_key"]

    run(scenario())


def test_a_key_that_cannot_be_seen(world: World) -> None:
    """A key whose powers are not known cannot be made again."""

    async def scenario() -> None:
        rig = await world.process()
        world.kill(world.content()["api_key"])
        assert "not known" in (await refused(rig)).reason

    run(scenario())


def test_a_key_that_create_cannot_make(world: World) -> None:
    """What the exchange's create cannot grant, and a key left without powers, is refused."""

    async def scenario() -> None:
        rig = await world.process()
        forbidding = ScopeRules(forbid=("trade:*",))
        assert "cannot reproduce" in (await refused(rig, scopes=forbidding)).reason
        ledger = world.desk.ledger("bybit")
        key = world.key(world.content()["api_key"])
        ledger.change(key, native=frozenset({"Spot.SpotTrade", "Wallet.Withdraw"}))
        assert "cannot grant Wallet.Withdraw" in (await refused(rig)).reason

    run(scenario())


def test_a_parent_that_is_not_there(world: World) -> None:
    """Without the parent's key nothing is announced."""

    async def scenario() -> None:
        rig = await world.process()
        for parent in (None, CredentialName("secret/trading/nobody")):
            rig.credential = replace(rig.credential, parent=parent)
            assert "parent's key" in (await refused(rig)).reason

    run(scenario())


def test_no_budget_for_a_create(world: World) -> None:
    """While the exchange tells us to stay away nothing is announced."""

    async def scenario() -> None:
        rig = await world.process(rejudge=lambda *_: None)
        exchange = rig.tools.exchanges.get(ExchangeName("bybit"), "prod")
        parent = rig.tools.signing_key(CredentialName(PARENT))
        assert exchange is not None
        assert parent is not None

        def ban(_credential: Credential, _state: PathState, _look: Look) -> str | None:
            exchange._budget.stop(timedelta(minutes=1))
            return None

        rig.opener = replace(rig.opener, rejudge=ban)
        assert "no budget" in (await refused(rig)).reason

    run(scenario())


def test_the_settle_time_counts_from_the_signature(tmp_path: Path) -> None:
    """A create that waits for its budget is announced with the time that it will be signed with."""
    announced: list[tuple[str, str]] = []

    async def scenario() -> None:
        world = World.make(tmp_path)
        world.share = 0.2
        front = Watched(world.kv)

        async def before(name: str, args: tuple[Any, ...]) -> None:
            if name == "write" and args[0] == RECORD and args[1]["phase"] == "CREATING":
                announced.append((args[1]["written_at"], world.clock.now().isoformat()))

        front.before = before
        rig = await world.process(store=lambda _kv: front.kv)
        exchange = rig.tools.exchanges.get(ExchangeName("bybit"), "prod")
        parent = rig.tools.signing_key(CredentialName(PARENT))
        assert exchange is not None
        assert parent is not None
        for _ in range(6):
            exchange._budget._reserve((("create", 1.0),), ACCOUNT)
            exchange._budget._reserve((("create", 1.0),), parent.key_id)
        begun = world.clock.now()
        opened = await rig.open()
        assert isinstance(opened, Opened)
        assert opened.at.at - begun > timedelta(seconds=4)
        await rig.tools.watch.read()
        for _ in range(6):
            exchange._budget._reserve((("create", 1.0),), parent.key_id)
        world.desk.order("bybit", "create", "lost_answer")
        await rig.driver(opened).run()
        assert world.phase == "DONE"
        assert world.record()["attempt"] == 2
        await world.close()

    run(scenario())
    assert len(announced) == 2
    assert all(said == was for said, was in announced)


def test_somebody_else_was_first(world: World) -> None:
    """A record that appeared meanwhile makes the opening fail, without a create."""
    front = Watched(world.kv)
    front.refuse = lambda name, _args: StoreConflict("first") if name == "write" else None

    async def scenario() -> None:
        await world.process()
        rig = await world.process(store=lambda _kv: front.kv)
        assert "somebody else" in (await refused(rig)).reason

    run(scenario())


@pytest.mark.parametrize("name", ["read", "read_metadata", "mount_limits", "capabilities", "write"])
def test_a_store_without_an_answer(world: World, name: str) -> None:
    """A store that gives no answer at any step is a reason, not an error."""
    front = Watched(world.kv)

    async def scenario() -> None:
        rig = await world.process(store=lambda _kv: front.kv)
        front.refuse = lambda asked, _args: StoreError("sealed") if asked == name else None
        assert "sealed" in (await refused(rig)).reason

    run(scenario())


def test_what_the_store_does_not_allow(world: World) -> None:
    """Limits and missing powers of the store are refused with their cure."""

    async def scenario() -> None:
        rig = await world.process()
        kv = world.kv
        await kv.set_mount_limits("secret", delete_version_after=timedelta(days=1))
        found = await refused(rig)
        assert "deletes every version" in found.reason
        assert "delete_version_after=0s" in found.cure
        await kv.set_mount_limits("secret", max_versions=2)
        assert "keeps only 2 versions" in (await refused(rig)).reason
        await kv.set_mount_limits("secret")
        front = Watched(kv)
        front.refuse = lambda name, _args: StoreDenied("no") if name == "capabilities" else None
        rig.opener = replace(rig.opener, preflight=Preflight(front.kv, rig.tools.journal.documents))
        assert "does not tell" in (await refused(rig)).reason

    run(scenario())


@pytest.mark.parametrize("fault", [None, "html"])
def test_a_list_that_does_not_show_the_key(tmp_path: Path, fault: str | None) -> None:
    """With verify: list a key that no list shows is not known, so it is not opened."""

    async def scenario() -> None:
        world = World.make(
            tmp_path, account=ACCOUNT, label="far", addresses=[FAR], scopes=["read", "trade:spot"]
        )
        rig = await world.process()
        if fault is None:
            world.desk.ledger("bybit")._listed[ACCOUNT].pop(world.content()["api_key"])
        else:
            world.desk.order("bybit", "list", fault)
        assert "not known" in (await refused(rig, verify=Verify.LIST)).reason
        rig.credential = replace(rig.credential, parent=None)
        assert "not known" in (await refused(rig, verify=Verify.LIST)).reason
        await world.close()

    run(scenario())


def test_a_rotation_is_named_by_chance() -> None:
    """A rotation's name is 8 characters of base32 in lower case."""
    assert new_rotation(bytes) == "aaaaaaaa"
    assert new_rotation(lambda n: b"\xff" * n) == "77777777"
