"""One connection that must get on: no client holds a place by silence or slowness.

A connection that sends nothing, sends its header drop by drop, or does not read
its answer is cut off after `SILENT_SECONDS` or `STALLED_SECONDS`.  When all
places are taken, the longest silent connection makes room for the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final, Protocol, runtime_checkable

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

SILENT_SECONDS: Final = 10.0
"""How long a connection may have no whole request."""

STALLED_SECONDS: Final = 30.0
"""How long one request may take until its answer has left."""

HANDSHAKE_SECONDS: Final = 10.0
"""How long a TLS handshake may take."""

CHECK_SECONDS: Final = 1.0
MAX_CONNECTIONS: Final = 100


@runtime_checkable
class Placed(Protocol):
    """Takes one of the places; `since` is the loop's time of its last progress."""

    since: float
    transport: asyncio.Transport

    @property
    def at_work(self) -> bool:
        """True while an answer is owed."""
        ...


class Guarded(H11Protocol):
    """HTTP/1.1 on one connection, watched."""

    silent_seconds = SILENT_SECONDS
    stalled_seconds = STALLED_SECONDS
    handshake_seconds = HANDSHAKE_SECONDS
    check_seconds = CHECK_SECONDS
    max_connections = MAX_CONNECTIONS

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a place, another's if there is none, and start to watch."""
        self.since = self.loop.time()
        self._state = (False, 0)
        self._answers = 0
        super().connection_made(transport)
        make_room(self.connections, self, self.max_connections)
        self._watch = self.loop.call_later(self.check_seconds, self._check)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop watching, and leave no timer that would keep this connection's memory."""
        self._watch.cancel()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Note the progress."""
        self._answers += 1
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP; cut off what breaks while its answer is made or was sent."""
        if self.at_work or self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.abort()
            return
        super().send_400_response(msg)

    def shutdown(self) -> None:
        """End as soon as nothing is owed."""
        if self.conn.our_state is h11.ERROR:
            self.transport.abort()
            return
        super().shutdown()

    @property
    def at_work(self) -> bool:
        """True between a whole request and the last byte of its answer."""
        asked = self.cycle is not None and not self.cycle.response_complete
        return asked or self._unsent() > 0

    def _unsent(self) -> int:
        try:
            return self.transport.get_write_buffer_size()
        except AttributeError:  # asyncio's TLS transport forgets its inside when closed twice
            return 0

    def _check(self) -> None:
        now, state = self.loop.time(), (self.at_work, self._answers)
        if state != self._state:
            self._state, self.since = state, now
        limit = self.stalled_seconds if state[0] else self.silent_seconds
        if now - self.since >= limit:
            self.transport.abort()
            return
        self._watch = self.loop.call_later(self.check_seconds, self._check)


def make_room(connections: Iterable[Any], newcomer: Placed, places: int) -> None:
    """If more than `places` are taken, cut off the longest silent one but the newcomer."""
    others = [c for c in connections if isinstance(c, Placed) and c is not newcomer]
    if len(others) < places:
        return
    idle = [c for c in others if not c.at_work]
    min(idle or others, key=lambda c: c.since).transport.abort()
