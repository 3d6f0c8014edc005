"""uvicorn as our server: it owns no signal, and no client can hold it up.

Every connection comes in by a door that takes the TLS handshake (guard_door.py),
is watched (guard.py), and is asked for its password (webconfig_front.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections.abc import Callable, Generator
from functools import partial
from typing import Any, Final

from starlette.types import ASGIApp
from uvicorn import Config, Server

from rotator.serve.guard import Guarded
from rotator.serve.guard_door import Door
from rotator.serve.webconfig_front import Front
from rotator.serve.webconfig_live import InForce
from rotator.serve.webconfig_logins import Logins

KEEP_ALIVE_SECONDS: Final = 5
MAX_HEADER_BYTES: Final = 16_384
BACKLOG: Final = 128
SHUTDOWN_SECONDS: Final = 3
OPEN: Final = InForce()
"""A port without a web config."""


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
    in_force: Callable[[], InForce] = lambda: OPEN,
    started: Callable[[str, int], None] | None = None,
    protocol: type[Guarded] = Guarded,
) -> None:
    """Serve `app` until `stop_event` is set; then finish what is being answered.

    `in_force` gives the web config, asked for each connection and each request.
    `started` is called with the address and port once clients can connect.
    Raises OSError if the address cannot be taken.
    """
    listener = listen(host, port)
    try:
        front = Front(app, in_force, Logins(secrets.token_bytes(32)))
        server = _Quiet(_config(front, partial(Door, in_force, protocol)))
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


def _config(app: ASGIApp, door: Callable[..., Door]) -> Config:
    return Config(
        app,
        http=door,  # type: ignore[arg-type]  # uvicorn only calls it
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
