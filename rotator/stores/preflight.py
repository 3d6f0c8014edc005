"""What the store must allow before a rotation may begin; asked before, not found out midway."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from rotator.core.names import CredentialName, RotationId, StorePath
from rotator.core.outcome import StoreDenied
from rotator.stores.documents import HOLDS, Documents
from rotator.stores.port import KvStore

NEEDED_VERSIONS: Final = 4
"""The old key, the new one, the fence's rewrite and the way back all fit into the window."""

SAMPLE_ROTATION: Final = RotationId("aaaaaaaa")
SAMPLE_HOLD: Final = "any"
ALL: Final = "root"

Need = tuple[str, frozenset[str]]
"""An API path and capabilities, every one of which is needed."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why no rotation may begin, and what to do."""

    message: str
    cure: str


@dataclass(frozen=True, slots=True)
class Preflight:
    """Asks the conditions of one state prefix."""

    kv: KvStore
    documents: Documents

    async def problems(
        self, name: CredentialName, path: StorePath, *, assisted: bool = False
    ) -> tuple[Problem, ...]:
        """Return what stands against a rotation of a credential; empty = fine.

        Raises StoreError if the store does not answer (a refusal is a problem).
        """
        found: list[Problem] = []
        try:
            found += await self._retention(path)
            found += await self._window(path)
        except StoreDenied as denied:
            found.append(
                Problem(
                    f"the store does not let us read its limits: {denied}",
                    "grant `read` on the mounts' `config` and on the path's metadata",
                )
            )
        found += await self._powers(self.needs(name, path, assisted=assisted))
        return tuple(found)

    async def _retention(self, path: StorePath) -> list[Problem]:
        """The journal must not delete itself: neither by its mount nor by its own metadata."""
        prefix = self.documents.prefix
        limits = await self.kv.mount_limits(prefix)
        if limits.delete_version_after > timedelta(0):
            return [
                Problem(
                    f"the mount {limits.mount} of the state prefix deletes every version after "
                    f"{limits.delete_version_after}, a rotation's journal too",
                    f"run: vault write {limits.mount.strip('/')}/config delete_version_after=0s, "
                    "or put the state prefix on another mount",
                )
            ]
        record = await self.kv.read_metadata(self.documents.rotation(path))
        if record is None or record.delete_version_after <= timedelta(0):
            return []
        return [
            Problem(
                f"{record.path} deletes its versions after {record.delete_version_after}",
                f"run: vault kv metadata patch -delete-version-after=0s {record.path}",
            )
        ]

    async def _window(self, path: StorePath) -> list[Problem]:
        """The old key's version must stay while the rotation can still go back."""
        limits = await self.kv.mount_limits(path)
        metadata = await self.kv.read_metadata(path)
        if metadata is None:
            return [Problem(f"{path} is gone from the store", "write the credential again")]
        window = max(limits.max_versions, metadata.max_versions)
        if window >= NEEDED_VERSIONS:
            return []
        return [
            Problem(
                f"{path} keeps only {window} versions, so a rotation would push out the old "
                "key while it may still be needed",
                f"run: vault kv metadata patch -max-versions=10 {path}",
            )
        ]

    def needs(
        self, name: CredentialName, path: StorePath, *, assisted: bool = False
    ) -> dict[str, frozenset[str]]:
        """Return the API paths that a rotation of a credential touches, and what it needs there."""
        merged: dict[str, frozenset[str]] = {}
        for api, powers in self._each_need(name, path, assisted=assisted):
            merged[api] = merged.get(api, frozenset()) | powers
        return merged

    def _each_need(
        self, name: CredentialName, path: StorePath, *, assisted: bool
    ) -> Iterator[Need]:
        docs, api = self.documents, self.kv.api_path
        yield api("data", path), frozenset({"read", "update"})
        yield api("metadata", path), frozenset({"read", "patch"})
        yield api("delete", path), frozenset({"update"})
        yield api("undelete", path), frozenset({"update"})
        record = docs.rotation(path)
        yield api("data", record), frozenset({"create", "read", "update"})
        yield api("metadata", record), frozenset({"read"})
        yield api("destroy", record), frozenset({"update"})
        history = docs.history(path, SAMPLE_ROTATION)
        yield api("data", history), frozenset({"create", "read", "update"})
        yield api("data", docs.command(name)), frozenset({"read"})
        yield api("metadata", docs.command(name)), frozenset({"read"})
        yield api("data", docs.hold(SAMPLE_HOLD)), frozenset({"read"})
        yield api("metadata", docs.hold(SAMPLE_HOLD)), frozenset({"read"})
        yield api("metadata", docs.at(HOLDS)) + "/", frozenset({"list"})
        yield api("data", docs.seal), frozenset({"read"})
        if assisted:
            yield api("data", docs.inbox(name)), frozenset({"read"})

    async def _powers(self, needs: Mapping[str, frozenset[str]]) -> list[Problem]:
        try:
            granted = await self.kv.capabilities(tuple(needs))
        except StoreDenied as denied:
            return [
                Problem(
                    f"the store does not tell what we may do: {denied}",
                    "grant `update` on sys/capabilities-self (Vault's default policy has it)",
                )
            ]
        return [
            Problem(
                f"we may not {' and '.join(missing)} on {api}, which a later step needs",
                f'grant capabilities = [{", ".join(map(_quoted, sorted(powers)))}] on "{api}"',
            )
            for api, powers in needs.items()
            if (missing := _missing(powers, granted.get(api, frozenset())))
        ]


def _missing(needed: frozenset[str], granted: frozenset[str]) -> list[str]:
    return [] if ALL in granted else sorted(needed - granted)


def _quoted(word: str) -> str:
    return f'"{word}"'
