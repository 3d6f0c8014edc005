"""The last facts of each key, in the store, so that drift survives a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from rotator.core.facts import KeyFacts
from rotator.core.names import CredentialName, Fingerprint
from rotator.core.outcome import Failure, StoreConflict, StoreDenied, StoreError
from rotator.core.sharing import Shared
from rotator.engine.clock import Clock
from rotator.engine.facts_codec import Remembered, decode_facts, differ, encode_facts
from rotator.stores.documents import FACTS, Document, Documents
from rotator.stores.port import Data

LANES: Final = 4
BATCH: Final = 50
USE_EVERY: Final = timedelta(days=1)
"""How often a new last use alone is worth a write."""

Breathe = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Noted:
    """Facts that a look has just told of the key at a credential.

    With a `failure`, the facts are those known before it: the look itself told none.
    """

    credential: CredentialName
    key_fp: Fingerprint
    facts: KeyFacts
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a document says, or would say if it could be written."""

    version: int
    told: Remembered | None
    written: bool = True


@dataclass(slots=True)
class FactsMemory:
    """Reads `facts/` at the start; writes a document only when what it says changes.

    A store that refuses is a problem that is counted, and never stops a pass:
    the memory then lives as long as this process.  `writes` False only reads.
    """

    documents: Documents
    clock: Clock
    breathe: Breathe
    writes: bool = True
    problems: int = 0
    problem: str = ""
    _kept: dict[CredentialName, _Kept] = field(default_factory=dict)
    _loaded: bool = False

    async def load(self) -> None:
        """Read every document once; what cannot be read is a problem, and asked for again."""
        if self._loaded:
            return
        shared, faults = Shared(), 0
        try:
            async for batch in self.documents.in_batches(FACTS):
                await self._load(batch.documents, shared)
                for fault in batch.faults:
                    self._count(fault.message)
                faults += len(batch.faults)
        except StoreError as error:
            self._count(str(error))
            return
        self._loaded = not faults

    async def _load(self, documents: Sequence[Document], shared: Shared) -> None:
        for number, document in enumerate(documents, 1):
            if not document.exists:
                continue
            name = CredentialName(self.documents.subject(FACTS, document.path))
            told = decode_facts(document.data) if document.data else None
            if told is not None:
                told = replace(told, facts=shared.facts(told.facts))
            self._kept.setdefault(name, _Kept(document.version, told))
            if number % BATCH == 0:
                await self.breathe()

    def last(self, name: CredentialName, key_fp: Fingerprint | None) -> KeyFacts | None:
        """Return the last facts of this very key; None if only another key is known."""
        told = self.remembered(name)
        return told.known if told is not None and told.key_fp == key_fp else None

    def remembered(self, name: CredentialName) -> Remembered | None:
        """Return what is remembered of a credential's key, whichever that was."""
        kept = self._kept.get(name)
        return kept.told if kept is not None else None

    async def note(self, noted: Sequence[Noted]) -> None:
        """Take in what looks told, and write what changed.  Never raises StoreError."""
        wanted: list[Noted] = []
        for number, each in enumerate(noted, 1):
            if self._worth_writing(each):
                wanted.append(each)
            if number % BATCH == 0:
                await self.breathe()
        todo = iter(wanted)
        denied: list[StoreDenied] = []

        async def lane() -> None:
            for each in todo:
                await self._write(each, denied)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(LANES, len(wanted))):
                group.create_task(lane())

    def _worth_writing(self, noted: Noted) -> bool:
        kept = self._kept.get(noted.credential)
        if kept is None or kept.told is None or not kept.written:
            return True
        told = kept.told
        if told.key_fp != noted.key_fp or differ(told.facts, noted.facts):
            return True
        if _said(told.failure) != _said(noted.failure):
            return True
        if told.facts.last_used_at == noted.facts.last_used_at:
            return False
        return told.seen_at is None or self.clock.now() - told.seen_at >= USE_EVERY

    async def _write(self, noted: Noted, denied: list[StoreDenied]) -> None:
        """Write one document; once denied, the others are only kept in memory."""
        kept = self._kept.get(noted.credential)
        version = kept.version if kept else 0
        told = Remembered(noted.key_fp, noted.facts, self.clock.now(), noted.failure)
        self._kept[noted.credential] = _Kept(version, told, written=False)
        if denied or not self.writes:
            return
        try:
            version = await self._put(noted.credential, encode_facts(told), version)
        except StoreDenied as error:
            denied.append(error)
            self._count(str(error))
        except StoreError as error:
            self._count(str(error))
        else:
            self._kept[noted.credential] = _Kept(version, told)

    async def _put(self, name: CredentialName, data: Data, version: int) -> int:
        """Write over what we know, else over what another daemon wrote meanwhile."""
        path = self.documents.facts(name)
        try:
            return await self.documents.put(path, data, version)
        except StoreConflict:
            found = await self.documents.read(path)
            return await self.documents.put(path, data, found.version)

    def _count(self, message: str) -> None:
        self.problems += 1
        self.problem = message


def _said(failure: Failure | None) -> tuple[str, ...]:
    """Return what a failure means; its wording does not count."""
    return () if failure is None else (failure.meaning, *failure.candidates)
