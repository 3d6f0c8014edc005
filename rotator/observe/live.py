"""Counters, durations and present states, fed as things happen.

They live in an injected registry and are few.  A gauge that was never set has no
series: a state that nobody knows is never shown as 0.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from rotator.observe.catalogue import METRICS, Kind, Source
from rotator.observe.exposition import clean, escape, number


class Gauges(Collector):
    """Present values; setting None takes a series away."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[str, dict[tuple[str, ...], float]] = {
            m.name: {} for m in METRICS if m.source is Source.LIVE and m.kind is Kind.GAUGE
        }

    def set(self, name: str, value: float | None, *labels: str) -> None:
        """Set, or with None remove, the series of `name` with these label values."""
        key = tuple(clean(label) for label in labels)
        with self._lock:
            if value is None:
                self._values[name].pop(key, None)
            else:
                self._values[name][key] = float(value)

    def describe(self) -> Iterable[Metric]:
        """Say nothing: the names are fixed by the catalogue."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges that have a value."""
        with self._lock:
            values = {name: dict(series) for name, series in self._values.items() if series}
        for m in METRICS:
            if m.name not in values:
                continue
            family = GaugeMetricFamily(m.full_name, m.meaning, labels=m.labels)
            for key, value in values[m.name].items():
                family.add_metric(key, value)
            yield family


def counters(registry: CollectorRegistry) -> dict[str, Counter]:
    """Register and return every counter of the catalogue by its name."""
    return {
        m.name: Counter(m.full_name, m.meaning, m.labels, registry=registry)
        for m in METRICS
        if m.kind is Kind.COUNTER
    }


def histograms(registry: CollectorRegistry) -> dict[str, Histogram]:
    """Register and return every histogram of the catalogue by its name."""
    return {
        m.name: Histogram(m.full_name, m.meaning, m.labels, registry=registry, buckets=m.buckets)
        for m in METRICS
        if m.kind is Kind.HISTOGRAM
    }


def text(registry: CollectorRegistry) -> bytes:
    """Render a registry in the text format.

    The creation times that the library adds to every counter and histogram are
    left out: they double the series and nobody asks for them.
    """
    lines: list[str] = []
    for metric in registry.collect():
        name = f"{metric.name}_total" if metric.type == "counter" else metric.name
        meaning = metric.documentation.replace("\\", "\\\\").replace("\n", "\\n")
        lines.append(f"# HELP {name} {meaning}")
        lines.append(f"# TYPE {name} {metric.type}")
        created = f"{metric.name}_created"
        for sample in metric.samples:
            if sample.name == created:
                continue
            labels = ",".join(f'{k}="{escape(v)}"' for k, v in sample.labels.items())
            braces = f"{{{labels}}}" if labels else ""
            lines.append(f"{sample.name}{braces} {number(sample.value)}")
    return ("\n".join(lines) + "\n").encode() if lines else b""
