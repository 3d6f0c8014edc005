"""Binance's official connector, unmodified, against the Binance costume."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.peers
spot = pytest.importorskip("binance.spot", reason="pip install binance-connector")
error = pytest.importorskip("binance.error")

Ready = dict[str, Any]


def connector(sandbox: Ready, key: dict[str, Any], **more: Any) -> Any:
    """Return the connector, signed with a key and pointed at the sandbox."""
    base_url = sandbox["exchanges"]["binance"]["base_url"]
    secrets = {
        "api_secret": key.get("api_secret"),
        "private_key": key.get("private_key", "").encode() or None,
    }
    made = spot.Spot(api_key=key["api_key"], base_url=base_url, **secrets, **more)
    made.session.trust_env = False
    return made


@pytest.mark.parametrize("place", [0, 2, 3])
def test_it_reads_key_information(sandbox: Ready, place: int) -> None:
    """The connector signs in with an HMAC, an Ed25519 and an RSA key and reads the flags."""
    key = sandbox["exchanges"]["binance"]["keys"][place]
    told = connector(sandbox, key).api_key_permissions()
    assert told["enableReading"] is True
    assert told["ipRestrict"] is True
    assert told["enableWithdrawals"] is ("withdraw" in key["scopes"])


def test_it_reads_the_account(sandbox: Ready) -> None:
    """The connector reads time, status and balances."""
    made = connector(sandbox, sandbox["exchanges"]["binance"]["keys"][0])
    assert made.ping() == {}
    assert made.time()["serverTime"] > 0
    assert made.system_status() == {"status": 0, "msg": "normal"}
    assert made.account_status() == {"data": "Normal"}
    assert made.account()["balances"][0]["asset"] == "USDT"


def test_it_lists_sub_accounts(sandbox: Ready) -> None:
    """The connector, with the parent's key, reads sub-accounts and a sub key's addresses."""
    binance = sandbox["exchanges"]["binance"]
    parent = connector(sandbox, binance["parents"][0])
    key = binance["keys"][0]
    subs = parent.sub_account_list(limit=10)["subAccounts"]
    assert key["account_id"] in [s["email"] for s in subs]
    told = parent.sub_account_api_get_ip_restriction(
        email=key["account_id"], subAccountApiKey=key["api_key"]
    )
    assert (told["ipRestrict"], told["ipList"]) == ("true", ["127.0.0.1"])


def test_a_wrong_key_is_refused(sandbox: Ready) -> None:
    """The connector gets -2015 for an unknown key and -1022 for a wrong secret."""
    key = sandbox["exchanges"]["binance"]["keys"][0]
    for wrong, status, code in (
        ({**key, "api_key": "A" * 64}, 401, -2015),
        ({**key, "api_secret": "another"}, 400, -1022),
    ):
        with pytest.raises(error.ClientError) as refused:
            connector(sandbox, wrong).api_key_permissions()
        assert (refused.value.status_code, refused.value.error_code) == (status, code)


def test_it_reads_the_weights(sandbox: Ready) -> None:
    """The connector finds the weight headers that it knows."""
    key = sandbox["exchanges"]["binance"]["keys"][0]
    told = connector(sandbox, key, show_limit_usage=True).account()
    assert int(told["limit_usage"]["x-mbx-used-weight-1m"]) >= 20
