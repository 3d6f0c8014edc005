"""Effects at the exchange: what is never sent, and which keys are never touched."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from rotator.core.facts import KeyFacts
from rotator.core.liveness import Liveness
from rotator.core.names import AccountId, CredentialName, ExchangeName, KeyId
from rotator.core.outcome import Failure, Happened
from rotator.core.saga.words import (
    CreateKey,
    DeleteKey,
    DeleteOlder,
    Done,
    Inspect,
    Sight,
    Which,
)
from rotator.engine.key_effects import differs
from tests.core.saga_kit import FIRST
from tests.engine.crash import Gate
from tests.engine.rig import World
from tests.engine.steps import draining, run


def test_without_exchange_or_parent_nothing_is_sent(world: World) -> None:
    """A rotation whose exchange or parent is not there sends nothing, and says so."""

    async def scenario() -> None:
        rig, record, _ = await draining(world)
        now = world.clock.moment()
        effects = (CreateKey(now), DeleteKey(Which.OLD, now), DeleteOlder(2, now))
        elsewhere = replace(record, pins=replace(record.pins, exchange=ExchangeName("nowhere")))
        orphan = replace(record, pins=replace(record.pins, parent=CredentialName("nobody")))
        for effect in effects:
            for odd, said in ((elsewhere, "no adapter"), (orphan, "parent's key")):
                answer = await rig.effects.perform(odd, 4, effect)
                assert isinstance(answer, Failure)
                assert said in answer.message
                assert answer.happened is Happened.NOT_APPLIED
        sight = await rig.effects.perform(elsewhere, 4, Inspect(Which.NEW))
        assert isinstance(sight, Sight)
        assert sight.liveness is Liveness.UNKNOWN
        alone = await rig.effects.perform(replace(record, new=None), 4, Inspect(Which.NEW))
        assert isinstance(alone, Sight)
        assert alone.liveness is Liveness.UNKNOWN
        ledger = world.desk.ledger("bybit")
        assert (ledger.creates, ledger.deletes) == (1, 0)

    run(scenario())


def test_what_was_signed_too_long_ago_is_not_sent(world: World) -> None:
    """Five seconds after its clock value no create and no deletion leaves."""

    async def scenario() -> None:
        _, record, _ = await draining(world)
        gate = Gate(world)
        rig = await gate.process()
        signed = world.clock.moment()
        world.clock.pass_(5.1)
        for effect in (CreateKey(signed), DeleteKey(Which.OLD, signed)):
            answer = await rig.effects.perform(record, 4, effect)
            assert isinstance(answer, Failure)
            assert answer.happened is Happened.NOT_APPLIED
        assert gate.calls == []

    run(scenario())


def test_only_older_attempts_of_ones_own_are_deleted(world: World) -> None:
    """Of a listing only keys with this rotation's label and a lower attempt are deleted."""

    async def scenario() -> None:
        rig, record, _ = await draining(world)
        ours = [world.another_key(f"rk{record.rotation}{n}") for n in (1, 2, 3)]
        others = [world.another_key(label) for label in ("rkzzzzzzzz1", "rk", "desk9")]
        record = replace(record, attempt=3)
        assert await rig.effects.perform(record, 4, DeleteOlder(3, world.clock.moment())) == Done()
        alive = [world.alive(key["api_key"]) for key in (*ours, *others)]
        assert alive == [False, False, True, True, True, True]

    run(scenario())


def test_a_tidy_that_is_not_sure_says_so(world: World) -> None:
    """A deletion that fails, or a list that is not complete, is no tidy."""

    async def scenario() -> None:
        rig, record, _ = await draining(world)
        world.another_key(f"rk{record.rotation}1")
        for operation in ("list", "delete"):
            world.desk.order("bybit", operation, "html")
            answer = await rig.effects.perform(record, 4, DeleteOlder(2, world.clock.moment()))
            assert isinstance(answer, Failure)
        assert await rig.effects.perform(record, 4, DeleteOlder(2, world.clock.moment())) == Done()

    run(scenario())


class Unnamed(httpx.AsyncBaseTransport):
    """An exchange whose list shows one key more, without its id."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        if not request.url.path.endswith("sub-apikeys"):
            return response
        body = json.loads(await response.aread())
        body["result"]["result"].append({})
        return httpx.Response(200, stream=httpx.ByteStream(json.dumps(body).encode()))


def test_a_list_that_hides_a_key_is_no_tidy(world: World) -> None:
    """Older attempts that a list shows are deleted; one that hides a key proves nothing more."""

    async def scenario() -> None:
        _, record, _ = await draining(world)
        older = world.another_key(f"rk{record.rotation}1")
        rig = await world.process(wire=Unnamed)
        answer = await rig.effects.perform(record, 4, DeleteOlder(2, world.clock.moment()))
        assert isinstance(answer, Failure)
        assert "not complete" in answer.message
        assert not world.alive(older["api_key"])

    run(scenario())


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, ""),
        ({"label": "other"}, "label"),
        ({"account_id": AccountId("2")}, "account"),
        ({"native": ("a",)}, "permissions"),
        ({"ip_allowlist": ("192.0.2.1",)}, "addresses"),
        ({"native_flags": (("readOnly", "1"),)}, "readOnly"),
        ({"label": None, "native": None, "ip_allowlist": None, "native_flags": ()}, ""),
    ],
)
def test_how_a_new_key_differs(changes: dict[str, Any], says: str) -> None:
    """Each fact that the exchange tells is compared; what it does not tell cannot differ."""
    spec = replace(FIRST.spec, native=("b", "a"), flags=(("readOnly", "0"),), addresses=())
    record = replace(FIRST, spec=spec)
    facts = KeyFacts(
        KeyId("k"),
        label=record.label,
        account_id=AccountId("1"),
        native=("a", "b"),
        native_flags=(("readOnly", "0"),),
        ip_allowlist=(),
    )
    said = differs(record, replace(facts, **changes))
    assert (says in said) if says else said == ""
