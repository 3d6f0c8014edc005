"""One armed credential on a mount of a real Vault, its exchange, and who works on it."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from tests.processes.consumer import Consumer
from tests.processes.gate import Asked, Gate, Road, Told
from tests.processes.program import Program, Sandbox, until
from tests.servers.vault_server import VaultRefused, VaultServer

POLICIES = Path(__file__).parents[2] / "deploy" / "vault"
AGE = timedelta(days=60)
"""Overdue, and younger than the 90 days after which a key without addresses ends."""
EXCHANGE_CALLS = {
    "query-api": "inspect",
    "sub-apikeys": "list",
    "create-sub-api": "create",
    "delete-sub-api": "delete",
}
OTHER_FIELDS = {"note": "kept as it is", "desk": {"rack": 7, "tags": ["a", "b"]}}


def shipped(name: str, mount: str) -> str:
    """Return a policy of deploy/vault for a mount of another name."""
    return (POLICIES / f"{name}.hcl").read_text().replace('"secret/', f'"{mount}/')


@dataclass
class Vault:
    """A mount on a server, with a login for each role that the shipped policies know."""

    server: VaultServer
    mount: str

    def __post_init__(self) -> None:
        self.write_policies()

    def write_policies(self) -> None:
        """Write the shipped policies for this mount."""
        for role in ("rotate", "watch", "people"):
            self.server.policy(f"{self.mount}-{role}", shipped(role, self.mount))
        reads = f'path "{self.mount}/data/trading/*" {{ capabilities = ["read"] }}'
        self.server.policy(f"{self.mount}-consumer", reads)

    def login(self, folder: Path, role: str = "rotate") -> dict[str, str]:
        """Make an approle with one of the roles; return the `auth:` of a configuration."""
        with contextlib.suppress(VaultRefused):  # it is enabled already
            self.server.enable_auth("approle")
        name = f"{self.mount}-{role}"
        role_id, secret_id = self.server.approle(name, token_policies=[name], token_ttl="1h")
        files = {"role_id_file": role_id, "secret_id_file": secret_id}
        for file, content in files.items():
            (folder / file).write_text(content + "\n")
        return {"method": "approle", **{name: str(folder / name) for name in files}}

    def put(self, path: str, data: dict[str, Any], token: str | None = None, **options: Any) -> int:
        """Write a secret and return its version."""
        body = {"data": data, **({"options": options} if options else {})}
        answer = self.server.api("POST", self._at("data", path), body, token)
        return int(answer["data"]["version"])

    def get(self, path: str, version: int | None = None) -> dict[str, Any] | None:
        """Return the data and metadata of a version as root; None if it is not readable."""
        query = "" if version is None else f"?version={version}"
        try:
            return dict(self.server.read(self._at("data", path) + query)["data"])
        except VaultRefused as refused:
            if refused.status == 404:
                return None
            raise

    def versions(self, path: str) -> dict[int, dict[str, Any]]:
        """Return the versions of a secret by number."""
        try:
            found = self.server.read(self._at("metadata", path))["data"]["versions"]
        except VaultRefused:
            return {}
        return {int(number): about for number, about in found.items()}

    def custom(self, path: str) -> dict[str, str]:
        """Return a secret's custom metadata."""
        found = self.server.read(self._at("metadata", path))["data"]["custom_metadata"]
        return dict(found or {})

    def act(self, kind: str, path: str, versions: list[int], token: str | None = None) -> None:
        """Delete, undelete or destroy versions."""
        self.server.api("POST", self._at(kind, path), {"versions": versions}, token)

    def forget(self, path: str) -> None:
        """Remove a secret with its metadata, as `vault kv metadata delete` does."""
        self.server.api("DELETE", self._at("metadata", path))

    def tree(self, folder: str) -> Iterator[str]:
        """Yield every secret below a folder."""
        try:
            answer = self.server.api("GET", self._at("metadata", folder) + "?list=true")
        except VaultRefused:
            return
        for name in answer["data"]["keys"]:
            if name.endswith("/"):
                yield from self.tree(f"{folder}{name}")
            else:
                yield f"{folder}{name}"

    def everything(self, folder: str) -> Iterator[tuple[str, bytes]]:
        """Yield every version below a folder that can be read, soft-deleted ones too."""
        for path in self.tree(folder):
            for number, about in self.versions(path).items():
                if about["destroyed"]:
                    continue
                if about["deletion_time"]:
                    self.act("undelete", path, [number])
                where = self._at("data", path) + f"?version={number}"
                yield f"{path}@{number}", self.server.raw("GET", where)

    def _at(self, kind: str, path: str) -> str:
        return f"{self.mount}/{kind}/{path}"


@dataclass
class Estate:
    """A master key, an overdue armed sub-account key, and a configuration over gates."""

    vault: Vault
    sandbox: Sandbox
    folder: Path
    account: str
    policy: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    armed: bool = True
    road: Road = field(default_factory=Road)
    canaries: set[str] = field(default_factory=set, repr=False)
    tokens: set[str] = field(default_factory=set, repr=False)
    programs: list[Program] = field(default_factory=list)
    consumers: list[Consumer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.path = f"{self.vault.mount}/trading/bybit/desk0"
        self.master = self.sandbox.seeded("bybit", "parents")
        self.old = self.new_key("desk0")
        self.gates = [
            Gate(self.vault.server.address, self.road, self._names_vault, self._hears_vault),
            Gate(self.sandbox.url("bybit"), self.road, names_exchange, self._hears_exchange),
        ]
        auth = self.vault.login(self.folder)
        self.canaries |= {
            (self.folder / "secret_id_file").read_text().strip(),
            self.master["api_secret"],
            self.old["api_secret"],
        }
        self.vault.put("trading/bybit/master", self.master)
        self.vault.put("trading/bybit/desk0", self.old | OTHER_FIELDS)
        self.config = self.folder / "rotator.yaml"
        self.document = self._document(auth)
        self.write_config()

    # keys

    def new_key(self, label: str, age: timedelta = AGE) -> dict[str, Any]:
        """Make a key on the sub-account as a person would, at the exchange's page."""
        created_at = (datetime.now(UTC) - age).isoformat()
        made = self.sandbox.post(
            "/keys",
            exchange="bybit",
            account=self.account,
            label=label,
            scopes=["read", "trade:spot"],
            addresses=None,
            created_at=created_at,
        )
        self.canaries.add(str(made["api_secret"]))
        return made

    def keys(self) -> dict[str, dict[str, Any]]:
        """Return every key that the sub-account ever had, by id, from the exchange's books."""
        books = self.sandbox.ledger("bybit")["keys"]
        return {k["id"]: k for k in books if k["account_id"] == self.account}

    def alive(self) -> list[str]:
        """Return the ids of the sub-account's living keys."""
        return [i for i, key in self.keys().items() if key["alive"]]

    def ours(self) -> list[str]:
        """Return the ids of all keys that were created through the exchange's API."""
        return [i for i, key in self.keys().items() if key["created_by"] == "api"]

    # configuration

    def _document(self, auth: dict[str, str]) -> dict[str, Any]:
        mount = self.vault.mount
        match = f"{mount}/trading/bybit/"
        policy = {"max_age": "30d", "revoke": "drain", "drain": "1s", **self.policy}
        return {
            "store": {
                "vault": {"address": self.gates[0].address, "auth": auth},
                "paths": [f"{mount}/trading/"],
                "state": f"{mount}/rotator/",
                "anchor": {"file": str(self.folder / "anchor")},
            },
            "rules": [
                {"match": f"{match}master", "exchange": "bybit"},
                {
                    "match": f"{match}**",
                    "exchange": "bybit",
                    "parent": f"{match}master",
                    "policy": "desk",
                },
            ],
            "policies": {"desk": policy},
            "rotation": {"armed": [self.path] if self.armed else [], "spread_backlog": "0s"},
            "exchanges": {"bybit": {"base_url": self.gates[1].address, "share": None}},
            "every": {"inventory": "5s"},
            "serve": {"listen": "127.0.0.1:0"},
            "audit": {"file": str(self.folder / "audit.jsonl")},
            **self.settings,
        }

    def write_config(self) -> None:
        """Write the configuration as `document` has it now."""
        self.config.write_text(yaml.safe_dump(self.document))

    def instance(self, name: str) -> Path:
        """Write the configuration of a further instance, which keeps an audit of its own."""
        file = self.folder / f"{name}.yaml"
        audit = {"file": str(self.folder / f"audit-{name}.jsonl")}
        file.write_text(yaml.safe_dump({**self.document, "audit": audit}))
        return file

    # who works on it

    def daemon(self, **options: Any) -> Program:
        """Start `rotator run`."""
        return self._program("daemon", "run", **options)

    def once(self, wait: str = "40s", **options: Any) -> Program:
        """Start `rotator run --once`."""
        return self._program("once", "run", "--once", "--wait", wait, "-o", "json", **options)

    def command(self, *arguments: str) -> Program:
        """Run another command to its end."""
        program = self._program("command", *arguments)
        program.ended()
        return program

    def _program(self, kind: str, *arguments: str, **options: Any) -> Program:
        name = f"{kind}{len(self.programs)}"
        line = (*arguments, "--config", str(options.pop("config", self.config)))
        program = Program(self.folder, name, *line, **options)
        self.programs.append(program)
        return program

    def consumer(self) -> Consumer:
        """Start an independent consumer of the path."""
        token = self.vault.server.token([f"{self.vault.mount}-consumer"])
        consumer = Consumer(
            self.vault.server.address, token, self.path, self.sandbox.url("bybit")
        ).start()
        self.consumers.append(consumer)
        return consumer

    def person(self) -> str:
        """Return a token with the shipped policy of people."""
        return self.vault.server.token([f"{self.vault.mount}-people"])

    def order(self, command: str, answer: str | None = None) -> None:
        """Write a command for what stands now, as the command line writes it."""
        record, path = self.record(), self.vault.get("trading/bybit/desk0")
        about = {
            "command": command,
            "rotation": record.get("rotation", ""),
            "version": path["metadata"]["version"] if path else 0,
            "answer": answer,
        }
        self.vault.put(f"rotator/commands/{self.path}", about, self.person())

    # what stands there

    @property
    def record_path(self) -> str:
        """Where the record lies, below the mount."""
        return f"rotator/rotations/{self.path}"

    def record(self) -> dict[str, Any]:
        """Return the path's record as it stands, empty if there is none to read."""
        found = self.vault.get(self.record_path)
        return dict(found["data"]) if found and found["data"] else {}

    def phase(self) -> str:
        """Return the record's phase, empty without a record."""
        return str(self.record().get("phase", ""))

    def wait_for_phase(self, *phases: str, patience: float = 50.0) -> None:
        """Wait until the record stands at one of these phases."""
        until(lambda: self._safe_phase() in phases, f"{phases}, {self._told()}", patience)

    def _safe_phase(self) -> str:
        try:
            return self.phase()
        except VaultRefused:
            return ""

    def _told(self) -> str:
        return f"is at {self._safe_phase()}; {self.folder}"

    def served(self) -> dict[str, Any]:
        """Return what the path serves now."""
        found = self.vault.get("trading/bybit/desk0")
        assert found is not None
        return dict(found["data"])

    def logs(self) -> str:
        """Return the logs of all programs that ever ran here."""
        return "\n".join(p.log() for p in self.programs)

    def moves_to(self, server: VaultServer) -> None:
        """Point configuration and all looks at another server."""
        gate = Gate(server.address, self.road, self._names_vault, self._hears_vault)
        self.gates.append(gate)
        self.document["store"]["vault"]["address"] = gate.address
        self.vault.server = server
        self.write_config()

    def close(self) -> None:
        """End everything that runs."""
        for consumer in self.consumers:
            consumer.stop()
        for program in self.programs:
            program.close()
        for gate in self.gates:
            gate.close()

    # what the gates hear

    def _names_vault(self, asked: Asked) -> str | None:
        """Say what a request to Vault is for; None if no rotation asks it."""
        path = asked.path.partition("?")[0].removeprefix("/v1/")
        _, _, rest = path.partition("/")
        kind, _, where = rest.partition("/")
        if where == self.record_path:
            return _record_label(asked, kind)
        if where == "trading/bybit/desk0":
            return _path_label(asked, kind)
        if where.startswith("rotator/history/") and asked.method != "GET":
            return "history"
        return None

    def _hears_vault(self, asked: Asked, told: Told) -> None:
        token = dict(asked.headers).get("X-Vault-Token")
        if token:
            self.tokens.add(token)
            self.canaries.add(token)

    def _hears_exchange(self, asked: Asked, told: Told) -> None:
        result = told.json().get("result")
        secret = result.get("secret") if isinstance(result, dict) else None
        if secret:
            self.canaries.add(str(secret))


def _record_label(asked: Asked, kind: str) -> str:
    if asked.method == "GET":
        return "glance record" if kind == "metadata" else "read record"
    if kind == "data":
        return "record " + str((asked.json().get("data") or {}).get("phase"))
    return kind


def _path_label(asked: Asked, kind: str) -> str:
    if asked.method == "GET":
        return "glance path" if kind == "metadata" else "read path"
    names = {"data": "publish", "delete": "retire", "undelete": "unretire", "metadata": "patch"}
    return names.get(kind, kind)


def names_exchange(asked: Asked) -> str | None:
    """Say what a request to Bybit is for."""
    return EXCHANGE_CALLS.get(asked.path.partition("?")[0].rpartition("/")[2])


@contextmanager
def estate(server: VaultServer, sandbox: Sandbox, folder: Path, **options: Any) -> Iterator[Estate]:
    """Build an estate on a fresh mount and a fresh sub-account; end everything afterwards."""
    vault = Vault(server, options.pop("mount", None) or server.fresh_mount())
    folder.mkdir(parents=True, exist_ok=True)
    account = str(20_000_000 + secrets.randbelow(70_000_000))
    built = Estate(vault, sandbox, folder, account, **options)
    try:
        yield built
    finally:
        built.close()


def as_json(value: object) -> str:
    """Return a value as JSON, for a message."""
    return json.dumps(value, indent=1, default=str)
