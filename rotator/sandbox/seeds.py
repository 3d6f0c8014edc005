"""What a sandbox starts with, and keys in the form that `rotator inspect` reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from rotator.core.names import Sensitive
from rotator.sandbox.calendar import iso
from rotator.sandbox.ledger import ENVIRONMENT, Draft, Key, Material, Origin, PublicKey
from rotator.sandbox.signing import key_pair
from rotator.sandbox.world import Exchange, World

HERE = ("127.0.0.1",)
KeyType = Literal["hmac", "rsa", "ed25519"]
Pairs = Callable[[Literal["RSA", "ED25519"]], tuple[PublicKey, Sensitive]]
"""Makes a key pair: the public key and the private one as PEM."""

KEY_TYPES: tuple[KeyType, ...] = ("hmac", "rsa", "ed25519")


@dataclass(frozen=True, slots=True)
class Wish:
    """A key to make on an account that exists; its secret is made with it."""

    account: str
    label: str
    native: frozenset[str]
    origin: Origin
    kind: KeyType
    addresses: tuple[str, ...]
    read_only: bool
    created_at: datetime | None
    environment: str = ENVIRONMENT


@dataclass(frozen=True, slots=True)
class Seed:
    """One key that is there from the start; `age` in days."""

    account: str
    label: str
    native: frozenset[str]
    age: int
    addresses: tuple[str, ...] = HERE
    kind: KeyType = "hmac"
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Estate:
    """One exchange's seeds: the master account, its parents' keys, its subs' keys."""

    master: str
    parents: tuple[Seed, ...]
    keys: tuple[Seed, ...]


_TRADES = frozenset({"Spot.SpotTrade", "ContractTrade.Order", "ContractTrade.Position"})
_TRANSFERS = frozenset({"Wallet.AccountTransfer", "Wallet.SubMemberTransfer"})
_READS_SPOT = frozenset({"enableReading", "enableSpotAndMarginTrading"})

SEEDS: dict[str, Estate] = {
    "bybit": Estate(
        master="10000001",
        parents=(Seed("10000001", "parent", _TRANSFERS, age=45),),
        keys=(
            Seed("10000002", "desk0", _TRADES, age=45),
            Seed("10000003", "desk1", frozenset({"Spot.SpotTrade"}), age=80, addresses=()),
            Seed("10000003", "reports", _TRADES, age=20, read_only=True),
            Seed("10000003", "desk1-rsa", _TRADES, age=10, kind="rsa"),
        ),
    ),
    "binance": Estate(
        master="main@sandbox.test",
        parents=(Seed("main@sandbox.test", "parent", _READS_SPOT, age=45),),
        keys=(
            Seed("desk0@sandbox.test", "desk0", _READS_SPOT | {"enableWithdrawals"}, age=400),
            Seed("desk1@sandbox.test", "desk1", _READS_SPOT, age=10, addresses=()),
            Seed("desk1@sandbox.test", "desk1-ed25519", _READS_SPOT, age=10, kind="ed25519"),
            Seed("desk1@sandbox.test", "desk1-rsa", _READS_SPOT, age=10, kind="rsa"),
        ),
    ),
}


def sow(world: World, pairs: Pairs = key_pair) -> dict[str, dict[str, list[dict[str, object]]]]:
    """Make the seeds and return `parents` and `keys` of every exchange, with secrets.

    `pairs` makes the key pairs; making an RSA one takes a tenth of a second.
    """
    return {name: _sow(exchange, pairs) for name, exchange in world.exchanges.items()}


def make_key(exchange: Exchange, wish: Wish, pairs: Pairs = key_pair) -> dict[str, object]:
    """Make a key with a fresh secret or key pair and return its object, secret included."""
    material: Material
    if wish.kind == "hmac":
        material = hmac = exchange.ledger.new_secret()
        field, secret = "api_secret", hmac.secret
    else:
        material, secret = pairs("RSA" if wish.kind == "rsa" else "ED25519")
        field = "private_key"
    draft = Draft(
        account_id=wish.account,
        label=wish.label,
        native=wish.native,
        material=material,
        origin=wish.origin,
        addresses=wish.addresses,
        read_only=wish.read_only,
        created_at=wish.created_at,
        environment=wish.environment,
    )
    key = exchange.ledger.create(draft)
    return {"api_key": key.id, field: secret.reveal(), **describe(exchange, key)}


def describe(exchange: Exchange, key: Key) -> dict[str, object]:
    """Return what may be told of a key, no secret."""
    return {
        "account_id": key.account_id,
        "scopes": sorted(exchange.powers.scopes(exchange.ledger, key)),
        "label": key.label or None,
        "addresses": list(key.addresses) or None,
        "created_at": iso(key.created_at),
    }


def _sow(exchange: Exchange, pairs: Pairs) -> dict[str, list[dict[str, object]]]:
    house = SEEDS[exchange.name]
    exchange.ledger.open_account(house.master, None)
    for seed in house.keys:
        exchange.ledger.open_account(seed.account, house.master)
    return {
        "parents": [_plant(exchange, seed, pairs) for seed in house.parents],
        "keys": [_plant(exchange, seed, pairs) for seed in house.keys],
    }


def _plant(exchange: Exchange, seed: Seed, pairs: Pairs) -> dict[str, object]:
    wish = Wish(
        account=seed.account,
        label=seed.label,
        native=seed.native,
        origin=Origin.SEED,
        kind=seed.kind,
        addresses=seed.addresses,
        read_only=seed.read_only,
        created_at=exchange.ledger.calendar.now() - timedelta(days=seed.age),
    )
    return make_key(exchange, wish, pairs)
