"""Several processes append to one audit trail, and its chain holds."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rotator.observe.audit import AuditLog
from rotator.observe.chain import Step
from rotator.observe.evidence import verify
from rotator.observe.redact import Redactor

AT = datetime(2026, 11, 24, tzinfo=UTC)
STEPS = 200
WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from rotator.observe.audit import AuditLog
from rotator.observe.chain import Step
from rotator.observe.redact import Redactor

log = AuditLog(Path(sys.argv[1]), lambda: datetime(2026, 11, 24, tzinfo=UTC), Redactor())
assert log.open()
print("ready", flush=True)
input()
written = [log.append(Step("step", by=sys.argv[2])) for _ in range(int(sys.argv[3]))]
assert None not in written
"""


def opened(file: Path, lost: list[int] | None = None) -> AuditLog:
    """Return an open log on a file."""
    lost = [] if lost is None else lost
    log = AuditLog(file, lambda: AT, Redactor(), failed=lambda: lost.append(1))
    assert log.open()
    return log


@pytest.mark.timeout(120)
def test_two_processes_that_append_at_once_make_one_chain(tmp_path: Path) -> None:
    """Neither loses an entry nor takes a number or a hash that the other has taken."""
    file = tmp_path / "audit.jsonl"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(file), name, str(STEPS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    ends = []
    for writer in writers:
        writer.communicate(timeout=100)
        ends.append(writer.returncode)
    assert ends == [0, 0]
    result = verify(file)
    assert result.ok, (result.broken_line, result.problem)
    assert (result.entries, result.torn, result.lost) == (2 * STEPS, 0, 0)


def test_a_writer_goes_on_after_what_another_wrote(tmp_path: Path) -> None:
    """A daemon at work meets the entries of a `run --once` beside it."""
    file = tmp_path / "audit.jsonl"
    one, two = opened(file), opened(file)
    for log in (one, two, two, one):
        assert log.append(Step("x"))
    result = verify(file)
    assert result.ok, result.problem
    assert (result.entries, result.head) == (4, one.head)


def test_a_half_line_of_another_writer_is_accounted_for(tmp_path: Path) -> None:
    """Another process was killed in its write: the marker stands after its bytes."""
    file = tmp_path / "audit.jsonl"
    one = opened(file)
    one.append(Step("x"))
    with file.open("ab") as other:
        other.write(b'{"seq": 2, "half')
    assert one.append(Step("y"))
    result = verify(file)
    assert result.ok, result.problem
    assert (result.entries, result.torn) == (3, 1)


def test_a_lock_that_another_keeps_costs_a_step_and_no_more(tmp_path: Path) -> None:
    """A frozen process that holds the lock stops nobody: the step is counted as lost."""
    file, lost = tmp_path / "audit.jsonl", list[int]()
    log = opened(file, lost)
    with file.open("rb") as frozen:
        fcntl.flock(frozen, fcntl.LOCK_EX)
        assert log.append(Step("unseen")) is None
    assert lost == [1]
    assert log.append(Step("seen"))
    result = verify(file)
    assert result.ok, result.problem
    assert (result.entries, result.lost) == (2, 1)
