"""The exchanges as the engine holds them: one client per exchange and environment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rotator.core.names import ExchangeName
from rotator.core.policy import ExchangeTraits
from rotator.exchanges.exchange import Exchange
from rotator.exchanges.origin import SettingsError
from rotator.exchanges.port import Capabilities
from rotator.exchanges.registry import capabilities_of

Open = Callable[[ExchangeName, str], Exchange]
"""Opens an exchange in an environment; raises SettingsError."""

MOST: Final = 256
"""Environments times exchanges are few; more come only from nonsense in metadata."""


class Houses:
    """Opens each exchange at its first use, and keeps it."""

    def __init__(self, open_exchange: Open) -> None:
        self._open = open_exchange
        self._opened: dict[tuple[ExchangeName, str], Exchange | str] = {}
        self._traits: dict[ExchangeName, ExchangeTraits | None] = {}

    def get(self, name: ExchangeName | None, environment: str) -> Exchange | None:
        """Return the exchange, None for a name that has no adapter or no such environment."""
        found = self._find(name, environment)
        return None if isinstance(found, str) else found

    def problem(self, name: ExchangeName | None, environment: str) -> str | None:
        """Return why a known exchange cannot be asked in an environment, None if it can."""
        found = self._find(name, environment)
        return found if isinstance(found, str) else None

    def traits(self, name: ExchangeName | None) -> ExchangeTraits | None:
        """Return what the core needs to know of an exchange, None for an unknown one."""
        if name is None:
            return None
        if name not in self._traits and len(self._traits) < MOST:
            capabilities = capabilities_of(name)
            self._traits[name] = traits_of(name, capabilities) if capabilities else None
        return self._traits.get(name)

    def opened(self) -> tuple[Exchange, ...]:
        """Return every exchange that was asked for so far."""
        return tuple(h for h in self._opened.values() if isinstance(h, Exchange))

    async def aclose(self) -> None:
        """Close every connection."""
        for house in self._opened.values():
            if isinstance(house, Exchange):
                await house.aclose()

    def _find(self, name: ExchangeName | None, environment: str) -> Exchange | str | None:
        if name is None or self.traits(name) is None:
            return None
        place = (name, environment)
        if place not in self._opened and len(self._opened) < MOST:
            try:
                self._opened[place] = self._open(name, environment)
            except SettingsError as error:
                self._opened[place] = str(error)
        return self._opened.get(place)


def traits_of(name: ExchangeName, can: Capabilities) -> ExchangeTraits:
    """Return what the core needs to know of an exchange's capabilities."""
    return ExchangeTraits(
        name=name,
        creates_keys=can.creates_keys,
        deletes_keys=can.deletes_keys,
        lists_keys=can.lists_keys,
        overlap=can.overlap,
        needs_parent=can.needs_parent,
        keys_page=can.keys_page,
        closes_at=can.status.at,
        source=can.status.source,
        life_without_addresses=can.expiry_without_addresses,
    )
