"""Effects on the credential's own path: read, publish, fence, guard, retire."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from rotator.core.names import Fingerprint, SigningKey, StorePath
from rotator.core.outcome import Happened, StoreConflict, StoreError
from rotator.core.record import Phase, Record
from rotator.core.saga.words import (
    Done,
    FencePath,
    GuardSeen,
    Holder,
    Lost,
    Moment,
    PathSeen,
    Publish,
    RetireVersions,
    Stale,
    Unretire,
    Which,
    Written,
)
from rotator.engine.clock import moment
from rotator.engine.tools import Tools
from rotator.stores.port import Metadata
from rotator.stores.publisher import PathState

STEP_LIMIT: Final = 5.0
"""Seconds from a guard within which what stands under it is carried out, or not at all."""

RETIRING: Final = frozenset({Phase.DRAINING, Phase.ABORTING})
NO_KEY: Final = Fingerprint("-")


@dataclass(slots=True)
class PathMemory:
    """What versions of one path hold; a version never changes, so it is read once.

    Bound to the path's creation: a path that was made again is another path.
    """

    created_at: datetime | None = None
    marks: dict[int, Fingerprint] = field(default_factory=dict)
    top: PathState | None = None
    metadata: Metadata | None = None


@dataclass(slots=True)
class PathEffects:
    """Carries out the effects on one credential's path."""

    tools: Tools
    _memory: dict[StorePath, PathMemory] = field(default_factory=dict)

    def remember(self, record: Record, state: PathState) -> None:
        """Take in what the opening has just read."""
        memory = PathMemory(created_at=record.pins.path_created)
        self._memory[record.path] = memory
        self._note(memory, state)

    def forget(self, path: StorePath) -> None:
        """Drop what is known of a path."""
        self._memory.pop(path, None)

    def metadata(self, record: Record) -> Metadata | None:
        """Return the path's metadata as last looked at, by a guard or a reading."""
        memory = self._memory.get(record.path)
        return memory.metadata if memory else None

    async def served_key(self, record: Record) -> SigningKey | None:
        """Return the key that the path serves now; None if it serves none, or is another path.

        Of a path that was made again only a person's answer asks the key.
        """
        seen = await self.read(record)
        memory = self._memory.get(record.path)
        top = memory.top if memory else None
        pinned = not seen.recreated or record.phase is Phase.QUARANTINED
        serves = seen.holds is not Holder.GONE and pinned
        return top.key if serves and top is not None and top.version == seen.version else None

    async def read(self, record: Record) -> PathSeen:
        """Look at the path's metadata, and read the versions not read before."""
        metadata = await self.tools.publisher.glance(record.path)
        if metadata is None:
            return PathSeen(0, Holder.GONE, recreated=True)
        memory = self._remembered(record.path, metadata)
        await self._read_unknown(record, metadata, memory)
        return self._seen(record, metadata, memory)

    def _remembered(self, path: StorePath, metadata: Metadata) -> PathMemory:
        """Return what is known of this very path, as its metadata now says."""
        memory = self._memory.get(path)
        if memory is None or memory.created_at != metadata.created_at:
            memory = self._memory[path] = PathMemory(metadata.created_at)
        memory.metadata = metadata
        return memory

    async def _read_unknown(self, record: Record, metadata: Metadata, memory: PathMemory) -> None:
        now, fields = self.tools.clock.now(), dict(record.pins.fields)
        wanted = [
            v.number
            for v in metadata.versions
            if v.number not in memory.marks and v.readable(now) and _matters(record, v.number)
        ]
        top = metadata.current
        readable = (version := metadata.version(top)) is not None and version.readable(now)
        if readable and (memory.top is None or memory.top.version != top) and top not in wanted:
            wanted.append(top)
        read = self.tools.publisher.read
        for state in await asyncio.gather(*(read(record.path, fields, n) for n in wanted)):
            self._note(memory, state)

    def _note(self, memory: PathMemory, state: PathState) -> None:
        if state.content is None:
            return
        memory.marks[state.version] = self.tools.mark(state.key) if state.key else NO_KEY
        if memory.top is None or state.version >= memory.top.version:
            memory.top = state

    def _seen(self, record: Record, metadata: Metadata, memory: PathMemory) -> PathSeen:
        now = self.tools.clock.now()
        kept = [v.number for v in metadata.versions if v.readable(now)]
        holders = {n: self._holder(record, memory.marks.get(n)) for n in kept}
        top = holders.get(metadata.current, Holder.GONE)
        return PathSeen(
            version=metadata.current,
            holds=top,
            recreated=metadata.created_at != record.pins.path_created,
            created_at=metadata.created_at,
            old_versions=tuple(
                n for n, h in holders.items() if h is Holder.OLD and n < metadata.current
            ),
            new_versions=tuple(n for n, h in holders.items() if h is Holder.NEW),
            unread=tuple(v.number for v in metadata.versions if v.number not in holders),
        )

    def _holder(self, record: Record, mark: Fingerprint | None) -> Holder:
        if mark is None or mark == NO_KEY:
            return Holder.OTHER
        if mark == record.old_fingerprint:
            return Holder.OLD
        new = record.new
        return Holder.NEW if new and self.tools.mark(new) == mark else Holder.OTHER

    async def publish(self, record: Record, effect: Publish) -> Written | Lost:
        """Write the key's fields over exactly the version named."""
        key = record.new if effect.which is Which.NEW else old_key(record)
        state = await self._content(record, effect.cas)
        if key is None or state is None:
            return Lost()
        publisher, fields = self.tools.publisher, dict(record.pins.fields)
        try:
            version = await publisher.publish(state, fields, key)
        except StoreConflict:
            return Lost()
        except StoreError as error:
            return _lost(error)
        memory = self._memory.get(record.path)
        if memory is not None:
            self._note(memory, publisher.published(state, fields, key, version))
        return Written(version)

    async def fence(self, record: Record, effect: FencePath) -> Written | Lost:
        """Write the path's own content once more."""
        state = await self._content(record, effect.cas)
        if state is None:
            return Lost()
        try:
            version = await self.tools.publisher.rewrite(state)
        except StoreConflict:
            return Lost()
        except StoreError as error:
            return _lost(error)
        return Written(version)

    async def _content(self, record: Record, version: int) -> PathState | None:
        """Return a version with its content, from memory if it is the one last read."""
        memory = self._memory.get(record.path)
        if memory is not None and memory.top is not None and memory.top.version == version:
            return memory.top
        fields = dict(record.pins.fields)
        state = await self.tools.publisher.read(record.path, fields, version)
        return state if state.content is not None else None

    async def guard(self, record: Record, version: int) -> GuardSeen:
        """Look at path, record, holds and incidents, all at once."""
        at = moment(self.tools.clock)
        watch = self.tools.watch
        metadata, journal, _ = await asyncio.gather(
            self.tools.publisher.glance(record.path),
            self.tools.journal.version(record.path, at.at),
            watch.read_holds(),
        )
        if metadata is not None and metadata.created_at == record.pins.path_created:
            self._remembered(record.path, metadata)
        return GuardSeen(
            at=at,
            path_version=_served(metadata, at.at) if metadata else None,
            recreated=metadata is None or metadata.created_at != record.pins.path_created,
            record_unchanged=journal == version,
            hold=watch.held(record.credential, record.path),
            standstill=self.tools.standstill(),
        )

    async def retire(
        self, record: Record, effect: RetireVersions | Unretire
    ) -> Done | Stale | Lost:
        """Soft-delete (or bring back) exactly the versions named, never the current one."""
        if self._late(effect.guarded_at):
            return Stale()
        metadata = self.metadata(record)
        if metadata is None or max(effect.versions) >= metadata.current:
            return Lost()
        try:
            if isinstance(effect, RetireVersions):
                now = self.tools.clock.now()
                await self.tools.publisher.retire(metadata, effect.versions, now)
            else:
                await self.tools.publisher.unretire(metadata, effect.versions)
        except StoreError as error:
            return _lost(error)
        return Done()

    def _late(self, since: Moment) -> bool:
        return self.tools.clock.monotonic() - since.mono > STEP_LIMIT


def old_key(record: Record) -> SigningKey | None:
    """Return the old key as it signs; None once its secrets are gone."""
    if record.old_fields is None:
        return None
    return SigningKey(record.old_key_id, record.old_fields)


def _served(metadata: Metadata, now: datetime) -> int | None:
    """Return the version that consumers read; None if it was deleted."""
    version = metadata.version(metadata.current)
    return metadata.current if version is not None and version.readable(now) else None


def _matters(record: Record, version: int) -> bool:
    """Older versions matter where it is decided which of them are retired."""
    return version >= record.v0 or record.phase in RETIRING


def _lost(error: StoreError) -> Lost:
    if error.happened is Happened.REFUSED:
        raise error
    return Lost()
