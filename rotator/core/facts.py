"""What the exchange says of a key, and all that is known at one instant.

Every fact can be unknown, which is `None`, and is never mixed up with "none":
"does not expire" is `NEVER`, "no address list" is an empty tuple.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum
from typing import Final, Literal

from rotator.core.names import (
    AccountId,
    CredentialName,
    ExchangeName,
    Fingerprint,
    KeyId,
    StorePath,
)
from rotator.core.outcome import Failure, Meaning
from rotator.core.scopes import Scope


class _Never(Enum):
    NEVER = "never"


NEVER: Final = _Never.NEVER
"""The exchange documents that this key does not expire."""

Never = Literal[_Never.NEVER]


class Validity(StrEnum):
    """What a look at a key came to."""

    VALID = "valid"
    INVALID = "invalid"
    EXPIRED = "expired"
    IP_BLOCKED = "ip_blocked"
    PERMISSION_DENIED = "permission_denied"
    EXCHANGE_DOWN = "exchange_down"
    THROTTLED = "throttled"
    UNKNOWN = "unknown"


VALIDITY: dict[Meaning, Validity] = {
    Meaning.INVALID_KEY: Validity.INVALID,
    Meaning.BAD_SIGNATURE: Validity.INVALID,
    Meaning.NOT_FOUND: Validity.INVALID,
    Meaning.RATE_LIMITED: Validity.THROTTLED,
    Meaning.BANNED: Validity.THROTTLED,
    Meaning.MAINTENANCE: Validity.EXCHANGE_DOWN,
    Meaning.UNKNOWN_OUTCOME: Validity.EXCHANGE_DOWN,
    Meaning.NEEDS_2FA: Validity.PERMISSION_DENIED,
    Meaning.PERMISSION_DENIED: Validity.PERMISSION_DENIED,
    Meaning.IP_BLOCKED: Validity.IP_BLOCKED,
    Meaning.EXPIRED: Validity.EXPIRED,
    Meaning.CLOCK_SKEW: Validity.UNKNOWN,
    Meaning.BAD_REQUEST: Validity.UNKNOWN,
    Meaning.QUOTA_EXCEEDED: Validity.UNKNOWN,
    Meaning.OTHER: Validity.UNKNOWN,
}
"""Error meaning to validity; an answer that covers several is UNKNOWN instead."""


def validity_of(failure: Failure) -> Validity:
    """Return the validity that a failed look stands for."""
    return Validity.UNKNOWN if failure.candidates else VALIDITY[failure.meaning]


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """One key as the exchange tells it.  `None` is unknown.

    `native` are the exchange's own permission names (`Spot.SpotTrade`,
    `enableReading`), sorted; `native_flags` keeps what else a create call needs
    to make the same key again (a read-only switch, a key type).
    `ip_allowlist` is `()` when the exchange says there is no list, `None` when
    it does not tell.  `unknown_native` are names that no table knows.
    """

    key_id: KeyId | None
    label: str | None = None
    account_id: AccountId | None = None
    scopes: frozenset[Scope] | None = None
    native: tuple[str, ...] | None = None
    native_flags: tuple[tuple[str, str], ...] = ()
    unknown_native: tuple[str, ...] = ()
    ip_restricted: bool | None = None
    ip_allowlist: tuple[str, ...] | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    expires_at: datetime | Never | None = None
    last_used_at: datetime | None = None
    enabled: bool | None = None
    parent_account_id: AccountId | None = None
    handle: str | None = None
    key_type: str | None = None
    environment: str | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a key: its facts, or why there are none."""

    validity: Validity
    facts: KeyFacts | None = None
    failure: Failure | None = None

    @classmethod
    def failed(cls, failure: Failure) -> Look:
        """Return the look that a failure stands for."""
        return cls(validity_of(failure), None, failure)

    @property
    def reason(self) -> Meaning | None:
        """The error meaning when the key could not be read, else `None`."""
        return self.failure.meaning if self.failure else None


@dataclass(frozen=True, slots=True)
class StoredKey:
    """What the store says of the key at a path, no secret.

    `version_created` is the creation of the current version, `key_since` the
    creation of the oldest kept version that holds this same key (None if that is
    not known), `path_created` the creation of the path's metadata.
    """

    path: StorePath
    version: int
    key_fp: Fingerprint | None
    secret_fp: Fingerprint | None = None
    key_id: KeyId | None = None
    path_created: datetime | None = None
    version_created: datetime | None = None
    key_since: datetime | None = None
    deletes_at: datetime | None = None
    unmapped_fps: tuple[Fingerprint, ...] = ()


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential's metadata as rules and custom_metadata give it, no secret.

    `malformed` holds (key, what is wrong) pairs: a finding, never a crash.
    """

    name: CredentialName
    path: StorePath
    exchange: ExchangeName | None
    account: AccountId | None = None
    policy: str = "default"
    parent: CredentialName | None = None
    lister: CredentialName | None = None
    owner: str | None = None
    strategy: str | None = None
    consumers: tuple[str, ...] = ()
    environment: str = "prod"
    managed: bool = True
    fields: Mapping[str, str] = field(default_factory=dict)
    malformed: tuple[tuple[str, str], ...] = ()
