"""The stages of the loop: each is one real daemon or two, in one kind of trouble.

A stage is a scrape job of its own; what causes its alerts is done to Vault, to the
exchange, to the machine or to the process, never to a metric.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.processes.estate import Estate, estate
from tests.processes.program import HTTP, Program, Sandbox, until
from tests.servers.vault_server import VaultServer, free_port

QUICK = {"every": {"inventory": "5s", "inspect": "5s", "tidy": "15s"}}
EAGER = {"every": {"inventory": "1s", "inspect": "1s", "tidy": "15s"}}
NOTHING = 'path "nothing" { capabilities = ["read"] }'
DYING = 6


@dataclass
class Cause:
    """What was done, and when; the alerts that must come of it at this stage."""

    stage: str
    alert: str
    at: float = field(default_factory=time.monotonic)


@dataclass
class Stage:
    """One scrape job."""

    name: str
    there: Estate
    daemons: list[Program]

    @property
    def ports(self) -> list[int]:
        """Where its daemons serve their metrics."""
        return [int(daemon.wait_for("listening")["port"]) for daemon in self.daemons]

    def put(self, name: str, key: dict[str, Any], **metadata: str) -> None:
        """Write a credential with its custom metadata."""
        path = f"trading/bybit/{name}"
        about = {"custom_metadata": {"owner": "desk-a", **metadata}}
        self.there.vault.server.api("POST", f"{self.there.vault.mount}/metadata/{path}", about)
        self.there.vault.put(path, key)


@dataclass
class Theatre:
    """All stages over one Vault and one sandbox."""

    vault: VaultServer
    sandbox: Sandbox
    folder: Path
    stages: dict[str, Stage]

    def cause(self, stage: str, deed: Callable[[Stage], None], *alerts: str) -> list[Cause]:
        """Do something at a stage and return what must come of it."""
        began = time.monotonic()
        deed(self.stages[stage])
        return [Cause(stage, alert, began) for alert in alerts]


@contextmanager
def theatre(vault: VaultServer, sandbox: Sandbox, folder: Path) -> Iterator[Theatre]:
    """Start every stage and wait for its first pass."""
    with ExitStack() as stack:

        def built(name: str, **options: Any) -> Estate:
            settings = QUICK | options.pop("settings", {})
            armed = options.pop("armed", False)
            there = estate(vault, sandbox, folder / name, settings=settings, armed=armed, **options)
            return stack.enter_context(there)

        makers = (_killed, _leaderless, _blinded, _findings, _rotations, _cut_off, _banned)
        stages = {stage.name: stage for stage in (make(built) for make in makers)}
        for stage in stages.values():
            stage.daemons[0].wait_for("pass")
        yield Theatre(vault, sandbox, folder, stages)


Built = Callable[..., Estate]


def _killed(built: Built) -> Stage:
    there = built("killed")
    return Stage("killed", there, [there.daemon()])


def _leaderless(built: Built) -> Stage:
    """Two daemons share a lease; the second stands by."""
    there = built("leaderless")
    there.document["lease"] = {"file": str(there.folder / "lease")}
    there.write_config()
    first = there.daemon()
    first.wait_for("leader")
    second = there.daemon(config=there.instance("second"))
    second.wait_for("standby")
    return Stage("leaderless", there, [first, second])


def _blinded(built: Built) -> Stage:
    there = built("blinded")
    return Stage("blinded", there, [there.daemon()])


def _findings(built: Built) -> Stage:
    there = built("findings")
    stage = Stage("findings", there, [])
    for number in range(DYING):
        stage.put(f"dying{number}", there.new_key(f"dying{number}"), owner="desk-b")
    stage.daemons.append(there.daemon())
    return stage


def _rotations(built: Built) -> Stage:
    """Nothing is armed yet, the audit's disk is full, and a reload keeps the port."""
    policy = {"max_age": "30d", "revoke": "manual", "drain": "1s"}
    settings = {
        "audit": {"file": "/dev/full"},
        "serve": {"listen": f"127.0.0.1:{free_port()}"},
    }
    there = built("rotations", policy=policy, settings=settings)
    match = f"{there.vault.mount}/trading/bybit/"
    there.document["policies"]["quick"] = policy | {"revoke": "drain", "drain": "8s"}
    there.document["rules"].insert(
        0,
        {
            "match": f"{match}owed",
            "exchange": "bybit",
            "parent": f"{match}master",
            "policy": "quick",
        },
    )
    there.write_config()
    stage = Stage("rotations", there, [])
    mine = there.account
    for number, name in enumerate(("stuck", "owed"), 1):
        there.account = str(int(mine) + number)  # one rotation per account
        stage.put(name, there.new_key(name))
    there.account = mine
    stage.daemons.append(there.daemon())
    return stage


def _cut_off(built: Built) -> Stage:
    """It looks every second: calls must be seen to fail before the exchange counts as down.

    Once it does, that page silences the page of failing calls, as it should.
    """
    there = built("cut_off", settings=EAGER)
    return Stage("cut_off", there, [there.daemon()])


def _banned(built: Built) -> Stage:
    """A Binance key, and a login at Vault that lives for a minute and cannot be renewed."""
    there = built("banned")
    role = f"auth/approle/role/{there.vault.mount}-rotate"
    there.vault.server.write(role, {"token_ttl": "60s", "token_explicit_max_ttl": "60s"})
    there.document["rules"].insert(
        0, {"match": f"{there.vault.mount}/trading/binance/**", "exchange": "binance"}
    )
    there.document["exchanges"]["binance"] = {
        "base_url": there.sandbox.url("binance"),
        "share": None,
    }
    there.write_config()
    there.vault.put("trading/binance/desk0", there.sandbox.seeded("binance"))
    return Stage("banned", there, [there.daemon()])


# What is done.


def kill(stage: Stage) -> None:
    """End the daemon as a crash does."""
    stage.daemons[0].kill()


def freeze_the_leader(stage: Stage) -> None:
    """Let the leader hang with the lease in its hand."""
    stage.daemons[0].freeze()


def take_the_policy(stage: Stage) -> None:
    """Take away what the daemon may read; its login works on."""
    vault = stage.there.vault
    vault.server.policy(f"{vault.mount}-rotate", NOTHING)


def cut_off_vault(stage: Stage) -> None:
    """Let nothing listen any more where Vault was."""
    stage.there.gates[0].close()


def cut_off_the_exchange(stage: Stage) -> None:
    """Let nothing listen any more where the exchange was."""
    stage.there.gates[1].close()


def ban(stage: Stage) -> None:
    """Let Binance ban us."""
    stage.there.sandbox.post(
        "/faults", exchange="binance", operation="any", fault="banned", times=None
    )


def remove_the_role(stage: Stage) -> None:
    """Remove the role with which the daemon logs in."""
    vault = stage.there.vault
    vault.server.api("DELETE", f"auth/approle/role/{vault.mount}-rotate")


def let_withdraw(stage: Stage) -> None:
    """Put a key that may withdraw on a path."""
    there = stage.there
    key = there.sandbox.post(
        "/keys",
        exchange="bybit",
        account=there.master["account_id"],
        label="withdraws",
        scopes=["read", "withdraw"],
        addresses=None,
        created_at=None,
    )
    stage.put("withdraws", key)


def make_a_foreign_key(stage: Stage) -> None:
    """Make a key at the exchange that nobody writes down."""
    stage.there.new_key("nobody")


def near_its_end(stage: Stage) -> None:
    """Put a key on a path that the exchange ends in ten hours."""
    age = timedelta(days=90) - timedelta(hours=10)
    stage.put("ends", stage.there.new_key("ends", age))


def of_another_account(stage: Stage) -> None:
    """Put a key on a path whose metadata names another account."""
    stage.put("wrong", stage.there.new_key("wrong"), account="1")


def kill_one_key(stage: Stage) -> None:
    """Let one key die at the exchange."""
    _die(stage, range(1))


def kill_the_other_keys(stage: Stage) -> None:
    """Let the others die as well."""
    _die(stage, range(1, DYING))


def _die(stage: Stage, numbers: range) -> None:
    there = stage.there
    for number in numbers:
        found = there.vault.get(f"trading/bybit/dying{number}")
        assert found is not None
        there.sandbox.post("/kill", exchange="bybit", key_id=found["data"]["api_key"])


def arm(stage: Stage) -> None:
    """Arm every path, and let the daemon read that."""
    stage.there.document["rotation"]["armed"] = [f"{stage.there.vault.mount}/trading/**"]
    stage.there.write_config()
    answer = HTTP.request("POST", f"http://127.0.0.1:{stage.ports[0]}/-/reload")
    assert answer.status == 200, answer.data


def record(stage: Stage, name: str) -> tuple[str, dict[str, Any]]:
    """Return where the record of a path lies, and what it says."""
    vault = stage.there.vault
    where = f"rotator/rotations/{vault.mount}/trading/bybit/{name}"
    found = vault.get(where)
    return where, dict(found["data"]) if found and found["data"] else {}


def wait_for(stage: Stage, name: str, *phases: str) -> None:
    """Wait until a rotation stands in one of these phases."""
    until(lambda: record(stage, name)[1].get("phase") in phases, f"{name} at {phases}", 60)


def paste_a_third_key(stage: Stage) -> None:
    """Paste a key over the one that a rotation has published."""
    stage.there.vault.put("trading/bybit/desk0", stage.there.new_key("pasted"))


def delete_the_record(stage: Stage) -> None:
    """Delete the record of an open rotation."""
    where, _ = record(stage, "stuck")
    vault = stage.there.vault
    vault.act("delete", where, [max(vault.versions(where))])


def weaken_the_master(stage: Stage) -> None:
    """Replace the master's key by one that may only read."""
    there = stage.there
    key = there.sandbox.post(
        "/keys",
        exchange="bybit",
        account=there.master["account_id"],
        label="weak",
        scopes=["read"],
        addresses=None,
        created_at=None,
    )
    there.vault.put("trading/bybit/master", key)
