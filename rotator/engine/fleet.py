"""The fleet as page and API show it.  Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from rotator.core.facts import Validity
from rotator.core.findings import Finding, Severity
from rotator.core.record import Phase
from rotator.engine.driver import Stand
from rotator.engine.reports import problems_of
from rotator.engine.snapshot import Seen, Snapshot
from rotator.engine.standing import report, view
from rotator.engine.watch import Hold
from rotator.observe.view import WaitsOn
from rotator.serve.view import CredentialRow, ExchangeRow, Fleet, HoldRow, RotationRow

UNANSWERED = frozenset({Validity.EXCHANGE_DOWN, Validity.THROTTLED})
"""Validities of a look to which the exchange gave no answer about the key."""


def fleet_of(
    snapshot: Snapshot,
    stands: Iterable[Stand],
    holds: Iterable[Hold],
    now: datetime,
    problems: Iterable[str] = (),
) -> Fleet:
    """Return what a snapshot saw and where the rotations stand now; `problems` are further ones."""
    rotations = tuple(_rotation(stand, now) for stand in stands)
    phases = {r.credential: r.phase for r in rotations}
    return Fleet(
        at=snapshot.at,
        complete=snapshot.complete,
        acts=snapshot.acts,
        armed=sum(_armed(seen) for seen in snapshot.credentials),
        credentials=tuple(_credential(seen, phases) for seen in snapshot.credentials),
        findings=snapshot.findings,
        rotations=tuple(sorted(rotations, key=lambda r: (not r.person, r.started_at))),
        exchanges=_exchanges(snapshot.credentials),
        holds=tuple(HoldRow(h.name, h.match, h.reason, h.until) for h in holds),
        problems=(*problems_of(snapshot), *problems),
    )


def _credential(seen: Seen, phases: Mapping[str, str]) -> CredentialRow:
    judged, planned = seen.judgement, seen.planned
    return CredentialRow(
        name=seen.credential.name,
        exchange=seen.credential.exchange,
        account=judged.account,
        owner=seen.credential.owner,
        verdict=judged.verdict,
        validity=judged.validity or Validity.UNKNOWN,
        due_at=judged.due_at,
        expires_at=judged.expires_at or (seen.facts.expires_at if seen.facts else None),
        looked_at=seen.looked_at,
        codes=tuple(dict.fromkeys(f.code for f in judged.findings)),
        gravest=_gravest(judged.findings),
        blocked_by=planned.blocked_by if planned is not None else (),
        phase=phases.get(seen.credential.name),
    )


def _gravest(findings: tuple[Finding, ...]) -> Severity | None:
    """Return the severity of the first finding: a judgement has the gravest first."""
    return findings[0].severity if findings else None


def _rotation(stand: Stand, now: datetime) -> RotationRow:
    told, shown = report(stand, now), view(stand)
    asks = told.phase == Phase.QUARANTINED.value
    return RotationRow(
        rotation=told.rotation,
        credential=told.credential,
        strategy=told.strategy,
        phase=told.phase,
        reason=told.reason,
        started_at=told.started_at,
        phase_since=shown.phase_since if shown is not None else None,
        waits_for=told.waits_for,
        question=told.question,
        answers=told.answers,
        person=asks or (shown is not None and shown.waits_on is WaitsOn.PERSON),
    )


def _exchanges(credentials: Iterable[Seen]) -> tuple[ExchangeRow, ...]:
    counts: Counter[str] = Counter()
    armed: Counter[str] = Counter()
    unanswered: Counter[str] = Counter()
    answered: dict[str, datetime] = {}
    for seen in credentials:
        name = seen.credential.exchange
        if name is None:
            continue
        counts[name] += 1
        armed[name] += _armed(seen)
        if seen.look is None or seen.looked_at is None:
            continue
        if seen.look.validity in UNANSWERED:
            unanswered[name] += 1
        else:
            answered[name] = max(seen.looked_at, answered.get(name, seen.looked_at))
    return tuple(
        ExchangeRow(name, counts[name], armed[name], unanswered[name], answered.get(name))
        for name in sorted(counts)
    )


def _armed(seen: Seen) -> bool:
    return seen.judgement.armed and seen.judgement.managed
