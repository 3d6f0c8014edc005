"""Where a rotation stands, in the words that people and metrics are given."""

from __future__ import annotations

from datetime import datetime

from rotator.core.findings import Code
from rotator.core.names import CredentialName, RotationId
from rotator.core.record import Phase, Record, Revoke
from rotator.core.saga.resolve import safe_answers
from rotator.engine.driver import Stand
from rotator.engine.reports import RotationReport
from rotator.observe.view import RotationView, WaitsOn
from rotator.stores.journal import Journaled, State

ON = {"person": WaitsOn.PERSON, "consumers": WaitsOn.CONSUMERS, "time": WaitsOn.TIME}
LOST_ID = RotationId("unknown")


def report(stand: Stand, now: datetime) -> RotationReport:
    """Return a rotation as the command line shows it."""
    record = stand.record
    if stand.lost is not None or record is None:
        return lost(stand.lost or Journaled(stand.path, stand.version, None, State.UNREADABLE), now)
    waits = stand.stay.sentence if stand.stay is not None else resting(record, now)
    return of_record(record, waits if not record.closed else None)


def of_record(record: Record, waits_for: str | None) -> RotationReport:
    """Return a record as the command line shows it."""
    asks = record.phase is Phase.QUARANTINED
    return RotationReport(
        rotation=record.rotation,
        credential=record.credential,
        strategy=record.strategy,
        phase=record.phase.value,
        reason=f"{record.trigger}: {record.why}" if record.why else record.trigger.value,
        started_at=record.started_at,
        waits_for=waits_for,
        question=record.asks if asks else None,
        answers=safe_answers(record) if asks else (),
    )


def lost(journaled: Journaled, now: datetime) -> RotationReport:
    """Return a record that is deleted, destroyed or unreadable: it counts as open."""
    name = CredentialName(journaled.path)
    answer = "retry" if journaled.state is State.DELETED else "abort"
    question = f"{journaled.problem}; answer with: rotator resolve {name} {answer}"
    if journaled.state is State.UNREADABLE:
        question = f"{journaled.problem}; bring an older version back: vault kv rollback"
    return RotationReport(
        rotation=LOST_ID,
        credential=name,
        strategy="overlap",
        phase=Phase.QUARANTINED.value,
        reason=journaled.problem,
        started_at=now,
        waits_for=question,
        question=question,
        answers=() if journaled.state is State.UNREADABLE else (answer,),
    )


def resting(record: Record, now: datetime) -> str | None:
    """Say what a record waits for, as far as the record alone tells."""
    if record.phase is Phase.QUARANTINED:
        return record.asks
    if record.phase not in (Phase.DRAINING, Phase.DRAINING_BACK) or record.drain_until is None:
        return None
    if now < record.drain_until:
        return f"drains until {record.drain_until:%Y-%m-%dT%H:%M:%SZ}"
    if record.terms.revoke is Revoke.MANUAL:
        what = "the old key" if record.phase is Phase.DRAINING else "the withdrawn key"
        return f"a person must confirm that {what} is unused: rotator complete {record.credential}"
    return None


def view(stand: Stand) -> RotationView | None:
    """Return an open rotation as the metrics show it."""
    record = stand.record
    if record is None or record.closed:
        return None
    on = ON.get(stand.stay.on) if stand.stay is not None else None
    if record.phase is Phase.QUARANTINED:
        on = WaitsOn.PERSON
    return RotationView(
        rotation=record.rotation,
        credential=record.credential,
        exchange=record.pins.exchange,
        strategy=record.strategy,
        phase=record.phase,
        phase_since=record.phase_since,
        started_at=record.started_at,
        waits_on=on,
    )


def owed(stand: Stand) -> bool:
    """Say whether a deletion is owed: refused, or a deleted key still answers."""
    return stand.stay is not None and stand.stay.alert is Code.REVOCATION_OWED
