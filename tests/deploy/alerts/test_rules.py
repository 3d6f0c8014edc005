"""Each alert fires when it must, says what it must, and stops."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.monitoring.alerts.catalogue import ALERTS
from deploy.monitoring.alerts.credentials import PAGED_ELSEWHERE, TOLD_ELSEWHERE
from rotator.core.findings import Code, Severity
from rotator.core.verdict import SEVERITY
from tests.deploy.alerts import credential_cases, daemon_cases, exchange_cases, rotation_cases
from tests.deploy.alerts.case import Case, Fired, finding, held, key
from tests.house.tree import ROOT

RULES = ROOT / "deploy/prometheus/rotator.rules.yaml"
BY_NAME = {alert.name: alert for alert in ALERTS}
CASES = (
    *daemon_cases.CASES,
    *credential_cases.CASES,
    *rotation_cases.CASES,
    *exchange_cases.CASES,
)
OWN_ALERT = {
    Code.WITHDRAW_ENABLED: "RotatorWithdrawEnabled",
    Code.FOREIGN_KEY: "RotatorForeignKey",
    Code.INVALID: "RotatorCredentialInvalid",
    Code.EXPIRED: "RotatorCredentialInvalid",
    Code.EXPIRY_IMMINENT: "RotatorCredentialExpiryImminent",
    Code.ROTATION_STUCK: "RotatorRotationStuck",
    Code.REVOCATION_OWED: "RotatorRevocationOwed",
    Code.MASS_INVALIDATION: "RotatorMassInvalidation",
    Code.STORE_RESTORED: "RotatorStoreRestored",
    Code.OVERDUE: "RotatorCredentialOverdue",
    Code.EXPIRES_SOON: "RotatorCredentialExpiring",
    Code.AGE_UNKNOWN: "RotatorUnknownTooLong",
    Code.STRAY_KEY: "RotatorStrays",
    Code.EXCHANGE_CLOSING: "RotatorExchangeClosed",
    Code.EXCHANGE_CLOSED: "RotatorExchangeClosed",
}


def ids() -> list[str]:
    """Return a name for each case: its alert, numbered where it has several."""
    names = [case.alert for case in CASES]
    return [f"{name}-{names[:place].count(name)}" for place, name in enumerate(names)]


def rule_of(alert: str) -> dict[str, Any]:
    """Return an alert as the rule file has it."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return dict(next(r for g in groups for r in g["rules"] if r["alert"] == alert))


def run(promtool: Path, folder: Path, case: Case) -> None:
    """Let promtool run one case on its alert alone, which is faster than on all."""
    rule = rule_of(case.alert)
    rules, tests = folder / "rules.yaml", folder / "tests.yaml"
    rules.write_text(yaml.safe_dump({"groups": [{"name": "one", "rules": [rule]}]}))
    tests.write_text(yaml.safe_dump(case.document(str(rules), rule), sort_keys=False))
    done = subprocess.run(
        [promtool, "test", "rules", tests], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.real
@pytest.mark.parametrize("case", CASES, ids=ids())
def test_it_fires_and_resolves(case: Case, promtool: Path, tmp_path: Path) -> None:
    """The alert is silent before its time, fires with its words, and ends with its cause."""
    run(promtool, tmp_path, case)


def test_every_alert_has_a_case() -> None:
    """Each alert is shown firing, not firing and resolving, in this order."""
    assert {case.alert for case in CASES} == set(BY_NAME)
    assert all(case.quiet < min(case.fires) <= max(case.fires) < case.resolved for case in CASES)


def test_every_finding_that_matters_has_an_alert() -> None:
    """Each code of severity critical or warning has its own alert or is caught by the last."""
    assert set(OWN_ALERT) == {*PAGED_ELSEWHERE, *TOLD_ELSEWHERE}
    assert set(OWN_ALERT.values()) <= set(BY_NAME)
    wanted = {Severity.CRITICAL: "critical", Severity.WARNING: "warning"}
    for code, name in OWN_ALERT.items():
        assert BY_NAME[name].severity.value == wanted[SEVERITY[code]]


@pytest.mark.real
@pytest.mark.parametrize(
    ("alert", "elsewhere", "said"),
    [
        ("RotatorCriticalFinding", PAGED_ELSEWHERE, "critical finding"),
        ("RotatorFinding", TOLD_ELSEWHERE, "finding"),
    ],
)
def test_the_last_alert_catches_the_rest(
    alert: str, elsewhere: tuple[Code, ...], said: str, promtool: Path, tmp_path: Path
) -> None:
    """A code without an alert of its own is caught, also where a policy changed its severity."""
    fired = tuple(
        Fired(
            f"1 credential(s) of desk-a at bybit have the {said} {code}.",
            {"exchange": "bybit", "code": code, "owner": "desk-a"},
        )
        for code in Code
        if code not in elsewhere
    )
    severity = BY_NAME[alert].severity
    open_ = {finding(c, severity, **key("bybit", c)): held(("_", 10), (1, 70)) for c in Code}
    run(promtool, tmp_path, Case(alert, open_, 10, {75: fired}, 90))
