"""ccxt, unmodified, against both costumes."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.peers
ccxt = pytest.importorskip("ccxt", reason="pip install ccxt")

Ready = dict[str, Any]


def client(sandbox: Ready, exchange: str, key: dict[str, Any]) -> Any:
    """Return ccxt's exchange, signed with a key, every one of its hosts the sandbox."""
    made = getattr(ccxt, exchange)(
        {"apiKey": key["api_key"], "secret": key.get("api_secret") or key["private_key"]}
    )
    made.session.trust_env = False
    base_url = sandbox["exchanges"][exchange]["base_url"]
    made.urls["api"] = {name: _moved(url, base_url) for name, url in made.urls["api"].items()}
    return made


def _moved(url: str, base_url: str) -> str:
    path = url.split("://", 1)[1].partition("/")[2]
    return f"{base_url}/{path}".rstrip("/")


@pytest.mark.parametrize("place", [0, 3])
def test_bybit_key_information(sandbox: Ready, place: int) -> None:
    """The client ccxt reads what a Bybit key is, with an HMAC and an RSA key."""
    key = sandbox["exchanges"]["bybit"]["keys"][place]
    told = client(sandbox, "bybit", key).private_get_v5_user_query_api()
    assert told["result"]["apiKey"] == key["api_key"]


def test_bybit_keys_of_a_sub_account(sandbox: Ready) -> None:
    """The client ccxt lists, creates and deletes a sub-account's key with the parent's key."""
    bybit = sandbox["exchanges"]["bybit"]
    parent = client(sandbox, "bybit", bybit["parents"][0])
    account = bybit["keys"][1]["account_id"]
    wish = {"subuid": int(account), "readOnly": 1, "permissions": {}}
    made = parent.private_post_v5_user_create_sub_api(wish)["result"]
    listed = parent.private_get_v5_user_sub_apikeys({"subMemberId": account})["result"]["result"]
    assert made["apiKey"] in [k["apiKey"] for k in listed]
    parent.private_post_v5_user_delete_sub_api({"apikey": made["apiKey"]})
    listed = parent.private_get_v5_user_sub_apikeys({"subMemberId": account})["result"]["result"]
    assert made["apiKey"] not in [k["apiKey"] for k in listed]


@pytest.mark.parametrize("place", [0, 2, 3])
def test_binance_key_information(sandbox: Ready, place: int) -> None:
    """The client ccxt reads a Binance key's flags, with an HMAC, an Ed25519 and an RSA key."""
    key = sandbox["exchanges"]["binance"]["keys"][place]
    told = client(sandbox, "binance", key).sapi_get_account_apirestrictions()
    assert told["enableReading"] is True


@pytest.mark.parametrize("exchange", ["bybit", "binance"])
def test_balances(sandbox: Ready, exchange: str) -> None:
    """The client ccxt loads markets and reads balances as a bot does."""
    made = client(sandbox, exchange, sandbox["exchanges"][exchange]["keys"][0])
    assert made.fetch_balance()["USDT"]["free"] == 1000


@pytest.mark.parametrize("exchange", ["bybit", "binance"])
def test_a_wrong_key_is_refused(sandbox: Ready, exchange: str) -> None:
    """The client ccxt takes the refusal of an unknown key for an authentication error."""
    key = {"api_key": "A" * 64, "api_secret": "another"}
    made = client(sandbox, exchange, key)
    calls = {
        "bybit": "private_get_v5_user_query_api",
        "binance": "sapi_get_account_apirestrictions",
    }
    look = getattr(made, calls[exchange])
    with pytest.raises(ccxt.AuthenticationError):
        look()
