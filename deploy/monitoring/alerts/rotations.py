"""Alerts about rotations: what asks a person, what is stuck, what is owed."""

from __future__ import annotations

from typing import Final

from deploy.monitoring.alerts.promql import owned, quarantined, series
from deploy.monitoring.alerts.rule import Alert, Group, Severity
from rotator.core.findings import Code

OWNER: Final = '{{ or $labels.owner "no named owner" }}'
BY_OWNER: Final = ("exchange", "owner")
STUCK = series("rotator_findings", f'code="{Code.ROTATION_STUCK}"', 'severity="critical"')
PERSON = series("rotator_rotations_waiting", 'on="person"')
FAILED = series("rotator_rotations_total", 'result=~"aborted|rolled_back"')
OWED = series("rotator_revocations_owed")

ROTATIONS = Group(
    "rotator.rotations",
    (
        Alert(
            "RotatorQuarantined",
            Severity.CRITICAL,
            "1m",
            owned(f"{quarantined()} > 0", Code.ROTATION_STUCK),
            "A rotation has stopped and asks a person.",
            f"{{{{ $value }}}} rotation(s) at {{{{ $labels.exchange }}}} ({OWNER}) are quarantined:"
            " each shows a question with its safe answers, and no further rotation is opened"
            " at this exchange.",
            by=BY_OWNER,
        ),
        # Quarantined rotations have the same finding and their own alert; what is left is stuck.
        Alert(
            "RotatorRotationStuck",
            Severity.CRITICAL,
            "10m",
            owned(
                f"max by (exchange) ({STUCK})\n- on (exchange)\n{quarantined()} > 0",
                Code.ROTATION_STUCK,
            ),
            "A rotation does not get on.",
            f"{{{{ $value }}}} rotation(s) at {{{{ $labels.exchange }}}} ({OWNER}) are past their"
            " time: an hour in a phase, or a day after the drain without anybody's word.",
            by=BY_OWNER,
        ),
        Alert(
            "RotatorRevocationOwed",
            Severity.CRITICAL,
            "1h",
            owned(f"max by (exchange) ({OWED}) > 0", Code.REVOCATION_OWED),
            "A replaced key is still alive.",
            f"{{{{ $value }}}} replaced key(s) at {{{{ $labels.exchange }}}} ({OWNER}) still work,"
            " because the exchange refuses to delete them.",
            by=BY_OWNER,
        ),
        Alert(
            "RotatorRotationFailing",
            Severity.WARNING,
            "5m",
            f"sum by (exchange) (increase({FAILED}[1d])) > 0",
            "A rotation was given up.",
            "About {{ $value | humanize }} rotation(s) at {{ $labels.exchange }} were aborted or"
            " rolled back within a day. No further one is opened there until one that a person"
            " asks for ends well.",
            by=("exchange",),
        ),
        Alert(
            "RotatorWaitsForPerson",
            Severity.WARNING,
            "4h",
            f"max by (exchange) ({PERSON})\n- on (exchange)\n{quarantined()} > 0",
            "A rotation waits for somebody's word.",
            "{{ $value }} rotation(s) at {{ $labels.exchange }} wait for a person, most often to"
            " confirm that no consumer uses the old key any more.",
            by=("exchange",),
        ),
    ),
)
