"""Who drives on this machine: at most one, by a lock on a file.

A lease is for efficiency; safety comes from compare-and-set in the store, so two
drivers cannot create twice.  The lock is the kernel's (`flock`): it is gone with
its process, whatever killed it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from rotator.engine.clock import Clock

RETRY = 0.5


class Lease(Protocol):
    """The right to drive."""

    async def acquire(self, waiting: Callable[[], None]) -> None:
        """Wait for the right; `waiting` is called once if somebody else has it."""
        ...

    def try_acquire(self) -> bool:
        """Take the right if it is free."""
        ...

    def release(self) -> None:
        """Give it back."""
        ...


class NoLease:
    """Everybody may drive."""

    async def acquire(self, waiting: Callable[[], None]) -> None:
        """Return at once."""
        del waiting

    def try_acquire(self) -> bool:
        """Return True."""
        return True

    def release(self) -> None:
        """Do nothing."""


@dataclass(slots=True)
class FileLease:
    """A lock on a file; raises OSError if the file cannot be opened."""

    file: Path
    clock: Clock
    _fd: int | None = field(default=None)

    async def acquire(self, waiting: Callable[[], None]) -> None:
        """Wait for the lock."""
        told = False
        while not self.try_acquire():
            if not told:
                waiting()
                told = True
            await self.clock.sleep(RETRY)

    def try_acquire(self) -> bool:
        """Take the lock if it is free."""
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

    def release(self) -> None:
        """Unlock; the file stays, because removing it would let two hold it."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
