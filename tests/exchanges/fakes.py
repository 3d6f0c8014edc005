"""A wire that answers from a script, and a clock that only moves when told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import httpx
import orjson

from rotator.core.names import KeyId, Secrets, Sensitive, SigningKey
from rotator.exchanges.port import Operation
from rotator.exchanges.registry import Clocks, Exchange, ExchangeSettings, open_exchange

T = TypeVar("T")

NOW = datetime(2026, 10, 1, 12, 0, 0, tzinfo=UTC)
LOOPBACK = "http://127.0.0.1:9999"

Step = httpx.Response | BaseException | Callable[[httpx.Request], httpx.Response]


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run one coroutine to its end."""
    return asyncio.run(work)


def reply(content: object, status: int = 200, **headers: str) -> httpx.Response:
    """Return a JSON answer."""
    return raw(orjson.dumps(content), status, **headers)


def raw(body: bytes, status: int = 200, **headers: str) -> httpx.Response:
    """Return an answer of any bytes; `_` in a header's name stands for `-`."""
    named = {k.replace("_", "-"): v for k, v in headers.items()}
    return httpx.Response(status, headers=named, stream=Chunks([body]))


class Chunks(httpx.AsyncByteStream):
    """A body that comes in pieces; counts what was taken from it."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self.pieces = pieces
        self.taken = 0
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            self.taken += 1
            yield piece

    async def aclose(self) -> None:
        self.closed = True


class Wire(httpx.AsyncBaseTransport):
    """Answers each request with the next step of its script and keeps the requests."""

    def __init__(self, *steps: Step) -> None:
        self.steps = list(steps)
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        assert self.steps, f"unexpected {request.method} {request.url.path}"
        step = self.steps.pop(0)
        if isinstance(step, BaseException):
            raise step
        return step if isinstance(step, httpx.Response) else step(request)


class Ticks:
    """A clock that moves only by sleeping on it or by being told."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds
        await asyncio.sleep(0)  # noqa: TID251  # lets others run, waits for nothing

    def clocks(self) -> Clocks:
        return Clocks(self.now, self.now, self.monotonic, self.sleep)


class Seen:
    """Keeps what an observer is told."""

    def __init__(self) -> None:
        self.answers: list[tuple[Operation, str, float, datetime | None]] = []

    def __call__(
        self, operation: Operation, outcome: str, seconds: float, date: datetime | None
    ) -> None:
        self.answers.append((operation, outcome, seconds, date))


def opened(
    name: str,
    wire: httpx.AsyncBaseTransport,
    ticks: Ticks | None = None,
    seen: Seen | None = None,
    **settings: Any,
) -> Exchange:
    """Open an exchange over a scripted wire, on loopback and without a budget unless told."""
    settings.setdefault("base_url", LOOPBACK)
    settings.setdefault("share", None if settings["base_url"] else 0.2)
    return open_exchange(
        name,
        ExchangeSettings(**settings),
        (ticks or Ticks()).clocks(),
        seen or Seen(),
        wire=wire,
    )


def hmac_key(key_id: str = "key-id-000000000001", secret: str = "canary-secret") -> SigningKey:
    """Return a plainly made-up HMAC key."""
    return SigningKey(KeyId(key_id), Secrets(api_secret=Sensitive(secret)))


def bybit_ok(result: object) -> dict[str, object]:
    """Return Bybit's envelope around a result."""
    return {"retCode": 0, "retMsg": "", "result": result, "retExtInfo": {}, "time": 1}


def bybit_error(code: object, said: str = "no") -> dict[str, object]:
    """Return Bybit's envelope of an error."""
    return {"retCode": code, "retMsg": said, "result": {}, "retExtInfo": {}, "time": 1}
