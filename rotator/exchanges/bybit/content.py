"""What stands inside Bybit's answers and requests: key facts and the create body.

Pure; an answer's field of a wrong type is unknown, never an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from rotator.core.facts import NEVER, KeyFacts, Never
from rotator.core.issue import KeySpec
from rotator.core.names import AccountId, KeyId
from rotator.core.scopes import Scope, covered
from rotator.exchanges import reading
from rotator.exchanges.bybit.sheet import CREATABLE, NO_EXPIRY, OTHER_GROUPS, SCOPES
from rotator.exchanges.transport import refused

EXPIRED_STATUS = 2
READ_ONLY = "readOnly"
THIRD_PARTY = ("type", "2")
MASTER = ("isMaster", "1")


def own_facts(entry: Mapping[str, object], signed_with: KeyId) -> KeyFacts:
    """Return the facts of the key that signed, from `query-api`."""
    parent = reading.identifier(entry.get("parentUid"))
    rsa = entry.get("rsaPublicKey")
    return _facts(
        entry,
        key_id=signed_with,
        account=_account(reading.identifier(entry.get("userID"))),
        parent=None if parent == "0" else _account(parent),
        enabled=True,
        key_type=("rsa" if rsa else "hmac") if isinstance(rsa, str) else None,
    )


def listed_facts(entry: Mapping[str, object], account: AccountId) -> KeyFacts:
    """Return the facts of one key of `account`, from `sub-apikeys`."""
    shown = reading.text(entry.get("apiKey"))
    status = reading.number(entry.get("status"))
    return _facts(
        entry,
        key_id=KeyId(shown) if shown else None,
        account=account,
        parent=None,
        enabled=None if status is None else status != EXPIRED_STATUS,
        key_type=reading.text(entry.get("flag")),
    )


def scope_of(native: str) -> Scope | None:
    """Return the scope of `Group.Name`, compared without case; None if no table knows it."""
    name = native.casefold()
    known = Scope.OTHER if name.partition(".")[0] in OTHER_GROUPS else None
    return SCOPES.get(name, known)


def sub_uid(account: AccountId) -> int:
    """Return a sub-account's number; raise ExchangeError if it is none."""
    if not is_uid(account):
        raise refused("a Bybit account is a number: set the credential's `account` to its UID")
    return int(account)


def is_uid(account: str) -> bool:
    """Say whether a text can be a Bybit UID."""
    return account.isascii() and account.isdecimal() and len(account) <= 20


def create_body(spec: KeySpec, label: str) -> dict[str, object]:
    """Return the body of `create-sub-api`; read-only and addresses are always said."""
    groups: dict[str, list[str]] = {}
    for native in spec.native:
        group, _, name = native.partition(".")
        groups.setdefault(group, []).append(name)
    return {
        "subuid": sub_uid(spec.account_id),
        "note": label,
        "readOnly": 0 if (READ_ONLY, "0") in spec.flags else 1,
        "ips": ",".join(spec.addresses) or "*",
        "permissions": groups,
    }


def respec(facts: KeyFacts, forbid: Sequence[str]) -> KeySpec | str:
    """Return what to create in place of a key, less the scopes that `forbid` covers.

    Returns a sentence where Bybit's create cannot make that key, or where
    anything of it is unknown.
    """
    if facts.account_id is None or MASTER in facts.native_flags:
        return "no call creates a key of a master account, or its account is not known"
    if facts.native is None or facts.scopes is None:
        return "its permissions are not known in full"
    if facts.key_type != "hmac" or THIRD_PARTY in facts.native_flags:
        return "create makes personal HMAC keys only, and this is not known to be one"
    if facts.ip_allowlist is None or any(reading.masked(a) for a in facts.ip_allowlist):
        return "its address list is not known in full"
    kept = tuple(n for n in facts.native if not _forbidden(n, forbid))
    impossible = [n for n in kept if n not in CREATABLE]
    if impossible:
        return f"create cannot grant {', '.join(impossible)}"
    if not kept:
        return "no permission would be left to grant"
    return KeySpec(facts.account_id, kept, facts.native_flags, facts.ip_allowlist)


def _forbidden(native: str, forbid: Sequence[str]) -> bool:
    return bool(covered([scope_of(native) or Scope.OTHER], forbid))


def _facts(
    entry: Mapping[str, object],
    *,
    key_id: KeyId | None,
    account: AccountId | None,
    parent: AccountId | None,
    enabled: bool | None,
    key_type: str | None,
) -> KeyFacts:
    native = _native(entry.get("permissions"))
    read_only = reading.switch(entry.get(READ_ONLY))
    kind = reading.number(entry.get("type"))
    listed = reading.addresses(entry.get("ips"))
    told = {
        READ_ONLY: None if read_only is None else str(int(read_only)),
        "type": None if kind is None else str(kind),
        "isMaster": "1" if entry.get("isMaster") is True else None,
    }
    return KeyFacts(
        key_id=key_id,
        label=reading.text(entry.get("note")),
        account_id=account,
        scopes=_scopes(native, read_only=read_only),
        native=native,
        native_flags=tuple((name, value) for name, value in told.items() if value),
        unknown_native=tuple(n for n in native or () if scope_of(n) is None),
        ip_restricted=None if listed is None else bool(listed),
        ip_allowlist=listed,
        created_at=reading.iso_time(entry.get("createdAt")),
        expires_at=_expiry(reading.iso_time(entry.get("expiredAt"))),
        enabled=enabled,
        parent_account_id=parent,
        handle=reading.identifier(entry.get("id")),
        key_type=key_type,
    )


def _native(value: object) -> tuple[str, ...] | None:
    """Return `Group.Name` for each granted permission; None if it is not all readable."""
    if not isinstance(value, dict):
        return None
    names: list[str] = []
    for group, granted in value.items():
        read = reading.texts(granted)
        if read is None:
            return None
        names += [f"{reading.printable(group)}.{name}" for name in read]
    return reading.in_order(names)


def _scopes(native: tuple[str, ...] | None, *, read_only: bool | None) -> frozenset[Scope] | None:
    if read_only:
        return frozenset({Scope.READ})
    if native is None or read_only is None:
        return None
    return frozenset({Scope.READ, *(scope_of(n) or Scope.OTHER for n in native)})


def _expiry(told: datetime | None) -> datetime | Never | None:
    return NEVER if told == NO_EXPIRY else told


def _account(uid: str | None) -> AccountId | None:
    return AccountId(uid) if uid else None
