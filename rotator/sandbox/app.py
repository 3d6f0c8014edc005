"""An exchange as an ASGI application: reads a call, suffers its faults, answers.

The handler path is bare ASGI, because benchmarks measure what calls it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from starlette.types import ASGIApp, Receive, Scope, Send

from rotator.sandbox.calendar import Calendar
from rotator.sandbox.faults import LATE_BY_SECONDS, Fault
from rotator.sandbox.wire import HTML, TEXT, Refusal, Reply, Request
from rotator.sandbox.world import Exchange, World

MAX_BODY = 256 * 1024
HANG_UP = "hang_up"
"""The name under which a server's `state` offers to close the socket."""

Later = Callable[[float, Callable[[], object]], object]
"""Runs something after that many seconds, as `loop.call_later` does."""

GATEWAY_PAGE = Reply(
    502,
    b"<html><head><title>502 Bad Gateway</title></head>"
    b"<body><h1>502 Bad Gateway</h1></body></html>",
    HTML,
)
TOO_LARGE = Reply(413, b"Request Entity Too Large", TEXT)

REFUSALS: dict[Fault, Refusal] = {
    Fault.RATE_LIMITED: Refusal.RATE_LIMITED,
    Fault.BANNED: Refusal.BANNED,
    Fault.CLOCK_SKEW: Refusal.CLOCK_SKEW,
    Fault.MAINTENANCE: Refusal.MAINTENANCE,
}


class HungUp(Exception):
    """The connection is closed without an answer, where there is no socket to close."""


def build(world: World, exchange_name: str, later: Later) -> ASGIApp:
    """Return the ASGI application of one exchange of `world`.

    `later` carries what `late_apply` does after its answer was lost.  Without a
    server that offers `hang_up` in `scope["state"]`, a closed connection is the
    exception `HungUp` out of the application.
    """
    return ExchangeApp(world.exchanges[exchange_name], world.calendar, later)


@dataclass(frozen=True, slots=True)
class ExchangeApp:
    """One exchange's front door."""

    exchange: Exchange
    calendar: Calendar
    later: Later

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP call; other kinds of connection are ignored."""
        if scope["type"] != "http":
            return
        body = await read_body(receive, MAX_BODY)
        if body is None:
            await send_reply(send, TOO_LARGE)
            return
        request = self._request(scope, body)
        costume = self.exchange.costume
        fault = self.exchange.faults.take(costume.operation(request))
        reply = costume.answer(request) if fault is None else self._suffer(fault, request)
        if reply is None:
            await _hang_up(scope, receive)
        else:
            await send_reply(send, reply)

    def _request(self, scope: Scope, body: bytes) -> Request:
        client = scope.get("client")
        return Request(
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"],
            headers=dict(scope["headers"]),
            body=body,
            client=client[0] if client else "",
            arrived=self.calendar.real(),
        )

    def _suffer(self, fault: Fault, request: Request) -> Reply | None:
        """Apply what the fault lets through; None = close without an answer."""
        costume = self.exchange.costume
        match fault:
            case Fault.LOST_ANSWER:
                costume.answer(request)
                return None
            case Fault.NOT_APPLIED:
                return None
            case Fault.LATE_APPLY:
                delay = min(LATE_BY_SECONDS, costume.window_left(request))
                self.later(delay, lambda: costume.answer(request))
                return None
            case Fault.ERROR_AFTER_APPLY:
                costume.answer(request)
                return costume.refuse(Refusal.UNKNOWN_OUTCOME)
            case Fault.TRUNCATED:
                whole = costume.answer(request)
                return Reply(whole.status, whole.body[: len(whole.body) // 2], whole.kind)
            case Fault.HTML:
                return GATEWAY_PAGE
            case Fault.RATE_LIMITED | Fault.BANNED | Fault.CLOCK_SKEW | Fault.MAINTENANCE:
                return costume.refuse(REFUSALS[fault])
            case _:
                assert_never(fault)


async def read_body(receive: Receive, most: int) -> bytes | None:
    """Read a request's body; None if it is longer than `most` bytes."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"".join(parts)
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            return None
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


async def send_reply(send: Send, reply: Reply) -> None:
    """Send a whole answer."""
    headers = [
        (b"content-type", reply.kind),
        (b"content-length", b"%d" % len(reply.body)),
        *reply.headers,
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


async def _hang_up(scope: Scope, receive: Receive) -> None:
    close = scope.get("state", {}).get(HANG_UP)
    if close is None:
        raise HungUp
    close()
    await receive()
