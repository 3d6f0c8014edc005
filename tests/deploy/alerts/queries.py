"""What PromQL expressions ask for, read with a parser that is not Prometheus' own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import promql_parser

from rotator.observe.catalogue import METRICS, Kind

PREFIX_OF_HISTOGRAM = ("_bucket", "_count", "_sum")
NOT_OURS = {
    "up": {"job", "instance", "namespace", "pod"},
    "process_start_time_seconds": {"job", "instance", "namespace", "pod"},
}
"""Metrics that Prometheus itself or the client library brings, with their labels."""

TARGET = {"job", "instance", "namespace", "pod"}


def exported() -> dict[str, set[str]]:
    """Return every series name that Rotator exports, with its labels and its target's."""
    names = dict(NOT_OURS)
    for metric in METRICS:
        labels = {*metric.labels, *TARGET}
        if metric.kind is Kind.HISTOGRAM:
            names |= {metric.full_name + end: {*labels, "le"} for end in PREFIX_OF_HISTOGRAM}
        else:
            names[metric.full_name] = labels
    return names


def selectors(query: str) -> Iterator[promql_parser.VectorSelector]:
    """Yield every selector of a query.  Raises ValueError if it does not parse."""
    found: list[promql_parser.VectorSelector] = []

    def note(expression: promql_parser.Expr) -> bool:
        if isinstance(expression, promql_parser.VectorSelector):
            found.append(expression)
        return True

    promql_parser.walk(promql_parser.parse(query), note)
    return iter(found)


def foreign_metrics(queries: Iterable[str]) -> set[str]:
    """Return the metrics, or `metric:label`, of the queries that nobody exports."""
    known = exported()
    wrong: set[str] = set()
    for query in queries:
        for selector in selectors(query):
            name = selector.name or ""
            if name not in known:
                wrong.add(name)
                continue
            labels = {matcher.name for matcher in selector.matchers.matchers}
            wrong |= {f"{name}:{label}" for label in labels - known[name]}
    return wrong
