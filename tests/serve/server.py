"""A real server on loopback, in the running event loop, and a bare client."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from gzip import compress
from typing import Any

import httpx

from rotator.serve.app import build_app
from rotator.serve.guard import Guarded
from rotator.serve.server import serve
from rotator.serve.state import ServeState
from rotator.serve.webconfig_live import InForce
from tests.net.plugin import NET
from tests.serve.views import Told

TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass
class World:
    """What the endpoints are told, to be changed by a test."""

    text: bytes = b"rotator_leader 1\n"
    age: float = 0.0
    reason: str | None = None
    reloads: bool = True
    reloaded: int = 0
    waits_for: asyncio.Event | None = None
    views: Told = field(default_factory=Told)

    def metrics(self, *, gzip: bool) -> bytes:
        """Return the text."""
        return compress(self.text) if gzip else self.text

    async def reload(self) -> bool:
        """Count a reload."""
        self.reloaded += 1
        if self.waits_for is not None:
            await self.waits_for.wait()
        return self.reloads

    def state(self, **changes: Any) -> ServeState:
        """Return the state over this world."""
        state = ServeState(
            metrics=self.metrics,
            metrics_type=TYPE,
            beat_age=lambda: self.age,
            not_ready=lambda: self.reason,
            reload=self.reload,
            version="1.0 <b>",
            views=self.views,
        )
        return replace(state, **changes)


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    port: int
    stop: asyncio.Event
    task: asyncio.Task[None]
    scheme: str = "http"

    @property
    def url(self) -> str:
        """Its address."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @contextlib.asynccontextmanager
    async def connect(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """Open a bare connection for the length of a block."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield reader, writer
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def said(self, request: bytes) -> bytes:
        """Send raw bytes and return all that comes until the server closes."""
        async with self.connect() as (reader, writer):
            writer.write(request)
            return await ended(reader)


@contextlib.asynccontextmanager
async def running(
    state: ServeState,
    protocol: type[Guarded] = Guarded,
    in_force: Callable[[], InForce] = InForce,
) -> AsyncIterator[Running]:
    """Serve a state on a free port until the block ends."""
    stop = asyncio.Event()
    ports: asyncio.Queue[int] = asyncio.Queue()

    def started(_: str, port: int) -> None:
        ports.put_nowait(port)

    task = asyncio.create_task(
        serve(
            build_app(state),
            "127.0.0.1",
            0,
            stop,
            in_force=in_force,
            started=started,
            protocol=protocol,
        )
    )
    scheme = "https" if in_force().context is not None else "http"
    try:
        yield Running(await asyncio.wait_for(ports.get(), 10), stop, task, scheme)
    finally:
        stop.set()
        await asyncio.wait_for(task, 10)


async def ended(reader: asyncio.StreamReader) -> bytes:
    """Return what comes until the server closes or resets the connection."""
    try:
        return await asyncio.wait_for(reader.read(), 10)
    except ConnectionResetError:
        return b""


def client(
    server: Running,
    auth: tuple[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
) -> httpx.AsyncClient:
    """Return a client for a running server."""
    return httpx.AsyncClient(
        base_url=server.url,
        trust_env=False,
        timeout=10,
        auth=auth,
        verify=tls or False,
        event_hooks={"response": [searched]},
    )


async def searched(response: httpx.Response) -> None:
    """Search a page for secrets."""
    NET.look(f"the page {response.url.path}", await response.aread())


def asked(
    world: World, method: str, path: str, headers: dict[str, str] | None = None
) -> httpx.Response:
    """Ask the application once, without a socket."""

    async def ask() -> httpx.Response:
        wire = httpx.ASGITransport(build_app(world.state()))
        async with httpx.AsyncClient(
            transport=wire, base_url="http://127.0.0.1", event_hooks={"response": [searched]}
        ) as web:
            return await web.request(method, path, headers=headers)

    return asyncio.run(ask())
