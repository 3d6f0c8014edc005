"""The JSON forms of the command line, as plain data.  Pure.

Field names and words are the contract; times are ISO 8601 UTC, unknown is null.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from rotator.core.due import moved
from rotator.core.facts import Validity
from rotator.core.findings import Finding
from rotator.core.names import CredentialName, RotationId
from rotator.core.strays import Kind
from rotator.core.words import listed, time_told, told
from rotator.engine.listings import Listed
from rotator.engine.snapshot import Seen, Snapshot
from rotator.engine.watch import Hold

Document = dict[str, Any]

TOLD_KINDS = (Kind.STRAY, Kind.UNSERVED, Kind.FOREIGN)


@dataclass(frozen=True, slots=True)
class RotationReport:
    """One rotation as people see it.

    `phase` in capitals, DONE or ABORTED once closed; `waits_for` is a sentence
    that ends with the command to type if a person must act; `question` with its
    `answers` is set in quarantine.
    """

    rotation: RotationId
    credential: CredentialName
    strategy: str
    phase: str
    reason: str
    started_at: datetime
    waits_for: str | None = None
    question: str | None = None
    answers: tuple[str, ...] = ()


def run_document(snapshot: Snapshot, rotations: Iterable[RotationReport]) -> Document:
    """Return what `run --once` prints: rotations closed in this run included."""
    return {
        "credentials": len(snapshot.credentials),
        "findings": findings_of(snapshot.findings),
        "rotations": [rotation_of(r) for r in rotations],
        "as_of": time_of(snapshot.at),
        "inventory_complete": snapshot.complete,
        "problems": problems_of(snapshot),
    }


def status_document(snapshot: Snapshot, rotations: Iterable[RotationReport]) -> Document:
    """Return what `status` and `check` print."""
    return {
        "as_of": time_of(snapshot.at),
        "credentials": [_status_of(seen) for seen in snapshot.credentials],
        "findings": findings_of(snapshot.findings),
        "rotations": [rotation_of(r) for r in rotations],
        "inventory_complete": snapshot.complete,
        "problems": problems_of(snapshot),
    }


def plan_document(snapshot: Snapshot, within: timedelta) -> Document:
    """Return what `plan --within` prints: every rotation due by then, the earliest first."""
    until = moved(snapshot.at, within)
    return {
        "rotations": [
            {
                "credential": p.credential,
                "due_at": time_of(p.due_at),
                "strategy": p.strategy.value,
                "blocked_by": list(p.blocked_by),
                "opens_at": time_of(p.opens_at),
            }
            for p in snapshot.plan
            if p.due_at <= until
        ]
    }


def explain_document(seen: Seen, rotation: RotationReport | None, now: datetime) -> Document:
    """Return what `explain` prints of one credential."""
    return {
        "credential": seen.credential.name,
        "verdict": seen.judgement.verdict.value,
        "findings": findings_of(seen.judgement.findings),
        "next": next_step(seen, rotation, now),
        "due_at": time_of(seen.judgement.due_at),
        "validity": _validity(seen),
        "strategy": seen.judgement.strategy.value,
        "policy": seen.judgement.policy.name,
    }


def strays_document(found: Iterable[Listed]) -> Document:
    """Return what `strays` prints: each key that no path serves and no open rotation uses."""
    return {
        "strays": [
            {
                "exchange": listing.account.exchange,
                "account": listing.account.account,
                "key_id": judged.key.key_id,
                "label": judged.key.label,
                "kind": judged.kind.value,
            }
            for listing in found
            for judged in listing.judged
            if judged.kind in TOLD_KINDS
        ]
    }


def findings_of(findings: Iterable[Finding]) -> list[Document]:
    """Return findings in the public form."""
    return [
        {
            "credential": f.credential,
            "code": f.code.value,
            "severity": f.severity.value,
            "message": f.message,
            "cure": f.cure,
        }
        for f in findings
    ]


def rotation_of(report: RotationReport) -> Document:
    """Return a rotation in the public form."""
    return {
        "rotation": report.rotation,
        "credential": report.credential,
        "strategy": report.strategy,
        "phase": report.phase,
        "reason": report.reason,
        "started_at": time_of(report.started_at),
        "waits_for": report.waits_for,
        "question": report.question,
        "answers": list(report.answers),
    }


def holds_of(holds: Iterable[Hold]) -> list[Document]:
    """Return holds in the public form."""
    return [
        {"hold": h.name, "match": h.match, "reason": h.reason, "until": time_of(h.until)}
        for h in holds
    ]


def problems_of(snapshot: Snapshot) -> list[str]:
    """Return in sentences what could not be read, and what else went wrong in the pass."""
    unread = [f"{told(f.path, 200)}: {told(f.message, 300)}" for f in snapshot.faults]
    return unread + [told(problem, 500) for problem in snapshot.problems]


def next_step(seen: Seen, rotation: RotationReport | None, now: datetime) -> str:
    """Say in one sentence what happens next with a credential."""
    if rotation is not None:
        at_work = f"Rotation {rotation.rotation} is at work in {rotation.phase}."
        return rotation.question or rotation.waits_for or at_work
    judgement, planned = seen.judgement, seen.planned
    if not judgement.managed:
        return "Nothing: it is not managed, so it is neither judged nor rotated."
    if planned is None:
        return "Nothing is planned: it is not known when it is due."
    when = "is due now" if planned.due_at <= now else f"is due on {time_told(planned.due_at)}"
    if not planned.by_program:
        return f"It {when}; a person replaces it."
    if planned.blocked_by:
        return f"It {when}, blocked by {listed(planned.blocked_by)}."
    if planned.ready(now):
        return "Its rotation is opened as soon as the limits allow."
    opens = planned.opens_at
    if opens is None or opens <= planned.due_at:
        return f"It {when}; its rotation opens then."
    return f"It {when}; its rotation opens on {time_told(opens)}."


def time_of(at: datetime | None) -> str | None:
    """Return a time as ISO 8601 UTC."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def named(snapshot: Snapshot, key: str) -> Sequence[CredentialName]:
    """Return the credentials that KEY may mean: the one of that name, else those it ends."""
    exact = CredentialName(key.strip("/"))
    if exact in snapshot.by_name:
        return (exact,)
    return tuple(name for name in snapshot.by_name if name.endswith((f"/{exact}", f"#{exact}")))


def _status_of(seen: Seen) -> Document:
    return {
        "credential": seen.credential.name,
        "exchange": seen.credential.exchange,
        "account": seen.judgement.account,
        "verdict": seen.judgement.verdict.value,
        "validity": _validity(seen),
        "due_at": time_of(seen.judgement.due_at),
    }


def _validity(seen: Seen) -> str:
    return (seen.judgement.validity or Validity.UNKNOWN).value
