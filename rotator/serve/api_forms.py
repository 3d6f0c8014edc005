"""The JSON forms of `/api/v1`; times are ISO 8601 UTC, unknown is null.

Findings, rotations and credentials look as the command line prints them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from rotator.core.facts import NEVER
from rotator.core.findings import Finding
from rotator.core.words import told
from rotator.serve.selection import Part
from rotator.serve.view import (
    CredentialRow,
    Document,
    ExchangeRow,
    Fleet,
    HouseRow,
    Live,
    RotationRow,
    Sight,
    StoreRow,
)

T = TypeVar("T")


def health_form(live: Live, sight: Sight | None) -> Document:
    """Return how the daemon is; what is old or absent is `stale`."""
    age = (live.now - sight.at) if sight is not None else None
    return {
        "as_of": time_form(sight.at if sight is not None else None),
        "age_seconds": max(0.0, round(age.total_seconds(), 1)) if age is not None else None,
        "stale": age is None or age > live.stale_after,
        "leads": live.leads,
        "rotates": live.rotates,
        "store": _store_form(live.store),
    }


def _store_form(store: StoreRow | None) -> Document | None:
    if store is None:
        return None
    return {
        "up": store.up,
        "sealed": store.sealed,
        "message": told(store.message, 500),
        "token_expires_at": time_form(store.token_expires_at),
    }


def exchanges_form(live: Live, fleet: Fleet) -> Document:
    """Return how each exchange is, by the last looks and by its last answer."""
    houses = {house.name: house for house in live.houses}
    rows = [_exchange_form(row, houses.get(row.name), live) for row in fleet.exchanges]
    return {"as_of": time_form(fleet.at), "exchanges": rows}


def _exchange_form(row: ExchangeRow, house: HouseRow | None, live: Live) -> Document:
    banned = house.banned_until if house is not None else None
    skew = house.clock_skew if house is not None else None
    return {
        "exchange": row.name,
        "credentials": row.credentials,
        "armed": row.armed,
        "unanswered": row.unanswered,
        "answered_at": time_form(row.answered_at),
        "banned_until": time_form(banned) if banned and banned > live.now else None,
        "clock_skew_seconds": skew.total_seconds() if skew is not None else None,
    }


def part_form(fleet: Fleet, name: str, part: Part[T], form: Callable[[T], Document]) -> Document:
    """Return one page of many, its rows under `name`."""
    return {
        "as_of": time_form(fleet.at),
        "total": part.total,
        "page": part.page,
        "per_page": part.per_page,
        "pages": part.pages,
        name: [form(row) for row in part.rows],
    }


def finding_form(finding: Finding) -> Document:
    """Return a finding."""
    return {
        "credential": finding.credential,
        "code": finding.code.value,
        "severity": finding.severity.value,
        "message": finding.message,
        "cure": finding.cure,
    }


def credential_form(row: CredentialRow) -> Document:
    """Return a credential; `expires_at` may be the word never."""
    return {
        "credential": row.name,
        "exchange": row.exchange,
        "account": row.account,
        "verdict": row.verdict.value,
        "validity": row.validity.value,
        "due_at": time_form(row.due_at),
        "expires_at": "never" if row.expires_at is NEVER else time_form(row.expires_at),
        "owner": row.owner,
        "codes": [code.value for code in row.codes],
    }


def rotation_form(row: RotationRow) -> Document:
    """Return a rotation."""
    return {
        "rotation": row.rotation,
        "credential": row.credential,
        "strategy": row.strategy,
        "phase": row.phase,
        "reason": row.reason,
        "started_at": time_form(row.started_at),
        "waits_for": row.waits_for,
        "question": row.question,
        "answers": list(row.answers),
    }


def time_form(at: datetime | None) -> str | None:
    """Return a time."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")
