"""The way in: an accepted connection until it may speak HTTP, which may take a TLS handshake.

uvicorn hands each connection to a protocol; this one takes a place from the first
byte on, so that clients that never finish their handshake are cut off as silent
ones are.  Each connection goes by the web config of the moment it came.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from uvicorn import Config
from uvicorn.server import ServerState

from rotator.serve.guard import Guarded, make_room
from rotator.serve.tls import allowed
from rotator.serve.webconfig_live import InForce


class Door(asyncio.Protocol):
    """One connection on its way in."""

    def __init__(
        self,
        in_force: Callable[[], InForce],
        guarded: type[Guarded],
        *,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, object],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.transport: asyncio.Transport
        self.since = 0.0
        self.at_work = False
        self._in_force = in_force
        self._inner = guarded(config, server_state, app_state, _loop)
        self._connections: set[object] = self._inner.connections  # type: ignore[assignment]
        self._early: list[bytes] = []
        self._entering: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Let a client in at once, or after its handshake."""
        now = self._in_force()
        if now.context is None:
            self._let_in(transport)
            return
        transport.pause_reading()
        self.transport, self.since = transport, self._inner.loop.time()
        self._connections.add(self)
        make_room(self._connections, self, self._inner.max_connections)
        self._entering = self._inner.loop.create_task(self._enter(now))

    def data_received(self, data: bytes) -> None:
        """Keep what a client sends together with the end of its handshake."""
        self._early.append(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up the place."""
        self._connections.discard(self)
        if self._entering is not None:
            self._entering.cancel()

    def shutdown(self) -> None:
        """Cut off: nothing is owed to a client that is not in yet."""
        self.transport.abort()

    async def _enter(self, now: InForce) -> None:
        assert now.context is not None  # noqa: S101 - connection_made saw it
        loop = self._inner.loop
        try:
            secured = await loop.start_tls(
                self.transport,
                self,
                now.context,
                server_side=True,
                ssl_handshake_timeout=self._inner.handshake_seconds,
                ssl_shutdown_timeout=self._inner.stalled_seconds,
            )
        except OSError:  # the client's own doing, told to it by the TLS alert
            self.transport.abort()
            return
        finally:
            self._connections.discard(self)
        if secured is None or secured.is_closing():
            return
        if not allowed(now.config.tls, secured.get_extra_info("peercert")):
            secured.abort()
            return
        self._let_in(secured)

    def _let_in(self, transport: asyncio.Transport) -> None:
        transport.set_protocol(self._inner)
        self._inner.connection_made(transport)
        if self._early:
            self._inner.data_received(b"".join(self._early))
