"""The demo from its first to its last process."""

from __future__ import annotations

import contextlib
import functools
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from rotator.engine.clock import Clock, SystemClock
from rotator.wiring.demo.estate import ESTATE
from rotator.wiring.demo.planting import Control, Planter
from rotator.wiring.demo.processes import PROGRAM, Child, DemoFailed, child
from rotator.wiring.demo.recipe import Shelf, configuration
from rotator.wiring.demo.steps import DaemonLog, Step
from rotator.wiring.demo.vault import Vault, find_vault
from rotator.wiring.demo.viewer import Picture, Viewer
from rotator.wiring.settings import read_config
from rotator.wiring.stores import open_store

WAIT: Final = 45.0
"""Seconds after which the demo waits no longer for a rotation."""

LOOK_EVERY: Final = 1.5
POLL: Final = 0.1
CONFIG: Final = "rotator.yaml"


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked for; port 0 lets the kernel choose every port.

    `stays` goes on after the summary, until it is cancelled.
    """

    stays: bool = False
    vault: bool = False
    port_base: int = 0
    keep: Path | None = None


@dataclass(frozen=True, slots=True)
class Places:
    """Where the demo's parts are; `kept` says whether the files outlive it."""

    config: Path
    log: Path
    kept: bool
    rotator: str
    sandbox: str
    exchanges: Mapping[str, str]
    left: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """What the demo came to; `proved` counts replaced keys that their exchange calls dead."""

    picture: Picture
    proved: int
    places: Places


class Stage(Protocol):
    """Who shows it."""

    def tell(self, sentence: str) -> None:
        """Show what is being prepared."""
        ...

    def step(self, step: Step) -> None:
        """Show one step of a rotation."""
        ...

    def picture(self, picture: Picture) -> None:
        """Show where everything stands."""
        ...

    def summary(self, summary: Summary) -> None:
        """Show what it came to."""
        ...


@dataclass(slots=True)
class Demo:
    """One demo.  Cancelling `run` ends every process in order; `hurry` ends them at once."""

    plan: Plan
    stage: Stage
    environ: Mapping[str, str]
    clock: Clock = field(default_factory=SystemClock)
    _children: list[Child] = field(default_factory=list)

    async def run(self) -> None:
        """Play it.  Raises DemoFailed, SetupError and StoreError."""
        give_up = self.clock.monotonic() + WAIT
        environ = _without_settings(self.environ, vault=self.plan.vault)
        async with AsyncExitStack() as stack:
            folder = stack.enter_context(_folder(self.plan.keep))
            announced = await self._sandbox(stack, folder, environ)
            vault = await self._vault(stack, folder)
            file = folder / CONFIG
            file.write_text(configuration(vault.shelf, announced, self.plan.port_base))
            await self._plant(file, environ, announced, vault.shelf)
            command = (*PROGRAM, "run", "--config", str(file))
            daemon = await self._start(stack, "daemon", command, folder, environ)
            log = DaemonLog(daemon.log)
            await self._first_pass(daemon, log, give_up)
            viewer = await Viewer.open(file, environ, self.clock, folder / "demo.log")
            stack.push_async_callback(viewer.close)
            await self._rotate(daemon, log, viewer, give_up)
            places = Places(
                config=file,
                log=daemon.log,
                kept=self.plan.keep is not None,
                rotator=log.url or "",
                sandbox=announced["control"],
                exchanges={n: e["base_url"] for n, e in announced["exchanges"].items()},
                left=vault.left,
            )
            await self._sum_up(viewer, places)
            while self.plan.stays:
                self._news(daemon, log)
                await self.clock.sleep(POLL)

    def hurry(self) -> None:
        """End every process at once."""
        for running in self._children:
            running.kill()

    async def _start(
        self,
        stack: AsyncExitStack,
        name: str,
        command: tuple[str, ...],
        folder: Path,
        environ: Mapping[str, str],
        *,
        listens: bool = False,
    ) -> Child:
        running = child(name, command, folder, environ, listens=listens)
        started = await stack.enter_async_context(running)
        self._children.append(started)
        return started

    async def _sandbox(
        self, stack: AsyncExitStack, folder: Path, environ: Mapping[str, str]
    ) -> dict[str, Any]:
        base = self.plan.port_base + 1 if self.plan.port_base else 0
        command = (*PROGRAM, "sandbox", "--port-base", str(base), "-o", "json")
        sandbox = await self._start(stack, "sandbox", command, folder, environ, listens=True)
        try:
            announced: dict[str, Any] = json.loads(await sandbox.line())
        except ValueError:
            words = DaemonLog(sandbox.log).last_words()
            raise _ended("the sandbox", words, sandbox) from None
        return announced

    async def _vault(self, stack: AsyncExitStack, folder: Path) -> Vault:

        if not self.plan.vault:
            return Vault(Shelf(), "a local encrypted store")
        start = functools.partial(self._start, stack)
        vault = await find_vault(start, folder, self.environ, self.clock)
        self.stage.tell(f"keeping the secrets in {vault.told}")
        return vault

    async def _plant(
        self, file: Path, environ: Mapping[str, str], announced: dict[str, Any], shelf: Shelf
    ) -> None:

        self.stage.tell(f"writing {len(ESTATE)} credentials, and a configuration: {file}")
        control = Control(announced["control"])
        store = open_store(read_config(file, environ), environ, self.clock)
        try:
            await Planter(control, announced, store, shelf.trading, self.clock.now()).plant()
        finally:
            await store.close()

    async def _first_pass(self, daemon: Child, log: DaemonLog, give_up: float) -> None:
        self.stage.tell("starting the daemon: rotator run")
        while not log.passes:
            self._news(daemon, log)
            if self.clock.monotonic() >= give_up:
                raise DemoFailed("the daemon has not looked at the keys in time", daemon.log)
            await self.clock.sleep(POLL)

    async def _rotate(self, daemon: Child, log: DaemonLog, viewer: Viewer, give_up: float) -> None:
        """Show what happens until nothing that is due is left, or the time is over."""
        next_look = self.clock.monotonic()
        while self.clock.monotonic() < give_up:
            self._news(daemon, log)
            if self.clock.monotonic() >= next_look:
                picture = await viewer.look()
                self.stage.picture(picture)
                if picture.settled:
                    break
                next_look = self.clock.monotonic() + LOOK_EVERY
            await self.clock.sleep(POLL)
        self._news(daemon, log)

    def _news(self, daemon: Child, log: DaemonLog) -> None:
        for step in log.new_steps():
            self.stage.step(step)
        if daemon.ended:
            raise _ended("the daemon", log.last_words(), daemon)

    async def _sum_up(self, viewer: Viewer, places: Places) -> None:
        picture = await viewer.look(force=True)
        proved = await _proved(places.sandbox, picture)
        self.stage.summary(Summary(picture, proved, places))
        armed = sum(planted.armed for planted in ESTATE)
        if picture.ended or not picture.done:
            raise DemoFailed(f"of {armed} due keys {len(picture.done)} were rotated", places.log)
        if proved < len(picture.done):
            raise DemoFailed("a replaced key is still alive at its exchange", places.log)


async def _proved(control: str, picture: Picture) -> int:
    """Ask the sandbox's books, not Rotator, how many replaced keys are dead."""
    books = (await Control(control).get("/ledger"))["exchanges"]
    dead = {key["id"] for book in books.values() for key in book["keys"] if not key["alive"]}
    return sum(key in dead for key in picture.replaced)


def _ended(what: str, words: str, running: Child) -> DemoFailed:
    if words:
        return DemoFailed(f"{what} ended: {words}")
    return DemoFailed(f"{what} ended without a word", running.log)


def _without_settings(environ: Mapping[str, str], *, vault: bool) -> dict[str, str]:
    """Return the environment without what would change the demo's configuration."""
    ours = ("ROTATOR_",) if vault else ("ROTATOR_", "VAULT_")
    return {name: value for name, value in environ.items() if not name.startswith(ours)}


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """Give a folder of its own; it goes at the end, unless it is to be kept, or its logs tell."""
    folder = Path(tempfile.mkdtemp(prefix="rotator-demo-")) if keep is None else _made(keep)
    keeps = keep is not None
    try:
        yield folder
    except DemoFailed as failed:
        keeps = keeps or failed.log is not None
        raise
    finally:
        if not keeps:
            shutil.rmtree(folder, ignore_errors=True)


def _made(keep: Path) -> Path:
    folder = keep.expanduser().absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        empty = not any(folder.iterdir())
    except OSError as error:
        raise DemoFailed(f"--keep: {folder} cannot be used ({error.strerror})") from None
    if not empty:
        raise DemoFailed(f"--keep: {folder} is not empty. Name a folder that does not exist yet.")
    return folder
