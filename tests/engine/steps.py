"""Steps that many tests of the engine take."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from rotator.core.record import Record
from rotator.core.saga.words import Event, Stay
from rotator.engine.opener import Opened
from tests.engine.rig import Rig, World
from tests.stores.kit import Watched


def run(work: Awaitable[None]) -> None:
    """Run a scenario."""

    async def whole() -> None:
        await work

    asyncio.run(whole())


async def opened(rig: Rig, **policy: Any) -> Opened:
    """Open a rotation that can be opened, what people ask having been read."""
    await rig.tools.watch.read()
    result = await rig.open(**policy)
    assert isinstance(result, Opened), result
    return result


async def draining(world: World) -> tuple[Rig, Record, Watched]:
    """Return a process whose rotation drains, with a store that can be told to fail."""
    rig = await world.process()
    await rig.tools.watch.read()
    opened = await rig.open()
    assert isinstance(opened, Opened)
    rig.heard.on_stay = lambda _record, _stay: rig.stop.set()
    await rig.driver(opened).run()
    assert world.phase == "DRAINING"
    front = Watched(world.kv)
    fresh = await world.process(store=lambda _kv: front.kv)
    await fresh.tools.watch.read()
    return fresh, await fresh.record(), front


async def drive_until(rig: Rig, start: Opened | None, event: Event) -> Stay:
    """Drive until the rotation waits for this; return the wait."""
    waits: list[Stay] = []

    def on_stay(record: Record, stay: Stay) -> None:
        if stay.event is event:
            waits.append(stay)
            rig.stop.set()

    rig.heard.on_stay = on_stay
    await rig.driver(start).run()
    rig.stop.clear()
    assert waits, f"never waited: {rig.heard.events}"
    return waits[-1]
