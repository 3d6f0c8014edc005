"""All metrics of one process: what is fed, and the text of a scrape.

`render(view)` is the slow half and runs in a worker thread once per change;
`text()` adds the few live series and may be called from any thread.  Nothing
here reads a clock: times and durations are given.
"""

from __future__ import annotations

import platform
import threading
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import product

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector

from rotator.core.outcome import Meaning
from rotator.core.record import Phase, Trigger
from rotator.observe import live
from rotator.observe.exposition import Page, clean
from rotator.observe.render import PerCredential, Renderer
from rotator.observe.view import View

OK = "ok"
"""The outcome of a call that succeeded."""

SILENT = frozenset({Meaning.MAINTENANCE.value, Meaning.UNKNOWN_OUTCOME.value})
"""Outcomes that mean that the exchange did not answer the question."""


class Result(StrEnum):
    """How a rotation ended."""

    DONE = "done"
    ABORTED = "aborted"
    ROLLED_BACK = "rolled_back"
    QUARANTINED = "quarantined"


class PassResult(StrEnum):
    """How a pass ended: over the whole inventory, over a part, or not at all."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    FAILED = "failed"


class Metrics:
    """The metrics of one process; every method is safe to call from any thread."""

    def __init__(
        self,
        registry: CollectorRegistry | None = None,
        *,
        per_credential: PerCredential = PerCredential.ALL,
        soon: timedelta = timedelta(days=7),
        version: str = "",
        revision: str = "",
    ) -> None:
        self.registry = CollectorRegistry() if registry is None else registry
        self._renderer = Renderer(per_credential, soon)
        self._rendering = threading.Lock()
        self._page = Page()
        self._shown: int | None = None
        self._store: dict[tuple[str, str], tuple[Counter, Histogram]] = {}
        self._gauges = live.Gauges()
        self.registry.register(self._gauges)
        self._counters = live.counters(self.registry)
        self._histograms = live.histograms(self.registry)
        ProcessCollector(registry=self.registry)
        for result in PassResult:
            self._counters["passes_total"].labels(result.value)
        self._gauges.set("build_info", 1, version, revision, platform.python_version())

    # What a scrape gets.

    def render(self, view: View) -> bool:
        """Render a view and keep its text; False if it is the one already shown.

        CPU work of about a tenth of a second per 10,000 credentials: call it in
        a worker thread, never on the event loop.
        """
        with self._rendering:
            shown = hash(view)
            if shown == self._shown:
                return False
            self._page = Page.of(self._renderer.render(view))
            self._shown = shown
            return True

    def clear(self) -> None:
        """Show no credentials at all: for a process that is not the leader."""
        with self._rendering:
            self._page, self._shown = Page(), None

    def text(self, *, gzip: bool) -> bytes:
        """Return the whole exposition, plain or as gzip."""
        return self._page.with_tail(live.text(self.registry), gzip=gzip)

    # What happens.

    def expect(self, exchanges: Iterable[str], strategies: Iterable[str]) -> None:
        """Show the rotation counters of these exchanges as 0 before the first rotation."""
        for exchange, strategy, result, trigger in product(
            exchanges, tuple(strategies), Result, Trigger
        ):
            self._counters["rotations_total"].labels(
                clean(exchange), clean(strategy), result.value, trigger.value
            )

    def rotation_ended(
        self,
        exchange: str,
        strategy: str,
        result: Result,
        trigger: Trigger,
        active_seconds: float | None = None,
    ) -> None:
        """Count a rotation; `active_seconds` is its length without the drain, if known."""
        names = (clean(exchange), clean(strategy))
        self._counters["rotations_total"].labels(*names, result.value, trigger.value).inc()
        if active_seconds is not None:
            self._histograms["rotation_duration_seconds"].labels(*names).observe(active_seconds)

    def phase_left(self, phase: Phase, seconds: float) -> None:
        """Note how long a rotation was in a phase."""
        self._histograms["rotation_phase_duration_seconds"].labels(phase.value).observe(seconds)

    def event_unexpected(self, phase: Phase) -> None:
        """Count an event that the transition table has no row for."""
        self._counters["rotation_unexpected_events_total"].labels(phase.value).inc()

    def store_request(self, operation: str, code: str, seconds: float) -> None:
        """Note a call to the store; `code` is the HTTP status or a word."""
        series = self._store.get((operation, code))
        if series is None:
            names = (clean(operation), clean(code))
            series = (
                self._counters["store_requests_total"].labels(*names),
                self._histograms["store_request_duration_seconds"].labels(*names),
            )
            self._store[operation, code] = series
        requests, durations = series
        requests.inc()
        durations.observe(seconds)

    def store_health(
        self, *, up: bool, sealed: bool | None, token_expires_at: datetime | None
    ) -> None:
        """Set the store's state; None is unknown, or for the token also "never"."""
        self._gauges.set("store_up", up)
        self._gauges.set("store_sealed", sealed)
        self._gauges.set("store_token_expiration_timestamp_seconds", _stamp(token_expires_at))

    def exchange_answer(self, exchange: str, operation: str, outcome: str, seconds: float) -> None:
        """Note a call to an exchange; `outcome` is `ok` or an error meaning."""
        names = (clean(exchange), clean(operation), clean(outcome))
        self._counters["exchange_requests_total"].labels(*names).inc()
        self._histograms["exchange_request_duration_seconds"].labels(*names).observe(seconds)
        self._gauges.set("exchange_up", outcome not in SILENT, exchange)

    def exchange_skew(self, exchange: str, seconds: float | None) -> None:
        """Set the exchange's clock minus ours."""
        self._gauges.set("exchange_clock_skew_seconds", seconds, exchange)

    def exchange_banned(self, exchange: str, until: datetime | None) -> None:
        """Set the end of a ban."""
        self._gauges.set("exchange_banned_until_timestamp_seconds", _stamp(until), exchange)

    def exchange_budget(self, exchange: str, used_ratio: float | None) -> None:
        """Set how much of our share of the rate limit is used, 0 to 1."""
        self._gauges.set("exchange_budget_used_ratio", used_ratio, exchange)

    def leader(self, *, leads: bool) -> None:
        """Say whether this process works or stands by."""
        self._gauges.set("leader", leads)

    def pass_ended(self, result: PassResult, seconds: float, at: datetime) -> None:
        """Count a pass that ended at `at`; one that failed does not move the last success."""
        self._counters["passes_total"].labels(result.value).inc()
        self._histograms["pass_duration_seconds"].observe(seconds)
        if result is not PassResult.FAILED:
            self._gauges.set("pass_last_success_timestamp_seconds", _stamp(at))

    def audit_written(self, sequence: int) -> None:
        """Set the number of the last audit entry."""
        self._gauges.set("audit_sequence", sequence)

    def audit_failed(self) -> None:
        """Count an audit entry that could not be written."""
        self._counters["audit_write_failures_total"].inc()

    def config_read(self, *, succeeded: bool, at: datetime) -> None:
        """Note a reading of the configuration that ended at `at`."""
        self._gauges.set("config_last_reload_successful", succeeded)
        if succeeded:
            self._gauges.set("config_last_reload_success_timestamp_seconds", _stamp(at))


def _stamp(moment: datetime | None) -> float | None:
    return None if moment is None else round(moment.timestamp(), 3)
