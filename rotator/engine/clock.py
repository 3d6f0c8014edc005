"""The only module that reads the clock or sleeps."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol

from rotator.core.saga.words import Moment


class Clock(Protocol):
    """Wall time for people and records, monotonic time for spans, and waiting."""

    def now(self) -> datetime:
        """Return the wall time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never step back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; zero gives other tasks their turn."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the wall time, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never step back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait; zero gives other tasks their turn."""
        await asyncio.sleep(seconds)


def moment(clock: Clock) -> Moment:
    """Read both clocks at once."""
    return Moment(clock.now(), clock.monotonic())
