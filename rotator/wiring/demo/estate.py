"""Which keys the demo puts into its store: one of each kind of trouble, and some without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

HERE: Final = ("127.0.0.1",)
TRADES: Final = ("read", "trade:spot", "trade:derivatives")


@dataclass(frozen=True, slots=True)
class Seeded:
    """A key with which the sandbox starts, by its place in what it announces."""

    exchange: str
    part: Literal["parents", "keys"]
    number: int


@dataclass(frozen=True, slots=True)
class Made:
    """A key to make at the sandbox; `age` in days, no `addresses` = it works from anywhere."""

    exchange: str
    account: str
    label: str
    age: int
    scopes: tuple[str, ...] = TRADES
    addresses: tuple[str, ...] = HERE


@dataclass(frozen=True, slots=True)
class Invented:
    """A key that no sandbox knows; its fields are `name=value`."""

    exchange: str
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Planted:
    """One credential; `path` lies below the demo's folder, `story` says what it shows."""

    path: str
    story: str
    key: Seeded | Made | Invented
    custom: Mapping[str, str] = field(default_factory=dict)
    armed: bool = False
    dead: bool = False


_PAIRS: Final = Made("bybit", "10000008", "pairs", 12)

ESTATE: Final = (
    Planted(
        "bybit/master",
        "the master account's key: it may make and delete the others",
        Seeded("bybit", "parents", 0),
    ),
    Planted("bybit/market-maker", "overdue, armed", Seeded("bybit", "keys", 0), armed=True),
    Planted(
        "bybit/arbitrage",
        "overdue, armed",
        Made("bybit", "10000004", "arbitrage", 62, ("read", "trade:spot")),
        armed=True,
    ),
    Planted(
        "bybit/hedger",
        "overdue, armed",
        Made("bybit", "10000005", "hedger", 38, ("read", "trade:derivatives")),
        armed=True,
    ),
    Planted(
        "bybit/quant",
        "fresh, but of a type that no program can make again",
        Seeded("bybit", "keys", 3),
    ),
    Planted("bybit/reports", "fresh, may only read", Seeded("bybit", "keys", 2)),
    Planted(
        "bybit/signals",
        "without address list, so the exchange ends it in ten days",
        Seeded("bybit", "keys", 1),
    ),
    Planted(
        "bybit/legacy-bot",
        "overdue, but nobody armed its path",
        Made("bybit", "10000006", "legacy-bot", 140),
    ),
    Planted(
        "bybit/old-bot",
        "dead: somebody deleted it on the web page",
        Made("bybit", "10000007", "old-bot", 25),
        dead=True,
    ),
    Planted("bybit/pairs", "the same key at two paths", _PAIRS),
    Planted("research/pairs", "the same key at two paths", _PAIRS),
    Planted(
        "bybit/news",
        "its metadata says what cannot be",
        Made("bybit", "10000009", "news", 8),
        custom={"strategy": "sometimes", "policy": "gold"},
    ),
    Planted(
        "binance/treasury",
        "over-scoped: may withdraw; 400 days old, and only a person can replace it",
        Seeded("binance", "keys", 0),
    ),
    Planted("binance/desk1", "without address list", Seeded("binance", "keys", 1)),
    Planted(
        "bitmex/desk",
        "of an exchange that has closed",
        Invented(
            "bitmex",
            (("api_key", "key-of-a-closed-exchange"), ("api_secret", "made-up-for-the-demo")),
        ),
    ),
)

FOREIGN: Final = (Made("bybit", "10000002", "contractor", 210),)
"""Keys that stand at the exchange and in no secret."""
