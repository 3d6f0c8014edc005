"""What `rotator run --once` promises, against a real Vault with the shipped policies."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.processes.conftest import Build
from tests.processes.estate import Estate
from tests.processes.program import Program, until
from tests.processes.verdict import assert_done, assert_silent, leaks

pytestmark = [pytest.mark.process, pytest.mark.real, pytest.mark.timeout(120)]
BINANCE = "trading/binance/own"


def with_binance(there: Estate) -> None:
    """Put the exchange's own key beside: 400 days old, may withdraw."""
    mount, key = there.vault.mount, there.sandbox.seeded("binance")
    there.canaries.add(key["api_secret"])
    there.vault.put(BINANCE, key)
    rule = {"match": f"{mount}/trading/binance/**", "exchange": "binance", "policy": "desk"}
    there.document["rules"].append(rule)
    there.document["policies"]["desk"]["scopes"] = {"forbid": ["withdraw"]}
    there.document["exchanges"]["binance"] = {
        "base_url": there.sandbox.url("binance"),
        "share": None,
    }
    there.write_config()


def ran(there: Estate, wait: str = "40s") -> dict[str, Any]:
    """Run one pass to its end and return what it printed."""
    program = there.once(wait)
    assert program.ended() == 0, program.log()
    return program.json()


def found(told: dict[str, Any], credential: str, code: str) -> dict[str, Any]:
    """Return a finding that must be there."""
    mine = [f for f in told["findings"] if f["credential"].endswith(credential)]
    matching = [f for f in mine if f["code"] == code]
    assert matching, f"{code} is not among {[f['code'] for f in mine]}"
    return dict(matching[0])


def assert_binance_told(told: dict[str, Any]) -> None:
    """The Binance key is due for a human, and its power to withdraw is critical."""
    overdue = found(told, BINANCE, "Overdue")
    assert "https://www.binance.com/" in overdue["cure"]
    assert found(told, BINANCE, "WithdrawEnabled")["severity"] == "critical"
    assert not [r for r in told["rotations"] if r["credential"].endswith(BINANCE)]


def test_drain_rotates_an_overdue_key(build: Build) -> None:
    """With `revoke: drain` one run replaces the key and proves the old one dead."""
    there = build()
    with_binance(there)
    consumer = there.consumer()
    told = ran(there)
    consumer.stop()
    [rotation] = told["rotations"]
    assert rotation["phase"] == "DONE"
    assert rotation["credential"] == there.path
    assert rotation["waits_for"] is None
    assert rotation["question"] is None
    data = there.vault.get("trading/bybit/desk0")
    assert data is not None
    assert data["metadata"]["version"] == 2
    assert_binance_told(told)
    assert_done(there)
    assert_audited(there, rotation["rotation"])


def assert_audited(there: Estate, rotation: str) -> None:
    """The audit holds every step of the rotation, and verifies."""
    verified = there.command("audit", "verify")
    assert verified.process.returncode == 0, verified.log()
    entries = [json.loads(e) for e in (there.folder / "audit.jsonl").read_text().splitlines()]
    steps = [e["step"] for e in entries if e["rotation"] == rotation]
    forward = ["STAGED", "VERIFIED", "DRAINING", "REVOKING", "PROVING", "CLOSING", "DONE"]
    assert steps == ["opened", *forward]


def test_manual_waits_for_a_person(build: Build) -> None:
    """With `revoke: manual` it stops after the drain, names the command, and obeys it."""
    there = build(policy={"revoke": "manual"})
    told = ran(there)
    [rotation] = told["rotations"]
    assert rotation["phase"] == "DRAINING"
    assert rotation["waits_for"].endswith(f"rotator complete {there.path}")
    assert there.keys()[there.old["api_key"]]["alive"]
    assert len(there.alive()) == 2
    there.order("complete")
    [rotation] = ran(there)["rotations"]
    assert rotation["phase"] == "DONE"
    assert_done(there)


@pytest.mark.slow
def test_what_an_earlier_rotation_left_goes(build: Build) -> None:
    """A key that only the history proves useless goes, though its path was rotated again."""
    there = build()
    ran(there)
    left = there.new_key(f"rk{there.record()['rotation']}1", timedelta())["api_key"]
    there.order("rotate")
    [rotation] = ran(there, wait="45s")["rotations"]
    assert rotation["phase"] == "DONE"
    assert not there.keys()[left]["alive"]
    assert_done(there, creates=2)


def test_unarmed_changes_nothing(build: Build) -> None:
    """Unarmed, neither a credential's path nor the exchange is changed, and it says so."""
    there = build(armed=False)
    with_binance(there)
    before = there.sandbox.ledger("bybit")
    told = ran(there)
    after = there.sandbox.ledger("bybit")
    assert told["rotations"] == []
    assert found(told, "desk0", "NotArmed")["severity"] == "info"
    assert found(told, "desk0", "Overdue")
    assert_binance_told(told)
    assert there.alive() == [there.old["api_key"]]
    assert there.ours() == []
    assert set(after) == set(before)
    for path in ("trading/bybit/desk0", "trading/bybit/master", BINANCE):
        assert list(there.vault.versions(path)) == [1]
        assert there.vault.custom(path) == {}
    assert_silent(there)


def counted(metrics: str) -> str:
    """Return the page once it counts one rotation that is done; empty before."""
    lines = [x for x in metrics.splitlines() if x.startswith("rotator_rotations_total{")]
    done = [x for x in lines if 'exchange="bybit"' in x and 'result="done"' in x]
    return metrics if any(x.split()[-1] in {"1", "1.0"} for x in done) else ""


def test_the_daemon_tells_it(build: Build) -> None:
    """The daemon's metrics count the rotation, and tell no secret of it."""
    there = build()
    daemon = there.daemon()
    there.wait_for_phase("DONE")
    daemon.wait_for("rotation_closed", result="done")
    told = until(lambda: counted(daemon.metrics()), "the rotation is counted", 15)
    assert not leaks(there, "metrics", told.encode())
    assert not leaks(there, "arguments", daemon.command_line())
    assert daemon.stop() == 0
    assert_done(there)


def test_an_exchange_that_is_down(build: Build) -> None:
    """With the exchange down for the whole run it still judges, prints and exits 0."""
    there = build()
    closed = there.gates[1].address
    there.gates[1].close()
    told = ran(there, "10s")
    assert told["credentials"] == 2
    assert told["rotations"] == []
    assert found(told, "desk0", "Unreachable")
    assert closed not in json.dumps(told["rotations"])
    assert there.alive() == [there.old["api_key"]]


def test_an_exchange_that_does_not_answer(build: Build, own_sandbox: Any) -> None:
    """With an exchange that takes connections and says nothing it still ends with 0."""
    there = build(exchange=own_sandbox)
    own_sandbox.freeze()
    program: Program = there.once("10s")
    code = program.ended()
    own_sandbox.thaw()
    assert code == 0, program.log()
    told = program.json()
    assert told["rotations"] == []
    assert found(told, "desk0", "Unreachable")
    assert there.alive() == [there.old["api_key"]]
