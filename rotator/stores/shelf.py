"""The inventory of somebody who may not read values: names, versions, metadata.

People's policy lets them list the credentials, not read them.  Which key stands at
a path is then told by its metadata, or by who remembers it; else it is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from rotator.core.credentials import RuleBook
from rotator.core.facts import Credential, StoredKey
from rotator.core.names import CredentialName, Fingerprint, SigningKey, StorePath
from rotator.stores.held import Entry, noted_since
from rotator.stores.inventory import InventoryResult
from rotator.stores.port import KvStore, Metadata, StoreFault, Version

MarkOf = Callable[[Credential, Metadata], Fingerprint | None]
"""Says which key stands at a credential now, None if that is not known."""


def no_mark(_credential: Credential, _metadata: Metadata) -> Fingerprint | None:
    """Know of no key."""
    return None


@dataclass(frozen=True, slots=True)
class Shelf:
    """Walks the folders of `paths:` and reads metadata alone."""

    kv: KvStore
    paths: Sequence[StorePath]
    state: StorePath
    rules: RuleBook
    clock: Callable[[], datetime]
    mark_of: MarkOf = no_mark

    def signing_key(self, _name: CredentialName) -> SigningKey | None:
        """Return None: no value is read here."""
        return None

    async def take(self) -> InventoryResult:
        """Walk and resolve; raises StoreError if the store is lost."""
        found: set[StorePath] = set()
        faults: list[StoreFault] = []
        for root in self.paths:
            walk = await self.kv.walk(StorePath(root.strip("/")), (self.state,))
            found.update(p for p in walk.paths if not f"{p}/".startswith(f"{self.state}/"))
            faults += walk.faults
        entries: list[Entry] = []
        others: list[StorePath] = []
        for path, metadata in (await self.kv.read_many_metadata(sorted(found))).items():
            if isinstance(metadata, StoreFault):
                faults.append(metadata)
            elif metadata is not None:
                made = self.entries(metadata)
                entries += made
                others += () if made else (path,)
        return InventoryResult(
            entries=tuple(entries),
            others=len(others),
            other_paths=tuple(others),
            complete=not faults,
            faults=tuple(faults),
            paths_cover_mount=all("/" not in root.strip("/") for root in self.paths),
            places={},
        )

    def entries(self, metadata: Metadata) -> tuple[Entry, ...]:
        """Return the credentials of one secret."""
        current = metadata.version(metadata.current)
        gone = current is None or not current.readable(self.clock())
        problem = "the current version of the secret is deleted" if gone else None
        return tuple(
            Entry(c, self._stored(c, metadata, current), metadata, problem)
            for c in self.rules.resolve(metadata.path, metadata.custom)
        )

    def _stored(
        self, credential: Credential, metadata: Metadata, current: Version | None
    ) -> StoredKey:
        mark = self.mark_of(credential, metadata)
        return StoredKey(
            path=credential.path,
            version=metadata.current,
            key_fp=mark,
            path_created=metadata.created_at,
            version_created=current.created_at if current else None,
            key_since=noted_since(metadata.custom, mark) if mark else None,
            deletes_at=current.deletes_at if current else None,
        )
