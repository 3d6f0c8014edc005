"""The port under clients that mean it ill: nonsense, silence, floods; with and without TLS."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import ssl
import statistics
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from rotator.serve.guard import Guarded
from rotator.serve.webconfig_live import InForce
from tests.serve.nonsense import PATHS, requests
from tests.serve.server import Running, World, client, ended, running
from tests.serve.web import PASSWORD, TLS, Folder, hashed
from tests.told import Tell

SOME = ("/metrics", "/-/reload", "/nothing")
"""Paths for the rounds over TLS, above which all is as without it."""

SILENT = 200
SCRAPES = 30
RATIO = 5.0
SETTLE_TICKS = 30
GROWTH = 400_000
"""Bytes that may be held after all rounds more than after the first."""


class Impatient(Guarded):
    """Cuts off soon, and shows its connections."""

    silent_seconds = 0.3
    stalled_seconds = 1.0
    handshake_seconds = 0.5
    check_seconds = 0.05
    seen: set[Any] = set()  # noqa: RUF012 - set anew by each server's first connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Show where the server keeps its connections."""
        type(self).seen = self.connections
        super().connection_made(transport)


async def sent(
    server: Running, request: bytes, *, half_close: bool, tls: ssl.SSLContext | None
) -> bytes:
    """Send bytes and return all that comes until the server ends the connection."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=tls)
    except (ConnectionError, ssl.SSLError):
        return b""
    try:
        writer.write(request)
        if half_close and writer.can_write_eof():
            writer.write_eof()
        return await asyncio.wait_for(reader.read(), 40)
    except (ConnectionError, ssl.SSLError):
        return b""
    except TimeoutError:
        pytest.fail(f"the server leaves this open: {request[:200]!r}, half closed: {half_close}")
    finally:
        writer.transport.abort()


async def tick(seconds: float) -> None:
    """Let the loop go on for a while."""
    done = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, done.set)
    await done.wait()


async def gone(connections: set[Any]) -> None:
    """Wait until the server holds no connection."""
    while connections:
        await tick(0.02)


async def settled(first: int) -> int:
    """Return the bytes held more than at first, once the last goodbyes have run out."""
    grown = 0
    for _ in range(SETTLE_TICKS):
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - first
        if grown < GROWTH:
            break
        await tick(0.2)
    return grown


def open_files() -> int:
    """Return how many files and sockets this process holds."""
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("secured", [False, True], ids=["plain", "tls"])
def test_nonsense_at_every_endpoint_makes_no_500_no_hang_and_no_growth(
    folder: Folder, secured: bool, caplog: pytest.LogCaptureFixture, tell: Tell
) -> None:
    """Each connection ends, nothing is logged as an error, and memory and sockets come back."""
    caplog.set_level(logging.ERROR, "uvicorn.error")  # as the daemon has it
    in_force = folder.live(TLS).in_force if secured else InForce()
    tls = folder.trusting() if secured else None
    troubles: list[dict[str, Any]] = []

    async def round_of(server: Running) -> None:
        turn = asyncio.Semaphore(40)

        async def one(request: bytes, half_close: bool) -> None:
            async with turn:
                answer = await sent(server, request, half_close=half_close, tls=tls)
            assert b"HTTP/1.1 5" not in answer, (request[:200], answer[:200])

        every = [r for path in (SOME if secured else PATHS) for r in requests(path)]
        halves = (False,) if secured else (False, True)
        await asyncio.gather(*(one(r, half) for r in every for half in halves))
        await gone(Impatient.seen)
        gc.collect()

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, told: troubles.append(told))
        async with running(World().state(), Impatient, lambda: in_force) as server:
            await round_of(server)
            sockets = open_files()
            tracemalloc.start()
            await round_of(server)
            first = tracemalloc.get_traced_memory()[0]
            await round_of(server)
            grown = await settled(first)
            tracemalloc.stop()
            tell(f"{'tls' if secured else 'plain'}: grown by {grown} bytes in one round")
            assert grown < GROWTH
            assert open_files() <= sockets
            async with client(server, tls=tls) as web:
                assert (await web.get("/metrics")).status_code == 200

    asyncio.run(run())
    assert troubles == []
    assert [r for r in caplog.records if r.levelno >= logging.ERROR] == []


def test_nonsense_behind_an_answer_ends_the_connection_without_noise() -> None:
    """A body that breaks once its request was answered: no second answer, nothing in the log."""
    troubles: list[dict[str, Any]] = []

    async def run() -> bytes:
        asyncio.get_running_loop().set_exception_handler(lambda _, told: troubles.append(told))
        async with (
            running(World().state(), Impatient) as server,
            server.connect() as (reader, writer),
        ):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            await reader.readuntil(b"ok\n")
            writer.write(b"zz\r\n")
            return await ended(reader)

    assert asyncio.run(run()) == b""
    assert troubles == []


async def latencies(server: Running, tls: ssl.SSLContext | None) -> list[float]:
    """Return the seconds of scrapes, each over a connection of its own."""
    took = []
    for _ in range(SCRAPES):
        async with client(server, tls=tls) as web:
            began = time.perf_counter()
            assert (await web.get("/metrics")).status_code == 200
            took.append(time.perf_counter() - began)
    return took


def quick(seconds: list[float]) -> float:
    """Return the lower quartile: what else this machine does is not counted."""
    return statistics.quantiles(seconds, n=4)[0]


@pytest.mark.slow
@pytest.mark.parametrize("secured", [False, True], ids=["plain", "tls"])
def test_scrapes_are_answered_while_200_silent_clients_hold_on(
    folder: Folder, secured: bool, tell: Tell
) -> None:
    """A scrape takes a few times as long as without them at the most."""
    in_force = folder.live(TLS).in_force if secured else InForce()
    tls = folder.trusting() if secured else None

    async def run() -> tuple[float, float]:
        async with running(World().state(), in_force=lambda: in_force) as server:
            before = quick(await latencies(server, tls))
            async with contextlib.AsyncExitStack() as stack:
                for number in range(SILENT):
                    _, writer = await stack.enter_async_context(server.connect())
                    writer.write((b"", b"G", b"\x16\x03\x01", b"GET / HTTP/1.1\r\nX: ")[number % 4])
                return before, quick(await latencies(server, tls))

    before, during = asyncio.run(run())
    tell(f"scrape {before * 1e3:.1f} ms alone, {during * 1e3:.1f} ms beside {SILENT} silent")
    assert during / before < RATIO


@pytest.mark.parametrize(
    "hello",
    [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/1.1\r\n\r\n", bytes(1000)],
    ids=["silent", "drop", "half-hello", "http", "zeros"],
)
def test_a_handshake_that_does_not_come_is_cut_off(folder: Folder, hello: bytes) -> None:
    """It holds its place for a moment alone."""
    in_force = folder.live(TLS).in_force

    async def run() -> None:
        async with (
            running(World().state(), Impatient, lambda: in_force) as server,
            server.connect() as (reader, writer),
        ):
            writer.write(hello)
            assert b"HTTP" not in await ended(reader)
            async with client(server, tls=folder.trusting()) as web:
                assert (await web.get("/metrics")).status_code == 200
            await gone(Impatient.seen)

    asyncio.run(run())


def test_a_handshake_drop_by_drop_is_cut_off(folder: Folder) -> None:
    """Sending something is not the same as getting on."""
    in_force = folder.live(TLS).in_force

    async def run() -> None:
        async with (
            running(World().state(), Impatient, lambda: in_force) as server,
            server.connect() as (reader, writer),
        ):
            writer.write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
            end = asyncio.create_task(ended(reader))
            while not end.done():
                writer.write(b"\0")
                await asyncio.wait((end,), timeout=0.05)
            assert b"HTTP" not in await end

    asyncio.run(run())


def test_stopping_does_not_wait_for_a_handshake(folder: Folder) -> None:
    """A silent TLS client does not hold up the end."""
    in_force = folder.live(TLS).in_force

    async def run() -> None:
        async with (
            running(World().state(), in_force=lambda: in_force) as server,
            server.connect() as (reader, _),
            client(server, tls=folder.trusting()) as web,
        ):
            assert (await web.get("/metrics")).status_code == 200
            server.stop.set()
            assert await ended(reader) == b""
            await asyncio.wait_for(server.task, 10)

    asyncio.run(run())


def test_a_flood_of_guesses_leaves_scrapes_alone(folder: Folder) -> None:
    """A known client is answered while guesses wait; those over the limit are told so."""
    in_force = folder.live(f'basic_auth_users: {{ann: "{hashed(cost=8)}"}}\n').in_force

    async def run() -> list[int]:
        async with (
            running(World().state(), in_force=lambda: in_force) as server,
            client(server, ("ann", PASSWORD)) as known,
            client(server) as guessing,
        ):
            assert (await known.get("/metrics")).status_code == 200
            guesses = [
                asyncio.create_task(guessing.get("/metrics", auth=("ann", str(n))))
                for n in range(30)
            ]
            for _ in range(5):
                assert (await known.get("/metrics")).status_code == 200
            assert not all(guess.done() for guess in guesses)
            return [answer.status_code for answer in await asyncio.gather(*guesses)]

    statuses = asyncio.run(run())
    assert set(statuses) == {401, 429}
