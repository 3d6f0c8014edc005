"""The daemon is asked to end, while it is idle and in the middle of a rotation."""

from __future__ import annotations

import time

import pytest

from tests.processes.conftest import Build
from tests.processes.gate import Fate, Side, Stop
from tests.processes.verdict import assert_done

pytestmark = [pytest.mark.process, pytest.mark.real, pytest.mark.timeout(120)]


def test_idle(build: Build) -> None:
    """Idle, it ends with 0 within 10 s of SIGTERM."""
    there = build(armed=False)
    daemon = there.daemon()
    daemon.wait_for("pass")
    began = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - began < 10
    assert daemon.events("stopped")[0]["cut_off"] == 0


@pytest.mark.parametrize(
    ("label", "side", "left_at"),
    [
        ("create", Side.BEFORE, {"STAGED", "VERIFIED"}),
        ("create", Side.AFTER, {"STAGED", "VERIFIED"}),
        ("record STAGED", Side.BEFORE, {"STAGED", "VERIFIED"}),
        ("publish", Side.AFTER, {"DRAINING", "VERIFIED"}),
        ("delete", Side.AFTER, {"PROVING", "REVOKING"}),
    ],
)
def test_in_the_middle(build: Build, label: str, side: Side, left_at: set[str]) -> None:
    """A stop waits for what is on its way: no record is left half-way, and no key is made anew."""
    there = build()
    consumer = there.consumer()
    stop = Stop(label, side)
    there.road.stop_at(stop)
    first = there.daemon()
    assert stop.reached.wait(40)
    first.process.terminate()
    first.wait_for("stopping")
    stop.end(Fate.GO_ON)
    assert first.ended() == 0
    assert there.phase() in left_at
    second = there.daemon()
    there.wait_for_phase("DONE")
    assert second.stop() == 0
    consumer.stop()
    assert_done(there, creates=1)


def test_waiting_for_the_store(build: Build) -> None:
    """Before it has reached its store it ends as readily."""
    there = build()
    there.gates[0].close()
    daemon = there.daemon()
    daemon.wait_for("store_down")
    assert daemon.stop() == 0
