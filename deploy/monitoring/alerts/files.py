"""The alerts in the form of each file that carries them."""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

from deploy.monitoring.alerts.catalogue import GROUPS
from deploy.monitoring.alerts.links import EXAMPLE, Links
from deploy.monitoring.alerts.promql import SELECTOR
from deploy.monitoring.alerts.rule import Alert
from deploy.monitoring.panels import PANELS

JOB: Final = 'job="rotator"'
CHART_LINKS: Final = Links("%RUNBOOKS%", "%GRAFANA%")
MADE: Final = "Made by `python -m deploy.monitoring alerts` from deploy/monitoring/alerts."
SOURCE: Final = "prometheus"
"""The uid of the data source in the provisioned file."""

LOWEST: Final = -1.0e300
"""Below every value: whatever a query returns is a condition that holds."""

Document = dict[str, Any]


class _Dumper(yaml.SafeDumper):
    """Writes expressions as blocks, so that people can read them."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def prometheus() -> str:
    """Return the rule file that Prometheus reads."""
    about = (
        f"{MADE}\n"
        'The scrape job is called "rotator"; write your own addresses in place of\n'
        f"{EXAMPLE.runbooks} and {EXAMPLE.grafana}."
    )
    groups = [
        {"name": group.name, "rules": [_rule(a, "alert", JOB, EXAMPLE) for a in group.alerts]}
        for group in GROUPS
    ]
    return _dumped(about, {"groups": groups})


def chart() -> str:
    """Return what the chart's PrometheusRule is rendered from.

    The template replaces `%SELECTOR%`, `%RUNBOOKS%` and `%GRAFANA%`.
    """
    about = f"{MADE}\nThe template replaces %SELECTOR%, %RUNBOOKS% and %GRAFANA%."
    groups = [
        {
            "name": group.name,
            "alerts": [_rule(a, "name", SELECTOR, CHART_LINKS) for a in group.alerts],
        }
        for group in GROUPS
    ]
    return _dumped(about, {"groups": groups})


def grafana() -> str:
    """Return the file from which Grafana provisions the same alerts as its own.

    Grafana expands `$NAME` in all strings but queries and annotations: here only
    annotations have a dollar sign.
    """
    about = (
        f"{MADE}\n"
        "Goes to Grafana's provisioning/alerting/ folder. The data source has the uid\n"
        "`prometheus`, its scrape job is called `rotator`."
    )
    return _dumped(about, _provisioned(JOB, SOURCE, EXAMPLE))


def chart_grafana() -> str:
    """Return what the chart's ConfigMap for Grafana is rendered from.

    The template replaces `%SELECTOR%`, `%RUNBOOKS%` and `%DATASOURCE%`.
    """
    about = f"{MADE}\nThe template replaces %SELECTOR%, %RUNBOOKS% and %DATASOURCE%."
    return _dumped(about, _provisioned(SELECTOR, "%DATASOURCE%", CHART_LINKS))


def _provisioned(selector: str, source: str, links: Links) -> Document:
    groups = [
        {
            "orgId": 1,
            "name": group.name,
            "folder": "Rotator",
            "interval": "1m",
            "rules": [_managed(alert, selector, source, links) for alert in group.alerts],
        }
        for group in GROUPS
    ]
    return {"apiVersion": 1, "groups": groups}


def _rule(alert: Alert, naming: str, selector: str, links: Links) -> Document:
    return {
        naming: alert.name,
        "expr": alert.expr.replace(SELECTOR, selector),
        "for": alert.hold,
        "labels": {"severity": alert.severity.value, **alert.labels},
        "annotations": {
            "summary": alert.summary,
            "description": alert.description,
            "runbook_url": links.runbook(alert),
            "dashboard_url": links.dashboard(alert),
        },
    }


def _managed(alert: Alert, selector: str, source: str, links: Links) -> Document:
    panel = PANELS[alert.name]
    return {
        "uid": uid_of(alert),
        "title": alert.name,
        "condition": "B",
        "data": [
            {
                "refId": "A",
                "datasourceUid": source,
                "relativeTimeRange": {"from": 600, "to": 0},
                "model": {
                    "refId": "A",
                    "expr": alert.expr.replace(SELECTOR, selector),
                    "instant": True,
                    "range": False,
                    "editorMode": "code",
                },
            },
            {
                "refId": "B",
                "datasourceUid": "__expr__",
                "model": {
                    "refId": "B",
                    "type": "threshold",
                    "expression": "A",
                    "conditions": [{"evaluator": {"type": "gt", "params": [LOWEST]}}],
                },
            },
        ],
        "noDataState": "OK",
        "execErrState": "Error",
        "for": alert.hold,
        "isPaused": False,
        "dashboardUid": panel.dashboard,
        "panelId": panel.number,
        "labels": {"severity": alert.severity.value, **alert.labels},
        "annotations": {
            "summary": alert.summary,
            "description": alert.description.replace("$value", "$values.A.Value"),
            "runbook_url": links.runbook(alert),
        },
    }


def uid_of(alert: Alert) -> str:
    """Return the uid of an alert in Grafana: its name in lower case with dashes."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", alert.name).lower()


def _dumped(about: str, document: Document) -> str:
    head = "".join(f"# {line}\n" for line in about.splitlines())
    return head + yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=200)


FILES: Final = {
    "deploy/prometheus/rotator.rules.yaml": prometheus,
    "deploy/grafana/alerting/rotator.yaml": grafana,
    "helm/rotator/files/alerts.yaml": chart,
    "helm/rotator/files/grafana-alerts.yaml": chart_grafana,
}
"""Path from the project's root to what writes its text."""
