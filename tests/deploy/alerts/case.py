"""What a promtool test of one alert is made of.

Times are minutes after promtool's start, where the clock stands at 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Fired:
    """One firing alert: the labels that its expression left, and what it says."""

    description: str
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """Series and what an alert makes of them; it must be silent before and after.

    `step` is the minutes between two samples and two evaluations.
    """

    alert: str
    series: dict[str, str]
    quiet: int
    fires: dict[int, tuple[Fired, ...]]
    resolved: int
    step: int = 1

    def document(self, rules: str, rule: dict[str, Any]) -> dict[str, Any]:
        """Return the case as promtool's test file; `rule` is the alert in the file `rules`."""
        annotations = rule["annotations"]
        step = f"{self.step}m"
        silent = [self._at(minute, ()) for minute in (self.quiet, self.resolved)]
        firing = [
            self._at(
                minute,
                tuple(
                    {
                        "exp_labels": {**each.labels, **rule["labels"]},
                        "exp_annotations": {
                            key: text.replace(
                                "{{ $labels.exchange }}", each.labels.get("exchange", "")
                            )
                            for key, text in annotations.items()
                        }
                        | {"description": each.description},
                    }
                    for each in fired
                ),
            )
            for minute, fired in self.fires.items()
        ]
        return {
            "rule_files": [rules],
            "evaluation_interval": step,
            "tests": [
                {
                    "interval": step,
                    "input_series": [
                        {"series": name, "values": values} for name, values in self.series.items()
                    ],
                    "alert_rule_test": silent + firing,
                }
            ],
        }

    def _at(self, minute: int, expected: tuple[dict[str, Any], ...]) -> dict[str, Any]:
        return {
            "eval_time": f"{minute}m",
            "alertname": self.alert,
            "exp_alerts": [
                {key: {k: str(v) for k, v in texts.items()} for key, texts in each.items()}
                for each in expected
            ],
        }


def series(name: str, instance: str = "a:9789", **labels: str) -> str:
    """Return a series of the scrape job; a metric's name stands without its prefix."""
    full = name if name == "up" else f"rotator_{name}"
    every = {"job": "rotator", "instance": instance, **labels}
    return full + "{" + ", ".join(f'{k}="{v}"' for k, v in every.items()) + "}"


def held(*parts: tuple[float | str, int]) -> str:
    """Return promtool's notation of values, each held for so many samples; `_` is none."""
    return " ".join(f"_x{n}" if v == "_" else f"{v}x{n - 1}" for v, n in parts)


def key(exchange: str, name: str, owner: str = "desk-a", account: str = "7001") -> dict[str, str]:
    """Return the labels of a credential."""
    credential = f"secret/trading/{exchange}/{name}"
    return {"exchange": exchange, "account": account, "credential": credential, "owner": owner}


def finding(code: str, severity: str = "critical", **labels: str) -> str:
    """Return the series of one open finding."""
    return series("finding", code=code, severity=severity, **labels)


def findings(code: str, severity: str = "critical", exchange: str = "bybit") -> str:
    """Return the series of the number of such findings at an exchange."""
    return series("findings", exchange=exchange, code=code, severity=severity)


def requests(outcome: str, exchange: str = "bybit", operation: str = "inspect") -> str:
    """Return the series of an exchange's calls with one outcome."""
    return series(
        "exchange_requests_total", exchange=exchange, operation=operation, outcome=outcome
    )
