"""Whatever the exchange does to a call, the rotation goes on and no key is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from rotator.core.record import Phase, Record
from rotator.core.saga.words import Stay
from rotator.engine.opener import Opened
from rotator.sandbox.faults import Fault
from tests.engine.crash import Play, Story, judge_the_end
from tests.engine.rig import World

TIMES = 2
"""How often in a row a call suffers its fault."""


def change_new(world: World) -> None:
    """The new key is another than was asked for."""
    ledger = world.desk.ledger("bybit")
    ledger.change(world.key(world.record()["new"]["key_id"]), native=frozenset({"Spot.SpotTrade"}))


def suffer(operation: str, fault: Fault, times: int = TIMES) -> Callable[[World], None]:
    """Order a fault."""
    return lambda world: world.desk.order("bybit", operation, fault.value, times)


def tell(world: World, story: Story, creates: int) -> None:
    """Tell a story and judge its end."""

    async def run() -> None:
        play = Play(world, story)
        await play.run()
        await judge_the_end(play, creates=creates)

    asyncio.run(run())


@pytest.mark.parametrize("fault", list(Fault))
def test_a_create_that_suffers(world: World, fault: Fault) -> None:
    """A create whose answer fails is fenced and tried again; what it made is removed."""
    story = Story(happenings={"CREATING": suffer("create", fault)})
    tell(world, story, creates=1 + TIMES)
    assert world.phase == "DONE"
    assert world.record()["attempt"] == 1 + TIMES


@pytest.mark.parametrize("fault", list(Fault))
def test_a_list_that_suffers(world: World, fault: Fault) -> None:
    """A list that fails leaves older attempts for later, and never hinders the rotation."""

    def both(world: World) -> None:
        suffer("create", Fault.LOST_ANSWER, 1)(world)
        suffer("list", fault, 1)(world)

    tell(world, Story(happenings={"CREATING": both}), creates=2)
    assert world.phase == "DONE"
    assert world.record()["attempt"] in (2, 3)


@pytest.mark.parametrize("phase", ["STAGED", "VERIFIED", "DRAINING", "REVOKING", "PROVING"])
@pytest.mark.parametrize("fault", list(Fault))
def test_a_look_that_suffers(world: World, fault: Fault, phase: str) -> None:
    """A look that fails is no proof of anything: it is taken again."""
    tell(world, Story(happenings={phase: suffer("inspect", fault)}), creates=1)
    assert world.phase == "DONE"
    assert world.record()["rolled_back"] is False


@pytest.mark.parametrize("fault", list(Fault))
def test_a_deletion_that_suffers(world: World, fault: Fault) -> None:
    """A deletion that fails is asked again until the old key is proved dead."""
    tell(world, Story(happenings={"REVOKING": suffer("delete", fault)}), creates=1)
    assert world.phase == "DONE"


@pytest.mark.parametrize("fault", list(Fault))
def test_an_abort_that_suffers(world: World, fault: Fault) -> None:
    """An abort whose deletion fails is not closed before the new key is gone."""
    story = Story(happenings={"STAGED": change_new, "ABORTING": suffer("delete", fault)})
    tell(world, story, creates=1)
    assert world.phase == "ABORTED"
    assert not any(world.alive(key.id) for key in world.made())


@pytest.mark.parametrize("phase", ["ROLLING_BACK", "DRAINING_BACK", "ABORTING"])
@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.HTML, Fault.BANNED, Fault.TRUNCATED])
def test_a_way_back_that_suffers(world: World, fault: Fault, phase: str) -> None:
    """A look that fails on the way back is taken again."""

    def kill_new(world: World) -> None:
        world.kill(world.record()["new"]["key_id"])

    story = Story(happenings={"DRAINING": kill_new, phase: suffer("inspect", fault)})
    tell(world, story, creates=1)
    assert world.phase == "ABORTED"


def test_an_exchange_that_is_down_for_long(world: World) -> None:
    """While every call fails nothing is decided; when the exchange is back, the rotation ends."""
    faults = world.desk.world.exchanges["bybit"].faults
    looks: list[datetime] = []

    async def run() -> None:
        rig = await world.process()
        await rig.tools.watch.read()
        opened = await rig.open()
        assert isinstance(opened, Opened)

        def come_back(record: Record, stay: Stay) -> None:
            if record.phase is Phase.DRAINING:
                looks.append(world.clock.now())
                if len(looks) == 1:
                    suffer("any", Fault.MAINTENANCE, 10_000)(world)
                if world.clock.now() - looks[0] > timedelta(minutes=40):
                    faults.clear()

        rig.heard.on_stay = come_back
        await rig.driver(opened).run()

    asyncio.run(run())
    assert world.phase == "DONE"
    assert len(looks) > 100
    assert len(world.made()) == 1


def test_a_create_while_the_exchange_is_down(world: World) -> None:
    """After eight creates of unknown fate a person is asked, and nothing was left behind."""
    story = Story(
        happenings={"CREATING": suffer("create", Fault.LOST_ANSWER, 8)},
        answers=[lambda w: w.order("resolve", answer="retry")],
    )
    tell(world, story, creates=9)
    assert world.phase == "DONE"
    assert sum(world.alive(key.id) for key in world.made()) == 1
