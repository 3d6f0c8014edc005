"""A clock that is off by a minute: ours, or theirs."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path

import pytest

from tests.processes.conftest import Build
from tests.processes.estate import Estate
from tests.processes.gate import Changed, Told
from tests.processes.program import Program
from tests.processes.verdict import assert_done

pytestmark = [pytest.mark.process, pytest.mark.real, pytest.mark.timeout(120)]
SKEWED = str(Path(__file__).with_name("skewed.py"))
LONGER_THAN_THE_DRAIN = 3.0


def off_by(seconds: int) -> Changed:
    """Return what moves the time that an answer tells."""

    def changed(told: Told) -> Told:
        headers = tuple(
            (k, _moved(v, seconds) if k.lower() == "date" else v) for k, v in told.headers
        )
        body, content = told.body, told.json()
        if "server_time_utc" in content:
            content["server_time_utc"] += seconds
            body = json.dumps(content).encode()
        return Told(told.status, headers, body)

    return changed


def _moved(date: str, seconds: int) -> str:
    return format_datetime(parsedate_to_datetime(date) + timedelta(seconds=seconds), usegmt=True)


def draining(build: Build) -> Estate:
    """Return an estate whose daemon was killed as soon as the new key was published."""
    there = build(policy={"drain": "1s"})
    there.consumer()
    daemon = there.daemon()
    there.wait_for_phase("DRAINING")
    daemon.kill()
    return there


def stays(there: Estate, daemon: Program) -> None:
    """The drain does not end while the clocks differ, and nothing is deleted."""
    daemon.wait_for("pass")
    time.sleep(LONGER_THAN_THE_DRAIN)
    assert there.phase() == "DRAINING"
    assert len(there.alive()) == 2
    assert not [
        v for v in there.vault.versions("trading/bybit/desk0").values() if v["deletion_time"]
    ]
    assert daemon.stop() == 0


def goes_on(there: Estate) -> None:
    """With clocks that agree it ends well."""
    daemon = there.daemon()
    there.wait_for_phase("DONE")
    assert daemon.stop() == 0
    for consumer in there.consumers:
        consumer.stop()
    assert_done(there)


@pytest.mark.parametrize("seconds", [-60, 60])
def test_our_clock_is_off(build: Build, seconds: int) -> None:
    """With our clock off by a minute nothing destructive happens, and waits do not count."""
    there = draining(build)
    stays(there, there.daemon(program=(SKEWED, str(seconds))))
    goes_on(there)


@pytest.mark.parametrize("gate", [0, 1], ids=["the store", "the exchange"])
def test_their_clock_is_off(build: Build, gate: int) -> None:
    """Where store or exchange tell another time, a drain does not count, whatever else works."""
    there = draining(build)
    there.gates[gate].changed = off_by(60)
    stays(there, there.daemon())
    there.gates[gate].changed = off_by(0)
    goes_on(there)


def test_nothing_is_opened_by_a_wrong_clock(build: Build) -> None:
    """With a clock that is off by a minute no rotation is opened, and the run exits 0."""
    there = build()
    run = there.once("5s", program=(SKEWED, "60"))
    assert run.ended() == 0
    assert run.json()["rotations"] == []
    assert there.alive() == [there.old["api_key"]]
    assert there.ours() == []
