"""What a desk with many keys looks like: secrets in Vault, living keys at the sandbox."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from rotator.config import Config, load_bytes
from rotator.config.problem import ConfigProblem
from rotator.exchanges.registry import exchange_names
from tests.bench.servers import Filler, Sandbox, rotating_token
from tests.servers.vault_server import VaultServer

HERE: Final = "127.0.0.1"
KEYS_PER_ACCOUNT: Final = 20
"""Of which ten are at each of the two exchanges."""

KEYS_PER_FOLDER: Final = 200
"""So that reading the folders is a small part of an inventory, as it is of a real one."""

FIRST_MASTER: Final = 11_000_001
FIRST_SUB: Final = 20_000_001


@dataclass(frozen=True, slots=True)
class Planted:
    """One credential: where it lies, whose it is, and how old its key is."""

    name: str
    exchange: str
    account: str
    master: str | None = None
    parent: str | None = None
    days: int = 20
    scopes: tuple[str, ...] = ("read", "trade:spot")

    @property
    def wish(self) -> dict[str, Any]:
        """What the sandbox's control port is asked for."""
        made = datetime.now(UTC) - timedelta(days=self.days)
        told = {
            "exchange": self.exchange,
            "account": self.account,
            "label": self.name.rpartition("/")[2],
            "scopes": list(self.scopes),
            "addresses": [HERE],
            "created_at": made.isoformat(),
        }
        return told if self.master is None else told | {"parent": self.master}

    def custom(self, mount: str) -> dict[str, str]:
        """The secret's custom_metadata."""
        told = {"exchange": self.exchange, "account": self.account, "owner": "desk"}
        return told if self.parent is None else told | {"parent": f"{mount}/{self.parent}"}


def plant(filler: Filler, mount: str, planted: Sequence[Planted]) -> dict[str, dict[str, Any]]:
    """Make every key and put it into its secret; return the keys by the secret's name."""
    keys: dict[str, dict[str, Any]] = {}

    def one(each: Planted) -> None:
        key = filler.key(**each.wish)
        keys[each.name] = key
        data = {"api_key": key["api_key"], "api_secret": key["api_secret"]}
        filler.secret(mount, each.name, data, each.custom(mount))

    filler.each(one, planted)
    return keys


def parents(count: int, first: int = FIRST_MASTER) -> list[Planted]:
    """Return the keys of Bybit master accounts, each of which may make its subs' keys."""
    masters = [str(first + n) for n in range(count)]
    return [
        Planted(f"trading/bybit/master{m}", "bybit", m, master=m, scopes=("read", "transfer"))
        for m in masters
    ]


def large(count: int) -> list[Planted]:
    """Return an estate of healthy keys: half at Bybit under one parent, half at Binance.

    Ten keys stand on each Bybit sub-account, so its keys can be listed account by account.
    """
    [parent] = parents(1)
    return [parent, *_large(count - 1, parent)]


def _large(count: int, parent: Planted) -> Iterator[Planted]:
    for number in range(count):
        exchange = "binance" if number % 2 else "bybit"
        name = f"trading/{exchange}/desk{number // KEYS_PER_FOLDER}/key{number}"
        account = number // KEYS_PER_ACCOUNT
        if exchange == "binance":
            yield Planted(name, exchange, f"desk{account}@bench.test")
        else:
            uid = str(FIRST_SUB + account)
            yield Planted(name, exchange, uid, parent.account, parent.name)


@dataclass(frozen=True, slots=True)
class Place:
    """A mount of its own on the Vault, with the token of the rotating role, and a folder."""

    vault: VaultServer
    sandbox: Sandbox
    mount: str
    folder: Path

    @classmethod
    def make(cls, vault: VaultServer, sandbox: Sandbox, mount: str, folder: Path) -> Place:
        """Mount the engine and write the token's file."""
        vault.mount(mount)
        home = folder / mount
        home.mkdir()
        (home / "token").write_text(rotating_token(vault, mount))
        return cls(vault, sandbox, mount, home)

    def document(self, **changes: Any) -> dict[str, Any]:
        """Return the configuration of a daemon on this mount."""
        home = self.folder
        auth = {"method": "token", "token_file": str(home / "token")}
        return {
            "store": {
                "vault": {"address": self.vault.address, "auth": auth},
                "paths": [f"{self.mount}/trading/"],
                "state": f"{self.mount}/rotator/",
                "anchor": {"file": str(home / "anchor")},
            },
            "exchanges": {
                name: {"base_url": url, "share": None} for name, url in self.sandbox.urls.items()
            },
            **changes,
        }

    def config(self, **changes: Any) -> Config:
        """Return that configuration as it is loaded."""
        return loaded(self.document(**changes))


def loaded(document: dict[str, Any]) -> Config:
    """Return a configuration as it is loaded from YAML, of which JSON is a part."""
    config = load_bytes(json.dumps(document).encode(), {}, exchange_names())
    if isinstance(config, ConfigProblem):
        raise TypeError(str(config))
    return config
