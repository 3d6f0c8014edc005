"""What a new key shall be, and what the exchange gave for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rotator.core.names import AccountId, KeyId, Secrets


@dataclass(frozen=True, slots=True)
class KeySpec:
    """A key to create: the old key's powers and addresses, never more.

    `native` are the exchange's own permission names as its adapter reads them
    in `KeyFacts.native`; `flags` as in `KeyFacts.native_flags`; `addresses` is
    `()` for a key without a list.
    """

    account_id: AccountId
    native: tuple[str, ...]
    flags: tuple[tuple[str, str], ...] = ()
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key just created: its secret is shown this once."""

    key_id: KeyId
    secrets: Secrets
    handle: str | None = None
    created_at: datetime | None = None
