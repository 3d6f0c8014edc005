"""The alert files follow from their source, and keep the rules of their readers."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from deploy.monitoring.alerts.catalogue import ALERTS, GROUPS
from deploy.monitoring.alerts.files import FILES, uid_of
from deploy.monitoring.alerts.promql import SELECTOR
from deploy.monitoring.alerts.rule import Alert, Severity
from deploy.monitoring.panels import PANELS
from rotator.core.findings import Code
from rotator.core.outcome import Meaning
from rotator.core.record import Phase
from rotator.exchanges.port import Operation
from rotator.observe.metrics import OK, Metrics, PassResult, Result
from rotator.observe.view import OPEN_PHASES, WaitsOn
from tests.deploy.alerts.queries import NOT_OURS, foreign_metrics, selectors
from tests.house.tree import ROOT

PROMETHEUS = ROOT / "deploy/prometheus/rotator.rules.yaml"
GRAFANA = ROOT / "deploy/grafana/alerting/rotator.yaml"
CHART = ROOT / "helm/rotator/files/alerts.yaml"
CREDENTIAL = {"account", "credential"}
VALUES = {
    "code": {code.value for code in Code},
    "phase": {phase.value for phase in (*Phase, *OPEN_PHASES)},
    "outcome": {OK, *(meaning.value for meaning in Meaning)},
    "operation": {operation.value for operation in Operation},
    "on": {on.value for on in WaitsOn},
    "result": {each.value for each in (*Result, *PassResult)},
    "severity": {severity.value for severity in Severity},
    "job": {"rotator"},
}
"""What the values of a label can be."""

each = pytest.mark.parametrize("alert", ALERTS, ids=[alert.name for alert in ALERTS])


def expression(alert: Alert) -> str:
    """Return an alert's expression as Prometheus gets it."""
    return alert.expr.replace(SELECTOR, 'job="rotator"')


def rules(file: Path) -> list[dict[str, Any]]:
    """Return the rules of a file, of whatever form."""
    return [rule for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("name", FILES)
def test_the_files_follow_from_their_source(name: str) -> None:
    """`make monitoring` would change nothing."""
    assert (ROOT / name).read_text() == FILES[name]()


def test_whoever_looks_comes_first() -> None:
    """The first alert is the daemon that is gone, the second the one that has stopped looking."""
    assert [alert.name for alert in ALERTS[:2]] == ["RotatorDown", "RotatorPassStalled"]


@each
def test_every_metric_is_one_that_is_exported(alert: Alert) -> None:
    """An alert names no metric, label or label value that Rotator does not export."""
    assert foreign_metrics([expression(alert)]) == set()
    for selector in selectors(expression(alert)):
        for matcher in selector.matchers.matchers:
            values = set(matcher.value.split("|"))
            assert values <= VALUES[matcher.name], matcher.name


def test_what_the_library_brings_is_there() -> None:
    """The metrics that are not in the catalogue stand on Rotator's page all the same."""
    page = Metrics().text(gzip=False).decode()
    assert {name for name in NOT_OURS if name != "up" and f"\n{name} " not in page} == set()


@each
def test_every_selector_can_be_replaced(alert: Alert) -> None:
    """Each selector begins with the placeholder of the scrape job."""
    count = len(list(selectors(expression(alert))))
    assert alert.expr.count(SELECTOR) == count > 0


@each
def test_every_alert_says_what_it_must(alert: Alert) -> None:
    """A fixed sentence, a description that names what the alert is about, one colon of time."""
    assert re.fullmatch(r"[A-Z][^{}]+\.", alert.summary)
    assert alert.description.endswith(".")
    for label in set(alert.by) - {"namespace", "pod", "what", "code"}:
        assert f"$labels.{label}" in alert.description, label
    assert set(re.findall(r"\$labels\.(\w+)", alert.description)) <= set(alert.by)
    assert re.fullmatch(r"\d+[mh]", alert.hold)
    assert re.fullmatch(r"Rotator([A-Z][a-z]+)+", alert.name)


@each
def test_no_page_is_about_one_credential(alert: Alert) -> None:
    """Pages group by exchange, code and owner; only tickets name a credential."""
    if alert.severity is Severity.CRITICAL:
        assert not CREDENTIAL & set(alert.by)
        assert set(alert.by) <= {"exchange", "code", "owner", "namespace"}


def test_names_are_unique_and_have_one_severity() -> None:
    """No two alerts share a name, so that a critical one inhibits no other's warning."""
    assert len({alert.name for alert in ALERTS}) == len(ALERTS)
    assert len({group.name for group in GROUPS}) == len(GROUPS)


def test_every_alert_has_its_panel() -> None:
    """Each alert links to a panel, and a panel's number means one title."""
    assert list(PANELS) == [alert.name for alert in ALERTS]
    numbers = {(panel.dashboard, panel.number) for panel in PANELS.values()}
    assert len(numbers) == len(set(PANELS.values()))


def test_grafana_reads_what_it_must() -> None:
    """Grafana's rules have uids of their own, a query, a condition, and no stray dollar sign."""
    found = rules(GRAFANA)
    assert [rule["title"] for rule in found] == [alert.name for alert in ALERTS]
    assert len({rule["uid"] for rule in found}) == len(found)
    for rule, alert in zip(found, ALERTS, strict=True):
        assert rule["uid"] == uid_of(alert)
        assert re.fullmatch(r"[a-z-]{1,40}", rule["uid"])
        query, condition = rule["data"]
        assert query["model"]["expr"] == expression(alert)
        assert condition["refId"] == rule["condition"]
        assert condition["model"]["expression"] == query["refId"]
        assert (rule["dashboardUid"], rule["panelId"]) == (
            PANELS[alert.name].dashboard,
            PANELS[alert.name].number,
        )
        annotations = rule.pop("annotations")
        assert "$" not in yaml.safe_dump(rule)
        assert not re.search(r"\$(?!labels\.|values\.A\.Value)", yaml.safe_dump(annotations))


def test_the_chart_gets_the_same_rules() -> None:
    """The chart's file is the plain one with placeholders for what an installation decides."""
    text = CHART.read_text()
    replaced = (
        text.replace("%SELECTOR%", 'job="rotator"')
        .replace("%RUNBOOKS%", "https://rotator.example/runbooks")
        .replace("%GRAFANA%", "https://grafana.example")
    )
    found = [
        {"alert": alert.pop("name"), **alert}
        for group in yaml.safe_load(replaced)["groups"]
        for alert in group["alerts"]
    ]
    assert found == rules(PROMETHEUS)
    assert 'job="rotator"' not in text


@each
def test_a_second_parser_reads_the_expressions(alert: Alert) -> None:
    """An expression is PromQL to a parser other than Prometheus' own as well."""
    assert promql_parser.parse(expression(alert))


@pytest.mark.real
def test_promtool_finds_nothing(promtool: Path) -> None:
    """Prometheus' own linter has nothing to say."""
    command: list[str | Path] = [
        promtool,
        "check",
        "rules",
        "--lint=all",
        "--lint-fatal",
        PROMETHEUS,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(ALERTS)} rules found" in done.stdout
