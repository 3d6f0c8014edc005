"""Several daemons of one estate that elect a leader on a real API server."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from tests.processes.estate import Estate
from tests.processes.program import Program, until
from tests.servers.kube_server import KubeServer, Pod

DURATION: Final = 6.0
TERMS: Final = {"duration": "6s", "renew_deadline": "4s", "retry": "1s"}
"""Short, with the proportions of the defaults."""

CALM_DURATION: Final = 12.0
CALM: Final = {"duration": "12s", "renew_deadline": "10s", "retry": "1s"}
"""Where nobody may lose it, however busy the machine is."""

RENEWALS: Final = 3.0
"""Seconds in which a leader renews about three times."""

MARGIN: Final = 2.0
"""How much later than the lease's end a new leader may work."""


@dataclass
class Team:
    """An estate whose lease is a Lease; `pod` is what each member finds in its container."""

    there: Estate
    kube: KubeServer
    namespace: str
    pod: Pod
    terms: Mapping[str, str] = field(default_factory=lambda: TERMS)
    members: list[Program] = field(default_factory=list)

    def __post_init__(self) -> None:
        lease = {"kubernetes": {**self.terms, "service_account": str(self.pod.folder)}}
        self.there.document["lease"] = lease
        self.there.document["store"].pop("anchor", None)
        self.there.write_config()

    def member(
        self, *, port: int | None = None, environ: Mapping[str, str] | None = None, **options: Any
    ) -> Program:
        """Start a daemon; `port` is another way to the API server."""
        name = f"member{len(self.members)}"
        pod = self.pod if port is None else self.pod.through(port)
        config = self.there.instance(name)
        around = {**pod.environ, "HOSTNAME": name, **(environ or {})}
        program = self.there.daemon(config=config, environ=around, **options)
        self.members.append(program)
        return program

    def start(self, count: int) -> tuple[Program, list[Program]]:
        """Start members; return the one that leads and those that stand by."""
        first = self.member()
        first.wait_for("leader")
        others = [self.member() for _ in range(count - 1)]
        for other in others:
            other.wait_for("standby")
        return first, others

    def once(self, wait: str = "20s") -> Program:
        """Start a `run --once` that takes part in the election."""
        return self.there.once(wait, environ={**self.pod.environ, "HOSTNAME": "once"})

    def holder(self) -> str:
        """Return who stands in the Lease, without what is random of it."""
        spec = self.kube.lease(self.namespace).get("spec", {})
        return str(spec.get("holderIdentity", "")).partition("_")[0]

    def anchor(self) -> int | None:
        """Return the epoch in the Lease's annotation."""
        found = self.kube.lease(self.namespace).get("metadata", {}).get("annotations", {})
        return int(found["rotator/epoch"]) if "rotator/epoch" in found else None

    def stop(self) -> None:
        """Ask everybody who lives to end, whoever led last: so nobody takes over meanwhile."""
        alive = [m for m in self.members if m.alive]
        for member in sorted(alive, key=lambda m: len(m.events("leader"))):
            assert member.stop() == 0, member.log()[-2000:]

    def assert_one_leader_at_a_time(self) -> None:
        """No two members worked at one time, by the lines that they wrote."""
        spans = sorted(span for member in self.members for span in led(member))
        assert spans
        for (_, end), (begin, _) in itertools.pairwise(spans):
            assert end <= begin, spans


def led(member: Program) -> list[tuple[datetime, datetime]]:
    """Return from when to when a member led; a killed one until its last line."""
    spans: list[tuple[datetime, datetime]] = []
    began: datetime | None = None
    last: datetime | None = None
    for line in lines(member):
        last = datetime.fromisoformat(line["at"])
        if line["event"] == "leader":
            began = last
        if line["event"] == "stood_down" and began is not None:
            spans.append((began, last))
            began = None
    if began is not None and last is not None:
        spans.append((began, last))
    return spans


def lines(member: Program) -> list[dict[str, Any]]:
    """Return every whole log line of a member."""
    whole = [x for x in member.log().splitlines() if x.startswith("{") and x.endswith("}")]
    return [dict(json.loads(x)) for x in whole]


def new_leader(others: list[Program], since: float) -> tuple[Program, float]:
    """Wait for one of them to lead; return it and the seconds since then."""

    def found() -> Program | None:
        return next((o for o in others if o.events("leader")), None)

    program: Program = until(found, "a new leader")
    return program, time.monotonic() - since
