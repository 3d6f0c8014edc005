"""Where an alert sends whom it woke: its runbook, and the panel that shows its condition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from deploy.monitoring.alerts.rule import Alert
from deploy.monitoring.panels import PANELS


@dataclass(frozen=True, slots=True)
class Links:
    """The addresses below which runbooks and Grafana are found."""

    runbooks: str
    grafana: str

    def runbook(self, alert: Alert) -> str:
        """Return the address of an alert's runbook."""
        return f"{self.runbooks}/{alert.name}.md"

    def dashboard(self, alert: Alert) -> str:
        """Return the address of an alert's panel, for its exchange if it has one."""
        panel = PANELS[alert.name]
        url = f"{self.grafana}/d/{panel.dashboard}?viewPanel={panel.number}"
        return f"{url}&var-exchange={{{{ $labels.exchange }}}}" if "exchange" in alert.by else url


EXAMPLE: Final = Links("https://rotator.example/runbooks", "https://grafana.example")
"""Stands in the files as they come; whoever copies them writes their own addresses."""
