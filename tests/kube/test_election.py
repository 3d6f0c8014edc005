"""Real daemons, a real API server, a real Vault: whatever happens to the leader, one drives."""

from __future__ import annotations

import time

import pytest

from tests.kube.team import CALM, DURATION, MARGIN, RENEWALS, Team, new_leader
from tests.processes.conftest import Build
from tests.processes.gate import Fate, Side, Stop
from tests.processes.program import until
from tests.processes.verdict import assert_done
from tests.servers.cable import Cable
from tests.servers.kube_server import KubeServer, Pod
from tests.told import Tell

pytestmark = [pytest.mark.process, pytest.mark.real, pytest.mark.timeout(150)]


@pytest.fixture
def team(build: Build, kube: KubeServer, namespace: str, pod: Pod) -> Team:
    """An estate whose daemons elect a leader."""
    return Team(build(), kube, namespace, pod)


@pytest.mark.parametrize(
    ("count", "label", "side"),
    [(2, "create", Side.BEFORE), (3, "record STAGED", Side.AFTER)],
)
def test_killed(team: Team, count: int, label: str, side: Side, tell: Tell) -> None:
    """After SIGKILL another goes on where it stood: no rotation is lost, none is doubled."""
    there, consumer = team.there, team.there.consumer()
    stop = Stop(label, side)
    there.road.stop_at(stop)
    first, others = team.start(count)
    assert stop.reached.wait(40)
    first.kill()
    died = time.monotonic()
    stop.end(Fate.LOST)
    second, seconds = new_leader(others, died)
    tell(f"SIGKILL at {label}: leads {seconds:.2f} s later, {seconds - DURATION:+.2f} s")
    assert seconds <= DURATION + MARGIN
    there.wait_for_phase("DONE")
    assert [o.events("leader") for o in others if o is not second] == [[]] * (count - 2)
    team.stop()
    team.assert_one_leader_at_a_time()
    consumer.stop()
    assert_done(there, creates=1)


def test_asked_to_end(build: Build, kube: KubeServer, namespace: str, pod: Pod, tell: Tell) -> None:
    """After SIGTERM the next one works at once; one open step is brought to its end before."""
    team = Team(build(policy={"max_age": "300d"}), kube, namespace, pod)
    there, consumer = team.there, team.there.consumer()
    first, (second, third) = team.start(3)
    stop = Stop("create", Side.AFTER)
    there.road.stop_at(stop)
    there.order("rotate")
    assert stop.reached.wait(40)
    first.process.terminate()
    first.wait_for("stopping")
    time.sleep(DURATION + 1)  # the answer is late: the lease is kept until the step is over
    assert team.holder() == "member0"
    stop.end(Fate.GO_ON)
    assert first.ended() == 0
    there.wait_for_phase("DONE")
    found: list[tuple[float, float]] = []
    heirs = [second, third]
    leader = next(h for h in heirs if h.events("leader"))
    heirs = [h for h in heirs if h is not leader] + [team.member()]
    heirs[-1].wait_for("standby")
    for _ in range(2):
        began = time.monotonic()
        leader.process.terminate()
        heir, seconds = new_leader(heirs, began)
        heir.wait_for("pass")
        found.append((seconds, time.monotonic() - began))
        assert leader.ended() == 0
        heirs, leader = [h for h in heirs if h is not heir], heir
    for leads, passed in found:
        tell(f"SIGTERM: leads {leads:.2f} s later, its first pass ended after {passed:.2f} s")
    assert min(leads for leads, _ in found) <= 1
    team.stop()
    team.assert_one_leader_at_a_time()
    consumer.stop()
    assert_done(there, creates=1)


def test_a_single_run_that_is_asked_to_end(
    build: Build, kube: KubeServer, namespace: str, pod: Pod
) -> None:
    """On SIGTERM a `run --once` gives the Lease back, and its rotation waits for the next."""
    team = Team(build(policy={"revoke": "drain", "drain": "40s"}), kube, namespace, pod)
    once = team.once("90s")
    team.there.wait_for_phase("DRAINING")
    assert team.holder() == "once"
    once.process.terminate()
    assert once.ended() == 130
    assert team.holder() == ""
    assert team.there.phase() == "DRAINING"


def test_frozen_with_a_create_on_its_way(team: Team, tell: Tell) -> None:
    """A leader that slept over its lease learns that, and its late create makes no second key."""
    there, consumer = team.there, team.there.consumer()
    stop = Stop("create", Side.BEFORE)
    there.road.stop_at(stop)
    first, others = team.start(2)
    assert stop.reached.wait(40)
    first.freeze()
    froze = time.monotonic()
    second, seconds = new_leader(others, froze)
    tell(f"SIGSTOP: leads {seconds:.2f} s later, {seconds - DURATION:+.2f} s")
    assert seconds <= DURATION + MARGIN
    stop.end(Fate.GO_ON)
    first.thaw()
    first.wait_for("lease_lost")
    until(lambda: len(first.events("standby")) > 0, "the first stands by")
    there.wait_for_phase("DONE", patience=90)
    assert second.alive
    team.stop()
    consumer.stop()
    assert_done(there, creates=1)


def test_cut_off_from_the_api_server(team: Team, tell: Tell) -> None:
    """A leader that reaches the API server no more ends its work before another begins."""
    there = team.there
    there.document["policies"]["desk"]["revoke"] = "manual"
    consumer = there.consumer()
    with Cable(team.kube.port) as cable:
        first = team.member(port=cable.port)
        first.wait_for("leader")
        second = team.member()
        second.wait_for("standby")
        there.wait_for_phase("DRAINING")
        cable.cut()
        cut = time.monotonic()
        second.wait_for("leader")
        seconds = time.monotonic() - cut
        tell(f"cut off: another leads {seconds:.2f} s later, {seconds - DURATION:+.2f} s")
        assert seconds <= DURATION + MARGIN
        first.wait_for("stood_down", cut_off=0)
        second.wait_for("pass")
        there.order("complete")
        there.wait_for_phase("DONE")
        cable.mend()
        until(lambda: len(first.events("started")) == 2, "the first has begun again")
        first.wait_for("standby")
        team.stop()
    team.assert_one_leader_at_a_time()
    consumer.stop()
    assert_done(there, creates=1)


def test_the_api_server_restarts(build: Build, kube: KubeServer, namespace: str, pod: Pod) -> None:
    """A short silence of the API server changes nothing; a long one stops all work for a while."""
    team = Team(build(policy={"revoke": "manual"}), kube, namespace, pod, CALM)
    there, consumer = team.there, team.there.consumer()
    first, others = team.start(2)
    there.wait_for_phase("DRAINING")
    team.kube.pause()
    time.sleep(2)
    team.kube.resume()
    time.sleep(RENEWALS)
    assert not first.events("lease_lost")
    team.kube.kill()
    first.wait_for("lease_lost")
    first.wait_for("stood_down", cut_off=0)
    there.order("complete")
    team.kube.launch()
    there.wait_for_phase("DONE")
    assert len(first.events("leader")) + len(others[0].events("leader")) == 2
    team.stop()
    team.assert_one_leader_at_a_time()
    consumer.stop()
    assert_done(there, creates=1)
