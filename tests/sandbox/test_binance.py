"""Binance's costume, against its sheet."""

from __future__ import annotations

import base64
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from rotator.core.names import Sensitive
from rotator.sandbox.ledger import HmacSecret, PublicKey
from rotator.sandbox.signing import read_public_key, signed_by
from tests.sandbox.desk import PAIRS, SUB_KEYS, Desk, KeyObject, ask, hmac_hex

INSPECT = "/sapi/v1/account/apiRestrictions"
FLAGS = {
    "enableReading",
    "enableWithdrawals",
    "enableInternalTransfer",
    "enableMargin",
    "enableFutures",
    "permitsUniversalTransfer",
    "enableVanillaOptions",
    "enableFixApiTrade",
    "enableFixReadOnly",
    "enableSpotAndMarginTrading",
    "enablePortfolioMarginTrading",
}
EMAIL = "desk1@sandbox.test"
NEW = {"email": EMAIL, "apiName": "fresh", "status": "1", "canTrade": "true"}

PUBLISHED_SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
LONG = b"symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1"
PUBLISHED = [
    (
        LONG + b"&recvWindow=5000&timestamp=1499827319559",
        "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71",
    ),
    (
        b"timestamp=1578963600000",
        "d84e6641b1e328e7b418fff030caed655c266299c9355e36ce801ed14631eed4",
    ),
]


@pytest.mark.parametrize(("payload", "signature"), PUBLISHED)
def test_published_vectors_hold(payload: bytes, signature: str) -> None:
    """The signature check accepts the published vectors and nothing beside them."""
    material = HmacSecret(Sensitive(PUBLISHED_SECRET))
    assert signed_by(material, payload, signature)
    assert not signed_by(material, payload + b"&", signature)


def refusal(desk: Desk, key: KeyObject, **how: object) -> tuple[int, int]:
    """Inspect and return status and code of the refusal."""
    answer = desk.binance("GET", INSPECT, key, **how)  # type: ignore[arg-type]
    return answer.status, answer.json["code"]


def test_a_key_reads_its_flags() -> None:
    """The call apiRestrictions tells the sheet's fields, and neither name, owner nor addresses."""
    desk = Desk()
    told = desk.binance("GET", INSPECT, desk.key("binance")).json
    assert set(told) == FLAGS | {"ipRestrict", "createTime"}
    assert told["ipRestrict"] is True
    assert {f for f in FLAGS if told[f]} == {
        "enableReading",
        "enableSpotAndMarginTrading",
        "enableWithdrawals",
    }
    assert told["createTime"] == desk.time.ms() - 400 * 86_400_000


def _signer(desk: Desk, place: int) -> Callable[[bytes], str]:
    private = load_pem_private_key(desk.key("binance", place)["private_key"].encode(), None)

    def sign(payload: bytes) -> str:
        if isinstance(private, rsa.RSAPrivateKey):
            raw = private.sign(payload, padding.PKCS1v15(), SHA256())
        else:
            assert isinstance(private, ed25519.Ed25519PrivateKey)
            raw = private.sign(payload)
        return base64.b64encode(raw).decode()

    return sign


@pytest.mark.parametrize("place", [2, 3])
def test_key_pairs_sign_in(place: int) -> None:
    """Ed25519 and RSA keys sign in with base64, and not with another text's signature."""
    desk = Desk()
    key, sign = desk.key("binance", place), _signer(desk, place)
    assert desk.binance("GET", INSPECT, key, sign=sign).status == 200
    assert refusal(desk, key, sign=lambda text: sign(text + b"x")) == (400, -1022)
    assert refusal(desk, key, sign=lambda _: "no base64!") == (400, -1022)


def test_base64_must_be_percent_encoded() -> None:
    """A base64 signature that stands bare in the query is refused."""
    desk = Desk()
    key, sign = desk.key("binance", 3), _signer(desk, 3)
    text = b"timestamp=%d" % desk.time.ms()
    query = text + b"&signature=" + sign(text).encode()
    headers = {"x-mbx-apikey": key["api_key"]}
    answer = ask(desk.apps["binance"], "GET", INSPECT, query=query, headers=headers)
    assert answer.json["code"] == -1022


def test_hex_may_shout() -> None:
    """An HMAC signature counts in upper case too."""
    desk = Desk()
    key = desk.key("binance")
    shouted = desk.binance("GET", INSPECT, key, sign=lambda text: hmac_hex(key, text).upper())
    assert shouted.status == 200


def test_query_and_body_are_signed_together() -> None:
    """The signature covers the query directly followed by the body, wherever it stands last."""
    desk = Desk()
    parent = desk.parent("binance")
    headers = {"x-mbx-apikey": parent["api_key"]}
    query = urlencode({"timestamp": desk.time.ms(), "email": EMAIL}).encode()
    body = b"apiName=a&status=1"
    mark = f"&signature={hmac_hex(parent, query + body)}".encode()
    app = desk.apps["binance"]
    for q, b in ((query + mark, body), (query, body + mark)):
        assert ask(app, "POST", SUB_KEYS, query=q, body=b, headers=headers).status == 200
    between = query.replace(b"&", mark + b"&", 1)
    wrong = ask(app, "POST", SUB_KEYS, query=between, body=body, headers=headers)
    assert wrong.status == 400


def test_raw_non_ascii_is_refused() -> None:
    """A character beyond ASCII that was not percent-encoded before signing is refused."""
    desk = Desk()
    key = desk.key("binance")
    text = f"note=ä&timestamp={desk.time.ms()}".encode()
    query = text + f"&signature={hmac_hex(key, text)}".encode()
    headers = {"x-mbx-apikey": key["api_key"]}
    answer = ask(desk.apps["binance"], "GET", INSPECT, query=query, headers=headers)
    assert answer.json["code"] == -1022


@pytest.mark.parametrize(
    ("off_ms", "params", "code"),
    [
        (0, {}, None),
        (-5000, {}, None),
        (-5001, {}, -1021),
        (-5001, {"recvWindow": "60000"}, None),
        (-1, {"recvWindow": "0.5"}, -1021),
        (0, {"recvWindow": "60001"}, -1131),
        (0, {"recvWindow": "1.2345"}, -1102),
        (999, {}, None),
        (1000, {}, -1021),
    ],
)
def test_the_window_is_the_sheets(off_ms: int, params: dict[str, str], code: int | None) -> None:
    """A timestamp passes from recvWindow ago to just under a second ahead."""
    desk = Desk()
    stamp = desk.time.ms() + off_ms
    answer = desk.binance("GET", INSPECT, desk.key("binance"), params, stamp=stamp)
    assert answer.json.get("code") == code


def test_microseconds_are_a_timestamp_too() -> None:
    """A timestamp may be in microseconds."""
    desk = Desk()
    stamp = desk.time.ms() * 1000
    assert desk.binance("GET", INSPECT, desk.key("binance"), stamp=stamp).status == 200


def test_one_answer_for_four_troubles() -> None:
    """Unknown and deleted keys, foreign addresses and missing permissions all get -2015."""
    desk = Desk()
    key = desk.key("binance")
    reader = desk.new_key("binance", account=EMAIL, scopes=["withdraw"])
    elsewhere = desk.new_key("binance", account=EMAIL, environment="testnet")
    killed = desk.new_key("binance", account=EMAIL)
    desk.control("POST", "/kill", {"exchange": "binance", "key_id": killed["api_key"]})
    assert refusal(desk, {**key, "api_key": "a" * 64}) == (401, -2015)
    assert refusal(desk, key, client="198.51.100.7") == (401, -2015)
    for other in (reader, elsewhere, killed):
        assert refusal(desk, other) == (401, -2015)


def test_a_second_probe_tells_more() -> None:
    """A key that may trade but not read is refused by the wallet and let in to the account."""
    desk = Desk()
    key = desk.new_key("binance", account=EMAIL, scopes=["trade:spot", "trade:margin"])
    assert refusal(desk, key) == (401, -2015)
    assert desk.binance("GET", "/api/v3/account", key).status == 200


def test_other_refusals() -> None:
    """A wrong secret, a missing signature and an odd key have codes of their own."""
    desk = Desk()
    key = desk.key("binance")
    assert refusal(desk, {**key, "api_secret": "another"}) == (400, -1022)
    assert refusal(desk, {**key, "api_key": "odd key"}) == (401, -2014)
    headers = {"x-mbx-apikey": key["api_key"]}
    query = b"timestamp=%d" % desk.time.ms()
    bare = ask(desk.apps["binance"], "GET", INSPECT, query=query, headers=headers)
    assert (bare.status, bare.json["code"]) == (400, -1102)
    assert ask(desk.apps["binance"], "GET", "/sapi/v1/nowhere").status == 404


def test_trading_lapses_without_addresses() -> None:
    """After 30 days without an address list the trading flags are off, and only they."""
    desk = Desk()
    key = desk.key("binance", 1)
    assert desk.binance("GET", INSPECT, key).json["enableSpotAndMarginTrading"] is True
    desk.control("POST", "/clock", {"advance": "20d"})
    told = desk.binance("GET", INSPECT, key).json
    assert {f for f in FLAGS if told[f]} == {"enableReading"}
    bound = desk.binance("GET", INSPECT, desk.key("binance")).json
    assert bound["enableSpotAndMarginTrading"] is True


def test_the_other_account_calls() -> None:
    """Public calls need no key; account calls tell the samples of the sheet."""
    desk = Desk()
    app, key = desk.apps["binance"], desk.key("binance")
    assert ask(app, "GET", "/api/v3/ping").json == {}
    assert ask(app, "GET", "/api/v3/time").json == {"serverTime": desk.time.ms()}
    assert ask(app, "GET", "/sapi/v1/system/status").json == {"status": 0, "msg": "normal"}
    assert ask(app, "GET", "/api/v3/exchangeInfo").json["symbols"][0]["symbol"] == "BTCUSDT"
    assert ask(app, "GET", "/fapi/v1/exchangeInfo").json["symbols"] == []
    assert desk.binance("GET", "/sapi/v1/account/status", key).json == {"data": "Normal"}
    assert desk.binance("GET", "/sapi/v1/account/info", key).json["vipLevel"] == 0
    locked = desk.binance("GET", "/sapi/v1/account/apiTradingStatus", key).json["data"]["isLocked"]
    assert locked is False
    assert desk.binance("GET", "/sapi/v1/capital/config/getall", key).json == []


def test_sub_keys_are_created_listed_and_deleted() -> None:
    """A master makes a sub key, reads it in `rows` with a small k, and deletes it."""
    desk = Desk()
    parent = desk.parent("binance")
    made = desk.binance(
        "POST", SUB_KEYS, parent, {**NEW, "status": "2", "ipAddress": "127.0.0.1"}, in_body=True
    ).json
    assert (made["status"], made["ipList"], made["canTrade"]) == (2, ["127.0.0.1"], True)
    key = {"api_key": made["apiKey"], "api_secret": made["secretKey"]}
    assert desk.binance("GET", INSPECT, key).json["enableSpotAndMarginTrading"] is True
    listed = desk.binance("GET", SUB_KEYS, parent, {"email": EMAIL})
    assert (listed.json["total"], listed.json["rows"][-1]["apikey"]) == (4, made["apiKey"])
    assert made["secretKey"].encode() not in listed.body
    which = {"email": EMAIL, "subAccountApiKey": made["apiKey"]}
    assert desk.binance("DELETE", SUB_KEYS, parent, which).json == {}
    assert refusal(desk, key) == (401, -2015)
    assert desk.binance("DELETE", SUB_KEYS, parent, which).json["code"] == -1099


def test_pages_of_sub_keys() -> None:
    """Pages hold `size` rows while `total` counts all, and a filter finds one."""
    desk = Desk()
    parent = desk.parent("binance")
    page = desk.binance("GET", SUB_KEYS, parent, {"email": EMAIL, "size": 2, "page": 2}).json
    assert (page["total"], len(page["rows"])) == (3, 1)
    wanted = desk.key("binance", 1)["api_key"]
    one = desk.binance("GET", SUB_KEYS, parent, {"email": EMAIL, "subAccountApiKey": wanted}).json
    assert [r["apikey"] for r in one["rows"]] == [wanted]
    for wrong in ({"size": 101}, {"page": 0}, {"size": "x"}):
        answer = desk.binance("GET", SUB_KEYS, parent, {"email": EMAIL, **wrong})
        assert answer.json["code"] == -1102


def test_an_account_has_thirty_slots() -> None:
    """The thirty-first key of an account is refused."""
    desk = Desk()
    parent = desk.parent("binance")
    codes = [desk.binance("POST", SUB_KEYS, parent, NEW).json.get("code") for _ in range(28)]
    assert codes == [None] * 27 + [-9000]


def test_forms_of_public_keys() -> None:
    """A public key may come as PEM or as the base64 of its DER form; other kinds are no key."""
    ours, _ = PAIRS("RSA")
    assert read_public_key(ours.pem) == ours
    assert read_public_key("".join(ours.pem.splitlines()[1:-1])) == ours
    curve = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = curve.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert read_public_key(pem) is None
    with pytest.raises(TypeError, match="RSA and Ed25519"):
        signed_by(PublicKey("RSA", pem), b"", "")


def test_a_public_key_may_be_brought() -> None:
    """With a public key no secret comes back; v2 wants it in the body and takes RSA too."""
    desk = Desk()
    parent = desk.parent("binance")
    ours, _ = PAIRS("ED25519")
    rsa_key, _ = PAIRS("RSA")
    v2 = SUB_KEYS.replace("v1", "v2")
    made = desk.binance("POST", SUB_KEYS, parent, {**NEW, "publicKey": ours.pem}, in_body=True)
    assert made.json["secretKey"] is None
    fix = {**NEW, "publicKey": ours.pem, "canFixApiTrading": "true"}
    assert desk.binance("POST", v2, parent, fix, in_body=True).status == 200
    assert desk.binance("POST", v2, parent, fix).json["code"] == -1102
    both = {**NEW, "publicKey": rsa_key.pem}
    assert desk.binance("POST", v2, parent, both, in_body=True).status == 200
    assert desk.binance("POST", SUB_KEYS, parent, both, in_body=True).json["code"] == -1102
    bare = {**NEW, "canFixApiTrading": "true"}
    assert desk.binance("POST", v2, parent, bare, in_body=True).json["code"] == -9000


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"email": "stranger@sandbox.test"}, -5021),
        ({"email": ""}, -1102),
        ({"apiName": ""}, -1102),
        ({"status": "9"}, -1102),
        ({"status": "2"}, -1102),
        ({"status": "3"}, -1102),
        ({"status": "2", "ipAddress": "somewhere"}, -1102),
        ({"status": "2", "ipAddress": ",".join(["127.0.0.1"] * 31)}, -1102),
        ({"canTrade": "perhaps"}, -1102),
        ({"publicKey": "rubbish"}, -1102),
    ],
)
def test_creates_that_are_refused(wrong: dict[str, str], code: int) -> None:
    """A create call with a wrong parameter makes nothing."""
    desk = Desk()
    answer = desk.binance("POST", SUB_KEYS, desk.parent("binance"), {**NEW, **wrong}, in_body=True)
    assert answer.json["code"] == code
    assert desk.ledger("binance").creates == 0


def test_who_may_manage_sub_keys() -> None:
    """Sub-accounts may not list or create, and a master's key needs the trading permission."""
    desk = Desk()
    reader = desk.new_key("binance", account="main@sandbox.test")
    assert desk.binance("GET", SUB_KEYS, desk.key("binance"), NEW).json["code"] == -4006
    assert desk.binance("POST", SUB_KEYS, reader, NEW).json["code"] == -2015
    subs = desk.binance("GET", "/sapi/v1/sub-account/list", reader, {"limit": 10}).json
    assert [s["email"] for s in subs["subAccounts"]] == ["desk0@sandbox.test", EMAIL]


def test_addresses_and_permissions_change() -> None:
    """Restrictions are told as text, single addresses can be taken off, flags are set as named."""
    desk = Desk()
    parent = desk.parent("binance")
    which = {"email": EMAIL, "subAccountApiKey": desk.key("binance", 1)["api_key"]}
    v2 = SUB_KEYS.replace("v1", "v2") + "/ipRestriction"
    two = {**which, "status": "2", "ipAddress": "127.0.0.1,192.0.2.1"}
    assert desk.binance("POST", v2, parent, two).json["status"] == "2"
    path = SUB_KEYS + "/ipRestriction"
    assert desk.binance("GET", path, parent, which).json["ipRestrict"] == "true"
    gone = {**which, "ipAddress": "127.0.0.1,192.0.2.1"}
    left = desk.binance("DELETE", path + "/ipList", parent, gone).json
    assert (left["ipRestrict"], left["ipList"]) == ("false", [])
    assert desk.binance("POST", v2, parent, {**which, "status": "7"}).json["code"] == -1102
    flags = {**which, "canFuturesTrade": "true"}
    told = desk.binance("POST", SUB_KEYS + "Permission", parent, flags).json
    assert (told["canTrade"], told["canFuturesTrade"]) == (False, True)


def test_too_much_weight_is_throttled_and_then_banned() -> None:
    """Beyond the weight of a minute comes 429, going on brings 418, and both say how long."""
    desk = Desk(limits=True)
    key = desk.key("binance")
    answers = [desk.binance("GET", "/api/v3/account", key) for _ in range(300 + 21)]
    assert [a.status for a in answers] == [200] * 300 + [429] * 20 + [418]
    assert answers[299].headers["x-mbx-used-weight-1m"] == "6000"
    assert answers[300].headers["retry-after"] == "60"
    assert answers[-1].headers["retry-after"] == "120"
    assert str(desk.time.ms() + 120_000) in answers[-1].json["msg"]
    desk.time.pass_(seconds=90)
    again = desk.binance("GET", INSPECT, key)
    assert (again.status, again.headers["retry-after"]) == (418, "30")
    desk.control("POST", "/clock", {"advance": "30s"})
    assert desk.binance("GET", INSPECT, key).status == 200


def test_public_calls_weigh_too() -> None:
    """Public calls count against the weight of an address, each family on its own."""
    app = Desk(limits=True).apps["binance"]
    statuses = [ask(app, "GET", "/api/v3/exchangeInfo").status for _ in range(301)]
    assert statuses == [200] * 300 + [429]
    assert ask(app, "GET", "/sapi/v1/system/status").status == 200


def test_sub_key_calls_are_sixty_a_minute() -> None:
    """Sub-account key calls weigh 3000 of 180000 per account and minute."""
    desk = Desk(limits=True)
    parent = desk.parent("binance")
    answers = [desk.binance("GET", SUB_KEYS, parent, {"email": EMAIL}) for _ in range(61)]
    assert [a.status for a in answers] == [200] * 60 + [429]
    assert answers[0].headers["x-sapi-used-uid-weight-1m"] == "3000"
    assert desk.binance("GET", INSPECT, parent).headers["x-sapi-used-ip-weight-1m"] == "1"
