"""The audit trail: every step, appended to a file as one hash-chained line.

A step that cannot be written is counted and never stops the daemon; the next
entry that can be written is preceded by a marker that tells how many are missing.
Nothing is ever removed, except the half line of our own write that just failed.

Several processes may write to one file: each takes the file's lock (`flock`) for one
write, and first reads what the others have written since its own last entry.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from rotator.observe import chain
from rotator.observe.chain import Entry, Head, Step
from rotator.observe.redact import Redactor

MODE = 0o600
TAIL = 4 * chain.MAX_LINE
MAX_DETAIL = chain.MAX_LINE // 2
LOCK_TRIES, LOCK_PAUSE = 100, 0.02
"""How often, and with how many seconds between, another writer is waited for."""

NO_LOCKS = frozenset({errno.ENOLCK, errno.EINVAL, errno.EOPNOTSUPP})
"""What a file system says that has no such lock: there, only one process may write."""


class AuditLog:
    """Appends to one chain; safe to use from any thread.

    `file` None keeps the chain without a file: the entries are then only what
    `append` returns.  `written` is called with each new entry's number, `failed`
    once for each step that could not be written.
    """

    def __init__(
        self,
        file: Path | None,
        now: Callable[[], datetime],
        redactor: Redactor,
        *,
        written: Callable[[int], None] = lambda _: None,
        failed: Callable[[], None] = lambda: None,
    ) -> None:
        self._file = file
        self._now = now
        self._redactor = redactor
        self._written = written
        self._failed = failed
        self._lock = threading.Lock()
        self._fd: int | None = None
        self._head = Head()
        self._debris: bytes | None = None
        self._half_line = False
        self._size = 0
        self._lost = 0

    @property
    def head(self) -> Head:
        """The newest entry that was written."""
        return self._head

    def open(self) -> bool:
        """Open the file and continue its chain; False (and counted) if it cannot be."""
        with self._lock:
            return self._opened()

    def append(self, step: Step) -> Entry | None:
        """Write one step and wait until it is on the disk.

        Blocks for the time of an fsync: call it in a worker thread.  None if it
        could not be written.
        """
        with self._lock:
            if not self._opened(counted=False):
                self._miss()
                return None
            try:
                with self._alone():
                    entries = self._entries(step)
                    self._write(b"".join(e.line for e in entries))
            except OSError:
                self._miss()
                return None
            self._head, self._lost = entries[-1].head, 0
            self._debris, self._half_line = None, False
            self._written(self._head.seq)
            return entries[-1]

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._fd is not None:
                os.close(self._fd)
                self._fd = None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the file's lock for a block, and know what stands in the file.

        Raises OSError if another process keeps the lock.
        """
        fd = self._fd
        if fd is None:
            yield
            return
        _lock(fd)
        try:
            if os.fstat(fd).st_size != self._size:
                self._continue(fd)
            yield
        finally:
            if self._fd is not None:  # closing it gives the lock back
                fcntl.flock(fd, fcntl.LOCK_UN)

    def _entries(self, step: Step) -> list[Entry]:
        """Return the markers that are owed, then the entry itself."""
        steps: list[Step] = []
        if self._debris is not None:
            steps.append(Step(chain.TORN, detail=chain.torn_detail(self._debris)))
        if self._lost:
            steps.append(Step(chain.LOST, detail={"entries": self._lost}))
        head, entries = self._head, []
        for each in (*steps, step):
            entries.append(self._entry(head, each))
            head = entries[-1].head
        return entries

    def _entry(self, head: Head, step: Step) -> Entry:
        text = self._redactor.text
        clean = Step(
            text(step.step)[:100],
            text(step.credential)[:1000],
            text(step.rotation)[:100],
            text(step.by)[:200],
        )
        detail = self._redactor.plain(step.detail)
        entry = chain.entry(head, self._now(), clean, _mapping(detail))
        if len(entry.line) > MAX_DETAIL:
            entry = chain.entry(head, self._now(), clean, {"cut": len(entry.line)})
        return entry

    def _opened(self, *, counted: bool = True) -> bool:
        if self._file is None or self._fd is not None:
            return True
        try:
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._fd = os.open(self._file, flags, MODE)
            self._continue(self._fd)
        except OSError:
            if counted:
                self._failed()
            return False
        return True

    def _continue(self, fd: int) -> None:
        """Find the newest entry of the file and what a crash left behind it."""
        about = os.fstat(fd)
        self._size = about.st_size
        if not stat.S_ISREG(about.st_mode) or about.st_size == 0:
            return
        start = max(about.st_size - TAIL, 0)
        tail = os.pread(fd, TAIL, start)
        last, self._debris = _last_entry(tail)
        self._half_line = not tail.endswith(b"\n")
        if last is not None:
            self._head = last.head

    def _write(self, lines: bytes) -> None:
        if self._fd is None:
            return
        if self._half_line:
            lines = b"\n" + lines
        before = os.fstat(self._fd).st_size
        try:
            written = os.write(self._fd, lines)
            if written < len(lines):
                os.write(self._fd, lines[written:])
            if stat.S_ISREG(os.fstat(self._fd).st_mode):
                os.fsync(self._fd)
            self._size = before + len(lines)
        except OSError:
            if not _taken_back(self._fd, before, lines):
                os.close(self._fd)  # the next step starts from what the file says
                self._fd = None
            raise

    def _miss(self) -> None:
        self._lost += 1
        self._failed()


def _lock(fd: int) -> None:
    pause = threading.Event()
    for _ in range(LOCK_TRIES):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pause.wait(LOCK_PAUSE)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            return
        else:
            return
    raise BlockingIOError(errno.EWOULDBLOCK, "another process keeps the audit file's lock")


def _taken_back(fd: int, size: int, lines: bytes) -> bool:
    """Remove what was written of our own lines, and only that."""
    try:
        written = os.pread(fd, len(lines) + 1, size)
        if not lines.startswith(written):
            return False
        os.ftruncate(fd, size)
    except OSError:
        return False
    return True


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _last_entry(tail: bytes) -> tuple[Entry | None, bytes | None]:
    """Return the last entry in the file's end, and the lines after it, None if none.

    A whole entry that only lacks its newline is an entry.  One that was changed
    is one too: `verify` names it.
    """
    lines = tail.removesuffix(b"\n").split(b"\n")
    for count in range(len(lines)):
        found = chain.parse(lines[-1 - count])
        if found is not None:
            return found, b"\n".join(lines[len(lines) - count :]) if count else None
    return None, tail.removesuffix(b"\n")
