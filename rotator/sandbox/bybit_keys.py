"""Bybit's key calls: what each does to the ledger, and the `result` it answers."""

from __future__ import annotations

import bisect
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from rotator.sandbox.bybit_words import (
    ASSIGNABLE,
    CREATABLE,
    CREATED_GROUPS,
    FIAT_GROUPS,
    GROUPS,
    MANAGING,
    SELF_MANAGING,
    permissions,
    read_permissions,
)
from rotator.sandbox.calendar import iso
from rotator.sandbox.ledger import (
    Account,
    Draft,
    HmacSecret,
    Key,
    Kind,
    Ledger,
    Origin,
    PublicKey,
    is_address,
)
from rotator.sandbox.wire import number

NEVER = "1970-01-01T00:00:00Z"
LIST_PAGE = 20
MEMBERS_AT_ONCE = 1000
MEMBERS_PAGE = 100
SOON = timedelta(days=7)
ALL_GROUPS = tuple(GROUPS)

Result = dict[str, object]
Params = Mapping[str, object]


class BybitRefuses(Exception):
    """Ends a call with one of the sheet's `retCode`s."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


BAD_PARAMETER = 10001
DENIED = 10005
NOT_YOURS = 500010


@dataclass(frozen=True, slots=True)
class Caller:
    """Who signed, and on which account."""

    key: Key
    account: Account

    @property
    def is_master(self) -> bool:
        """Say whether a master account's key signed."""
        return self.account.kind is Kind.MASTER


def query_api(ledger: Ledger, caller: Caller, _: Params) -> Result:
    """Tell the calling key everything about itself."""
    key, account = caller.key, caller.account
    pem = key.material.pem if isinstance(key.material, PublicKey) else ""
    return {
        "id": str(key.number),
        "note": key.label,
        "apiKey": key.id,
        "readOnly": int(key.read_only),
        "secret": "",
        "permissions": permissions(key.native, ALL_GROUPS),
        "ips": list(key.addresses) or ["*"],
        "type": 1,
        "deadlineDay": _days_left(ledger, key),
        "expiredAt": _expiry(ledger, key),
        "createdAt": iso(key.created_at),
        "unified": 0,
        "uta": 1,
        "userID": int(account.id),
        "inviterID": 0,
        "vipLevel": "No VIP",
        "mktMakerLevel": "0",
        "affiliateID": 0,
        "rsaPublicKey": pem,
        "isMaster": caller.is_master,
        "parentUid": account.parent_id or "0",
        "kycLevel": "LEVEL_1",
        "kycRegion": "CHE",
        "userIDInt64": account.id,
        "inviterIDInt64": "0",
        "affiliateIDInt64": "0",
    }


def sub_apikeys(ledger: Ledger, caller: Caller, params: Params) -> Result:
    """List the keys of one sub-account, paged by the number of the last key shown."""
    _master(caller)
    account_id = _own_sub(ledger, caller, params.get("subMemberId"))
    limit = _page_size(params, "limit", LIST_PAGE)
    after = _cursor(params.get("cursor"))
    keys = ledger.keys_of(account_id)
    start = bisect.bisect_right(keys, after, key=lambda k: k.number)
    page = keys[start : start + limit]
    more = start + limit < len(keys)
    return {
        "result": [_listed(ledger, key) for key in page],
        "nextPageCursor": str(page[-1].number) if more else "",
    }


def query_sub_members(ledger: Ledger, caller: Caller, _: Params) -> Result:
    """List the youngest thousand sub-accounts."""
    _master(caller)
    subs = ledger.subs_of(caller.account.id)[::-1]
    return {"subMembers": [_member(a) for a in subs[:MEMBERS_AT_ONCE]]}


def submembers(ledger: Ledger, caller: Caller, params: Params) -> Result:
    """List all sub-accounts, youngest first, paged; `nextCursor` "0" is the end."""
    _master(caller)
    size = _page_size(params, "pageSize", MEMBERS_PAGE)
    before = _cursor(params.get("nextCursor"))
    subs = [a for a in ledger.subs_of(caller.account.id)[::-1] if not before or a.number < before]
    page = subs[:size]
    more = len(subs) > size
    return {
        "subMembers": [_member(a) for a in page],
        "nextCursor": str(page[-1].number) if more else "0",
    }


def create_sub_api(ledger: Ledger, caller: Caller, params: Params) -> Result:
    """Make a key on a sub-account and show its secret this once."""
    _managing_master(caller)
    account_id = _own_sub(ledger, caller, params.get("subuid"))
    read_only = _read_only(params, required=True)
    native = read_permissions(params.get("permissions"), CREATABLE)
    note = params.get("note", "")
    if native is None or not isinstance(note, str) or not ledger.has_slot(account_id):
        raise BybitRefuses(BAD_PARAMETER)
    material = ledger.new_secret()
    draft = Draft(
        account_id=account_id,
        label=note,
        native=native,
        material=material,
        origin=Origin.API,
        addresses=_addresses(params.get("ips")),
        read_only=read_only,
        creator=caller.key.id,
    )
    key = ledger.create(draft)
    return {
        "id": str(key.number),
        "note": key.label,
        "apiKey": key.id,
        "readOnly": int(key.read_only),
        "secret": _reveal(material),
        "permissions": permissions(key.native, CREATED_GROUPS),
    }


def update_api(ledger: Ledger, caller: Caller, params: Params) -> Result:
    """Shrink the calling master key; addresses and new powers are for the web page."""
    _master(caller)
    if "ips" in params:
        raise BybitRefuses(141019)
    key = caller.key
    native = _new_permissions(params, GROUPS)
    if native is not None:
        if not native <= key.native:
            raise BybitRefuses(141020)
        lost = key.native - native
        if not key.read_only and any(n.split(".")[0] in FIAT_GROUPS for n in lost):
            raise BybitRefuses(141020)
    changed = ledger.change(key, native=native, read_only=_read_only(params, required=False))
    return _changed(changed)


def update_sub_api(ledger: Ledger, caller: Caller, params: Params) -> Result:
    """Change a sub-account's key; what `ips` does not name is unbound."""
    key = _addressed(ledger, caller, params)
    changed = ledger.change(
        key,
        native=_new_permissions(params, ASSIGNABLE),
        read_only=_read_only(params, required=False),
        addresses=_addresses(params.get("ips")),
    )
    return _changed(changed)


def delete_api(ledger: Ledger, caller: Caller, _: Params) -> Result:
    """Delete the calling master key."""
    _master(caller)
    ledger.delete(caller.key)
    return {}


def delete_sub_api(ledger: Ledger, caller: Caller, params: Params) -> Result:
    """Delete a sub-account's key."""
    ledger.delete(_addressed(ledger, caller, params))
    return {}


def _addressed(ledger: Ledger, caller: Caller, params: Params) -> Key:
    named = params.get("apikey")
    if not caller.is_master:
        if named is not None:
            raise BybitRefuses(BAD_PARAMETER)
        if caller.key.read_only or not caller.key.native & SELF_MANAGING:
            raise BybitRefuses(DENIED)
        return caller.key
    _managing_master(caller)
    key = ledger.listed(named) if isinstance(named, str) else None
    if key is None:
        raise BybitRefuses(BAD_PARAMETER)
    if not ledger.owns(caller.account.id, key.account_id):
        raise BybitRefuses(NOT_YOURS)
    return key


def _master(caller: Caller) -> None:
    if not caller.is_master:
        raise BybitRefuses(DENIED)


def _managing_master(caller: Caller) -> None:
    _master(caller)
    if caller.key.read_only or not caller.key.native & MANAGING:
        raise BybitRefuses(DENIED)


def _own_sub(ledger: Ledger, caller: Caller, value: object) -> str:
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if number(text) is None:
        raise BybitRefuses(BAD_PARAMETER)
    if not ledger.owns(caller.account.id, text):
        raise BybitRefuses(NOT_YOURS)
    return text


def _read_only(params: Params, *, required: bool) -> bool:
    value = params.get("readOnly", None if required else 0)
    if isinstance(value, bool) or not isinstance(value, int) or value not in (0, 1):
        raise BybitRefuses(BAD_PARAMETER)
    return value == 1


def _new_permissions(params: Params, allowed: dict[str, tuple[str, ...]]) -> frozenset[str] | None:
    value = params.get("permissions")
    if value is None:
        return None
    native = read_permissions(value, allowed)
    if native is None:
        raise BybitRefuses(BAD_PARAMETER)
    return native


def _addresses(value: object) -> tuple[str, ...]:
    if value in (None, "*", ""):
        return ()
    if not isinstance(value, str):
        raise BybitRefuses(BAD_PARAMETER)
    addresses = tuple(a.strip() for a in value.split(","))
    if not all(is_address(a) for a in addresses):
        raise BybitRefuses(BAD_PARAMETER)
    return addresses


def _page_size(params: Params, name: str, most: int) -> int:
    size = number(str(params.get(name, most)))
    if size is None or not 1 <= size <= most:
        raise BybitRefuses(BAD_PARAMETER)
    return size


def _cursor(value: object) -> int:
    after = number(str(value)) if value not in (None, "") else 0
    if after is None:
        raise BybitRefuses(BAD_PARAMETER)
    return after


def _expiry(ledger: Ledger, key: Key) -> str:
    expires = ledger.expires_at(key)
    return NEVER if expires is None else iso(expires)


def _days_left(ledger: Ledger, key: Key) -> int:
    expires = ledger.expires_at(key)
    return -2 if expires is None else (expires - ledger.calendar.now()).days


def _status(ledger: Ledger, key: Key) -> int:
    expires = ledger.expires_at(key)
    if expires is None:
        return 1
    left = expires - ledger.calendar.now()
    if left <= timedelta():
        return 2
    return 4 if left < SOON else 3


def _listed(ledger: Ledger, key: Key) -> Result:
    return {
        "id": str(key.number),
        "ips": list(key.addresses) or ["*"],
        "apiKey": key.id,
        "note": key.label,
        "status": _status(ledger, key),
        "expiredAt": _expiry(ledger, key),
        "createdAt": iso(key.created_at),
        "type": 1,
        "permissions": permissions(key.native, ALL_GROUPS),
        "secret": "******",
        "readOnly": key.read_only,
        "deadlineDay": _days_left(ledger, key),
        "flag": "hmac",
    }


def _member(account: Account) -> Result:
    return {
        "uid": account.id,
        "username": f"sub{account.number}",
        "memberType": 1,
        "status": 1,
        "remark": "",
        "accountMode": 6,
    }


def _changed(key: Key) -> Result:
    return {
        "id": str(key.number),
        "note": key.label,
        "apiKey": key.id,
        "readOnly": int(key.read_only),
        "secret": "",
        "permissions": permissions(key.native, ALL_GROUPS),
        "ips": list(key.addresses) or ["*"],
    }


def _reveal(material: HmacSecret) -> str:
    return material.secret.reveal()
