"""The journal: one record per path, under compare-and-set.

Closing writes a tombstone and never deletes: a deleted document would restart
its versions at 1, and the write of a driver that slept would fit again.  A
record that is deleted or does not decode counts as open: somebody must look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from rotator.core.names import RotationId, Sensitive, StorePath
from rotator.core.outcome import StoreConflict, StoreError
from rotator.core.record import MAX_STEPS, Record, RecordProblem, decode, encode, ended
from rotator.stores.documents import ROTATIONS, Document, Documents, Stamp
from rotator.stores.sealing import Sealer

KEPT: Final = 32
"""More versions of a record than any store keeps by default."""


BURIED: Final = {"record_version": 1, "phase": "ABORTED", "buried": True}
"""The tombstone of a record that was destroyed before it ended."""


class State(StrEnum):
    """What stands at a path's place in the journal."""

    ABSENT = "absent"
    OPEN = "open"
    CLOSED = "closed"
    DELETED = "deleted"
    DESTROYED = "destroyed"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Journaled:
    """A path's record as the journal holds it; `version` is what the next write fits on."""

    path: StorePath
    version: int
    record: Record | None
    state: State
    problem: str = ""

    @property
    def counts_as_open(self) -> bool:
        """True unless the rotation has ended, or there never was one."""
        return self.state not in (State.ABSENT, State.CLOSED)


@dataclass(frozen=True, slots=True)
class Survey:
    """Every record and tombstone by path; `complete` if each could be read."""

    records: Mapping[StorePath, Journaled]
    complete: bool


@dataclass(slots=True)
class Journal:
    """Reads and writes records, their secrets sealed by the sealing key.

    `sealer` None: the caller may read records, but no secret in them.
    """

    documents: Documents
    sealer: Sealer | None
    _stamps: dict[StorePath, Stamp] = field(default_factory=dict)
    _known: dict[StorePath, Journaled] = field(default_factory=dict)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def read(self, path: StorePath) -> Journaled:
        """Return the record of a path by one request."""
        return self._judge(path, await self.documents.read(self.documents.rotation(path)))

    async def write(self, record: Record, cas: int) -> int:
        """Put a record over version `cas`; return its version.  Raises as `Documents.put`."""
        place = self.documents.rotation(record.path)
        data = encode(record, self._seal(place))
        return await self.documents.put(place, data, cas)

    async def version(self, path: StorePath, now: datetime) -> int | None:
        """Return the record's version by one look; None if it is deleted."""
        glance = await self.documents.glance(self.documents.rotation(path), now)
        return None if glance.gone else glance.version

    async def undelete(self, journaled: Journaled) -> None:
        """Bring a soft-deleted record back."""
        await self.documents.undelete(self.documents.rotation(journaled.path), journaled.version)

    async def destroy_below(self, record: Record, version: int) -> None:
        """Destroy every version of a record below `version`: they may bear secrets.

        A rotation writes one version a step; only where the steps are no longer
        counted the store is asked which versions there are.
        """
        place, count = self.documents.rotation(record.path), len(record.steps)
        if count >= MAX_STEPS:
            await self.documents.destroy_below(place, version)
            return
        first = max(1, version - max(KEPT, count))
        await self.documents.destroy(place, tuple(range(first, version)))

    async def bury(self, journaled: Journaled) -> None:
        """Put a tombstone where a record was destroyed; its keys become foreign.

        Earlier versions may still bear secrets, so they go first.
        """
        place = self.documents.rotation(journaled.path)
        await self.documents.destroy_below(place, journaled.version)
        await self.documents.put(place, BURIED, journaled.version)

    async def write_history(self, record: Record, extra: Mapping[str, Any]) -> None:
        """Write how a rotation ends, without secrets; the same end is written once.

        A rotation that left CLOSING for a person's answer may end otherwise: the later
        end stands, so that nobody judges its keys by the earlier one.
        """
        place, end = self.documents.history(record.path, record.rotation), ended(record)
        data = encode(end, _refuse) | dict(extra)
        try:
            await self.documents.put(place, data, 0)
        except StoreConflict:
            found = self._judge(record.path, await self.documents.read(place))
            if found.record is not None and found.record.phase_since < end.phase_since:
                await self.documents.put(place, data, found.version)

    async def history(self, path: StorePath, rotation: RotationId) -> Record | None:
        """Return a closed record from the history; None if there is none that decodes."""
        place = self.documents.history(path, rotation)
        found = self._judge(path, await self.documents.read(place))
        return found.record

    async def survey(self, now: datetime) -> Survey:
        """Return every record; those unchanged since the last survey are not read again."""
        async with self._turn:
            return await self._survey(now)

    async def _survey(self, now: datetime) -> Survey:
        changed = await self.documents.changed(ROTATIONS, self._stamps, now)
        for document in changed.documents:
            self._known[document.path] = self._judge(self._about(document.path), document)
        if changed.complete:
            for gone in set(self._known) - set(changed.stamps):
                del self._known[gone]
        self._stamps = dict(changed.stamps)
        return Survey({j.path: j for j in self._known.values()}, changed.complete)

    def _about(self, document: StorePath) -> StorePath:
        """Return the path that a record is about; its own for a name that we never gave."""
        try:
            return StorePath(self.documents.subject(ROTATIONS, document))
        except UnicodeError:
            return document

    def _judge(self, path: StorePath, document: Document) -> Journaled:
        version = document.version
        if not document.exists:
            return Journaled(path, 0, None, State.ABSENT)
        if document.destroyed:
            return Journaled(path, version, None, State.DESTROYED, "the record was destroyed")
        if document.data is None:
            return Journaled(path, version, None, State.DELETED, "the record was deleted")
        if dict(document.data) == BURIED:
            return Journaled(path, version, None, State.CLOSED)
        try:
            record = decode(document.data, self._unseal(self.documents.rotation(path)))
        except (RecordProblem, StoreError) as error:
            return Journaled(path, version, None, State.UNREADABLE, str(error))
        if record.path != path:
            return Journaled(path, version, None, State.UNREADABLE, "the record is another path's")
        return Journaled(path, version, record, State.CLOSED if record.closed else State.OPEN)

    def _seal(self, place: StorePath) -> Callable[[Any], str]:
        sealer = self.sealer
        if sealer is None:
            return _refuse
        return lambda secret: sealer.seal(secret, place)

    def _unseal(self, place: StorePath) -> Callable[[str], Any]:
        sealer = self.sealer
        if sealer is None:
            return lambda _sealed: Sensitive("")
        return lambda sealed: sealer.open(sealed, place)


def _refuse(_secret: object) -> str:
    raise StoreError("a secret was about to be written where none may stand")
