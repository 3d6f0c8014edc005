"""Waiting: for a person's word, for a clock that agrees, for an address that lets us in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from rotator.core.findings import Code
from rotator.core.policy import Revoke
from rotator.core.record import Phase, Record, Verify
from rotator.core.saga.words import Event, Stay
from rotator.engine.effects import Effects
from rotator.engine.opener import NotOpened
from tests.engine.crash import Gate, Play, Story, judge_the_end
from tests.engine.rig import ACCOUNT, DRAIN, World
from tests.engine.steps import drive_until, opened

FAR = "203.0.113.9"


def play(world: World, story: Story, creates: int = 1) -> Play:
    """Tell a story and judge its end."""
    told = Play(world, story)

    async def run() -> None:
        await told.run()
        await judge_the_end(told, creates=creates)

    asyncio.run(run())
    return told


# --- a person's word ----------------------------------------------------------------


def test_complete_counts_for_its_rotation_version_and_time_alone(world: World) -> None:
    """A complete that is too early, for another version or rotation is void; the right one acts."""

    async def run() -> None:
        rig = await world.process()
        start = await opened(rig, revoke=Revoke.MANUAL)
        await drive_until(rig, start, Event.DRAINING)
        world.order("complete")
        await rig.tools.watch.read()
        await drive_until(rig, None, Event.PROOF_MISSING)
        for wrong in ({"rotation": "bbbbbbbb"}, {"version": 1}, {"version": 99}):
            world.order("complete", **wrong)
            await rig.tools.watch.read()
            wait = await drive_until(rig, None, Event.PROOF_MISSING)
            assert "rotator complete" in wait.sentence
        assert world.alive((await rig.record()).old_key_id)
        world.order("complete")
        await rig.tools.watch.read()
        await rig.driver().run()
        assert world.phase == "DONE"
        assert world.record()["proof"] == "manual: complete by ana"

    asyncio.run(run())


def test_a_command_wakes_the_driver(world: World) -> None:
    """A driver that waits for a person goes on as soon as the command is read."""

    async def run() -> None:
        rig = await world.process()
        start = await opened(rig, revoke=Revoke.MANUAL)
        asked: list[Stay] = []

        def on_stay(record: Record, stay: Stay) -> None:
            if stay.event is Event.PROOF_MISSING and not asked:
                asked.append(stay)
                world.order("complete")
                world.clock.tick = rig.tools.watch.read

        rig.heard.on_stay = on_stay
        await rig.driver(start).run()
        assert world.phase == "DONE"
        waited = world.clock.now() - asked[0].until + timedelta(minutes=5)
        assert waited < timedelta(minutes=10)

    asyncio.run(run())


def test_pins_that_changed_ask_a_person(world: World) -> None:
    """A record that no longer fits the configuration is left to a person, nothing deleted."""

    async def run() -> None:
        rig = await world.process()
        await drive_until(rig, await opened(rig), Event.DRAINING)
        rig.pins_problem = lambda _record: "the host is another one"
        await drive_until(rig, None, Event.ASKED)
        assert "the host is another one" in world.record()["question"]
        assert world.desk.ledger("bybit").deletes == 0

    asyncio.run(run())


# --- a deletion that is refused -------------------------------------------------------


@dataclass
class Refusing(httpx.AsyncBaseTransport):
    """An exchange that refuses deletions; `asked` is called at each."""

    inner: httpx.AsyncBaseTransport
    asked: Callable[[], None]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Refuse, or bring the request across."""
        if not request.url.path.endswith("delete-sub-api"):
            return await self.inner.handle_async_request(request)
        self.asked()
        refusal = b'{"retCode": 10005, "retMsg": "permission denied", "result": {}}'
        return httpx.Response(200, stream=httpx.ByteStream(refusal))


def test_an_owed_deletion_stays_told_while_it_is_tried_again(world: World) -> None:
    """A finding that ends at every new attempt would begin the time of its alert anew."""
    told: list[Code | None] = []

    async def run() -> None:
        def asked() -> None:
            told.append(rig.stand.stay.alert if rig.stand.stay is not None else None)

        rig = await world.process(wire=lambda inner: Refusing(inner, asked))

        def on_stay(_record: Record, _stay: Stay) -> None:
            if len(told) == 2:
                rig.stop.set()

        start = await opened(rig)
        rig.heard.on_stay = on_stay
        await rig.driver(start).run()

    asyncio.run(run())
    assert told == [None, Code.REVOCATION_OWED]


# --- an address that lets us in -----------------------------------------------------


def far_world(folder: Path) -> World:
    """A world whose sub key lets in consumers far away, and not us."""
    made = World.make(
        folder, account=ACCOUNT, label="far", addresses=[FAR], scopes=["read", "trade:spot"]
    )
    made.consumer = FAR
    return made


def test_a_key_that_refuses_us_is_rotated_by_its_parents_list(tmp_path: Path) -> None:
    """With verify: list a key whose addresses leave us out is rotated and proved like any other."""
    world = far_world(tmp_path)
    play(world, Story(policy={"verify": Verify.LIST}))
    assert world.phase == "DONE"
    assert world.key(world.content()["api_key"]).addresses == (FAR,)
    asyncio.run(world.close())


def test_a_key_that_refuses_us_is_not_opened_without_the_list(tmp_path: Path) -> None:
    """With verify: self nothing is opened for a key whose powers cannot be seen."""
    world = far_world(tmp_path)

    async def run() -> None:
        rig = await world.process()
        result = await rig.open()
        assert isinstance(result, NotOpened)
        assert "not known" in result.reason
        await world.close()

    asyncio.run(run())


@pytest.mark.parametrize("phase", ["STAGED", "VERIFIED", "DRAINING", "REVOKING"])
def test_a_new_key_that_refuses_us_is_neither_dead_nor_aborted(world: World, phase: str) -> None:
    """A new key that leaves our address out is waited for, with an alert, and never given up."""
    ledger = world.desk.ledger("bybit")
    patience: list[Stay] = []

    def shut_out(world: World) -> None:
        new = world.key(world.record()["new"]["key_id"])
        ledger.change(new, addresses=(FAR,))
        world.excused.add(new.id)

    async def run() -> None:
        told = Play(world, Story(happenings={phase: shut_out}))
        rig = await Gate(world, look=told.look).process()
        start = await opened(rig)

        def on_stay(record: Record, stay: Stay) -> None:
            if stay.event not in (Event.ADDRESS_REFUSED, Event.UNREACHABLE):
                return
            assert record.phase.value == phase
            patience.append(stay)
            if len(patience) == 20:
                ledger.change(world.key(record.new.key_id), addresses=("127.0.0.1",))  # type: ignore[union-attr]

        rig.heard.on_stay = on_stay
        await rig.driver(start).run()

    asyncio.run(run())
    assert world.phase == "DONE"
    assert len(patience) == 20
    if phase == "STAGED":
        assert patience[0].alert is Code.VANTAGE_BLOCKED


def test_a_served_key_that_refuses_us_stops_an_abort(world: World) -> None:
    """Nothing is deleted on the way back while the served key cannot be seen alive."""
    ledger = world.desk.ledger("bybit")

    def change_new(world: World) -> None:
        new = world.record()["new"]["key_id"]
        ledger.change(world.key(new), native=frozenset({"Spot.SpotTrade"}))
        ledger.change(world.key(world.content()["api_key"]), addresses=(FAR,))
        world.excused.add(world.content()["api_key"])

    async def run() -> None:
        told = Play(world, Story(happenings={"STAGED": change_new}))
        rig = await Gate(world, look=told.look).process()
        start = await opened(rig)
        await drive_until(rig, start, Event.UNREACHABLE)
        assert world.phase == "ABORTING"
        assert ledger.deletes == 0

    asyncio.run(run())


# --- a clock that agrees ------------------------------------------------------------


class Dated(httpx.AsyncBaseTransport):
    """An exchange whose `Date` is off by some seconds."""

    def __init__(self, inner: httpx.AsyncBaseTransport, world: World) -> None:
        self._inner = inner
        self._world = world
        self.off = 0.0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        at = self._world.clock.now() + timedelta(seconds=self.off)
        response.headers["date"] = at.strftime("%a, %d %b %Y %H:%M:%S GMT")
        return response


@pytest.mark.parametrize("off", [60.0, -60.0])
def test_no_wait_is_over_while_the_exchanges_clock_differs(world: World, off: float) -> None:
    """While the exchange's Date is a minute off no drain ends; when it agrees, it ends."""
    wires: list[Dated] = []

    def dated(inner: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        wires.append(Dated(inner, world))
        wires[-1].off = off
        return wires[-1]

    async def run() -> None:
        rig = await world.process(wire=dated)
        start = await opened(rig)
        begun = world.clock.now()

        def on_stay(record: Record, stay: Stay) -> None:
            assert record.phase is Phase.DRAINING
            if world.clock.now() > begun + 2 * DRAIN:
                wires[-1].off = 0.0

        rig.heard.on_stay = on_stay
        await rig.driver(start).run()
        assert world.clock.now() > begun + 2 * DRAIN
        assert world.phase == "DONE"

    asyncio.run(run())


@pytest.mark.parametrize(("skew", "over"), [(60.0, False), (-31.0, False), (30.0, True)])
def test_the_stores_clock_counts_too(world: World, skew: float, over: bool) -> None:
    """A create of unknown fate is not fenced while our clock and the store's differ."""

    async def run() -> None:
        rig = await world.process()
        await opened(rig)
        rig.tools = replace(rig.tools, skew=lambda: skew)
        rig.effects = Effects.over(rig.tools)
        looks: list[Stay] = []

        def on_stay(record: Record, stay: Stay) -> None:
            looks.append(stay)
            if len(looks) == 30 or record.phase is not Phase.CREATING:
                rig.stop.set()

        rig.heard.on_stay = on_stay
        await rig.driver().run()
        assert (world.record()["attempt"] == 2) is over
        assert len(world.made()) == over

    asyncio.run(run())


def test_the_create_is_never_sent_late(world: World) -> None:
    """A driver that slept after its record sends no create; the next attempt is fenced first."""

    async def run() -> None:
        rig = await world.process()
        start = await opened(rig)
        world.clock.pass_(5.5)
        await rig.driver(start).run()
        assert world.phase == "DONE"
        assert world.record()["attempt"] == 2
        assert world.record()["counted"] == 1
        assert len(world.made()) == 1

    asyncio.run(run())
