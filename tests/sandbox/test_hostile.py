"""Hostile input: whatever comes in, the costumes and the control port give an answer."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings, strategies as st
from starlette.types import Message, Scope

from rotator.sandbox import binance, bybit
from rotator.sandbox.app import read_body
from rotator.sandbox.bybit_words import ERRORS
from rotator.sandbox.control import ACTIONS
from tests.sandbox.desk import Desk, ask, hmac_hex

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=8,
)
WORDS = st.sampled_from(
    [
        "subuid",
        "note",
        "readOnly",
        "ips",
        "permissions",
        "apikey",
        "subMemberId",
        "limit",
        "cursor",
        "pageSize",
        "nextCursor",
        "email",
        "apiName",
        "status",
        "ipAddress",
        "publicKey",
        "page",
        "size",
        "subAccountApiKey",
        "canTrade",
        "recvWindow",
        "exchange",
        "account",
        "label",
        "scopes",
        "addresses",
        "created_at",
        "key_id",
        "advance",
        "operation",
        "fault",
        "times",
    ]
)
VALUES = JSON | st.sampled_from(
    ["bybit", "binance", "desk1@sandbox.test", "10000002", 10000002, "1", "127.0.0.1", "true", "3d"]
)
BODIES = st.dictionaries(WORDS | st.text(max_size=9), VALUES, max_size=6)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=40)
LATIN = st.text(st.characters(max_codepoint=255), max_size=40)
FIRST = settings(max_examples=150, deadline=None)

DESK = Desk()


def _known(answer_status: int) -> bool:
    return answer_status in (200, 400, 401, 403, 404, 413, 418, 429)


@FIRST
@given(call=st.sampled_from(sorted(bybit.ROUTES)), params=BODIES)
def test_bybit_answers_signed_nonsense(call: tuple[str, str], params: dict[str, object]) -> None:
    """Whatever a parent signs, Bybit answers in its envelope."""
    method, path = call
    if path == "/v5/user/delete-api":
        return
    texts = {k: str(v).encode(errors="replace").decode() for k, v in params.items()}
    body = json.dumps(params)
    sent = params if method == "POST" else texts
    answer = DESK.bybit(method, path, DESK.parent("bybit"), sent)
    assert answer.status == 200, body
    code = answer.json["retCode"]
    assert code == 0 or code in ERRORS


@FIRST
@given(call=st.sampled_from(sorted(binance.ROUTES)), params=BODIES, in_body=st.booleans())
def test_binance_answers_signed_nonsense(
    call: tuple[str, str], params: dict[str, object], *, in_body: bool
) -> None:
    """Whatever a parent signs, Binance answers with JSON."""
    texts = {k: str(v).encode(errors="replace").decode() for k, v in params.items()}
    answer = DESK.binance(*call, DESK.parent("binance"), texts, in_body=in_body)
    assert _known(answer.status)
    assert answer.json is not None


@FIRST
@given(
    exchange=st.sampled_from(["bybit", "binance"]),
    method=st.sampled_from(["GET", "POST", "DELETE", "PUT", "", "get"]),
    path=st.sampled_from([p for _, p in [*bybit.ROUTES, *binance.ROUTES]]) | TEXTS,
    query=st.binary(max_size=60),
    body=st.binary(max_size=60),
    headers=st.dictionaries(
        st.sampled_from(
            [
                "x-bapi-api-key",
                "x-bapi-sign",
                "x-bapi-timestamp",
                "x-bapi-recv-window",
                "x-mbx-apikey",
            ]
        ),
        LATIN | st.sampled_from([DESK.key("bybit")["api_key"], DESK.key("binance")["api_key"]]),
    ),
)
def test_unsigned_nonsense(
    *, exchange: str, method: str, path: str, query: bytes, body: bytes, headers: dict[str, str]
) -> None:
    """Whatever comes in unsigned gets an answer of the exchange, and changes nothing."""
    ledger = DESK.ledger(exchange)
    before = (ledger.creates, ledger.deletes)
    app = DESK.apps[exchange]
    answer = ask(app, method, path, query=query, body=body, headers=headers)
    assert _known(answer.status)
    assert (ledger.creates, ledger.deletes) == before


@FIRST
@given(call=st.sampled_from(sorted(ACTIONS)), body=BODIES | JSON)
def test_the_control_port_answers_nonsense(call: tuple[str, str], body: object) -> None:
    """Whatever the control port is told, it does it or says what is wrong."""
    if call == ("POST", "/faults"):
        return
    answer = Desk().control(*call, body)
    assert answer.status in (200, 400)


@FIRST
@given(body=st.binary(max_size=60))
def test_the_control_port_reads_no_rubbish(body: bytes) -> None:
    """A body of any bytes is never an error of the server."""
    assert ask(Desk().control_app, "POST", "/faults", body=body).status in (200, 400)


def test_a_large_body_is_refused() -> None:
    """More than 256 KiB are not read."""
    app = DESK.apps["bybit"]
    assert ask(app, "POST", "/v5/user/create-sub-api", body=b" " * 262_145).status == 413


def test_too_many_fields_are_refused() -> None:
    """A query of hundreds of fields is a bad parameter."""
    many = {str(n): "1" for n in range(300)}
    key = DESK.key("bybit")
    listing = {"subMemberId": 10000002, **many}
    assert DESK.bybit_code("GET", "sub-apikeys", DESK.parent("bybit"), listing) == 10001
    query = urlencode({**many, "timestamp": DESK.time.ms()}).encode()
    query += b"&signature=" + hmac_hex(key, query).encode()
    headers = {"x-mbx-apikey": DESK.key("binance")["api_key"]}
    path = "/sapi/v1/account/apiRestrictions"
    answer = ask(DESK.apps["binance"], "GET", path, query=query, headers=headers)
    assert answer.json["code"] == -1102


@pytest.mark.parametrize("name", ["bybit", "binance", "control"])
def test_other_connections_are_left_alone(name: str) -> None:
    """A WebSocket or a lifespan gets no word."""
    app = DESK.control_app if name == "control" else DESK.apps[name]
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("nothing is to be read")

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {"type": "websocket"}
    running = app(scope, receive, send)
    with pytest.raises(StopIteration):
        running.send(None)  # type: ignore[attr-defined]  # an application is a coroutine
    assert sent == []


def test_a_caller_that_leaves() -> None:
    """A caller that leaves before its body is whole is served what it sent, no more."""

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    assert asyncio.run(read_body(receive, 10)) == b""
