"""The order in which a daemon leads, ends its work and gives the lease back."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from rotator.config import Config, ConfigProblem, load_bytes
from rotator.core.lease import Lost
from rotator.engine.clock import SystemClock
from rotator.engine.daemon import Daemon, Every, ticking
from rotator.engine.desk import Desk
from rotator.stores.epoch import Anchor, FileAnchor
from rotator.wiring import SetupError
from rotator.wiring.daemon import prepared, while_held
from rotator.wiring.desk import Surroundings, new_metrics, open_desk
from rotator.wiring.leading import Elsewhere, anchor_of, lease_of, take

ORDER = ["acquired", "rested", "released"]


@dataclass
class Fake:
    """A lease that is had, lost and given back as the test says; it writes down what it sees."""

    order: list[str] = field(default_factory=list)
    gone: asyncio.Future[Lost] | None = None
    held: bool = False
    desk: Desk | None = None

    async def acquire(self, waiting: Callable[[str], None]) -> None:
        waiting("another leads")
        self.gone = asyncio.get_running_loop().create_future()
        self.held = True
        self.order.append("acquired")

    async def try_acquire(self) -> str | None:
        return None

    async def lost(self) -> Lost:
        assert self.gone is not None
        return await asyncio.shield(self.gone)

    async def release(self) -> None:
        assert self.desk is not None
        if self.desk.rotations.stop.is_set():
            self.order.append("rested")
        if "\nrotator_leader 1" not in self.desk.metrics.text(gzip=False).decode():
            self.order.append("released")


def config_in(folder: Path, more: str = "") -> Config:
    """Return a configuration over an empty embedded store."""
    store = f"{{local: {{file: {folder}/s.db, key_file: {folder}/s.key}}"
    text = f"store: {store}, anchor: {{file: {folder}/anchor}}}}\n{more}"
    config = load_bytes(text.encode(), {})
    assert not isinstance(config, ConfigProblem), config
    return config


def play(folder: Path, work: Callable[[Daemon, Fake], Awaitable[Lost | None]]) -> Fake:
    """Run a daemon with a fake lease."""

    async def run() -> Fake:
        clock, config = SystemClock(), config_in(folder)
        redactor = prepared(io.BytesIO(), clock)
        desk = await open_desk(
            Surroundings(
                config, {"ROTATOR_STORE_KEY": "ab" * 32}, clock, redactor, new_metrics(config)
            )
        )
        fake = Fake(desk=desk)
        hour = timedelta(hours=1)
        daemon = Daemon(desk, fake, Every(hour, hour), asyncio.Event())
        async with asyncio.timeout(30):
            await work(daemon, fake)
        return fake

    return asyncio.run(run())


async def led(daemon: Daemon) -> asyncio.Task[Lost | None]:
    """Start it and wait until its first pass has ended."""
    running = asyncio.create_task(daemon.run())
    while daemon.desk.snapshot is None:
        assert not running.done()
        await asyncio.sleep(0.01)
    assert "\nrotator_leader 1" in daemon.desk.metrics.text(gzip=False).decode()
    return running


def test_a_tick_that_is_cut_off_is_no_error() -> None:
    """What a tick was doing when the daemon ends is dropped without a word."""

    async def run() -> None:
        begun, endless = asyncio.Event(), asyncio.Event()

        async def job() -> None:
            begun.set()
            await endless.wait()

        tick = asyncio.ensure_future(ticking(job)())
        await begun.wait()
        tick.cancel()
        await tick
        assert not tick.cancelled()

    asyncio.run(run())


def test_what_is_cancelled_inside_a_tick_is_told() -> None:
    """Only the daemon's end cuts a tick off in silence."""

    async def run() -> None:
        gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        gone.cancel()

        async def job() -> None:
            await gone

        with pytest.raises(asyncio.CancelledError):
            await asyncio.ensure_future(ticking(job)())

    asyncio.run(run())


def test_a_stop_ends_the_work_before_the_lease(tmp_path: Path) -> None:
    """Told to stop, it rests, says that it leads no more, and only then gives the lease back."""

    async def work(daemon: Daemon, fake: Fake) -> Lost | None:
        running = await led(daemon)
        daemon.stop.set()
        assert await running is None
        return None

    assert play(tmp_path, work).order == ORDER


@pytest.mark.parametrize("seconds", [0.0, 5.0])
def test_a_loss_ends_the_work_too(tmp_path: Path, seconds: float) -> None:
    """When the lease is lost all work ends, and it says why; nothing is shown of credentials."""

    async def work(daemon: Daemon, fake: Fake) -> Lost | None:
        running = await led(daemon)
        assert fake.gone is not None
        fake.gone.set_result(Lost("gone", seconds))
        assert await running == Lost("gone", seconds)
        assert "rotator_credentials" not in daemon.desk.metrics.text(gzip=False).decode()
        return None

    assert play(tmp_path, work).order == ORDER


def test_a_loss_while_it_stops(tmp_path: Path) -> None:
    """A lease that is lost while the last steps are waited for cuts the waiting short."""

    async def work(daemon: Daemon, fake: Fake) -> Lost | None:
        running = await led(daemon)
        endless = asyncio.create_task(asyncio.Event().wait())
        daemon.desk._opening[endless] = None  # type: ignore[assignment, index]
        daemon.stop.set()
        await asyncio.sleep(0.1)
        assert not running.done()
        assert fake.gone is not None
        fake.gone.set_result(Lost("gone", 0.0))
        assert await running == Lost("gone", 0.0)
        assert endless.cancelled()
        return None

    assert play(tmp_path, work).order == ORDER


def test_a_stop_before_it_leads(tmp_path: Path) -> None:
    """One that stands by ends at once, and gives back what it may have taken meanwhile."""

    async def work(daemon: Daemon, fake: Fake) -> Lost | None:
        daemon.stop.set()
        assert await daemon.run() is None
        return None

    assert play(tmp_path, work).order in (["released"], ["acquired", "rested", "released"])


def test_a_single_run_that_loses_its_lease(tmp_path: Path) -> None:
    """`run --once` is cut off when its lease is lost, and says why."""

    async def run() -> None:
        clock, config = SystemClock(), config_in(tmp_path)
        redactor = prepared(io.BytesIO(), clock)
        key = {"ROTATOR_STORE_KEY": "ab" * 32}
        fake = Fake()
        await fake.acquire(lambda why: None)
        assert fake.gone is not None
        fake.gone.set_result(Lost("gone", 0.0))
        around = Surroundings(config, key, clock, redactor, new_metrics(config))
        with pytest.raises(SetupError, match="the lease was lost: gone"):
            await while_held(fake, around, 30.0)

    asyncio.run(run())


POD = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "9"}


def test_which_anchor(tmp_path: Path) -> None:
    """The named file wins; else the Lease in a pod, and outside of one nothing is compared."""
    named = config_in(tmp_path, "lease: {kubernetes: {namespace: desk}}\n")
    anchor: Anchor = anchor_of(named, POD, SystemClock())
    assert isinstance(anchor, FileAnchor)
    text = "store: {local: {}}\nlease: {kubernetes: {namespace: desk}}\n"
    unnamed = load_bytes(text.encode(), {})
    assert isinstance(unnamed, Config)
    outside = anchor_of(unnamed, {}, SystemClock())
    assert isinstance(outside, Elsewhere)
    assert type(anchor_of(unnamed, POD, SystemClock())).__name__ == "LeaseAnchor"
    asyncio.run(outside.raise_to(7))
    assert asyncio.run(outside.read()) == 0


def test_a_lease_that_cannot_be_had(tmp_path: Path) -> None:
    """Outside of a pod, without an API server, and without a folder there is one sentence."""
    pod = config_in(tmp_path, "lease: {kubernetes: {namespace: desk}}\n")
    with pytest.raises(SetupError, match=r"lease\.kubernetes: .* this is no pod"):
        lease_of(pod, {}, SystemClock())
    away = lease_of(pod, POD, SystemClock())
    with pytest.raises(SetupError, match=r"lease\.kubernetes: .*token cannot be read"):
        asyncio.run(take(away))
    nowhere = config_in(tmp_path, f"lease: {{file: {tmp_path}/none/lease}}\n")
    with pytest.raises(SetupError, match=r"lease\.file: .*No such file"):
        asyncio.run(take(lease_of(nowhere, {}, SystemClock())))
