"""The sandbox as a real server on loopback sockets."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from rotator.sandbox.server import PortTaken, run, serve
from tests.sandbox.desk import Time, hmac_hex

Ready = dict[str, Any]
Visit = Callable[[Ready, httpx.AsyncClient], Awaitable[None]]


def visit(what: Visit, port_base: int = 0) -> None:
    """Serve, visit, stop; fails if the server does not end."""

    async def main() -> None:
        stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(serve(port_base, True, ready.set_result, stop, now=Time()))
        done, _ = await asyncio.wait({serving, ready}, return_when=asyncio.FIRST_COMPLETED)
        if serving in done:
            await serving
        async with httpx.AsyncClient(trust_env=False) as client:
            await what(await ready, client)
        stop.set()
        await serving

    asyncio.run(main())


def signed(key: dict[str, str]) -> dict[str, str]:
    """Return Bybit's headers for query-api."""
    stamp = str(Time().ms())
    return {
        "x-bapi-api-key": key["api_key"],
        "x-bapi-timestamp": stamp,
        "x-bapi-recv-window": "5000",
        "x-bapi-sign": hmac_hex(key, f"{stamp}{key['api_key']}5000".encode()),
    }


async def _look(ready: Ready, client: httpx.AsyncClient, **headers: str) -> Any:
    bybit = ready["exchanges"]["bybit"]
    sent = {**signed(bybit["keys"][0]), **headers}
    answer = await client.get(bybit["base_url"] + "/v5/user/query-api", headers=sent)
    return answer.json()


def test_it_announces_what_it_serves() -> None:
    """The object announced names the control port and each exchange with its keys."""

    async def what(ready: Ready, client: httpx.AsyncClient) -> None:
        assert set(ready) == {"control", "exchanges"}
        assert set(ready["exchanges"]) == {"binance", "bybit"}
        for exchange in ready["exchanges"].values():
            assert set(exchange) == {"base_url", "parents", "keys"}
            assert exchange["base_url"].startswith("http://127.0.0.1:")
        assert (await _look(ready, client))["retCode"] == 0
        ledger = await client.get(ready["control"] + "/ledger")
        assert ledger.json()["exchanges"]["bybit"]["creates"] == 0

    visit(what)


def test_it_closes_sockets() -> None:
    """A lost answer is a closed socket, and the next connection is served."""

    async def what(ready: Ready, client: httpx.AsyncClient) -> None:
        fault = {"exchange": "bybit", "operation": "inspect", "fault": "lost_answer"}
        await client.post(ready["control"] + "/faults", json=fault)
        with pytest.raises(httpx.RemoteProtocolError):
            await _look(ready, client)
        assert (await _look(ready, client))["retCode"] == 0

    visit(what)


def test_a_header_cannot_claim_an_address() -> None:
    """Behind the real server too, only the socket's address counts."""

    async def what(ready: Ready, client: httpx.AsyncClient) -> None:
        claimed = await _look(ready, client, **{"x-forwarded-for": "198.51.100.7"})
        assert claimed["retCode"] == 0
        wish = {"exchange": "bybit", "account": "5", "addresses": ["198.51.100.7"]}
        made = (await client.post(ready["control"] + "/keys", json=wish)).json()
        headers = {**signed(made), "x-forwarded-for": "198.51.100.7"}
        url = ready["exchanges"]["bybit"]["base_url"] + "/v5/user/query-api"
        assert (await client.get(url, headers=headers)).json()["retCode"] == 10010

    visit(what)


def test_a_signal_ends_it() -> None:
    """It serves until SIGTERM and then exits with 0."""
    told: list[Ready] = []

    def announce(ready: Ready) -> None:
        told.append(ready)
        os.kill(os.getpid(), signal.SIGTERM)

    assert run(0, True, announce, now=Time()) == 0
    assert len(told) == 1


def test_a_taken_port_is_said() -> None:
    """A port that another program holds is an error with its number, and exit code 1."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        async def never(_: Ready, __: httpx.AsyncClient) -> None:
            raise AssertionError("it cannot have started")

        with pytest.raises(PortTaken, match=str(port)):
            visit(never, port)
        assert run(port, True, lambda _: None, now=Time()) == 1


def _free(base: int) -> bool:
    with contextlib.ExitStack() as stack:
        try:
            for place in range(3):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", base + place))
        except OSError:
            return False
    return True


def test_ports_follow_the_base() -> None:
    """Given a base, control has that port and the exchanges have the next ones by name."""
    base = next(b for b in range(20_000 + os.getpid() % 9_000, 30_000) if _free(b))

    async def what(ready: Ready, _: httpx.AsyncClient) -> None:
        exchanges = ready["exchanges"]
        urls = [ready["control"], *(exchanges[n]["base_url"] for n in ("binance", "bybit"))]
        assert [u.rsplit(":", 1)[1] for u in urls] == [str(base + n) for n in range(3)]

    visit(what, base)
