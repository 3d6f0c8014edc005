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
UNKNOWN: Final = Panel(FLEET, "Unknown facts", 5)
LOOKED_AT: Final = Panel(FLEET, "Not looked at for longest", 6)
FOREIGN_KEYS: Final = Panel(FLEET, "Foreign keys", 7)

OPEN_LONGEST: Final = Panel(ROTATIONS, "Open longest", 2)
WAITING: Final = Panel(ROTATIONS, "Waiting for a person", 3)
OWED: Final = Panel(ROTATIONS, "Revocations owed", 4)
RESULTS: Final = Panel(ROTATIONS, "Rotations ended", 5)
QUARANTINED: Final = Panel(ROTATIONS, "Quarantined", 6)
STRAYS: Final = Panel(ROTATIONS, "Strays", 7)

EXCHANGE_UP: Final = Panel(EXCHANGES, "Exchange up", 1)
ERROR_RATIO: Final = Panel(EXCHANGES, "Error ratio", 2)
BANS: Final = Panel(EXCHANGES, "Bans", 3)
OUTCOMES: Final = Panel(EXCHANGES, "Outcomes", 4)
CLOCK_SKEW: Final = Panel(EXCHANGES, "Clock skew", 5)

LAST_PASS: Final = Panel(DAEMON, "Last pass", 1)
PASSES: Final = Panel(DAEMON, "Passes", 2)
LEADER: Final = Panel(DAEMON, "Leader", 3)
STORE: Final = Panel(DAEMON, "Store", 4)
TOKEN_LIFE: Final = Panel(DAEMON, "Token life", 5)
CONFIGURATION: Final = Panel(DAEMON, "Configuration", 6)
AUDIT: Final = Panel(DAEMON, "Audit", 7)
SEAL: Final = Panel(DAEMON, "Seal", 8)

PANELS: Final[dict[str, Panel]] = {
    "RotatorDown": LAST_PASS,
    "RotatorPassStalled": LAST_PASS,
    "RotatorNothingInspected": LOOKED_AT,
    "RotatorNoLeader": LEADER,
    "RotatorAuditFailing": AUDIT,
    "RotatorSeveralLeaders": LEADER,
    "RotatorInventoryIncomplete": PASSES,
    "RotatorConfigReloadFailed": CONFIGURATION,
    "RotatorStoreDown": STORE,
    "RotatorStoreSealed": SEAL,
    "RotatorStoreTokenExpiring": TOKEN_LIFE,
    "RotatorStoreRestored": STORE,
    "RotatorMassInvalidation": CRITICAL_FINDINGS,
    "RotatorWithdrawEnabled": CRITICAL_FINDINGS,
    "RotatorForeignKey": FOREIGN_KEYS,
    "RotatorCredentialInvalid": CRITICAL_FINDINGS,
    "RotatorCredentialExpiryImminent": EXPIRING_NEXT,
    "RotatorCriticalFinding": CRITICAL_FINDINGS,
    "RotatorCredentialExpiring": EXPIRING_NEXT,
    "RotatorCredentialOverdue": OVERDUE,
    "RotatorFinding": WARNINGS,
    "RotatorUnknownTooLong": UNKNOWN,
    "RotatorInspectionStale": LOOKED_AT,
    "RotatorStrays": STRAYS,
    "RotatorExchangeClosed": WARNINGS,
    "RotatorQuarantined": QUARANTINED,
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

NUMBERS: Final = {(p.dashboard, p.title): p.number for p in PANELS.values()}
"""The number of each panel that an alert leads to; the others come after `FIRST_OTHER`."""

FIRST_OTHER: Final = 101
