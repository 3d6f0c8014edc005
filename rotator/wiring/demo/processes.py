"""The demo's children: each in a session of its own, so that they end in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LINE_LIMIT: Final = 1 << 20
PATIENCE: Final = 40.0
"""Seconds that a child may take to end: longer than a driver needs to a safe place."""

PROGRAM: Final = (sys.executable, "-m", "rotator")


class DemoFailed(Exception):
    """Ends the demo with one sentence; `log` is the file to read, if it tells more."""

    def __init__(self, sentence: str, log: Path | None = None) -> None:
        super().__init__(sentence)
        self.log = log


@dataclass(slots=True)
class Child:
    """One process that the demo has started."""

    name: str
    process: asyncio.subprocess.Process
    log: Path

    @property
    def ended(self) -> bool:
        """Say whether it has ended."""
        return self.process.returncode is not None

    async def line(self) -> bytes:
        """Return the next line of its standard output, empty at its end."""
        stream = self.process.stdout
        return b"" if stream is None else await stream.readline()

    async def stop(self) -> None:
        """End it: asked first, forced if it does not listen or nobody wants to wait."""
        if self.ended:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), PATIENCE)
        except TimeoutError:
            self.kill()
            await self.process.wait()
        except asyncio.CancelledError:
            self.kill()
            raise

    def kill(self) -> None:
        """End it at once."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()


@contextlib.asynccontextmanager
async def child(
    name: str,
    command: Sequence[str],
    folder: Path,
    environ: Mapping[str, str],
    *,
    listens: bool = False,
) -> AsyncIterator[Child]:
    """Run a process until the block ends; its standard error is `<name>.log` in the folder.

    `listens` keeps its standard output for `Child.line`.  Raises DemoFailed.
    """
    log = folder / f"{name}.log"
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE if listens else asyncio.subprocess.DEVNULL,
            stderr=handle,
            env=dict(environ),
            start_new_session=True,
            limit=LINE_LIMIT,
        )
    except OSError as error:
        raise DemoFailed(f"{command[0]} cannot be started ({error.strerror})") from None
    finally:
        os.close(handle)
    running = Child(name, process, log)
    try:
        yield running
    finally:
        await running.stop()
