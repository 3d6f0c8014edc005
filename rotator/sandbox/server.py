"""The sandbox as a real server: one loopback port per exchange and one for control."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from rotator.sandbox.app import HANG_UP, build
from rotator.sandbox.calendar import Now
from rotator.sandbox.control import control
from rotator.sandbox.seeds import sow
from rotator.sandbox.world import World, new_world

LOOPBACK = "127.0.0.1"
GRACE_SECONDS = 1
BACKLOG = 1024

Announce = Callable[[dict[str, object]], None]


class PortTaken(Exception):
    """A port of the sandbox cannot be opened; the text says which and why."""


class ClosableProtocol(H11Protocol):
    """Offers the application a way to close its socket without an answer."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Remember how to close the socket of this connection."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, HANG_UP: transport.close}


class QuietServer(uvicorn.Server):
    """A uvicorn server that says when it listens and leaves the signals to its caller."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=ClosableProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="critical",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                backlog=BACKLOG,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start and say so."""
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield


async def serve(
    port_base: int,
    limits_on: bool,
    announce: Announce,
    stop: asyncio.Event,
    *,
    now: Now,
    world: World | None = None,
) -> None:
    """Serve a seeded sandbox on loopback until `stop` is set.

    The control port is `port_base`, the exchanges follow by name; 0 lets the
    kernel choose every port.  `announce` gets the object of `rotator sandbox` once
    all ports answer.  `now` gives real time.  Raises PortTaken.
    """
    played = new_world(now, limits=limits_on) if world is None else world
    seeds = sow(played)
    later = asyncio.get_running_loop().call_later
    names = sorted(played.exchanges)
    apps = [control(played), *(build(played, name, later) for name in names)]
    with contextlib.ExitStack() as stack:
        sockets = [
            stack.enter_context(_listen(port_base + place if port_base else 0))
            for place in range(len(apps))
        ]
        urls = [f"http://{LOOPBACK}:{s.getsockname()[1]}" for s in sockets]
        exchanges = {
            name: {"base_url": url, **seeds[name]}
            for name, url in zip(names, urls[1:], strict=True)
        }
        ready: dict[str, object] = {"control": urls[0], "exchanges": exchanges}
        await _serve_all(apps, sockets, lambda: announce(ready), stop)


async def _serve_all(
    apps: list[ASGIApp],
    sockets: list[socket.socket],
    ready: Callable[[], None],
    stop: asyncio.Event,
) -> None:
    servers = [QuietServer(app) for app in apps]
    async with asyncio.TaskGroup() as group:
        for server, listener in zip(servers, sockets, strict=True):
            group.create_task(server.serve([listener]))
        for server in servers:
            await server.listening.wait()
        ready()
        await stop.wait()
        for server in servers:
            server.should_exit = True


def run(port_base: int, limits: bool, emit: Announce, *, now: Now) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code.

    `emit` gets the object to print once everything answers; `now` gives real time.
    """
    try:
        asyncio.run(_until_signalled(port_base, limits, emit, now))
    except PortTaken as taken:
        sys.stderr.write(f"{taken}\n")
        return 1
    return 0


async def _until_signalled(port_base: int, limits: bool, emit: Announce, now: Now) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    await serve(port_base, limits, emit, stop, now=now)


def _listen(port: int) -> socket.socket:
    # asyncio switches Nagle's delay off only where the protocol is named.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
    except (OSError, OverflowError) as refused:
        listener.close()
        raise PortTaken(f"the sandbox cannot listen on {LOOPBACK}:{port}: {refused}") from None
    listener.listen(BACKLOG)
    return listener
