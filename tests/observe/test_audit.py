"""The audit trail: nothing is lost, changed or left out without a trace."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings, strategies as st

from rotator.core.names import Sensitive
from rotator.observe import chain
from rotator.observe.audit import AuditLog
from rotator.observe.chain import GENESIS, Step
from rotator.observe.evidence import export, verify
from rotator.observe.redact import Redactor
from tests.observe import canary

START = datetime(2026, 11, 24, tzinfo=UTC)

Change = Callable[[list[bytes]], list[bytes]]


class Clock:
    """Moves one minute at each look."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now


def opened(file: Path | None, **calls: Callable[..., None]) -> AuditLog:
    """Return an open audit log."""
    log = AuditLog(file, Clock(), Redactor(b"key"), **calls)
    log.open()
    return log


def filled(file: Path, steps: int = 5) -> AuditLog:
    """Return a log after some steps of two rotations."""
    log = opened(file)
    for number in range(steps):
        log.append(Step("publish", "secret/a", f"rot{number % 2}", detail={"n": number}))
    return log


def test_each_step_is_one_line_that_follows_the_one_before(tmp_path: Path) -> None:
    """The whole entry is in the line, and the head is the last entry's hash."""
    file = tmp_path / "audit.jsonl"
    seen: list[int] = []
    log = opened(file, written=seen.append)
    log.append(Step("create", "secret/a", "rot0", detail={"attempt": 1}))
    log.append(Step("publish", "secret/a", "rot0", "alice"))
    first, second = (orjson.loads(line) for line in file.read_bytes().splitlines())
    assert (first["seq"], first["prev"], first["detail"]) == (1, GENESIS, {"attempt": 1})
    assert first["at"] == "2026-11-24T00:01:00.000Z"
    assert (second["seq"], second["prev"], second["by"]) == (2, first["hash"], "alice")
    assert (log.head.seq, log.head.hash) == (2, second["hash"])
    assert seen == [1, 2]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert verify(file).ok


def test_a_restart_continues_the_chain(tmp_path: Path) -> None:
    """The new process follows the last line."""
    file = tmp_path / "audit.jsonl"
    before = filled(file, 3)
    before.close()
    after = opened(file)
    assert after.head == before.head
    after.append(Step("start"))
    result = verify(file)
    assert result.ok
    assert (result.entries, result.first, result.head) == (4, 1, after.head)


@pytest.mark.parametrize("cut", [1, 5, 40, 120])
def test_a_line_cut_by_a_crash_is_marked_and_the_chain_goes_on(tmp_path: Path, cut: int) -> None:
    """The torn bytes stay, a marker accounts for them; a lost newline alone is nothing."""
    file = tmp_path / "audit.jsonl"
    filled(file, 3).close()
    file.write_bytes(file.read_bytes()[:-cut])
    log = opened(file)
    log.append(Step("start"))
    result = verify(file)
    assert result.ok, result.problem
    assert result.torn == (0 if cut == 1 else 1)
    assert result.head == log.head
    log.append(Step("again"))
    assert verify(file).ok


@settings(max_examples=60, deadline=None)
@given(debris=st.binary(min_size=1, max_size=300))
def test_any_debris_at_the_end_is_survived(
    tmp_path_factory: pytest.TempPathFactory, debris: bytes
) -> None:
    """Whatever stands after the last entry, the chain goes on and says so."""
    file = tmp_path_factory.mktemp("audit") / "audit.jsonl"
    filled(file, 2).close()
    with file.open("ab") as stream:
        stream.write(debris)
    opened(file).append(Step("start"))
    result = verify(file)
    assert result.ok, result.problem
    assert result.entries >= 3


@pytest.mark.parametrize(
    ("change", "line", "says"),
    [
        (lambda ls: [ls[0], ls[1].replace(b"publish", b"nothing"), *ls[2:]], 2, "match its hash"),
        (lambda ls: [ls[0], *ls[2:]], 2, "missing"),
        (lambda ls: [ls[0], ls[2], ls[1], *ls[3:]], 2, "missing"),
        (lambda ls: [*ls[:2], ls[1], *ls[2:]], 3, "second time"),
        (lambda ls: [ls[0], b"nonsense\n", *ls[2:]], 2, "no entry"),
        (lambda ls: [ls[0], b'{"seq": "2"}\n', *ls[2:]], 2, "no entry"),
        (lambda ls: [*ls[:-1], ls[-1][:30]], 5, "last line"),
        (lambda ls: [*ls[:4], b'{"seq":5,"prev":"","hash":""}\n'], 5, "match its hash"),
    ],
    ids=["edited", "removed", "swapped", "repeated", "garbage", "types", "torn", "forged"],
)
def test_a_changed_trail_names_the_first_line_that_is_wrong(
    tmp_path: Path, change: Change, line: int, says: str
) -> None:
    """Verify tells where, and why."""
    file = tmp_path / "audit.jsonl"
    filled(file).close()
    file.write_bytes(b"".join(change(file.read_bytes().splitlines(keepends=True))))
    result = verify(file)
    assert not result.ok
    assert result.broken_line == line
    assert says in (result.problem or "")


def test_a_rewritten_entry_breaks_the_next_one(tmp_path: Path) -> None:
    """A forger who computes the hash anew breaks the chain one line later."""
    file = tmp_path / "audit.jsonl"
    filled(file).close()
    lines = file.read_bytes().splitlines(keepends=True)
    body = orjson.loads(lines[1])
    body["by"] = "nobody"
    body["hash"] = chain.digest(body)
    lines[1] = orjson.dumps(body) + b"\n"
    file.write_bytes(b"".join(lines))
    result = verify(file)
    assert result.broken_line == 3
    assert "does not follow" in (result.problem or "")


def test_a_changed_last_line_is_still_found_after_a_restart(tmp_path: Path) -> None:
    """A restart does not launder what was changed while we were away."""
    file = tmp_path / "audit.jsonl"
    filled(file, 3).close()
    lines = file.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b"publish", b"nothing")
    file.write_bytes(b"".join(lines))
    opened(file).append(Step("start"))
    assert verify(file).broken_line == 3


def test_a_continued_file_is_told_from_a_beginning(tmp_path: Path) -> None:
    """The first entry's number says how much came before; a false start is broken."""
    file = tmp_path / "audit.jsonl"
    filled(file).close()
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[2:]))
    assert (verify(file).ok, verify(file).first) == (True, 3)


def test_an_empty_trail_is_whole(tmp_path: Path) -> None:
    """Nothing written, nothing wrong."""
    file = tmp_path / "audit.jsonl"
    opened(file).close()
    assert verify(file).ok
    assert verify(file).head.seq == 0


def test_without_a_file_the_chain_is_kept_in_memory() -> None:
    """The entries are returned, for whoever keeps the history."""
    log = opened(None)
    first, second = log.append(Step("a")), log.append(Step("b"))
    assert first is not None
    assert second is not None
    assert second.prev == first.hash
    assert first.intact


def test_no_canary_gets_into_the_trail(tmp_path: Path) -> None:
    """Every field goes through the redactor."""
    file = tmp_path / "audit.jsonl"
    redactor = Redactor(b"key")
    redactor.remember(*canary.ALL)
    log = AuditLog(file, Clock(), redactor)
    for sensitive in canary.ALL:
        for form in canary.encoded(sensitive.reveal()):
            log.append(
                Step(form, form, form, form, {form: form, "deep": [form], "api_secret": form})
            )
        log.append(Step("x", detail={"key": Sensitive(sensitive.reveal())}))
    assert canary.told(file.read_text()) == []
    assert canary.told(orjson.dumps(export(file)).decode()) == []
    assert verify(file).ok


def test_a_step_too_large_to_keep_is_written_without_its_detail(tmp_path: Path) -> None:
    """A line has a bound, and the chain stays whole."""
    file = tmp_path / "audit.jsonl"
    log = opened(file)
    log.append(Step("big", detail={str(n): "x y " * 1000 for n in range(100)}))
    assert verify(file).ok
    assert file.stat().st_size < chain.MAX_LINE


def test_a_full_device_is_counted_and_stops_nothing() -> None:
    """Each step that is lost calls back; the next ones are tried."""
    lost: list[int] = []
    log = opened(Path("/dev/full"), failed=lambda: lost.append(1))
    assert log.append(Step("a")) is None
    assert log.append(Step("b")) is None
    assert len(lost) == 2


def test_a_missing_folder_is_counted_and_tried_again(tmp_path: Path) -> None:
    """Once the folder is there, the trail begins, and says what is missing."""
    lost: list[int] = []
    file = tmp_path / "later" / "audit.jsonl"
    log = AuditLog(file, Clock(), Redactor(), failed=lambda: lost.append(1))
    assert not log.open()
    assert log.append(Step("a")) is None
    assert len(lost) == 2
    file.parent.mkdir()
    assert log.append(Step("b")) is not None
    result = verify(file)
    assert result.ok
    assert (result.entries, result.lost) == (2, 1)


FULL_DISK = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
from rotator.observe.audit import AuditLog
from rotator.observe.chain import Step
from rotator.observe.redact import Redactor

file, lost = Path(sys.argv[1]), []
log = AuditLog(file, lambda: datetime(2026, 11, 24, tzinfo=UTC), Redactor(),
               failed=lambda: lost.append(1))
log.append(Step("first"))
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + 100, hard))
assert log.append(Step("second")) is None
assert log.append(Step("third")) is None
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
assert log.append(Step("fourth")) is not None
print(len(lost))
"""


def test_a_disk_that_fills_up_leaves_no_half_line(tmp_path: Path) -> None:
    """The half line of the failed write is taken back, and the lost steps are counted."""
    file = tmp_path / "audit.jsonl"
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(file)], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "2", done.stderr
    result = verify(file)
    assert result.ok, result.problem
    assert (result.entries, result.lost, result.torn) == (3, 2, 0)


def test_another_writer_s_line_is_never_taken_back(tmp_path: Path) -> None:
    """Only bytes that are ours are removed after a failed write."""
    file = tmp_path / "audit.jsonl"
    opened(file).append(Step("theirs"))
    size = file.stat().st_size
    one = opened(None)
    one._file = file
    one._fd = os.open(file, os.O_RDONLY)
    assert one.append(Step("ours")) is None
    assert file.stat().st_size == size


def test_the_evidence_of_a_rotation_is_its_entries_whole(tmp_path: Path) -> None:
    """Each entry's hash can be computed again from the pack."""
    file = tmp_path / "audit.jsonl"
    log = filled(file)
    pack = orjson.loads(orjson.dumps(export(file, rotation="rot1")))
    assert [e["seq"] for e in pack["entries"]] == [2, 4]
    assert all(chain.digest(e) == e["hash"] for e in pack["entries"])
    assert pack["chain"]["ok"]
    assert pack["chain"]["head"] == {"seq": 5, "hash": log.head.hash}
    assert pack["asked"]["rotation"] == "rot1"


def test_the_evidence_of_a_period_has_its_start_and_not_its_end(tmp_path: Path) -> None:
    """From its beginning up to, and without, its end."""
    file = tmp_path / "audit.jsonl"
    filled(file)
    minute = timedelta(minutes=1)
    pack = export(file, since=START + 2 * minute, until=START + 4 * minute)
    assert [e["seq"] for e in pack["entries"]] == [2, 3]


def test_the_evidence_of_a_broken_chain_says_so(tmp_path: Path) -> None:
    """A pack never claims more than the file holds."""
    file = tmp_path / "audit.jsonl"
    filled(file)
    file.write_bytes(file.read_bytes().replace(b'"n":2', b'"n":9'))
    pack = export(file)
    assert not pack["chain"]["ok"]
    assert pack["chain"]["broken_line"] == 3


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=400))
def test_no_file_makes_verify_or_export_fail(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    """Any bytes give a result."""
    file = tmp_path_factory.mktemp("audit") / "audit.jsonl"
    file.write_bytes(content)
    verify(file)
    export(file, since=START)


def test_a_log_can_be_closed_at_any_time(tmp_path: Path) -> None:
    """Closing twice is nothing, and a step after it opens the file again."""
    file = tmp_path / "audit.jsonl"
    log = opened(file)
    log.append(Step("a"))
    log.close()
    log.close()
    log.append(Step("b"))
    assert (verify(file).ok, verify(file).entries) == (True, 2)


@pytest.mark.parametrize("line", [b"[]", b"1", b'{"seq": true, "prev": "", "hash": ""}', b"{"])
def test_what_is_no_entry_is_not_read_as_one(line: bytes) -> None:
    """JSON of another shape is no entry."""
    assert chain.parse(line) is None
    assert chain.parse(b'"' + b"x" * chain.MAX_LINE + b'"') is None


@pytest.mark.parametrize("at", [None, "yesterday", "2026-11-24T00:02:00"])
def test_an_entry_without_a_time_is_in_no_period(tmp_path: Path, at: str | None) -> None:
    """A time that cannot be read, or has no zone, is not guessed."""
    file = tmp_path / "audit.jsonl"
    body = {"seq": 1, "prev": GENESIS, "at": at}
    file.write_bytes(orjson.dumps({**body, "hash": chain.digest(body)}) + b"\n")
    assert export(file, since=START)["entries"] == []
    assert len(export(file)["entries"]) == 1


def test_a_line_without_end_is_read_in_bounded_memory(tmp_path: Path) -> None:
    """A huge line is no entry, and the lines after it keep their numbers."""
    file = tmp_path / "audit.jsonl"
    filled(file, 1).close()
    with file.open("ab") as stream:
        stream.write(b"x" * (chain.MAX_LINE * 3) + b"\n")
    result = verify(file)
    assert (result.broken_line, result.entries) == (2, 1)
