"""Faults on the server's side: what was applied, and what the caller sees."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from rotator.sandbox.app import HungUp
from rotator.sandbox.faults import Fault, Faults, Operation, Order
from tests.sandbox.desk import SUB_KEYS, Answer, Desk
from tests.sandbox.inprocess import InProcess

NEW_BYBIT = {"subuid": 10000002, "readOnly": 0, "permissions": {}}
NEW_BINANCE = {"email": "desk1@sandbox.test", "apiName": "fresh", "status": "1"}


def create(desk: Desk, exchange: str) -> Answer:
    """Create a sub-account key."""
    parent = desk.parent(exchange)
    if exchange == "bybit":
        return desk.bybit("POST", "create-sub-api", parent, NEW_BYBIT)
    return desk.binance("POST", SUB_KEYS, parent, NEW_BINANCE)


def creates(desk: Desk, exchange: str) -> int:
    """Return how many keys the exchange's API created."""
    return desk.ledger(exchange).creates


@pytest.mark.parametrize("exchange", ["bybit", "binance"])
@pytest.mark.parametrize(("fault", "applied"), [("lost_answer", 1), ("not_applied", 0)])
def test_no_answer(exchange: str, fault: str, applied: int) -> None:
    """A lost answer was applied, a call not applied was not, and neither is answered."""
    desk = Desk()
    desk.order(exchange, "create", fault)
    with pytest.raises(HungUp):
        create(desk, exchange)
    assert creates(desk, exchange) == applied
    assert create(desk, exchange).status == 200


@pytest.mark.parametrize("exchange", ["bybit", "binance"])
def test_applied_late(exchange: str) -> None:
    """A late call is applied three seconds after its connection closed, whatever the clock says."""
    desk = Desk()
    desk.order(exchange, "create", "late_apply")
    with pytest.raises(HungUp):
        create(desk, exchange)
    assert creates(desk, exchange) == 0
    [(delay, apply)] = desk.late
    assert delay == 3.0
    desk.time.pass_(seconds=6)
    apply()
    assert creates(desk, exchange) == 1


@pytest.mark.parametrize(("window", "delay"), [("2000", 2.0), ("x", 0.0)])
def test_late_is_within_bybits_window(window: str, delay: float) -> None:
    """A call with a shorter receive window is applied before that ends."""
    desk = Desk()
    desk.order("bybit", "create", "late_apply")
    with pytest.raises(HungUp):
        desk.bybit("POST", "create-sub-api", desk.parent("bybit"), NEW_BYBIT, window=window)
    assert desk.late[0][0] == delay


@pytest.mark.parametrize(("window", "delay"), [("1000", 1.0), ("x", 0.0)])
def test_late_is_within_binances_window(window: str, delay: float) -> None:
    """A call with a shorter recvWindow is applied before that ends."""
    desk = Desk()
    desk.order("binance", "create", "late_apply")
    params = {**NEW_BINANCE, "recvWindow": window}
    with pytest.raises(HungUp):
        desk.binance("POST", SUB_KEYS, desk.parent("binance"), params)
    assert desk.late[0][0] == delay


REFUSALS = [
    ("bybit", "error_after_apply", 1, 200, b'"retCode":10000'),
    ("bybit", "rate_limited", 0, 200, b'"retCode":10006'),
    ("bybit", "banned", 0, 403, b"access too frequent"),
    ("bybit", "clock_skew", 0, 200, b'"retCode":10002'),
    ("bybit", "maintenance", 0, 503, b"Service Unavailable"),
    ("bybit", "html", 0, 502, b"<html>"),
    ("binance", "error_after_apply", 1, 504, b'"code":-1007'),
    ("binance", "rate_limited", 0, 429, b'"code":-1003'),
    ("binance", "banned", 0, 418, b'"code":-1003'),
    ("binance", "clock_skew", 0, 400, b'"code":-1021'),
    ("binance", "maintenance", 0, 400, b'"code":-1004'),
    ("binance", "html", 0, 502, b"<html>"),
]


@pytest.mark.parametrize(("exchange", "fault", "applied", "status", "words"), REFUSALS)
def test_refusals(exchange: str, fault: str, applied: int, status: int, words: bytes) -> None:
    """Each refusal speaks the exchange's own words, and only error_after_apply was applied."""
    desk = Desk()
    desk.order(exchange, "create", fault)
    answer = create(desk, exchange)
    assert answer.status == status
    assert words in answer.body
    assert creates(desk, exchange) == applied
    assert create(desk, exchange).status == 200


@pytest.mark.parametrize("exchange", ["bybit", "binance"])
def test_truncated(exchange: str) -> None:
    """A truncated answer is half a JSON text of an applied call."""
    desk = Desk()
    desk.order(exchange, "create", "truncated")
    answer = create(desk, exchange)
    with pytest.raises(json.JSONDecodeError):
        _ = answer.json
    assert creates(desk, exchange) == 1


def test_limits_say_when_to_come_back() -> None:
    """Refusals for too many calls carry the exchange's own headers."""
    desk = Desk()
    desk.order("bybit", "create", "rate_limited")
    desk.order("binance", "create", "rate_limited")
    assert create(desk, "bybit").headers["x-bapi-limit-status"] == "0"
    assert create(desk, "binance").headers["retry-after"] == "60"


def test_a_fault_hits_its_operation_only() -> None:
    """A fault waits for its own operation, and `any` hits the public calls too."""
    desk = Desk()
    desk.order("bybit", "delete", "html", times=None)
    assert create(desk, "bybit").status == 200
    assert desk.bybit("GET", "query-api", desk.key("bybit")).status == 200
    assert desk.bybit("POST", "delete-sub-api", desk.parent("bybit")).status == 502
    desk.order("bybit", "any", "maintenance")
    assert desk.bybit("GET", "/v5/market/time", desk.key("bybit")).status == 503
    assert desk.bybit("GET", "/v5/market/time", desk.key("bybit")).status == 200


def test_orders_are_used_up_in_turn() -> None:
    """Orders are used up first come, first served; one without end stays."""
    faults = Faults()
    faults.add(Order(Operation.CREATE, Fault.HTML, 2))
    faults.add(Order(Operation.ANY, Fault.BANNED, None))
    taken = [faults.take(Operation.CREATE) for _ in range(4)]
    assert taken == [Fault.HTML, Fault.HTML, Fault.BANNED, Fault.BANNED]
    assert len(faults.pending()) == 1
    faults.clear()
    assert faults.take(Operation.CREATE) is None


def test_an_httpx_client_sees_a_closed_connection() -> None:
    """In process a closed connection is httpx's own error for one."""
    desk = Desk()
    desk.order("bybit", "any", "not_applied")

    async def look() -> int:
        transport = InProcess(desk.apps["bybit"])
        async with httpx.AsyncClient(transport=transport, base_url="http://bybit") as client:
            with pytest.raises(httpx.RemoteProtocolError):
                await client.get("/v5/market/time")
            return (await client.get("/v5/market/time")).status_code

    assert asyncio.run(look()) == 200
