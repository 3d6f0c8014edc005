"""`run`: one whole pass, and the daemon as a process."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path

import httpx
import pytest

from tests.cli.firm import DESK, LONG_AGO, Firm
from tests.cli.kit import Sandbox, process, started
from tests.cli.test_look import FINDING, ROTATION
from tests.net.plugin import NET


@pytest.fixture
def firm(tmp_path: Path, own_sandbox: Sandbox) -> Firm:
    """A firm without any key."""
    return Firm(tmp_path, own_sandbox)


def test_once_rotates_what_is_due(firm: Firm) -> None:
    """`run --once` opens what is due, drives it to its end, and prints it in the form."""
    firm.settings["policies"]["desk"]["revoke"] = "drain"
    firm.write()
    old = firm.desk(age=LONG_AGO)
    told = firm.once()
    assert set(told) >= {"credentials", "findings", "rotations"}
    assert told["credentials"] == 2
    assert {frozenset(f) for f in told["findings"]} == {frozenset(FINDING)}
    [rotation] = told["rotations"]
    assert set(rotation) == ROTATION
    assert (rotation["credential"], rotation["phase"]) == (DESK, "DONE")
    ledger = firm.sandbox.control("GET", "/ledger")["exchanges"]["bybit"]["keys"]
    assert [k["alive"] for k in ledger if k["id"] == old["api_key"]] == [False]
    got = firm.do("store", "get", DESK, "--reveal", "-o", "json").json
    assert got["version"] == 2
    assert firm.once()["rotations"] == []


def test_once_ends_with_0_whatever_is_open(firm: Firm) -> None:
    """A rotation that waits for a person, and critical findings, are no failure."""
    firm.desk(age=LONG_AGO)
    done = firm.do("run", "--once", "--wait", "20s")
    assert done.code == 0
    assert "DRAINING" in done.out
    assert "Waits for: drained; a person must confirm that the old key is unused: " in done.out
    assert f"rotator complete {DESK}" in done.out
    assert "critical  ForeignKey" in done.out
    assert all(json.loads(line)["event"] for line in done.err.splitlines())


def test_once_over_a_silent_exchange(firm: Firm) -> None:
    """An exchange that does not answer is a finding, exit code 0."""
    firm.desk()
    firm.settings["exchanges"]["bybit"]["base_url"] = "http://127.0.0.1:9"
    firm.write()
    told = firm.once()
    assert "Unreachable" in {f["code"] for f in told["findings"]}


def test_once_does_not_run_beside_a_daemon(firm: Firm) -> None:
    """With a lease file that a daemon holds, `run --once` ends with 1 and says so."""
    firm.settings["lease"] = {"file": "lease"}
    firm.write()
    firm.desk()
    with started("run", "--config", str(firm.config)) as child:
        assert child.stderr is not None
        for line in child.stderr:
            if json.loads(line)["event"] == "leader":
                break
        done = firm.do("run", "--once")
        assert (done.code, done.out) == (1, "")
        assert "another daemon holds" in done.err
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=30)
    assert child.returncode == 0
    assert firm.once()["credentials"] == 2


def test_once_where_the_store_stops_it(firm: Firm) -> None:
    """A store that does not open ends it with 1; a wait that is no span with 2."""
    firm.desk()
    (firm.folder / "s.key").unlink()
    done = firm.do("run", "--once", "-o", "json")
    assert (done.code, done.out) == (1, "")
    assert firm.do("run", "--once", "--wait", "soon").code == 2
    assert process("run", "--once", cwd=firm.folder / "..", env={}).code == 1


def test_a_daemon_counts_its_store_and_its_budget(firm: Firm) -> None:
    """Requests to the embedded store and the used share of a rate limit stand in /metrics."""
    firm.settings["exchanges"]["bybit"]["share"] = 0.5
    firm.write()
    firm.desk()
    wanted = (
        'rotator_store_requests_total{operation="read",code="ok"}',
        'rotator_store_request_duration_seconds_count{operation="write",code="ok"}',
        "rotator_store_up 1",
        'rotator_exchange_budget_used_ratio{exchange="bybit"}',
    )
    with started("run", "--config", str(firm.config)) as child:
        assert child.stderr is not None
        port, page = 0, ""
        for line in child.stderr:
            event = json.loads(line)
            port = event.get("port", port)
            if event["event"] == "pass":
                break
        for _ in range(200):
            page = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
            if all(series in page for series in wanted):
                break
            threading.Event().wait(0.1)
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=30)
    NET.look("the metrics page", page)
    assert [series for series in wanted if series not in page] == []
