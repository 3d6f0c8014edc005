"""What page and API are given: the daemon's memory at this moment, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from rotator.core.names import CredentialName, shown
from rotator.core.words import told
from rotator.engine.clock import Clock
from rotator.engine.daemon import Daemon
from rotator.engine.desk import Desk
from rotator.engine.driver import Stand
from rotator.engine.fleet import fleet_of
from rotator.engine.reports import (
    Document,
    explain_document,
    holds_of,
    named,
    plan_document,
    status_document,
    strays_document,
)
from rotator.engine.snapshot import Snapshot
from rotator.engine.standing import report
from rotator.engine.watch import Hold
from rotator.exchanges.exchange import Exchange
from rotator.serve.view import Fleet, HouseRow, Live, Sight, StoreRow

OLD_PASSES: Final = 3
"""What is shown is old when so many passes should have ended since."""

LEAST_AGE: Final = timedelta(minutes=5)
"""Never old before this: a pass over many keys takes its time."""

STARTING: Final = "Nothing was read from the store yet."
LOOKING: Final = "The first look at all keys is not over yet."
STANDING_BY: Final = "Another daemon leads; this one stands by."


@dataclass(slots=True)
class Memory:
    """Gives the daemon's state to page and API; `store_trouble` is told before there is a desk."""

    clock: Clock
    every: timedelta
    daemon: Callable[[], Daemon | None]
    store_trouble: Callable[[], StoreRow | None] = lambda: None
    _version: int = 0
    _state: tuple[Any, ...] = ()
    _fleet: tuple[int, Fleet] | None = field(default=None, repr=False)

    def live(self) -> Live:
        """Return what changes without a pass."""
        now, daemon = self.clock.now(), self.daemon()
        stale_after = max(LEAST_AGE, OLD_PASSES * self.every)
        if daemon is None:
            return Live(now, False, False, stale_after, STARTING, self.store_trouble())
        desk = daemon.desk
        why = LOOKING if daemon.leads else STANDING_BY
        rotates = desk.rotates
        houses = tuple(_house(house) for house in desk.houses.opened())
        return Live(now, daemon.leads, rotates, stale_after, why, _store(desk), houses)

    def sight(self) -> Sight | None:
        """Return the fleet as of now; None before the first pass."""
        daemon = self.daemon()
        snapshot = daemon.desk.snapshot if daemon is not None else None
        if daemon is None or snapshot is None:
            return None
        desk = daemon.desk
        stands = tuple(replace(stand) for stand in desk.rotations.open_stands())
        around = _Around(self.clock.now(), stands, desk.watch.holds, desk.watch.fault)
        # A snapshot's time stands for it: keeping an old one here would cost its memory.
        state = (snapshot.at, around.holds, around.fault, around.standing)
        if state != self._state:
            self._version, self._state = self._version + 1, state
        version = self._version
        return Sight(
            version=version,
            at=snapshot.at,
            fleet=lambda: self._fleet_once(version, snapshot, around),
            status=lambda: _status(snapshot, around),
            plan=lambda within: plan_document(snapshot, within),
            strays=lambda: shortened(strays_document(snapshot.listed)),
            named=lambda key: named(snapshot, key),
            explain=lambda name: _explain(snapshot, around, CredentialName(name)),
        )

    def _fleet_once(self, version: int, snapshot: Snapshot, around: _Around) -> Fleet:
        kept = self._fleet
        if kept is not None and kept[0] == version:
            return kept[1]
        fleet = fleet_of(snapshot, around.stands, around.holds, around.now, around.problems)
        self._fleet = (version, fleet)
        return fleet


@dataclass(frozen=True, slots=True)
class _Around:
    """What stands around a snapshot at one instant."""

    now: datetime
    stands: tuple[Stand, ...]
    holds: tuple[Hold, ...]
    fault: str | None

    @property
    def standing(self) -> tuple[Any, ...]:
        """What of the rotations can change."""
        return tuple((stand.path, stand.record, stand.stay) for stand in self.stands)

    @property
    def problems(self) -> tuple[str, ...]:
        """Why the holds are not known, if they are not."""
        return () if self.fault is None else (f"holds: {told(self.fault, 300)}",)


def _status(snapshot: Snapshot, around: _Around) -> Document:
    rotations = [report(stand, around.now) for stand in around.stands]
    document = status_document(snapshot, rotations)
    problems = [*document["problems"], *around.problems]
    return {**document, "holds": holds_of(around.holds), "problems": problems}


def _explain(snapshot: Snapshot, around: _Around, name: CredentialName) -> Document:
    rotations = (report(stand, around.now) for stand in around.stands)
    open_ = next((r for r in rotations if r.credential == name), None)
    return explain_document(snapshot.by_name[name], open_, around.now)


def _store(desk: Desk) -> StoreRow | None:
    health = desk.health
    if health is None:
        return None
    return StoreRow(health.up, health.sealed, health.message, health.token_expires_at)


def _house(house: Exchange) -> HouseRow:
    return HouseRow(house.name, house.banned_until(), house.clock_offset)


def shortened(document: Document) -> Document:
    """Return strays with the last four characters of their key ids."""
    strays = [s | {"key_id": s["key_id"] and shown(s["key_id"])} for s in document["strays"]]
    return document | {"strays": strays}
