"""Every exchange by name: one line each."""

from __future__ import annotations

from typing import Final

import httpx

from rotator.exchanges import binance, bitmex, bybit
from rotator.exchanges.exchange import Clocks, Entry, Exchange, ExchangeSettings, silent
from rotator.exchanges.origin import SettingsError, pinned
from rotator.exchanges.port import Capabilities
from rotator.exchanges.transport import OnAnswer

__all__ = [
    "EXCHANGES",
    "Clocks",
    "Exchange",
    "ExchangeSettings",
    "SettingsError",
    "capabilities_of",
    "exchange_names",
    "open_exchange",
]

EXCHANGES: Final[dict[str, Entry]] = {
    "binance": Entry(binance.PROFILE, binance.Binance, binance.ROUTES),
    "bitmex": Entry(bitmex.PROFILE, bitmex.Bitmex, {}),
    "bybit": Entry(bybit.PROFILE, bybit.Bybit, bybit.ROUTES),
}


def exchange_names() -> tuple[str, ...]:
    """Return the names of every exchange, sorted."""
    return tuple(sorted(EXCHANGES))


def capabilities_of(name: str) -> Capabilities | None:
    """Return what an exchange can do, None for a name that is none of ours."""
    entry = EXCHANGES.get(name)
    return entry.profile.capabilities if entry else None


def open_exchange(
    name: str,
    settings: ExchangeSettings,
    clocks: Clocks,
    observer: OnAnswer = silent,
    *,
    wire: httpx.AsyncBaseTransport | None = None,
) -> Exchange:
    """Return an exchange ready to be asked; `wire` replaces the network in tests.

    Raises SettingsError, whose text names the setting and the cure.
    """
    entry = EXCHANGES.get(name)
    if entry is None:
        known = ", ".join(exchange_names())
        raise SettingsError(f"no exchange is called {name!r}: the known ones are {known}")
    profile = entry.profile
    origin = pinned(name, profile.hosts, settings.environment, settings.base_url)
    if settings.share is None and not origin.loopback:
        raise SettingsError(f"exchanges.{name}.share may be null on loopback only: say 0.2")
    return Exchange(entry, origin, settings, clocks, observer, wire=wire)
