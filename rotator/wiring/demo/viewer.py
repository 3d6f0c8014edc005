"""Looks at the demo's store as `rotator status` does: through a desk that only looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from rotator.core.findings import Severity
from rotator.core.names import KeyId
from rotator.core.record import Phase, Record
from rotator.engine.accounts import place_of
from rotator.engine.clock import Clock
from rotator.engine.desk import Desk
from rotator.engine.reports import Document, status_document
from rotator.engine.snapshot import Snapshot
from rotator.engine.standing import of_record, resting
from rotator.observe import log
from rotator.observe.redact import Redactor
from rotator.wiring.desk import Surroundings, new_metrics, open_desk
from rotator.wiring.settings import read_config

FOR_PEOPLE = frozenset({Severity.CRITICAL, Severity.WARNING})


@dataclass(frozen=True, slots=True)
class Picture:
    """What stands in the store at one instant.

    `document` is the form of `rotator status`.  `done`, `ended` and `under_way` are
    credentials whose rotation is DONE, ended otherwise, or goes on by itself;
    `waiting` are due and allowed, and not yet begun.  `people` are those that need
    a person.  `replaced` are the ids of keys that rotations have replaced.
    """

    document: Document
    done: tuple[str, ...]
    ended: tuple[str, ...]
    under_way: tuple[str, ...]
    waiting: tuple[str, ...]
    people: tuple[str, ...]
    replaced: tuple[KeyId, ...]

    @property
    def settled(self) -> bool:
        """Say whether nothing is left that the program would do now."""
        return not self.under_way and not self.waiting


@dataclass(slots=True)
class Viewer:
    """An instance that changes nothing."""

    desk: Desk

    @classmethod
    async def open(cls, file: Path, environ: Mapping[str, str], clock: Clock, logs: Path) -> Self:
        """Open the store that a configuration names.  Raises SetupError and StoreError."""
        config = read_config(file, environ)
        redactor = Redactor()
        log.configure(logs.open("ab", buffering=0), "warning", redactor, clock.now)
        metrics = new_metrics(config)
        return cls(
            await open_desk(
                Surroundings(config, environ, clock, redactor, metrics, looks_only=True)
            )
        )

    async def look(self, *, force: bool = False) -> Picture:
        """Look once; `force` asks for every key and lists every account.  Raises StoreError."""
        desk = self.desk
        # The records first: what they call DONE is then judged with its new key.
        survey = await desk.journal.survey(desk.clock.now())
        records = [j.record for j in survey.records.values() if j.record is not None]
        for record in records:
            desk.passes.listings.expire(place_of(record), record.written_at)
        return self._picture(await desk.look(force=force), records)

    def _picture(self, snapshot: Snapshot, records: list[Record]) -> Picture:
        now = self.desk.clock.now()
        reports = [of_record(r, None if r.closed else resting(r, now)) for r in records]
        done = [r for r in records if r.phase is Phase.DONE]
        stuck = [r for r in records if r.phase in (Phase.ABORTED, Phase.QUARANTINED)]
        moving = [r for r in records if not r.closed and r.phase is not Phase.QUARANTINED]
        open_now = {r.credential for r in records if not r.closed}
        wanted = [p for p in snapshot.plan if p.ready(now) and p.credential not in open_now]
        marked = {f.credential for f in snapshot.findings if f.severity in FOR_PEOPLE}
        return Picture(
            document=status_document(snapshot, reports),
            done=tuple(r.credential for r in done),
            ended=tuple(r.credential for r in stuck),
            under_way=tuple(r.credential for r in moving),
            waiting=tuple(p.credential for p in wanted),
            people=tuple(sorted((marked & set(snapshot.by_name)) - open_now)),
            replaced=tuple(r.old_key_id for r in done if r.old_key_id is not None),
        )

    async def close(self) -> None:
        """Close the store and the connections."""
        await self.desk.close()
