"""All alerts, the most important group first: who looks, then what is seen."""

from __future__ import annotations

from typing import Final

from deploy.monitoring.alerts.credentials import CREDENTIALS
from deploy.monitoring.alerts.daemon import DAEMON
from deploy.monitoring.alerts.exchanges import EXCHANGES
from deploy.monitoring.alerts.rotations import ROTATIONS
from deploy.monitoring.alerts.rule import Alert, Group
from deploy.monitoring.alerts.store import STORE

GROUPS: Final[tuple[Group, ...]] = (DAEMON, STORE, CREDENTIALS, ROTATIONS, EXCHANGES)
ALERTS: Final[tuple[Alert, ...]] = tuple(alert for group in GROUPS for alert in group.alerts)


def alert_table() -> str:
    """Return the table of all alerts in Markdown, for the documentation."""
    head = ["| alert | severity | after | meaning |", "| --- | --- | --- | --- |"]
    rows = [
        f"| [{a.name}](deploy/runbooks/{a.name}.md) | {a.severity} | {a.hold} | {a.summary} |"
        for a in ALERTS
    ]
    return "\n".join([*head, *rows]) + "\n"
