"""The control port: its forms, and one clear error for bad input."""

from __future__ import annotations

from typing import Any

import pytest

from rotator.sandbox.control import control
from rotator.sandbox.world import new_world
from tests.sandbox.desk import Desk, Time, ask


def test_the_ledger_tells_everything_but_secrets() -> None:
    """GET /ledger shows accounts and keys of every exchange, and no secret."""
    desk = Desk()
    answer = desk.control("GET", "/ledger")
    told = answer.json
    assert told["now"] == "2026-11-24T12:00:00Z"
    bybit = told["exchanges"]["bybit"]
    assert bybit["accounts"][0] == {"id": "10000001", "kind": "master", "parent_id": None}
    assert bybit["keys"][1] == {
        "id": desk.key("bybit")["api_key"],
        "label": "desk0",
        "account_id": "10000002",
        "scopes": ["read", "trade:derivatives", "trade:spot"],
        "addresses": ["127.0.0.1"],
        "alive": True,
        "created_at": "2026-10-10T12:00:00Z",
        "created_by": "seed",
        "creator": None,
    }
    for name in ("bybit", "binance"):
        for key in [desk.parent(name), *desk.seeds[name]["keys"]]:
            secret = str(key.get("api_secret") or key["private_key"].split()[4])
            assert secret not in answer.body.decode()


def test_the_seeds_are_those_of_the_contract() -> None:
    """Each exchange has a parent and keys of two sub-accounts; Binance's first is old and wide."""
    desk = Desk()
    for name in ("bybit", "binance"):
        keys = desk.seeds[name]["keys"]
        assert len(desk.seeds[name]["parents"]) == 1
        assert len({k["account_id"] for k in keys}) == 2
        assert keys[0]["api_secret"]
    first = desk.key("binance")
    assert first["created_at"] == "2025-10-20T12:00:00Z"
    assert "withdraw" in first["scopes"]
    assert first["addresses"] == ["127.0.0.1"]


def test_creates_are_counted_and_signed() -> None:
    """A key made by the API is counted and names its creator, one by the control port is not."""
    desk = Desk()
    desk.new_key("bybit", account="10000002")
    parent = desk.parent("bybit")
    body = {"subuid": 10000002, "readOnly": 1, "permissions": {}}
    made = desk.bybit_result("POST", "create-sub-api", parent, body)
    desk.bybit_result("POST", "delete-sub-api", parent, {"apikey": made["apiKey"]})
    books = desk.control("GET", "/ledger").json["exchanges"]["bybit"]
    assert (books["creates"], books["deletes"]) == (1, 1)
    assert [k["created_by"] for k in books["keys"]][-2:] == ["control", "api"]
    assert books["keys"][-1]["creator"] == parent["api_key"]
    assert books["keys"][-1]["alive"] is False


@pytest.mark.parametrize(
    ("exchange", "scopes"),
    [
        ("bybit", ["read"]),
        ("bybit", ["read", "trade:derivatives", "trade:spot", "transfer", "withdraw"]),
        ("bybit", ["earn", "other", "read"]),
        ("binance", ["read"]),
        ("binance", ["read", "trade:margin", "trade:spot"]),
        ("binance", ["read", "trade:spot"]),
        ("binance", ["read", "trade:derivatives", "transfer", "withdraw"]),
    ],
)
def test_keys_have_the_scopes_wished_for(exchange: str, scopes: list[str]) -> None:
    """A key made by the control port has exactly the scopes asked for."""
    desk = Desk()
    assert desk.new_key(exchange, account="4711", scopes=scopes)["scopes"] == scopes


def test_null_is_none() -> None:
    """Null label, addresses and time are none and now; null scopes are a key that only reads."""
    desk = Desk()
    key = desk.new_key(
        "bybit", account="4711", label=None, scopes=None, addresses=None, created_at=None
    )
    assert (key["label"], key["addresses"], key["scopes"]) == (None, None, ["read"])
    assert key["created_at"] == "2026-11-24T12:00:00Z"
    assert desk.bybit_result("GET", "query-api", key)["note"] == ""


def test_accounts_open_on_demand() -> None:
    """An unknown account becomes a sub-account of the first master, or of the parent named."""
    desk = Desk()
    desk.new_key("bybit", account="4711")
    desk.new_key("bybit", account="4712", parent="4700")
    desk.new_key("bybit")
    keys = {
        k["account_id"] for k in desk.control("GET", "/ledger").json["exchanges"]["bybit"]["keys"]
    }
    assert {"4711", "4712", "10000001"} <= keys
    ledger = desk.ledger("bybit")
    assert ledger.owns("10000001", "4711")
    assert ledger.owns("4700", "4712")


def test_a_world_without_accounts() -> None:
    """Without seeds the first account named is a master, and one must be named."""
    world = new_world(Time())
    app = control(world)
    assert ask(app, "POST", "/keys", body=b'{"exchange": "bybit"}').status == 400
    wish = b'{"exchange": "bybit", "account": "5"}'
    assert ask(app, "POST", "/keys", body=wish).status == 200
    assert world.exchanges["bybit"].ledger.account("5") is not None
    first = world.exchanges["bybit"].ledger.first_master()
    assert first is not None
    assert first.id == "5"


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_key_pairs_on_demand(kind: str) -> None:
    """A key of another type comes with its private key."""
    key = Desk().new_key("binance", account="a@sandbox.test", type=kind)
    assert "api_secret" not in key
    assert key["private_key"].startswith("-----BEGIN PRIVATE KEY-----")


def test_an_old_key_is_old() -> None:
    """A key may be older than now, and dies by its age."""
    desk = Desk()
    key = desk.new_key("bybit", account="4711", created_at="2026-01-01T00:00:00+01:00")
    assert key["created_at"] == "2025-12-31T23:00:00Z"
    assert desk.bybit_code("GET", "query-api", key) == 33004


def test_kill_ends_a_key_once() -> None:
    """A killed key is dead and unlisted, and killing it again changes nothing."""
    desk = Desk()
    key = desk.key("bybit")
    body = {"exchange": "bybit", "key_id": key["api_key"]}
    for _ in range(2):
        assert desk.control("POST", "/kill", body).json["alive"] is False
    assert desk.bybit_code("GET", "query-api", key) == 10003
    books = desk.control("GET", "/ledger").json["exchanges"]["bybit"]
    assert [k["alive"] for k in books["keys"] if k["id"] == key["api_key"]] == [False]
    assert books["deletes"] == 0


def test_the_clock_moves_ages_but_not_signatures() -> None:
    """After a jump of the calendar a signature of real time still holds."""
    desk = Desk()
    assert desk.control("POST", "/clock", {"advance": "3d"}).json == {"now": "2026-11-27T12:00:00Z"}
    assert desk.bybit_result("GET", "query-api", desk.key("bybit", 1))["deadlineDay"] == 7


def test_faults_are_shown_and_cleared() -> None:
    """POST /faults shows what is ordered, DELETE /faults takes all of it back."""
    desk = Desk()
    body = {"exchange": "binance", "operation": "any", "fault": "html", "times": None}
    assert desk.control("POST", "/faults", body).json == {"faults": [body]}
    once = {"exchange": "bybit", "operation": "list", "fault": "banned"}
    assert desk.control("POST", "/faults", once).json["faults"][1]["times"] == 1
    assert desk.control("DELETE", "/faults").json == {"faults": []}


BAD: list[tuple[str, Any, str]] = [
    ("/keys", [], "JSON object"),
    ("/keys", {}, "exchange"),
    ("/keys", {"exchange": "nowhere"}, "exchange"),
    ("/keys", {"exchange": "bybit", "colour": "red"}, "colour"),
    ("/keys", {"exchange": "bybit", "account": "desk"}, "account"),
    ("/keys", {"exchange": "bybit", "account": "0"}, "account"),
    ("/keys", {"exchange": "binance", "account": "\n"}, "account"),
    ("/keys", {"exchange": "bybit", "account": 7}, "account"),
    ("/keys", {"exchange": "bybit", "account": "5", "parent": "10000002"}, "parent"),
    ("/keys", {"exchange": "bybit", "label": "x" * 257}, "label"),
    ("/keys", {"exchange": "bybit", "scopes": "read"}, "scopes"),
    ("/keys", {"exchange": "bybit", "scopes": ["fly"]}, "scopes"),
    ("/keys", {"exchange": "bybit", "scopes": ["manage"]}, "manage"),
    ("/keys", {"exchange": "binance", "scopes": ["earn"]}, "earn"),
    ("/keys", {"exchange": "bybit", "addresses": "127.0.0.1"}, "addresses"),
    ("/keys", {"exchange": "bybit", "addresses": [1]}, "addresses"),
    ("/keys", {"exchange": "bybit", "created_at": "yesterday"}, "created_at"),
    ("/keys", {"exchange": "bybit", "created_at": "2026-01-01T00:00:00"}, "created_at"),
    ("/keys", {"exchange": "bybit", "created_at": "2027-01-01T00:00:00Z"}, "future"),
    ("/keys", {"exchange": "bybit", "created_at": "0001-01-01T00:00:00+14:00"}, "created_at"),
    ("/keys", {"exchange": "bybit", "type": "dsa"}, "type"),
    ("/kill", {"exchange": "bybit", "key_id": "nobody"}, "key_id"),
    ("/kill", {"exchange": "bybit"}, "key_id"),
    ("/clock", {"advance": "soon"}, "advance"),
    ("/clock", {"advance": "-3d"}, "advance"),
    ("/clock", {"advance": "999999999w"}, "calendar"),
    ("/clock", {"advance": 3}, "advance"),
    ("/faults", {"exchange": "bybit", "operation": "fly", "fault": "html"}, "operation"),
    ("/faults", {"exchange": "bybit", "operation": "any", "fault": "rain"}, "fault"),
    ("/faults", {"exchange": "bybit", "operation": "any", "fault": "html", "times": 0}, "times"),
    ("/faults", {"exchange": "bybit", "operation": "any", "fault": "html", "times": True}, "times"),
]


@pytest.mark.parametrize(("path", "body", "word"), BAD)
def test_bad_input_gets_one_clear_error(path: str, body: object, word: str) -> None:
    """Bad input is 400 with one sentence that names what is wrong, and changes nothing."""
    desk = Desk()
    before = desk.control("GET", "/ledger").body
    answer = desk.control("POST", path, body)
    assert answer.status == 400
    assert list(answer.json) == ["error"]
    assert word in answer.json["error"]
    assert desk.control("GET", "/ledger").body == before


def test_no_json_and_no_such_path() -> None:
    """A body that is no JSON is 400, an unknown path 404, and both say what is known."""
    desk = Desk()
    assert ask(desk.control_app, "POST", "/keys", body=b"{").status == 400
    assert ask(desk.control_app, "POST", "/keys", body=b" " * 300_000).status == 413
    strange = desk.control("GET", "/keys")
    assert strange.status == 404
    assert "POST /keys" in strange.json["error"]
