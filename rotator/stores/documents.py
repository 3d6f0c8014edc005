"""The state documents: where each one lies, and typed reads and writes of them.

All of them are data documents under compare-and-set, below the state prefix.
Nothing here deletes a document: a deleted one would begin again at version 1.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from rotator.core.names import AccountId, CredentialName, ExchangeName, RotationId, StorePath
from rotator.stores.bulk import read_many
from rotator.stores.port import Data, KvStore, Metadata, Secret, StoreFault

SAFE: Final = re.compile(r"[A-Za-z0-9_@=+-](?:[A-Za-z0-9_.@=+-]*[A-Za-z0-9_@=+-])?")
UNSAFE_BYTE: Final = re.compile(rb"[^A-Za-z0-9_@=+-]")
ESCAPED: Final = re.compile(r"~([0-9a-f]{2})")
MAX_SEGMENT: Final = 160

ROTATIONS: Final = "rotations"
HISTORY: Final = "history"
FACTS: Final = "facts"
STRAYS: Final = "strays"
COMMANDS: Final = "commands"
HOLDS: Final = "holds"
INBOX: Final = "inbox"

READS: Final = 500
"""Documents read at once where a whole folder is wanted."""


def encode_segment(text: str) -> str:
    """Return a text as one path segment; other bytes than letters, digits, _@=+-. become ~xx."""
    if SAFE.fullmatch(text):
        return text
    raw = text.encode(errors="surrogatepass")
    if not raw:
        return "~"
    return UNSAFE_BYTE.sub(lambda found: b"~%02x" % found.group()[0], raw).decode("ascii")


def encode_path(path: str) -> str:
    """Return a path, or `path#name`, as a document's path; most paths stay as they are."""
    return "/".join(encode_segment(segment) for segment in path.split("/"))


def decode_path(path: str) -> str:
    """Return what `encode_path` was given."""
    raw = ESCAPED.sub(lambda found: chr(int(found.group(1), 16)), path)
    return raw.encode("latin-1").decode(errors="surrogatepass")


def encode_account(account: str) -> str:
    """Return an account id of any length and content as one short segment."""
    segment = encode_segment(account)
    if len(segment) <= MAX_SEGMENT:
        return segment
    digest = hashlib.sha256(account.encode(errors="surrogatepass")).hexdigest()
    return f"{segment[:64].rstrip('.~')}~~{digest}"


@dataclass(frozen=True, slots=True)
class Stamp:
    """What changes when a document changes: version, deletion, or another life of the path."""

    version: int
    deleted: bool
    destroyed: bool
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class Document:
    """A state document as it stands.

    `version` 0 means that it never was written (or only its metadata is left).
    `data` is None when it is absent, deleted or destroyed, and after a glance,
    which reads metadata only.  `created_by` and `path_created` (the creation of
    the metadata) are known after a glance, else None.
    """

    path: StorePath
    version: int
    data: Data | None = field(repr=False)
    deleted: bool = False
    destroyed: bool = False
    created_by: str | None = None
    created_at: datetime | None = None
    path_created: datetime | None = None

    @property
    def exists(self) -> bool:
        """True if the document was ever written, deleted or not."""
        return self.version > 0

    @property
    def gone(self) -> bool:
        """True if its current version was deleted or destroyed."""
        return self.deleted or self.destroyed

    @property
    def stamp(self) -> Stamp:
        """What to compare with the next look."""
        return Stamp(self.version, self.deleted, self.destroyed, self.created_at)


@dataclass(frozen=True, slots=True)
class Changed:
    """What a look at a folder found.

    `stamps` are all documents of the folder, `documents` those whose stamp is
    not the one seen before; `complete` only if nothing is missing.
    """

    stamps: Mapping[StorePath, Stamp]
    documents: tuple[Document, ...]
    faults: tuple[StoreFault, ...]

    @property
    def complete(self) -> bool:
        """True if every document of the folder is in `stamps` and every change was read."""
        return not self.faults


@dataclass(frozen=True, slots=True)
class Batch:
    """Some documents of a folder, and why others could not be read."""

    documents: tuple[Document, ...]
    faults: tuple[StoreFault, ...]


class Documents:
    """Reads and writes the documents below one state prefix."""

    def __init__(self, kv: KvStore, state_prefix: StorePath) -> None:
        self.kv = kv
        self.prefix = StorePath(state_prefix.strip("/"))

    def at(self, *segments: str) -> StorePath:
        """Return the path of a document from segments that are already encoded."""
        return StorePath("/".join((self.prefix, *segments)))

    def rotation(self, path: StorePath) -> StorePath:
        """Return where the record of a path's rotation lies."""
        return self.at(ROTATIONS, encode_path(path))

    def history(self, path: StorePath, rotation: RotationId) -> StorePath:
        """Return where the closed record of a rotation lies."""
        return self.at(HISTORY, encode_path(path), encode_segment(rotation))

    def facts(self, name: CredentialName) -> StorePath:
        """Return where the last facts of a credential lie."""
        return self.at(FACTS, encode_path(name))

    def strays(self, exchange: ExchangeName, account: AccountId) -> StorePath:
        """Return where the first sightings of an account's stray keys lie."""
        return self.at(STRAYS, encode_segment(exchange), encode_account(account))

    def command(self, name: CredentialName | str) -> StorePath:
        """Return where a credential's command lies (`resume` for the daemon's own)."""
        return self.at(COMMANDS, encode_path(name))

    def hold(self, name: str) -> StorePath:
        """Return where a hold lies."""
        return self.at(HOLDS, encode_path(name))

    def inbox(self, name: CredentialName) -> StorePath:
        """Return where a person drops a credential's new key."""
        return self.at(INBOX, encode_path(name))

    @property
    def epoch(self) -> StorePath:
        """Where the epoch lies."""
        return self.at("epoch")

    @property
    def seal(self) -> StorePath:
        """Where the sealing key lies."""
        return self.at("seal")

    @property
    def pepper(self) -> StorePath:
        """Where the key of the fingerprints lies."""
        return self.at("pepper")

    def subject(self, folder: str, document: StorePath) -> str:
        """Return the path or name that a document of `folder` is about."""
        return decode_path(document.removeprefix(self.at(folder) + "/"))

    async def read(self, path: StorePath) -> Document:
        """Return a document with one request; absence is a Document of version 0."""
        return _read(path, await self.kv.read(path))

    async def glance(self, path: StorePath, now: datetime) -> Document:
        """Return a document's state and author without its data, by one metadata request."""
        metadata = await self.kv.read_metadata(path)
        return _glanced(path, metadata, now)

    async def put(self, path: StorePath, data: Data, cas: int) -> int:
        """Write a document over version `cas` and return its new version.

        Raises StoreConflict if somebody wrote first; StoreError with `happened`
        UNKNOWN if the answer was lost: read again and compare before going on.
        """
        return await self.kv.write(path, data, cas)

    async def destroy(self, path: StorePath, versions: Sequence[int]) -> None:
        """Destroy versions of a document by number; none is fine."""
        if versions:
            await self.kv.destroy_versions(path, versions)

    async def destroy_below(self, path: StorePath, number: int) -> tuple[int, ...]:
        """Destroy every kept version below `number`; return which."""
        metadata = await self.kv.read_metadata(path)
        kept = metadata.versions if metadata else ()
        doomed = tuple(v.number for v in kept if v.number < number and not v.destroyed)
        await self.destroy(path, doomed)
        return doomed

    async def undelete(self, path: StorePath, version: int) -> None:
        """Bring a soft-deleted version of a document back."""
        await self.kv.undelete_versions(path, [version])

    async def any_in(self, folder: str) -> bool:
        """Say whether a folder holds any document, deleted ones included; one request."""
        return await self.kv.list_folder(StorePath(self.at(folder) + "/")) is not None

    async def in_batches(self, folder: str) -> AsyncIterator[Batch]:
        """Yield every document of a folder, some hundreds at a time, each read by one request."""
        walk = await self.kv.walk(StorePath(self.at(folder) + "/"), ())
        if walk.faults:
            yield Batch((), walk.faults)
        for start in range(0, len(walk.paths), READS):
            paths = walk.paths[start : start + READS]
            answers = await read_many(self.kv, [(path, None) for path in paths])
            faults = tuple(a for a in answers if isinstance(a, StoreFault))
            read = zip(paths, answers, strict=True)
            yield Batch(
                tuple(_read(p, a) for p, a in read if not isinstance(a, StoreFault)), faults
            )

    async def changed(self, folder: str, seen: Mapping[StorePath, Stamp], now: datetime) -> Changed:
        """Look at every document of a folder; read those that are not as `seen`.

        The records are the documents of ROTATIONS, tombstones among them; a
        caller that remembers the stamps reads each tombstone once.
        """
        walk = await self.kv.walk(StorePath(self.at(folder) + "/"), ())
        faults = list(walk.faults)
        stamps: dict[StorePath, Stamp] = {}
        glances: list[Document] = []
        for path, metadata in (await self.kv.read_many_metadata(walk.paths)).items():
            if isinstance(metadata, StoreFault):
                faults.append(metadata)
                continue
            glance = _glanced(path, metadata, now)
            if not glance.exists:
                continue
            stamps[path] = glance.stamp
            if seen.get(path) != glance.stamp:
                glances.append(glance)
        documents = [glance for glance in glances if glance.gone]
        living = [glance for glance in glances if not glance.gone]
        answers = await read_many(self.kv, [(glance.path, glance.version) for glance in living])
        for glance, answer in zip(living, answers, strict=True):
            if isinstance(answer, StoreFault):
                faults.append(answer)
                del stamps[glance.path]
            else:
                documents.append(_filled(glance, answer))
        return Changed(stamps, tuple(documents), tuple(faults))


def _read(path: StorePath, found: Secret | None) -> Document:
    if found is None:
        return Document(path, 0, None)
    return Document(
        path,
        found.version,
        found.data,
        deleted=found.data is None and not found.destroyed,
        destroyed=found.destroyed,
        created_at=found.created_at,
    )


def _filled(glance: Document, found: Secret | None) -> Document:
    if found is None:  # its version was dropped since the glance
        return replace(glance, deleted=True)
    deleted = found.data is None and not found.destroyed
    return replace(glance, data=found.data, deleted=deleted, destroyed=found.destroyed)


def _glanced(path: StorePath, metadata: Metadata | None, now: datetime) -> Document:
    if metadata is None:
        return Document(path, 0, None)
    current = metadata.version(metadata.current)
    if current is None:
        return Document(path, metadata.current, None, path_created=metadata.created_at)
    return Document(
        path,
        metadata.current,
        None,
        deleted=not current.destroyed and not current.readable(now),
        destroyed=current.destroyed,
        created_by=current.created_by,
        created_at=current.created_at,
        path_created=metadata.created_at,
    )
