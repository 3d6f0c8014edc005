"""Tells logs, metrics and the audit what the drivers do."""

from __future__ import annotations

import asyncio
import traceback
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import PurePath
from typing import Any, Final

from rotator.core.names import StorePath, shown
from rotator.core.record import Phase, Record
from rotator.core.saga.words import Event, Stay
from rotator.engine.clock import Clock
from rotator.observe import events
from rotator.observe.audit import AuditLog
from rotator.observe.chain import Step
from rotator.observe.log import Logger
from rotator.observe.metrics import Metrics, Result

SHOWN_FRAMES: Final = 8

WAITING_PHASES = frozenset({Phase.DRAINING, Phase.DRAINING_BACK, Phase.QUARANTINED})
"""Phases whose time is not work: they wait for consumers or a person."""


@dataclass(slots=True)
class Telling:
    """The one place from which a rotation is logged, counted and audited."""

    log: Logger
    metrics: Metrics
    audit: AuditLog
    clock: Clock
    _stays: dict[StorePath, str] = field(default_factory=dict)
    _active: dict[str, timedelta] = field(default_factory=dict)

    async def opened(self, record: Record) -> None:
        """Tell that a rotation was opened."""
        self.log.info(
            events.ROTATION_OPENED, **_who(record), trigger=record.trigger.value, v0=record.v0
        )
        detail = {"trigger": record.trigger.value, "label": record.label}
        await self._audit(record, "opened", detail)

    async def wrote(self, before: Record | None, after: Record, event: Event) -> None:
        """Tell one step: the record has landed."""
        self.log.info(events.STEP, **_who(after), because=event.value, **_detail(after))
        await self._audit(after, after.phase.value, {"because": event.value} | _detail(after))
        self._stays.pop(after.path, None)
        if before is not None and before.phase is not after.phase:
            self._left(before, after.written_at)
        if after.closed:
            self._ended(after)
        elif after.phase is Phase.QUARANTINED:
            self._quarantined(before, after)

    def _left(self, before: Record, at: datetime) -> None:
        span = at - before.phase_since
        self.metrics.phase_left(before.phase, max(0.0, span.total_seconds()))
        if before.phase not in WAITING_PHASES:
            spent = self._active.get(before.rotation, timedelta(0))
            self._active[before.rotation] = spent + span

    def _ended(self, record: Record) -> None:
        active = self._active.pop(record.rotation, None)
        result = Result.DONE if record.phase is Phase.DONE else Result.ABORTED
        if result is Result.ABORTED and record.rolled_back:
            result = Result.ROLLED_BACK
        seconds = active.total_seconds() if active is not None else None
        self.metrics.rotation_ended(
            record.pins.exchange, record.strategy, result, record.trigger, seconds
        )
        level = self.log.error if record.alarm else self.log.info
        level(
            events.ROTATION_CLOSED,
            **_who(record),
            result=result.value,
            why=record.why,
            alarm=record.alarm,
        )

    def _quarantined(self, before: Record | None, record: Record) -> None:
        if record.refused:
            self.log.warning(events.ANSWER_REFUSED, **_who(record), question=record.asks)
            return
        if record.why.startswith("no row for"):
            self.metrics.event_unexpected(record.left or record.phase)
        self.metrics.rotation_ended(
            record.pins.exchange, record.strategy, Result.QUARANTINED, record.trigger
        )
        self.log.error(events.ROTATION_QUARANTINED, **_who(record), question=record.asks)

    def stays(self, record: Record, stay: Stay) -> None:
        """Tell a wait once, not at every look."""
        if self._stays.get(record.path) == stay.sentence:
            return
        self._stays[record.path] = stay.sentence
        log = self.log.warning if stay.alert else self.log.info
        log(events.ROTATION_HELD, **_who(record), on=stay.on, waits_for=stay.sentence)

    def trouble(self, record: Record | None, path: StorePath, message: str) -> None:
        """Tell what will be tried again."""
        who = _who(record) if record else {"path": path}
        self.log.warning("trouble", **who, message=message)

    def crashed(self, path: StorePath, error: Exception) -> None:
        """Tell an error that nobody foresaw, with its place and without its values.

        Its message is left out as well: it may quote what it stumbled over.
        """
        self.log.error("driver_crashed", path=path, error=type(error).__name__, at=_place(error))

    async def happened(self, step: str, **detail: Any) -> None:
        """Audit something that belongs to no rotation."""
        await asyncio.to_thread(self.audit.append, Step(step, detail=detail))

    async def _audit(self, record: Record, step: str, detail: dict[str, Any]) -> None:
        entry = Step(step, record.credential, record.rotation, _by(record), detail)
        written = await asyncio.to_thread(self.audit.append, entry)
        if written is None:
            self.log.error(events.AUDIT_FAILED, **_who(record), step=step)


def _place(error: Exception) -> list[str]:
    """Return where an error was raised, innermost last."""
    frames = traceback.extract_tb(error.__traceback__)[-SHOWN_FRAMES:]
    return [f"{PurePath(f.filename).name}:{f.lineno} {f.name}" for f in frames]


def _who(record: Record) -> dict[str, Any]:
    return {
        "rotation": record.rotation,
        "credential": record.credential,
        "exchange": record.pins.exchange,
        "phase": record.phase.value,
    }


def _detail(record: Record) -> dict[str, Any]:
    """Return what a step may tell: no secret, and of key ids the last four characters."""
    told: dict[str, Any] = {"attempt": record.attempt, "old_key": shown(record.old_key_id)}
    if record.new is not None:
        told["new_key"] = shown(record.new.key_id)
    for name in ("publish_over", "v1", "path_version", "proof", "why", "looks", "alarm", "refused"):
        value = getattr(record, name)
        if value not in (None, ""):
            told[name] = value
    if record.retire:
        told["retire"] = list(record.retire)
    if record.withdraw:
        told["withdraw"] = list(record.withdraw)
    return told


def _by(record: Record) -> str:
    """Who caused a step: the program, or the person named in the proof."""
    _, _, person = record.proof.partition("complete by ")
    return person if person and record.phase is Phase.REVOKING else "rotator"
