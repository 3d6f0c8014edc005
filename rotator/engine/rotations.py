"""Every rotation that is under way here: its driver, its task, where it stands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from rotator.core.names import CredentialName, StorePath
from rotator.core.record import Phase, Record
from rotator.core.schedule import Occupied
from rotator.engine.driver import Driver, Stand, Told
from rotator.engine.effects import Effects
from rotator.engine.opener import NotOpened, Opened, Opener, Wish
from rotator.engine.tools import Tools
from rotator.stores.journal import Journaled, Survey


@dataclass(slots=True)
class Rotations:
    """Starts drivers, knows where each stands, and waits for them at the end."""

    tools: Tools
    effects: Effects
    opener: Opener
    told: Told
    stop: asyncio.Event
    pins_problem: Callable[[Record], str | None]
    stands: dict[StorePath, Stand] = field(default_factory=dict)
    _tasks: dict[StorePath, asyncio.Task[None]] = field(default_factory=dict)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    endings: int = 0

    def take_up(self, survey: Survey) -> None:
        """Drive every record that is open and not driven here."""
        for path, journaled in survey.records.items():
            if journaled.counts_as_open and path not in self._tasks:
                self._start(Stand(path, lost=_lost(journaled)), None)

    async def open(self, wish: Wish) -> NotOpened | None:
        """Open one rotation and drive it; return why it was not opened."""
        path = wish.credential.path
        if path in self._tasks:
            return NotOpened("a rotation of this path is open")
        if self.stop.is_set():
            return NotOpened("rotator is about to end")
        opened = await self.opener.open(wish)
        if isinstance(opened, NotOpened):
            return opened
        # A record whose create was never sent is taken up at the next start.
        if path not in self._tasks and not self.stop.is_set():
            self.effects.path.remember(opened.record, opened.state)
            self._start(Stand(path), opened)
        return None

    def _start(self, stand: Stand, opened: Opened | None) -> None:
        driver = Driver(self.tools, self.effects, self.told, stand, self.stop, self.pins_problem)
        if opened is not None:
            driver.begin(opened.record, opened.version, opened.at)
        self.stands[stand.path] = stand
        task = asyncio.create_task(self._drive(driver, opened), name=f"rotation {stand.path}")
        self._tasks[stand.path] = task

    async def _drive(self, driver: Driver, opened: Opened | None) -> None:
        """Run one driver: a task boundary; what it did not foresee is told, not lost."""
        path = driver.stand.path
        try:
            if opened is not None:
                await self.told.opened(opened.record)
            await driver.run()
        except Exception as error:  # noqa: BLE001 - the boundary of this task
            driver.stand.problem = f"{type(error).__name__} in the driver"
            self.told.crashed(path, error)
        finally:
            self._tasks.pop(path, None)
            self.effects.path.forget(path)
            if driver.stand.lost is None:  # every pass looks at a lost record anew
                self.endings += 1
            self.wake()

    def wake(self) -> None:
        """Wake whoever waits for a rotation to end: one was opened, or refused."""
        self.ended.set()
        self.ended = asyncio.Event()

    def forget_closed(self) -> None:
        """Drop what has ended; the journal remembers it."""
        for path in [p for p, s in self.stands.items() if not _is_open(s) and p not in self._tasks]:
            del self.stands[path]

    def reconsider(self) -> None:
        """Let every driver look again: what stood in the way of all is there, or gone."""
        for path in self._tasks:
            self.stands[path].stay = None
        self.tools.watch.wake()

    def drives(self, path: StorePath) -> bool:
        """Say whether a driver of this path runs here."""
        return path in self._tasks

    @property
    def running(self) -> int:
        """How many drivers run here."""
        return len(self._tasks)

    def open_stands(self) -> tuple[Stand, ...]:
        """Return the rotations that have not ended, and those whose record is lost."""
        return tuple(s for s in self.stands.values() if _is_open(s))

    def occupied(self) -> tuple[Occupied, ...]:
        """Return what the open rotations take of the limits."""
        return tuple(_occupied(s) for s in self.open_stands())

    def records(self) -> Iterable[Record]:
        """Return the last known record of every rotation driven here."""
        return (s.record for s in self.stands.values() if s.record is not None)

    async def drain(self, seconds: float) -> int:
        """Wait until every driver has reached a place to stop; return how many did not."""
        self.stop.set()
        tasks = tuple(self._tasks.values())
        if not tasks:
            return 0
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return len(late)


def _lost(journaled: Journaled) -> Journaled | None:
    return journaled if journaled.record is None else None


def _is_open(stand: Stand) -> bool:
    return stand.lost is not None or (stand.record is not None and not stand.record.closed)


def _occupied(stand: Stand) -> Occupied:
    record = stand.record
    if record is None:
        return Occupied(CredentialName(stand.path), stand.path, None, None)
    created = record.phase is not Phase.CREATING
    pins = record.pins
    return Occupied(record.credential, record.path, pins.exchange, pins.account, created)
