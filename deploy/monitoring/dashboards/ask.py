"""PromQL over the metrics of the catalogue, narrowed by a dashboard's variables.

A name that is not exported is an error here, before any file is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rotator.observe.catalogue import BY_NAME, CREDENTIAL

CHOSEN: Final = ("exchange", "account")
"""The labels that every dashboard of credentials has a variable for."""

PLACE: Final = CREDENTIAL
"""What names one credential in a table, and whose it is."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One query of a panel, and how its series are called there."""

    expr: str
    legend: str = ""


def series(name: str, *matchers: str, suffix: str = "") -> str:
    """Return the selector of a metric (its name without the prefix), as the variables narrow it."""
    metric = BY_NAME[name]
    chosen = [f'{label}=~"${label}"' for label in CHOSEN if label in metric.labels]
    narrowed = ", ".join(('job=~"$job"', *chosen, *matchers))
    return f"{metric.full_name}{suffix}{{{narrowed}}}"


def level(name: str, *matchers: str) -> str:
    """Return a gauge once for each of its label sets, however many replicas tell it."""
    labels = BY_NAME[name].labels
    by = f"by ({', '.join(labels)}) " if labels else ""
    return f"max {by}({series(name, *matchers)})"


def total(name: str, *matchers: str, by: str = "") -> str:
    """Return the sum of a gauge, for each value of the labels `by`."""
    grouped = f"by ({by}) " if by else ""
    return f"sum {grouped}({level(name, *matchers)})"


def zero(name: str) -> str:
    """Return 0 while a gauge is exported at all, else nothing: never 0 for unknown."""
    return f"0 * count({series(name)})"


def rate(name: str, *matchers: str, by: str, suffix: str = "") -> str:
    """Return the rate of a counter by labels."""
    return f"sum by ({by}) (rate({series(name, *matchers, suffix=suffix)}[$__rate_interval]))"


def slowest(name: str, by: str, *matchers: str) -> str:
    """Return the time within which 95 of 100 observations of a histogram ended."""
    return f"histogram_quantile(0.95, {rate(name, *matchers, by=f'le, {by}', suffix='_bucket')})"
