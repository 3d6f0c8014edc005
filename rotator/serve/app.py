"""The ASGI application: a handful of endpoints, each a few lines.

    GET  /metrics               the exposition, gzip if the client takes it
    GET  /healthz /-/healthy    200 while the event loop beats, else 503
    GET  /readyz  /-/ready      200 with a configuration and a store login, else 503
    POST /-/reload              reads the configuration again
    GET  /                      the status page (page.py)
    GET  /api/v1/...            the same as JSON (api.py, openapi.json)

HEAD is allowed wherever GET is.  Everything else is 404 or 405.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rotator.serve.api import MEDIA_TYPE, PATHS, ROOT, Ask, Question, answer, credential
from rotator.serve.kept import Kept
from rotator.serve.page import POLICY, Page
from rotator.serve.query import BadQuery, wanted
from rotator.serve.state import ServeState

SCRAPES_AT_ONCE = 2
"""Scrapes rendered side by side; further ones wait, so they cannot take all threads."""

VIEWS_AT_ONCE = 2
"""The same for page and API."""

HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (
        b"content-security-policy",
        b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
)

Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]


def build_app(state: ServeState) -> ASGIApp:
    """Return the application over `state`."""
    reload = Route("/-/reload", _reload(state), methods=["POST"])
    return _app([*_views(state), Route("/metrics", _metrics(state)), *_probes(state), reload])


def build_probes(state: ServeState) -> ASGIApp:
    """Return the application of a port that answers the probes of Kubernetes alone."""
    return _app(_probes(state))


def _app(routes: list[Route]) -> ASGIApp:
    app = Starlette(routes=routes)
    app.router.redirect_slashes = False
    return _Hardened(app)


def _probes(state: ServeState) -> list[Route]:
    healthy, ready = _healthy(state), _ready(state)
    return [
        Route("/healthz", healthy),
        Route("/-/healthy", healthy),
        Route("/readyz", ready),
        Route("/-/ready", ready),
    ]


class _Hardened:
    """Adds the safety headers to every answer, errors included; an answer's own stand."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = list(message.get("headers", ()))
                names = {name for name, _ in own}
                message["headers"] = [*own, *(h for h in HEADERS if h[0] not in names)]
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


def _views(state: ServeState) -> list[Route]:
    """Return the routes of page and API; they share what is rendered, and their turns."""
    kept, turn = Kept(), asyncio.Semaphore(VIEWS_AT_ONCE)
    page = Page(state.version, kept)

    async def landing(request: Request) -> Response:
        live, sight = state.views.live(), state.views.sight()
        try:
            # A form sends what was left open as an empty text.
            asked = wanted(pair for pair in _pairs(request) if pair[1])
        except BadQuery as refused:
            return _page_answer(page.refusal(str(refused)), 400)
        async with turn:
            text = await run_in_threadpool(page.html, live, sight, asked)
        return _page_answer(text, 200)

    def endpoint_of(ask: Callable[[Request], Ask]) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            views = state.views
            question = Question(views.live(), views.sight(), _pairs(request), kept)
            async with turn:
                told = await run_in_threadpool(answer, ask(request), question)
            return Response(told.body, told.status, media_type=MEDIA_TYPE)

        return endpoint

    return [
        Route("/", landing),
        *(Route(f"{ROOT}{path}", endpoint_of(_always(ask))) for path, ask in PATHS.items()),
        Route(f"{ROOT}/credentials/{{name:path}}", endpoint_of(_named)),
    ]


def _always(ask: Ask) -> Callable[[Request], Ask]:
    return lambda _: ask


def _named(request: Request) -> Ask:
    return credential(request.path_params["name"])


def _pairs(request: Request) -> list[tuple[str, str]]:
    return request.query_params.multi_items()


def _page_answer(text: bytes, status: int) -> Response:
    return HTMLResponse(text, status, headers={"content-security-policy": POLICY})
