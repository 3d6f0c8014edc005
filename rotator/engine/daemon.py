"""The daemon: a handful of ticks, and workers that do what the ticks ask for.

APScheduler only ticks: a job sets an event and returns.  What is due is decided by
each pass from policy; rotations are tasks of their own and are drained at the end,
because a scheduler's job is cut off at shutdown.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from rotator.core.lease import Lost
from rotator.core.names import CredentialName
from rotator.core.outcome import StoreError
from rotator.engine.desk import Desk
from rotator.engine.lease import Lease
from rotator.exchanges.exchange import Exchange
from rotator.observe import events

WATCH: Final = timedelta(seconds=5)
RENDER: Final = timedelta(seconds=5)
FEEL: Final = timedelta(seconds=15)
BEAT: Final = timedelta(seconds=1)
RETRY: Final = 15.0
SPACING: Final = 1.0
"""Seconds between two passes at least, whoever asks for them."""

STEP: Final = 2.0
"""Seconds by which the wall clock is set, from which on that is noticed."""

JOB: Final[dict[str, Any]] = {
    "misfire_grace_time": None,
    "coalesce": True,
    "max_instances": 1,
}


@dataclass(frozen=True, slots=True)
class Every:
    """How often the daemon looks."""

    inventory: timedelta
    tidy: timedelta


@dataclass(slots=True)
class Daemon:
    """Runs a desk until it is told to stop."""

    desk: Desk
    lease: Lease
    every: Every
    stop: asyncio.Event
    beat: float = 0.0
    leads: bool = False
    pass_due: asyncio.Event = field(default_factory=asyncio.Event)
    tidy_due: asyncio.Event = field(default_factory=asyncio.Event)
    _asked: dict[CredentialName, int] = field(default_factory=dict)
    _frozen: bool = False

    async def run(self) -> Lost | None:
        """Lead and work until `stop` (None), or until the lease is lost (why).

        The desk is closed in the end; after a loss begin again with a new one, which
        believes nothing that others may have changed.
        """
        desk, log = self.desk, self.desk.telling.log
        scheduler = self._scheduler()
        scheduler.start()
        workers = [asyncio.create_task(self._steady(scheduler), name="steady")]
        lost: asyncio.Task[Lost] | None = None
        try:
            await desk.feel()
            if not await self._lead():
                return None
            lost = asyncio.create_task(self.lease.lost(), name="lost")
            self.pass_due.set()
            workers += [
                asyncio.create_task(self._passes(), name="passes"),
                asyncio.create_task(self._ended(), name="ended"),
                asyncio.create_task(self._tidies(), name="tidies"),
            ]
            await self._stop_or(lost)
            log.info(events.STOPPING, open=len(desk.rotations.open_stands()))
        finally:
            scheduler.shutdown(wait=False)
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            late = await self._stand_down(lost)
            await self.lease.release()
            await desk.close()
        log.info(events.STOPPED, cut_off=late)
        return lost.result() if lost.done() and not lost.cancelled() else None

    def beat_age(self) -> float:
        """Return the seconds since the event loop last had its turn."""
        return self.desk.clock.monotonic() - self.beat

    async def _lead(self) -> bool:
        log = self.desk.telling.log
        waiting = asyncio.ensure_future(
            self.lease.acquire(lambda why: log.warning(events.STANDBY, why=why))
        )
        if not await self._stop_or(waiting):
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            return False
        waiting.result()
        self.leads = True
        self.desk.metrics.leader(leads=True)
        log.info(events.LEADER)
        return True

    async def _stop_or(self, other: asyncio.Future[Any]) -> bool:
        """Wait until we are told to stop, or for something else; say whether that came."""
        stopped = asyncio.ensure_future(self.stop.wait())
        await asyncio.wait({other, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        return other.done()

    async def _stand_down(self, lost: asyncio.Task[Lost] | None) -> int:
        """End all work, in the time that is left once the lease is lost."""
        if lost is None:
            return 0
        log = self.desk.telling.log
        resting = asyncio.ensure_future(self.desk.rest())
        await asyncio.wait({resting, lost}, return_when=asyncio.FIRST_COMPLETED)
        if lost.done():
            why = lost.result()
            log.error(events.LEASE_LOST, why=why.why, seconds=round(why.seconds, 3))
            resting.cancel()
            await asyncio.gather(resting, return_exceptions=True)
            late = await self.desk.rest(why.seconds)
        else:
            late = resting.result()
        lost.cancel()
        await asyncio.gather(lost, return_exceptions=True)
        self.leads = False
        self.desk.metrics.leader(leads=False)
        self.desk.metrics.clear()
        log.info(events.STOOD_DOWN, cut_off=late)
        return late

    # ticks

    def _scheduler(self) -> AsyncIOScheduler:
        scheduler = AsyncIOScheduler(timezone=UTC, job_defaults=JOB)
        self._tick(scheduler, self._beat, BEAT)
        self._tick(scheduler, self._feel, FEEL)
        self._tick(scheduler, self._watch, WATCH)
        self._tick(scheduler, self._render, RENDER)
        self._tick(scheduler, self._ask_pass, self.every.inventory)
        self._tick(scheduler, self._ask_tidy, self.every.tidy)
        return scheduler

    def _tick(
        self, scheduler: AsyncIOScheduler, job: Callable[[], Awaitable[None]], every: timedelta
    ) -> None:
        seconds = every.total_seconds()
        scheduler.add_job(ticking(job), "interval", seconds=seconds, name=job.__name__)

    async def _steady(self, scheduler: AsyncIOScheduler) -> None:
        """Begin every wait anew when the wall clock is set: ticks and drains go by it."""
        before = self._offset()
        while True:
            await self.desk.clock.sleep(BEAT.total_seconds())
            offset = self._offset()
            if abs(offset - before) > STEP:
                self.desk.telling.log.warning(events.CLOCK_SET, seconds=round(offset - before, 1))
                for job in scheduler.get_jobs():
                    job.modify(next_run_time=self.desk.clock.now())
                self.desk.rotations.reconsider()
            before = offset

    def _offset(self) -> float:
        clock = self.desk.clock
        return clock.now().timestamp() - clock.monotonic()

    async def _beat(self) -> None:
        self.beat = self.desk.clock.monotonic()

    async def _ask_pass(self) -> None:
        self.pass_due.set()

    async def _ask_tidy(self) -> None:
        self.tidy_due.set()

    async def _feel(self) -> None:
        await self._guarded(self.desk.feel)
        self._exchanges()

    async def _watch(self) -> None:
        if not self.leads:
            return
        await self._guarded(self.desk.watch.read)
        asked = {n: o.number for n, o in self.desk.watch.orders.items()}
        if asked != self._asked:
            self._asked = asked
            self.pass_due.set()

    async def _render(self) -> None:
        if self.leads:
            await self._guarded(self.desk.render)

    def _exchanges(self) -> None:
        """Tell skews, bans and used budgets of the exchanges that were asked."""
        metrics, now = self.desk.metrics, self.desk.clock.now()
        for house in self.desk.houses.opened():
            offset = house.clock_offset
            metrics.exchange_skew(house.name, offset.total_seconds() if offset else None)
            until: datetime | None = house.banned_until()
            metrics.exchange_banned(house.name, until if until and until > now else None)
        for name, used in used_budgets(self.desk.houses.opened()).items():
            metrics.exchange_budget(name, used)

    # workers

    async def _passes(self) -> None:
        """Take up what is open, then pass whenever one is due, and open what is due."""
        await self._guarded(self.desk.take_up)
        while True:
            await self.pass_due.wait()
            self.pass_due.clear()
            await self._guarded(self._one_pass)
            await self.desk.clock.sleep(SPACING)

    async def _one_pass(self) -> None:
        snapshot = await self.desk.look()
        if snapshot.standing is None:
            # Nothing is driven until the epoch can be told: ask again soon.
            asyncio.get_running_loop().call_later(RETRY, self.pass_due.set)
        self.desk.rotations.forget_closed()
        if not self._frozen:
            # What the first pass has read stays for good: the collector need not walk it.
            gc.freeze()
            self._frozen = True
        chosen = await self.desk.open_due()
        await self.desk.render()
        if chosen.wake_at is not None:
            span = (chosen.wake_at - self.desk.clock.now()).total_seconds()
            if span < self.every.inventory.total_seconds():
                loop = asyncio.get_running_loop()
                loop.call_later(max(span, SPACING), self.pass_due.set)

    async def _ended(self) -> None:
        """A rotation that ended frees a limit, and its findings are old."""
        rotations, seen = self.desk.rotations, 0
        while True:
            if rotations.endings == seen:
                await rotations.ended.wait()
            if rotations.endings != seen:
                self.pass_due.set()
            seen = rotations.endings
            await self.desk.clock.sleep(SPACING)

    async def _tidies(self) -> None:
        while True:
            await self.tidy_due.wait()
            self.tidy_due.clear()
            await self._guarded(self._one_tidy)

    async def _one_tidy(self) -> None:
        snapshot = self.desk.snapshot
        if snapshot is None or not snapshot.acts or not self.desk.rotates:
            return
        tidied = await self.desk.tidy_up()
        second = tidied.pending_second_look_at
        if second is not None:
            span = max(SPACING, (second - self.desk.clock.now()).total_seconds())
            asyncio.get_running_loop().call_later(span, self.tidy_due.set)

    async def _guarded(self, work: Callable[[], Awaitable[Any]]) -> None:
        """Do one piece of work: a task boundary; what fails is told, and the daemon goes on."""
        log = self.desk.telling.log
        try:
            await work()
        except StoreError as error:
            log.warning("store_trouble", work=work.__name__, message=str(error))
        except Exception:
            log.exception("work_failed", work=work.__name__)


def ticking(job: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    """Return a job that its scheduler may cut off: at the end that is no error to be told.

    What was cancelled inside of a job that goes on is one.
    """

    async def tick() -> None:
        try:
            await job()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or not task.cancelling():
                raise

    return tick


def used_budgets(opened: Iterable[Exchange]) -> dict[str, float]:
    """Return the used part of our share by exchange; of its environments, the busiest tells."""
    found: dict[str, float] = {}
    for house in opened:
        used = house.budget_used()
        if used is not None:
            found[house.name] = max(used, found.get(house.name, 0.0))
    return found
