"""What a driver does with a store that fails: no secret is lost, nothing is done twice."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from rotator.core.findings import Code
from rotator.core.outcome import Happened, StoreConflict, StoreError
from rotator.core.saga.words import Event, Stay
from tests.engine.rig import PARENT, PATH, RECORD, World
from tests.engine.steps import opened
from tests.stores.kit import Watched


def faulty(
    world: World, errors: list[StoreError], lands: bool = False
) -> tuple[Watched, list[str]]:
    """Return a store whose STAGED write fails so often; `lands` = it was applied all the same."""
    front, said = Watched(world.kv), []

    def refuse(name: str, args: tuple[Any, ...]) -> StoreError | None:
        if name != "write" or args[0] != RECORD or args[1]["phase"] != "STAGED" or not errors:
            return None
        if lands:
            world.kv._tables.write(args[0], args[1], args[2])
        said.append(str(world.clock.now()))
        return errors.pop()

    front.refuse = refuse
    return front, said


NOT_APPLIED = StoreError("refused connection", happened=Happened.NOT_APPLIED)
UNKNOWN = StoreError("no answer", happened=Happened.UNKNOWN)


@pytest.mark.parametrize("error", [NOT_APPLIED, UNKNOWN])
@pytest.mark.parametrize(("times", "creates"), [(1, 1), (40, 1), (70, 2)])
def test_a_staged_write_is_tried_for_a_minute(
    world: World, error: StoreError, times: int, creates: int
) -> None:
    """A new key's secret is kept while its write fails, for a minute; then the key is fenced."""
    front, said = faulty(world, [error] * times)

    async def run() -> None:
        rig = await world.process(store=lambda _kv: front.kv)
        await rig.driver(await opened(rig)).run()

    asyncio.run(run())
    assert len(said) == min(times, 60) + max(0, times - 60)
    assert world.phase == "DONE"
    assert len(world.made()) == creates
    assert sum(world.alive(key.id) for key in world.made()) == 1


def test_a_staged_write_that_landed_is_found(world: World) -> None:
    """A STAGED write whose answer was lost is read back, not written or created again."""
    front, said = faulty(world, [UNKNOWN], lands=True)

    async def run() -> None:
        rig = await world.process(store=lambda _kv: front.kv)
        await rig.driver(await opened(rig)).run()

    asyncio.run(run())
    written = [
        args[1]["phase"] for name, args in front.asked if name == "write" and args[0] == RECORD
    ]
    assert len(said) == written.count("STAGED") == 1
    assert world.phase == "DONE"
    assert len(world.made()) == 1


def test_a_staged_write_that_cannot_be_read_back_is_tried_again(world: World) -> None:
    """While neither the write nor its reading back is answered, the secret is kept and tried."""
    front, said = faulty(world, [UNKNOWN] * 3)
    first = front.refuse

    def refuse(name: str, args: tuple[Any, ...]) -> StoreError | None:
        unread = name == "read" and args[0] == RECORD and 0 < len(said) < 3
        return NOT_APPLIED if unread else first(name, args)

    front.refuse = refuse

    async def run() -> None:
        rig = await world.process(store=lambda _kv: front.kv)
        await rig.driver(await opened(rig)).run()

    asyncio.run(run())
    assert len(said) == 3
    assert world.phase == "DONE"
    assert len(world.made()) == 1


def test_without_the_parent_nothing_is_created(world: World) -> None:
    """While the parent's key is not in the store nothing is tried, and a person is told why."""
    waits: list[Stay] = []

    async def run() -> None:
        await opened(await world.process())
        content = world.content(PARENT)
        world.erase(PARENT)
        rig = await world.process()
        await rig.tools.watch.read()

        async def come_back() -> None:
            waits.extend(w for w in rig.heard.waits if w.event is Event.NO_PARENT)
            if len(waits) > 50 and world.peek(PARENT) is None:
                assert world.record()["attempt"] == 1
                assert not world.made()
                world.put(PARENT, content, 0)
                await rig.tools.hub.take()

        world.clock.tick = come_back
        await rig.driver().run()
        assert (waits[0].on, waits[0].alert) == ("person", Code.PARENT_MISSING)
        assert PARENT in waits[0].sentence
        assert waits[0].sentence.endswith(f"rotator explain {PATH}")
        assert world.phase == "DONE"
        assert (world.record()["attempt"], world.record()["counted"]) == (2, 2)
        assert len(world.made()) == 1

    asyncio.run(run())


def test_a_store_that_is_down_does_not_keep_a_process(world: World) -> None:
    """A driver whose store gives no answer tries again, and ends when it is told to."""
    front = Watched(world.kv)

    async def run() -> None:
        rig = await world.process(store=lambda _kv: front.kv)
        await opened(rig)
        front.refuse = lambda _name, _args: NOT_APPLIED

        async def give_up() -> None:
            if len(rig.heard.troubles) == 5:
                rig.stop.set()

        world.clock.tick = give_up
        await rig.driver().run()
        assert len(rig.heard.troubles) == 5
        await rig.driver().run()
        assert world.phase == "CREATING"

    asyncio.run(run())


def test_a_staged_write_that_somebody_overtook(world: World) -> None:
    """Who finds another's record after a lost STAGED write leaves its own key to the fence."""
    front, _ = faulty(world, [UNKNOWN])
    overtaken: list[bool] = []

    async def overtake(name: str, args: tuple[Any, ...]) -> None:
        if name == "write" and args[0] == RECORD and not overtaken:
            if args[1]["phase"] != "STAGED":
                return
            overtaken.append(True)
            record = {**world.record(), "attempt": 2, "counted": 2}
            world.kv._tables.write(RECORD, record, world.metadata(RECORD).current)

    front.before = overtake

    async def run() -> None:
        rig = await world.process(store=lambda _kv: front.kv)
        await rig.driver(await opened(rig)).run()

    asyncio.run(run())
    assert overtaken
    assert world.phase == "DONE"
    assert sum(world.alive(key.id) for key in world.made()) == 1


def test_a_conflict_is_read_again(world: World) -> None:
    """A driver whose record was overtaken drops what it knows and goes on from what it finds."""
    front, conflicts = Watched(world.kv), ["VERIFIED", "DRAINING", "REVOKING", "CLOSING"]

    def refuse(name: str, args: tuple[Any, ...]) -> StoreError | None:
        if name == "write" and args[0] == RECORD and args[1]["phase"] in conflicts:
            conflicts.remove(args[1]["phase"])
            return StoreConflict("somebody was first")
        return None

    front.refuse = refuse

    async def run() -> None:
        rig = await world.process(store=lambda _kv: front.kv)
        await rig.driver(await opened(rig)).run()
        assert rig.heard.troubles == ["somebody else wrote the record"] * 4

    asyncio.run(run())
    assert world.phase == "DONE"
    assert len(world.made()) == 1


def test_a_step_that_comes_to_nothing_is_begun_less_and_less_often(world: World) -> None:
    """A store that never confirms a Publish is not asked twenty times a second."""
    front = Watched(world.kv)
    tries: list[datetime] = []

    def refuse(name: str, args: tuple[Any, ...]) -> StoreError | None:
        if name == "write" and args[0] == PATH and len(tries) < 30:
            tries.append(world.clock.now())
            return UNKNOWN
        return None

    front.refuse = refuse

    async def run() -> None:
        rig = await world.process(store=lambda _kv: front.kv)
        await rig.driver(await opened(rig)).run()

    asyncio.run(run())
    assert world.phase == "DONE"
    assert tries[-1] - tries[0] > timedelta(minutes=1)
