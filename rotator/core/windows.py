"""When a rotation may be opened: weekly windows in a time zone, and blackouts.

A window's start is a wall-clock time of its zone.  On the day when clocks go
forward a start inside the missing hour opens as much later as the clock jumped;
on the day when they go back the first of the two equal times counts.  A window's
length is elapsed time, so such a day makes it neither longer nor shorter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

DAY = timedelta(days=1)
WEEK = timedelta(days=7)
FARTHEST_TIME = datetime(9990, 1, 1, tzinfo=UTC)
MAX_STEPS = 1000

DAY_NAMES: tuple[str, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""In the order of `datetime.weekday()`."""


@dataclass(frozen=True, slots=True)
class Window:
    """A span that opens on some weekdays: `days` as in `datetime.weekday()`.

    `start` is a naive time of day in `zone`; `length` is at most a week.
    """

    days: frozenset[int]
    start: time
    length: timedelta
    zone: tzinfo

    def open(self, now: datetime) -> bool:
        """Say whether the window is open at `now` (aware)."""
        back = self.length // DAY + 1
        return any(o <= now < o + self.length for o in self._openings(now, -back, 1))

    def next_open(self, now: datetime) -> datetime | None:
        """Return `now` if open, else the next opening (UTC); None without days."""
        if self.open(now):
            return now
        return next((o for o in self._openings(now, -1, 8) if o >= now), None)

    def _openings(self, now: datetime, first: int, last: int) -> Iterable[datetime]:
        """Yield the openings of the local days `first` to `last`, counted from today."""
        if not self.days or not _calendar_holds(now):
            return
        today = now.astimezone(self.zone).date()
        for offset in range(first, last + 1):
            day = today + timedelta(days=offset)
            if day.weekday() in self.days:
                yield datetime.combine(day, self.start, tzinfo=self.zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Blackout:
    """A span (aware, end excluded) in which no rotation is opened."""

    start: datetime
    end: datetime

    def covers(self, now: datetime) -> bool:
        """Say whether `now` lies in the span."""
        return self.start <= now < self.end


@dataclass(frozen=True, slots=True)
class Calendar:
    """A policy's windows and blackouts together."""

    windows: tuple[Window, ...] = ()
    blackouts: tuple[Blackout, ...] = ()

    def in_blackout(self, now: datetime) -> bool:
        """Say whether a blackout covers `now`."""
        return any(b.covers(now) for b in self.blackouts)

    def in_window(self, now: datetime) -> bool:
        """Say whether a window is open, or there are no windows at all."""
        return not self.windows or any(w.open(now) for w in self.windows)

    def open(self, now: datetime, *, windows: bool = True) -> bool:
        """Say whether a rotation may be opened; `windows` False looks at blackouts only."""
        return not self.in_blackout(now) and (not windows or self.in_window(now))

    def next_open(self, now: datetime, *, windows: bool = True) -> datetime | None:
        """Return the first time from `now` on that is open, or None if there is none."""
        at: datetime | None = now
        for _ in range(MAX_STEPS):
            if at is None or self.open(at, windows=windows):
                return at
            at = self._step(at)
        return None

    def _step(self, at: datetime) -> datetime | None:
        """Return the end of the blackout at `at`, else the next opening of a window."""
        ends = [b.end for b in self.blackouts if b.covers(at)]
        if ends:
            return max(ends)
        opens = [o for o in (w.next_open(at) for w in self.windows) if o is not None]
        return min(opens, default=None)


ALWAYS = Calendar()


def _calendar_holds(now: datetime) -> bool:
    """Say whether a few days around `now` are dates that Python can hold."""
    return datetime(2, 1, 1, tzinfo=UTC) < now < FARTHEST_TIME
