"""The server under clients that do not behave, and at its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket

import httpx
import pytest

from rotator.serve.app import build_app
from rotator.serve.guard import Guarded
from rotator.serve.server import listen, serve
from tests.serve.server import World, client, ended, running

BIG = b"# " + b"x" * 8_000_000 + b"\n"


class Impatient(Guarded):
    """Cuts off soon, so that a test is quick."""

    silent_seconds = 0.3
    stalled_seconds = 0.5
    check_seconds = 0.05


class Small(Guarded):
    """Has three places."""

    max_connections = 3


def test_a_silent_client_is_cut_off_and_blocks_nobody() -> None:
    """Scrapes are answered while it is silent, and then it is gone."""

    async def run() -> None:
        async with (
            running(World().state(), Impatient) as server,
            client(server) as web,
            server.connect() as (silent, _),
        ):
            assert (await web.get("/metrics")).status_code == 200
            assert await ended(silent) == b""

    asyncio.run(run())


def test_a_header_that_comes_drop_by_drop_is_cut_off() -> None:
    """Sending something is not the same as getting on."""

    async def run() -> None:
        async with (
            running(World().state(), Impatient) as server,
            server.connect() as (reader, writer),
        ):
            writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: ")
            gone = asyncio.create_task(ended(reader))
            while not gone.done():
                writer.write(b"x")
                await asyncio.wait((gone,), timeout=0.05)
            assert await gone == b""

    asyncio.run(run())


def test_a_client_that_does_not_read_is_cut_off() -> None:
    """Its answer does not rest in our memory."""
    cut: list[int] = []

    class Noted(Impatient):
        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            cut.append(self.transport.get_write_buffer_size())
            lost.set()

    lost = asyncio.Event()

    async def run() -> None:
        async with (
            running(World(text=BIG).state(), Noted) as server,
            server.connect() as (reader, writer),
        ):
            transport = writer.transport
            assert isinstance(transport, asyncio.Transport)
            transport.pause_reading()
            writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            await asyncio.wait_for(lost.wait(), 10)
            transport.resume_reading()
            assert len(await ended(reader)) < len(BIG)

    asyncio.run(run())
    assert cut == [0]


def test_when_all_places_are_taken_the_longest_silent_one_makes_room() -> None:
    """Silent connections cannot keep a scrape out."""

    async def run() -> None:
        async with running(World().state(), Small) as server, contextlib.AsyncExitStack() as stack:
            silent = [await stack.enter_async_context(server.connect()) for _ in range(10)]
            web = await stack.enter_async_context(client(server))
            assert (await web.get("/metrics")).status_code == 200
            assert await ended(silent[0][0]) == b""

    asyncio.run(run())


def test_many_scrapes_at_once_are_all_answered() -> None:
    """They wait for their turn."""

    async def run() -> None:
        async with running(World().state()) as server, client(server) as web:
            answers = await asyncio.gather(*(web.get("/metrics") for _ in range(40)))
            assert {a.status_code for a in answers} == {200}

    asyncio.run(run())


def test_stopping_finishes_the_answer_under_way() -> None:
    """A reload that runs is answered before the port closes."""

    async def run() -> None:
        world = World(waits_for=asyncio.Event())
        assert world.waits_for is not None
        async with running(world.state()) as server, client(server) as web:
            answer = asyncio.create_task(web.post("/-/reload"))
            while not world.reloaded:
                await web.get("/healthz")
            server.stop.set()
            world.waits_for.set()
            assert (await answer).status_code == 200
            await asyncio.wait_for(server.task, 10)
            with pytest.raises(httpx.ConnectError):
                await web.get("/healthz")

    asyncio.run(run())


def test_an_address_that_is_taken_is_an_error_for_the_caller() -> None:
    """The process is not ended from inside."""

    async def run() -> None:
        with listen("127.0.0.1", 0) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(OSError, match="in use"):
                await serve(build_app(World().state()), "127.0.0.1", port, asyncio.Event())

    asyncio.run(run())


def test_signals_stay_with_the_daemon() -> None:
    """A SIGTERM reaches the handler that stood before, and the server goes on."""

    async def run() -> None:
        got = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, got.set)
        try:
            async with running(World().state()) as server, client(server) as web:
                await web.get("/healthz")
                os.kill(os.getpid(), signal.SIGTERM)
                await asyncio.wait_for(got.wait(), 5)
                assert (await web.get("/healthz")).status_code == 200
                assert not server.task.done()
        finally:
            loop.remove_signal_handler(signal.SIGTERM)

    asyncio.run(run())


def test_a_cancelled_server_closes_its_port() -> None:
    """Cancelling is another way to stop."""

    async def run() -> None:
        stop = asyncio.Event()
        ports: asyncio.Queue[int] = asyncio.Queue()
        task = asyncio.create_task(
            serve(
                build_app(World().state()),
                "127.0.0.1",
                0,
                stop,
                started=lambda _, port: ports.put_nowait(port),
            )
        )
        port = await ports.get()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)

    asyncio.run(run())


def test_a_name_of_every_family_can_be_listened_on() -> None:
    """IPv4, and IPv6 where the machine has it."""
    with listen("127.0.0.1", 0) as four:
        assert four.family == socket.AF_INET
    if socket.has_ipv6:
        with listen("::1", 0) as six:
            assert six.family == socket.AF_INET6
