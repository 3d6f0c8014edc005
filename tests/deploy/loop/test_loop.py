"""Every page is provoked by its real cause, and arrives at the receiver."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from deploy.monitoring.alerts.catalogue import ALERTS
from deploy.monitoring.alerts.rule import Severity
from tests.deploy.loop import scaled, stages
from tests.deploy.loop.servers import Receiver, Served, alertmanager, prometheus
from tests.deploy.loop.stages import Cause, Theatre, theatre
from tests.processes.program import HTTP, Sandbox, until
from tests.servers.vault_server import VaultServer
from tests.told import Tell

OWNERS = 40


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Whom Alertmanager tells."""
    with closing(Receiver()) as running:
        yield running


@pytest.fixture
def manager(receiver: Receiver, tmp_path: Path) -> Iterator[Served]:
    """Alertmanager with the example's routes."""
    routes = scaled.routes(f"{receiver.url}/page", f"{receiver.url}/ticket")
    with closing(alertmanager(tmp_path, routes)) as running:
        yield running


@pytest.mark.process
def test_many_owners_are_one_page(receiver: Receiver, manager: Served) -> None:
    """Forty owners whose keys died at one exchange are one message, with all owners inside."""
    alerts = [
        {
            "labels": {
                "alertname": "RotatorCredentialInvalid",
                "severity": "critical",
                "exchange": "bybit",
                "code": "Invalid",
                "owner": f"desk-{number}",
            }
        }
        for number in range(OWNERS)
    ]
    assert HTTP.request("POST", f"{manager.url}/api/v2/alerts", json=alerts).status == 200
    until(lambda: receiver.messages, "a message", 20)
    (message,) = receiver.messages
    assert message.path == "/page"
    assert {a["labels"]["owner"] for a in message.alerts} == {f"desk-{n}" for n in range(OWNERS)}


@pytest.mark.process
@pytest.mark.real
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_every_page_arrives(
    vault: VaultServer, receiver: Receiver, manager: Served, tmp_path: Path, tell: Tell
) -> None:
    """Each critical alert is caused for real and comes to the receiver; times are printed."""
    folder = tmp_path / "sandbox"
    folder.mkdir()
    server = VaultServer(vault.binary, storage="raft")
    with (
        closing(server),
        closing(Sandbox(folder)) as sandbox,
        theatre(server.start(), sandbox, tmp_path) as stage,
    ):
        snapshot = server.save_snapshot()
        rules = {name: scaled.rules(name) for name in stage.stages}
        ports = {name: each.ports for name, each in stage.stages.items()}
        with closing(prometheus(tmp_path, rules, ports, manager)) as running:
            _wait_for_targets(running, sum(map(len, ports.values())))
            loop = Loop(receiver, stage)
            loop.run(snapshot)
            loop.tell(tell)
    assert set(loop.seconds) == {a.name for a in ALERTS if a.severity is Severity.CRITICAL}


def _wait_for_targets(running: Served, count: int) -> None:
    def up() -> bool:
        found = running.get("/api/v1/query", query="count(up == 1)")["data"]["result"]
        return bool(found) and int(found[0]["value"][1]) == count

    until(up, f"{count} targets are up", 30)


class Loop:
    """Causes trouble side by side and waits for every page."""

    def __init__(self, receiver: Receiver, stage: Theatre) -> None:
        self.receiver, self.theatre = receiver, stage
        self.seconds: dict[str, float] = {}

    def run(self, snapshot: bytes) -> None:
        """Do everything; what harms the common Vault comes last."""
        cause = self.theatre.cause
        killed = cause("killed", stages.kill, "RotatorDown")
        leaderless = cause(
            "leaderless", stages.freeze_the_leader, "RotatorNoLeader", "RotatorPassStalled"
        )
        blinded = cause("blinded", stages.take_the_policy, "RotatorNothingInspected")
        armed = cause("rotations", stages.arm, "RotatorAuditFailing")
        one = cause("findings", stages.kill_one_key, "RotatorCredentialInvalid")
        found = cause("findings", stages.let_withdraw, "RotatorWithdrawEnabled")
        found += cause("findings", stages.make_a_foreign_key, "RotatorForeignKey")
        found += cause("findings", stages.near_its_end, "RotatorCredentialExpiryImminent")
        found += cause("findings", stages.of_another_account, "RotatorCriticalFinding")
        banned = cause("banned", stages.ban, "RotatorExchangeBanned")
        found += cause(
            "cut_off",
            stages.cut_off_the_exchange,
            "RotatorExchangeErrorsFast",
            "RotatorExchangeDown",
        )
        found += self._rotations()
        self._arrive(banned)  # without a login nobody looks, and nobody is told of a ban
        found += cause("banned", stages.remove_the_role, "RotatorStoreTokenExpiring")
        self._arrive(one)
        found += cause("findings", stages.kill_the_other_keys, "RotatorMassInvalidation")
        self._arrive(leaderless)
        found += cause("leaderless", stages.cut_off_vault, "RotatorStoreDown")
        self._arrive(killed + armed + blinded + found)
        server = self.theatre.vault
        restored = cause(
            "findings", lambda _: server.restore_snapshot(snapshot), "RotatorStoreRestored"
        )
        self._arrive(restored)
        self._arrive(cause("findings", lambda _: server.seal(), "RotatorStoreSealed"))

    def _rotations(self) -> list[Cause]:
        cause, stage = self.theatre.cause, self.theatre.stages["rotations"]
        stages.wait_for(stage, "owed", "VERIFIED", "DRAINING")
        owed = cause("rotations", stages.weaken_the_master, "RotatorRevocationOwed")
        stages.wait_for(stage, "desk0", "DRAINING")
        stages.wait_for(stage, "stuck", "DRAINING")
        owed += cause("rotations", stages.paste_a_third_key, "RotatorQuarantined")
        owed += cause("rotations", stages.delete_the_record, "RotatorRotationStuck")
        return owed

    def _arrive(self, causes: list[Cause]) -> None:
        for each in causes:
            self.seconds[each.alert] = seconds = self._came(each) - each.at
            assert seconds > 0, f"{each.alert} fired before its cause"

    def _came(self, cause: Cause) -> float:
        labels = {"alertname": cause.alert, scaled.STAGE: cause.stage}
        try:
            at, _ = until(lambda: self.receiver.firing(**labels), "", 100)
        except AssertionError:
            message = f"{labels} does not come; there were {self._names()}"
            raise AssertionError(message) from None
        return float(at)

    def _names(self) -> list[tuple[str, str]]:
        return sorted(
            {
                (alert["labels"].get(scaled.STAGE, ""), alert["labels"]["alertname"])
                for message in self.receiver.messages
                for alert in message.alerts
            }
        )

    def tell(self, tell: Tell) -> None:
        """Say how long each page took from its cause, the shortened `for` included."""
        most = scaled.LONGEST_HOLD
        tell(f"from cause to delivery (`for` divided by {scaled.HOLD}, {most} s at most):")
        for name, seconds in sorted(self.seconds.items(), key=lambda item: item[1]):
            tell(f"  {seconds:6.1f} s  {name}")
