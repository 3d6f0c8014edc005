"""A dashboard's panels asked as Grafana asks them: variables filled in, then sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.deploy.prometheus import Prometheus

VARIABLE: Final = re.compile(r"\$(\w+)")
EVERYTHING: Final = ".*"
MOST_POINTS: Final = 400

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Span:
    """The time that a dashboard shows: seconds since the epoch, and between two scrapes."""

    start: float
    end: float
    scrape: float = 1.0

    @property
    def step(self) -> float:
        """Return the seconds between two points of a line."""
        return max(self.scrape, round((self.end - self.start) / MOST_POINTS, 1))

    @property
    def built_in(self) -> dict[str, str]:
        """Return Grafana's own variables for this span, by its rules."""
        rate = max(self.step + self.scrape, 4 * self.scrape)
        return {
            "__rate_interval": f"{max(rate, 15):.0f}s",
            "__range": f"{self.end - self.start:.0f}s",
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """What one query of a panel came to; `series` as Prometheus tells them."""

    ref: str
    expr: str
    legend: str
    series: list[Json] = field(default_factory=list)


def filled(expr: str, values: Mapping[str, str]) -> str:
    """Return an expression with its variables replaced; raises KeyError for an unknown one."""
    return VARIABLE.sub(lambda found: values[found[1]], expr)


def asked(server: Prometheus, panel: Json, span: Span, values: Mapping[str, str]) -> list[Answer]:
    """Ask every query of a panel."""
    return [_asked(server, target, span, values) for target in panel["targets"]]


def _asked(server: Prometheus, target: Json, span: Span, values: Mapping[str, str]) -> Answer:
    expr = filled(target["expr"], {**span.built_in, **values})
    instant = target.get("instant") is True
    series = server.now(expr) if instant else server.over(expr, span.start, span.end, span.step)
    return Answer(target["refId"], expr, target.get("legendFormat", ""), series)


def choices(document: Json, **chosen: str) -> dict[str, str]:
    """Return a value for each of a dashboard's variables: all, unless one is chosen."""
    names = [variable["name"] for variable in document["templating"]["list"]]
    return {name: chosen.get(name, EVERYTHING) for name in names}
