"""Calls are timed and counted from outside."""

from __future__ import annotations

from datetime import timedelta

from rotator.observe import wrap
from rotator.observe.metrics import Metrics
from tests.observe.views import NOW, of, samples


def counted(metrics: Metrics, name: str) -> dict[tuple[tuple[str, str], ...], float]:
    """Return a counter's series."""
    return of(samples(metrics.text(gzip=False)), name)


def test_an_exchange_call_is_counted_by_its_outcome() -> None:
    """Success is ok, a failure its meaning, and the time is summed."""
    metrics = Metrics()
    told = wrap.exchange_answers(metrics, "bybit", lambda: NOW)
    told("inspect", "ok", 0.5, None)
    told("inspect", "banned", 0.5, None)
    counts = counted(metrics, "rotator_exchange_requests_total")
    assert {dict(labels)["outcome"] for labels in counts} == {"ok", "banned"}
    spent = counted(metrics, "rotator_exchange_request_duration_seconds_sum")
    assert sum(spent.values()) == 1.0


def test_a_store_call_is_counted_by_its_status() -> None:
    """Each status is a series of its own."""
    metrics = Metrics()
    told = wrap.store_requests(metrics)
    for code in ("200", "403", "no_answer"):
        told("read", code, 0.1)
    counts = counted(metrics, "rotator_store_requests_total")
    assert {dict(labels)["code"] for labels in counts} == {"200", "403", "no_answer"}


def test_the_exchange_s_date_gives_the_clocks_difference() -> None:
    """An exchange that is ahead has a positive skew."""
    metrics = Metrics()
    told = wrap.exchange_answers(metrics, "bybit", lambda: NOW)
    told("inspect", "ok", 0.1, NOW + timedelta(seconds=2))
    assert counted(metrics, "rotator_exchange_clock_skew_seconds") == {
        (("exchange", "bybit"),): 2.0
    }
