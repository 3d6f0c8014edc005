"""The ASGI application: a handful of endpoints, each a few lines.

    GET  /metrics               the exposition, gzip if the client takes it
    GET  /healthz /-/healthy    200 while the event loop beats, else 503
    GET  /readyz  /-/ready      200 with a configuration and a store login, else 503
    POST /-/reload              reads the configuration again
    GET  /                      what this is, with links

HEAD is allowed wherever GET is.  Everything else is 404 or 405.
"""

from __future__ import annotations

import asyncio
import html
from collections.abc import Callable, Coroutine
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rotator.serve.state import ServeState

SCRAPES_AT_ONCE = 2
"""Scrapes rendered side by side; further ones wait, so they cannot take all threads."""

HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (
        b"content-security-policy",
        b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
)

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Rotator</title>
</head>
<body>
<h1>Rotator</h1>
<p>The life of exchange API keys kept in HashiCorp Vault. Version {version}.</p>
<ul>
<li><a href="/metrics">Metrics</a></li>
<li><a href="/healthz">Health</a></li>
<li><a href="/readyz">Readiness</a></li>
</ul>
</body>
</html>
"""

Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]


def build_app(state: ServeState) -> ASGIApp:
    """Return the application over `state`."""
    healthy, ready = _healthy(state), _ready(state)
    routes = [
        Route("/", _landing(state)),
        Route("/metrics", _metrics(state)),
        Route("/healthz", healthy),
        Route("/-/healthy", healthy),
        Route("/readyz", ready),
        Route("/-/ready", ready),
        Route("/-/reload", _reload(state), methods=["POST"]),
    ]
    app = Starlette(routes=routes)
    app.router.redirect_slashes = False
    return _Hardened(app)


class _Hardened:
    """Adds the safety headers to every answer, errors included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        await self._app(scope, receive, sending)


def takes_gzip(accept_encoding: str) -> bool:
    """Say whether an Accept-Encoding header allows gzip."""
    for part in accept_encoding.lower().split(","):
        coding, _, quality = part.partition(";")
        if coding.strip() == "gzip":
            return quality.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def _metrics(state: ServeState) -> Endpoint:
    turn = asyncio.Semaphore(SCRAPES_AT_ONCE)

    async def metrics(request: Request) -> Response:
        gzip = takes_gzip(request.headers.get("accept-encoding", ""))
        async with turn:
            body = await run_in_threadpool(state.metrics, gzip=gzip)
        headers = {"content-type": state.metrics_type, "vary": "accept-encoding"}
        if gzip:
            headers["content-encoding"] = "gzip"
        return Response(body, headers=headers)

    return metrics


def _healthy(state: ServeState) -> Endpoint:
    async def healthy(_: Request) -> Response:
        age = state.beat_age()
        if age > state.max_beat_age:
            return PlainTextResponse(f"no heartbeat for {age:.0f}s\n", 503)
        return PlainTextResponse("ok\n")

    return healthy


def _ready(state: ServeState) -> Endpoint:
    async def ready(_: Request) -> Response:
        reason = state.not_ready()
        if reason is not None:
            return PlainTextResponse(f"not ready: {reason}\n", 503)
        return PlainTextResponse("ready\n")

    return ready


def _reload(state: ServeState) -> Endpoint:
    busy = asyncio.Lock()

    async def reload(request: Request) -> Response:
        if "origin" in request.headers:
            # A browser sends it with every POST of a page: no page may reload us.
            return PlainTextResponse("not from a web page\n", 403)
        if busy.locked():
            return PlainTextResponse("a reload is under way\n", 409)
        async with busy:
            done = await state.reload()
        if not done:
            return PlainTextResponse(
                "not reloaded, the old configuration stays: see the log\n", 500
            )
        return PlainTextResponse("reloaded\n")

    return reload


def _landing(state: ServeState) -> Endpoint:
    page = PAGE.format(version=html.escape(state.version))

    async def landing(_: Request) -> Response:
        return HTMLResponse(page)

    return landing
