"""Every metric that is exported, as data: name, type, labels and meaning.

The renderer and the counters look their families up here, so a metric that is
not in this table cannot be exported; the documentation's table is made from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

PREFIX = "rotator_"

CREDENTIAL = ("exchange", "account", "credential", "owner")
"""The labels of one credential; never a key id."""


class Kind(StrEnum):
    """The metric types of the text format that are in use."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


class Source(StrEnum):
    """Where a metric's values come from."""

    VIEW = "view"
    """Rendered from a `View`, once per change."""
    LIVE = "live"
    """Fed as things happen, rendered at each scrape."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One family; `name` without the prefix, `buckets` in seconds."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str
    source: Source
    buckets: tuple[float, ...] = ()

    @property
    def full_name(self) -> str:
        """The name as it is exported."""
        return PREFIX + self.name


REQUEST_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
PASS_SECONDS = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
ROTATION_SECONDS = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
PHASE_SECONDS = (0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0, 1800.0, 7200.0, 21600.0, 86400.0)


def _view(name: str, labels: tuple[str, ...], meaning: str) -> Metric:
    return Metric(name, Kind.GAUGE, labels, meaning, Source.VIEW)


def _gauge(name: str, labels: tuple[str, ...], meaning: str) -> Metric:
    return Metric(name, Kind.GAUGE, labels, meaning, Source.LIVE)


def _count(name: str, labels: tuple[str, ...], meaning: str) -> Metric:
    return Metric(name, Kind.COUNTER, labels, meaning, Source.LIVE)


def _times(name: str, labels: tuple[str, ...], meaning: str, buckets: tuple[float, ...]) -> Metric:
    return Metric(name, Kind.HISTOGRAM, labels, meaning, Source.LIVE, buckets)


METRICS: tuple[Metric, ...] = (
    _view(
        "credential_created_timestamp_seconds",
        CREDENTIAL,
        "Creation of the live key; its age is time() minus this. Absent if unknown.",
    ),
    _view(
        "credential_expiration_timestamp_seconds",
        CREDENTIAL,
        "After this time the exchange refuses the key. Absent if never or unknown.",
    ),
    _view(
        "credential_rotation_due_timestamp_seconds",
        CREDENTIAL,
        "From this time on the policy wants the key replaced. Absent if unknown.",
    ),
    _view(
        "credential_last_inspected_timestamp_seconds",
        CREDENTIAL,
        "Last time the exchange told its facts of the key. Absent if it never did.",
    ),
    _view(
        "credential_info",
        (*CREDENTIAL, "validity", "verdict", "policy"),
        "Always 1; the labels tell the credential's present state.",
    ),
    _view("finding", (*CREDENTIAL, "code", "severity"), "1 while a finding is open."),
    _view(
        "credentials",
        ("exchange", "validity"),
        "Credentials by validity, every validity of every exchange, 0 included.",
    ),
    _view(
        "findings",
        ("exchange", "code", "severity"),
        "Open findings; 0 for a code that was seen before.",
    ),
    _view(
        "unknown",
        ("exchange", "what"),
        "Credentials of which we do not know what their exchange tells.",
    ),
    _view(
        "next_expiration_timestamp_seconds",
        ("exchange",),
        "Earliest expiration among the credentials of an exchange.",
    ),
    _view(
        "oldest_created_timestamp_seconds",
        ("exchange",),
        "Creation of the oldest live key of an exchange.",
    ),
    _view("overdue", ("exchange",), "Credentials whose rotation is due since before now."),
    _view("rotations_open", ("exchange", "phase"), "Open rotations by phase."),
    _view(
        "rotation_oldest_start_timestamp_seconds",
        ("exchange",),
        "Entry into its phase of the rotation that is longest in one; rotations that wait"
        " for a drain or a person are left out. Absent if there is none.",
    ),
    _view(
        "rotations_waiting",
        ("exchange", "on"),
        "Open rotations that wait for a person, for consumers, or for time to pass.",
    ),
    _view(
        "revocations_owed",
        ("exchange",),
        "Replaced keys still alive although drain and rule are met, or whose deletion was refused.",
    ),
    _view("strays", ("exchange",), "Our own leftover keys at the exchange."),
    _view("foreign_keys", ("exchange",), "Keys that no credential and no record knows."),
    _view(
        "armed_credentials",
        ("exchange",),
        "Credentials that may be rotated; 0 means watch only.",
    ),
    _count(
        "rotations_total",
        ("exchange", "strategy", "result", "trigger"),
        "Rotations that ended, or were quarantined.",
    ),
    _times(
        "rotation_duration_seconds",
        ("exchange", "strategy"),
        "How long a rotation took, without its drain.",
        ROTATION_SECONDS,
    ),
    _times(
        "rotation_phase_duration_seconds",
        ("phase",),
        "How long a rotation was in a phase.",
        PHASE_SECONDS,
    ),
    _count(
        "rotation_unexpected_events_total",
        ("phase",),
        "Events that a rotation had no row for; each quarantined its rotation.",
    ),
    _gauge("exchange_up", ("exchange",), "1 if the last call was answered."),
    _gauge(
        "exchange_clock_skew_seconds",
        ("exchange",),
        "The exchange's clock minus ours, by the Date of its last answer.",
    ),
    _gauge(
        "exchange_banned_until_timestamp_seconds",
        ("exchange",),
        "End of the last ban; in the past if it is over. Absent if there was none.",
    ),
    _count(
        "exchange_requests_total",
        ("exchange", "operation", "outcome"),
        "Calls to an exchange; the outcome is ok or the meaning of the error.",
    ),
    _times(
        "exchange_request_duration_seconds",
        ("exchange", "operation", "outcome"),
        "How long a call to an exchange took.",
        REQUEST_SECONDS,
    ),
    _gauge(
        "exchange_budget_used_ratio",
        ("exchange",),
        "Used part of our share of the exchange's rate limit.",
    ),
    _gauge("store_up", (), "1 if the store answers and our login works."),
    _gauge("store_sealed", (), "1 if the store says that it is sealed. Absent if unknown."),
    _gauge(
        "store_token_expiration_timestamp_seconds",
        (),
        "End of our login at the store. Absent if it does not end or is unknown.",
    ),
    _count("store_requests_total", ("operation", "code"), "Calls to the store."),
    _times(
        "store_request_duration_seconds",
        ("operation", "code"),
        "How long a call to the store took.",
        REQUEST_SECONDS,
    ),
    _gauge("leader", (), "1 on the process that works, 0 on one that stands by."),
    _count("passes_total", ("result",), "Passes by result."),
    _times("pass_duration_seconds", (), "How long a pass took.", PASS_SECONDS),
    _gauge(
        "pass_last_success_timestamp_seconds",
        (),
        "End of the last pass that judged the inventory. Absent before the first.",
    ),
    _gauge("audit_sequence", (), "Number of the last audit entry."),
    _count("audit_write_failures_total", (), "Audit lines that could not be written."),
    _gauge(
        "config_last_reload_successful",
        (),
        "1 if the last reading of the configuration succeeded.",
    ),
    _gauge(
        "config_last_reload_success_timestamp_seconds",
        (),
        "Last time the configuration was read with success.",
    ),
    _gauge(
        "build_info",
        ("version", "revision", "pythonversion"),
        "Always 1; the labels tell what is running.",
    ),
)

BY_NAME: dict[str, Metric] = {m.name: m for m in METRICS}


def metric_table() -> str:
    """Return the table of all metrics in Markdown, for the documentation."""
    head = ["| name | type | labels | meaning |", "| --- | --- | --- | --- |"]
    rows = [
        f"| `{m.full_name}` | {m.kind} | {', '.join(m.labels) or '-'} | {m.meaning} |"
        for m in METRICS
    ]
    return "\n".join([*head, *rows]) + "\n"
