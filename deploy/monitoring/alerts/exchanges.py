"""Alerts about exchanges: silent, banning us, failing, or of another time."""

from __future__ import annotations

from deploy.monitoring.alerts.promql import burn, of_leader, series
from deploy.monitoring.alerts.rule import Alert, Group, Severity

LIMITED = series("rotator_exchange_requests_total", 'outcome="rate_limited"')
BY = ("exchange",)

EXCHANGES = Group(
    "rotator.exchanges",
    (
        Alert(
            "RotatorExchangeDown",
            Severity.CRITICAL,
            "15m",
            f"max by (exchange) {of_leader('rotator_exchange_up')} == 0",
            "An exchange gives no answer.",
            "{{ $labels.exchange }} has answered none of Rotator's calls for 15 minutes. Its keys"
            " are judged by what was known before.",
            by=BY,
        ),
        # A short stop after too many requests is no ban worth a page.
        Alert(
            "RotatorExchangeBanned",
            Severity.CRITICAL,
            "1m",
            "max by (exchange)"
            f" {of_leader('rotator_exchange_banned_until_timestamp_seconds')} - time() > 0",
            "An exchange has banned us.",
            "{{ $labels.exchange }} refuses everything from our address for another"
            " {{ $value | humanizeDuration }}. Trading from the same address may be hit too.",
            by=BY,
        ),
        Alert(
            "RotatorExchangeErrorsFast",
            Severity.CRITICAL,
            "2m",
            burn("1h", "5m", 14.4),
            "An exchange fails many of our calls.",
            "{{ $value | humanizePercentage }} of the calls to {{ $labels.exchange }} failed in"
            " the last hour, and it goes on.",
            by=BY,
            labels={"long": "1h", "short": "5m"},
        ),
        Alert(
            "RotatorExchangeErrorsSlow",
            Severity.WARNING,
            "15m",
            burn("6h", "30m", 6),
            "An exchange fails some of our calls, for hours.",
            "{{ $value | humanizePercentage }} of the calls to {{ $labels.exchange }} failed in"
            " the last six hours, and it goes on.",
            by=BY,
            labels={"long": "6h", "short": "30m"},
        ),
        Alert(
            "RotatorExchangeRateLimited",
            Severity.WARNING,
            "15m",
            f"sum by (exchange) (increase({LIMITED}[1h])) > 5",
            "An exchange tells us to slow down.",
            "{{ $labels.exchange }} refused about {{ $value | humanize }} calls in an hour because"
            " the rate limit is used up. Rotator and the bots of the same address share it.",
            by=BY,
        ),
        # Exchanges accept signatures that are 5 seconds off; from 30 on nothing is deleted.
        Alert(
            "RotatorClockSkew",
            Severity.WARNING,
            "10m",
            f"max by (exchange) (abs{of_leader('rotator_exchange_clock_skew_seconds')}) > 5",
            "Our clock and an exchange's differ.",
            "The clock of {{ $labels.exchange }} and ours differ by"
            " {{ $value | humanizeDuration }}. From 5 seconds on signatures are refused, from 30"
            " on rotations wait.",
            by=BY,
        ),
    ),
)
