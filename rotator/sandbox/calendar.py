"""The sandbox's calendar: real time plus an offset that only grows.

Ages, expiry, delays, limits and bans follow the calendar; signature windows and
the `Date` header keep real time.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

Now = Callable[[], datetime]
"""Gives real time (aware, UTC)."""


class Calendar:
    """Real time from `now`, moved forward by `advance`."""

    def __init__(self, now: Now) -> None:
        self._now = now
        self._offset = timedelta()

    def real(self) -> datetime:
        """Return real time."""
        return self._now()

    def now(self) -> datetime:
        """Return the calendar's time."""
        return self._now() + self._offset

    def advance(self, step: timedelta) -> None:
        """Move the calendar forward by `step`.

        Raises OverflowError where the calendar would leave the years it knows,
        ValueError for a negative step.
        """
        if step < timedelta():
            raise ValueError("the calendar only moves forward")
        offset = self._offset + step
        self._now() + offset + timedelta(days=3650)
        self._offset = offset

    def as_real(self, moment: datetime) -> datetime:
        """Return the real time at which the calendar will show `moment`."""
        return moment - self._offset


def milliseconds(moment: datetime) -> int:
    """Return Unix time in milliseconds."""
    return round(moment.timestamp() * 1000)


def iso(moment: datetime) -> str:
    """Return ISO 8601 UTC text to the second: `2026-01-31T12:00:00Z`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
