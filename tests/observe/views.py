"""Views to render, and the parsed form of an exposition."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from prometheus_client.parser import text_string_to_metric_families

from rotator.core.facts import Validity
from rotator.core.findings import Code, Finding, Severity, Verdict
from rotator.core.names import AccountId, CredentialName, ExchangeName, RotationId
from rotator.core.record import Phase
from rotator.observe.metrics import Metrics
from rotator.observe.view import CredentialView, ExchangeView, RotationView, View, WaitsOn
from tests.net.plugin import NET

NOW = datetime(2026, 11, 24, 7, 0, tzinfo=UTC)
BYBIT = ExchangeName("bybit")

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def credential(name: str = "secret/trading/bybit/desk0", **changes: object) -> CredentialView:
    """Return a healthy credential with every fact known, with changes."""
    fields: dict[str, object] = {
        "name": CredentialName(name),
        "exchange": BYBIT,
        "account": AccountId("1001"),
        "owner": "desk",
        "policy": "desk",
        "validity": Validity.VALID,
        "verdict": Verdict.HEALTHY,
        "created_at": NOW - timedelta(days=10),
        "expires_at": NOW + timedelta(days=80),
        "due_at": NOW + timedelta(days=20),
        "inspected_at": NOW - timedelta(minutes=5),
    }
    return CredentialView(**{**fields, **changes})  # type: ignore[arg-type]


def finding(name: str = "secret/trading/bybit/desk0", code: Code = Code.OVERDUE) -> Finding:
    """Return a warning about a credential."""
    return Finding(CredentialName(name), code, Severity.WARNING, "It is due.", "Rotate it.")


def rotation(phase: Phase, waits_on: WaitsOn | None, minutes: int) -> RotationView:
    """Return an open rotation that has been in its phase for some minutes."""
    return RotationView(
        RotationId("abcdefgh"),
        CredentialName("secret/trading/bybit/desk0"),
        BYBIT,
        "overlap",
        phase,
        NOW - timedelta(minutes=minutes),
        NOW - timedelta(hours=3),
        waits_on,
    )


def view(
    credentials: Iterable[CredentialView] = (),
    findings: Iterable[Finding] = (),
    rotations: Iterable[RotationView] = (),
    exchanges: Iterable[ExchangeView] = (),
) -> View:
    """Return a view as of NOW."""
    return View(NOW, tuple(credentials), tuple(findings), tuple(rotations), tuple(exchanges))


def samples(text: bytes) -> Samples:
    """Parse an exposition; a series that stands twice, or a family, fails."""
    found: Samples = {}
    families: set[str] = set()
    NET.look("an exposition", text)
    for family in text_string_to_metric_families(text.decode()):
        assert family.name not in families, f"{family.name} stands twice"
        families.add(family.name)
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found, f"{key} stands twice"
            found[key] = sample.value
    return found


def of(found: Samples, name: str) -> dict[tuple[tuple[str, str], ...], float]:
    """Return the series of one name."""
    return {labels: value for (full, labels), value in found.items() if full == name}


def shown(*views: View, metrics: Metrics | None = None) -> Samples:
    """Render views one after the other and parse what a scrape gets at the end."""
    metrics = metrics or Metrics()
    for each in views:
        metrics.render(each)
    return samples(metrics.text(gzip=False))
