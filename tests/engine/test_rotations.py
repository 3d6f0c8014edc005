"""All drivers of a process: started, known, told, and brought to a safe place at the end."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from rotator.core.names import CredentialName, ExchangeName
from rotator.core.policy import Revoke
from rotator.core.record import Phase, Record
from rotator.core.saga.words import Stay
from rotator.engine.opener import NotOpened, Opened
from rotator.engine.rotations import Rotations
from rotator.stores.journal import Journaled, State, Survey
from tests.engine.crash import Gate, Play, Story, judge_the_end
from tests.engine.rig import ACCOUNT, PATH, RECORD, Rig, World
from tests.engine.steps import run

LONG = 30.0


async def until_ended(rotations: Rotations) -> None:
    """Wait until no driver runs."""
    while rotations.running:
        await rotations.ended.wait()


def test_a_rotation_is_opened_driven_and_known(world: World) -> None:
    """An opened rotation is driven to its end, and stands where it stands meanwhile."""

    async def scenario() -> None:
        rig = await world.process()
        await rig.tools.watch.read()
        rotations = rig.rotations()
        assert await rotations.open(rig.wish()) is None
        assert rotations.running == 1
        assert rotations.drives(PATH)
        again = await rotations.open(rig.wish())
        assert isinstance(again, NotOpened)
        assert "is open" in again.reason
        [stand] = rotations.open_stands()
        [taken] = rotations.occupied()
        assert (taken.path, taken.exchange, taken.account) == (PATH, "bybit", ACCOUNT)
        assert taken.created is False
        assert [r.phase for r in rotations.records()] == [Phase.CREATING]
        await until_ended(rotations)
        assert rotations.endings == 1
        assert stand.record is not None
        assert stand.record.phase is Phase.DONE
        assert rotations.open_stands() == ()
        assert not rotations.drives(PATH)
        assert rig.heard.events[0] == ("CREATING", "opened")
        rotations.forget_closed()
        assert not rotations.stands

    run(scenario())


def test_what_cannot_be_opened_is_not_driven(world: World) -> None:
    """A refusal comes back with its reason, and no driver is started."""

    async def scenario() -> None:
        rig = await world.process(rejudge=lambda *_: "not now")
        rotations = rig.rotations()
        refused = await rotations.open(rig.wish())
        assert refused == NotOpened("not now")
        assert rotations.running == 0

    run(scenario())


def test_open_records_are_taken_up(world: World) -> None:
    """Every open record of the journal gets a driver once, a tombstone none."""

    async def scenario() -> None:
        first = await world.process()
        assert isinstance(await first.open(), Opened)
        rig = await world.process()
        await rig.tools.watch.read()
        rotations = rig.rotations()
        survey = await rig.tools.journal.survey(world.clock.now())
        rotations.take_up(survey)
        rotations.take_up(survey)
        assert rotations.running == 1
        await until_ended(rotations)
        assert world.phase == "DONE"
        rotations.take_up(await rig.tools.journal.survey(world.clock.now()))
        assert rotations.running == 0

    run(scenario())


def test_a_lost_record_takes_its_place(world: World) -> None:
    """A deleted record takes its path's place until a person has said what becomes of it."""

    async def scenario() -> None:
        rig = await world.process()
        assert isinstance(await rig.open(), Opened)
        world.people._tables.delete(RECORD, [1])
        rotations = (await world.process()).rotations()
        rotations.take_up(await rig.tools.journal.survey(world.clock.now()))
        await until_ended(rotations)
        [stand] = rotations.open_stands()
        assert stand.lost is not None
        assert stand.lost.state is State.DELETED
        assert rotations.endings == 0, "or each pass would be followed by another at once"
        [taken] = rotations.occupied()
        assert (taken.path, taken.exchange) == (PATH, None)
        rotations.forget_closed()
        assert rotations.open_stands() == (stand,)

    run(scenario())


@pytest.mark.parametrize("answer", ["adopt", "abort"])
def test_a_deleted_record_comes_back_by_retry_alone(world: World, answer: str) -> None:
    """Other answers than retry leave a deleted record as it is."""

    async def scenario() -> None:
        rig = await world.process()
        assert isinstance(await rig.open(), Opened)
        world.people._tables.delete(RECORD, [1])
        world.order("resolve", rotation="record-1", answer=answer)
        await rig.tools.watch.read()
        rotations = rig.rotations()
        rotations.take_up(await rig.tools.journal.survey(world.clock.now()))
        await until_ended(rotations)
        assert len(rotations.open_stands()) == 1
        assert world.phase == ""

    run(scenario())


@pytest.mark.parametrize("how", ["erased", "buried"])
def test_a_record_that_is_given_up_takes_no_place(world: World, how: str) -> None:
    """When a record is gone for good its rotation is no longer open, and that is told."""

    async def scenario() -> None:
        rig = await world.process()
        await rig.tools.watch.read()
        rotations = rig.rotations()
        started: list[str] = []

        def on_stay(record: Record, stay: Stay) -> None:
            if started:
                return
            started.append(record.phase.value)
            if how == "erased":
                world.erase(RECORD)
            else:
                current = world.metadata(RECORD).current
                world.people._tables.destroy(RECORD, [current])
                world.order("resolve", rotation=f"record-{current}", answer="retry")
                world.clock.tick = rig.tools.watch.read

        rig.heard.on_stay = on_stay
        await rotations.open(rig.wish())
        await until_ended(rotations)
        assert started == ["DRAINING"]
        assert rotations.open_stands() == ()
        assert rotations.occupied() == ()
        assert any("foreign" in said for said in rig.heard.troubles)

    run(scenario())


def test_a_driver_that_fails_is_told_and_taken_up_again(world: World) -> None:
    """An error that nobody foresaw ends one driver, is told, and the record is driven again."""

    async def scenario() -> None:
        rig = await world.process()
        await rig.tools.watch.read()
        errors: list[ValueError] = []

        def fail_once(record: Record) -> str | None:
            if record.phase is Phase.DRAINING and not errors:
                errors.append(ValueError("nobody foresaw this"))
                raise errors[0]
            return None

        rig.pins_problem = fail_once
        rotations = rig.rotations()
        await rotations.open(rig.wish())
        await until_ended(rotations)
        assert rig.heard.crashes == errors
        assert rotations.stands[PATH].problem == "ValueError in the driver"
        assert world.phase == "DRAINING"
        rotations.take_up(await rig.tools.journal.survey(world.clock.now()))
        await until_ended(rotations)
        assert world.phase == "DONE"
        assert rotations.stands[PATH].problem == ""

    run(scenario())


# --- the end of a process -----------------------------------------------------------


def count_calls(world: World) -> int:
    """Return how many calls a rotation makes from its opening to its end."""
    seen: list[int] = []

    async def scenario() -> None:
        rig = await (gate := Gate(world)).process()
        await rig.tools.watch.read()
        rotations = rig.rotations()
        await rotations.open(rig.wish())
        await until_ended(rotations)
        seen.append(len(gate.calls))

    run(scenario())
    return seen[0]


def test_told_to_stop_at_any_call_nothing_is_left_half_way(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Whenever a process is told to stop, it ends by itself and every key it made is recorded."""
    world = World.make(tmp_path_factory.mktemp("count"))
    calls = count_calls(world)
    run(world.close())

    async def stopped_at(world: World, at: int) -> None:
        play = Play(world, Story())

        def look(world: World) -> None:
            play.look(world)
            if len(gate.calls) == at:
                rig.stop.set()

        gate = Gate(world, look=look)
        play.secrets.add(world.content()["api_secret"])
        rig = await gate.process()
        await rig.tools.watch.read()
        rotations = rig.rotations()
        await rotations.open(rig.wish())
        assert await rotations.drain(LONG) == 0
        recorded = [(world.record().get("new") or {}).get("key_id")]
        assert [k.id for k in world.made() if k.id not in recorded] == []
        await play.run()
        await judge_the_end(play, creates=1)

    for at in range(7, calls + 1, 1):
        world = World.make(tmp_path_factory.mktemp(str(at)))
        run(stopped_at(world, at))
        run(world.close())


def test_told_to_stop_once_a_create_is_announced(world: World) -> None:
    """A driver that has announced a create makes it and records its key before it ends."""

    async def scenario() -> None:
        def look(world: World) -> None:
            if world.record().get("attempt") == 2:
                rig.stop.set()

        rig = await Gate(world, look=look).process()
        await rig.tools.watch.read()
        world.desk.order("bybit", "create", "not_applied")
        rotations = rig.rotations()
        await rotations.open(rig.wish())
        await until_ended(rotations)
        assert (world.phase, world.record()["attempt"]) == ("STAGED", 2)

    run(scenario())


def test_told_to_stop_while_there_is_no_budget(world: World) -> None:
    """A driver that waits for the budget of its next create ends when it is told to."""

    async def scenario() -> None:
        rig = await world.process()
        assert isinstance(await rig.open(), Opened)
        rig = await world.process()
        await rig.tools.watch.read()
        exchange = rig.tools.exchanges.get(ExchangeName("bybit"), "prod")
        assert exchange is not None
        exchange._budget.stop(timedelta(hours=1))
        rotations = rig.rotations()
        rotations.take_up(await rig.tools.journal.survey(world.clock.now()))
        while not any("no budget" in said for said in rig.heard.troubles):
            await world.clock.breathe()
        assert await rotations.drain(LONG) == 0
        assert world.record()["attempt"] == 1
        assert not world.made()

    run(scenario())


def test_told_to_stop_after_a_create_that_was_refused_a_budget(world: World) -> None:
    """Between a failed create and the next record a driver may end; it does not spin."""

    async def scenario() -> None:
        rig = await world.process()
        await rig.tools.watch.read()
        world.desk.order("bybit", "create", "lost_answer")
        exchange = rig.tools.exchanges.get(ExchangeName("bybit"), "prod")
        assert exchange is not None

        def on_stay(record: Record, stay: Stay) -> None:
            if record.phase is Phase.CREATING:
                exchange._budget.stop(timedelta(hours=1))

        rig.heard.on_stay = on_stay
        rotations = rig.rotations()
        await rotations.open(rig.wish())
        while not any("no budget" in said for said in rig.heard.troubles):
            await world.clock.breathe()
        before = len(rig.heard.troubles)
        assert await rotations.drain(LONG) == 0
        assert len(rig.heard.troubles) <= before + 1
        assert world.record()["attempt"] == 1

    run(scenario())


def test_nothing_is_opened_once_told_to_stop(world: World) -> None:
    """A process that ends opens nothing, even if it drove nothing before."""

    async def scenario() -> None:
        rig = await world.process()
        rotations = rig.rotations()
        assert await rotations.drain(0.0) == 0
        refused = await rotations.open(rig.wish())
        assert isinstance(refused, NotOpened)
        assert world.phase == ""

    run(scenario())


def test_told_to_stop_while_opening(world: World) -> None:
    """A record announced while the process ended gets no create; the next start goes on."""

    async def scenario() -> None:
        def look(world: World) -> None:
            if world.phase == "CREATING":
                rig.stop.set()

        rig = await Gate(world, look=look).process()
        rotations = rig.rotations()
        assert await rotations.open(rig.wish()) is None
        assert rotations.running == 0
        assert not world.made()
        play = Play(world, Story())
        await play.run()
        await judge_the_end(play, creates=1)
        assert world.record()["attempt"] == 2

    run(scenario())


def test_taken_up_while_opening(world: World) -> None:
    """A record that a survey found before its opening came back is driven once."""

    async def scenario() -> None:
        def look(world: World) -> None:
            if world.phase == "CREATING" and not rotations.running:
                found = Journaled(PATH, 1, None, State.OPEN)
                rotations.take_up(Survey({PATH: found}, complete=True))

        rig: Rig = await Gate(world, look=look).process()
        rotations = rig.rotations()
        await rig.tools.watch.read()
        assert await rotations.open(rig.wish()) is None
        assert rotations.running == 1
        await until_ended(rotations)
        assert world.phase == "DONE"
        assert len(world.made()) == 1

    run(scenario())


class Silent(httpx.AsyncBaseTransport):
    """An exchange that never answers a create."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self.reached = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("create-sub-api"):
            await self._inner.handle_async_request(request)
            self.reached.set()
            await asyncio.Event().wait()
        return await self._inner.handle_async_request(request)


def test_who_does_not_come_to_an_end_is_cut_off(world: World) -> None:
    """A driver whose call never ends is cut off and counted; the next start fences its key."""

    async def scenario() -> None:
        wires: list[Silent] = []

        def silent(inner: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
            wires.append(Silent(inner))
            return wires[-1]

        rig = await world.process(wire=silent)
        await rig.tools.watch.read()
        rotations = rig.rotations()
        play = Play(world, Story())
        play.secrets.add(world.content()["api_secret"])
        await rotations.open(rig.wish())
        await wires[-1].reached.wait()
        assert await rotations.drain(0.0) == 1
        assert rotations.running == 0
        await play.run()
        await judge_the_end(play, creates=2)

    run(scenario())


def test_everybody_looks_again_when_asked(world: World) -> None:
    """Drivers that wait look again at once when what stood in the way of all has changed."""

    async def scenario() -> None:
        rig = await world.process()
        await rig.tools.watch.read()
        rotations = rig.rotations()
        waits: list[Stay] = []
        forever = asyncio.Event()

        def on_stay(record: Record, stay: Stay) -> None:
            waits.append(stay)

        async def sleep(_seconds: float) -> None:
            if waits:
                await forever.wait()

        rig.heard.on_stay = on_stay
        world.clock.sleeping = sleep
        await rotations.open(rig.wish(revoke=Revoke.MANUAL))
        while not waits:
            await world.clock.breathe()
        rotations.reconsider()
        while len(waits) < 2:
            await world.clock.breathe()
        assert rotations.stands[PATH].stay == waits[1]
        assert await rotations.drain(LONG) == 0

    run(scenario())


def test_what_a_stand_takes_of_the_limits(world: World) -> None:
    """A rotation counts as created once its key may be there."""

    async def scenario() -> None:
        rig = await world.process()
        opened = await rig.open()
        assert isinstance(opened, Opened)
        rotations = rig.rotations()
        rig.stand.record = replace(opened.record, phase=Phase.STAGED)
        rotations.stands[PATH] = rig.stand
        [taken] = rotations.occupied()
        assert taken.created is True
        assert taken.credential == CredentialName(PATH)

    run(scenario())
