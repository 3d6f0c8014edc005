"""A firm's keys on a real Vault and the sandbox, in every state that a dashboard shows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from rotator.core.names import StorePath
from rotator.engine.clock import SystemClock
from rotator.observe import events
from rotator.wiring.settings import read_config
from rotator.wiring.stores import open_store
from tests.processes.estate import Vault
from tests.processes.program import Program, Sandbox, until
from tests.servers.build import VAULT
from tests.servers.vault_server import VaultServer

MOUNT: Final = "secret"
TRADING: Final = f"{MOUNT}/trading"
TRADES: Final = ("read", "trade:spot")
HERE: Final = ("127.0.0.1",)
FIELDS: Final = ("api_key", "api_secret", "private_key")


@dataclass(frozen=True, slots=True)
class Desk:
    """One sub-account key at Bybit; `age` in days."""

    name: str
    age: int
    owner: str
    policy: str = "desk"
    armed: bool = True
    addresses: tuple[str, ...] = HERE
    scopes: tuple[str, ...] = TRADES


DESKS: Final = (
    Desk("market-maker", 62, "desk-a"),
    Desk("arbitrage", 45, "desk-a"),
    Desk("hedger", 38, "desk-b", "by-hand"),
    Desk("basis", 51, "desk-b", "prop-desk"),
    Desk("carry", 34, "desk-b", "slow"),
    Desk("momentum", 70, "desk-c", "acked"),
    Desk("pairs", 41, "desk-c", "later"),
    Desk("quant", 12, "research", armed=False),
    Desk("reports", 3, "research", armed=False, scopes=("read",)),
    Desk("signals", 80, "research", armed=False, addresses=()),
    Desk("legacy-bot", 140, "", armed=False),
    Desk("old-bot", 25, "desk-c", armed=False),
)
DONE: Final = ("market-maker", "arbitrage")
WAITS: Final = ("hedger", "carry", "momentum")

POLICIES: Final[dict[str, dict[str, Any]]] = {
    "desk": {"revoke": "drain", "drain": "3s"},
    "later": {"revoke": "drain", "drain": "25s"},
    "slow": {"revoke": "drain", "drain": "2h"},
    "prop-desk": {"revoke": "manual", "drain": "8s"},
    "by-hand": {"revoke": "manual", "drain": "1s"},
    "acked": {"revoke": "acked", "drain": "1s", "consumers": ["momentum-bot"]},
}
DEMANDS: Final[dict[str, Any]] = {
    "max_age": "30d",
    "scopes": {"allow": ["read", "trade:*"], "forbid": ["withdraw"]},
    "addresses": {"require": True},
    "expiry": {"min_left": "14d"},
    "consumers": ["trading-bots"],
}


@dataclass
class Fleet:
    """The keys, the sandbox that knows them and the daemon that watches and rotates them.

    `shelf` is the store of the configuration: a `vault:` or a `local:` section.
    """

    shelf: dict[str, Any]
    sandbox: Sandbox
    folder: Path
    first: dict[str, dict[str, Any]] = field(default_factory=dict)
    programs: list[Program] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.config = self.folder / "rotator.yaml"
        self.config.write_text(json.dumps(self._document(), indent=1))
        self.put(self._planted())

    @property
    def daemon(self) -> Program:
        """Return the daemon that was started last."""
        return self.programs[-1]

    @property
    def port(self) -> int:
        """Return the port of the daemon's metrics."""
        return int(self.daemon.wait_for(events.LISTENING)["port"])

    def start(self) -> None:
        """Start the daemon."""
        command = ("run", "--config", str(self.config))
        self.programs.append(Program(self.folder, f"daemon{len(self.programs)}", *command))

    def phases(self) -> dict[str, str]:
        """Return where each desk's rotation stands, as the daemon logged it last."""
        steps = self.daemon.events(events.STEP)
        return {str(e["credential"]).rpartition("/")[2]: str(e["phase"]) for e in steps}

    def reaches(self, phase: str, *desks: str) -> None:
        """Wait until the rotations of these desks stand at a phase."""

        def there() -> bool:
            phases = self.phases()
            return all(phases.get(desk) == phase for desk in desks)

        until(there, f"{desks} at {phase}; {self.daemon.log()[-2000:]}")

    def roll_back_by_hand(self, desk: str) -> None:
        """Put the old key back on its path, as `vault kv rollback` does."""
        self.put({f"bybit/{desk}": self.first[desk]})

    def put(self, secrets: Mapping[str, dict[str, Any]]) -> None:
        """Write secrets over what their paths hold."""

        async def written() -> None:
            clock = SystemClock()
            store = open_store(read_config(self.config, {}), {}, clock)
            try:
                for path, fields in secrets.items():
                    at = StorePath(f"{TRADING}/{path}")
                    about = await store.read_metadata(at)
                    await store.write(at, fields, about.current if about else 0)
            finally:
                await store.close()

        asyncio.run(written())

    def fault(self, exchange: str, operation: str, fault: str, times: int | None) -> None:
        """Let calls of an exchange go wrong."""
        self.sandbox.post(
            "/faults", exchange=exchange, operation=operation, fault=fault, times=times
        )

    def close(self) -> None:
        """End the daemon."""
        for program in self.programs:
            program.close()

    # what it is made of

    def _planted(self) -> dict[str, dict[str, Any]]:
        """Make the keys at the sandbox; return the secrets by path."""
        planted = {"bybit/master": _fields(self.sandbox.seeded("bybit", "parents"))}
        for number, desk in enumerate(DESKS):
            key = self._key(str(10_000_100 + number), desk)
            planted[f"bybit/{desk.name}"] = self.first[desk.name] = _fields(key)
            if desk.name == "old-bot":
                self.sandbox.post("/kill", exchange="bybit", key_id=key["api_key"])
        binance = self.sandbox.announced["exchanges"]["binance"]["keys"]
        planted["binance/treasury"] = _fields(binance[0])
        planted["binance/desk1"] = _fields(binance[1])
        planted["bitmex/desk"] = {"api_key": "key-of-a-closed-exchange", "api_secret": "made-up"}
        self._key("10000107", Desk("contractor", 210, ""))  # beside `quant`: foreign
        return planted

    def _key(self, account: str, desk: Desk) -> dict[str, Any]:
        return self.sandbox.post(
            "/keys",
            exchange="bybit",
            account=account,
            label=desk.name,
            scopes=list(desk.scopes),
            addresses=list(desk.addresses) or None,
            created_at=(datetime.now(UTC) - timedelta(days=desk.age)).isoformat(),
        )

    def _document(self) -> dict[str, Any]:
        bybit = {"exchange": "bybit", "parent": f"{TRADING}/bybit/master"}
        rules = [
            {"match": f"{TRADING}/bybit/master", "exchange": "bybit", "policy": "parents"},
            *(
                {
                    "match": f"{TRADING}/bybit/{desk.name}",
                    "policy": desk.policy,
                    **bybit,
                    **({"owner": desk.owner} if desk.owner else {}),
                }
                for desk in DESKS
            ),
            *(
                {
                    "match": f"{TRADING}/{name}/**",
                    "exchange": name,
                    "policy": "desk",
                    "owner": "treasury",
                }
                for name in ("binance", "bitmex")
            ),
        ]
        return {
            "store": {
                **self.shelf,
                "paths": [f"{TRADING}/"],
                "state": f"{MOUNT}/rotator/",
                "anchor": {"file": str(self.folder / "anchor")},
            },
            "rules": rules,
            "policies": {
                "parents": {"max_age": "365d"},
                **{name: DEMANDS | how for name, how in POLICIES.items()},
            },
            "rotation": {
                "armed": [f"{TRADING}/bybit/{desk.name}" for desk in DESKS if desk.armed],
                "in_flight": 12,
                "spread_backlog": "0s",
            },
            "exchanges": {
                "bybit": {"base_url": self.sandbox.url("bybit"), "share": 0.5},
                "binance": {"base_url": self.sandbox.url("binance"), "share": 0.5},
                "bitmex": {"proxy": "http://127.0.0.1:9"},
            },
            "every": {"inventory": "5s", "inspect": "8s", "tidy": "10s"},
            "serve": {"listen": "127.0.0.1:0"},
            "audit": {"file": str(self.folder / "audit.jsonl")},
        }


def _fields(key: dict[str, Any]) -> dict[str, Any]:
    return {name: key[name] for name in FIELDS if name in key}


@contextmanager
def fleet(folder: Path) -> Iterator[Fleet]:
    """Build the fleet on a sandbox and a Vault of its own (without one: on a local store)."""
    with ExitStack() as stack:
        shelf = stack.enter_context(_shelf(folder))
        sandbox = Sandbox(folder)
        stack.callback(sandbox.close)
        there = Fleet(shelf, sandbox, folder)
        stack.callback(there.close)
        yield there


@contextmanager
def _shelf(folder: Path) -> Iterator[dict[str, Any]]:
    """Give the store's section of a configuration, and the Vault behind it."""
    binary = VAULT.found()
    if binary is None:
        yield {"local": {"file": str(folder / "store.db"), "key_file": str(folder / "store.key")}}
        return
    server = VaultServer(binary).start()
    try:
        server.mount(MOUNT)
        auth = Vault(server, MOUNT).login(folder)
        yield {"vault": {"address": server.address, "auth": auth}}
    finally:
        server.close()
