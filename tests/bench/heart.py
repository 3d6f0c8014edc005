"""A heartbeat in the event loop: how late it comes says how long the loop was blocked.

Lateness counts only as far as this process was at work meanwhile, in whatever thread:
while other processes have the machine, the loop waits too, but is not blocked by us.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from typing import Final

BEAT_SECONDS: Final = 0.001


class Heart:
    """Sleeps a millisecond, again and again, and notes by how much each sleep was too long."""

    def __init__(self) -> None:
        self.late_ms: list[float] = []

    @contextlib.asynccontextmanager
    async def beating(self) -> AsyncIterator[None]:
        """Beat beside whatever the block does."""
        task = asyncio.create_task(self._beat())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _beat(self) -> None:
        while True:
            due, worked = time.perf_counter() + BEAT_SECONDS, time.process_time()
            await asyncio.sleep(BEAT_SECONDS)
            late = time.perf_counter() - due
            self.late_ms.append(min(late, time.process_time() - worked) * 1000)


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value that so many percent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
