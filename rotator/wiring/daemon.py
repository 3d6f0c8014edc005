"""Runs the daemon as a process: signals, endpoints, logs, reload; and `run --once`."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

from rotator import __version__
from rotator.config import Config
from rotator.core.names import CredentialName
from rotator.core.outcome import StoreError
from rotator.engine.clock import Clock, SystemClock
from rotator.engine.daemon import Daemon, Every
from rotator.engine.desk import Desk
from rotator.engine.lease import Lease
from rotator.engine.once import run_once
from rotator.engine.reports import Document
from rotator.engine.snapshot import Snapshot
from rotator.observe import events, log
from rotator.observe.exposition import CONTENT_TYPE
from rotator.observe.metrics import Metrics
from rotator.observe.redact import Redactor
from rotator.serve.app import build_app, build_probes
from rotator.serve.state import ServeState
from rotator.serve.view import StoreRow
from rotator.wiring import SetupError
from rotator.wiring.desk import Surroundings, new_metrics, open_desk
from rotator.wiring.leading import lease_of, take
from rotator.wiring.pages import Memory
from rotator.wiring.ports import LISTEN, PROBES, Port, answer_on
from rotator.wiring.tuning import tune
from rotator.wiring.web import Readings, open_web_config

STORE_RETRY: Final = 5.0
"""Seconds between two tries to reach a store that is not there when the daemon starts."""

CONFIG_LOOK: Final = 10.0
"""Seconds between two looks whether a file of the configuration has changed."""

Read = Callable[[], Config]
"""Reads the configuration anew; raises SetupError."""


def prepared(logs: BinaryIO, clock: Clock, level: str = "info") -> Redactor:
    """Set up the process's logs; return what keeps secrets out of them."""
    redactor = Redactor()
    log.configure(logs, level, redactor, clock.now)
    return redactor


async def once(config: Config, environ: Mapping[str, str], logs: BinaryIO, wait: float) -> Document:
    """Do one whole pass and return what it prints.

    SIGTERM cancels it, as Ctrl-C does, and the lease is given back.  Raises SetupError,
    also where another daemon leads or the lease is lost midway, and StoreError where the
    store stops the pass.
    """
    work = asyncio.create_task(_once(config, environ, logs, wait), name="run --once")
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
    return await work


async def _once(
    config: Config, environ: Mapping[str, str], logs: BinaryIO, wait: float
) -> Document:
    clock = SystemClock()
    redactor = prepared(logs, clock)
    lease = lease_of(config, environ, clock)
    try:
        await take(lease)
        around = Surroundings(config, environ, clock, redactor, new_metrics(config))
        return await while_held(lease, around, wait)
    finally:
        await lease.release()


async def while_held(lease: Lease, around: Surroundings, wait: float) -> Document:
    """Do the pass; cut it off in the time that is left when the lease is lost."""
    desk = await open_desk(around)
    lost = asyncio.create_task(lease.lost(), name="lost")
    work = asyncio.create_task(run_once(desk, wait), name="once")
    try:
        await asyncio.wait({work, lost}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            why = lost.result()
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            await desk.rest(why.seconds)
            raise SetupError(f"the lease was lost: {why.why}")
        return work.result()
    finally:
        for task in (work, lost):
            task.cancel()
        await asyncio.gather(work, lost, return_exceptions=True)
        await desk.close()


async def look(
    config: Config,
    environ: Mapping[str, str],
    logs: BinaryIO,
    *,
    force: bool,
    recall: bool = False,
    only: frozenset[CredentialName] | None = None,
) -> tuple[Desk, Snapshot]:
    """Return a desk and what its one pass, which only looked, saw; the caller closes it.

    `force` looks at every key.  `recall` goes by what the store remembers, and asks
    only about keys of which it remembers nothing; `only` as for a pass.
    """
    clock = SystemClock()
    redactor = prepared(logs, clock, "warning")
    around = Surroundings(
        config,
        environ,
        clock,
        redactor,
        new_metrics(config),
        looks_only=True,
        recalls=recall,
    )
    desk = await open_desk(around)
    try:
        return desk, await desk.look(force=force, only=only)
    except asyncio.CancelledError:
        raise  # closing waits for answers that nobody wants any more
    except BaseException:
        await desk.close()
        raise


async def forever(read: Read, file: Path, environ: Mapping[str, str], logs: BinaryIO) -> int:
    """Run the daemon until SIGTERM or SIGINT; SIGHUP, a POST or a changed file reloads.

    A reload ends the rotations at safe places and begins anew with the new
    configuration; one that does not read keeps the old.  Raises SetupError.
    """
    tune()
    clock = SystemClock()
    redactor = prepared(logs, clock)
    config = read()
    metrics = new_metrics(config)
    readings = Readings(metrics, clock, open_web_config(config))
    process = _Process(clock, metrics, read, file, readings)
    with process.signals():
        while not process.ended:
            now = process.config or config
            around = Surroundings(now, environ, clock, redactor, metrics, clock.now())
            await process.serve_one(around)
    return 0


class _Process:
    """One process over its reloads."""

    def __init__(
        self, clock: Clock, metrics: Metrics, read: Read, file: Path, readings: Readings
    ) -> None:
        self.clock = clock
        self.metrics = metrics
        self.config: Config | None = None
        self.ended = False
        self._read = read
        self._file = file
        self._readings = readings
        self._stop = asyncio.Event()
        self._shut = asyncio.Event()
        self._daemon: Daemon | None = None
        self._store_trouble: StoreRow | None = None
        self._log = log.logger()

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """Take SIGTERM, SIGINT and SIGHUP."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._end)
        loop.add_signal_handler(signal.SIGINT, self._end)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                loop.remove_signal_handler(number)

    def _end(self) -> None:
        self.ended = True
        self._stop.set()

    def _hang_up(self) -> None:
        asyncio.get_running_loop().create_task(self.reload())

    async def reload(self) -> bool:
        """Read the configuration and the web config anew; if both are sound, begin again."""
        try:
            config = await asyncio.to_thread(self._read)
            web = await asyncio.to_thread(open_web_config, config)
        except SetupError as error:
            self._readings.refused(error)
            return False
        self.config = config
        self._readings.accepted(web, self._file)
        self._stop.set()
        return True

    async def serve_one(self, around: Surroundings) -> None:
        """Run one daemon with one configuration, and its endpoints."""
        self._stop, self._shut = asyncio.Event(), asyncio.Event()
        if self.ended:
            return
        pages = asyncio.create_task(self._pages(around), name="pages")
        watching = asyncio.create_task(self._watch_file(), name="config file")
        work = asyncio.create_task(self._work(around), name="daemon")
        try:
            done, _ = await asyncio.wait({pages, work}, return_when=asyncio.FIRST_COMPLETED)
            if pages in done and work not in done:
                self._end()
                await work
            await work
        finally:
            watching.cancel()
            self._shut.set()
            await asyncio.gather(watching, return_exceptions=True)
        await pages

    async def _work(self, around: Surroundings) -> None:
        """Run daemons until we are told to stop: a new one each time that the lease is lost."""
        config = around.config
        every = Every(config.every.inventory, config.every.tidy)
        while not self._stop.is_set():
            self.metrics.leader(leads=False)
            lease = lease_of(config, around.environ, self.clock)
            desk = await self._desk(around)
            if desk is None:
                return
            self._store_trouble = None
            self._daemon = Daemon(desk, lease, every, self._stop, beat=self.clock.monotonic())
            self._log.info(events.STARTED, version=__version__, rotates=desk.rotates)
            try:
                await self._daemon.run()
            finally:
                self._daemon = None

    async def _desk(self, around: Surroundings) -> Desk | None:
        """Open the store, and wait for it as long as it takes."""
        told = False
        while not self._stop.is_set():
            try:
                return await open_desk(around)
            except StoreError as error:
                self.metrics.store_health(up=False, sealed=error.sealed, token_expires_at=None)
                self._store_trouble = StoreRow(False, error.sealed, str(error))
                if not told:
                    self._log.error(events.STORE_DOWN, message=str(error), sealed=error.sealed)
                    told = True
            await self._or_stopped(self.clock.sleep(STORE_RETRY))
        return None

    async def _or_stopped(self, work: Coroutine[Any, Any, None]) -> None:
        working, stopped = asyncio.create_task(work), asyncio.create_task(self._stop.wait())
        await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
        for task in (working, stopped):
            task.cancel()

    async def _pages(self, around: Surroundings) -> None:
        """Answer on the port, and on that of the probes, until we shut."""
        state, said = self._state(around), around.config.serve
        ports = [Port(LISTEN, said.listen, build_app(state), self._readings.in_force)]
        if said.probes is not None:
            ports.append(Port(PROBES, said.probes, build_probes(state)))
        await answer_on(ports, self._shut)

    def _state(self, around: Surroundings) -> ServeState:
        return ServeState(
            metrics=self.metrics.text,
            metrics_type=CONTENT_TYPE,
            beat_age=self._beat_age,
            not_ready=self._not_ready,
            reload=self.reload,
            version=__version__,
            views=Memory(
                self.clock,
                around.config.every.inventory,
                daemon=lambda: self._daemon,
                store_trouble=lambda: self._store_trouble,
            ),
        )

    def _beat_age(self) -> float:
        return self._daemon.beat_age() if self._daemon is not None else 0.0

    def _not_ready(self) -> str | None:
        daemon = self._daemon
        if daemon is None:
            return "the store was not reached yet"
        health = daemon.desk.health
        if health is None or not health.up:
            return "the store gives no answer, or refuses our login"
        return None

    async def _watch_file(self) -> None:
        """Reload when the file's content changes, as a mounted ConfigMap does.

        A change of the web config alone is taken without a new beginning.
        """
        before = await asyncio.to_thread(_content, self._file)
        while True:
            await self.clock.sleep(CONFIG_LOOK)
            await self._readings.look_at_web()
            now = await asyncio.to_thread(_content, self._file)
            if now is not None and now != before:
                before = now
                await self.reload()


def _content(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None
