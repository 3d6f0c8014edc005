"""The examples for Prometheus, Alertmanager and Grafana send each alert where it belongs."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.monitoring.alerts.catalogue import ALERTS
from deploy.monitoring.alerts.rule import Alert, Severity
from tests.house.tree import ROOT

PROMETHEUS = ROOT / "deploy/prometheus/prometheus.yaml"
ALERTMANAGER = ROOT / "deploy/prometheus/alertmanager.yaml"
EXAMPLES = ROOT / "deploy/grafana/alerting/examples"
RECEIVER = {Severity.CRITICAL: "rotator-page", Severity.WARNING: "rotator-ticket"}
BY_NAME = {alert.name: alert for alert in ALERTS}


def read(file: Path) -> dict[str, Any]:
    """Return a YAML file."""
    return dict(yaml.safe_load(file.read_text()))


def say(*command: str | Path) -> str:
    """Run a program that must succeed and return what it says."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def named(matchers: list[str]) -> set[str]:
    """Return the names of the alerts that the matcher of `alertname` names."""
    text = next(m for m in matchers if m.startswith("alertname"))
    return set(re.findall(r"Rotator\w+", text))


@pytest.mark.real
def test_prometheus_takes_its_configuration(promtool: Path) -> None:
    """Prometheus reads the example together with the rules beside it."""
    said = say(promtool, "check", "config", PROMETHEUS)
    assert f"{len(ALERTS)} rules found" in said
    assert [job["job_name"] for job in read(PROMETHEUS)["scrape_configs"]] == ["rotator"]


@pytest.mark.real
def test_alertmanager_takes_its_configuration(amtool: Path) -> None:
    """Alertmanager reads the example."""
    assert "SUCCESS" in say(amtool, "check-config", ALERTMANAGER)


@pytest.mark.real
@pytest.mark.parametrize("alert", ALERTS, ids=[alert.name for alert in ALERTS])
def test_critical_pages_and_warning_is_a_ticket(alert: Alert, amtool: Path) -> None:
    """Each alert goes to one receiver, by its severity."""
    labels = [f"alertname={alert.name}", f"severity={alert.severity}", "exchange=bybit"]
    route = (amtool, "config", "routes", "test", f"--config.file={ALERTMANAGER}")
    assert say(*route, *labels).strip() == RECEIVER[alert.severity]


def test_many_credentials_are_one_message() -> None:
    """Both examples group by alert, exchange and reason, and by nothing finer."""
    route = read(ALERTMANAGER)["route"]
    (policy,) = read(EXAMPLES / "policies.yaml")["policies"]
    assert route["group_by"] == ["alertname", "exchange", "code"]
    assert policy["group_by"] == ["grafana_folder", *route["group_by"]]
    assert not any("group_by" in inner for inner in (*route["routes"], *policy["routes"]))


def test_grafana_knows_the_receivers() -> None:
    """Each route of Grafana's example leads to a contact point of the example."""
    points = {p["name"] for p in read(EXAMPLES / "contact-points.yaml")["contactPoints"]}
    (policy,) = read(EXAMPLES / "policies.yaml")["policies"]
    routes = {
        {name: value for name, _, value in route["object_matchers"]}["severity"]: route
        for route in policy["routes"]
    }
    assert {s: route["receiver"] for s, route in routes.items()} == RECEIVER
    assert {policy["receiver"], *RECEIVER.values()} == points


def test_only_consequences_are_silenced() -> None:
    """Who silences and who is silenced are alerts, never one name, and share what is compared."""
    for rule in read(ALERTMANAGER)["inhibit_rules"]:
        causes, consequences = named(rule["source_matchers"]), named(rule["target_matchers"])
        assert causes | consequences <= set(BY_NAME)
        assert not causes & consequences
        for label in rule.get("equal", ()):
            assert all(label in BY_NAME[name].by for name in causes | consequences)
