"""`run --once`: one whole pass, and every rotation that can end within the wait."""

from __future__ import annotations

import asyncio
from typing import Final

from rotator.core.outcome import StoreError
from rotator.core.record import Phase
from rotator.engine.desk import Desk
from rotator.engine.driver import Stand
from rotator.engine.reports import Document, run_document
from rotator.engine.snapshot import Snapshot

LOOK_UP: Final = 2.0
"""Seconds between two looks at people's orders while rotations run."""

WAITING_ON_OTHERS: Final = frozenset({"person", "consumers"})
DRAINING: Final = frozenset({Phase.DRAINING, Phase.DRAINING_BACK})


async def run_once(desk: Desk, wait: float) -> Document:
    """Do one whole pass and return what it prints; raises StoreError if it cannot be done.

    `wait` is in seconds from the call.  Open records are driven from the start,
    beside the pass; what is due and allowed is opened, the next as soon as a limit
    frees; it returns as soon as nothing more can end in time.
    """
    deadline = desk.clock.monotonic() + wait
    await desk.feel()
    await desk.take_up()
    snapshot = await desk.look(force=True)
    snapshot = await _rotate(desk, snapshot, deadline)
    await _tidy(desk, snapshot, deadline)
    await desk.drain()
    return run_document(snapshot, desk.reports())


async def _rotate(desk: Desk, snapshot: Snapshot, deadline: float) -> Snapshot:
    """Open and drive until nothing more can end; then look at what has changed."""
    changed = False
    while True:
        chosen = await desk.open_due()
        changed = changed or bool(chosen.open)
        busy = [s for s in desk.rotations.open_stands() if can_end(desk, s, deadline)]
        if not (busy or desk.opening) or desk.clock.monotonic() >= deadline:
            break
        changed = True
        await _wait_for_change(desk, deadline)
    return await _look_again(desk, snapshot) if changed else snapshot


async def _look_again(desk: Desk, snapshot: Snapshot) -> Snapshot:
    """A further pass, so that findings speak of the keys that are there now."""
    try:
        return await desk.look()
    except StoreError as error:
        desk.telling.log.warning("pass_failed", message=str(error))
        return snapshot


async def _wait_for_change(desk: Desk, deadline: float) -> None:
    """Wait until a rotation ends, or a moment, and read people's orders meanwhile."""
    left = max(0.0, deadline - desk.clock.monotonic())
    ended = asyncio.ensure_future(desk.rotations.ended.wait())
    pause = asyncio.ensure_future(desk.clock.sleep(min(LOOK_UP, left)))
    done, _ = await asyncio.wait({ended, pause}, return_when=asyncio.FIRST_COMPLETED)
    for waiter in (ended, pause):
        waiter.cancel()
    if ended not in done:
        await desk.watch.read()


def can_end(desk: Desk, stand: Stand, deadline: float) -> bool:
    """Say whether a rotation can end before the deadline without anybody's help."""
    record, stay = stand.record, stand.stay
    if stand.lost is not None or record is None or not desk.rotations.drives(stand.path):
        return False
    if stay is not None and stay.on in WAITING_ON_OTHERS:
        return False
    left = deadline - desk.clock.monotonic()
    until = record.drain_until if record.phase in DRAINING else None
    if until is None and stay is not None:
        until = stay.until
    return until is None or (until - desk.clock.now()).total_seconds() <= left


async def _tidy(desk: Desk, snapshot: Snapshot, deadline: float) -> None:
    """Tidy, and once more if strays were seen for the first time."""
    if not snapshot.acts or not desk.rotates:
        return
    try:
        tidied = await desk.tidy_up()
        second = tidied.pending_second_look_at
        if second is not None:
            pause = (second - desk.clock.now()).total_seconds() + 0.1
            if pause <= deadline - desk.clock.monotonic():
                await desk.clock.sleep(max(0.0, pause))
                await desk.tidy_up()
    except StoreError as error:
        desk.telling.log.warning("tidy_failed", message=str(error))
