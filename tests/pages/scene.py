"""A daemon with an embedded store and a sandbox, its keys as a test wants them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from rotator.core.names import StorePath
from rotator.engine.clock import SystemClock
from rotator.stores.local import load_key, open_local
from rotator.stores.port import StoreFault
from tests.processes.program import HTTP, Program, Sandbox, until

TRADING = "secret/trading/"
MASTER = f"{TRADING}bybit/master"
STATE = "secret/rotator/"
HERE = ["127.0.0.1"]
MEMBERS = ("api_key", "api_secret", "private_key")

Secret = tuple[str, Mapping[str, Any], Mapping[str, str]]
"""A path below TRADING, its data, its custom_metadata."""


@dataclass
class Scene:
    """One store and one configuration in a folder of their own."""

    folder: Path
    sandbox: Sandbox
    armed: list[str] = field(default_factory=list)
    policy: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    store: dict[str, Any] | None = None
    runs: int = 0
    secrets: set[str] = field(default_factory=set, repr=False)
    key_ids: set[str] = field(default_factory=set, repr=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.config.write_text(yaml.safe_dump(self._document() | self.settings))

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.folder / "rotator.yaml"

    def key(self, label: str, account: str, days: int = 5, **wish: Any) -> dict[str, Any]:
        """Make a key at the sandbox."""
        made = self.sandbox.post(
            "/keys",
            **{
                "exchange": "bybit",
                "account": account,
                "label": label,
                "scopes": ["read", "trade:spot"],
                "addresses": HERE,
                "created_at": (SystemClock().now() - timedelta(days=days)).isoformat(),
            }
            | wish,
        )
        return self.known(made)

    def known(self, key: Mapping[str, Any]) -> dict[str, Any]:
        """Note what must never be shown of a key, and return its fields."""
        self.secrets |= {str(key[n]) for n in ("api_secret", "private_key") if key.get(n)}
        self.key_ids.add(str(key["api_key"]))
        return {n: key[n] for n in MEMBERS if key.get(n)}

    def put(self, *secrets: Secret) -> None:
        """Write secrets, each over what is there."""
        key = load_key(self.folder / "s.key", {})
        # Its tables, not itself: the browser's event loop runs in this thread.
        tables = open_local(self.folder / "s.db", key, SystemClock().now)._tables
        tables._connection.execute("PRAGMA synchronous=OFF")
        for name, data, custom in secrets:
            path = StorePath(f"{TRADING}{name}")
            before = tables.metadata([path])[path]
            assert not isinstance(before, StoreFault)
            tables.write(path, dict(data), before.current if before else 0)
            if custom:
                tables.patch(path, dict(custom))
        tables.close()

    def put_master(self) -> None:
        """Write the master account's key, which may list and make the others."""
        parent = self.known(self.sandbox.seeded("bybit", "parents"))
        self.put(("bybit/master", parent, {"owner": "treasury"}))

    def command(self, *arguments: str) -> int:
        """Run another command to its end and return its exit code."""
        return Program(self.folder, "command", *arguments, "--config", str(self.config)).ended()

    @contextmanager
    def daemon(self) -> Iterator[Running]:
        """Run the daemon until the end of the block."""
        self.runs += 1
        program = Program(self.folder, f"daemon{self.runs}", "run", "--config", str(self.config))
        try:
            port = program.wait_for("listening")["port"]
            yield Running(program, f"http://127.0.0.1:{port}")
        finally:
            program.close()

    def _document(self) -> dict[str, Any]:
        urls = {name: self.sandbox.url(name) for name in ("bybit", "binance")}
        policy = {"max_age": "30d", "scopes": {"allow": ["read", "trade:*"]}, **self.policy}
        child = {"exchange": "bybit", "parent": MASTER, "policy": "desk"}
        return {
            "store": {
                "paths": ["secret/"],
                "state": STATE,
                "anchor": {"file": "anchor"},
                **(self.store or {"local": {"file": "s.db", "key_file": "s.key"}}),
            },
            "rules": [
                {"match": MASTER, "exchange": "bybit", "policy": "parents"},
                {"match": f"{TRADING}bybit/**", **child},
                {"match": f"{TRADING}binance/**", "exchange": "binance", "policy": "desk"},
                {"match": f"{TRADING}bitmex/**", "exchange": "bitmex", "policy": "desk"},
            ],
            "policies": {
                "desk": {"consumers": ["bots"], **policy},
                "parents": {"max_age": "365d", "consumers": ["rotator"]},
            },
            "rotation": {"armed": self.armed, "spread_backlog": "0s"},
            "exchanges": {name: {"base_url": url, "share": None} for name, url in urls.items()},
            "every": {"inventory": "5s", "tidy": "15s"},
            "serve": {"listen": "127.0.0.1:0"},
        }


@dataclass(frozen=True)
class Running:
    """A daemon that answers at `url`."""

    program: Program
    url: str

    def cpu_ms(self) -> float:
        """Return the processor time that it has taken so far."""
        spent = Path(f"/proc/{self.program.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(spent[11]) + int(spent[12])) * 1000 / os.sysconf("SC_CLK_TCK")

    def get(self, path: str = "/") -> str:
        """Return the text of a page."""
        return str(HTTP.request("GET", f"{self.url}{path}").data.decode())

    def json(self, path: str) -> dict[str, Any]:
        """Return a document of the API."""
        return dict(HTTP.request("GET", f"{self.url}/api/v1/{path}").json())

    def wait(self, path: str, what: str, holds: Any) -> dict[str, Any]:
        """Wait until a document of the API is as `holds` says."""

        def seen() -> dict[str, Any] | None:
            document = self.json(path)
            return document if "error" not in document and holds(document) else None

        return dict(until(seen, f"{what}; log:\n{self.program.log()[-2000:]}"))

    def looked(self, count: int) -> None:
        """Wait until a pass has seen so many credentials."""
        self.wait("status", f"{count} credentials", lambda d: len(d["credentials"]) >= count)
