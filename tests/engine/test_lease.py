"""One driver on a machine: the lock is the kernel's, and goes with its process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rotator.engine.lease import FileLease
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


def test_one_process_drives(tmp_path: Path) -> None:
    """While another process has the lock it is not free; when that one is killed, it is."""
    file = tmp_path / "lease"
    lease = FileLease(file, FakeClock())

    async def run() -> None:
        with another_process(file) as process:
            assert await lease.try_acquire() == f"another daemon holds {file}"
            process.kill()
            process.wait()
            assert await lease.try_acquire() is None
            assert await FileLease(file, FakeClock()).try_acquire() is not None
        await lease.release()
        assert await FileLease(file, FakeClock()).try_acquire() is None

    asyncio.run(run())


def test_only_its_owner_reads_the_file(tmp_path: Path) -> None:
    """The file is 0600 and stays when the lock is given back."""
    file = tmp_path / "lease"
    lease = FileLease(file, FakeClock())

    async def run() -> None:
        assert await lease.try_acquire() is None
        await lease.release()

    asyncio.run(run())
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    """A lock in a folder that does not exist is an error, not a free lock."""
    with pytest.raises(OSError, match="lease"):
        asyncio.run(FileLease(tmp_path / "none" / "lease", FakeClock()).try_acquire())
