"""The accounts whose keys can be listed, and what each listed key is to us.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from rotator.core.checks import ListedKey
from rotator.core.facts import Credential, KeyFacts
from rotator.core.findings import Code
from rotator.core.names import AccountId, CredentialName, ExchangeName, KeyId, RotationId
from rotator.core.record import Record
from rotator.core.strays import Judged, Kind, judge

Place = tuple[ExchangeName, str, AccountId]
"""Exchange, environment and account."""

Records = Mapping[Place, Mapping[RotationId, Record]]
"""The records of each account: a label counts only in its record's own account."""

NO_RECORDS: Final[Mapping[RotationId, Record]] = {}

CODES: Final[Mapping[Kind, Code]] = {
    Kind.FOREIGN: Code.FOREIGN_KEY,
    Kind.UNSERVED: Code.UNSERVED_KEY,
    Kind.STRAY: Code.STRAY_KEY,
}
"""What is told of a listed key; keys that are served or in use are not told."""


@dataclass(frozen=True, slots=True)
class Account:
    """One account at an exchange: who may list it, who may act, and its credentials by name.

    `lister` signs the listing; `parent` creates and deletes, None if nobody may.
    """

    exchange: ExchangeName
    environment: str
    account: AccountId
    lister: CredentialName
    parent: CredentialName | None
    members: tuple[Credential, ...]

    @property
    def place(self) -> Place:
        """What names the account."""
        return (self.exchange, self.environment, self.account)


@dataclass(slots=True)
class AccountBook:
    """Gathers credentials by account."""

    _members: dict[Place, list[Credential]] = field(default_factory=dict)

    def add(self, credential: Credential, account: AccountId | None) -> None:
        """Add a credential whose account is known; others belong nowhere."""
        if account is not None and credential.exchange is not None and credential.managed:
            place = (credential.exchange, credential.environment, account)
            self._members.setdefault(place, []).append(credential)

    def accounts(self) -> Iterator[Account | None]:
        """Yield the accounts that somebody may list, None for each of the others."""
        return (_account(place, found) for place, found in self._members.items())


def _account(place: Place, found: list[Credential]) -> Account | None:
    members = tuple(sorted(found, key=lambda c: c.name))
    # A rule may cover a master account's own key: no key lists or deletes itself.
    names = {c.name for c in members}
    parents = (c.parent for c in members if c.parent is not None and c.parent not in names)
    parent = next(parents, None)
    lister = next((c.lister for c in members if c.lister is not None), parent)
    if lister is None:
        return None
    return Account(*place, lister, parent, members)


def place_of(record: Record) -> Place:
    """Return the account whose key a record replaces."""
    return (record.pins.exchange, record.pins.environment, record.pins.account)


def named_in_full(key: KeyFacts) -> bool:
    """Say whether a listing shows a key's whole id."""
    return key.key_id is not None and "*" not in key.key_id and "…" not in key.key_id


def sort_keys(
    keys: Iterable[KeyFacts],
    records: Mapping[RotationId, Record],
    served: frozenset[KeyId],
) -> tuple[Judged, ...]:
    """Judge the keys of one account's listing; a key without its whole id is left out."""
    return tuple(judge(key, records, served) for key in keys if named_in_full(key))


def told(judged: Iterable[Judged], account: AccountId) -> tuple[ListedKey, ...]:
    """Return what the checks are told of the judged keys of an account."""
    return tuple(
        ListedKey(
            code=CODES[each.kind],
            key_id=each.key.key_id,
            label=each.key.label,
            account=account,
            scopes=frozenset(s.value for s in each.key.scopes or ()),
        )
        for each in judged
        if each.kind in CODES and each.key.key_id is not None
    )
