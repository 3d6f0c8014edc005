"""Which of the planned rotations are opened now, under the limits, and when to look again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from rotator.core.due import LATEST
from rotator.core.names import AccountId, CredentialName, ExchangeName, StorePath
from rotator.core.schedule import Limits, Occupied, Planned

HOUR = timedelta(hours=1)

IN_FLIGHT = "InFlight"
ACCOUNT = "Account"
BUDGET = "CreatesPerHour"


@dataclass(frozen=True, slots=True)
class Pick:
    """What to open now, in this order; what waits for which limit; when to look again.

    `wake_at` is None when only an event (a rotation that ends, a command) can
    change anything.
    """

    open: tuple[Planned, ...]
    waiting: tuple[tuple[CredentialName, str], ...]
    wake_at: datetime | None


def pick(
    planned: Iterable[Planned],
    occupied: Iterable[Occupied],
    limits: Limits,
    creates: Mapping[ExchangeName, Iterable[datetime]],
    now: datetime,
) -> Pick:
    """Choose which ready rotations to open.

    `creates` are the times of the create calls of the last hour per exchange.
    A person's wish goes first, then canaries, then the key that ends first, then
    the longest due.
    """
    plans = tuple(planned)
    room = _Room(occupied, limits, creates, now)
    opened: list[Planned] = []
    waiting: list[tuple[CredentialName, str]] = []
    for plan in sorted((p for p in plans if p.ready(now)), key=_urgency):
        word = room.take(plan)
        if word is None:
            opened.append(plan)
        else:
            waiting.append((plan.credential, word))
    times = [p.opens_at for p in plans if p.by_program and p.opens_at and p.opens_at > now]
    if any(word == BUDGET for _, word in waiting):
        times += room.releases()
    return Pick(tuple(opened), tuple(waiting), min(times, default=None))


def _urgency(plan: Planned) -> tuple[bool, bool, datetime, datetime, str]:
    end = plan.expires_at or LATEST
    return (not plan.asked, not plan.canary, end, plan.due_at, plan.credential)


class _Room:
    """What the limits still leave."""

    def __init__(
        self,
        occupied: Iterable[Occupied],
        limits: Limits,
        creates: Mapping[ExchangeName, Iterable[datetime]],
        now: datetime,
    ) -> None:
        self._limits = limits
        self._recent = {
            exchange: sorted(t for t in times if now - t < HOUR)
            for exchange, times in creates.items()
        }
        self._in_flight = 0
        self._paths: set[StorePath] = set()
        self._accounts: set[tuple[ExchangeName | None, AccountId | None]] = set()
        self._coming: dict[ExchangeName | None, int] = {}
        for open_ in occupied:
            self._occupy(open_.path, open_.exchange, open_.account, create=not open_.created)

    def take(self, plan: Planned) -> str | None:
        """Take room for a rotation; return the limit that refuses it, if one does.

        Credentials whose account is unknown share one place per exchange.
        """
        if self._in_flight >= self._limits.in_flight:
            return IN_FLIGHT
        if plan.path in self._paths or (plan.exchange, plan.account) in self._accounts:
            return ACCOUNT
        if self._spent(plan.exchange) >= self._limits.creates_per_hour:
            return BUDGET
        self._occupy(plan.path, plan.exchange, plan.account, create=True)
        return None

    def releases(self) -> list[datetime]:
        """Return when each exchange's oldest create leaves the hour."""
        return [times[0] + HOUR for times in self._recent.values() if times]

    def _spent(self, exchange: ExchangeName | None) -> int:
        recent = self._recent.get(exchange, []) if exchange is not None else []
        return len(recent) + self._coming.get(exchange, 0)

    def _occupy(
        self,
        path: StorePath,
        exchange: ExchangeName | None,
        account: AccountId | None,
        *,
        create: bool,
    ) -> None:
        self._in_flight += 1
        self._paths.add(path)
        self._accounts.add((exchange, account))
        if create:
            self._coming[exchange] = self._coming.get(exchange, 0) + 1
