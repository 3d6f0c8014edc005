"""One inventory for all who wait for one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from rotator.core.names import CredentialName, SigningKey
from rotator.engine.clock import Clock
from rotator.stores.inventory import InventoryResult


class Takes(Protocol):
    """What takes inventories, one at a time."""

    async def take(self) -> InventoryResult:
        """Return a new inventory.  Raises StoreError."""
        ...

    def signing_key(self, name: CredentialName) -> SigningKey | None:
        """Return a credential's key as the last inventory read it."""
        ...


@dataclass(frozen=True, slots=True)
class Taken:
    """An inventory, and when it was begun and ended by our clock."""

    result: InventoryResult
    begun_at: datetime
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class _Flight:
    number: int
    begun_at: datetime
    task: asyncio.Task[Taken]


class InventoryHub:
    """Lets at most one inventory run, and shares it.

    A StoreError of an inventory goes to everyone who waited for it.
    """

    def __init__(self, inventory: Takes, clock: Clock) -> None:
        self._inventory = inventory
        self._clock = clock
        self._flight: _Flight | None = None
        self._begun = 0
        self._latest: Taken | None = None

    @property
    def latest(self) -> Taken | None:
        """The last inventory that came to an end."""
        return self._latest

    def signing_key(self, name: CredentialName) -> SigningKey | None:
        """Return a credential's key as the last inventory read it."""
        return self._inventory.signing_key(name)

    async def take(self) -> Taken:
        """Return the inventory that is under way, else a new one."""
        return await self._wait(self._flight or self._begin())

    async def complete_after(self, since: datetime) -> Taken:
        """Return an inventory begun after `since`: one for all who wait.

        It may be incomplete, which the caller sees in `.result.complete`; an
        earlier one is returned only if it is complete.  One begun after this call
        is begun after `since`, whatever a clock that was set back says.
        """
        latest = self._latest
        if latest is not None and latest.result.complete and latest.begun_at > since:
            return latest
        called = self._begun
        while True:
            flight = self._flight or self._begin()
            if flight.number > called or flight.begun_at > since:
                return await self._wait(flight)
            # Its outcome is of no use here, good or bad.
            await asyncio.wait([flight.task])

    async def close(self) -> None:
        """End an inventory that is under way; who waits for it is cancelled."""
        flight = self._flight
        if flight is not None:
            flight.task.cancel()
            await asyncio.wait([flight.task])

    async def _wait(self, flight: _Flight) -> Taken:
        # One who gives up waiting must not take it from the others.
        return await asyncio.shield(flight.task)

    def _begin(self) -> _Flight:
        self._begun += 1
        begun_at = self._clock.now()
        task = asyncio.create_task(self._take(begun_at), name="inventory")
        flight = _Flight(self._begun, begun_at, task)
        self._flight = flight
        task.add_done_callback(self._landed)
        return flight

    async def _take(self, begun_at: datetime) -> Taken:
        result = await self._inventory.take()
        return Taken(result, begun_at, self._clock.now())

    def _landed(self, task: asyncio.Task[Taken]) -> None:
        self._flight = None
        # Asking for the error marks it as seen, if nobody waits any more.
        if not task.cancelled() and task.exception() is None:
            self._latest = task.result()
