"""The share of an exchange's rate limit that is ours, and its bans.

One `Budget` serves one exchange.  Tokens are reserved at once and paid back with
time, so waiting calls go in the order in which they came.  A ban stops every
call of the exchange for the time it says, without one more request being sent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from rotator.core.outcome import ExchangeError, Failure, Meaning

Monotonic = Callable[[], float]
"""Seconds of a clock that never goes back."""

Sleep = Callable[[float], Awaitable[None]]
"""Waits for so many seconds."""

Costs = tuple[tuple[str, float], ...]
"""What one call takes: (name of the rate, tokens) pairs."""

LONGEST_STOP = timedelta(days=3)
"""The longest ban that any sheet names; a longer wish is not believed."""

MANY_BUCKETS = 1024


@dataclass(frozen=True, slots=True)
class Rate:
    """A published limit: `amount` tokens per `seconds`, of our address or of each account."""

    amount: float
    seconds: float
    per_account: bool = True


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class Budget:
    """Token buckets per account and endpoint class, and the exchange-wide stop.

    `share` is the part of each published rate that we use; `None` means no
    budget of our own, bans are obeyed all the same.
    """

    def __init__(
        self,
        rates: Mapping[str, Rate],
        share: float | None,
        monotonic: Monotonic,
        sleep: Sleep,
    ) -> None:
        if share is not None and not 0 < share <= 1:
            raise ValueError("share must be above 0 and at most 1 (0.2 leaves the rest to bots)")
        self._rates = rates
        self._share = share
        self._monotonic = monotonic
        self._sleep = sleep
        self._buckets: dict[tuple[str, str], _Bucket] = {}
        self._accounts: dict[str, str] = {}
        self._stopped_until = float("-inf")

    def learn(self, key_id: str, account: str) -> None:
        """Note that a key acts on `account`: its calls count there from now on."""
        self._accounts[key_id] = account

    async def take(self, costs: Costs, key_id: str) -> None:
        """Wait until `costs` may be spent by a key's account; raise ExchangeError while banned.

        A key whose account is not known yet counts as an account of its own.
        """
        self.refuse_if_stopped()
        account = self._accounts.get(key_id, key_id)
        wait = self._reserve(costs, account)
        if wait <= 0:
            return
        paid = False
        try:
            await self._sleep(wait)
            self.refuse_if_stopped()
            paid = True
        finally:
            if not paid:
                self._give_back(costs, account)

    def stop(self, span: timedelta) -> None:
        """Stop every call of this exchange for `span`, never for less than before."""
        bounded = max(timedelta(0), min(span, LONGEST_STOP))
        until = self._monotonic() + bounded.total_seconds()
        self._stopped_until = max(self._stopped_until, until)

    def stopped_for(self) -> timedelta | None:
        """Return how long the exchange is still stopped, None if it is not."""
        left = self._stopped_until - self._monotonic()
        return timedelta(seconds=left) if left > 0 else None

    def used_ratio(self) -> float | None:
        """Return the used part of our share, 0 to 1, of the rate that is used most.

        None without a share.
        """
        if self._share is None:
            return None
        now = self._monotonic()
        used = (self._used(place[0], bucket, now) for place, bucket in self._buckets.items())
        return max(used, default=0.0)

    def refuse_if_stopped(self) -> None:
        """Raise the ban as an ExchangeError while it lasts."""
        left = self.stopped_for()
        if left is not None:
            raise ExchangeError(
                Failure.of(
                    Meaning.BANNED,
                    "not sent: the exchange told us to stay away for a time",
                    code=NOT_SENT,
                    retry_after=left,
                )
            )

    def _reserve(self, costs: Costs, account: str) -> float:
        if self._share is None:
            return 0.0
        now = self._monotonic()
        self._forget_full_buckets(now)
        wait = 0.0
        for name, tokens in costs:
            rate = self._rates[name]
            bucket = self._refilled(name, account, rate, now)
            spare = bucket.tokens - min(tokens, self._size(rate))
            bucket.tokens -= tokens
            if spare < 0:
                wait = max(wait, -spare / self._speed(rate))
        return wait

    def _give_back(self, costs: Costs, account: str) -> None:
        for name, tokens in costs:
            bucket = self._buckets.get(self._place(name, account, self._rates[name]))
            if bucket is not None:
                bucket.tokens += tokens

    def _used(self, name: str, bucket: _Bucket, now: float) -> float:
        rate = self._rates[name]
        size = self._size(rate)
        left = bucket.tokens + (now - bucket.at) * self._speed(rate)
        return min(max(0.0, 1 - left / size), 1.0)

    def _refilled(self, name: str, account: str, rate: Rate, now: float) -> _Bucket:
        place = self._place(name, account, rate)
        bucket = self._buckets.setdefault(place, _Bucket(self._size(rate), now))
        earned = (now - bucket.at) * self._speed(rate)
        bucket.tokens = min(self._size(rate), bucket.tokens + earned)
        bucket.at = now
        return bucket

    def _forget_full_buckets(self, now: float) -> None:
        if len(self._buckets) < MANY_BUCKETS:
            return
        for place, bucket in list(self._buckets.items()):
            rate = self._rates[place[0]]
            if bucket.tokens + (now - bucket.at) * self._speed(rate) >= self._size(rate):
                del self._buckets[place]

    @staticmethod
    def _place(name: str, account: str, rate: Rate) -> tuple[str, str]:
        return (name, account if rate.per_account else "")

    def _size(self, rate: Rate) -> float:
        return max(1.0, rate.amount * (self._share or 1.0))

    def _speed(self, rate: Rate) -> float:
        return rate.amount * (self._share or 1.0) / rate.seconds


NOT_SENT = "not_sent"
"""Code of a failure that we made ourselves before anything left."""
