"""Carries out whatever effect the saga asks for, and answers in its words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from rotator.core.outcome import StoreError
from rotator.core.record import Record
from rotator.core.saga.words import (
    Answer,
    CreateKey,
    DeleteKey,
    DeleteOlder,
    DestroySecrets,
    Done,
    Effect,
    FencePath,
    FindElsewhere,
    Guard,
    Inspect,
    Lost,
    PatchMetadata,
    Places,
    Publish,
    ReadPath,
    RetireVersions,
    Unretire,
    WriteHistory,
)
from rotator.engine.key_effects import KeyEffects
from rotator.engine.path_effects import PathEffects
from rotator.engine.tools import Tools
from rotator.stores.publisher import KEY_FP, KEY_SINCE, ROTATED_AT, ROTATION

SHOWN_PLACES = 5
NOT_FOUND = 404


@dataclass(frozen=True, slots=True)
class Effects:
    """The effects of every rotation; what is remembered is only ever a saving."""

    tools: Tools
    path: PathEffects
    keys: KeyEffects

    @classmethod
    def over(cls, tools: Tools) -> Effects:
        """Build them over one set of tools."""
        path = PathEffects(tools)
        return cls(tools, path, KeyEffects(tools, path))

    async def perform(self, record: Record, version: int, effect: Effect) -> Answer:
        """Carry out one effect of the record at `version`; raises StoreError for reads."""
        match effect:
            case ReadPath():
                return await self.path.read(record)
            case Publish():
                return await self.path.publish(record, effect)
            case FencePath():
                return await self.path.fence(record, effect)
            case Guard():
                return await self.path.guard(record, version)
            case RetireVersions() | Unretire():
                return await self.path.retire(record, effect)
            case CreateKey() | Inspect() | DeleteKey() | DeleteOlder():
                return await self._at_exchange(record, effect)
            case FindElsewhere():
                return await self._elsewhere(record, effect)
            case DestroySecrets() | WriteHistory() | PatchMetadata():
                return await self._close(record, version, effect)
            case _:
                assert_never(effect)

    async def _at_exchange(
        self, record: Record, effect: CreateKey | Inspect | DeleteKey | DeleteOlder
    ) -> Answer:
        match effect:
            case CreateKey():
                return await self.keys.create(record, effect)
            case Inspect():
                return await self.keys.inspect(record, effect)
            case DeleteKey():
                return await self.keys.delete(record, effect)
            case DeleteOlder():
                return await self.keys.delete_older(record, effect)
            case _:
                assert_never(effect)

    async def _elsewhere(self, record: Record, effect: FindElsewhere) -> Places:
        """Find where else the old key is, by an inventory begun after the record."""
        taken = await self.tools.hub.complete_after(effect.since)
        result = taken.result
        found = result.places.get(self.tools.marks.of(record.old_key_id), ())
        places = tuple(sorted({f"{p.path} ({p.field})" for p in found}))
        missing = "; ".join(f"{f.path}: {f.message}" for f in result.faults[:SHOWN_PLACES])
        return Places(places[:SHOWN_PLACES], result.complete, missing)

    async def _close(
        self, record: Record, version: int, effect: DestroySecrets | WriteHistory | PatchMetadata
    ) -> Done | Lost:
        journal = self.tools.journal
        try:
            match effect:
                case DestroySecrets():
                    await journal.destroy_below(record, version)
                case WriteHistory():
                    await journal.write_history(record, {"audit_head": self.tools.audit_head()})
                case PatchMetadata():
                    await self._note(record)
        except StoreError as error:
            # A path that was removed meanwhile has no metadata to keep.
            gone = isinstance(effect, PatchMetadata) and error.status == NOT_FOUND
            return Done() if gone else Lost()
        return Done()

    async def _note(self, record: Record) -> None:
        if record.new is None:
            return
        since = next((s.at for s in record.steps if s.phase.value == "STAGED"), record.started_at)
        metadata = self.path.metadata(record)
        await self.tools.publisher.note(
            record.path,
            {
                KEY_SINCE: since.isoformat(),
                KEY_FP: self.tools.marks.of(record.new.key_id),
                ROTATED_AT: self.tools.clock.now().isoformat(),
                ROTATION: record.rotation,
            },
            held=metadata.custom if metadata else None,
        )
