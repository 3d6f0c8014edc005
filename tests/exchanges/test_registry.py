"""Exchanges by name: settings, closing, and the face that never raises."""

from __future__ import annotations

import ast
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

import rotator.exchanges
from rotator.core.facts import Validity
from rotator.core.issue import KeySpec
from rotator.core.names import AccountId, KeyId
from rotator.core.outcome import Failure, Happened
from rotator.exchanges.exchange import CLOSED, Exchange
from rotator.exchanges.origin import pinned
from rotator.exchanges.port import Issuer, Operation, Trading
from rotator.exchanges.registry import (
    EXCHANGES,
    ExchangeSettings,
    SettingsError,
    capabilities_of,
    exchange_names,
    open_exchange,
)
from tests.exchanges.fakes import (
    LOOPBACK,
    NOW,
    Seen,
    Ticks,
    Wire,
    bybit_error,
    hmac_key,
    opened,
    reply,
    run,
)

KEY = hmac_key()
SPEC = KeySpec(AccountId("42"), ("Spot.SpotTrade",), (("readOnly", "0"),))


def test_the_names() -> None:
    """The exchanges are known by name, and no other name is."""
    assert exchange_names() == ("binance", "bitmex", "bybit")
    assert capabilities_of("bybit") is EXCHANGES["bybit"].profile.capabilities
    assert capabilities_of("kraken") is None


@pytest.mark.parametrize("name", sorted(EXCHANGES))
def test_each_adapter_is_what_its_capabilities_say(name: str) -> None:
    """Who claims to create and delete is an issuer, and each operation has its route."""
    exchange = opened(name, Wire())
    can = exchange.capabilities
    assert exchange.name == name
    assert (exchange.issuer is not None) == can.creates_keys
    assert (can.creatable is not None) == can.creates_keys
    if can.status.trading is Trading.OPEN:
        assert Operation.INSPECT in EXCHANGES[name].routes
    if can.creates_keys:
        assert isinstance(exchange.issuer, Issuer)
        assert set(Operation) == set(EXCHANGES[name].routes)


@pytest.mark.parametrize("name", sorted(EXCHANGES))
def test_each_route_is_a_listed_door_with_known_costs(name: str) -> None:
    """What an adapter sends is on its allow-list, and what it costs has a published rate."""
    entry = EXCHANGES[name]
    doors = entry.profile.doors
    assert not doors.reading & doors.acting
    assert all(method == "GET" for method, _ in doors.reading)
    for operation, route in entry.routes.items():
        reading = operation in {Operation.INSPECT, Operation.LIST}
        assert route.place in (doors.reading if reading else doors.acting)
        assert {cost for cost, _ in route.costs} <= set(entry.profile.rates)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"environment": "moon"}, "environment"),
        ({"base_url": "http://api.bybit.com"}, "base_url"),
        ({"base_url": "http://127.0.0.1.example.com"}, "base_url"),
        ({"base_url": "http://user:canary@127.0.0.1"}, "base_url"),
        ({"base_url": "https://api.bybit.com/v5"}, "base_url"),
        ({"base_url": "https://api.bybit.com?x=1"}, "base_url"),
        ({"base_url": "ftp://127.0.0.1"}, "base_url"),
        ({"base_url": "nonsense"}, "base_url"),
        ({"base_url": "http://127.0.0.1:canary"}, "base_url"),
        ({"base_url": "http://["}, "base_url"),
        ({"share": None}, "share"),
        ({"share": None, "base_url": "https://proxy.example"}, "share"),
        ({"share": 2.0}, "share"),
        ({"proxy": "socks5://127.0.0.1:1"}, "proxy"),
        ({"proxy": "http://canary:port"}, "proxy"),
        ({"proxy": "http://canary@"}, "proxy"),
    ],
)
def test_settings_that_cannot_be_used(settings: dict[str, object], named: str) -> None:
    """Each unusable setting is one error that names it and repeats no password."""
    with pytest.raises(SettingsError) as raised:
        open_exchange("bybit", ExchangeSettings(**settings), Ticks().clocks())  # type: ignore[arg-type]
    assert named in str(raised.value)
    assert "canary" not in str(raised.value)


def test_an_unknown_exchange_names_the_known_ones() -> None:
    """A wrong name is answered with the right ones."""
    with pytest.raises(SettingsError, match="binance, bitmex, bybit"):
        open_exchange("bibyt", ExchangeSettings(), Ticks().clocks())


@pytest.mark.parametrize(
    ("base_url", "url", "loopback"),
    [
        (None, "https://api.bybit.com", False),
        ("http://localhost:8000/", "http://localhost:8000", True),
        ("http://127.9.9.9:1", "http://127.9.9.9:1", True),
        ("http://[::1]:8000", "http://[::1]:8000", True),
        ("https://api.bybit.eu", "https://api.bybit.eu", False),
    ],
)
def test_a_base_url_replaces_the_host(base_url: str | None, url: str, loopback: bool) -> None:
    """A configured address takes the place of the exchange's own, and of nothing else."""
    exchange = open_exchange("bybit", ExchangeSettings(base_url=base_url), Ticks().clocks())
    assert (exchange.origin.url, exchange.origin.loopback) == (url, loopback)
    run(exchange.aclose())


def test_a_proxy_password_is_not_shown() -> None:
    """A proxy may carry a password, so settings do not print it."""
    settings = ExchangeSettings(proxy="http://user:canary@127.0.0.1:3128")
    assert "canary" not in repr(settings)
    run(open_exchange("bybit", settings, Ticks().clocks()).aclose())


def test_nothing_is_sent_to_a_closed_exchange() -> None:
    """From its closing on, no call of any kind leaves for an exchange's real hosts."""
    wire = Wire()

    async def ask() -> list[Failure | None]:
        exchange = opened("bitmex", wire, base_url=None)
        look = await exchange.inspect(KEY)
        assert look.validity is Validity.UNKNOWN
        told = await exchange.list_keys(KEY, None)
        return [look.failure, told if isinstance(told, Failure) else None]

    look, listing = run(ask())
    assert look is not None
    assert (look.code, look.happened) == (CLOSED, Happened.REFUSED)
    assert listing is not None
    assert wire.requests == []


def test_closing_begins_at_its_date_and_spares_loopback() -> None:
    """Before the date, and on loopback, an exchange is not closed."""
    ticks = Ticks()
    ticks.seconds = -timedelta(days=30).total_seconds()
    assert opened("bitmex", Wire(), ticks, base_url=None).closed() is None
    assert opened("bitmex", Wire()).closed() is None
    assert opened("bitmex", Wire(), base_url="https://www.example.com", share=0.2).closed()


def test_budget_taken_before_is_not_taken_again() -> None:
    """A creation whose budget was obtained beforehand goes out at once."""
    ticks = Ticks()
    steps = [reply(bybit_error(10005)) for _ in range(3)]

    async def create() -> None:
        exchange = opened("bybit", Wire(*steps), ticks, share=0.2)
        assert await exchange.take(Operation.CREATE, KEY) is None
        await exchange.create_key(KEY, SPEC, "x", NOW, budgeted=True)
        assert ticks.slept == []
        await exchange.create_key(KEY, SPEC, "x", NOW)
        assert ticks.slept == [pytest.approx(5.0)]
        await exchange.delete_key(KEY, AccountId("42"), KeyId("k"), NOW, budgeted=True)
        assert len(ticks.slept) == 1

    run(create())


def test_a_label_too_long_never_leaves() -> None:
    """Where the label's length is documented, a longer one is refused before anything is sent."""
    entry = EXCHANGES["bybit"]
    short = replace(entry.profile.capabilities, label_length=16)
    entry = replace(entry, profile=replace(entry.profile, capabilities=short))
    settings = ExchangeSettings(base_url=LOOPBACK, share=None)
    origin = pinned("bybit", entry.profile.hosts, "prod", LOOPBACK)
    wire = Wire()
    exchange = Exchange(entry, origin, settings, Ticks().clocks(), Seen(), wire=wire)
    told = run(exchange.create_key(KEY, SPEC, "x" * 17, NOW))
    assert isinstance(told, Failure)
    assert told.happened is Happened.REFUSED
    assert wire.requests == []


def test_what_has_no_route_has_no_budget() -> None:
    """Budget for a call that an exchange does not have is refused."""
    exchange = opened("binance", Wire())
    assert isinstance(run(exchange.take(Operation.CREATE, KEY)), Failure)
    assert exchange.environment == "prod"
    assert exchange.banned_until() is None


def test_a_closed_exchange_has_nothing_to_say_on_loopback_either() -> None:
    """No call to BitMEX is built, so a look there is a failure that was not sent."""
    wire = Wire()
    look = run(opened("bitmex", wire).inspect(KEY))
    assert look.validity is Validity.UNKNOWN
    assert wire.requests == []


def test_a_ban_is_told_when_budget_is_asked_for() -> None:
    """Who asks for budget while the exchange has banned us gets the failure at once."""
    wire = Wire(reply({}, 403))

    async def ask() -> list[object]:
        exchange = opened("bybit", wire)
        await exchange.inspect(KEY)
        return [
            await exchange.take(Operation.CREATE, KEY),
            await exchange.create_key(KEY, SPEC, "x", NOW),
            await exchange.delete_key(KEY, AccountId("42"), KeyId("k"), NOW),
        ]

    assert all(isinstance(told, Failure) for told in run(ask()))
    assert len(wire.requests) == 1


ADAPTERS = [
    path
    for path in Path(rotator.exchanges.__file__).parent.rglob("*.py")
    if path.stem in EXCHANGES or path.parent.name in EXCHANGES
]
FORBIDDEN = {"logging", "structlog", "time", "asyncio", "os", "random", "secrets"}


@pytest.mark.parametrize("path", ADAPTERS, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_an_adapter_neither_logs_nor_waits_nor_reads_a_clock(path: Path) -> None:
    """An adapter imports nothing with which it could log, sleep, or look at the machine."""
    tree = ast.parse(path.read_text())
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [a.name for a in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert not imported & FORBIDDEN
    assert len(path.read_text().splitlines()) <= 265
