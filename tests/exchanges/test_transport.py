"""What leaves, where to, and what becomes of each way in which it can go wrong."""

from __future__ import annotations

import asyncio
import gzip
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from rotator.core.facts import Validity
from rotator.core.issue import IssuedKey, KeySpec
from rotator.core.names import AccountId, KeyId
from rotator.core.outcome import ExchangeError, Failure, Happened, Meaning
from rotator.exchanges import bybit
from rotator.exchanges.budget import Budget
from rotator.exchanges.bybit import sheet
from rotator.exchanges.bybit.adapter import auth_of
from rotator.exchanges.origin import pinned
from rotator.exchanges.port import Operation
from rotator.exchanges.transport import FAULTS, MAX_BODY, NOT_LEFT, Route, Transport, fault
from tests.exchanges.fakes import (
    LOOPBACK,
    NOW,
    Chunks,
    Seen,
    Step,
    Ticks,
    Wire,
    bybit_error,
    bybit_ok,
    hmac_key,
    opened,
    raw,
    reply,
    run,
)

SPEC = KeySpec(AccountId("42"), ("Spot.SpotTrade",), (("readOnly", "0"),), ("192.0.2.1",))
KEY = hmac_key()


def inspected(step: Step) -> tuple[Validity, Failure | None]:
    """Return how one look ends when the wire does `step`."""

    async def look() -> tuple[Validity, Failure | None]:
        told = await opened("bybit", Wire(step)).inspect(KEY)
        return told.validity, told.failure

    return run(look())


def created(step: Step) -> IssuedKey | Failure:
    """Return how one create call ends when the wire does `step`."""
    return run(opened("bybit", Wire(step)).create_key(KEY, SPEC, "label", NOW))


def refusal(step: Step) -> Failure:
    """Return the failure of a create call."""
    told = created(step)
    assert isinstance(told, Failure)
    return told


def httpx_exceptions() -> set[type[Exception]]:
    """Return every exception class that httpx publishes."""
    names = (getattr(httpx, name) for name in dir(httpx))
    return {c for c in names if isinstance(c, type) and issubclass(c, Exception)}


EXCEPTIONS = sorted(httpx_exceptions(), key=str)


def an(kind: type[Exception]) -> Exception:
    """Build an httpx exception of any class, with a secret-looking text."""
    text = "canary https://x/?signature=canary"
    request = httpx.Request("GET", LOOPBACK)
    if kind is httpx.HTTPStatusError:
        return httpx.HTTPStatusError(text, request=request, response=httpx.Response(500))
    if kind in {httpx.StreamConsumed, httpx.StreamClosed, httpx.ResponseNotRead}:
        return kind()
    return httpx.RequestNotRead() if kind is httpx.RequestNotRead else kind(text)


def test_every_httpx_exception_is_mapped() -> None:
    """The table names each exception class that httpx has, and no other."""
    assert set(FAULTS) == httpx_exceptions()


@pytest.mark.parametrize("kind", EXCEPTIONS)
def test_each_httpx_exception_on_a_mutation(kind: type[Exception]) -> None:
    """What did not leave was not applied; everything later is unknown; no text leaks."""
    failure = refusal(an(kind))
    assert failure.meaning is Meaning.UNKNOWN_OUTCOME
    left = kind not in NOT_LEFT
    assert failure.happened is (Happened.UNKNOWN if left else Happened.NOT_APPLIED)
    assert failure.code == kind.__name__
    assert "canary" not in repr(failure)


@pytest.mark.parametrize("kind", EXCEPTIONS)
def test_each_httpx_exception_on_a_look(kind: type[Exception]) -> None:
    """A look that gets no answer is an exchange that is down, and has changed nothing."""
    validity, failure = inspected(an(kind))
    assert validity is Validity.EXCHANGE_DOWN
    assert failure is not None
    assert failure.happened is Happened.NOT_APPLIED


def test_a_subclass_of_a_mapped_exception_is_mapped() -> None:
    """An exception that a later httpx derives from a known one means what that one means."""

    class Later(httpx.ConnectError): ...

    assert fault(Later("")).happened is Happened.NOT_APPLIED


@pytest.mark.parametrize(
    "step",
    [
        raw(b"<html>bad gateway</html>", 502),
        raw(b"<html>welcome to the hotel</html>"),
        raw(b'{"retCode": 0, "retMsg": "", "resu'),
        raw(b""),
        raw(b"null"),
        raw(b"[]"),
        raw(b"[" * 100_000),
        raw(b'{"retCode": 0}', 302, location="https://elsewhere.example/"),
        reply(bybit_ok({}), 500),
        reply(bybit_error(10003), 503),
        reply({"retCode": "nought"}),
        reply({"retCode": True}),
        raw(gzip.compress(b'{"retCode": 10003}'), content_encoding="gzip"),
        raw(b"\xff\xfe"),
    ],
)
def test_an_answer_that_is_none_is_an_unknown_outcome(step: httpx.Response) -> None:
    """5xx, HTML, truncated, compressed, redirecting and misshapen answers prove nothing."""
    failure = refusal(step)
    assert failure.meaning is Meaning.UNKNOWN_OUTCOME
    assert failure.happened is Happened.UNKNOWN


def test_redirects_are_never_followed() -> None:
    """A redirect, even to the same host, is answered by no second request."""
    wire = Wire(raw(b"", 307, location=f"{LOOPBACK}/v5/user/query-api"))
    run(opened("bybit", wire).inspect(KEY))
    assert len(wire.requests) == 1


def test_a_body_is_read_no_further_than_its_bound() -> None:
    """An endless answer is cut off after one MiB and its connection closed."""
    body = Chunks([b" " * 65536] * 1000)
    validity, failure = inspected(httpx.Response(200, stream=body))
    assert validity is Validity.EXCHANGE_DOWN
    assert failure is not None
    assert "1 MiB" in failure.message
    assert body.taken == MAX_BODY // 65536 + 1
    assert body.closed


def test_a_call_has_an_end() -> None:
    """An answer that never comes ends with the time for the whole call."""

    class Silent(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await asyncio.Event().wait()
            raise AssertionError

    async def ask() -> Failure:
        with pytest.raises(ExchangeError) as raised:
            await transport(Silent(), total_seconds=0.0).act(sheet.CREATE, auth_of(KEY, NOW), b"{}")
        return raised.value.failure

    failure = run(ask())
    assert (failure.meaning, failure.happened) == (Meaning.UNKNOWN_OUTCOME, Happened.UNKNOWN)


def transport(
    wire: httpx.AsyncBaseTransport,
    base_url: str = LOOPBACK,
    total_seconds: float = 15.0,
) -> Transport:
    """Return Bybit's transport over a fake wire."""
    ticks = Ticks()
    return Transport(
        pinned("bybit", bybit.PROFILE.hosts, "prod", base_url),
        bybit.PROFILE,
        Budget(bybit.PROFILE.rates, None, ticks.monotonic, ticks.sleep),
        ticks.monotonic,
        Seen(),
        wire=wire,
        total_seconds=total_seconds,
    )


@pytest.mark.parametrize("route", [sheet.CREATE, sheet.DELETE])
def test_reading_cannot_leave_through_a_changing_call(route: Route) -> None:
    """A reading call on a changing path is stopped before it leaves."""
    wire = Wire()
    with pytest.raises(ExchangeError) as raised:
        run(transport(wire).ask(route, auth_of(KEY, NOW), KEY.key_id))
    assert wire.requests == []
    assert raised.value.failure.happened is Happened.REFUSED


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v5/asset/withdraw/query-record"),
        ("POST", "/v5/user/query-api"),
        ("GET", "/v5/user/query-api/../delete-api"),
        ("GET", "/v5/user/query-api%2f"),
        ("GET", "//v5/user/query-api"),
    ],
)
def test_an_unlisted_call_never_leaves(method: str, path: str) -> None:
    """What is not on the allow-list to the letter is not sent, neither read nor changed."""
    wire = Wire()
    route = Route(Operation.INSPECT, method, path, ())
    for call in (
        transport(wire).ask(route, auth_of(KEY, NOW), KEY.key_id),
        transport(wire).act(route, auth_of(KEY, NOW), b"{}"),
    ):
        with pytest.raises(ExchangeError):
            run(call)
    assert wire.requests == []


def test_the_host_is_pinned_even_against_the_signer() -> None:
    """A request that was turned to another host on its way is stopped at the gate."""

    class Turning(httpx.Auth):
        def auth_flow(self, request: httpx.Request):  # type: ignore[no-untyped-def]
            request.url = request.url.copy_with(host="elsewhere.example")
            yield request

    wire = Wire()
    with pytest.raises(ExchangeError) as raised:
        run(transport(wire).ask(sheet.INSPECT, Turning(), KEY.key_id))
    assert wire.requests == []
    assert "host" in raised.value.failure.message


def test_only_the_pinned_host_is_asked() -> None:
    """Each environment's request goes to that environment's host, over https."""
    for environment, host in [
        ("prod", "api.bybit.com"),
        ("testnet", "api-testnet.bybit.com"),
        ("demo", "api-demo.bybit.com"),
    ]:
        wire = Wire(reply(bybit_error(10003)))
        run(opened("bybit", wire, base_url=None, environment=environment).inspect(KEY))
        assert str(wire.requests[0].url) == f"https://{host}/v5/user/query-api"


def test_no_cookie_is_kept() -> None:
    """A cookie that an exchange or its CDN sets is not sent back."""
    wire = Wire(reply(bybit_error(10003), set_cookie="trace=1; Path=/"), reply(bybit_error(10003)))

    async def twice() -> None:
        exchange = opened("bybit", wire)
        await exchange.inspect(KEY)
        await exchange.inspect(KEY)

    run(twice())
    assert "cookie" not in wire.requests[1].headers


def test_the_observer_hears_of_each_answer() -> None:
    """Operation, outcome, seconds and the server's date are told, and no secret."""
    seen, ticks = Seen(), Ticks()

    def slow(_: httpx.Request) -> httpx.Response:
        ticks.seconds += 2
        return reply(bybit_error(10003), date="Thu, 01 Oct 2026 12:00:32 GMT")

    async def look() -> timedelta | None:
        exchange = opened("bybit", Wire(slow, httpx.ConnectError("")), ticks, seen)
        await exchange.inspect(KEY)
        await exchange.inspect(KEY)
        return exchange.clock_offset

    offset = run(look())
    date = datetime(2026, 10, 1, 12, 0, 32, tzinfo=UTC)
    assert seen.answers == [
        (Operation.INSPECT, "invalid_key", 2.0, date),
        (Operation.INSPECT, "unknown_outcome", 0.0, None),
    ]
    assert offset == timedelta(seconds=30)


@pytest.mark.parametrize(
    ("status", "headers", "stopped"),
    [
        (403, {}, timedelta(minutes=10)),
        (403, {"retry_after": "30"}, timedelta(seconds=30)),
        (429, {}, timedelta(seconds=5)),
        (
            429,
            {
                "retry_after": "Thu, 01 Oct 2026 12:01:00 GMT",
                "date": "Thu, 01 Oct 2026 12:00:00 GMT",
            },
            timedelta(minutes=1),
        ),
        (429, {"retry_after": "soon"}, timedelta(seconds=5)),
        (429, {"retry_after": "nan"}, timedelta(seconds=5)),
        (429, {"retry_after": "-1"}, timedelta(seconds=5)),
        (429, {"retry_after": "9e99"}, timedelta(seconds=5)),
    ],
)
def test_a_ban_stops_the_exchange(status: int, headers: dict[str, str], stopped: timedelta) -> None:
    """After a ban nothing is sent for the time that it says, whatever is asked."""
    ticks = Ticks()
    wire = Wire(raw(b"access too frequent", status, **headers))

    async def ask() -> tuple[timedelta | None, Failure | None, IssuedKey | Failure]:
        exchange = opened("bybit", wire, ticks)
        await exchange.inspect(KEY)
        left = exchange.banned_for()
        assert exchange.banned_until() == NOW + stopped
        look = await exchange.inspect(KEY)
        return left, look.failure, await exchange.create_key(KEY, SPEC, "label", NOW)

    left, failure, issued = run(ask())
    assert left == stopped
    assert failure is not None
    assert isinstance(issued, Failure)
    for refused in (failure, issued):
        assert (refused.meaning, refused.happened) == (Meaning.BANNED, Happened.NOT_APPLIED)
        assert refused.retry_after == stopped
    assert len(wire.requests) == 1


def test_the_rate_limit_tells_its_window() -> None:
    """Bybit's reset header, by its own clock, says when to come back; others are not stopped."""
    told = {**bybit_error(10006), "time": 1_700_000_000_000}
    failure = refusal(reply(told, x_bapi_limit_reset_timestamp="1700000000750"))
    assert failure.meaning is Meaning.RATE_LIMITED
    assert failure.happened is Happened.NOT_APPLIED
    assert failure.retry_after == timedelta(milliseconds=750)


def test_a_deleted_key_id_goes_out_in_the_body_alone() -> None:
    """No key id, secret or signature stands in a URL that Bybit is asked."""
    wire = Wire(reply(bybit_ok({})))
    gone = run(opened("bybit", wire).delete_key(KEY, AccountId("42"), KeyId("old-key"), NOW))
    assert gone is None
    assert str(wire.requests[0].url) == f"{LOOPBACK}/v5/user/delete-sub-api"
    assert wire.requests[0].content == b'{"apikey":"old-key"}'
