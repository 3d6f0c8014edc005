"""Who drives: at most one, by a lease of some kind; here everybody, or by a lock on a file.

A lease is for efficiency; safety comes from compare-and-set in the store, so two
drivers cannot create twice.  The file's lock is the kernel's (`flock`): it is gone
with its process, whatever killed it.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from rotator.core.lease import Lost
from rotator.engine.clock import Clock

RETRY = 0.5
ANOTHER = "another daemon leads"


class Lease(Protocol):
    """The right to drive."""

    async def acquire(self, waiting: Callable[[str], None]) -> None:
        """Wait for the right; `waiting` hears why, each time that the reason changes."""
        ...

    async def try_acquire(self) -> str | None:
        """Take the right unless somebody living has it; return why not."""
        ...

    async def lost(self) -> Lost:
        """Wait until the right that was acquired is gone: then all work must end."""
        ...

    async def release(self) -> None:
        """Give it back, once the work has ended; it may not have been acquired."""
        ...


class NoLease:
    """Everybody may drive."""

    async def acquire(self, waiting: Callable[[str], None]) -> None:
        """Return at once."""
        del waiting

    async def try_acquire(self) -> str | None:
        """Return None."""
        return None

    async def lost(self) -> Lost:
        """Wait for ever."""
        return await _never()

    async def release(self) -> None:
        """Do nothing."""


@dataclass(slots=True)
class FileLease:
    """A lock on a file; raises OSError if the file cannot be opened."""

    file: Path
    clock: Clock
    _fd: int | None = field(default=None)

    async def acquire(self, waiting: Callable[[str], None]) -> None:
        """Wait for the lock."""
        told = False
        while not self._locked():
            if not told:
                waiting(ANOTHER)
                told = True
            await self.clock.sleep(RETRY)

    async def try_acquire(self) -> str | None:
        """Take the lock if it is free."""
        return None if self._locked() else f"another daemon holds {self.file}"

    async def lost(self) -> Lost:
        """Wait for ever: the kernel takes it from nobody who lives."""
        return await _never()

    async def release(self) -> None:
        """Unlock; the file stays, because removing it would let two hold it."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _locked(self) -> bool:
        fd = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._fd = fd
        except BlockingIOError:
            return False
        finally:
            if self._fd != fd:
                os.close(fd)
        return True


async def _never() -> Lost:
    never: asyncio.Future[Lost] = asyncio.get_running_loop().create_future()
    return await never
