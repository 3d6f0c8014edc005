"""Bybit's costume, against its sheet."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.sandbox.desk import Desk, KeyObject, ask, hmac_hex

INSPECT_FIELDS = {
    "id",
    "note",
    "apiKey",
    "readOnly",
    "secret",
    "permissions",
    "ips",
    "type",
    "deadlineDay",
    "expiredAt",
    "createdAt",
    "unified",
    "uta",
    "userID",
    "inviterID",
    "vipLevel",
    "mktMakerLevel",
    "affiliateID",
    "rsaPublicKey",
    "isMaster",
    "parentUid",
    "kycLevel",
    "kycRegion",
    "userIDInt64",
    "inviterIDInt64",
    "affiliateIDInt64",
}
LIST_FIELDS = {
    "id",
    "apiKey",
    "note",
    "ips",
    "status",
    "expiredAt",
    "createdAt",
    "type",
    "permissions",
    "secret",
    "readOnly",
    "deadlineDay",
    "flag",
}
SUB = 10000002
OTHER_SUB = 10000003
NEW = {"subuid": SUB, "note": "fresh", "readOnly": 0, "permissions": {"Spot": ["SpotTrade"]}}


def test_a_key_reads_itself() -> None:
    """query-api tells the fields of the sheet, with the addresses and no secret."""
    desk = Desk()
    key = desk.key("bybit")
    told = desk.bybit_result("GET", "query-api", key)
    assert set(told) == INSPECT_FIELDS
    assert (told["apiKey"], told["secret"], told["readOnly"]) == (key["api_key"], "", 0)
    assert (told["ips"], told["expiredAt"]) == (["127.0.0.1"], "1970-01-01T00:00:00Z")
    assert (told["userID"], told["parentUid"], told["isMaster"]) == (SUB, "10000001", False)


def test_a_parent_reads_itself() -> None:
    """A master's key has parent "0"."""
    desk = Desk()
    told = desk.bybit_result("GET", "query-api", desk.parent("bybit"))
    assert (told["parentUid"], told["isMaster"]) == ("0", True)


def test_a_key_without_addresses_shows_its_end() -> None:
    """Without an address list `ips` is ["*"] and the key ends 90 days after its creation."""
    desk = Desk()
    told = desk.bybit_result("GET", "query-api", desk.key("bybit", 1))
    assert told["ips"] == ["*"]
    assert (told["createdAt"], told["expiredAt"]) == (
        "2026-09-05T12:00:00Z",
        "2026-12-04T12:00:00Z",
    )
    assert told["deadlineDay"] == 10


def test_a_read_only_key_still_shows_permissions() -> None:
    """A read-only key's permissions are shown although `readOnly` takes them away."""
    desk = Desk()
    told = desk.bybit_result("GET", "query-api", desk.key("bybit", 2))
    assert told["readOnly"] == 1
    assert told["permissions"]["Spot"] == ["SpotTrade"]


def test_rsa_keys_sign_in() -> None:
    """An RSA key signs with base64 and shows its public key."""
    desk = Desk()
    key = desk.key("bybit", 3)
    private = load_pem_private_key(key["private_key"].encode(), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    payload = f"{desk.time.ms()}{key['api_key']}5000".encode()
    sign = base64.b64encode(private.sign(payload, padding.PKCS1v15(), SHA256())).decode()
    told = desk.bybit_result("GET", "query-api", key, headers={"x-bapi-sign": sign})
    assert told["rsaPublicKey"].startswith("-----BEGIN PUBLIC KEY-----")
    assert desk.bybit_code("GET", "query-api", key) == 10004


@pytest.mark.parametrize(
    ("off_ms", "window", "code"),
    [
        (0, "5000", 0),
        (-5000, "5000", 0),
        (-5001, "5000", 10002),
        (-5001, "10000", 0),
        (999, "5000", 0),
        (1000, "5000", 10002),
    ],
)
def test_the_window_is_the_sheets(off_ms: int, window: str, code: int) -> None:
    """A timestamp passes from the receive window ago to just under a second ahead."""
    desk = Desk()
    stamp = desk.time.ms() + off_ms
    assert (
        desk.bybit_code("GET", "query-api", desk.key("bybit"), stamp=stamp, window=window) == code
    )


def test_a_missing_window_is_the_default() -> None:
    """Without a receive-window header five seconds hold, and nothing is signed for it."""
    desk = Desk()
    for age, code in ((5000, 0), (5001, 10002)):
        stamp = desk.time.ms() - age
        assert (
            desk.bybit_code("GET", "query-api", desk.key("bybit"), stamp=stamp, window="") == code
        )


@pytest.mark.parametrize("window", ["soon", "-1", "9" * 30])
def test_windows_that_are_no_number(window: str) -> None:
    """A receive window that is no plain number is a bad parameter."""
    desk = Desk()
    assert desk.bybit_code("GET", "query-api", desk.key("bybit"), window=window) == 10001


def test_a_wrong_secret() -> None:
    """A signature by another secret is refused as such, in upper case too."""
    desk = Desk()
    key = desk.key("bybit")
    assert desk.bybit_code("GET", "query-api", {**key, "api_secret": "another"}) == 10004
    shout = {"x-bapi-sign": "AB" * 32}
    assert desk.bybit_code("GET", "query-api", key, headers=shout) == 10004


def test_the_raw_body_is_signed() -> None:
    """The signature covers the body byte by byte."""
    desk = Desk()
    parent = desk.parent("bybit")
    good = desk.bybit("POST", "create-sub-api", parent, NEW)
    assert good.json["retCode"] == 0
    app = desk.apps["bybit"]
    headers = {
        "x-bapi-api-key": parent["api_key"],
        "x-bapi-timestamp": str(desk.time.ms()),
        "x-bapi-sign": "0" * 64,
    }
    answer = ask(app, "POST", "/v5/user/create-sub-api", body=b"{}", headers=headers)
    assert answer.json["retCode"] == 10004


def test_an_unknown_key() -> None:
    """A key that nobody knows, was deleted, or is of another environment is invalid."""
    desk = Desk()
    key = desk.key("bybit")
    assert desk.bybit_code("GET", "query-api", {**key, "api_key": "nobody"}) == 10003
    elsewhere = desk.new_key("bybit", account=str(SUB), environment="testnet")
    assert desk.bybit_code("GET", "query-api", elsewhere) == 10003
    gone = desk.bybit("POST", "delete-sub-api", desk.parent("bybit"), {"apikey": key["api_key"]})
    assert gone.json["result"] == {}
    assert desk.bybit_code("GET", "query-api", key) == 10003


def test_a_foreign_address() -> None:
    """The socket's address counts, and no header can claim another."""
    desk = Desk()
    claim = {"x-forwarded-for": "127.0.0.1", "x-real-ip": "127.0.0.1"}
    call = ("GET", "query-api", desk.key("bybit"))
    assert desk.bybit_code(*call, client="198.51.100.7", headers=claim) == 10010


def test_an_expired_key() -> None:
    """A key without addresses answers expired after 90 days of the calendar."""
    desk = Desk()
    key = desk.new_key("bybit", account=str(SUB))
    desk.control("POST", "/clock", {"advance": "90d"})
    assert desk.bybit_code("GET", "query-api", key) == 33004
    listed = desk.bybit_result("GET", "sub-apikeys", desk.parent("bybit"), {"subMemberId": SUB})
    assert [k["status"] for k in listed["result"]] == [1, 2]


def test_doors() -> None:
    """A GET with a body, another method, a strange path and missing headers stop at the door."""
    app = Desk().apps["bybit"]
    assert ask(app, "GET", "/v5/market/time", body=b"{}").status == 403
    assert ask(app, "PUT", "/v5/market/time").status == 400
    assert ask(app, "GET", "/v5/nowhere").status == 404
    assert ask(app, "GET", "/v5/user/query-api").status == 401


def test_the_public_calls() -> None:
    """Time, status and markets need no key; the time is text in seconds and nanoseconds."""
    desk = Desk()
    app = desk.apps["bybit"]
    told = ask(app, "GET", "/v5/market/time").json
    seconds = desk.time.ms() // 1000
    assert told["result"] == {
        "timeSecond": str(seconds),
        "timeNano": str(seconds * 1_000_000_000),
    }
    assert (told["time"], told["retMsg"]) == (desk.time.ms(), "OK")
    assert ask(app, "GET", "/v5/system/status").json["result"] == {"list": []}
    query = b"category=spot"
    markets = ask(app, "GET", "/v5/market/instruments-info", query=query).json["result"]
    assert [m["symbol"] for m in markets["list"]] == ["BTCUSDT"]


def test_the_list_has_its_quirks() -> None:
    """In the list the secret is masked, `readOnly` is a boolean and the fields are the sheet's."""
    desk = Desk()
    query = {"subMemberId": OTHER_SUB}
    listed = desk.bybit_result("GET", "sub-apikeys", desk.parent("bybit"), query)["result"]
    assert all(set(k) == LIST_FIELDS for k in listed)
    assert [k["readOnly"] for k in listed] == [False, True, False]
    assert {k["secret"] for k in listed} == {"******"}
    assert (listed[0]["ips"], listed[0]["status"]) == (["*"], 3)


def test_a_key_that_ends_soon() -> None:
    """In its last week a key's status is 4."""
    desk = Desk()
    desk.control("POST", "/clock", {"advance": "4d"})
    query = {"subMemberId": OTHER_SUB}
    listed = desk.bybit_result("GET", "sub-apikeys", desk.parent("bybit"), query)["result"]
    assert listed[0]["status"] == 4


def test_pages_of_keys() -> None:
    """Pages cover every key once, and an empty cursor ends them."""
    desk = Desk()
    made = [desk.new_key("bybit", account="55", label=str(n))["api_key"] for n in range(45)]
    seen: list[str] = []
    cursor = ""
    while True:
        query = {"subMemberId": 55, "limit": 20, "cursor": cursor}
        page = desk.bybit_result("GET", "sub-apikeys", desk.parent("bybit"), query)
        seen += [k["apiKey"] for k in page["result"]]
        cursor = page["nextPageCursor"]
        if not cursor:
            break
    assert seen == made


def test_pages_of_sub_accounts() -> None:
    """The call submembers pages through all sub-accounts, youngest first, until "0"."""
    desk = Desk()
    for n in range(5):
        desk.new_key("bybit", account=str(600 + n))
    parent, seen, cursor = desk.parent("bybit"), [], ""
    while cursor != "0":
        page = desk.bybit_result("GET", "submembers", parent, {"pageSize": 3, "nextCursor": cursor})
        seen += [m["uid"] for m in page["subMembers"]]
        cursor = page["nextCursor"]
    assert seen == ["604", "603", "602", "601", "600", "10000003", "10000002"]
    assert desk.bybit_result("GET", "query-sub-members", parent)["subMembers"][0]["uid"] == "604"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, 10001),
        ({"subMemberId": "x"}, 10001),
        ({"subMemberId": 777}, 500010),
        ({"subMemberId": SUB, "limit": 0}, 10001),
        ({"subMemberId": SUB, "limit": 21}, 10001),
        ({"subMemberId": SUB, "cursor": "x"}, 10001),
    ],
)
def test_lists_that_are_refused(query: dict[str, object], code: int) -> None:
    """A list call with a wrong parameter or a strange sub-account is refused."""
    desk = Desk()
    assert desk.bybit_code("GET", "sub-apikeys", desk.parent("bybit"), query) == code


def test_only_masters_list() -> None:
    """A sub-account's key may not list."""
    desk = Desk()
    for path in ("sub-apikeys", "submembers", "query-sub-members"):
        assert desk.bybit_code("GET", path, desk.key("bybit"), {"subMemberId": SUB}) == 10005


def test_create_shows_the_secret_once() -> None:
    """A created key signs in with the secret of the answer, which no later answer repeats."""
    desk = Desk()
    made = desk.bybit_result(
        "POST", "create-sub-api", desk.parent("bybit"), {**NEW, "ips": "127.0.0.1,192.0.2.1"}
    )
    assert "ips" not in made
    key = {"api_key": made["apiKey"], "api_secret": made["secret"]}
    answer = desk.bybit("GET", "query-api", key)
    assert answer.json["result"]["ips"] == ["127.0.0.1", "192.0.2.1"]
    assert answer.json["result"]["note"] == "fresh"
    assert made["secret"].encode() not in answer.body
    listed = desk.bybit("GET", "sub-apikeys", desk.parent("bybit"), {"subMemberId": SUB})
    assert made["secret"].encode() not in listed.body


@pytest.mark.parametrize(
    "wrong",
    [
        {"subuid": None},
        {"subuid": True},
        {"readOnly": None},
        {"readOnly": True},
        {"readOnly": 2},
        {"note": 5},
        {"permissions": None},
        {"permissions": []},
        {"permissions": {"Spot": "SpotTrade"}},
        {"permissions": {"Wallet": ["Withdraw"]}},
        {"permissions": {"Nothing": []}},
        {"ips": "somewhere"},
        {"ips": ["127.0.0.1"]},
    ],
)
def test_creates_that_are_refused(wrong: dict[str, object]) -> None:
    """A create call with a wrong parameter makes nothing."""
    desk = Desk()
    assert (
        desk.bybit_code("POST", "create-sub-api", desk.parent("bybit"), {**NEW, **wrong}) == 10001
    )
    assert desk.ledger("bybit").creates == 0


def test_who_may_create() -> None:
    """Creating needs a master's read-write key with a transfer or withdraw permission."""
    desk = Desk()
    weak = desk.new_key("bybit", account="10000001", scopes=["read", "trade:spot"])
    reader = desk.new_key("bybit", account="10000001")
    for key in (weak, reader, desk.key("bybit")):
        assert desk.bybit_code("POST", "create-sub-api", key, NEW) == 10005
    stranger = {**NEW, "subuid": 4711}
    assert desk.bybit_code("POST", "create-sub-api", desk.parent("bybit"), stranger) == 500010


def test_an_account_has_twenty_slots() -> None:
    """The twenty-first key of an account is refused, and a deletion makes room for one."""
    desk = Desk()
    parent = desk.parent("bybit")
    made = [desk.bybit_result("POST", "create-sub-api", parent, NEW) for _ in range(19)]
    assert desk.bybit_code("POST", "create-sub-api", parent, NEW) == 10001
    desk.bybit_result("POST", "delete-sub-api", parent, {"apikey": made[0]["apiKey"]})
    assert desk.bybit_code("POST", "create-sub-api", parent, NEW) == 0


def test_update_sub_api_unbinds_what_it_is_not_told() -> None:
    """Without `ips` and `readOnly` a changed key is unbound and read-write, and dies in 90 days."""
    desk = Desk()
    key = desk.new_key("bybit", account=str(SUB), addresses=["127.0.0.1"])
    changed = desk.bybit_result(
        "POST", "update-sub-api", desk.parent("bybit"), {"apikey": key["api_key"]}
    )
    assert (changed["ips"], changed["readOnly"], changed["secret"]) == (["*"], 0, "")
    told = desk.bybit_result("GET", "query-api", key)
    assert told["expiredAt"] == "2027-02-22T12:00:00Z"


def _addressing(key: KeyObject) -> dict[str, object]:
    return {"apikey": key["api_key"]}


def test_who_is_addressed() -> None:
    """A master must name the sub-account's key, the key itself must not, and others may not."""
    desk = Desk()
    parent, key = desk.parent("bybit"), desk.key("bybit")
    mover = desk.new_key("bybit", account=str(SUB), scopes=["read", "transfer"])
    stranger = desk.new_key("bybit", account="900", parent="800", scopes=["read"])
    for path in ("update-sub-api", "delete-sub-api"):
        assert desk.bybit_code("POST", path, parent) == 10001
        assert desk.bybit_code("POST", path, parent, {"apikey": "nobody"}) == 10001
        assert desk.bybit_code("POST", path, parent, _addressing(stranger)) == 500010
        assert desk.bybit_code("POST", path, mover, _addressing(mover)) == 10001
        assert desk.bybit_code("POST", path, key) == 10005
    assert desk.bybit_code("POST", "delete-sub-api", mover) == 0
    assert desk.bybit_code("GET", "query-api", mover) == 10003


def test_a_master_key_only_shrinks() -> None:
    """update-api takes powers away, and sends addresses and new powers to the web page."""
    desk = Desk()
    parent = desk.parent("bybit")
    wider = {"permissions": {"Wallet": ["Withdraw"]}}
    assert desk.bybit_code("POST", "update-api", parent, {"ips": "*"}) == 141019
    assert desk.bybit_code("POST", "update-api", parent, wider) == 141020
    assert desk.bybit_code("POST", "update-api", desk.key("bybit")) == 10005
    narrower = {"permissions": {"Wallet": ["AccountTransfer"]}}
    shrunk = desk.bybit_result("POST", "update-api", parent, narrower)
    assert shrunk["permissions"]["Wallet"] == ["AccountTransfer"]
    assert shrunk["ips"] == ["127.0.0.1"]


def test_fiat_powers_are_for_the_web_page() -> None:
    """A read-write master key cannot lose a fiat permission by API."""
    desk = Desk()
    parent = desk.parent("bybit")
    ledger = desk.ledger("bybit")
    held = ledger.key(parent["api_key"])
    assert held is not None
    ledger.change(held, native=held.native | {"FiatP2P.Advertising"})
    assert desk.bybit_code("POST", "update-api", parent, {"permissions": {}}) == 141020


@pytest.mark.parametrize("body", [b"{", b"[]", b"5", b"\xff"])
def test_bodies_that_are_no_object(body: bytes) -> None:
    """A signed body that is no JSON object is a bad parameter."""
    desk = Desk()
    parent = desk.parent("bybit")
    stamp = str(desk.time.ms())
    headers = {
        "x-bapi-api-key": parent["api_key"],
        "x-bapi-timestamp": stamp,
        "x-bapi-sign": hmac_hex(parent, f"{stamp}{parent['api_key']}".encode() + body),
    }
    app = desk.apps["bybit"]
    answer = ask(app, "POST", "/v5/user/delete-sub-api", body=body, headers=headers)
    assert answer.json["retCode"] == 10001


def test_a_master_key_deletes_itself() -> None:
    """delete-api ends the calling master key at once, and no sub-account's key."""
    desk = Desk()
    parent = desk.parent("bybit")
    assert desk.bybit_code("POST", "delete-api", desk.key("bybit")) == 10005
    assert desk.bybit_code("POST", "delete-api", parent) == 0
    assert desk.bybit_code("GET", "query-api", parent) == 10003


def test_a_limit_per_account() -> None:
    """The eleventh look within a second is refused and told when the next may come."""
    desk = Desk(limits=True)
    key = desk.key("bybit")
    answers = [desk.bybit("GET", "query-api", key) for _ in range(11)]
    assert [a.json["retCode"] for a in answers] == [0] * 10 + [10006]
    assert [a.headers["x-bapi-limit-status"] for a in answers][-2:] == ["0", "0"]
    assert answers[-1].headers["x-bapi-limit-reset-timestamp"] == str(desk.time.ms() + 1000)
    assert desk.bybit_code("GET", "query-api", desk.key("bybit", 1)) == 0
    desk.time.pass_(seconds=1)
    assert desk.bybit_code("GET", "query-api", key) == 0


def test_creates_are_one_a_second() -> None:
    """A second create within a second makes nothing."""
    desk = Desk(limits=True)
    parent = desk.parent("bybit")
    codes = [desk.bybit_code("POST", "create-sub-api", parent, NEW) for _ in range(2)]
    assert codes == [0, 10006]
    assert desk.ledger("bybit").creates == 1


def test_a_limit_per_address_bans() -> None:
    """The 601st call within five seconds bans the address for ten minutes of the calendar."""
    desk = Desk(limits=True)
    app = desk.apps["bybit"]
    statuses = [ask(app, "GET", "/v5/market/time").status for _ in range(601)]
    assert statuses == [200] * 600 + [403]
    desk.time.pass_(seconds=30)
    banned = ask(app, "GET", "/v5/market/time")
    assert (banned.status, banned.body) == (403, b"access too frequent")
    assert ask(app, "GET", "/v5/market/time", client="192.0.2.9").status == 200
    desk.control("POST", "/clock", {"advance": "10m"})
    assert ask(app, "GET", "/v5/market/time").status == 200
