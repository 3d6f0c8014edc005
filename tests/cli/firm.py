"""A small firm: a configuration in a folder, its keys at a sandbox, its embedded store."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import yaml

from rotator.core.names import StorePath
from rotator.engine.clock import SystemClock
from rotator.stores.local import load_key, open_local
from rotator.stores.local.kv import LocalKv
from tests.cli.kit import Done, Sandbox, rotator, started
from tests.net.pages import see_pages

T = TypeVar("T")

ROOT = "secret/trading/"
STATE = "secret/rotator"
MASTER = "secret/trading/bybit/master"
DESK = "secret/trading/bybit/desk0"
TODAY = SystemClock().now()
LONG_AGO = f"{TODAY - timedelta(days=45):%Y-%m-%dT%H:%M:%SZ}"
NEW = f"{TODAY:%Y-%m-%dT%H:%M:%SZ}"


def settings(sandbox: Sandbox) -> dict[str, Any]:
    """Return a configuration over the embedded store: bybit armed, drain none."""
    urls = {name: sandbox.url(name) for name in ("bybit", "binance")}
    return {
        "store": {
            "local": {"file": "s.db", "key_file": "s.key"},
            "paths": [ROOT],
            "state": f"{STATE}/",
            "anchor": {"file": "anchor"},
        },
        "rules": [
            {"match": MASTER, "exchange": "bybit", "managed": False},
            {
                "match": "secret/trading/bybit/**",
                "exchange": "bybit",
                "parent": MASTER,
                "policy": "desk",
            },
            {"match": "secret/trading/binance/**", "exchange": "binance", "policy": "desk"},
        ],
        "policies": {
            "desk": {
                "max_age": "30d",
                "revoke": "manual",
                "drain": "0s",
                "scopes": {"allow": ["read", "trade:*"]},
            }
        },
        "rotation": {"armed": ["secret/trading/bybit/**"]},
        "exchanges": {name: {"base_url": url, "share": None} for name, url in urls.items()},
        "serve": {"listen": "127.0.0.1:0"},
    }


@dataclass
class Firm:
    """Commands over one configuration."""

    folder: Path
    sandbox: Sandbox
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.settings = self.settings or settings(self.sandbox)
        self.write()

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.folder / "rotator.yaml"

    def write(self) -> None:
        """Write the configuration as `settings` says now."""
        self.config.write_text(yaml.safe_dump(self.settings))

    def do(self, *arguments: str | Path, stdin: str = "") -> Done:
        """Obey a command line in this process."""
        return rotator(*arguments, "--config", self.config, stdin=stdin)

    def json(self, *arguments: str | Path) -> Any:
        """Return what a command prints in the JSON form."""
        done = self.do(*arguments, "-o", "json")
        assert done.out, done.err
        return done.json

    def once(self, wait: str = "20s") -> Any:
        """Do one whole pass and return what it prints."""
        done = self.do("run", "--once", "--wait", wait, "-o", "json")
        assert done.code == 0, done.err
        return done.json

    def store(self, path: str, key: Mapping[str, Any]) -> None:
        """Put a key into the store."""
        done = self.do("store", "put", path, stdin=json.dumps(key))
        assert done.code == 0, done.err

    def desk(self, number: int = 0, *, age: str = NEW, **wish: Any) -> dict[str, Any]:
        """Make a key on a sub-account of its own and store it, the master's beside it."""
        account = self.sandbox.key("bybit", -number)["account_id"]
        wanted = {
            "account": account,
            "label": f"own{number}",
            "scopes": ["read", "trade:spot"],
            "created_at": age,
            **wish,
        }
        key = self.sandbox.control("POST", "/keys", exchange="bybit", addresses=None, **wanted)
        self.store(MASTER, self.sandbox.parent("bybit"))
        self.store(f"secret/trading/bybit/desk{number}", key)
        return dict(key)

    def kill(self, exchange: str, key: Mapping[str, Any]) -> None:
        """Make the exchange forget a key."""
        self.sandbox.control("POST", "/kill", exchange=exchange, key_id=key["api_key"])

    def kv(self, task: Callable[[LocalKv], Awaitable[T]]) -> T:
        """Run a task on the embedded store, behind the program's back."""

        async def run() -> T:
            key = load_key(self.folder / "s.key", {})
            opened = open_local(self.folder / "s.db", key, SystemClock().now)
            try:
                return await task(opened)
            finally:
                await opened.close()

        return asyncio.run(run())

    def document(self, place: str) -> dict[str, Any] | None:
        """Return a state document's data, None if there is none."""

        async def task(kv: LocalKv) -> dict[str, Any] | None:
            found = await kv.read(StorePath(f"{STATE}/{place}"))
            return dict(found.data) if found is not None and found.data is not None else None

        return self.kv(task)

    def documents(self) -> dict[str, int]:
        """Return the version of every state document."""

        async def task(kv: LocalKv) -> dict[str, int]:
            walk = await kv.walk(StorePath(STATE), ())
            found = await kv.read_many_metadata(walk.paths)
            return {path: getattr(m, "current", -1) for path, m in found.items()}

        return self.kv(task)

    def write_document(self, place: str, data: Mapping[str, Any]) -> None:
        """Write a state document over what is there."""

        async def task(kv: LocalKv) -> None:
            path = StorePath(f"{STATE}/{place}")
            before = await kv.read_metadata(path)
            await kv.write(path, data, before.current if before else 0)

        self.kv(task)

    def creates(self) -> int:
        """Return how many keys were made and deleted by Bybit's own API."""
        ledger = self.sandbox.control("GET", "/ledger")["exchanges"]["bybit"]
        return int(ledger["creates"]) + int(ledger["deletes"])

    @contextmanager
    def daemon(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run the daemon as a process of its own until the end of the block."""
        log = (self.folder / "daemon.log").open("ab")
        with log, started("run", "--config", str(self.config), stderr=log) as child:
            try:
                yield child
            finally:
                see_pages((self.folder / "daemon.log").read_text())
                child.send_signal(signal.SIGTERM)
                child.communicate(timeout=30)
        assert child.returncode == 0, (self.folder / "daemon.log").read_text()[-2000:]

    def private(self, name: str, text: str) -> Path:
        """Write a file that only its owner reads."""
        file = self.folder / name
        file.write_text(text)
        file.chmod(0o600)
        return file
