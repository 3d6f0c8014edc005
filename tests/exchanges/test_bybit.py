"""Bybit's adapter against the published samples and scripted answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from rotator.core.facts import NEVER, KeyFacts, Validity
from rotator.core.names import AccountId
from rotator.core.outcome import Meaning
from rotator.core.scopes import Scope
from rotator.exchanges.bybit.content import scope_of
from rotator.exchanges.bybit.sheet import ERRORS, SCOPES
from rotator.exchanges.port import Listing
from tests.exchanges.fakes import (
    Step,
    Wire,
    bybit_error,
    bybit_ok,
    hmac_key,
    opened,
    raw,
    reply,
    run,
)

KEY = hmac_key("XXXXXXXX")
SUB = AccountId("106314365")

PERMISSIONS = {
    "ContractTrade": ["Order", "Position"],
    "Spot": ["SpotTrade"],
    "Wallet": ["AccountTransfer", "SubMemberTransfer"],
    "Options": [],
    "Derivatives": ["DerivativesTrade"],
    "CopyTrading": [],
    "BlockTrade": [],
    "Exchange": ["ExchangeHistory"],
    "NFT": [],
    "Affiliate": [],
    "Earn": ["Earn"],
    "FiatP2P": ["FiatP2POrder", "Advertising"],
    "FiatConvertBroker": ["FiatConvertBrokerOrder"],
    "FiatGlobalPay": [],
    "FiatBitPay": ["FaitPayOrder"],
    "BitCard": ["BitCard"],
    "ByXPost": ["ByXPost"],
}
OWN: dict[str, Any] = {
    "id": "2208369",
    "note": "testnet",
    "apiKey": "XXXXXXXX",
    "readOnly": 1,
    "secret": "",
    "permissions": PERMISSIONS,
    "ips": ["18.181.170.164", "13.212.45.47", "13.212.45.48"],
    "type": 1,
    "deadlineDay": -2,
    "expiredAt": "1970-01-01T00:00:00Z",
    "createdAt": "2025-10-13T03:20:45Z",
    "unified": 0,
    "uta": 1,
    "userID": 1448939,
    "inviterID": 0,
    "vipLevel": "PRO-1",
    "mktMakerLevel": "0",
    "affiliateID": 0,
    "rsaPublicKey": "",
    "isMaster": True,
    "parentUid": "0",
    "kycLevel": "LEVEL_1",
    "kycRegion": "MYS",
    "userIDInt64": "0",
    "inviterIDInt64": "0",
    "affiliateIDInt64": "0",
}
"""The documents' sample of `query-api`."""

CREATED = {
    "id": "16651283",
    "note": "testxxx",
    "apiKey": "xxxxx",
    "readOnly": 0,
    "secret": "xxxxxxxx",
    "permissions": {
        "ContractTrade": [],
        "Spot": [],
        "Wallet": ["AccountTransfer"],
        "Options": [],
        "CopyTrading": [],
        "BlockTrade": [],
        "Exchange": [],
        "NFT": [],
        "Earn": ["Earn"],
    },
}
"""The documents' sample of `create-sub-api`."""

MEMBERS = {
    "subMembers": [
        {"uid": "106314365", "username": "xxxx02", "memberType": 1, "status": 1, "remark": ""},
        {"uid": "106279879", "username": "xxxx01", "memberType": 1, "status": 1, "remark": ""},
    ],
    "nextCursor": "0",
}
"""The documents' sample of `submembers`."""


def listed(key_id: str, **changes: object) -> dict[str, object]:
    """Return one entry of `sub-apikeys`."""
    entry: dict[str, object] = {
        "id": "1",
        "apiKey": key_id,
        "note": "n",
        "ips": ["*"],
        "status": 3,
        "expiredAt": "2026-12-01T00:00:00Z",
        "createdAt": "2026-09-02T00:00:00Z",
        "type": 1,
        "permissions": {"Spot": ["SpotTrade"]},
        "secret": "******",
        "readOnly": False,
        "deadlineDay": 61,
        "flag": "hmac",
    }
    return {**entry, **changes}


def page(*entries: object, cursor: object = "") -> Step:
    """Return one page of `sub-apikeys`."""
    return reply(bybit_ok({"result": list(entries), "nextPageCursor": cursor}))


def facts_of(**changes: object) -> KeyFacts:
    """Return the facts of the sample with some fields changed."""
    told = {**OWN, **changes}
    look = run(opened("bybit", Wire(reply(bybit_ok(told)))).inspect(KEY))
    assert look.facts is not None
    return look.facts


def keys_of(*steps: Step, account: AccountId | None = SUB) -> Listing:
    """Return the listing that scripted pages make."""
    told = run(opened("bybit", Wire(*steps)).list_keys(KEY, account))
    assert isinstance(told, Listing)
    return told


def test_the_published_inspect_sample() -> None:
    """Each fact of the documents' sample is read; read-only wins over its permissions."""
    facts = facts_of()
    assert facts.key_id == "XXXXXXXX"
    assert facts.label == "testnet"
    assert facts.account_id == "1448939"
    assert set(facts.scopes or ()) == {Scope.READ}
    assert facts.native is not None
    assert facts.native[:3] == ("BitCard.BitCard", "ByXPost.ByXPost", "ContractTrade.Order")
    assert len(facts.native) == 14
    assert ("readOnly", "1") in facts.native_flags
    assert facts.unknown_native == ()
    assert facts.ip_restricted is True
    assert facts.ip_allowlist == ("18.181.170.164", "13.212.45.47", "13.212.45.48")
    assert facts.created_at == datetime(2025, 10, 13, 3, 20, 45, tzinfo=UTC)
    assert facts.expires_at is NEVER
    assert facts.last_used_at is None
    assert facts.enabled is True
    assert facts.parent_account_id is None
    assert (facts.handle, facts.key_type) == ("2208369", "hmac")


def test_the_sample_as_a_read_write_key() -> None:
    """With the switch off the same permissions are every scope that they name."""
    scopes = facts_of(readOnly=0).scopes
    assert set(scopes or ()) == {
        Scope.READ,
        Scope.TRADE_SPOT,
        Scope.TRADE_DERIVATIVES,
        Scope.TRANSFER,
        Scope.EARN,
        Scope.OTHER,
    }


@pytest.mark.parametrize(("native", "scope"), sorted(SCOPES.items()))
def test_permissions_are_compared_without_case(native: str, scope: Scope) -> None:
    """Each native permission gives its scope in any spelling."""
    assert scope_of(native.upper()) is scope


def test_an_unknown_permission_is_other_and_named() -> None:
    """A permission that no table knows is kept, reported and counted as `other`."""
    facts = facts_of(readOnly=0, permissions={"Moon": ["Shot\u202e"], "Spot": []})
    assert facts.native == ("Moon.Shot\\u202e",)
    assert facts.unknown_native == facts.native
    assert set(facts.scopes or ()) == {Scope.READ, Scope.OTHER}


@pytest.mark.parametrize(
    ("changes", "field", "expected"),
    [
        ({"ips": ["*"]}, "ip_allowlist", ()),
        ({"ips": ["*"]}, "ip_restricted", False),
        ({"ips": []}, "ip_allowlist", ()),
        ({"ips": None}, "ip_allowlist", None),
        ({"ips": None}, "ip_restricted", None),
        ({"ips": [1]}, "ip_allowlist", None),
        ({"ips": ["999.1.1.1"]}, "ip_allowlist", ("999.1.1.1",)),
        ({"note": ""}, "label", None),
        ({"note": "a\nb"}, "label", "a\\nb"),
        ({"expiredAt": "2026-12-01T00:00:00Z"}, "expires_at", datetime(2026, 12, 1, tzinfo=UTC)),
        ({"expiredAt": "soon"}, "expires_at", None),
        ({"createdAt": 7}, "created_at", None),
        ({"readOnly": 0, "permissions": None}, "scopes", None),
        ({"readOnly": 0, "permissions": {"Spot": "SpotTrade"}}, "native", None),
        ({"readOnly": 2}, "scopes", None),
        ({"readOnly": True}, "scopes", {Scope.READ}),
        ({"parentUid": "77", "isMaster": False}, "parent_account_id", "77"),
        ({"userID": None}, "account_id", None),
        ({"rsaPublicKey": "-----BEGIN"}, "key_type", "rsa"),
        ({"rsaPublicKey": None}, "key_type", None),
        ({"apiKey": "XXX***"}, "key_id", "XXXXXXXX"),
        ({"apiKey": None}, "key_id", "XXXXXXXX"),
    ],
)
def test_unknown_is_never_none_and_none_never_unknown(
    changes: dict[str, object], field: str, expected: object
) -> None:
    """Each field keeps apart what is unknown, what is empty and what is wrong."""
    assert getattr(facts_of(**changes), field) == expected


def test_an_answer_about_another_key_is_no_answer() -> None:
    """Facts of a key that did not sign are not taken for the facts of the one that did."""
    look = run(opened("bybit", Wire(reply(bybit_ok({**OWN, "apiKey": "other"})))).inspect(KEY))
    assert look.validity is Validity.EXCHANGE_DOWN


@pytest.mark.parametrize(("code", "row"), sorted(ERRORS.codes.items()))
def test_each_code_of_the_sheet(code: int, row: Any) -> None:
    """Each error code of the sheet gives its meaning, in our words and not in Bybit's."""
    step = reply(bybit_error(code, "canary text"))
    look = run(opened("bybit", Wire(step)).inspect(KEY))
    assert look.reason is row.meaning
    assert look.failure is not None
    assert look.failure.code == str(code)
    assert "canary" not in look.failure.message


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        (10002, Meaning.CLOCK_SKEW),
        (10003, Meaning.INVALID_KEY),
        (10004, Meaning.BAD_SIGNATURE),
        (10005, Meaning.PERMISSION_DENIED),
        (10006, Meaning.RATE_LIMITED),
        (10010, Meaning.IP_BLOCKED),
        (10016, Meaning.UNKNOWN_OUTCOME),
        (33004, Meaning.EXPIRED),
        (500010, Meaning.BAD_REQUEST),
    ],
)
def test_the_codes_that_matter_most(code: int, meaning: Meaning) -> None:
    """The table itself says of the codes that decide over keys what the documents say."""
    assert ERRORS.codes[code].meaning is meaning


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (400, Meaning.BAD_REQUEST),
        (401, Meaning.INVALID_KEY),
        (403, Meaning.BANNED),
        (404, Meaning.BAD_REQUEST),
        (429, Meaning.RATE_LIMITED),
        (410, Meaning.OTHER),
        (500, Meaning.UNKNOWN_OUTCOME),
        (504, Meaning.UNKNOWN_OUTCOME),
    ],
)
def test_each_status_of_the_sheet(status: int, meaning: Meaning) -> None:
    """An answer without JSON is judged by its status."""
    look = run(opened("bybit", Wire(raw(b"<html>", status))).inspect(KEY))
    assert look.reason is meaning
