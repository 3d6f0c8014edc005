"""What Rotator reads of and writes to a credential's own path.

Writes replace the credential's fields and keep all others; they are always by
compare-and-set.  Older versions are deleted and undeleted by number, never the
current one, and custom_metadata is merged under `rotator_` only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, TypeAlias

from rotator.core.names import Fingerprint, KeyId, Sensitive, SigningKey, StorePath
from rotator.core.outcome import Happened, StoreError
from rotator.stores.fingerprints import Fingerprints
from rotator.stores.held import KEY_FP, KEY_SINCE, key_in
from rotator.stores.port import Data, KvStore, Metadata

PREFIX: Final = "rotator_"
ROTATED_AT: Final = "rotator_rotated_at"
ROTATION: Final = "rotator_rotation"

FieldMap: TypeAlias = Mapping[str, str]
"""Words of the store contract to the secret's own field names (`Credential.fields`)."""

__all__ = [
    "KEY_FP",
    "KEY_SINCE",
    "PREFIX",
    "ROTATED_AT",
    "ROTATION",
    "FieldMap",
    "PathState",
    "Publisher",
]


@dataclass(frozen=True, slots=True)
class PathState:
    """What one version of a path holds.

    `key` is None when a key id or a secret is missing; `key_id` and the
    fingerprints are then as far as they are there.  `content` is the whole
    secret as JSON, unknown fields included; None if the version is deleted.
    """

    path: StorePath
    version: int
    created_at: datetime | None
    key: SigningKey | None
    key_id: KeyId | None
    key_fp: Fingerprint | None
    content: Sensitive | None
    destroyed: bool = False

    @property
    def exists(self) -> bool:
        """True if the path ever had a version."""
        return self.version > 0

    def holds(self, key_id: KeyId) -> bool:
        """Say whether this version hands out the key with this id."""
        return self.key_id == key_id


class Publisher:
    """Reads and writes credentials' paths."""

    def __init__(self, kv: KvStore, fingerprints: Fingerprints) -> None:
        self._kv = kv
        self._marks = fingerprints

    async def read(
        self, path: StorePath, fields: FieldMap, version: int | None = None
    ) -> PathState:
        """Return a version (the current one if None) with its key, by one request.

        A path without any version is a PathState of version 0.
        """
        found = await self._kv.read(path, version)
        if found is None:
            return PathState(path, 0, None, None, None, None, None)
        state = self._state(found.path, found.version, found.data, fields)
        return replace(state, created_at=found.created_at, destroyed=found.destroyed)

    async def glance(self, path: StorePath) -> Metadata | None:
        """Return the path's metadata by one request: the guard's look at the path."""
        return await self._kv.read_metadata(path)

    async def publish(self, over: PathState, fields: FieldMap, key: SigningKey) -> int:
        """Write `key` over the version that `over` shows; return the new version.

        Unknown fields stay.  A field of ours that the new key does not have is
        removed, so that no mixture of two keys is ever handed out.  Raises
        StoreConflict if another version was written meanwhile; StoreError with
        `happened` UNKNOWN if the answer was lost: then read back.
        """
        return await self._kv.write(over.path, _with_key(over, fields, key), over.version)

    def published(
        self, over: PathState, fields: FieldMap, key: SigningKey, version: int
    ) -> PathState:
        """Return what `publish` has left as `version`: nothing need be read to know it."""
        return self._state(over.path, version, _with_key(over, fields, key), fields)

    async def rewrite(self, state: PathState) -> int:
        """Write the same content once more, so that no Publish on its way can still land."""
        return await self._kv.write(state.path, _data_in(state), state.version)

    async def retire(
        self, metadata: Metadata, versions: Iterable[int], now: datetime
    ) -> tuple[int, ...]:
        """Soft-delete exactly these older versions; return those that were still there.

        `metadata` is the guard's look.  Raises StoreError (REFUSED) before any
        request if the current version, or a later one, is among them.
        """
        entries = [metadata.version(number) for number in _older(metadata, versions)]
        doomed = tuple(v.number for v in entries if v and v.readable(now))
        if doomed:
            await self._kv.delete_versions(metadata.path, doomed)
        return doomed

    async def unretire(self, metadata: Metadata, versions: Iterable[int]) -> tuple[int, ...]:
        """Bring these older versions back; return those that could be."""
        entries = [metadata.version(number) for number in _older(metadata, versions)]
        wanted = tuple(v.number for v in entries if v and not v.destroyed and v.deletes_at)
        if wanted:
            await self._kv.undelete_versions(metadata.path, wanted)
        return wanted

    async def note(
        self,
        path: StorePath,
        custom: Mapping[str, str | None],
        held: Mapping[str, str] | None = None,
    ) -> None:
        """Merge `rotator_*` keys into custom_metadata (None removes one).

        `held` is the custom_metadata as just read.
        """
        foreign = [key for key in custom if not key.startswith(PREFIX)]
        if foreign:
            raise _refused(f"{path}: {foreign[0]!r} does not begin with {PREFIX}")
        if custom:
            await self._kv.patch_metadata(path, custom, held)

    def _state(
        self, path: StorePath, version: int, data: Data | None, fields: FieldMap
    ) -> PathState:
        texts = {n: Sensitive(v) for n, v in (data or {}).items() if isinstance(v, str) and v}
        shown = texts.get(fields.get("api_key", ""))
        key_id = KeyId(shown.reveal().strip()) if shown else None
        return PathState(
            path=path,
            version=version,
            created_at=None,
            key=key_in(texts, fields),
            key_id=key_id or None,
            key_fp=self._marks.of(key_id) if key_id else None,
            content=None if data is None else Sensitive(json.dumps(dict(data))),
        )


def _data_in(state: PathState) -> dict[str, Any]:
    if state.content is None:
        raise _refused(
            f"{state.path}: version {state.version} is deleted, so its other fields are unknown"
        )
    data: dict[str, Any] = json.loads(state.content.reveal())
    return data


def _with_key(over: PathState, fields: FieldMap, key: SigningKey) -> dict[str, Any]:
    data = _data_in(over)
    for word, value in _words(key).items():
        name = fields.get(word)
        if value is None:
            data.pop(name or "", None)
        elif name is None:
            raise _refused(f"{over.path}: the field map has no field for {word}")
        else:
            data[name] = value.reveal()
    return data


def _words(key: SigningKey) -> dict[str, Sensitive | None]:
    return {
        "api_key": Sensitive(key.key_id),
        "api_secret": key.secrets.api_secret,
        "private_key": key.secrets.private_key,
        "passphrase": key.secrets.passphrase,
    }


def _older(metadata: Metadata, versions: Iterable[int]) -> tuple[int, ...]:
    wanted = tuple(dict.fromkeys(versions))
    if any(number >= metadata.current for number in wanted):
        raise _refused(f"{metadata.path}: the current version is never deleted or undeleted")
    return wanted


def _refused(message: str) -> StoreError:
    return StoreError(message, happened=Happened.REFUSED)
