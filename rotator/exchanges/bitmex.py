"""BitMEX: closed on 2026-09-23.  Only said, not spoken to.

Its keys are judged from the store alone; nothing is sent to its hosts, whose
names may belong to somebody else one day.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final

from rotator.core.facts import KeyFacts
from rotator.core.names import ExchangeName, SigningKey
from rotator.exchanges.errors import ErrorTable
from rotator.exchanges.port import (
    Capabilities,
    ExpiryKind,
    SecretOrigin,
    SignatureTime,
    Status,
    Trading,
)
from rotator.exchanges.transport import Doors, Profile, Transport, refused

ERRORS: Final = ErrorTable("BitMEX", codes={}, statuses={}, stops={})

PROFILE: Final = Profile(
    ExchangeName("bitmex"),
    Capabilities(
        lists_keys=True,
        creates_keys=False,
        deletes_keys=False,
        label_length=64,
        max_keys=None,
        overlap=True,
        secret_origin=SecretOrigin.WEB_PAGE,
        expiry=ExpiryKind.UNKNOWN,
        expiry_without_addresses=None,
        activation_delay=None,
        revocation_delay=None,
        receive_window=None,
        needs_parent=False,
        binds_addresses=True,
        shows=frozenset({"created", "scopes", "addresses"}),
        creatable=None,
        documentation="https://www.bitmex.com/app/apiKeysUsage",
        keys_page="https://www.bitmex.com/app/apiKeys",
        checked=date(2026, 2, 28),
        status=Status(
            Trading.CLOSED,
            datetime(2026, 9, 23, 4, tzinfo=UTC),
            "announcement of 2026-07-23 on the exchange's blog (bitmex-closure)",
        ),
    ),
    hosts={"prod": "https://www.bitmex.com", "testnet": "https://testnet.bitmex.com"},
    rates={},
    doors=Doors(reading=frozenset()),
    failure_of=lambda answer: ERRORS.failure(answer, None, None),
    stops=frozenset(),
)


class Bitmex:
    """An inspector that has nothing to say yet, not even to a sandbox."""

    name = PROFILE.name
    capabilities = PROFILE.capabilities

    def __init__(self, transport: Transport, now: SignatureTime) -> None:
        del transport, now

    async def inspect(self, key: SigningKey) -> KeyFacts:
        """Raise ExchangeError: no call is built for this exchange."""
        del key
        raise refused("BitMEX is closed, and no call to it is built")
