"""Whatever an exchange answers, there is a result or a failure, and nothing else."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given, settings, strategies as st

from rotator.core.facts import Look
from rotator.core.issue import IssuedKey, KeySpec
from rotator.core.names import AccountId, KeyId
from rotator.core.outcome import Failure
from rotator.exchanges import reading
from rotator.exchanges.inspection import listing_document, look_document
from rotator.exchanges.port import Listing
from tests.exchanges import test_binance, test_bybit
from tests.exchanges.fakes import NOW, Wire, bybit_ok, hmac_key, opened, raw

KEY = hmac_key()
SPEC = KeySpec(AccountId("42"), ("Spot.SpotTrade",))
CANARY = "canary-secret"

ODD_TEXTS = [
    "",
    "*",
    "0",
    "1970-01-01T00:00:00Z",
    "9999-12-31T23:59:59+14:00",
    "0001-01-01",
    "2026-13-45T99:99:99Z",
    "\x00\x1b[31m",
    "\u202e",
    "a" * 5000,
    "true",
    "-",
    "--1",
    "\u0663",
]
TEXTS = st.text(max_size=40) | st.sampled_from(ODD_TEXTS)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
HEADERS = st.dictionaries(
    st.sampled_from(["date", "retry-after", "x-bapi-limit-reset-timestamp", "content-type"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40),
    max_size=4,
)
STATUSES = st.sampled_from([200, 200, 200, 201, 204, 301, 400, 401, 403, 404, 418, 429, 500, 503])


@st.composite
def bent(draw: st.DrawFn, sample: dict[str, Any]) -> dict[str, Any]:
    """Return a documented answer with some of its fields replaced, anywhere in it."""
    told = copy.deepcopy(sample)
    for _ in range(draw(st.integers(0, 4))):
        place: Any = told
        while True:
            name = draw(st.sampled_from(sorted(place)))
            if isinstance(place[name], dict) and place[name] and draw(st.booleans()):
                place = place[name]
                continue
            place[name] = draw(JSON)
            break
    return told


def answers(*samples: dict[str, Any]) -> st.SearchStrategy[bytes]:
    """Return bodies: bent samples, any JSON, any bytes."""
    return st.one_of(
        *(bent(sample).map(orjson.dumps) for sample in samples),
        JSON.map(orjson.dumps),
        st.binary(max_size=200),
    )


def ended(told: object, kinds: tuple[type, ...]) -> None:
    """Check that a call ended well, or with a failure that can be shown."""
    assert isinstance(told, (*kinds, Failure))
    if isinstance(told, Failure):
        assert told.message.isprintable()
        assert len(told.message) <= 400
        assert CANARY not in repr(told)


@settings(max_examples=300)
@given(
    answers(bybit_ok(test_bybit.OWN), test_bybit.OWN, test_binance.OWN, test_binance.OWN),
    STATUSES,
    HEADERS,
    st.sampled_from(["bybit", "binance"]),
)
def test_any_answer_to_a_look(body: bytes, status: int, headers: dict[str, str], name: str) -> None:
    """Any body under any status makes a look that can be printed as one JSON object."""

    def step(_: httpx.Request) -> httpx.Response:
        return httpx.Response(status, headers=headers, content=body)

    look = asyncio.run(opened(name, Wire(step, step)).inspect(KEY))
    assert isinstance(look, Look)
    ended(look.failure, (type(None),))
    printed = orjson.dumps(look_document(name, look)).decode()
    assert CANARY not in printed
    assert printed.isprintable()


@settings(max_examples=200)
@given(
    answers(
        bybit_ok({"result": [test_bybit.listed("a")], "nextPageCursor": ""}),
        bybit_ok(test_bybit.MEMBERS),
        bybit_ok(test_bybit.CREATED),
        bybit_ok({}),
    ),
    STATUSES,
    st.sampled_from(["list", "all", "create", "delete"]),
)
def test_any_answer_to_an_issuer(body: bytes, status: int, call: str) -> None:
    """Any body under any status makes a listing, a key, a deletion, or a failure."""

    def step(_: httpx.Request) -> httpx.Response:
        return httpx.Response(status, content=body)

    async def ask() -> object:
        exchange = opened("bybit", Wire(*[step] * 600))
        if call == "create":
            return await exchange.create_key(KEY, SPEC, "x", NOW)
        if call == "delete":
            return await exchange.delete_key(KEY, AccountId("42"), KeyId("k"), NOW)
        told = await exchange.list_keys(KEY, AccountId("42") if call == "list" else None)
        assert orjson.dumps(listing_document("bybit", told))
        return told

    ended(asyncio.run(ask()), (Listing, IssuedKey, type(None)))


@given(JSON | st.binary() | st.floats())
def test_readers_never_raise(value: object) -> None:
    """Each reader returns its kind or nothing for any value."""
    for read in (
        reading.mapping,
        reading.items,
        reading.text,
        reading.number,
        reading.identifier,
        reading.switch,
        reading.texts,
        reading.addresses,
        reading.iso_time,
        reading.millis,
        reading.quoted,
    ):
        read(value)


@given(st.text())
def test_header_readers_never_raise(value: str) -> None:
    """Dates and waits in headers are read or left out, whatever they are."""
    date = reading.http_date(value)
    wait = reading.wait_time(value, date)
    assert date is None or date.tzinfo is not None
    assert wait is None or wait.total_seconds() >= 0
    assert reading.printable(value).isprintable()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (7, 7),
        ("7", 7),
        ("-7", -7),
        ("--7", None),
        ("7-", None),
        ("\u0663", None),
        (True, None),
        (1.0, None),
        ("1" * 30, None),
        ("", None),
    ],
)
def test_numbers(value: object, expected: int | None) -> None:
    """A number is a whole number, or its plain decimal text."""
    assert reading.number(value) == expected


def test_a_secret_in_an_error_is_not_repeated() -> None:
    """An exchange that echoes what it was sent does not make us print it."""
    echo = {"retCode": 424242, "retMsg": "you sent key-id-000000000001 and " + "S" * 36}
    look = asyncio.run(opened("bybit", Wire(raw(orjson.dumps(echo)))).inspect(KEY))
    assert look.failure is not None
    assert "SSSS" not in look.failure.message
    assert "key-id" not in look.failure.message
