"""pybit, unmodified, against the Bybit costume."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.peers
unified_trading = pytest.importorskip("pybit.unified_trading", reason="pip install pybit")
exceptions = pytest.importorskip("pybit.exceptions")

Ready = dict[str, Any]


def session(sandbox: Ready, key: dict[str, Any]) -> Any:
    """Return pybit's session, signed with a key and pointed at the sandbox."""
    bybit = sandbox["exchanges"]["bybit"]
    rsa = "private_key" in key
    http = unified_trading.HTTP(
        api_key=key["api_key"],
        api_secret=key.get("api_secret") or key["private_key"],
        rsa_authentication=rsa,
    )
    http.endpoint = bybit["base_url"]
    http.client.trust_env = False
    return http


def test_it_reads_key_information(sandbox: Ready) -> None:
    """The client pybit signs in with an HMAC key and reads what the key is."""
    key = sandbox["exchanges"]["bybit"]["keys"][0]
    told = session(sandbox, key).get_api_key_information()["result"]
    assert told["apiKey"] == key["api_key"]
    assert str(told["userID"]) == key["account_id"]
    assert told["ips"] == ["127.0.0.1"]


def test_it_signs_with_rsa(sandbox: Ready) -> None:
    """The client pybit signs in with an RSA key."""
    key = sandbox["exchanges"]["bybit"]["keys"][3]
    told = session(sandbox, key).get_api_key_information()["result"]
    assert told["apiKey"] == key["api_key"]


def test_it_reads_time_and_balances(sandbox: Ready) -> None:
    """The client pybit reads the server's time and a wallet."""
    http = session(sandbox, sandbox["exchanges"]["bybit"]["keys"][0])
    assert int(http.get_server_time()["result"]["timeSecond"]) > 0
    wallet = http.get_wallet_balance(accountType="UNIFIED")["result"]["list"][0]
    assert wallet["accountType"] == "UNIFIED"


def test_it_creates_lists_changes_and_deletes(sandbox: Ready) -> None:
    """The client pybit leads a sub-account's key through its whole life."""
    bybit = sandbox["exchanges"]["bybit"]
    parent, account = session(sandbox, bybit["parents"][0]), bybit["keys"][0]["account_id"]
    made = parent.create_sub_api_key(
        subuid=int(account),
        note="by pybit",
        readOnly=0,
        ips="127.0.0.1",
        permissions={"Spot": ["SpotTrade"]},
    )["result"]
    key = {"api_key": made["apiKey"], "api_secret": made["secret"]}
    fresh = session(sandbox, key)
    assert fresh.get_api_key_information()["result"]["note"] == "by pybit"
    listed = parent.get_all_sub_api_keys(subMemberId=account)["result"]["result"]
    assert [k["secret"] for k in listed if k["apiKey"] == made["apiKey"]] == ["******"]
    assert account in [m["uid"] for m in parent.get_sub_uid_list()["result"]["subMembers"]]
    changed = parent.modify_sub_api_key(apikey=made["apiKey"], readOnly=1, ips="127.0.0.1")
    assert changed["result"]["readOnly"] == 1
    parent.delete_sub_api_key(apikey=made["apiKey"])
    with pytest.raises(exceptions.InvalidRequestError, match="10003"):
        fresh.get_api_key_information()


def test_a_wrong_secret_is_refused(sandbox: Ready) -> None:
    """The client pybit with a wrong secret gets Bybit's error for a bad signature."""
    key = {**sandbox["exchanges"]["bybit"]["keys"][0], "api_secret": "another"}
    with pytest.raises(exceptions.InvalidRequestError, match="10004"):
        session(sandbox, key).get_api_key_information()
