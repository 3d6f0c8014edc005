"""All exchanges of one sandbox: ledgers, costumes and faults under one calendar."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from rotator.sandbox.binance import Binance
from rotator.sandbox.binance_words import BinancePowers
from rotator.sandbox.bybit import Bybit
from rotator.sandbox.bybit_words import BybitPowers
from rotator.sandbox.calendar import Calendar, Now
from rotator.sandbox.faults import Faults
from rotator.sandbox.ledger import Entropy, Ledger
from rotator.sandbox.limits import Meter
from rotator.sandbox.wire import Costume, Powers

COSTUMES: dict[str, tuple[Callable[[Ledger, Meter], Costume], Powers]] = {
    "binance": (Binance, BinancePowers()),
    "bybit": (Bybit, BybitPowers()),
}
"""Every exchange that the sandbox plays."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One exchange: its books, its wire format, its permission words, its faults."""

    name: str
    ledger: Ledger
    costume: Costume
    powers: Powers
    faults: Faults


@dataclass(frozen=True, slots=True)
class World:
    """One calendar and the exchanges that live by it."""

    calendar: Calendar
    exchanges: dict[str, Exchange]


def new_world(
    now: Now,
    *,
    limits: bool = True,
    entropy: Entropy = secrets.token_bytes,
    activation: timedelta = timedelta(),
    revocation: timedelta = timedelta(),
) -> World:
    """Make a world without accounts.

    `now` gives real time; `limits` False switches rate limits off; `activation`
    and `revocation` are how long a key created or deleted by an exchange's API
    takes to begin and to stop signing in.
    """
    calendar = Calendar(now)
    exchanges = {}
    for name, (wardrobe, powers) in COSTUMES.items():
        house = replace(powers.house, activation=activation, revocation=revocation)
        ledger = Ledger(house, calendar, entropy)
        costume = wardrobe(ledger, Meter(calendar, on=limits))
        exchanges[name] = Exchange(name, ledger, costume, powers, Faults())
    return World(calendar, exchanges)
