"""Rate limits: counters in windows of the calendar, and bans that it ends."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta

from rotator.sandbox.calendar import Calendar

PRUNE_ABOVE = 4096


@dataclass(frozen=True, slots=True)
class Usage:
    """What a bucket holds after a call: `left` below 0 means one too many."""

    limit: int
    used: int
    resets_at: datetime

    @property
    def left(self) -> int:
        """Return what the window still allows."""
        return self.limit - self.used

    @property
    def exceeded(self) -> bool:
        """Say whether this call was one too many."""
        return self.used > self.limit


class Meter:
    """Counts calls per bucket; with `on` False it counts nothing and refuses nothing."""

    def __init__(self, calendar: Calendar, *, on: bool) -> None:
        self._calendar = calendar
        self._on = on
        self._buckets: dict[Hashable, tuple[datetime, int]] = {}
        self._bans: dict[str, datetime] = {}

    def take(self, bucket: Hashable, limit: int, per: timedelta, weight: int = 1) -> Usage:
        """Count `weight` in the bucket; its window begins with its first call."""
        now = self._calendar.now()
        if not self._on:
            return Usage(limit, 0, now)
        ends, used = self._buckets.get(bucket, (now, 0))
        if now >= ends:
            if len(self._buckets) > PRUNE_ABOVE:
                self._prune(now)
            ends, used = now + per, 0
        self._buckets[bucket] = (ends, used + weight)
        return Usage(limit, used + weight, ends)

    def ban(self, client: str, duration: timedelta) -> datetime:
        """Refuse everything from `client` for `duration`; return its end."""
        until = self._calendar.now() + duration
        self._bans[client] = until
        return until

    def banned_until(self, client: str) -> datetime | None:
        """Return the end of a ban that still lasts."""
        until = self._bans.get(client)
        return until if until is not None and self._calendar.now() < until else None

    def _prune(self, now: datetime) -> None:
        self._buckets = {k: v for k, v in self._buckets.items() if v[0] > now}
