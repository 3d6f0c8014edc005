"""Which panel of which dashboard shows what an alert speaks of.

Alerts link by the dashboard's uid and the panel's number, so a panel of this table
keeps its number (the `id` in the dashboard's JSON) whatever else moves around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FLEET: Final = "rotator-fleet"
ROTATIONS: Final = "rotator-rotations"
EXCHANGES: Final = "rotator-exchanges"
DAEMON: Final = "rotator-daemon"


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel: the uid of its dashboard, its title and its number there."""

    dashboard: str
    title: str
    number: int


CRITICAL_FINDINGS: Final = Panel(FLEET, "Critical findings", 1)
WARNINGS: Final = Panel(FLEET, "Warnings", 2)
EXPIRING_NEXT: Final = Panel(FLEET, "Expiring next", 3)
OVERDUE: Final = Panel(FLEET, "Overdue", 4)
UNKNOWN: Final = Panel(FLEET, "Unknown", 5)
LAST_INSPECTED: Final = Panel(FLEET, "Last inspected", 6)
STRAYS: Final = Panel(FLEET, "Foreign keys and strays", 7)

BY_PHASE: Final = Panel(ROTATIONS, "Rotations by phase", 1)
OPEN_LONGEST: Final = Panel(ROTATIONS, "Open longest", 2)
WAITING: Final = Panel(ROTATIONS, "Waiting", 3)
OWED: Final = Panel(ROTATIONS, "Revocations owed", 4)
RESULTS: Final = Panel(ROTATIONS, "Results", 5)

EXCHANGE_UP: Final = Panel(EXCHANGES, "Exchange up", 1)
ERROR_RATIO: Final = Panel(EXCHANGES, "Error ratio", 2)
BANS: Final = Panel(EXCHANGES, "Bans", 3)
OUTCOMES: Final = Panel(EXCHANGES, "Requests by outcome", 4)
CLOCK_SKEW: Final = Panel(EXCHANGES, "Clock skew", 5)

UP: Final = Panel(DAEMON, "Up", 1)
PASSES: Final = Panel(DAEMON, "Passes", 2)
LEADER: Final = Panel(DAEMON, "Leader", 3)
STORE: Final = Panel(DAEMON, "Store", 4)
TOKEN_LIFE: Final = Panel(DAEMON, "Token life", 5)
CONFIGURATION: Final = Panel(DAEMON, "Configuration", 6)
AUDIT: Final = Panel(DAEMON, "Audit", 7)

PANELS: Final[dict[str, Panel]] = {
    "RotatorDown": UP,
    "RotatorPassStalled": PASSES,
    "RotatorNothingInspected": LAST_INSPECTED,
    "RotatorNoLeader": LEADER,
    "RotatorAuditFailing": AUDIT,
    "RotatorSeveralLeaders": LEADER,
    "RotatorInventoryIncomplete": PASSES,
    "RotatorConfigReloadFailed": CONFIGURATION,
    "RotatorStoreDown": STORE,
    "RotatorStoreSealed": STORE,
    "RotatorStoreTokenExpiring": TOKEN_LIFE,
    "RotatorStoreRestored": STORE,
    "RotatorMassInvalidation": CRITICAL_FINDINGS,
    "RotatorWithdrawEnabled": CRITICAL_FINDINGS,
    "RotatorForeignKey": STRAYS,
    "RotatorCredentialInvalid": CRITICAL_FINDINGS,
    "RotatorCredentialExpiryImminent": EXPIRING_NEXT,
    "RotatorCriticalFinding": CRITICAL_FINDINGS,
    "RotatorCredentialExpiring": EXPIRING_NEXT,
    "RotatorCredentialOverdue": OVERDUE,
    "RotatorFinding": WARNINGS,
    "RotatorUnknownTooLong": UNKNOWN,
    "RotatorInspectionStale": LAST_INSPECTED,
    "RotatorStrays": STRAYS,
    "RotatorExchangeClosed": WARNINGS,
    "RotatorQuarantined": BY_PHASE,
    "RotatorRotationStuck": OPEN_LONGEST,
    "RotatorRevocationOwed": OWED,
    "RotatorRotationFailing": RESULTS,
    "RotatorWaitsForPerson": WAITING,
    "RotatorExchangeDown": EXCHANGE_UP,
    "RotatorExchangeBanned": BANS,
    "RotatorExchangeErrorsFast": ERROR_RATIO,
    "RotatorExchangeErrorsSlow": ERROR_RATIO,
    "RotatorExchangeRateLimited": OUTCOMES,
    "RotatorClockSkew": CLOCK_SKEW,
}
"""Alert name to the panel that shows its condition."""
