"""An event loop whose time is made: waiting takes none of ours, and order is kept."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")

START = datetime(2026, 11, 24, 12, tzinfo=UTC)


class _Leaping(selectors.SelectSelector):
    """Instead of waiting, lets the time leap; nothing here comes from outside."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise AssertionError("everybody waits for ever")
        self.now += max(0.0, timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Timers fire in their order, at once."""

    def __init__(self) -> None:
        self._leaping = _Leaping()
        super().__init__(self._leaping)

    def time(self) -> float:
        return self._leaping.now

    def leap(self, seconds: float) -> None:
        """Let time pass while nobody has a turn, as for a frozen process."""
        self._leaping.now += seconds


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end in made time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)


class VirtualClock:
    """One process's clock over the loop's time; `off` is how wrong its wall clock is."""

    def __init__(self, off: float = 0.0) -> None:
        self.off = off

    def now(self) -> datetime:
        return START + timedelta(seconds=self.monotonic() + self.off)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
