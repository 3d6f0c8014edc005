"""A clock that moves only when somebody sleeps on it, or is told to."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from rotator.core.saga.words import Moment
from rotator.exchanges.registry import Clocks

START = datetime(2026, 11, 24, 12, tzinfo=UTC)


class FakeClock:
    """Wall time and monotonic time that go together."""

    def __init__(self, start: datetime = START) -> None:
        self.start = start
        self.seconds = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        """Let the time pass at once, and others have their turn."""
        self.slept.append(seconds)
        self.seconds += seconds
        await asyncio.sleep(0)  # noqa: TID251  # lets others run, waits for nothing

    async def breathe(self) -> None:
        await asyncio.sleep(0)  # noqa: TID251  # as above

    def moment(self) -> Moment:
        return Moment(self.now(), self.monotonic())

    def later(self, **by: float) -> datetime:
        self.seconds += timedelta(**by).total_seconds()
        return self.now()

    def clocks(self) -> Clocks:
        return Clocks(self.now, self.now, self.monotonic, self.sleep)
