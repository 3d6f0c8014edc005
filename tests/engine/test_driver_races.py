"""Several drivers on one store without a lease, and one that is restarted without end."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from rotator.core.record import Record
from rotator.core.saga.step import MAX_ATTEMPTS
from rotator.core.saga.words import Stay
from tests.engine.crash import Gate, Killed, Mode, Play, Story, judge_the_end
from tests.engine.races import Race, Turns
from tests.engine.rig import Rig, World
from tests.told import Tell

SEEDS = {2: 12, 3: 10, 5: 6}
"""How many draws for so many processes."""


def kill_new(world: World) -> None:
    """The exchange ends the new key."""
    world.kill(world.record()["new"]["key_id"])


async def race(folder: Path, count: int, seed: int, story: Story) -> tuple[str, int]:
    """Race so many processes, judge the end; return the phase and how many keys were made."""
    world = World.make(folder)
    chance = random.Random(seed)
    turns = Turns(world, chance, hurry=chance.choice([0.05, 0.3, 0.6]))
    if seed % 3 == 0:
        world.desk.order("bybit", "create", "lost_answer")
    run = Race(Play(world, story), turns)
    await run.run(count)
    assert run.opened <= 1
    phase = world.phase
    if phase == "QUARANTINED":
        assert world.record()["question"]
        assert len(world.made()) <= MAX_ATTEMPTS
    else:
        await judge_the_end(run.play, creates=MAX_ATTEMPTS)
    made = len(world.made())
    assert made <= world.record()["attempt"]
    await world.close()
    return phase, made


@pytest.mark.parametrize("name", ["forward", "rolled back"])
@pytest.mark.parametrize("count", SEEDS)
def test_drivers_without_a_lease(tmp_path: Path, count: int, name: str, tell: Tell) -> None:
    """However drivers interleave, one key survives and the path never serves a dead one."""
    story = Story(happenings={"DRAINING": kill_new} if name == "rolled back" else {})
    ends, made = Counter[str](), 0
    for seed in range(SEEDS[count]):
        folder = tmp_path / str(seed)
        folder.mkdir()
        try:
            phase, keys = asyncio.run(race(folder, count, seed, story))
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        ends[phase] += 1
        made += keys
    tell(f"{count} drivers, {name}: {ends.total()} races ended {dict(ends)}; {made} creates")
    assert ends["DONE" if name == "forward" else "ABORTED"] > 0


# --- restarts -----------------------------------------------------------------------

RESTARTS = 50


async def storm(world: World, chance: random.Random) -> Counter[str]:
    """Kill one process after the other at a random call until the rotation has ended."""
    deaths: Counter[str] = Counter()
    play = Play(world, Story())
    play.secrets.add(world.content()["api_secret"])
    while deaths.total() < RESTARTS and world.phase not in ("DONE", "ABORTED"):
        at = chance.randint(7, 12) if chance.random() < 0.8 else chance.randint(13, 26)
        gate = Gate(world, at, chance.choice([Mode.BEFORE, Mode.AFTER]), play.look)
        try:
            await play.live(await gate.process())
        except Killed:
            deaths[world.phase] += 1
    await play.run()
    await judge_the_end(play, creates=1 + deaths["CREATING"])
    return deaths


@pytest.mark.parametrize("seed", range(3))
def test_a_storm_of_restarts(tmp_path: Path, seed: int, tell: Tell) -> None:
    """Fifty restarts in a row create no key beyond those whose create a death had hidden."""
    chance, deaths, made = random.Random(seed), Counter[str](), 0
    while deaths.total() < RESTARTS:
        folder = tmp_path / str(deaths.total())
        folder.mkdir(exist_ok=True)
        world = World.make(folder / str(chance.random()))
        died = asyncio.run(storm(world, chance))
        assert world.record()["attempt"] <= 1 + died["CREATING"]
        assert sum(world.alive(key.id) for key in world.made()) == 1
        made += len(world.made())
        deaths += died
        asyncio.run(world.close())
    tell(f"{made} creates; killed at {dict(deaths)}")


def stopping(rig: Rig) -> Callable[[Record, Stay], None]:
    """Tell a process to stop at its first wait."""
    return lambda _record, _stay: rig.stop.set()


def test_restarts_before_the_settle_time_create_nothing(world: World) -> None:
    """Fifty restarts within the settle time neither raise the attempt nor create a key."""

    async def run() -> None:
        rig = await world.process()
        await rig.tools.watch.read()
        opened = await rig.open()
        assert opened
        for _ in range(RESTARTS):
            world.clock.pass_(0.1)
            again = await world.process()
            await again.tools.watch.read()
            again.heard.on_stay = stopping(again)
            await again.driver().run()
        assert world.record()["attempt"] == 1
        assert not world.made()
        await Play(world, Story()).run()
        assert world.phase == "DONE"
        assert len(world.made()) == 1

    asyncio.run(run())


@pytest.mark.parametrize("phase", ["STAGED", "VERIFIED", "DRAINING", "REVOKING", "PROVING"])
def test_restarts_after_the_create_create_nothing(world: World, phase: str) -> None:
    """Fifty restarts in any phase after the create leave it at one key."""

    async def run() -> None:
        play = Play(world, Story())
        for _ in range(300):
            gate = Gate(world, 7, Mode.AFTER, play.look)
            with contextlib.suppress(Killed):
                await play.live(await gate.process())
            if world.phase == phase:
                break
        await play.run()
        assert len(world.made()) <= world.record()["attempt"]
        await judge_the_end(play, creates=2)

    asyncio.run(run())
