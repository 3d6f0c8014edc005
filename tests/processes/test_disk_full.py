"""The disk of the embedded store is full in the middle of a rotation."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from rotator.observe import evidence
from tests.processes.estate import names_exchange
from tests.processes.gate import Fate, Gate, Road, Side, Stop
from tests.processes.program import Program, Sandbox

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]
PATH = "secret/trading/bybit/desk0"


class Local:
    """An overdue armed key in an embedded store, and a daemon on it."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox, self.folder, self.road = sandbox, folder, Road()
        self.gate = Gate(sandbox.url("bybit"), self.road, names_exchange, lambda *_: None)
        self.master = sandbox.seeded("bybit", "parents")
        self.old = sandbox.seeded("bybit")
        self.config = folder / "rotator.yaml"
        self.config.write_text(yaml.safe_dump(self._document()))
        self._put("secret/trading/bybit/master", self.master)
        self._put(PATH, self.old)
        self.programs: list[Program] = []

    def _document(self) -> dict[str, object]:
        match = "secret/trading/bybit/"
        rule = {"match": f"{match}**", "exchange": "bybit", "parent": f"{match}master"}
        return {
            "store": {
                "local": {"file": "store.db", "key_file": "store.key"},
                "anchor": {"file": "anchor"},
            },
            "rules": [rule | {"policy": "desk"}],
            "policies": {"desk": {"max_age": "30d", "revoke": "drain", "drain": "0s"}},
            "rotation": {"armed": [PATH], "spread_backlog": "0s"},
            "exchanges": {"bybit": {"base_url": self.gate.address, "share": None}},
            "every": {"inventory": "5s"},
            "serve": {"listen": "127.0.0.1:0"},
            "audit": {"file": "audit.jsonl"},
        }

    def _put(self, path: str, key: dict[str, object]) -> None:
        file = self.folder / "key.json"
        file.write_text(json.dumps(key))
        with file.open("rb") as stream:
            put = Program(
                self.folder, "put", "store", "put", path, "--config", str(self.config), stdin=stream
            )
        assert put.ended() == 0, put.log()
        file.unlink()

    def daemon(self) -> Program:
        """Start `rotator run`."""
        name = f"daemon{len(self.programs)}"
        started = Program(self.folder, name, "run", "--config", str(self.config))
        self.programs.append(started)
        return started

    def alive(self) -> list[str]:
        """Return the ids of the account's living HMAC keys."""
        books = self.sandbox.ledger("bybit")["keys"]
        mine = [k for k in books if k["account_id"] == self.old["account_id"]]
        return [k["id"] for k in mine if k["alive"]]

    def creates(self) -> int:
        """Return how many keys were created through the API."""
        return int(self.sandbox.ledger("bybit")["creates"])

    def close(self) -> None:
        """End everything."""
        for program in self.programs:
            program.close()
        self.gate.close()


@pytest.fixture
def local(own_sandbox: Sandbox, tmp_path: Path) -> Iterator[Local]:
    """An estate over an embedded store."""
    folder = tmp_path / "local"
    folder.mkdir()
    there = Local(own_sandbox, folder)
    yield there
    there.close()


def fill(program: Program, limit: int) -> None:
    """Let no file of a process grow beyond a size: what a full disk does to it."""
    resource.prlimit(program.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))


def make_room(program: Program) -> None:
    """Let its files grow again."""
    both = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.prlimit(program.pid, resource.RLIMIT_FSIZE, both)


@pytest.mark.parametrize("label", ["create", "delete"])
@pytest.mark.parametrize("side", list(Side))
def test_full_in_the_middle(local: Local, label: str, side: Side) -> None:
    """With the disk full it waits and makes no second key; with room again it goes on."""
    stop = Stop(label, side)
    local.road.stop_at(stop)
    daemon = local.daemon()
    assert stop.reached.wait(40), daemon.log()
    fill(daemon, 1)
    stop.end(Fate.GO_ON)
    crossed = local.road.labels()
    make_room_after(daemon)
    assert local.creates() == 1
    assert label != "create" or local.road.labels() == crossed
    daemon.wait_for("rotation_closed", result="done")
    assert daemon.stop() == 0
    assert local.creates() == 1
    assert len(local.alive()) == 1
    assert local.alive() != [local.old["api_key"]]
    assert evidence.verify(local.folder / "audit.jsonl").ok


def make_room_after(daemon: Program, seconds: float = 4.0) -> None:
    """Leave the disk full for a while."""
    time.sleep(seconds)
    assert daemon.alive, daemon.log()
    make_room(daemon)


@pytest.mark.parametrize("label", ["create"])
def test_killed_on_a_full_disk(local: Local, label: str) -> None:
    """Killed while its disk is full, it tidies the key that it could not note."""
    stop = Stop(label, Side.AFTER)
    local.road.stop_at(stop)
    first = local.daemon()
    assert stop.reached.wait(40)
    fill(first, 1)
    stop.end(Fate.GO_ON)
    make_room_after(first)
    first.kill()
    second = local.daemon()
    second.wait_for("rotation_closed", result="done")
    assert second.stop() == 0
    assert local.creates() <= 2
    assert len(local.alive()) == 1
