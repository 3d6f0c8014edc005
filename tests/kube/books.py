"""A Lease kept in memory as the API server keeps it, and ways to it that fail."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from rotator.kube.client import Absent, Answer, Away, Conflict, Found, Refused
from rotator.kube.objects import Lease

BLANK = Lease("rotator", "trading")


@dataclass
class Books:
    """The one Lease; every write is under its version."""

    lease: Lease | None = None
    version: int = 0
    writes: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def get(self) -> Answer:
        return Absent() if self.lease is None else Found(self.lease)

    def create(self, lease: Lease) -> Answer:
        return Conflict() if self.lease is not None else self._put(lease)

    def replace(self, lease: Lease) -> Answer:
        if self.lease is None:
            return Absent()
        return Conflict() if lease.version != self.lease.version else self._put(lease)

    def delete(self) -> None:
        """Remove it, as `kubectl delete` does."""
        self.lease = None

    def _put(self, lease: Lease) -> Answer:
        self.version += 1
        self.writes += 1
        self.lease = replace(lease, version=str(self.version))
        self.changed.set()
        self.changed = asyncio.Event()
        return Found(self.lease)


Fault = Callable[[str], str]
"""Says of a call (get, create, replace, changed) what becomes of it: "", lost, hang, refused."""


def sound(call: str) -> str:
    """Let everything pass."""
    return ""


@dataclass
class Way:
    """One process's way to the books: slow, and as faulty as `fault` says."""

    books: Books
    fault: Fault = sound
    delay: Callable[[], float] = lambda: 0.01
    calls: list[str] = field(default_factory=list)
    closed: int = 0

    def blank(self) -> Lease:
        return BLANK

    async def get(self, seconds: float) -> Answer:
        return await self._call("get", self.books.get, seconds)

    async def create(self, lease: Lease, seconds: float) -> Answer:
        return await self._call("create", lambda: self.books.create(lease), seconds)

    async def replace(self, lease: Lease, seconds: float) -> Answer:
        return await self._call("replace", lambda: self.books.replace(lease), seconds)

    async def changed(self, version: str, seconds: float) -> bool:
        """Wait for a change, or fail at once where the way does not carry it."""
        if self.fault("changed"):
            return False
        try:
            async with asyncio.timeout(seconds):
                while self.books.lease is not None and self.books.lease.version == version:
                    await self.books.changed.wait()
        except TimeoutError:
            return False
        return True

    async def aclose(self) -> None:
        self.closed += 1

    async def _call(self, name: str, work: Callable[[], Answer], seconds: float) -> Answer:
        self.calls.append(name)
        fate = self.fault(name)
        if fate == "refused":
            return Refused("the API server refuses")
        took = self.delay()
        try:
            async with asyncio.timeout(seconds):
                if fate == "hang":
                    await asyncio.sleep(10 * seconds)
                await asyncio.sleep(took / 2)
                answer = work()
                if fate == "lost":
                    await asyncio.sleep(10 * seconds)
                await asyncio.sleep(took / 2)
        except TimeoutError:
            return Away("no answer")
        return answer


def chancy(chance: random.Random, rate: float) -> Fault:
    """Return faults that come by chance."""

    def fault(call: str) -> str:
        return chance.choice(["lost", "hang"]) if chance.random() < rate else ""

    return fault
