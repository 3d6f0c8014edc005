"""How soon another daemon works, when the leader is killed and when it is asked to end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.bench.estate import HERE, Place, Planted, plant
from tests.bench.servers import ROOT, STOP_SECONDS, Filler
from tests.servers.kube_server import KubeServer, Pod

PATIENCE_SECONDS: Final = 90.0
POLL_SECONDS: Final = 0.005
LOG_POLL_SECONDS: Final = 0.02
ACCOUNT: Final = "rotator"
TERMS: Final = {"duration": "15s", "renew_deadline": "10s", "retry": "2s"}
"""The defaults."""

QUICK_TERMS: Final = {"duration": "3s", "renew_deadline": "2s", "retry": "1s"}


@dataclass(slots=True)
class Replica:
    """A running `rotator run` that takes part in the election."""

    process: subprocess.Popen[bytes]
    log: Path

    def wait_for(self, event: str) -> float:
        """Wait until it has logged an event; return when that was seen, monotonic."""
        sign = f'"event":"{event}"'.encode()
        _wait(lambda: sign in self.log.read_bytes(), f"no {event} in {self.log}", LOG_POLL_SECONDS)
        return time.monotonic()

    def end(self, number: signal.Signals) -> float:
        """Send a signal and return when that was, monotonic."""
        self.process.send_signal(number)
        return time.monotonic()

    def close(self) -> None:
        """Make sure that it is gone."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(STOP_SECONDS)


@dataclass(slots=True)
class Replicas:
    """The daemons of one place, in one namespace of a real API server."""

    place: Place
    kube: KubeServer
    terms: dict[str, str]
    namespace: str = field(init=False)
    pod: Pod = field(init=False)
    started: list[Replica] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.namespace = self.kube.namespace()
        self.kube.account(self.namespace, ACCOUNT)
        self.kube.allow_leases(self.namespace, ACCOUNT)
        self.pod = self.kube.pod(self.place.folder / "pod", self.namespace, ACCOUNT)

    def start(self, until: str) -> Replica:
        """Start one more and wait until it leads or stands by."""
        number = len(self.started)
        config, log = (self.place.folder / f"replica{number}.{end}" for end in ("yaml", "log"))
        config.write_text(json.dumps(self._document()))
        command = [sys.executable, "-m", "rotator", "run", "--config", str(config)]
        around = {**os.environ, **self.pod.environ, "HOSTNAME": f"replica{number}"}
        with log.open("wb") as logs:
            process = subprocess.Popen(command, cwd=ROOT, stderr=logs, env=around)
        replica = Replica(process, log)
        self.started.append(replica)
        replica.wait_for(until)
        return replica

    def wait_for_renewal(self) -> None:
        """Wait until the Lease is renewed: then its holder dies at the worst moment."""
        before = self._renewed()
        _wait(lambda: self._renewed() != before, "the Lease is not renewed", POLL_SECONDS)

    def _renewed(self) -> str:
        return str(self.kube.lease(self.namespace)["spec"]["renewTime"])

    def _document(self) -> dict[str, Any]:
        lease = {"kubernetes": {**self.terms, "service_account": str(self.pod.folder)}}
        document = self.place.document(lease=lease, serve={"listen": f"{HERE}:0"})
        del document["store"]["anchor"]
        return document


def measure(place: Place, filler: Filler, *, rounds: int, quick: bool) -> dict[str, float]:
    """Return `failover_s` and `handover_s`, the worst of some rounds.

    Both end when the new leader has ended a whole pass; from the first the lease's
    duration is taken off, as the design has it.
    """
    names = ("trading/bybit/master", "trading/bybit/desk")
    plant(filler, place.mount, [Planted(n, "bybit", "31000001", "31000001") for n in names])
    terms = QUICK_TERMS if quick else TERMS
    kube = KubeServer()
    replicas = Replicas(place, kube.start(), terms)
    failovers, handovers = [], []
    try:
        leader = replicas.start("pass")
        for _ in range(rounds):
            heir = replicas.start("standby")
            replicas.wait_for_renewal()
            died = leader.end(signal.SIGKILL)
            failovers.append(heir.wait_for("pass") - died - float(terms["duration"][:-1]))
            leader, heir = heir, replicas.start("standby")
            asked = leader.end(signal.SIGTERM)
            handovers.append(heir.wait_for("pass") - asked)
            leader = heir
    finally:
        for replica in replicas.started:
            replica.close()
        kube.close()
    return {"failover_s": max(failovers), "handover_s": max(handovers)}


def _wait(condition: Callable[[], bool], what: str, poll: float) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(what)
        time.sleep(poll)
