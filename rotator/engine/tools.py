"""What the effects of one rotation work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from rotator.core.names import CredentialName, ExchangeName, Fingerprint, Secrets, SigningKey
from rotator.core.saga.words import Standstill
from rotator.engine.clock import Clock
from rotator.engine.hub import InventoryHub
from rotator.engine.watch import Watch
from rotator.exchanges.exchange import Exchange
from rotator.stores.fingerprints import Fingerprints
from rotator.stores.journal import Journal
from rotator.stores.publisher import Publisher


class Exchanges(Protocol):
    """Gives the one client per exchange and environment."""

    def get(self, name: ExchangeName, environment: str) -> Exchange | None:
        """Return the exchange, None for a name that has no adapter."""
        ...


@dataclass(frozen=True, slots=True)
class Tools:
    """Everything outside that a rotation touches, and nothing else.

    `standstill` says why nothing may be deleted anywhere now; `skew` by how
    many seconds our clock differs from the store's, None if that is unknown;
    `remember` takes in secrets that must never be written anywhere.
    """

    clock: Clock
    hub: InventoryHub
    journal: Journal
    publisher: Publisher
    watch: Watch
    exchanges: Exchanges
    marks: Fingerprints
    standstill: Callable[[], Standstill | None]
    skew: Callable[[], float | None]
    audit_head: Callable[[], str]
    remember: Callable[[Secrets], None]

    def signing_key(self, name: CredentialName | None) -> SigningKey | None:
        """Return a credential's key as the last inventory read it."""
        key = None if name is None else self.hub.signing_key(name)
        if key is not None:
            self.remember(key.secrets)
        return key

    def mark(self, key: SigningKey) -> Fingerprint:
        """Return the fingerprint of a whole key: its id and every secret."""
        parts = [str(key.key_id), *(s.reveal() for s in key.secrets.values())]
        return self.marks.of("\n".join(parts))
