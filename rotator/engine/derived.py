"""What follows from the journal for the schedule and the checks; nothing is stored.

Whether an exchange is halted, a path cools down or was rotated before is worked
out from open records and tombstones at each pass.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from rotator.core.checks import OpenRotation
from rotator.core.facts import Credential
from rotator.core.names import CredentialName, ExchangeName, RotationId, StorePath
from rotator.core.opening import HOUR
from rotator.core.record import LABEL_PREFIX, Phase, Record, Revoke, Trigger, read_label
from rotator.core.saga.resolve import safe_answers
from rotator.core.saga.words import Order
from rotator.core.schedule import COOL_DOWN, Occupied, Paths
from rotator.engine.accounts import Place, place_of
from rotator.stores.documents import HISTORY, encode_path
from rotator.stores.journal import Journal, Journaled, State

PATIENCE: Final = timedelta(hours=1)
"""How long a phase may last that waits for nothing but machines."""

PEOPLE: Final = timedelta(days=1)
"""How long after its drain a rotation may wait for a person or for consumers."""

BAD: Final = frozenset({Phase.ABORTED, Phase.QUARANTINED})
DRAINS: Final = frozenset({Phase.DRAINING, Phase.DRAINING_BACK})


def deadline_of(record: Record) -> datetime:
    """Return when a rotation in this phase counts as stuck."""
    if record.phase not in DRAINS:
        return record.phase_since + PATIENCE
    end = record.drain_until or record.phase_since
    return end + (PATIENCE if record.terms.revoke is Revoke.DRAIN else PEOPLE)


def open_rotation(journaled: Journaled, now: datetime, owed: str | None) -> OpenRotation:
    """Return an open record in short; one that cannot be read asks a question of its own."""
    record = journaled.record
    if record is None:
        answers = ("retry",) if journaled.state is State.DELETED else ("abort",)
        return OpenRotation(
            rotation=RotationId(f"record-{journaled.version}"),
            phase=Phase.QUARANTINED.value,
            started_at=now,
            question=f"{journaled.problem or 'the record cannot be read'}. "
            "Look at the keys at the exchange and in the store before you answer.",
            answers=answers,
        )
    asks = record.phase is Phase.QUARANTINED
    return OpenRotation(
        rotation=record.rotation,
        phase=record.phase.value,
        started_at=record.started_at,
        deadline=deadline_of(record),
        question=record.asks if asks else None,
        answers=safe_answers(record) if asks else (),
        owed=owed,
    )


def went_badly(record: Record) -> datetime | None:
    """Return when a rotation was last quarantined or aborted; None if it never was.

    An answer does not undo that: a person has to see a rotation end DONE first.
    """
    times = [s.at for s in record.steps if s.phase in BAD]
    return max([record.phase_since, *times] if record.phase in BAD else times, default=None)


def asked(order: Order | None, version: int, record: Record | None) -> bool:
    """Say whether a person's `rotate` is for this very version and was not yet obeyed.

    A rotation that began after it has used it up, however that ended.
    """
    if order is None or order.command != "rotate" or order.version != version:
        return False
    if record is None:
        return True
    return order.number > record.obeyed and order.given_at > record.started_at


@dataclass(slots=True)
class Derived:
    """Built record by record, so that a long journal need not be read at one go.

    `canaries` are the globs of the configuration.
    """

    now: datetime
    canaries: Paths
    open: dict[StorePath, Journaled] = field(default_factory=dict)
    closed: dict[StorePath, Record] = field(default_factory=dict)
    records: dict[Place, dict[RotationId, Record]] = field(default_factory=dict)
    creates: dict[ExchangeName, list[datetime]] = field(default_factory=dict)
    canary_done: dict[ExchangeName, datetime] = field(default_factory=dict)
    _bad: dict[ExchangeName, datetime] = field(default_factory=dict)
    _good: dict[ExchangeName, datetime] = field(default_factory=dict)

    def note(self, journaled: Journaled) -> None:
        """Take in what stands at one path's place in the journal."""
        if journaled.counts_as_open:
            self.open[journaled.path] = journaled
        record = journaled.record
        if record is None:
            return
        self.records.setdefault(place_of(record), {})[record.rotation] = record
        if record.closed:
            self.closed[record.path] = record
        self._count_creates(record)
        self.note_end(record)

    def note_end(self, record: Record) -> None:
        """Take in how a rotation ended, and whether a person ever had to answer for it."""
        exchange, at = record.pins.exchange, record.phase_since
        bad = went_badly(record)
        if bad is not None:
            _latest(self._bad, exchange, bad)
        if record.phase is Phase.DONE:
            if record.trigger is Trigger.MANUAL:
                _latest(self._good, exchange, at)
            if self.canaries.cover(record.path, record.credential):
                _latest(self.canary_done, exchange, at)

    def _count_creates(self, record: Record) -> None:
        """Note when each attempt of the last hour was announced."""
        times = {s.at for s in record.steps if s.phase is Phase.CREATING} | {record.started_at}
        recent = [at for at in times if self.now - at < HOUR]
        if recent:
            self.creates.setdefault(record.pins.exchange, []).extend(recent)

    @property
    def halted(self) -> frozenset[ExchangeName]:
        """Exchanges where a rotation ended badly since the last `rotate` that ended DONE."""
        good = self._good
        return frozenset(e for e, at in self._bad.items() if e not in good or good[e] < at)

    def overwritten(self, exchange: ExchangeName) -> tuple[Record, ...]:
        """Return the rotations of an exchange that began after its last bad end.

        Each may stand where the `rotate` stood that lifted the halt.
        """
        bad = self._bad.get(exchange)
        standing = (*self.closed.values(), *(j.record for j in self.open.values()))
        return tuple(
            r
            for r in standing
            if r is not None and bad is not None
            if r.pins.exchange == exchange and r.started_at > bad
        )

    def lost(self, found: dict[StorePath, Credential]) -> frozenset[ExchangeName]:
        """Exchanges of records that cannot be read: each counts as quarantined."""
        paths = (found.get(path) for path, j in self.open.items() if j.record is None)
        return frozenset(c.exchange for c in paths if c is not None and c.exchange is not None)

    @property
    def manual(self) -> tuple[Record, ...]:
        """Open rotations that a person asked for: each may stand where a bad end stood."""
        found = (j.record for j in self.open.values())
        return tuple(r for r in found if r is not None and r.trigger is Trigger.MANUAL)

    def record_at(self, path: StorePath) -> Record | None:
        """Return the open or closed record of a path."""
        journaled = self.open.get(path)
        return journaled.record if journaled is not None else self.closed.get(path)

    def cooling_until(self, path: StorePath) -> datetime | None:
        """Return when a path's cool-down ends; None if it has none."""
        record = self.closed.get(path)
        if record is None or record.phase is not Phase.ABORTED:
            return None
        until = record.phase_since + COOL_DOWN
        return until if until > self.now else None

    def rotated_before(self, path: StorePath) -> bool:
        """Say whether the last rotation of a path ended DONE."""
        record = self.closed.get(path)
        return record is not None and record.phase is Phase.DONE

    def occupied(self, found: dict[StorePath, Credential]) -> tuple[Occupied, ...]:
        """Return what the open rotations take of the limits.

        `found` are the credentials of the inventory by path, for records that
        cannot be read.  Creates are counted by `creates`, never here.
        """
        return tuple(_occupied(j, found.get(path)) for path, j in self.open.items())


@dataclass(slots=True)
class Past:
    """The closed rotations of single paths, from the history; each is read once."""

    journal: Journal
    _known: dict[RotationId, Record] = field(default_factory=dict)

    async def of(self, path: StorePath) -> tuple[Record, ...]:
        """Return the closed rotations of a path that decode.  Raises StoreError."""
        documents = self.journal.documents
        folder = StorePath(f"{documents.at(HISTORY, encode_path(path))}/")
        names = await documents.kv.list_folder(folder) or ()
        found: list[Record] = []
        for name in names:
            label = read_label(f"{LABEL_PREFIX}{name}1")
            record = await self._read(path, label[0]) if label else None
            if record is not None and record.closed:
                found.append(record)
        return tuple(found)

    async def _read(self, path: StorePath, rotation: RotationId) -> Record | None:
        known = self._known.get(rotation)
        if known is None:
            known = await self.journal.history(path, rotation)
            if known is not None:
                self._known[rotation] = known
        return known


def _occupied(journaled: Journaled, credential: Credential | None) -> Occupied:
    record = journaled.record
    if record is not None:
        pins = record.pins
        return Occupied(record.credential, record.path, pins.exchange, pins.account)
    if credential is None:
        return Occupied(CredentialName(journaled.path), journaled.path, None, None)
    return Occupied(credential.name, journaled.path, credential.exchange, credential.account)


def _latest(times: dict[ExchangeName, datetime], exchange: ExchangeName, at: datetime) -> None:
    before = times.get(exchange)
    times[exchange] = at if before is None else max(before, at)
