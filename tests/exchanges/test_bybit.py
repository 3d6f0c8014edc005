"""Bybit's adapter against the published samples and scripted answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from rotator.core.facts import NEVER, KeyFacts, Validity
from rotator.core.issue import IssuedKey, KeySpec
from rotator.core.names import AccountId, KeyId
from rotator.core.outcome import Failure, Happened, Meaning
from rotator.core.scopes import Scope
from rotator.exchanges.bybit.content import create_body, respec, scope_of
from rotator.exchanges.bybit.sheet import ERRORS, SCOPES
from rotator.exchanges.port import Listing
from tests.exchanges.fakes import (
    NOW,
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
    assert facts.scopes == {Scope.READ}
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
    assert scopes == {
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
    assert facts.scopes == {Scope.READ, Scope.OTHER}


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


def test_an_unknown_code_is_other() -> None:
    """A code that no table knows is `other`, and as a mutation of unknown outcome."""
    step = reply(bybit_error(987654, "what " + "K" * 40))
    told = run(opened("bybit", Wire(step)).create_key(KEY, SPEC, "label", NOW))
    assert isinstance(told, Failure)
    assert (told.meaning, told.happened) == (Meaning.OTHER, Happened.UNKNOWN)
    assert "what …" in told.message
    assert "KKKK" not in told.message


SPEC = KeySpec(
    SUB,
    ("ContractTrade.Order", "ContractTrade.Position", "Spot.SpotTrade"),
    (("readOnly", "0"),),
    ("192.0.2.1", "192.0.2.2"),
)


def test_create_says_everything_that_has_a_dangerous_default() -> None:
    """The create body names account, label, read-only switch, addresses and permissions."""
    wire = Wire(reply(bybit_ok(CREATED)))
    told = run(opened("bybit", wire).create_key(KEY, SPEC, "rkabcdefgh1", NOW))
    assert orjson.loads(wire.requests[0].content) == {
        "subuid": 106314365,
        "note": "rkabcdefgh1",
        "readOnly": 0,
        "ips": "192.0.2.1,192.0.2.2",
        "permissions": {"ContractTrade": ["Order", "Position"], "Spot": ["SpotTrade"]},
    }
    assert isinstance(told, IssuedKey)
    assert (told.key_id, told.handle) == ("xxxxx", "16651283")
    assert told.secrets.api_secret is not None
    assert told.secrets.api_secret.reveal() == "xxxxxxxx"
    assert "xxxxxxxx" not in repr(told)


def test_a_key_without_list_is_created_unbound_in_so_many_words() -> None:
    """No addresses are sent as `*`, and a spec that does not say read-write is read-only."""
    body = create_body(KeySpec(SUB, ("Spot.SpotTrade",)), "x")
    assert (body["ips"], body["readOnly"]) == ("*", 1)


@pytest.mark.parametrize(
    "result",
    [{}, {"apiKey": "k"}, {"apiKey": "k", "secret": ""}, {"apiKey": "k", "secret": "***"}, [], 1],
)
def test_a_creation_without_its_secret_is_unknown(result: object) -> None:
    """A success that shows no key or no secret may have made one: look before acting."""
    step = reply(bybit_ok(result))
    told = run(opened("bybit", Wire(step)).create_key(KEY, SPEC, "label", NOW))
    assert isinstance(told, Failure)
    assert told.happened is Happened.UNKNOWN


@pytest.mark.parametrize("account", ["", "desk", "-1", "1e3", "²", "9" * 30])
def test_an_account_that_is_no_uid_never_leaves(account: str) -> None:
    """A sub-account that cannot be a Bybit UID is refused before anything is sent."""
    wire = Wire()

    async def ask() -> list[object]:
        exchange = opened("bybit", wire)
        spec = KeySpec(AccountId(account), ("Spot.SpotTrade",))
        return [
            await exchange.create_key(KEY, spec, "x", NOW),
            await exchange.list_keys(KEY, AccountId(account)),
        ]

    assert all(isinstance(t, Failure) and t.happened is Happened.REFUSED for t in run(ask()))
    assert wire.requests == []


def test_a_list_is_complete_when_its_pages_end() -> None:
    """Pages are followed to the empty cursor; entries carry the account that was asked for."""
    wire = Wire(page(listed("a"), cursor="next page/1"), page(listed("b", status=2)))
    told = run(opened("bybit", wire).list_keys(KEY, SUB))
    assert isinstance(told, Listing)
    assert told.complete
    assert [(k.key_id, k.account_id, k.enabled) for k in told.keys] == [
        ("a", SUB, True),
        ("b", SUB, False),
    ]
    assert told.keys[0].scopes == {Scope.READ, Scope.TRADE_SPOT}
    assert wire.requests[1].url.query == b"subMemberId=106314365&limit=20&cursor=next+page%2F1"


@pytest.mark.parametrize(
    "steps",
    [
        [page(listed("a"), cursor="1"), page(listed("b"), cursor="1")],
        [page(listed("a"), cursor=None)],
        [page(listed("a"), cursor=5)],
        [page(listed("a"), cursor="x" * 2000)],
        [page(listed("a"), listed(""))],
        [page(listed("a"), 7)],
        [reply(bybit_ok({"nextPageCursor": ""}))],
        [reply(bybit_ok(None))],
    ],
)
def test_a_list_that_does_not_end_well_is_incomplete(steps: list[Step]) -> None:
    """Repeated or strange cursors, nameless entries and missing lists prove no absence."""
    assert not keys_of(*steps).complete


def test_all_accounts_are_listed_when_none_is_named() -> None:
    """Without an account every sub-account of the master is listed."""
    told = keys_of(
        reply(bybit_ok(MEMBERS)), page(listed("a")), page(listed("b")), account=None
    )
    assert told.complete
    assert [(k.key_id, k.account_id) for k in told.keys] == [
        ("a", "106314365"),
        ("b", "106279879"),
    ]


def test_a_strange_sub_account_makes_the_list_incomplete() -> None:
    """A sub-account without a usable number is passed over, and the list says so."""
    members = {"subMembers": [{"uid": "x y"}, {"uid": 12}], "nextCursor": ""}
    told = keys_of(reply(bybit_ok(members)), page(), account=None)
    assert (told.keys, told.complete) == ((), False)


def test_a_failing_list_is_a_failure() -> None:
    """A page that is refused makes no short list but a failure."""
    steps = [page(listed("a"), cursor="1"), reply(bybit_error(10006))]
    told = run(opened("bybit", Wire(*steps)).list_keys(KEY, SUB))
    assert isinstance(told, Failure)
    assert told.meaning is Meaning.RATE_LIMITED


def deleted(*steps: Step) -> Failure | None:
    """Return how a deletion of `old` ends."""
    return run(opened("bybit", Wire(*steps)).delete_key(KEY, SUB, KeyId("old"), NOW))


def test_deleting_is_success() -> None:
    """The documents' answer to a deletion is a success."""
    assert deleted(reply(bybit_ok({}))) is None


@pytest.mark.parametrize("code", [10001, 10003])
def test_a_refused_deletion_of_an_absent_key_is_success(code: int) -> None:
    """A key that a complete list of its account lacks is gone."""
    assert deleted(reply(bybit_error(code)), page(listed("other"))) is None


@pytest.mark.parametrize(
    "steps",
    [
        [reply(bybit_error(10001)), page(listed("old"))],
        [reply(bybit_error(10001)), page(listed("other"), cursor=None)],
        [reply(bybit_error(10003)), reply(bybit_error(10003))],
        [reply(bybit_error(500010))],
        [reply(bybit_error(10005))],
        [reply(bybit_error(10016))],
        [raw(b"", 404)],
    ],
)
def test_a_deletion_that_proves_nothing_is_a_failure(steps: list[Step]) -> None:
    """A key still listed, an incomplete list, or another refusal is no proof of absence."""
    assert isinstance(deleted(*steps), Failure)


SUB_KEY: dict[str, object] = {
    "readOnly": 0,
    "isMaster": False,
    "parentUid": "1",
    "permissions": {"Spot": ["SpotTrade"], "Wallet": ["AccountTransfer"]},
}


def test_a_sub_key_is_made_again_as_it_is() -> None:
    """The spec of an ordinary sub-account key is its permissions, flags and addresses."""
    facts = facts_of(**SUB_KEY)
    spec = respec(facts, ())
    assert spec == KeySpec(
        AccountId("1448939"),
        ("Spot.SpotTrade", "Wallet.AccountTransfer"),
        (("readOnly", "0"), ("type", "1")),
        facts.ip_allowlist or (),
    )


def test_a_list_entry_is_enough_for_a_spec() -> None:
    """Where our address is refused, the parent's list tells all that create needs."""
    told = keys_of(page(listed("a")))
    assert isinstance(respec(told.keys[0], ()), KeySpec)


def test_forbidden_scopes_are_left_out() -> None:
    """What the policy forbids is not created again, so withdraw does not stand in the way."""
    powers = {"Spot": ["SpotTrade"], "Wallet": ["Withdraw", "AccountTransfer"]}
    facts = facts_of(**{**SUB_KEY, "permissions": powers})
    spec = respec(facts, ("withdraw", "trans*"))
    assert isinstance(spec, KeySpec)
    assert spec.native == ("Spot.SpotTrade",)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"permissions": {"Wallet": ["Withdraw"]}}, "Wallet.Withdraw"),
        ({"permissions": {"Derivatives": ["DerivativesTrade"]}}, "Derivatives"),
        ({"permissions": {"Moon": ["Shot"]}}, "Moon.Shot"),
        ({"permissions": {}}, "no permission"),
        ({"permissions": None}, "permissions are not known"),
        ({"readOnly": None}, "permissions are not known"),
        ({"ips": None}, "address list"),
        ({"ips": ["1.2.*.*"]}, "address list"),
        ({"rsaPublicKey": "PEM"}, "HMAC"),
        ({"rsaPublicKey": None}, "HMAC"),
        ({"type": 2}, "HMAC"),
        ({"isMaster": True}, "master"),
        ({"userID": None}, "account"),
    ],
)
def test_what_create_cannot_make_is_said_before(changes: dict[str, object], why: str) -> None:
    """A key that create cannot make again, or not known in full, is named with the reason."""
    facts = facts_of(**{**SUB_KEY, **changes})
    assert why in (opened("bybit", Wire()).reproducible(facts) or "")
