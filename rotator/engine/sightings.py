"""When each stray was first seen: a document per account, so that "twice" survives a restart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rotator.core.names import KeyId, StorePath
from rotator.engine.accounts import Account
from rotator.stores.documents import STRAYS, Documents, Stamp


@dataclass(frozen=True, slots=True)
class Seen:
    """An account's sightings as they stand in the store; `version` is what a write fits on."""

    version: int = 0
    first: Mapping[KeyId, datetime] = field(default_factory=dict)


@dataclass(slots=True)
class Sightings:
    """Reads and writes `strays/<exchange>/<account>`."""

    documents: Documents
    _stamps: Mapping[StorePath, Stamp] = field(default_factory=dict)
    _seen: dict[StorePath, Seen] = field(default_factory=dict)

    async def read(self, now: datetime) -> None:
        """Read what changed.  Raises StoreError."""
        changed = await self.documents.changed(STRAYS, self._stamps, now)
        for document in changed.documents:
            self._seen[document.path] = Seen(document.version, _first(document.data))
        self._stamps = changed.stamps

    def of(self, account: Account) -> Seen:
        """Return an account's sightings, as last read."""
        return self._seen.get(self._place(account), Seen())

    async def keep(self, account: Account, strays: Iterable[KeyId], now: datetime) -> Seen:
        """Note which keys are strays now, and forget all others; write only a change.

        Raises StoreError, as StoreConflict if another daemon wrote first.
        """
        before = self.of(account)
        first = {key: before.first.get(key, now) for key in strays}
        if first == dict(before.first):
            return before
        place = self._place(account)
        told = {key: at.astimezone(UTC).isoformat() for key, at in first.items()}
        version = await self.documents.put(place, {"seen": told}, before.version)
        after = Seen(version, first)
        self._seen[place] = after
        return after

    def _place(self, account: Account) -> StorePath:
        return self.documents.strays(account.exchange, account.account)


def _first(data: Mapping[str, Any] | None) -> dict[KeyId, datetime]:
    """Return the sightings of a document; what is not one is left out, so it is seen anew."""
    told = data.get("seen") if data else None
    if not isinstance(told, Mapping):
        return {}
    found: dict[KeyId, datetime] = {}
    for key, text in told.items():
        at = _time(text)
        if isinstance(key, str) and at is not None:
            found[KeyId(key)] = at
    return found


def _time(value: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return at if at is not None and at.tzinfo is not None else None
