"""One driver on a machine: the lock is the kernel's, and goes with its process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rotator.engine.lease import RETRY, FileLease, NoLease
from tests.fakes.clock import FakeClock

HOLD = """
import fcntl, sys
file = open(sys.argv[1], "a")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def another_process(file: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a process that holds the lock."""
    command = [sys.executable, "-c", HOLD, str(file)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_everybody_may_drive_without_a_lease() -> None:
    """No lease is always free."""

    async def run() -> None:
        lease = NoLease()
        await lease.acquire(lambda: pytest.fail("nobody waits"))
        assert lease.try_acquire()
        lease.release()

    asyncio.run(run())


def test_one_process_drives(tmp_path: Path) -> None:
    """While another process has the lock it is not free; when that one is killed, it is."""
    file = tmp_path / "lease"
    lease = FileLease(file, FakeClock())
    with another_process(file) as process:
        assert not lease.try_acquire()
        process.kill()
        process.wait()
        assert lease.try_acquire()
        assert not FileLease(file, FakeClock()).try_acquire()
    lease.release()
    assert FileLease(file, FakeClock()).try_acquire()


def test_who_waits_is_told_once(tmp_path: Path) -> None:
    """A process waits for the lock, says so once, and gets it when it is free."""
    file, clock = tmp_path / "lease", FakeClock()
    first, second = FileLease(file, clock), FileLease(file, clock)
    told: list[int] = []

    async def run() -> None:
        await first.acquire(lambda: pytest.fail("it is free"))
        waiting = asyncio.create_task(second.acquire(lambda: told.append(1)))
        while len(clock.slept) < 5:
            await clock.breathe()
        first.release()
        await waiting

    asyncio.run(run())
    assert told == [1]
    assert set(clock.slept) == {RETRY}
    second.release()
    second.release()


def test_only_its_owner_reads_the_file(tmp_path: Path) -> None:
    """The file is 0600 and stays when the lock is given back."""
    file = tmp_path / "lease"
    lease = FileLease(file, FakeClock())
    assert lease.try_acquire()
    lease.release()
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    """A lock in a folder that does not exist is an error, not a free lock."""
    with pytest.raises(OSError, match="lease"):
        FileLease(tmp_path / "none" / "lease", FakeClock()).try_acquire()
