"""The way out: the only module that opens connections to an exchange.

One client per exchange, a few connections, no environment, no redirect, no
cookie.  What leaves passes one gate that pins the host and knows every allowed
(method, path); a reading call can leave only through the read-only list.
Whatever goes wrong comes back as an `ExchangeError`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final

import httpx
import orjson

from rotator.core.names import ExchangeName, KeyId
from rotator.core.outcome import ExchangeError, Failure, Happened, Meaning
from rotator.exchanges.budget import NOT_SENT, Budget, Costs, Monotonic, Rate
from rotator.exchanges.errors import Answer
from rotator.exchanges.origin import Origin
from rotator.exchanges.port import Capabilities, Operation
from rotator.exchanges.reading import http_date

MAX_BODY: Final = 1 << 20
RECEIVE_WINDOW: Final = timedelta(seconds=5)
"""How long after its signature a request may be accepted."""

READING: Final = "rotator.reading"
SECONDS: Final = httpx.Timeout(10.0, connect=5.0)
TOTAL_SECONDS: Final = 15.0
CONNECTIONS: Final = httpx.Limits(max_connections=8, max_keepalive_connections=4)

OnAnswer = Callable[[Operation, str, float, datetime | None], None]
"""Called for each answer: operation, "ok" or the error meaning, seconds, server's `Date`."""

NOT_LEFT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
MAYBE_LEFT: Final = (
    httpx.WriteTimeout,
    httpx.WriteError,
    httpx.ReadTimeout,
    httpx.ReadError,
    httpx.CloseError,
    httpx.LocalProtocolError,
    httpx.RemoteProtocolError,
    httpx.ProxyError,
    httpx.DecodingError,
    httpx.TooManyRedirects,
    httpx.HTTPStatusError,
    httpx.CookieConflict,
    httpx.StreamError,
    httpx.StreamConsumed,
    httpx.StreamClosed,
    httpx.ResponseNotRead,
    httpx.RequestNotRead,
    httpx.HTTPError,
    httpx.RequestError,
    httpx.TransportError,
    httpx.TimeoutException,
    httpx.NetworkError,
    httpx.ProtocolError,
)
FAULTS: Final[dict[type[Exception], Happened]] = {
    **dict.fromkeys(NOT_LEFT, Happened.NOT_APPLIED),
    **dict.fromkeys(MAYBE_LEFT, Happened.UNKNOWN),
}
"""What each httpx exception means for a mutation; the meaning is unknown_outcome."""


@dataclass(frozen=True, slots=True)
class Route:
    """One call of an exchange: what it is for, where it goes, what it costs."""

    operation: Operation
    method: str
    path: str
    costs: Costs

    @property
    def place(self) -> tuple[str, str]:
        """The (method, path) by which the gate knows it."""
        return (self.method, self.path)


@dataclass(frozen=True, slots=True)
class Doors:
    """Every (method, path) that may leave: `reading` ones change nothing."""

    reading: frozenset[tuple[str, str]]
    acting: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Profile:
    """What an adapter module says of its exchange, for the registry to build it.

    `hosts` maps an environment to its address, `rates` the names used in
    `Route.costs` to published limits; `stops` are the statuses after which
    nothing more is sent for a time.
    """

    name: ExchangeName
    capabilities: Capabilities
    hosts: Mapping[str, str]
    rates: Mapping[str, Rate]
    doors: Doors
    failure_of: Callable[[Answer], Failure | None]
    stops: frozenset[int]


class Gate(httpx.AsyncBaseTransport):
    """The last step before the wire: pinned host, known path, read-only where promised."""

    def __init__(self, inner: httpx.AsyncBaseTransport, origin: Origin, doors: Doors) -> None:
        self._inner = inner
        self._origin = origin
        self._doors = doors

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass the request on, or raise ExchangeError without sending it."""
        url = request.url
        if (url.scheme, url.host, url.port) != self._origin.pin:
            raise refused("the host is not the one pinned for this exchange")
        place = (request.method, url.raw_path.partition(b"?")[0].decode("ascii"))
        reading = bool(request.extensions.get(READING))
        allowed = self._doors.reading if reading else self._doors.acting
        if place not in allowed:
            raise refused(f"{'reading' if reading else 'acting'} may not use this call")
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


class Transport:
    """Sends an adapter's calls and turns every bad end into an ExchangeError."""

    def __init__(
        self,
        origin: Origin,
        profile: Profile,
        budget: Budget,
        monotonic: Monotonic,
        on_answer: OnAnswer,
        *,
        wire: httpx.AsyncBaseTransport | None = None,
        proxy: str | None = None,
        agent: str = "rotator",
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        inner = wire or httpx.AsyncHTTPTransport(
            trust_env=False, limits=CONNECTIONS, retries=0, proxy=proxy
        )
        self._client = httpx.AsyncClient(
            transport=Gate(inner, origin, profile.doors),
            trust_env=False,
            follow_redirects=False,
            timeout=SECONDS,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            headers={
                "User-Agent": agent,
                "Accept": "application/json",
                "Accept-Encoding": "identity",
            },
        )
        self._origin = origin
        self._failure_of = profile.failure_of
        self._stops = profile.stops
        self.budget = budget
        self._monotonic = monotonic
        self._on_answer = on_answer
        self._total = total_seconds

    async def ask(self, route: Route, auth: httpx.Auth, key_id: KeyId, query: str = "") -> Answer:
        """Send a reading call, after waiting for its budget; raise ExchangeError."""
        await self.budget.take(route.costs, key_id)
        return await self._send(route, auth, query, b"", reading=True)

    async def act(self, route: Route, auth: httpx.Auth, body: bytes, query: str = "") -> Answer:
        """Send a changing call at once (its budget was taken before it was signed)."""
        self.budget.refuse_if_stopped()
        return await self._send(route, auth, query, body, reading=False)

    async def aclose(self) -> None:
        """Close the connections; open calls fail."""
        await self._client.aclose()

    async def _send(
        self, route: Route, auth: httpx.Auth, query: str, body: bytes, *, reading: bool
    ) -> Answer:
        started = self._monotonic()
        answer: Answer | None = None
        try:
            answer = await self._round_trip(route, auth, query, body, reading=reading)
            failure = self._failure_of(answer)
        except ExchangeError as error:
            failure = error.failure
        self._tell(route, failure, started, answer)
        if failure is not None:
            if answer is not None and answer.status in self._stops and failure.retry_after:
                self.budget.stop(failure.retry_after)
            raise ExchangeError(harmless(failure) if reading else failure)
        if answer is None:  # pragma: no cover  # an answer or a failure: there is no third
            raise AssertionError
        return answer

    async def _round_trip(
        self, route: Route, auth: httpx.Auth, query: str, body: bytes, *, reading: bool
    ) -> Answer:
        try:
            async with asyncio.timeout(self._total):
                request = self._client.build_request(
                    route.method,
                    self._origin.url + route.path + (f"?{query}" if query else ""),
                    content=body or None,
                    headers={"Content-Type": "application/json"} if body else None,
                    extensions={READING: True} if reading else None,
                )
                response = await self._client.send(request, auth=auth, stream=True)
                try:
                    return await _read(response)
                finally:
                    await response.aclose()
        except tuple(FAULTS) as error:
            raise ExchangeError(fault(error)) from None
        except TimeoutError:
            raise ExchangeError(lost("TimeoutError", Happened.UNKNOWN)) from None

    def _tell(
        self, route: Route, failure: Failure | None, started: float, answer: Answer | None
    ) -> None:
        outcome = failure.meaning.value if failure else "ok"
        date = http_date(answer.headers.get("date")) if answer else None
        self._on_answer(route.operation, outcome, self._monotonic() - started, date)


def fault(error: Exception) -> Failure:
    """Return what an httpx exception means for a mutation; its text may hold a URL."""
    known = next(FAULTS[c] for c in type(error).__mro__ if c in FAULTS)
    return lost(type(error).__name__, known)


def lost(name: str, happened: Happened) -> Failure:
    """Return the failure of a call that got no answer."""
    left = "no connection" if happened is Happened.NOT_APPLIED else "no whole answer"
    return Failure.of(Meaning.UNKNOWN_OUTCOME, f"{left} ({name})", code=name, happened=happened)


def refused(message: str) -> ExchangeError:
    """Return the error of a request that was stopped before it left."""
    return ExchangeError(Failure.of(Meaning.BAD_REQUEST, f"not sent: {message}", code=NOT_SENT))


def harmless(failure: Failure) -> Failure:
    """Return the failure of a reading call: whatever became of it, nothing changed."""
    if failure.happened is not Happened.UNKNOWN:
        return failure
    return Failure.of(
        failure.meaning,
        failure.message,
        code=failure.code,
        candidates=failure.candidates,
        retry_after=failure.retry_after,
        happened=Happened.NOT_APPLIED,
    )


async def _read(response: httpx.Response) -> Answer:
    """Read a body within its bound and parse it; never more than MAX_BODY is kept."""
    headers = {k.lower(): v for k, v in response.headers.items()}
    if headers.get("content-encoding", "identity") != "identity":
        return Answer(response.status_code, None, headers, "a compressed body, not asked for")
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MAX_BODY:
            return Answer(response.status_code, None, headers, "more than 1 MiB")
    try:
        document = orjson.loads(bytes(body))
    except orjson.JSONDecodeError:
        html = bytes(body[:512]).lstrip().startswith(b"<")
        said = "a web page, not JSON" if html else "text that is not (whole) JSON"
        return Answer(response.status_code, None, headers, said)
    return Answer(response.status_code, document, headers)
