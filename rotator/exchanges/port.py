"""The narrow ports that an exchange adapter implements, and what it declares.

`Inspector` is enough for an exchange that is only watched.  `Issuer` adds what
rotating needs.  Every method either returns its result or raises
`ExchangeError` with a `Failure`; an adapter does not log, count, retry, sleep,
or read a clock or the environment, and it knows neither store nor saga.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Protocol, runtime_checkable

from rotator.core.facts import KeyFacts
from rotator.core.issue import IssuedKey, KeySpec
from rotator.core.names import AccountId, ExchangeName, KeyId, SigningKey

SignatureTime = Callable[[], datetime]
"""Gives the time (aware, UTC) that a request is signed with."""


class Operation(StrEnum):
    """What a call is for: the word of metrics, budgets and sandbox faults."""

    INSPECT = "inspect"
    LIST = "list"
    CREATE = "create"
    DELETE = "delete"


class ExpiryKind(StrEnum):
    """How keys of an exchange come to an end by themselves."""

    NONE = "none"
    FIXED = "fixed"
    EXTENDABLE = "extendable"
    IDLE = "idle"
    UNKNOWN = "unknown"


class SecretOrigin(StrEnum):
    """Who makes the secret of a created key."""

    EXCHANGE = "exchange"
    CLIENT = "client"
    WEB_PAGE = "web_page"


class Trading(StrEnum):
    """Whether the exchange itself still lives."""

    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Status:
    """`OPEN`, or closing on / closed since a date, with the source of that news."""

    trading: Trading
    at: datetime | None
    source: str

    def closed(self, now: datetime) -> bool:
        """Say whether nothing may be sent to the exchange's real hosts any more."""
        return self.trading is not Trading.OPEN and self.at is not None and now >= self.at


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an exchange can do, said in full: no field has a default.

    `None` means that its documents do not say.  `shows` names the facts
    (`created`, `expires`, `scopes`, `addresses`, `last_used`) that its inspect
    call tells of a key.  `receive_window` is the time after its signature within
    which a request is still accepted; `None` means that there is no such window.
    `creatable` are the native permission names that create can grant (`None`
    where the adapter cannot create).
    """

    lists_keys: bool
    creates_keys: bool
    deletes_keys: bool
    label_length: int | None
    max_keys: int | None
    overlap: bool
    secret_origin: SecretOrigin
    expiry: ExpiryKind
    expiry_without_addresses: timedelta | None
    activation_delay: timedelta | None
    revocation_delay: timedelta | None
    receive_window: timedelta | None
    needs_parent: bool
    binds_addresses: bool
    shows: frozenset[str]
    creatable: frozenset[str] | None
    documentation: str
    keys_page: str
    checked: date
    status: Status


@dataclass(frozen=True, slots=True)
class Listing:
    """Keys that a parent may see; `complete` only if surely all of them.

    An incomplete listing proves the presence of keys, never an absence.
    """

    keys: tuple[KeyFacts, ...]
    complete: bool


class Inspector(Protocol):
    """Looks at the key that signs."""

    @property
    def name(self) -> ExchangeName:
        """The exchange's name, in lower case."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        ...

    async def inspect(self, key: SigningKey) -> KeyFacts:
        """Return what the exchange says of `key`.

        Sends the sheet's inspect call, and a second probe where an answer is
        ambiguous and a second call tells more.  Raises ExchangeError.
        """
        ...


@runtime_checkable
class Lister(Protocol):
    """Sees the keys of an account, or of every account that the parent manages."""

    async def list_keys(self, parent: SigningKey, account: AccountId | None) -> Listing:
        """Return the keys of `account`; of all accounts the parent manages if None."""
        ...


@runtime_checkable
class Issuer(Lister, Protocol):
    """Creates and deletes keys of an account with its parent's key."""

    async def create_key(
        self,
        parent: SigningKey,
        spec: KeySpec,
        label: str,
        signed_at: datetime,
    ) -> IssuedKey:
        """Create one key bearing `label`.

        Not idempotent: a failure that says UNKNOWN may have created it.  The
        request is signed with `signed_at`, so the exchange's receive window
        bounds how late it can take effect.
        """
        ...

    async def delete_key(
        self,
        parent: SigningKey,
        account: AccountId,
        key_id: KeyId,
        signed_at: datetime,
    ) -> None:
        """Delete one key; a key that does not exist is success.

        "No such account" or "not your account" is a failure, never success.
        """
        ...

    def respec(self, facts: KeyFacts, forbid: Sequence[str]) -> KeySpec | str:
        """Return the spec that makes the key of `facts` again, less what `forbid` covers.

        Returns a sentence instead where create cannot make that key, or where
        anything of it is unknown.  `forbid` are scope patterns; pure.
        """
        ...
