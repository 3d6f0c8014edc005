"""Bybit's keys of sub-accounts: listed, created, deleted, made again."""

from __future__ import annotations

import orjson
import pytest

from rotator.core.issue import IssuedKey, KeySpec
from rotator.core.names import AccountId, KeyId
from rotator.core.outcome import Failure, Happened, Meaning
from rotator.core.scopes import Scope
from rotator.exchanges.bybit.adapter import MOST_PAGES
from rotator.exchanges.bybit.content import create_body, respec
from rotator.exchanges.port import Listing
from tests.exchanges.fakes import (
    NOW,
    Step,
    Wire,
    bybit_error,
    bybit_ok,
    opened,
    raw,
    reply,
    run,
)
from tests.exchanges.test_bybit import CREATED, KEY, MEMBERS, SUB, facts_of, keys_of, listed, page

SPEC = KeySpec(
    SUB,
    ("ContractTrade.Order", "ContractTrade.Position", "Spot.SpotTrade"),
    (("readOnly", "0"),),
    ("192.0.2.1", "192.0.2.2"),
)


def test_an_unknown_code_is_other() -> None:
    """A code that no table knows is `other`, and as a mutation of unknown outcome."""
    step = reply(bybit_error(987654, "what " + "K" * 40))
    told = run(opened("bybit", Wire(step)).create_key(KEY, SPEC, "label", NOW))
    assert isinstance(told, Failure)
    assert (told.meaning, told.happened) == (Meaning.OTHER, Happened.UNKNOWN)
    assert "what …" in told.message
    assert "KKKK" not in told.message


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
    assert set(told.keys[0].scopes or ()) == {Scope.READ, Scope.TRADE_SPOT}
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


def test_a_list_without_end_is_given_up() -> None:
    """After very many pages a list that still goes on is incomplete."""
    steps = [page(listed("a"), cursor=f"c{number}") for number in range(MOST_PAGES)]
    assert not keys_of(*steps).complete


def test_all_accounts_are_listed_when_none_is_named() -> None:
    """Without an account every sub-account of the master is listed."""
    told = keys_of(reply(bybit_ok(MEMBERS)), page(listed("a")), page(listed("b")), account=None)
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
