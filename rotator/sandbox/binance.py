"""Binance's costume: signature, windows, weights and bans, routes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import assert_never
from urllib.parse import unquote_to_bytes

from rotator.sandbox import binance_keys as keys
from rotator.sandbox.binance_keys import BinanceRefuses, Caller, Params
from rotator.sandbox.binance_words import (
    AHEAD_TEXT,
    API_LIMIT,
    BANNED_TEXT,
    ERRORS,
    EVERY,
    FIRST_BAN,
    LONGEST_BAN,
    NO_ACCESS,
    RATE_LIMITS,
    SAPI_ADDRESS_LIMIT,
    SAPI_UID_LIMIT,
    SYMBOL,
    THROTTLED_TEXT,
    WARNINGS_BEFORE_BAN,
)
from rotator.sandbox.calendar import milliseconds
from rotator.sandbox.faults import Operation
from rotator.sandbox.ledger import ENVIRONMENT, HmacSecret, Key, Ledger, State
from rotator.sandbox.limits import Meter, Usage
from rotator.sandbox.signing import signed_by
from rotator.sandbox.wire import HTML, Header, Refusal, Reply, Request, fields, json_reply, number

DEFAULT_WINDOW = Decimal(5000)
LONGEST_WINDOW = Decimal(60_000)
AHEAD = 1000
MICROSECONDS_FROM = 10**14
WINDOW_FORM = re.compile(r"\d{1,9}(\.\d{1,3})?", re.ASCII)
SUB_KEY_WEIGHT = 3000

Action = Callable[[Ledger, Caller, Params], object]


@dataclass(frozen=True, slots=True)
class Route:
    """A signed call: what it does, what it is for, its weight per address or account."""

    action: Action
    operation: Operation
    weight: int = 1
    per_account: bool = False


def _sub_key(action: Action, operation: Operation) -> Route:
    return Route(action, operation, SUB_KEY_WEIGHT, per_account=True)


_SUB = "/sapi/v1/sub-account/subAccountApi"

ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "/sapi/v1/account/apiRestrictions"): Route(keys.api_restrictions, Operation.INSPECT),
    ("GET", "/api/v3/account"): Route(keys.spot_account, Operation.INSPECT, 20),
    ("GET", "/sapi/v1/account/status"): Route(keys.account_status, Operation.ANY),
    ("GET", "/sapi/v1/account/apiTradingStatus"): Route(keys.trading_status, Operation.ANY),
    ("GET", "/sapi/v1/account/info"): Route(keys.account_info, Operation.ANY),
    ("GET", "/sapi/v1/capital/config/getall"): Route(keys.nothing, Operation.ANY, 10),
    ("GET", "/sapi/v1/margin/allPairs"): Route(keys.nothing, Operation.ANY),
    ("GET", "/sapi/v1/margin/isolated/allPairs"): Route(keys.nothing, Operation.ANY, 10),
    ("GET", "/sapi/v1/sub-account/list"): Route(keys.sub_accounts, Operation.LIST),
    ("GET", _SUB): _sub_key(keys.list_keys, Operation.LIST),
    ("GET", _SUB + "/ipRestriction"): _sub_key(keys.show_addresses, Operation.LIST),
    ("POST", _SUB): _sub_key(keys.create_v1, Operation.CREATE),
    ("POST", "/sapi/v2/sub-account/subAccountApi"): _sub_key(keys.create_v2, Operation.CREATE),
    ("POST", _SUB + "Permission"): _sub_key(keys.set_permissions, Operation.MODIFY),
    ("POST", "/sapi/v2/sub-account/subAccountApi/ipRestriction"): _sub_key(
        keys.set_addresses, Operation.MODIFY
    ),
    ("DELETE", _SUB + "/ipRestriction/ipList"): _sub_key(keys.remove_addresses, Operation.MODIFY),
    ("DELETE", _SUB): _sub_key(keys.delete_key, Operation.DELETE),
}

PUBLIC_WEIGHT = {"/api/v3/exchangeInfo": 20}


class Binance:
    """Answers as Binance's spot, wallet and sub-account API does."""

    def __init__(self, ledger: Ledger, meter: Meter) -> None:
        self._ledger = ledger
        self._meter = meter
        self._bans: dict[str, int] = {}
        self._public: dict[str, Callable[[], object]] = {
            "/api/v3/ping": dict,
            "/api/v3/time": self._time,
            "/api/v3/exchangeInfo": self._markets,
            "/fapi/v1/exchangeInfo": self._no_markets,
            "/dapi/v1/exchangeInfo": self._no_markets,
            "/sapi/v1/system/status": lambda: {"status": 0, "msg": "normal"},
        }

    def operation(self, request: Request) -> Operation:
        """Say what a call is for."""
        route = ROUTES.get((request.method, request.path))
        return Operation.ANY if route is None else route.operation

    def answer(self, request: Request) -> Reply:
        """Answer one call."""
        until = self._meter.banned_until(request.client)
        if until is not None:
            left = until - self._ledger.calendar.now()
            return self._banned(left, milliseconds(self._ledger.calendar.as_real(until)))
        route = ROUTES.get((request.method, request.path))
        if route is not None:
            return self._signed(route, request)
        public = self._public.get(request.path) if request.method == "GET" else None
        if public is None:
            return Reply(404, b"<html><body><h2>404 Not found</h2></body></html>", HTML)
        usage, headers = self._weigh_address(request, PUBLIC_WEIGHT.get(request.path, 1))
        if usage.exceeded:
            return self._throttled(request, usage)
        return json_reply(200, public(), headers)

    def refuse(self, refusal: Refusal) -> Reply:
        """Return a refusal in Binance's words."""
        now = self._ledger.calendar.now()
        match refusal:
            case Refusal.RATE_LIMITED:
                return self._throttle_reply(Usage(API_LIMIT, API_LIMIT, now + EVERY))
            case Refusal.BANNED:
                real = self._ledger.calendar.real()
                return self._banned(FIRST_BAN, milliseconds(real + FIRST_BAN))
            case Refusal.CLOCK_SKEW:
                return _error(-1021)
            case Refusal.UNKNOWN_OUTCOME:
                return _error(-1007)
            case Refusal.MAINTENANCE:
                return _error(-1004)
            case _:
                assert_never(refusal)

    def window_left(self, request: Request) -> float:
        """Return how long the signature stays acceptable, in seconds."""
        params = _params(request)
        stamp = number(params.get("timestamp", "")) if params is not None else None
        window = _window(params) if params is not None else None
        if stamp is None or window is None:
            return 0.0
        now = milliseconds(self._ledger.calendar.real())
        return max(0.0, (float(window) + _in_milliseconds(stamp) - now) / 1000)

    def _signed(self, route: Route, request: Request) -> Reply:
        headers: tuple[Header, ...] = ()
        try:
            if not route.per_account:
                usage, headers = self._weigh_address(request, route.weight)
                if usage.exceeded:
                    return self._throttled(request, usage)
            caller, params = self._sign_in(request)
            if route.per_account:
                bucket = (request.method, request.path, caller.account.id)
                usage = self._meter.take(bucket, SAPI_UID_LIMIT, EVERY, route.weight)
                headers = ((b"x-sapi-used-uid-weight-1m", b"%d" % usage.used),)
                if usage.exceeded:
                    return self._throttled(request, usage)
            return json_reply(200, route.action(self._ledger, caller, params), headers)
        except BinanceRefuses as refused:
            return _error(refused.code, refused.text).also(headers)

    def _sign_in(self, request: Request) -> tuple[Caller, Params]:
        key_id = request.header(b"x-mbx-apikey")
        if not (key_id.isascii() and key_id.isalnum()):
            raise BinanceRefuses(-2014)
        key = self._ledger.key(key_id)
        if key is None or self._ledger.state(key) is not State.ACTIVE:
            raise BinanceRefuses(NO_ACCESS)
        params = _params(request)
        if params is None:
            raise BinanceRefuses(keys.MALFORMED)
        _check_window(request, params)
        if not _signature_holds(key, request):
            raise BinanceRefuses(-1022)
        if key.environment != ENVIRONMENT or not key.admits(request.client):
            raise BinanceRefuses(NO_ACCESS)
        in_query = frozenset(fields(request.query) or {})
        return Caller(key, self._ledger.account_of(key), self._ledger.powers(key), in_query), params

    def _weigh_address(self, request: Request, weight: int) -> tuple[Usage, tuple[Header, ...]]:
        if request.path.startswith("/sapi/"):
            bucket = (request.path, request.client)
            usage = self._meter.take(bucket, SAPI_ADDRESS_LIMIT, EVERY, weight)
            return usage, ((b"x-sapi-used-ip-weight-1m", b"%d" % usage.used),)
        family = request.path.split("/", 2)[1]
        usage = self._meter.take((family, request.client), API_LIMIT, EVERY, weight)
        used = b"%d" % usage.used
        return usage, ((b"x-mbx-used-weight", used), (b"x-mbx-used-weight-1m", used))

    def _throttled(self, request: Request, usage: Usage) -> Reply:
        warned = self._meter.take(("warned", request.client), WARNINGS_BEFORE_BAN, EVERY)
        if not warned.exceeded:
            return self._throttle_reply(usage)
        times = self._bans.get(request.client, 0)
        self._bans[request.client] = times + 1
        duration = min(FIRST_BAN * 2 ** min(times, 12), LONGEST_BAN)
        until = self._meter.ban(request.client, duration)
        return self._banned(duration, milliseconds(self._ledger.calendar.as_real(until)))

    def _throttle_reply(self, usage: Usage) -> Reply:
        wait = usage.resets_at - self._ledger.calendar.now()
        text = THROTTLED_TEXT.format(limit=usage.limit)
        return json_reply(429, {"code": -1003, "msg": text}, _retry_after(wait))

    def _banned(self, left: timedelta, until: int) -> Reply:
        text = BANNED_TEXT.format(until=until)
        return json_reply(418, {"code": -1003, "msg": text}, _retry_after(left))

    def _time(self) -> object:
        return {"serverTime": milliseconds(self._ledger.calendar.real())}

    def _markets(self) -> object:
        return {**self._no_markets(), "symbols": [SYMBOL]}

    def _no_markets(self) -> dict[str, object]:
        return {
            "timezone": "UTC",
            "serverTime": milliseconds(self._ledger.calendar.real()),
            "rateLimits": RATE_LIMITS,
            "exchangeFilters": [],
            "symbols": [],
        }


def _retry_after(wait: timedelta) -> tuple[Header, ...]:
    return ((b"retry-after", b"%d" % max(1, -(-wait // timedelta(seconds=1)))),)


def _error(code: int, text: str = "") -> Reply:
    status, words = ERRORS[code]
    return json_reply(status, {"code": code, "msg": text or words})


def _params(request: Request) -> dict[str, str] | None:
    query = fields(request.query)
    body = fields(request.body)
    return None if query is None or body is None else {**query, **body}


def _window(params: Params) -> Decimal | None:
    text = params.get("recvWindow")
    if text is None:
        return DEFAULT_WINDOW
    return Decimal(text) if WINDOW_FORM.fullmatch(text) else None


def _in_milliseconds(stamp: int) -> float:
    return stamp / 1000 if stamp >= MICROSECONDS_FROM else stamp


def _check_window(request: Request, params: Params) -> None:
    stamp = number(params.get("timestamp", ""))
    window = _window(params)
    if stamp is None or window is None:
        raise BinanceRefuses(keys.MALFORMED)
    if window > LONGEST_WINDOW:
        raise BinanceRefuses(-1131)
    now, sent = milliseconds(request.arrived), _in_milliseconds(stamp)
    if sent >= now + AHEAD:
        raise BinanceRefuses(-1021, AHEAD_TEXT)
    if now - sent > float(window):
        raise BinanceRefuses(-1021)


def _signature_holds(key: Key, request: Request) -> bool:
    query, body = request.query, request.body
    if not (query.isascii() and body.isascii()):
        return False
    if body:
        body, mark, raw = _split(body)
        if not mark:
            query, mark, raw = _split(query)
    else:
        query, mark, raw = _split(query)
    if not raw:
        raise BinanceRefuses(keys.MALFORMED)
    if isinstance(key.material, HmacSecret):
        return signed_by(key.material, query + body, raw.decode().lower())
    if b"+" in raw or b"/" in raw or b"=" in raw:
        return False
    signature = unquote_to_bytes(raw).decode("latin-1")
    return signed_by(key.material, query + body, signature)


def _split(text: bytes) -> tuple[bytes, bytes, bytes]:
    """Split what is signed from the signature that stands last; no mark, no signature."""
    head, mark, tail = text.rpartition(b"signature=")
    if not mark or (head and not head.endswith(b"&")) or b"&" in tail:
        return text, b"", b""
    return head.removesuffix(b"&"), mark, tail
