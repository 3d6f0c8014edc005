"""The right to drive, by a Lease: at most one process believes that it has it.

Nobody's wall clock decides.  A holder counts from the moment at which it sent its
last successful renewal, and gives up after the renew deadline; who waits counts
from the moment at which it saw the Lease change, and takes it after the duration
that the Lease names.  The span between the two is for the holder to end its work.
Only a process that is frozen or cut off from its own clock can outlive it: what it
then still does is stopped by compare-and-set in the store.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from rotator.core.lease import Lost
from rotator.core.words import told
from rotator.kube.client import Absent, Answer, Away, Conflict, Found, Leases, Refused
from rotator.kube.objects import Lease

QUICKER: Final = "another daemon was quicker"
AT_ONCE: Final = 3
"""How often a write that met a conflict is sent again before a pause."""

SOON: Final = 0.05
"""Seconds that a pause lasts at least."""


class Clock(Protocol):
    """Wall time to write down, monotonic time to decide by, and waiting."""

    def now(self) -> datetime:
        """Return the wall time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never step back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


@dataclass(frozen=True, slots=True)
class Terms:
    """How long a Lease holds, when its holder gives up, how often each looks."""

    duration: timedelta = timedelta(seconds=15)
    renew_deadline: timedelta = timedelta(seconds=10)
    retry: timedelta = timedelta(seconds=2)

    @property
    def call_seconds(self) -> float:
        """How long one call may take: two fit into the renew deadline."""
        return self.renew_deadline.total_seconds() / 2


@dataclass(slots=True)
class LeaseLock:
    """One process's part in the election.

    `identity` is this process's alone; `jitter` gives a factor of about 1 that keeps
    those who wait apart.
    """

    leases: Leases
    identity: str
    terms: Terms
    clock: Clock
    jitter: Callable[[], float]
    _seen: Lease | None = None
    _seen_at: float = 0.0
    _changes: int = 0
    _tried: bool = False
    _sent_at: float | None = None
    _why: str = ""
    _lost: asyncio.Future[Lost] | None = None
    _renewing: asyncio.Task[None] | None = field(default=None, repr=False)

    async def acquire(self, waiting: Callable[[str], None]) -> None:
        """Wait for the Lease; `waiting` hears why, each time that the reason changes."""
        heard = None
        while (why := await self._round()) is not None:
            if why != heard:
                waiting(why)
                heard = why
            await self._pause()
        self._keep()

    async def try_acquire(self) -> str | None:
        """Take the Lease unless somebody lives who holds it; return why not.

        A holder that is never seen to renew is waited out: that takes its duration.
        """
        self._changes = 0
        while (why := await self._round()) is not None:
            if not self._others() or self._changes > 1:
                return why
            await self._pause()
        self._keep()
        return None

    async def lost(self) -> Lost:
        """Wait until it is lost, and return why."""
        if self._lost is None:
            raise RuntimeError("it was not acquired")
        return await asyncio.shield(self._lost)

    async def release(self) -> None:
        """Let it go, so that others need not wait; call it when the work has ended."""
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)
            self._renewing = None
        if self._tried:
            self._tried, self._sent_at = False, None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.terms.call_seconds):
                    if self._seen is None or self._seen.holder != self.identity:
                        await self._look_again()  # a taking may have landed unseen
                    await self._give_back()
        await self.leases.aclose()

    # waiting for it

    async def _round(self) -> str | None:
        """Look once, and take it if it is free; return why it is not ours."""
        answer = await self.leases.get(self.terms.call_seconds)
        match answer:
            case Found(lease):
                self._observe(lease)
                if self._others() and not self._expired():
                    return f"{told(lease.holder)} leads"
                return await self._take(lease)
            case Absent():
                return await self._take(self._anew())
            case _:
                return _words(answer)

    async def _take(self, lease: Lease) -> str | None:
        sent_at, self._tried = self.clock.monotonic(), True
        answer = await self._write(self._mine(lease))
        match answer:
            case Found(taken):
                self._seen, self._seen_at, self._sent_at = taken, sent_at, sent_at
                return None
            case Absent():
                return f"there is no namespace {lease.namespace}"
            case _:
                return _words(answer)

    def _observe(self, lease: Lease) -> None:
        """Note when the Lease was first seen as it is; annotations are no sign of life."""
        seen = self._seen
        if seen is None or _life(seen) != _life(lease):
            self._seen_at = self.clock.monotonic()
            self._changes += 1
        self._seen = lease

    def _others(self) -> bool:
        """Say whether somebody else's name stands in it."""
        return self._seen is not None and self._seen.holder not in ("", self.identity)

    def _expired(self) -> bool:
        return self.clock.monotonic() >= self._expires_at()

    def _expires_at(self) -> float:
        seconds = self._seen.seconds if self._seen is not None else None
        return self._seen_at + (seconds or self.terms.duration.total_seconds())

    async def _pause(self) -> None:
        """Wait for a change, the end of the other's time, or the next look."""
        now = self.clock.monotonic()
        until = now + self.terms.retry.total_seconds() * self.jitter()
        if self._others():
            until = max(now + SOON, min(until, self._expires_at()))
        changed = self._seen is not None and await self.leases.changed(
            self._seen.version, until - now
        )
        left = until - self.clock.monotonic()
        if left > 0 and not changed:
            await self.clock.sleep(left)

    # holding it

    def _keep(self) -> None:
        self._lost = asyncio.get_running_loop().create_future()
        self._renewing = asyncio.create_task(self._renew(self._lost), name="lease")

    async def _renew(self, lost: asyncio.Future[Lost]) -> None:
        """Renew until it is lost: a task boundary, because nobody may drive on unrenewed."""
        try:
            found = await self._until_lost()
        except Exception as error:  # noqa: BLE001 - the boundary of this task
            found = Lost(f"{type(error).__name__} in the renewal", self._grace())
        lost.set_result(found)

    async def _until_lost(self) -> Lost:
        """Renew until that has failed for too long, or somebody else has it."""
        while True:
            await self.clock.sleep(max(0.0, min(self._retry(), self._left())))
            if self._left() <= 0:
                return Lost(self._too_late(), self._grace())
            other = await self._renew_once()
            if other is not None:
                return Lost(other, 0.0)

    async def _renew_once(self) -> str | None:
        """Renew if the API server lets us; return who else has it."""
        for _ in range(AT_ONCE):
            if self._left() <= 0:
                return None
            sent_at = self.clock.monotonic()
            answer = await self._write(self._mine(self._seen or self._anew()))
            match answer:
                case Found(renewed):
                    self._seen, self._sent_at = renewed, sent_at
                    return None
                case Conflict():
                    other = await self._look_again()
                    if other is not None:
                        return other
                case Absent():
                    # Deleted under us: made again with what its annotations said.
                    self._seen = self._anew()
                case _:
                    self._why = _words(answer)
                    return None
        return None

    async def _look_again(self) -> str | None:
        """After a conflict: an answer that was lost, a new annotation, or another holder."""
        answer = await self.leases.get(self._limit())
        match answer:
            case Found(lease) if lease.holder == self.identity:
                self._seen = lease
            case Found(lease):
                return f"{told(lease.holder) or 'somebody'} has taken it"
            case Absent():
                self._seen = self._anew()
            case _:
                self._why = _words(answer)
        return None

    async def _give_back(self) -> None:
        for _ in range(AT_ONCE):
            seen = self._seen
            if seen is None or seen.holder != self.identity:
                return
            answer = await self._write(seen.released(self.clock.now()))
            if not isinstance(answer, Conflict) or await self._look_again() is not None:
                return

    async def _write(self, lease: Lease) -> Answer:
        if lease.version:
            return await self.leases.replace(lease, self._limit())
        return await self.leases.create(lease, self._limit())

    def _mine(self, lease: Lease) -> Lease:
        whole = math.ceil(self.terms.duration.total_seconds())
        return lease.held_by(self.identity, whole, self.clock.now())

    def _anew(self) -> Lease:
        return self._seen.anew() if self._seen is not None else self.leases.blank()

    def _limit(self) -> float:
        """How long the next call may take: never past the renew deadline."""
        if self._sent_at is None:
            return self.terms.call_seconds
        return max(SOON, min(self.terms.call_seconds, self._left()))

    def _retry(self) -> float:
        return self.terms.retry.total_seconds()

    def _left(self) -> float:
        """How long until the renew deadline."""
        return self._since() + self.terms.renew_deadline.total_seconds()

    def _grace(self) -> float:
        """How long until others may take it."""
        return max(0.0, self._since() + self.terms.duration.total_seconds())

    def _since(self) -> float:
        sent_at = self._sent_at if self._sent_at is not None else -math.inf
        return sent_at - self.clock.monotonic()

    def _too_late(self) -> str:
        seconds = self.terms.renew_deadline.total_seconds()
        why = self._why or "this process stood still"
        return f"not renewed for {seconds:g} s: {why}"


def _life(lease: Lease) -> Mapping[str, Any]:
    """Return what changes when a holder lives; the API server adds nothing of its own to it."""
    return lease.spec


def _words(answer: Answer) -> str:
    match answer:
        case Refused(why) | Away(why):
            return why
        case _:
            return QUICKER
