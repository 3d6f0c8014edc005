"""A fleet of real values, and a `Views` that gives it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from rotator.core.facts import NEVER, Validity
from rotator.core.findings import Code, Finding, Severity, Verdict
from rotator.core.names import CredentialName
from rotator.core.verdict import SEVERITY
from rotator.serve.view import (
    CredentialRow,
    Document,
    ExchangeRow,
    Fleet,
    HoldRow,
    HouseRow,
    Live,
    RotationRow,
    Sight,
    StoreRow,
)

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
EVERY = "secret"
"""A name that may be any."""

DESK = "secret/trading/bybit/desk0"


def row(name: str = DESK, **changes: Any) -> CredentialRow:
    """Return a healthy credential, with changes."""
    fields: dict[str, Any] = {
        "name": name,
        "exchange": "bybit",
        "account": "1001",
        "owner": "desk",
        "verdict": Verdict.HEALTHY,
        "validity": Validity.VALID,
        "due_at": NOW + timedelta(days=20),
        "expires_at": NEVER,
        "looked_at": NOW - timedelta(minutes=5),
    }
    return CredentialRow(**(fields | changes))


def found(code: Code, name: str = DESK, **changes: Any) -> Finding:
    """Return a finding as a check makes it."""
    fields: dict[str, Any] = {
        "credential": CredentialName(name),
        "code": code,
        "severity": SEVERITY[code],
        "message": f"{code.value} is told of it.",
        "cure": f"See `rotator explain {name}`.",
    }
    return Finding(**(fields | changes))


def rotation(name: str = DESK, **changes: Any) -> RotationRow:
    """Return a rotation that drains."""
    fields: dict[str, Any] = {
        "rotation": "abcdefgh",
        "credential": name,
        "strategy": "overlap",
        "phase": "DRAINING",
        "reason": "due",
        "started_at": NOW - timedelta(hours=3),
        "phase_since": NOW - timedelta(hours=2),
        "waits_for": f"a person must confirm that the old key is unused: rotator complete {name}",
        "person": True,
    }
    return RotationRow(**(fields | changes))


def bad(name: str, *codes: Code, **changes: Any) -> tuple[CredentialRow, list[Finding]]:
    """Return a credential with findings, the gravest first, and those findings."""
    worst = min((SEVERITY[c] for c in codes), key=list(Severity).index)
    fields = {"codes": codes, "gravest": worst, "verdict": Verdict.DUE} | changes
    return row(name, **fields), [found(code, name) for code in codes]


def small_fleet() -> Fleet:
    """Return a fleet in which some of everything stands."""
    dead, told_dead = bad("secret/trading/bybit/dead", Code.INVALID, validity=Validity.INVALID)
    late, told_late = bad("secret/trading/binance/late", Code.OVERDUE, exchange="binance")
    return Fleet(
        at=NOW - timedelta(minutes=1),
        armed=1,
        credentials=(row(), dead, late),
        findings=(*told_dead, *told_late, found(Code.DUE_SOON)),
        rotations=(
            rotation(),
            rotation(
                "secret/trading/bybit/dead",
                phase="QUARANTINED",
                question="Which key is right?",
                answers=("adopt", "abort"),
            ),
        ),
        exchanges=(ExchangeRow("bybit", 2, 1, 0, NOW), ExchangeRow("binance", 1, 0, 1, None)),
        holds=(HoldRow("weekend", "secret/trading/**", "nobody is here", None),),
    )


@dataclass
class Told:
    """Gives a fleet, to be changed by a test; counts how often it was asked for."""

    fleet: Fleet | None = field(default_factory=small_fleet)
    now: Live = field(
        default_factory=lambda: Live(
            now=NOW,
            leads=True,
            rotates=True,
            stale_after=timedelta(minutes=15),
            why_empty="The first look at all keys is not over yet.",
            store=StoreRow(True, False, "answers"),
            houses=(HouseRow("bybit", None, timedelta(seconds=1)),),
        )
    )
    version: int = 1
    built: int = 0
    documents: dict[str, Document] = field(default_factory=dict)

    def live(self) -> Live:
        """Return what changes without a pass."""
        return self.now

    def sight(self) -> Sight | None:
        """Return the fleet."""
        fleet = self.fleet
        if fleet is None:
            return None
        return Sight(
            version=self.version,
            at=fleet.at,
            fleet=self._fleet,
            status=lambda: self.documents["status"],
            plan=lambda within: self.documents["plan"] | {"within": within.total_seconds()},
            strays=lambda: self.documents["strays"],
            named=lambda key: [
                r.name for r in fleet.credentials if r.name.endswith(key) or key == EVERY
            ],
            explain=lambda name: {"credential": name},
        )

    def change(self, **changes: Any) -> None:
        """Change what is known at this moment."""
        self.now = replace(self.now, **changes)

    def _fleet(self) -> Fleet:
        self.built += 1
        assert self.fleet is not None
        return self.fleet
