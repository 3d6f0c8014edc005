"""What people ask: holds and commands, read once for all rotations.

A driver that only waits or publishes goes by this view, which is at most one
reading old; before anything is deleted the guard reads the holds anew.  A
command names the rotation and the path version that its author saw; what fits
no longer is void and is reported by the pass.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from rotator.core.credentials import compile_glob
from rotator.core.names import CredentialName, StorePath
from rotator.core.outcome import StoreError
from rotator.core.saga.words import Order
from rotator.engine.clock import Clock
from rotator.stores.documents import COMMANDS, HOLDS, Changed, Document, Documents, Stamp

COMMAND_WORDS: Final = frozenset({"rotate", "complete", "resolve"})


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing that `match` covers is replaced or deleted, until `until` (None = released)."""

    name: str
    match: str
    reason: str
    until: datetime | None

    def covers(self, credential: CredentialName, path: StorePath, now: datetime) -> bool:
        """Say whether it holds a credential now."""
        if self.until is not None and now >= self.until:
            return False
        pattern = compile_glob(self.match)
        return any(pattern.fullmatch(text) is not None for text in (credential, path))


def hold_from(name: str, data: Mapping[str, Any]) -> Hold:
    """Return the hold that a document asks for.

    What cannot be read errs on the side of holding: a match that is missing or
    no pattern holds everything, an `until` that is no time never ends.
    """
    match = data.get("match")
    return Hold(
        name=name,
        match=match if isinstance(match, str) and 0 < len(match) <= 512 else "**",
        reason=_short(data.get("reason")) or "no reason given",
        until=_time(data.get("until")),
    )


def order_from(document: Document) -> Order | None:
    """Return the command in a document; None if it is none."""
    data = document.data or {}
    command, version = data.get("command"), _number(data.get("version"))
    if not isinstance(command, str) or command not in COMMAND_WORDS:
        return None
    if document.created_at is None or version is None:
        return None
    answer = data.get("answer")
    return Order(
        command=command,
        rotation=_short(data.get("rotation")),
        version=version,
        answer=_short(answer) if isinstance(answer, str) else None,
        number=document.version,
        given_at=document.created_at,
        by=_short(document.created_by) or None,
    )


@dataclass(slots=True)
class Watch:
    """The last reading of `holds/` and `commands/`.

    `fault` says why the last reading failed: then everything counts as held,
    because a hold might be there that we cannot see.
    """

    documents: Documents
    clock: Clock
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    fault: str | None = "holds were not read yet"
    _holds: dict[StorePath, Hold] = field(default_factory=dict)
    _orders: dict[CredentialName, Order] = field(default_factory=dict)
    _stamps: dict[str, Mapping[StorePath, Stamp]] = field(default_factory=dict)
    _looks: int = 0
    _taken: dict[str, int] = field(default_factory=dict)

    @property
    def holds(self) -> tuple[Hold, ...]:
        """The holds that have not ended."""
        now = self.clock.now()
        return tuple(h for h in self._holds.values() if h.until is None or now < h.until)

    def holds_on(self, credential: CredentialName, path: StorePath) -> tuple[str, ...]:
        """Return the names of the holds that cover a credential."""
        now = self.clock.now()
        return tuple(h.name for h in self._holds.values() if h.covers(credential, path, now))

    def held(self, credential: CredentialName, path: StorePath) -> str | None:
        """Return why a credential is held, in words; None if it is not."""
        if self.fault is not None:
            return f"the holds could not be read ({self.fault})"
        now = self.clock.now()
        found = [h for h in self._holds.values() if h.covers(credential, path, now)]
        return "; ".join(f"{h.name}: {h.reason}" for h in found) or None

    def order(self, credential: CredentialName) -> Order | None:
        """Return the last command about a credential."""
        return self._orders.get(credential)

    @property
    def orders(self) -> Mapping[CredentialName, Order]:
        """Every command there is, obeyed or not."""
        return self._orders

    async def read(self) -> None:
        """Read both folders; never raises, the fault is kept."""
        try:
            await self.read_holds()
            await self._read_commands()
        except StoreError as error:
            self._judge_fault(str(error))

    async def read_holds(self) -> None:
        """Read the holds anew: the guard's look.  Raises StoreError."""
        changed = await self._changes(HOLDS)
        if changed is not None:
            self._take_holds(changed)
        self._judge_fault(None)

    def _take_holds(self, changed: Changed) -> None:
        for path in set(self._holds) - set(changed.stamps):
            del self._holds[path]
        for document in changed.documents:
            if document.data is None:
                self._holds.pop(document.path, None)
                continue
            name = self._subject(HOLDS, document.path) or "a hold whose name cannot be read"
            self._holds[document.path] = hold_from(name, document.data)

    async def _read_commands(self) -> None:
        changed = await self._changes(COMMANDS)
        if changed is None:
            return
        for name in set(self._orders) - {self._subject(COMMANDS, p) for p in changed.stamps}:
            del self._orders[name]
        for document in changed.documents:
            about = self._subject(COMMANDS, document.path)
            order = order_from(document)
            if about is None:
                continue
            self._orders.pop(about, None)
            if order is not None:
                self._orders[about] = order

    async def _changes(self, folder: str) -> Changed | None:
        """Look at a folder; None if a look begun later has come back before."""
        self._looks += 1
        number = self._looks
        changed = await self.documents.changed(
            folder, self._stamps.get(folder, {}), self.clock.now()
        )
        if not changed.complete:
            raise StoreError(f"{folder}/ could not be read whole: {changed.faults[0].message}")
        if number < self._taken.get(folder, 0):
            return None
        self._taken[folder] = number
        if self._stamps.get(folder, {}) != changed.stamps:
            self._stamps[folder] = changed.stamps
            self.wake()
        return changed

    def _subject(self, folder: str, document: StorePath) -> CredentialName | None:
        """Return what a document is about; None for a name that we would never give it."""
        try:
            return CredentialName(self.documents.subject(folder, document))
        except UnicodeError:
            return None

    def _judge_fault(self, fault: str | None) -> None:
        if fault != self.fault:
            self.fault = fault
            self.wake()

    def wake(self) -> None:
        """Wake those who wait: what people ask, or what a pass found, has changed."""
        self.changed.set()
        self.changed = asyncio.Event()


def _short(value: object) -> str:
    text = value if isinstance(value, str) else ""
    return "".join(c if c.isprintable() else " " for c in text)[:200]


def _number(value: object) -> int | None:
    """Return a count, also as text, as `vault kv put` writes it."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 9:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _time(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
