"""The same over real loopback sockets: what httpx itself makes of a bad end."""

from __future__ import annotations

import asyncio
import socket

import pytest

from rotator.core.facts import Look, Validity
from rotator.core.issue import IssuedKey, KeySpec
from rotator.core.names import AccountId
from rotator.core.outcome import Failure, Happened, Meaning
from rotator.exchanges.registry import Exchange, ExchangeSettings, open_exchange
from tests.exchanges.fakes import NOW, Ticks, hmac_key, run

KEY = hmac_key()
SPEC = KeySpec(AccountId("42"), ("Spot.SpotTrade",))
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


def at(port: int) -> Exchange:
    """Open Bybit at a loopback port, over the network as it is."""
    settings = ExchangeSettings(base_url=f"http://127.0.0.1:{port}", share=None)
    return open_exchange("bybit", settings, Ticks().clocks())


async def served(answer: bytes) -> tuple[IssuedKey | Failure, Look]:
    """Return how a create and a look end at a server that answers with these bytes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        exchange = at(server.sockets[0].getsockname()[1])
        told = await exchange.create_key(KEY, SPEC, "x", NOW)
        look = await exchange.inspect(KEY)
        await exchange.aclose()
    return told, look


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200",
        b"nonsense\r\n\r\n",
        HEAD + b"content-length: 100\r\n\r\n{",
        HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\n{",
        HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
        HEAD + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}",
        HEAD + b"x: " + b"y" * 200_000 + b"\r\n\r\n",
    ],
)
def test_a_broken_answer_is_unknown(answer: bytes) -> None:
    """A connection closed early, or an answer that is no HTTP, is an unknown outcome."""
    told, look = run(served(answer))
    assert isinstance(told, Failure)
    assert (told.meaning, told.happened) == (Meaning.UNKNOWN_OUTCOME, Happened.UNKNOWN)
    assert look.validity is Validity.EXCHANGE_DOWN


def test_a_refused_connection_was_not_applied() -> None:
    """Where nobody listens, nothing was applied."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))

        async def ask() -> IssuedKey | Failure:
            exchange = at(free.getsockname()[1])
            told = await exchange.create_key(KEY, SPEC, "x", NOW)
            await exchange.aclose()
            return told

        told = run(ask())
    assert isinstance(told, Failure)
    assert (told.meaning, told.happened) == (Meaning.UNKNOWN_OUTCOME, Happened.NOT_APPLIED)


def test_a_whole_answer_is_read() -> None:
    """An answer over a socket is read like any other."""
    body = b'{"retCode": 10003, "retMsg": "API key is invalid.", "result": {}}'
    told, look = run(served(HEAD + b"content-length: %d\r\n\r\n" % len(body) + body))
    assert isinstance(told, Failure)
    assert told.meaning is Meaning.INVALID_KEY
    assert look.validity is Validity.INVALID
