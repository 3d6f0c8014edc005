"""Binance's account and key calls: what each does to the ledger and answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rotator.sandbox.binance_words import (
    ACCOUNT_INFO,
    BALANCES,
    FIX_FLAGS,
    FLAGS,
    NO_ACCESS,
    SUB_FLAGS,
    TRADING,
    TRADING_STATUS,
)
from rotator.sandbox.calendar import milliseconds
from rotator.sandbox.ledger import (
    Account,
    Draft,
    HmacSecret,
    Key,
    Kind,
    Ledger,
    Material,
    Origin,
    PublicKey,
    is_address,
)
from rotator.sandbox.signing import read_public_key
from rotator.sandbox.wire import number

MALFORMED = -1102
UNSUPPORTED = -9000
MAX_ADDRESSES = 30
MAX_ADDRESS_TEXT = 500

Params = Mapping[str, str]


class BinanceRefuses(Exception):
    """Ends a call with one of the sheet's `code`s."""

    def __init__(self, code: int, text: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.text = text


@dataclass(frozen=True, slots=True)
class Caller:
    """Who signed, on which account, with which powers at this moment."""

    key: Key
    account: Account
    powers: frozenset[str]
    in_query: frozenset[str] = field(default=frozenset())


def api_restrictions(_: Ledger, caller: Caller, __: Params) -> object:
    """Tell the calling key its flags."""
    _needs(caller, frozenset({"enableReading"}))
    key = caller.key
    return {
        "ipRestrict": bool(key.addresses),
        "createTime": milliseconds(key.created_at),
        **{flag: flag in caller.powers for flag in FLAGS},
    }


def spot_account(ledger: Ledger, caller: Caller, _: Params) -> object:
    """Tell the balances; a key that may trade is let in without the reading flag too."""
    _needs(caller, TRADING | {"enableReading"})
    return {
        "makerCommission": 10,
        "takerCommission": 10,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {
            "maker": "0.00100000",
            "taker": "0.00100000",
            "buyer": "0.00000000",
            "seller": "0.00000000",
        },
        "canTrade": True,
        "canWithdraw": True,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": milliseconds(ledger.calendar.real()),
        "accountType": "SPOT",
        "balances": BALANCES,
        "permissions": ["SPOT"],
        "uid": caller.account.number,
    }


def account_status(_: Ledger, caller: Caller, __: Params) -> object:
    """Say that the account is fine."""
    _needs(caller, frozenset({"enableReading"}))
    return {"data": "Normal"}


def trading_status(_: Ledger, caller: Caller, __: Params) -> object:
    """Say that trading by API is not locked."""
    _needs(caller, frozenset({"enableReading"}))
    return TRADING_STATUS


def account_info(_: Ledger, caller: Caller, __: Params) -> object:
    """Say what the account may do."""
    _needs(caller, frozenset({"enableReading"}))
    return ACCOUNT_INFO


def nothing(_: Ledger, caller: Caller, __: Params) -> object:
    """Answer an empty list (coins, margin pairs)."""
    _needs(caller, frozenset({"enableReading"}))
    return []


def sub_accounts(ledger: Ledger, caller: Caller, params: Params) -> object:
    """List sub-accounts by page."""
    _master(caller)
    wanted = params.get("email")
    page, size = _page(params, "limit", standard=1, most=200)
    subs = [a for a in ledger.subs_of(caller.account.id) if wanted in (None, a.id)]
    rows = subs[(page - 1) * size : page * size]
    return {"subAccounts": [_sub_account(a) for a in rows]}


def list_keys(ledger: Ledger, caller: Caller, params: Params) -> object:
    """List the keys of one sub-account by page; `total` counts all."""
    _master(caller)
    email = _own_sub(ledger, caller, params)
    page, size = _page(params, "size", standard=30, most=100)
    wanted = params.get("subAccountApiKey")
    keys = [k for k in ledger.keys_of(email) if wanted in (None, k.id)]
    rows = [{"email": email, **_row(k)} for k in keys[(page - 1) * size : page * size]]
    return {"total": len(keys), "rows": rows}


def show_addresses(ledger: Ledger, caller: Caller, params: Params) -> object:
    """Show the address list of one sub-account key; `ipRestrict` is text here."""
    _master(caller)
    return _addresses_shown(_addressed(ledger, caller, params))


def create_v1(ledger: Ledger, caller: Caller, params: Params) -> object:
    """Make a key on a sub-account; an Ed25519 public key may be brought."""
    material = _material(ledger, params, ("ED25519",))
    return _create(ledger, caller, params, material, _flags(params, SUB_FLAGS))


def create_v2(ledger: Ledger, caller: Caller, params: Params) -> object:
    """As v1; an RSA public key too, in the body only, and FIX flags for Ed25519 keys."""
    if "publicKey" in caller.in_query:
        raise BinanceRefuses(MALFORMED)
    material = _material(ledger, params, ("ED25519", "RSA"))
    fix = _flags(params, FIX_FLAGS)
    ed25519 = isinstance(material, PublicKey) and material.algorithm == "ED25519"
    if fix and not ed25519:
        raise BinanceRefuses(UNSUPPORTED)
    return _create(ledger, caller, params, material, fix | _flags(params, SUB_FLAGS))


def set_permissions(ledger: Ledger, caller: Caller, params: Params) -> object:
    """Set the flags of a sub-account key; flags not named are off."""
    _trading_master(caller)
    key = _addressed(ledger, caller, params)
    kept = key.native - frozenset(SUB_FLAGS.values())
    return _row(ledger.change(key, native=kept | _flags(params, SUB_FLAGS)))


def set_addresses(ledger: Ledger, caller: Caller, params: Params) -> object:
    """Set or lift the address list of a sub-account key; `status` is text in the answer."""
    _trading_master(caller)
    key = _addressed(ledger, caller, params)
    status = params.get("status")
    if status not in ("1", "2"):
        raise BinanceRefuses(MALFORMED)
    addresses = _addresses(params) if status == "2" else ()
    changed = ledger.change(key, addresses=addresses)
    return {
        "status": status,
        "ipList": list(changed.addresses),
        "updateTime": milliseconds(changed.updated_at),
        "apiKey": changed.id,
    }


def remove_addresses(ledger: Ledger, caller: Caller, params: Params) -> object:
    """Take addresses off the list of a sub-account key."""
    _trading_master(caller)
    key = _addressed(ledger, caller, params)
    gone = _addresses(params)
    left = tuple(a for a in key.addresses if a not in gone)
    return _addresses_shown(ledger.change(key, addresses=left))


def delete_key(ledger: Ledger, caller: Caller, params: Params) -> object:
    """Delete a sub-account key."""
    _trading_master(caller)
    ledger.delete(_addressed(ledger, caller, params))
    return {}


def _create(
    ledger: Ledger,
    caller: Caller,
    params: Params,
    material: Material,
    flags: frozenset[str],
) -> object:
    _trading_master(caller)
    email = _own_sub(ledger, caller, params)
    name = _required(params, "apiName")
    status = _required(params, "status")
    if status not in ("1", "2", "3") or (status == "3" and not params.get("thirdPartyName")):
        raise BinanceRefuses(MALFORMED)
    if not ledger.has_slot(email):
        raise BinanceRefuses(UNSUPPORTED)
    draft = Draft(
        account_id=email,
        label=name,
        native=flags | {"enableReading"},
        material=material,
        origin=Origin.API,
        addresses=_addresses(params) if status == "2" else (),
        creator=caller.key.id,
    )
    key = ledger.create(draft)
    secret = material.secret.reveal() if isinstance(material, HmacSecret) else None
    return {
        "apiName": key.label,
        "apiKey": key.id,
        "secretKey": secret,
        **_sub_flags(key),
        "status": int(status),
        "ipList": list(key.addresses),
    }


def _material(ledger: Ledger, params: Params, allowed: tuple[str, ...]) -> Material:
    text = params.get("publicKey")
    if text is None:
        return ledger.new_secret()
    public = read_public_key(text)
    if public is None or public.algorithm not in allowed:
        raise BinanceRefuses(MALFORMED)
    return public


def _needs(caller: Caller, any_of: frozenset[str]) -> None:
    if not caller.powers & any_of:
        raise BinanceRefuses(NO_ACCESS)


def _master(caller: Caller) -> None:
    _needs(caller, frozenset({"enableReading"}))
    if caller.account.kind is not Kind.MASTER:
        raise BinanceRefuses(-4006)


def _trading_master(caller: Caller) -> None:
    _master(caller)
    _needs(caller, frozenset({"enableSpotAndMarginTrading"}))


def _own_sub(ledger: Ledger, caller: Caller, params: Params) -> str:
    email = _required(params, "email")
    if not ledger.owns(caller.account.id, email):
        raise BinanceRefuses(-5021)
    return email


def _addressed(ledger: Ledger, caller: Caller, params: Params) -> Key:
    email = _own_sub(ledger, caller, params)
    key = ledger.listed(_required(params, "subAccountApiKey"))
    if key is None or key.account_id != email:
        raise BinanceRefuses(-1099)
    return key


def _required(params: Params, name: str) -> str:
    value = params.get(name, "")
    if not value:
        raise BinanceRefuses(MALFORMED)
    return value


def _flags(params: Params, names: Mapping[str, str]) -> frozenset[str]:
    values = {name: params.get(name, "false").lower() for name in names}
    if not set(values.values()) <= {"true", "false"}:
        raise BinanceRefuses(MALFORMED)
    return frozenset(names[name] for name, value in values.items() if value == "true")


def _addresses(params: Params) -> tuple[str, ...]:
    text = _required(params, "ipAddress")
    addresses = tuple(a.strip() for a in text.split(","))
    small = len(text) <= MAX_ADDRESS_TEXT and len(addresses) <= MAX_ADDRESSES
    if not small or not all(is_address(a) for a in addresses):
        raise BinanceRefuses(MALFORMED)
    return addresses


def _page(params: Params, name: str, *, standard: int, most: int) -> tuple[int, int]:
    page = number(params.get("page", "1"), longest=9)
    size = number(params.get(name, str(standard)), longest=9)
    if page is None or size is None or page < 1 or not 1 <= size <= most:
        raise BinanceRefuses(MALFORMED)
    return page, size


def _sub_flags(key: Key) -> dict[str, bool]:
    return {name: flag in key.native for name, flag in SUB_FLAGS.items()}


def _row(key: Key) -> dict[str, object]:
    return {
        "apiName": key.label,
        "apikey": key.id,
        **_sub_flags(key),
        "timestamp": milliseconds(key.updated_at),
    }


def _addresses_shown(key: Key) -> dict[str, object]:
    return {
        "ipRestrict": "true" if key.addresses else "false",
        "ipList": list(key.addresses),
        "updateTime": milliseconds(key.updated_at),
        "apiKey": key.id,
    }


def _sub_account(account: Account) -> dict[str, object]:
    return {
        "subUserId": account.number,
        "email": account.id,
        "remark": "",
        "isFreeze": False,
        "createTime": milliseconds(account.created_at),
        "isManagedSubAccount": False,
        "isAssetManagementSubAccount": False,
    }
