"""What an alert is, before it takes the form of any file."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Severity(StrEnum):
    """Critical wakes a person, warning is a ticket."""

    CRITICAL = "critical"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert.

    `hold` is Prometheus' `for`.  `summary` is a fixed sentence, `description` a
    template over `$labels` and `$value` in the words that Prometheus and Grafana
    share.  `by` are the labels that the expression leaves; `labels` are added.
    """

    name: str
    severity: Severity
    hold: str
    expr: str
    summary: str
    description: str
    by: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Group:
    """Alerts that are evaluated together."""

    name: str
    alerts: tuple[Alert, ...]
