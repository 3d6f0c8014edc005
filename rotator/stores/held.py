"""What the inventory remembers of one secret, and the entries that follow from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from rotator.core.credentials import Rule, credentials_of
from rotator.core.facts import Credential, StoredKey
from rotator.core.names import (
    Fingerprint,
    KeyId,
    Secrets,
    Sensitive,
    SigningKey,
    StorePath,
)
from rotator.stores.fingerprints import Fingerprints
from rotator.stores.port import Data, Metadata

KEY_SINCE: Final = "rotator_key_since"
KEY_FP: Final = "rotator_key_fp"

SECRET_WORDS: Final = ("api_secret", "private_key")
NOTHING: Final[Mapping[int, tuple[Fingerprint, ...]]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Entry:
    """One credential of the inventory.

    `metadata` is the path's (versions, limits, custom keys; None if it could
    not be read now).  `problem` says in one sentence why the stored key cannot
    be used; None = a key id and a secret are there.
    """

    credential: Credential
    stored: StoredKey
    metadata: Metadata | None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: a field of a secret's current version."""

    path: StorePath
    field: str


@dataclass(slots=True)
class Held:
    """The current version of one secret, as far as it is needed again.

    `told` are its mapped fields: name, value, and the value's fingerprint unless it
    is blank; `unmapped` are the fingerprints of all other fields, `older` those of
    the key ids in older versions.  Tables are made when they are needed: there are
    thousands of these.
    """

    rules: tuple[Rule, ...]
    credentials: tuple[Credential, ...] = ()
    metadata: Metadata | None = None
    entries: tuple[Entry, ...] = ()
    mapped: frozenset[str] | None = None
    told: tuple[tuple[str, Sensitive, Fingerprint | None], ...] = ()
    unmapped: tuple[tuple[str, tuple[Fingerprint, ...]], ...] = ()
    not_text: frozenset[str] = frozenset()
    older: Mapping[int, tuple[Fingerprint, ...]] = field(default_factory=lambda: NOTHING)
    version: int = 0
    version_created: datetime | None = None
    stale: bool = True

    @property
    def values(self) -> Mapping[str, Sensitive]:
        """The mapped fields."""
        return {name: value for name, value, _ in self.told}

    @property
    def prints(self) -> Mapping[str, Fingerprint]:
        """The fingerprints of the mapped fields that are not blank."""
        return {name: mark for name, _, mark in self.told if mark is not None}

    def note(self, metadata: Metadata, now: datetime) -> bool:
        """Take in a path's metadata; say whether its current version must be read."""
        if self.metadata is None or self.metadata.custom != metadata.custom:
            self.credentials = credentials_of(metadata.path, metadata.custom, self.rules)
        if metadata != self.metadata:
            self._keep_as_older(metadata)
            self.metadata = metadata
            self.stale = True
        current = metadata.version(metadata.current)
        if current is None or not current.readable(now):
            self.drop()
            return False
        return not self.holds(metadata, mapped_fields(self.credentials))

    def holds(self, metadata: Metadata, mapped: frozenset[str]) -> bool:
        """Say whether the current version was read already, with these fields."""
        current = metadata.version(metadata.current)
        return (
            current is not None
            and self.version == metadata.current
            and self.version_created == current.created_at
            and self.mapped == mapped
        )

    def take(self, data: Data, metadata: Metadata, marks: Fingerprints) -> None:
        """Keep what is needed of a version just read."""
        self.stale = True
        mapped = mapped_fields(self.credentials)
        self.mapped = mapped
        texts = {n: v for n, v in data.items() if n in mapped and isinstance(v, str)}
        self.told = tuple(
            (name, Sensitive(value), marks.of(value) if value.strip() else None)
            for name, value in texts.items()
        )
        self.not_text = _shared(tuple(n for n in data if n in mapped and n not in texts))
        self.unmapped = tuple(
            (name, marks.within(value)) for name, value in data.items() if name not in mapped
        )
        current = metadata.version(metadata.current)
        self.version = metadata.current
        self.version_created = current.created_at if current else None

    def drop(self) -> None:
        """Forget a current version that can no longer be read."""
        self.stale = self.stale or self.version != 0
        self.told, self.unmapped = (), ()
        self.mapped, self.version, self.version_created = None, 0, None

    def _keep_as_older(self, metadata: Metadata) -> None:
        if self.metadata is None or self.metadata.created_at != metadata.created_at:
            self.older = NOTHING  # another life of the path: its versions are others
            return
        if 0 < self.version < metadata.current:
            self.older = {**self.older, self.version: self._key_prints(self.prints)}
        if self.older:
            numbers = {v.number for v in metadata.versions}
            self.older = {n: prints for n, prints in self.older.items() if n in numbers}

    def take_older(self, number: int, data: Data, marks: Fingerprints) -> None:
        """Keep which key ids an older version holds."""
        self.stale = True
        names = {c.fields["api_key"] for c in self.credentials if "api_key" in c.fields}
        texts = (data.get(name) for name in names)
        found = tuple(marks.of(text) for text in texts if isinstance(text, str))
        self.older = {**self.older, number: found}

    def _key_prints(self, prints: Mapping[str, Fingerprint]) -> tuple[Fingerprint, ...]:
        names = {c.fields["api_key"] for c in self.credentials if "api_key" in c.fields}
        return tuple(prints[name] for name in names if name in prints)

    def unread_older(self, metadata: Metadata, now: datetime) -> list[int]:
        """Return the older versions, newest first, that were never looked at."""
        return [
            v.number
            for v in reversed(metadata.versions)
            if v.number < metadata.current and v.number not in self.older and v.readable(now)
        ]

    def signing_key(self, credential: Credential) -> SigningKey | None:
        """Return the key as it signs; None without an id or a secret."""
        return key_in(self.values, credential.fields)

    def wants_age(self, credential: Credential) -> bool:
        """Say whether only older versions can tell since when the key is here."""
        mark = self.prints.get(credential.fields.get("api_key", ""))
        if mark is None or self.metadata is None:
            return False
        return noted_since(self.metadata.custom, mark) is None

    def build(self, metadata: Metadata, now: datetime) -> None:
        """Make the entries anew if anything changed."""
        if self.stale:
            self.entries = tuple(
                Entry(c, self._stored(c, metadata, now), metadata, self._problem(c))
                for c in self.credentials
            )
            self.stale = False

    def build_blind(self, path: StorePath, problem: str) -> None:
        """Make entries of a secret that cannot be read now: what was last known of it."""
        before = {entry.credential.name: entry.stored for entry in self.entries}
        if self.metadata is None:
            self.credentials = credentials_of(path, {}, self.rules)
        nothing = StoredKey(path, 0, None)
        self.entries = tuple(
            Entry(c, before.get(c.name, nothing), self.metadata, problem) for c in self.credentials
        )
        self.stale = True

    def _stored(self, credential: Credential, metadata: Metadata, now: datetime) -> StoredKey:
        key_field = credential.fields.get("api_key", "")
        key_fp = self.prints.get(key_field)
        key = self.values.get(key_field)
        current = metadata.version(metadata.current)
        return StoredKey(
            path=credential.path,
            version=metadata.current,
            key_fp=key_fp,
            secret_fp=self._secret_fp(credential),
            key_id=KeyId(key.reveal().strip()) if key_fp and key else None,
            path_created=metadata.created_at,
            version_created=current.created_at if current else None,
            key_since=self._since(metadata, key_fp, now) if key_fp else None,
            deletes_at=current.deletes_at if current else None,
            unmapped_fps=tuple(dict.fromkeys(p for _, prints in self.unmapped for p in prints)),
        )

    def _secret_fp(self, credential: Credential) -> Fingerprint | None:
        names = (credential.fields.get(word, "") for word in SECRET_WORDS)
        prints = self.prints
        return next((prints[name] for name in names if name in prints), None)

    def _since(self, metadata: Metadata, key_fp: Fingerprint, now: datetime) -> datetime | None:
        noted = noted_since(metadata.custom, key_fp)
        if noted is not None or self.unread_older(metadata, now):
            return noted
        return min(
            (
                v.created_at
                for v in metadata.versions
                if v.number == metadata.current or key_fp in self.older.get(v.number, ())
            ),
            default=None,
        )

    def _problem(self, credential: Credential) -> str | None:
        if self.version == 0:
            return "the current version of the secret is deleted"
        wrong = [n for n in credential.fields.values() if n in self.not_text]
        if wrong:
            return f"the field {wrong[0]!r} does not hold a text"
        key_field = credential.fields.get("api_key")
        if key_field is None or key_field not in self.prints:
            return f"the field {key_field or 'api_key'!r} (the key id) is missing or empty"
        if self._secret_fp(credential) is None:
            names = [credential.fields[w] for w in SECRET_WORDS if w in credential.fields]
            return f"none of the fields {', '.join(map(repr, names))} (the secret) is there"
        return None

    def places(self, path: StorePath) -> Iterator[tuple[Fingerprint, Place]]:
        """Yield where each key id, secret and unmapped value stands (no passphrases)."""
        words = ("api_key", *SECRET_WORDS)
        names = {c.fields[w] for c in self.credentials for w in words if w in c.fields}
        for name, mark in self.prints.items():
            if name in names:
                yield mark, Place(path, name)
        for name, marks in self.unmapped:
            place = Place(path, name)
            for mark in marks:
                yield mark, place


def mapped_fields(credentials: Iterable[Credential]) -> frozenset[str]:
    """Return every field name that one of the credentials maps."""
    return _shared(tuple(name for c in credentials for name in c.fields.values()))


@lru_cache(maxsize=256)
def _shared(names: tuple[str, ...]) -> frozenset[str]:
    """Return one set for all secrets with the same field names."""
    return frozenset(names)


def key_in(values: Mapping[str, Sensitive], fields: Mapping[str, str]) -> SigningKey | None:
    """Return the key that the mapped fields hold; None without an id or a secret."""
    found = {word: values.get(name) for word, name in fields.items()}
    key_id = found.get("api_key")
    secrets = Secrets(
        api_secret=found.get("api_secret") or None,
        private_key=found.get("private_key") or None,
        passphrase=found.get("passphrase") or None,
    )
    shown = key_id.reveal().strip() if key_id else ""
    if not shown or not (secrets.api_secret or secrets.private_key):
        return None
    return SigningKey(KeyId(shown), secrets)


def noted_since(custom: Mapping[str, str], key_fp: Fingerprint) -> datetime | None:
    """Return `rotator_key_since` if it speaks of this key and is a time with a zone."""
    if custom.get(KEY_FP) != key_fp:
        return None
    try:
        at = datetime.fromisoformat(custom.get(KEY_SINCE, ""))
    except ValueError:
        return None
    return at if at.tzinfo is not None else None
