"""Bybit's costume: envelope, signature, windows, limits, routes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

import orjson

from rotator.sandbox import bybit_keys as keys
from rotator.sandbox.bybit_keys import BybitRefuses, Caller, Params, Result
from rotator.sandbox.bybit_words import (
    ACCOUNT_INFO,
    BAN,
    ERRORS,
    EVERY,
    PER_ADDRESS,
    PER_ADDRESS_EVERY,
    SPOT_MARKET,
    WALLET,
)
from rotator.sandbox.calendar import milliseconds
from rotator.sandbox.faults import Operation
from rotator.sandbox.ledger import ENVIRONMENT, Ledger, State
from rotator.sandbox.limits import Meter, Usage
from rotator.sandbox.signing import signed_by
from rotator.sandbox.wire import TEXT, Header, Refusal, Reply, Request, fields, json_reply, number

DEFAULT_WINDOW = 5000
AHEAD = 1000

Action = Callable[[Ledger, Caller, Params], Result]


@dataclass(frozen=True, slots=True)
class Route:
    """A signed call: what it does, what it is for, how often per second and account."""

    action: Action
    operation: Operation
    per_second: int
    message: str = ""


def _wallet(_: Ledger, __: Caller, ___: Params) -> Result:
    return {"list": [WALLET]}


def _account_info(_: Ledger, __: Caller, ___: Params) -> Result:
    return dict(ACCOUNT_INFO)


def _coins(_: Ledger, __: Caller, ___: Params) -> Result:
    return {"rows": []}


ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "/v5/user/query-api"): Route(keys.query_api, Operation.INSPECT, 10),
    ("GET", "/v5/user/sub-apikeys"): Route(keys.sub_apikeys, Operation.LIST, 10),
    ("GET", "/v5/user/query-sub-members"): Route(keys.query_sub_members, Operation.LIST, 10),
    ("GET", "/v5/user/submembers"): Route(keys.submembers, Operation.LIST, 10),
    ("POST", "/v5/user/create-sub-api"): Route(keys.create_sub_api, Operation.CREATE, 1),
    ("POST", "/v5/user/update-api"): Route(keys.update_api, Operation.MODIFY, 5),
    ("POST", "/v5/user/update-sub-api"): Route(keys.update_sub_api, Operation.MODIFY, 5),
    ("POST", "/v5/user/delete-api"): Route(keys.delete_api, Operation.DELETE, 5),
    ("POST", "/v5/user/delete-sub-api"): Route(keys.delete_sub_api, Operation.DELETE, 5),
    ("GET", "/v5/account/info"): Route(_account_info, Operation.ANY, 50, "OK"),
    ("GET", "/v5/account/wallet-balance"): Route(_wallet, Operation.ANY, 50, "OK"),
    ("GET", "/v5/asset/coin/query-info"): Route(_coins, Operation.ANY, 5, "OK"),
}


class Bybit:
    """Answers as Bybit's V5 API does."""

    def __init__(self, ledger: Ledger, meter: Meter) -> None:
        self._ledger = ledger
        self._meter = meter
        self._public: dict[str, Callable[[Request], Reply]] = {
            "/v5/market/time": self._time,
            "/v5/system/status": self._status,
            "/v5/market/instruments-info": self._markets,
        }

    def operation(self, request: Request) -> Operation:
        """Say what a call is for."""
        route = ROUTES.get((request.method, request.path))
        return Operation.ANY if route is None else route.operation

    def answer(self, request: Request) -> Reply:
        """Answer one call."""
        refused = self._at_the_door(request)
        if refused is not None:
            return refused
        route = ROUTES.get((request.method, request.path))
        if route is not None:
            return self._signed(route, request)
        public = self._public.get(request.path) if request.method == "GET" else None
        if public is not None:
            return public(request)
        return Reply(404, b"Cannot find path.", TEXT)

    def refuse(self, refusal: Refusal) -> Reply:
        """Return a refusal in Bybit's words; a maintenance has none but HTTP 503."""
        match refusal:
            case Refusal.RATE_LIMITED:
                usage = Usage(10, 10, self._ledger.calendar.now() + EVERY)
                return self._error(10006).also(self._limit_headers(usage))
            case Refusal.BANNED:
                return _banned()
            case Refusal.CLOCK_SKEW:
                return self._error(10002)
            case Refusal.UNKNOWN_OUTCOME:
                return self._error(10000)
            case Refusal.MAINTENANCE:
                return Reply(503, b"Service Unavailable", TEXT)
            case _:
                assert_never(refusal)

    def window_left(self, request: Request) -> float:
        """Return how long the signature stays acceptable, in seconds."""
        stamp = number(request.header(b"x-bapi-timestamp"))
        window = _window(request)
        if stamp is None or window is None:
            return 0.0
        now = milliseconds(self._ledger.calendar.real())
        return max(0, stamp + window - now) / 1000

    def _at_the_door(self, request: Request) -> Reply | None:
        if request.method not in ("GET", "POST"):
            text = b"Bad request. Need to send the request with GET / POST (must be capitalized)"
            return Reply(400, text, TEXT)
        if self._meter.banned_until(request.client) is not None:
            return _banned()
        usage = self._meter.take(("address", request.client), PER_ADDRESS, PER_ADDRESS_EVERY)
        if usage.exceeded:
            self._meter.ban(request.client, BAN)
            return _banned()
        if request.method == "GET" and request.body:
            return Reply(403, b"Forbidden request.", TEXT)
        return None

    def _signed(self, route: Route, request: Request) -> Reply:
        if not (request.header(b"x-bapi-api-key") and request.header(b"x-bapi-sign")):
            text = b"Invalid request. Need to put authentication params in the request header"
            return Reply(401, text, TEXT)
        try:
            caller = self._sign_in(request)
            usage = self._meter.take((request.path, caller.account.id), route.per_second, EVERY)
            if usage.exceeded:
                return self._error(10006).also(self._limit_headers(usage))
            result = route.action(self._ledger, caller, _params(request))
        except BybitRefuses as refused:
            return self._error(refused.code)
        return self._success(result, route.message).also(self._limit_headers(usage))

    def _sign_in(self, request: Request) -> Caller:
        ledger = self._ledger
        key = ledger.key(request.header(b"x-bapi-api-key"))
        if key is None or key.environment != ENVIRONMENT:
            raise BybitRefuses(10003)
        state = ledger.state(key)
        if state in (State.GONE, State.PENDING):
            raise BybitRefuses(10003)
        if not _in_window(request):
            raise BybitRefuses(10002)
        if not signed_by(key.material, _payload(request), request.header(b"x-bapi-sign")):
            raise BybitRefuses(10004)
        if state is State.EXPIRED:
            raise BybitRefuses(33004)
        if not key.admits(request.client):
            raise BybitRefuses(10010)
        return Caller(key, ledger.account_of(key))

    def _success(self, result: Result, message: str) -> Reply:
        return json_reply(200, self._envelope(0, message, result))

    def _error(self, code: int) -> Reply:
        return json_reply(200, self._envelope(code, ERRORS[code], {}))

    def _envelope(self, code: int, message: str, result: Result) -> Result:
        return {
            "retCode": code,
            "retMsg": message,
            "result": result,
            "retExtInfo": {},
            "time": milliseconds(self._ledger.calendar.real()),
        }

    def _limit_headers(self, usage: Usage) -> tuple[Header, ...]:
        calendar = self._ledger.calendar
        reset = milliseconds(calendar.as_real(usage.resets_at))
        return (
            (b"x-bapi-limit", b"%d" % usage.limit),
            (b"x-bapi-limit-status", b"%d" % max(0, usage.left)),
            (b"x-bapi-limit-reset-timestamp", b"%d" % reset),
        )

    def _time(self, _: Request) -> Reply:
        nanoseconds = milliseconds(self._ledger.calendar.real()) * 1_000_000
        result: Result = {
            "timeSecond": str(nanoseconds // 1_000_000_000),
            "timeNano": str(nanoseconds),
        }
        return self._success(result, "OK")

    def _status(self, _: Request) -> Reply:
        return self._success({"list": []}, "")

    def _markets(self, request: Request) -> Reply:
        category = (fields(request.query) or {}).get("category", "")
        markets = [SPOT_MARKET] if category == "spot" else []
        result: Result = {"category": category, "list": markets, "nextPageCursor": ""}
        return self._success(result, "OK")


def _banned() -> Reply:
    return Reply(403, b"access too frequent", TEXT)


def _window(request: Request) -> int | None:
    text = request.header(b"x-bapi-recv-window")
    return number(text, longest=9) if text else DEFAULT_WINDOW


def _in_window(request: Request) -> bool:
    stamp = number(request.header(b"x-bapi-timestamp"))
    window = _window(request)
    if stamp is None or window is None:
        raise BybitRefuses(keys.BAD_PARAMETER)
    now = milliseconds(request.arrived)
    return now - window <= stamp < now + AHEAD


def _payload(request: Request) -> bytes:
    signed = (
        request.headers.get(b"x-bapi-timestamp", b"")
        + request.headers.get(b"x-bapi-api-key", b"")
        + request.headers.get(b"x-bapi-recv-window", b"")
    )
    return signed + (request.query if request.method == "GET" else request.body)


def _params(request: Request) -> Params:
    if request.method == "GET":
        query = fields(request.query)
        if query is None:
            raise BybitRefuses(keys.BAD_PARAMETER)
        return query
    try:
        body = orjson.loads(request.body) if request.body else {}
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise BybitRefuses(keys.BAD_PARAMETER)
    return body
