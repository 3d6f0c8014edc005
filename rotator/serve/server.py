"""uvicorn as our server: it owns no signal, and no client can hold it up.

A connection that sends nothing, sends its header drop by drop, or does not read
its answer is cut off after `SILENT_SECONDS` or `STALLED_SECONDS`.  When all
places are taken, the longest silent connection makes room for the next.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Generator
from typing import Any

from starlette.types import ASGIApp
from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol

SILENT_SECONDS = 10.0
"""How long a connection may have no whole request."""

STALLED_SECONDS = 30.0
"""How long one request may take until its answer has left."""

CHECK_SECONDS = 1.0
KEEP_ALIVE_SECONDS = 5
MAX_CONNECTIONS = 100
MAX_HEADER_BYTES = 16_384
BACKLOG = 128
SHUTDOWN_SECONDS = 3


class Guarded(H11Protocol):
    """One connection that must get on."""

    silent_seconds = SILENT_SECONDS
    stalled_seconds = STALLED_SECONDS
    check_seconds = CHECK_SECONDS
    max_connections = MAX_CONNECTIONS

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a place, another's if there is none, and start to watch."""
        self.since = self.loop.time()
        self._state = (False, 0)
        self._answers = 0
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            self._make_room()
        self._watch = self.loop.call_later(self.check_seconds, self._check)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop watching."""
        self._watch.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Note the progress."""
        self._answers += 1
        super().on_response_complete()

    @property
    def at_work(self) -> bool:
        """True between a whole request and the last byte of its answer."""
        asked = self.cycle is not None and not self.cycle.response_complete
        return asked or self.transport.get_write_buffer_size() > 0

    def _check(self) -> None:
        now, state = self.loop.time(), (self.at_work, self._answers)
        if state != self._state:
            self._state, self.since = state, now
        limit = self.stalled_seconds if state[0] else self.silent_seconds
        if now - self.since >= limit:
            self.transport.abort()
            return
        self._watch = self.loop.call_later(self.check_seconds, self._check)

    def _make_room(self) -> None:
        others = [c for c in self.connections if isinstance(c, Guarded) and c is not self]
        idle = [c for c in others if not c.at_work]
        min(idle or others, key=lambda c: c.since).transport.abort()


class _Quiet(Server):
    """A server that leaves SIGINT and SIGTERM to the daemon."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Capture none."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 picks a free one.  Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    dual = host == "::" and socket.has_dualstack_ipv6()
    return socket.create_server((host, port), family=family, backlog=BACKLOG, dualstack_ipv6=dual)


async def serve(
    app: ASGIApp,
    host: str,
    port: int,
    stop_event: asyncio.Event,
    *,
    started: Callable[[str, int], None] | None = None,
    protocol: type[Guarded] = Guarded,
) -> None:
    """Serve `app` until `stop_event` is set; then finish what is being answered.

    `started` is called with the address and port once clients can connect.
    Raises OSError if the address cannot be taken.
    """
    listener = listen(host, port)
    try:
        server = _Quiet(_config(app, protocol))
        address: tuple[Any, ...] = listener.getsockname()
        if started is not None:
            started(str(address[0]), int(address[1]))
        running = asyncio.create_task(server.serve(sockets=[listener]))
        stopping = asyncio.create_task(stop_event.wait())
        try:
            await asyncio.wait((running, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            server.should_exit = True
            await running
    finally:
        listener.close()


def _config(app: ASGIApp, protocol: type[Guarded]) -> Config:
    return Config(
        app,
        http=protocol,
        ws="none",
        lifespan="off",
        loop="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        backlog=BACKLOG,
    )
