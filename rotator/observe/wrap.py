"""Callbacks that let ports be timed and counted from outside.

An adapter neither logs nor counts: whoever opens it hands its client one of
these callbacks, which feed `Metrics`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from rotator.observe.metrics import Metrics

OnRequest = Callable[[str, str, float], None]
"""Called after each store request: operation, HTTP status or word, seconds."""

OnAnswer = Callable[[str, str, float, datetime | None], None]
"""Called after each exchange call: operation, outcome, seconds, its `Date` if any."""


def store_requests(metrics: Metrics) -> OnRequest:
    """Return the callback that a store client calls after each request."""
    return metrics.store_request


def exchange_answers(metrics: Metrics, exchange: str, now: Callable[[], datetime]) -> OnAnswer:
    """Return the callback for one exchange; it also measures the clocks' difference."""

    def on_answer(
        operation: str, outcome: str, seconds: float, server_date: datetime | None = None
    ) -> None:
        metrics.exchange_answer(exchange, operation, outcome, seconds)
        if server_date is not None:
            metrics.exchange_skew(exchange, (server_date - now()).total_seconds())

    return on_answer
