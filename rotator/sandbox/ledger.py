"""What "exchange" means: accounts, keys, slots, expiry, delays, counters.

A ledger knows no wire format.  It is told its house's rules, its calendar and
its source of randomness, and every change goes through it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import ip_address, ip_network
from typing import Literal

from rotator.core.names import Sensitive
from rotator.sandbox.calendar import Calendar

Entropy = Callable[[int], bytes]
"""Gives that many random bytes."""

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
ENVIRONMENT = "mainnet"
MARK = "SandboxOnly"
"""Stands inside every HMAC secret that has room for it, so that one that got out is known."""


class Kind(StrEnum):
    """What an account is."""

    MASTER = "master"
    SUB = "sub"


class State(StrEnum):
    """What a key is at this moment of the calendar."""

    PENDING = "pending"
    ACTIVE = "active"
    EXPIRED = "expired"
    GONE = "gone"


class Origin(StrEnum):
    """Who made a key: the seeds, the control port, or the exchange's own API."""

    SEED = "seed"
    CONTROL = "control"
    API = "api"


@dataclass(frozen=True, slots=True)
class House:
    """The rules of one exchange.

    A key without addresses dies after `lifetime`, and loses the powers named in
    `lapsing` after `trading`; `None` means never.  `slots` bounds the keys of an
    account that the exchange's own API creates; the control port is not bound.
    """

    name: str
    key_length: int
    secret_length: int
    slots: int
    lifetime: timedelta | None
    trading: timedelta | None
    lapsing: frozenset[str]
    activation: timedelta = timedelta()
    revocation: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Account:
    """A master account, or a sub-account of one."""

    number: int
    id: str
    kind: Kind
    parent_id: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class HmacSecret:
    """The secret of an HMAC key."""

    secret: Sensitive


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The public half of a key pair, as PEM."""

    algorithm: Literal["RSA", "ED25519"]
    pem: str


Material = HmacSecret | PublicKey


@dataclass(frozen=True, slots=True)
class Draft:
    """A key to make.  `label` "" is none, `addresses` () is no list."""

    account_id: str
    label: str
    native: frozenset[str]
    material: Material
    origin: Origin
    addresses: tuple[str, ...] = ()
    read_only: bool = False
    created_at: datetime | None = None
    creator: str | None = None
    environment: str = ENVIRONMENT


@dataclass(frozen=True, slots=True)
class Key:
    """One key.  `native` are the exchange's own permission names.

    `unbound_since` is when it last had, or began to have, no address list;
    `gone_from` is when a deleted key stops to sign in.
    """

    number: int
    id: str
    account_id: str
    label: str
    native: frozenset[str]
    read_only: bool
    addresses: tuple[str, ...]
    material: Material
    created_at: datetime
    updated_at: datetime
    unbound_since: datetime
    active_from: datetime
    origin: Origin
    creator: str | None
    environment: str
    gone_from: datetime | None = None

    def admits(self, client: str) -> bool:
        """Say whether the address list lets `client` in; an empty list lets all in."""
        return not self.addresses or any(_covers(a, client) for a in self.addresses)


class Ledger:
    """The books of one exchange."""

    def __init__(self, house: House, calendar: Calendar, entropy: Entropy) -> None:
        self.house = house
        self.calendar = calendar
        self.creates = 0
        self.deletes = 0
        self._entropy = entropy
        self._accounts: dict[str, Account] = {}
        self._subs: dict[str, dict[str, Account]] = {}
        self._keys: dict[str, Key] = {}
        self._listed: dict[str, dict[str, None]] = {}

    # accounts

    def accounts(self) -> tuple[Account, ...]:
        """Return every account, oldest first."""
        return tuple(self._accounts.values())

    def account(self, account_id: str) -> Account | None:
        """Return an account, or None."""
        return self._accounts.get(account_id)

    def account_of(self, key: Key) -> Account:
        """Return the account that a key belongs to."""
        return self._accounts[key.account_id]

    def open_account(self, account_id: str, parent_id: str | None) -> Account:
        """Open a master account (`parent_id` None) or a sub-account; keep one that exists."""
        known = self._accounts.get(account_id)
        if known is not None:
            return known
        kind = Kind.MASTER if parent_id is None else Kind.SUB
        number = len(self._accounts) + 1
        account = Account(number, account_id, kind, parent_id, self.calendar.now())
        self._accounts[account_id] = account
        self._listed[account_id] = {}
        if parent_id is None:
            self._subs[account_id] = {}
        else:
            self._subs[parent_id][account_id] = account
        return account

    def first_master(self) -> Account | None:
        """Return the oldest master account, or None."""
        return next((a for a in self._accounts.values() if a.kind is Kind.MASTER), None)

    def subs_of(self, master_id: str) -> tuple[Account, ...]:
        """Return the sub-accounts of a master account, oldest first."""
        return tuple(self._subs.get(master_id, {}).values())

    def owns(self, master_id: str, account_id: str) -> bool:
        """Say whether `account_id` is a sub-account of `master_id`."""
        return account_id in self._subs.get(master_id, {})

    # keys

    def every_key(self) -> tuple[Key, ...]:
        """Return every key there ever was, oldest entry first."""
        return tuple(self._keys.values())

    def key(self, key_id: str) -> Key | None:
        """Return a key, deleted ones included, or None."""
        return self._keys.get(key_id)

    def keys_of(self, account_id: str) -> tuple[Key, ...]:
        """Return the keys of an account that the exchange still lists, oldest entry first."""
        return tuple(self._keys[k] for k in self._listed.get(account_id, ()))

    def listed(self, key_id: str) -> Key | None:
        """Return a key unless it was deleted or never existed."""
        key = self._keys.get(key_id)
        return key if key is not None and key.gone_from is None else None

    def has_slot(self, account_id: str) -> bool:
        """Say whether the account may have one more key by the exchange's API."""
        return len(self._listed.get(account_id, ())) < self.house.slots

    def new_secret(self) -> HmacSecret:
        """Return a fresh HMAC secret of the house's length, with `MARK` in its middle."""
        length = self.house.secret_length
        letters = self._letters(length)
        if length >= 2 * len(MARK):
            start = (length - len(MARK)) // 2
            letters = letters[:start] + MARK + letters[start + len(MARK) :]
        return HmacSecret(Sensitive(letters))

    def create(self, draft: Draft) -> Key:
        """Make a key on an account that exists, and count it if the API made it."""
        now = self.calendar.now()
        born = draft.created_at or now
        through_api = draft.origin is Origin.API
        key = Key(
            number=len(self._keys) + 1,
            id=self._letters(self.house.key_length),
            account_id=draft.account_id,
            label=draft.label,
            native=draft.native,
            read_only=draft.read_only,
            addresses=draft.addresses,
            material=draft.material,
            created_at=born,
            updated_at=born,
            unbound_since=born,
            active_from=now + self.house.activation if through_api else born,
            origin=draft.origin,
            creator=draft.creator,
            environment=draft.environment,
        )
        self._keys[key.id] = key
        self._listed[key.account_id][key.id] = None
        self.creates += through_api
        return key

    def change(
        self,
        key: Key,
        *,
        native: frozenset[str] | None = None,
        read_only: bool | None = None,
        addresses: tuple[str, ...] | None = None,
    ) -> Key:
        """Change powers or addresses of a key; what is None stays."""
        now = self.calendar.now()
        bound = key.addresses if addresses is None else addresses
        changed = replace(
            key,
            native=key.native if native is None else native,
            read_only=key.read_only if read_only is None else read_only,
            addresses=bound,
            updated_at=now,
            unbound_since=now if key.addresses and not bound else key.unbound_since,
        )
        self._keys[key.id] = changed
        return changed

    def delete(self, key: Key) -> None:
        """Delete a key by the exchange's own API: unlisted at once, dead after the delay."""
        self.deletes += 1
        self._remove(key, self.calendar.now() + self.house.revocation)

    def kill(self, key: Key) -> None:
        """End a key here and now, as the exchange or its web page would; not counted."""
        self._remove(key, self.calendar.now())

    def expires_at(self, key: Key) -> datetime | None:
        """Return when the key dies by itself; None = never."""
        if key.addresses or self.house.lifetime is None:
            return None
        return key.unbound_since + self.house.lifetime

    def state(self, key: Key) -> State:
        """Return what the key is now."""
        now = self.calendar.now()
        if key.gone_from is not None and now >= key.gone_from:
            return State.GONE
        expires = self.expires_at(key)
        if expires is not None and now >= expires:
            return State.EXPIRED
        return State.PENDING if now < key.active_from else State.ACTIVE

    def alive(self, key: Key) -> bool:
        """Say whether the key signs in, or will as soon as its activation delay is over."""
        return self.state(key) in (State.ACTIVE, State.PENDING)

    def powers(self, key: Key) -> frozenset[str]:
        """Return the key's native permissions less those that have lapsed."""
        if key.addresses or self.house.trading is None:
            return key.native
        if self.calendar.now() < key.unbound_since + self.house.trading:
            return key.native
        return key.native - self.house.lapsing

    def _remove(self, key: Key, gone_from: datetime) -> None:
        self._keys[key.id] = replace(key, gone_from=gone_from)
        self._listed[key.account_id].pop(key.id, None)

    def _letters(self, length: int) -> str:
        return "".join(LETTERS[b % len(LETTERS)] for b in self._entropy(length))


def is_address(text: str) -> bool:
    """Say whether the text is an IP address or a network in CIDR form."""
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _covers(entry: str, client: str) -> bool:
    if entry == client:
        return True
    try:
        return ip_address(client) in ip_network(entry, strict=False)
    except ValueError:
        return False
