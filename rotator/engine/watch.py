"""What people ask: holds and commands, read once for all rotations.

A driver that only waits or publishes goes by this view, which is at most one
reading old; before anything is deleted the guard reads the holds anew.  A
command names the rotation and the path version that its author saw; what fits
no longer is void and is reported by the pass.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from rotator.core.credentials import compile_glob
from rotator.core.names import CredentialName, StorePath
from rotator.core.outcome import StoreError
from rotator.core.saga.words import Order
from rotator.engine.clock import Clock
from rotator.stores.documents import COMMANDS, HOLDS, Document, Documents, Stamp

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
    if command not in COMMAND_WORDS or document.created_at is None or version is None:
        return None
    answer = data.get("answer")
    return Order(
        command=str(command),
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
            self.fault = str(error)
        self.changed.set()
        self.changed = asyncio.Event()

    async def read_holds(self) -> None:
        """Read the holds anew: the guard's look.  Raises StoreError."""
        changes, gone = await self._changes(HOLDS)
        for path in gone:
            self._holds.pop(path, None)
        for document in changes:
            if document.data is None:
                self._holds.pop(document.path, None)
                continue
            name = self.documents.subject(HOLDS, document.path)
            self._holds[document.path] = hold_from(name, document.data)
        self.fault = None

    async def _read_commands(self) -> None:
        changes, gone = await self._changes(COMMANDS)
        for path in gone:
            self._orders.pop(CredentialName(self.documents.subject(COMMANDS, path)), None)
        for document in changes:
            name = CredentialName(self.documents.subject(COMMANDS, document.path))
            order = order_from(document)
            if order is None:
                self._orders.pop(name, None)
            else:
                self._orders[name] = order

    async def _changes(self, folder: str) -> tuple[Iterable[Document], set[StorePath]]:
        before = self._stamps.get(folder, {})
        changed = await self.documents.changed(folder, before, self.clock.now())
        if not changed.complete:
            raise StoreError(f"{folder}/ could not be read whole: {changed.faults[0].message}")
        self._stamps[folder] = changed.stamps
        return changed.documents, set(before) - set(changed.stamps)


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
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
