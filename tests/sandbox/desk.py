"""A seeded sandbox under a clock that tests move, and small clients that sign by themselves."""

from __future__ import annotations

import functools
import hashlib
import hmac
import json
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from starlette.types import ASGIApp, Message

from rotator.sandbox.app import build
from rotator.sandbox.control import control
from rotator.sandbox.ledger import Ledger
from rotator.sandbox.seeds import sow
from rotator.sandbox.signing import key_pair
from rotator.sandbox.world import World, new_world

NOON = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
HOME = "127.0.0.1"
BYBIT = "/v5/user/"
SUB_KEYS = "/sapi/v1/sub-account/subAccountApi"

KeyObject = dict[str, Any]

PAIRS = functools.cache(key_pair)
"""One key pair of a kind serves every test: making one is slow."""


class Time:
    """Real time as the test tells it."""

    def __init__(self) -> None:
        self.real = NOON

    def __call__(self) -> datetime:
        return self.real

    def pass_(self, **step: float) -> None:
        """Let real time pass."""
        self.real += timedelta(**step)

    def ms(self) -> int:
        """Return real time in milliseconds."""
        return round(self.real.timestamp() * 1000)


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)


class Desk:
    """A seeded world, its applications, and what was put off until later."""

    def __init__(self, *, limits: bool = False) -> None:
        self.time = Time()
        self.world: World = new_world(self.time, limits=limits)
        self.seeds = sow(self.world, PAIRS)
        self.late: list[tuple[float, Callable[[], object]]] = []
        self.apps: dict[str, ASGIApp] = {
            name: build(self.world, name, lambda *put_off: self.late.append(put_off))
            for name in self.world.exchanges
        }
        self.control_app = control(self.world)

    def key(self, exchange: str, place: int = 0) -> KeyObject:
        """Return a seeded key."""
        return self.seeds[exchange]["keys"][place]

    def parent(self, exchange: str) -> KeyObject:
        """Return the seeded parent."""
        return self.seeds[exchange]["parents"][0]

    def ledger(self, exchange: str) -> Ledger:
        """Return an exchange's books."""
        return self.world.exchanges[exchange].ledger

    def control(self, method: str, path: str, body: object = None) -> Answer:
        """Call the control port."""
        raw = b"" if body is None else json.dumps(body).encode()
        return ask(self.control_app, method, path, body=raw)

    def new_key(self, exchange: str, **wishes: object) -> KeyObject:
        """Make a key through the control port."""
        answer = self.control("POST", "/keys", {"exchange": exchange, **wishes})
        assert answer.status == 200, answer.body
        made: KeyObject = answer.json
        return made

    def order(self, exchange: str, operation: str, fault: str, times: int | None = 1) -> None:
        """Order a fault."""
        body = {"exchange": exchange, "operation": operation, "fault": fault, "times": times}
        assert self.control("POST", "/faults", body).status == 200

    def bybit(
        self,
        method: str,
        path: str,
        key: KeyObject,
        params: Mapping[str, object] | None = None,
        *,
        client: str = HOME,
        stamp: int | None = None,
        window: str = "5000",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Call Bybit, signed with `key`; a path without slash is under /v5/user/."""
        query = urlencode(params or {}).encode() if method == "GET" else b""
        body = json.dumps(params or {}).encode() if method == "POST" else b""
        sent = str(self.time.ms() if stamp is None else stamp)
        payload = f"{sent}{key['api_key']}{window}".encode() + query + body
        signed = {
            "x-bapi-api-key": key["api_key"],
            "x-bapi-timestamp": sent,
            "x-bapi-recv-window": window,
            "x-bapi-sign": hmac_hex(key, payload),
            **(headers or {}),
        }
        where = path if path.startswith("/") else BYBIT + path
        app = self.apps["bybit"]
        return ask(app, method, where, query=query, body=body, headers=signed, client=client)

    def bybit_result(self, *call: Any, **more: Any) -> Any:
        """Call Bybit and return the `result` of a success."""
        answer = self.bybit(*call, **more)
        assert answer.json["retCode"] == 0, answer.body
        return answer.json["result"]

    def bybit_code(self, *call: Any, **more: Any) -> int:
        """Call Bybit and return the `retCode`."""
        code: int = self.bybit(*call, **more).json["retCode"]
        return code

    def binance(
        self,
        method: str,
        path: str,
        key: KeyObject,
        params: Mapping[str, object] | None = None,
        *,
        client: str = HOME,
        stamp: int | None = None,
        in_body: bool = False,
        sign: Callable[[bytes], str] | None = None,
    ) -> Answer:
        """Call Binance, signed with `key`."""
        sent = self.time.ms() if stamp is None else stamp
        text = urlencode({**(params or {}), "timestamp": sent}).encode()
        signature = sign(text) if sign else hmac_hex(key, text)
        whole = text + b"&" + urlencode({"signature": signature}).encode()
        query, body = (b"", whole) if in_body else (whole, b"")
        headers = {"x-mbx-apikey": key["api_key"]}
        app = self.apps["binance"]
        return ask(app, method, path, query=query, body=body, headers=headers, client=client)


def hmac_hex(key: KeyObject, payload: bytes) -> str:
    """Return the HMAC-SHA256 of a payload; a key pair's object gives a wrong one."""
    secret = str(key.get("api_secret", "none")).encode()
    return hmac.new(secret, payload, hashlib.sha256).hexdigest()


def ask(
    app: ASGIApp,
    method: str,
    path: str,
    *,
    query: bytes = b"",
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    client: str = HOME,
) -> Answer:
    """Call an ASGI application that never waits."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query,
        "headers": [(k.encode("latin-1"), v.encode("latin-1")) for k, v in (headers or {}).items()],
        "client": (client, 40_000),
    }
    _finish(app(scope, receive, send))  # type: ignore[arg-type]  # an application is a coroutine
    start, whole = sent
    names = {k.decode(): v.decode() for k, v in start["headers"]}
    return Answer(start["status"], names, whole["body"])


def _finish(running: Coroutine[Any, Any, None]) -> None:
    try:
        running.send(None)
    except StopIteration:
        return
    raise AssertionError("the application waited for something")
