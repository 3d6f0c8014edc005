"""The leader's network is cut, or its clock is set: real namespaces, and Debian's faketime."""

from __future__ import annotations

import os
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.kube.netns import network, possible
from tests.kube.team import CALM, CALM_DURATION, DURATION, MARGIN, RENEWALS, Team
from tests.processes.conftest import Build
from tests.processes.program import until
from tests.processes.verdict import assert_done
from tests.servers.build import ServerMissing, packaged
from tests.servers.kube_server import KubeServer, Pod
from tests.told import Tell

pytestmark = [pytest.mark.process, pytest.mark.real, pytest.mark.timeout(150)]


@pytest.fixture
def team(build: Build, kube: KubeServer, namespace: str, pod: Pod) -> Team:
    """An estate whose daemons elect a leader; a person ends its drain."""
    return Team(build(policy={"revoke": "manual"}), kube, namespace, pod)


def test_a_wire_that_is_pulled_out(team: Team, tell: Tell) -> None:
    """A leader without any network ends its work by itself, and stands by when it is back."""
    if not possible():
        pytest.skip("Run as root, with iproute2, for the test that cuts a real network.")
    there, consumer = team.there, team.there.consumer()
    ports = [team.kube.port, *(urlsplit(gate.address).port or 0 for gate in there.gates)]
    with network(ports) as wire:
        first = team.member(prefix=wire.prefix)
        first.wait_for("leader")
        there.wait_for_phase("DRAINING")
        second = team.member()
        second.wait_for("standby")
        wire.cut()
        cut = time.monotonic()
        second.wait_for("leader")
        seconds = time.monotonic() - cut
        tell(f"no network: another leads {seconds:.2f} s later, {seconds - DURATION:+.2f} s")
        assert seconds <= DURATION + MARGIN
        first.wait_for("lease_lost")
        second.wait_for("pass")
        there.order("complete")
        there.wait_for_phase("DONE")
        wire.mend()
        until(lambda: len(first.events("standby")) > 0, "the first stands by")
        team.stop()
    team.assert_one_leader_at_a_time()
    consumer.stop()
    assert_done(there, creates=1)


def faked(file: Path) -> dict[str, str]:
    """Return the variables by which a process reads its wall clock's offset from a file."""
    try:
        packaged("faketime")
    except ServerMissing as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    file.write_text("+0")
    return {
        "LD_PRELOAD": str(next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def test_clocks_that_are_set(
    build: Build, kube: KubeServer, namespace: str, pod: Pod, *, tmp_path: Path, tell: Tell
) -> None:
    """Wall clocks set by an hour, either way, cost nobody the lead and give it to nobody."""
    team = Team(build(policy={"revoke": "manual"}), kube, namespace, pod, CALM)
    there, consumer = team.there, team.there.consumer()
    files = [tmp_path / "clock0", tmp_path / "clock1"]
    first = team.member(environ=faked(files[0]))
    first.wait_for("leader")
    second = team.member(environ=faked(files[1]))
    second.wait_for("standby")
    there.wait_for_phase("DRAINING")
    for mine, others in (("-3600", "+3600"), ("+3600", "-3600")):
        files[0].write_text(mine)
        files[1].write_text(others)
        time.sleep(RENEWALS)
        assert not second.events("leader")
        assert not first.events("lease_lost")
    first.kill()
    died = time.monotonic()
    second.wait_for("leader")
    seconds = time.monotonic() - died
    tell(f"SIGKILL, clock an hour slow: {seconds:.2f} s later, {seconds - CALM_DURATION:+.2f} s")
    assert seconds <= CALM_DURATION + MARGIN
    files[1].write_text("+0")
    there.order("complete")
    there.wait_for_phase("DONE", patience=80)
    team.stop()
    consumer.stop()
    assert_done(there, creates=1)
