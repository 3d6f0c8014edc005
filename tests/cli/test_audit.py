"""`rotator audit`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rotator.observe.audit import AuditLog
from rotator.observe.chain import Head, Step
from rotator.observe.redact import Redactor
from tests.cli.kit import rotator

Changed = Callable[[list[str]], list[str]]
START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """An audit trail of six entries, one a day, of two rotations in turn."""
    file = tmp_path / "audit.jsonl"
    days = iter(range(100))
    log = AuditLog(file, lambda: START + timedelta(days=next(days)), Redactor())
    for number in range(6):
        assert log.append(Step("publish", "secret/trading/desk0", f"r{number % 2}", "ana"))
    log.close()
    return file


def head_of(trail: Path) -> Head:
    """Return the newest entry's number and hash."""
    log = AuditLog(trail, lambda: START, Redactor())
    assert log.open()
    log.close()
    return log.head


def test_a_whole_trail(trail: Path) -> None:
    """A trail that holds ends with 0 and shows its head."""
    done = rotator("audit", "verify", trail, "-o", "json")
    head = head_of(trail)
    assert (done.code, done.err) == (0, "")
    assert (done.json["ok"], done.json["entries"]) == (True, 6)
    assert done.json["head"] == {"seq": 6, "hash": head.hash}
    assert rotator("audit", "verify", trail, "--head", f"6:{head.hash}").code == 0


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda lines: [*lines[:2], lines[2].replace("ana", "bob"), *lines[3:]], 3),
        (lambda lines: lines[:2] + lines[3:], 3),
        (lambda lines: [lines[1], lines[0], *lines[2:]], 2),
        (lambda lines: [*lines, lines[-1]], 7),
    ],
    ids=["changed", "removed", "swapped", "copied"],
)
def test_a_broken_trail(trail: Path, change: Changed, line: int) -> None:
    """A change, a gap, a swap and a copy end with 1 and name the first line that does not fit."""
    trail.write_text("".join(change(trail.read_text().splitlines(keepends=True))))
    done = rotator("audit", "verify", trail, "-o", "json")
    assert (done.code, done.json["ok"], done.json["broken_line"]) == (1, False, line)
    assert f"line {line}" in done.err
    exported = rotator("audit", "export", trail, "-o", "json")
    assert (exported.code, exported.json["chain"]["ok"]) == (1, False)


def test_entries_cut_off_at_the_end(trail: Path) -> None:
    """A shortened trail looks whole, but not to a head that was logged."""
    head = head_of(trail)
    trail.write_text("".join(trail.read_text().splitlines(keepends=True)[:4]))
    assert rotator("audit", "verify", trail).code == 0
    done = rotator("audit", "verify", trail, "--head", f"6:{head.hash}", "-o", "json")
    assert (done.code, done.json["ok"]) == (1, False)
    assert "cut off" in done.err


def test_export(trail: Path) -> None:
    """An evidence pack holds the entries asked for, whole, and the state of the chain."""
    pack = rotator("audit", "export", trail, "--rotation", "r1", "-o", "json").json
    assert [entry["seq"] for entry in pack["entries"]] == [2, 4, 6]
    assert pack["chain"]["ok"] is True
    times = ("--since", "2026-03-02T00:00:00Z", "--until", "2026-03-04T00:00:00Z")
    some = rotator("audit", "export", trail, *times, "-o", "json").json
    assert [entry["seq"] for entry in some["entries"]] == [2, 3]
    assert rotator("audit", "export", trail, "--since", "1d", "--json").json["entries"] == []
    table = rotator("audit", "export", trail).out.splitlines()
    assert table[0].split() == ["SEQ", "AT", "STEP", "CREDENTIAL", "ROTATION", "BY"]
    assert "the chain holds: 6 entries" in table[-1]


def test_the_configured_trail(trail: Path, tmp_path: Path) -> None:
    """Without a file the configuration's own trail is read, from beside it."""
    config = tmp_path / "rotator.yaml"
    config.write_text("store: {local: {}}\naudit: {file: audit.jsonl}\n")
    assert rotator("audit", "verify", "--config", config).code == 0
    config.write_text("store: {local: {}}\n")
    done = rotator("audit", "verify", "--config", config)
    assert done.code == 2
    assert "audit.file" in done.err


@pytest.mark.parametrize(
    "options",
    [["--head", "x"], ["--head", "6"]],
)
def test_a_bad_head(trail: Path, options: list[str]) -> None:
    """A head that is none is a usage error."""
    done = rotator("audit", "verify", trail, *options)
    assert (done.code, "--head" in done.err) == (2, True)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    """A missing file and a bad time are one sentence each."""
    missing = rotator("audit", "verify", tmp_path / "absent")
    assert (missing.code, "absent" in missing.err) == (1, True)
    bad = rotator("audit", "export", tmp_path / "absent", "--since", "yesterday")
    assert (bad.code, "--since" in bad.err) == (2, True)
