"""The picture that the metrics are rendered from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from functools import cache

from rotator.core.facts import Validity
from rotator.core.names import ExchangeName
from rotator.core.policy import ExchangeTraits
from rotator.core.strays import Kind
from rotator.engine.driver import Stand
from rotator.engine.houses import Houses
from rotator.engine.snapshot import Seen, Snapshot
from rotator.engine.standing import owed, view
from rotator.exchanges.registry import capabilities_of
from rotator.observe.view import CredentialView, ExchangeView, Unknown, View

SHOWS = {"scopes": Unknown.SCOPES, "expires": Unknown.EXPIRY, "addresses": Unknown.ADDRESSES}
"""Facts that an exchange may show, and the word for one that it should but did not."""


def view_of(snapshot: Snapshot, stands: Iterable[Stand], houses: Houses, now: datetime) -> View:
    """Return the view of a snapshot and of where the rotations stand now."""
    open_ = tuple(stands)
    rotations = (view(stand) for stand in open_)
    return View(
        as_of=now,
        credentials=tuple(_credential(seen) for seen in snapshot.credentials),
        findings=snapshot.findings,
        rotations=tuple(r for r in rotations if r is not None),
        exchanges=_exchanges(snapshot, open_, houses),
    )


def _credential(seen: Seen) -> CredentialView:
    judged = seen.judgement
    return CredentialView(
        name=seen.credential.name,
        exchange=seen.credential.exchange,
        account=judged.account,
        owner=seen.credential.owner,
        policy=judged.policy.name,
        validity=judged.validity or Validity.UNKNOWN,
        verdict=judged.verdict,
        created_at=seen.created_at,
        expires_at=judged.expires_at or (seen.facts.expires_at if seen.facts else None),
        due_at=judged.due_at,
        inspected_at=seen.looked_at if seen.facts is not None else None,
        unknown=_unknown(seen),
    )


def _unknown(seen: Seen) -> frozenset[Unknown]:
    """Return what is unknown of a key although its exchange tells it."""
    if seen.credential.exchange is None or not seen.judgement.managed:
        return frozenset()
    can = capabilities_of(seen.credential.exchange)
    if can is None:
        return frozenset()
    facts = seen.facts
    missing = {
        "scopes": facts is None or facts.scopes is None,
        "expires": facts is None or facts.expires_at is None,
        "addresses": facts is None or facts.ip_restricted is None,
    }
    found = {SHOWS[what] for what, gone in missing.items() if gone and what in can.shows}
    if seen.created_at is None:
        found.add(Unknown.AGE)
    return _shared(frozenset(found))


@cache
def _shared(found: frozenset[Unknown]) -> frozenset[Unknown]:
    """Return one set for all credentials of which the same is unknown."""
    return found


def _exchanges(
    snapshot: Snapshot, stands: tuple[Stand, ...], houses: Houses
) -> tuple[ExchangeView, ...]:
    armed: Counter[ExchangeName] = Counter()
    names: set[ExchangeName] = set()
    for seen in snapshot.credentials:
        name = seen.credential.exchange
        traits: ExchangeTraits | None = houses.traits(name)
        if name is not None and traits is not None:
            names.add(name)
            armed[name] += seen.judgement.armed and seen.judgement.managed
    kinds: dict[ExchangeName, Counter[Kind]] = {}
    for listed in snapshot.listed:
        counts = kinds.setdefault(listed.account.exchange, Counter())
        counts.update(judged.kind for judged in listed.judged)
    debts = Counter(s.record.pins.exchange for s in stands if s.record is not None and owed(s))
    return tuple(
        ExchangeView(
            name=name,
            armed=armed[name],
            strays=kinds[name][Kind.STRAY] if name in kinds else None,
            foreign_keys=kinds[name][Kind.FOREIGN] if name in kinds else None,
            revocations_owed=debts[name],
        )
        for name in sorted(names)
    )
