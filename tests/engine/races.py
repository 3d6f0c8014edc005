"""Several processes on one store and one exchange, their calls let through one by one.

Which call comes next, and when time passes instead, is drawn from a seed: a
process may sleep before any call for as long as it takes.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from rotator.core.record import Record
from rotator.core.saga.words import Event, Stay
from rotator.engine.opener import NotOpened
from rotator.stores.journal import State
from tests.engine.crash import Gate, Play
from tests.engine.rig import PATH, Rig, World

T = TypeVar("T")
QUIET = 4
"""Turns of the loop without anything new after which every process waits."""

MOST_TURNS = 20_000


@dataclass(eq=False)
class Sleeper:
    """Somebody who sleeps until `wakes`, by the monotonic clock."""

    wakes: float
    done: asyncio.Future[None]


@dataclass
class Turns:
    """Draws who goes on."""

    world: World
    chance: random.Random
    hurry: float = 0.1
    parked: list[asyncio.Future[None]] = field(default_factory=list)
    sleepers: list[Sleeper] = field(default_factory=list)
    busy: int = 0
    turns: int = 0

    async def wait(self) -> None:
        """Wait for one's turn to call."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.parked.append(turn)
        await turn

    async def sleep(self, seconds: float) -> None:
        """Sleep until the clock has come so far."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.sleepers.append(Sleeper(self.world.clock.seconds + seconds, done))
        await done

    async def run(self, tasks: list[asyncio.Task[None]]) -> None:
        """Let the processes go on, one call at a time, until all have ended."""
        while True:
            await self._quiet()
            if all(task.done() for task in tasks):
                break
            self.turns += 1
            assert self.turns < MOST_TURNS, "the processes do not come to an end"
            self._next()
        for task in tasks:
            task.result()

    async def _quiet(self) -> None:
        before, still = (-1, -1), 0
        while still < QUIET or self.busy:
            await asyncio.sleep(0)  # noqa: TID251  # lets others run, waits for nothing
            self.parked = [p for p in self.parked if not p.done()]
            self.sleepers = [s for s in self.sleepers if not s.done.done()]
            now = (len(self.parked), len(self.sleepers))
            still = still + 1 if now == before else 0
            before = now

    def _next(self) -> None:
        assert self.parked or self.sleepers, "nobody can go on"
        if self.parked and (not self.sleepers or self.chance.random() >= self.hurry):
            turn = self.parked.pop(self.chance.randrange(len(self.parked)))
            turn.set_result(None)
            return
        first = min(self.sleepers, key=lambda s: s.wakes)
        self.world.clock.pass_(max(0.0, first.wakes - self.world.clock.seconds))
        self.sleepers.remove(first)
        first.done.set_result(None)


@dataclass
class TurnGate(Gate):
    """A gate at which every call waits for its turn."""

    turns: Turns | None = None

    async def cross(
        self, verb: str, what: str, call: Callable[[], Awaitable[T]], lost: Callable[[], Exception]
    ) -> T:
        if self.turns is None or not self.armed:
            return await call()
        await self.turns.wait()
        self.turns.busy += 1
        try:
            return await super().cross(verb, what, call, lost)
        finally:
            self.turns.busy -= 1


@dataclass
class Race:
    """So many processes, each opening the same rotation and driving it to its end."""

    play: Play
    turns: Turns
    opened: int = 0

    async def run(self, count: int) -> None:
        """Run the race."""
        world = self.play.world
        self.play.secrets.add(world.content()["api_secret"])
        rigs = [
            await TurnGate(world, look=self.play.look, turns=self.turns).process()
            for _ in range(count)
        ]
        world.clock.sleeping = self.turns.sleep
        await self.turns.run([asyncio.create_task(self._drive(rig)) for rig in rigs])
        world.clock.sleeping = None

    async def _drive(self, rig: Rig) -> None:
        def on_stay(record: Record, stay: Stay) -> None:
            if stay.event is Event.ASKED:
                rig.stop.set()

        rig.heard.on_stay = on_stay
        await rig.tools.watch.read()
        result = await rig.open(**self.play.story.policy)
        opened = None if isinstance(result, NotOpened) else result
        self.opened += opened is not None
        while (await rig.tools.journal.read(PATH)).state is not State.CLOSED:
            await rig.driver(opened).run()
            opened = None
            if rig.stop.is_set():
                return
