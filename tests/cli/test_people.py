"""People's policy on a real Vault: they see everything but values, and their orders count."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.firm import LONG_AGO, Firm, settings
from tests.cli.kit import ROOT, Done, Sandbox
from tests.servers.vault_server import VaultServer

pytestmark = pytest.mark.real

POLICIES = ROOT / "deploy" / "vault"


class VaultFirm(Firm):
    """A firm whose store is a mount of a real Vault, with a login for each role."""

    def __init__(self, folder: Path, sandbox: Sandbox, vault: VaultServer, mount: str) -> None:
        self.vault, self.mount = vault, mount
        self.desk0 = f"{mount}/trading/bybit/desk0"
        told = json.dumps(settings(sandbox)).replace("secret/", f"{mount}/")
        config: dict[str, Any] = json.loads(told)
        config["store"].pop("local")
        auth = {"method": "token", "token_file": "rotate.token"}
        config["store"]["vault"] = {"address": vault.address, "auth": auth}
        super().__init__(folder, sandbox, config)
        for role in ("rotate", "watch", "people"):
            hcl = (POLICIES / f"{role}.hcl").read_text().replace('"secret/', f'"{mount}/')
            vault.policy(f"{mount}-{role}", hcl)
            self.private(f"{role}.token", vault.token([f"{mount}-{role}"]))

    def by(self, role: str, *arguments: str) -> Done:
        """Obey a command line with the login of a role."""
        return self.do(*arguments, "--token-file", str(self.folder / f"{role}.token"))

    def put(self, path: str, key: dict[str, Any]) -> None:
        """Write a key as an administrator does."""
        self.vault.write(f"{self.mount}/data/{path}", {"data": key})

    def document_of(self, folder: str) -> dict[str, Any]:
        """Return the order on the desk's credential, as an administrator reads it."""
        place = f"{self.mount}/data/rotator/{folder}/{self.desk0}"
        return dict(self.vault.read(place)["data"]["data"])


@pytest.fixture
def firm(tmp_path: Path, own_sandbox: Sandbox, vault: VaultServer, mount: str) -> VaultFirm:
    """A firm with one desk whose key is due."""
    made = VaultFirm(tmp_path, own_sandbox, vault, mount)
    key = own_sandbox.new_key(
        "bybit", label="own", scopes=["read", "trade:spot"], addresses=None, created_at=LONG_AGO
    )
    made.put("trading/bybit/master", own_sandbox.parent("bybit"))
    made.put("trading/bybit/desk0", key)
    return made


def test_people_lead_a_rotation(firm: VaultFirm) -> None:
    """With the people's policy alone: status, plan, explain, hold, release, complete."""
    assert firm.once()["rotations"][0]["phase"] == "DRAINING"
    told = firm.by("people", "status", "-o", "json")
    assert told.code == 0, told.out + told.err
    by = {c["credential"]: c for c in told.json["credentials"]}
    assert by[firm.desk0]["validity"] == "valid"
    assert by[firm.desk0]["due_at"] is not None
    assert "may not read the keys' values" in told.json["problems"][0]
    [open_] = told.json["rotations"]
    assert open_["waits_for"].endswith(f"rotator complete {firm.desk0}")
    assert firm.by("people", "plan", "--within", "60d").code == 0
    assert "rotator complete" in firm.by("people", "explain", "desk0", "--json").json["next"]
    assert firm.by("people", "hold", "desk0", "--reason", "x", "--name", "n").code == 0
    assert firm.by("people", "release", "n").code == 0
    done = firm.by("people", "complete", "desk0", "--json")
    assert done.code == 0, done.err
    assert firm.document_of("commands") == {
        "command": "complete",
        "rotation": open_["rotation"],
        "version": 2,
        "answer": None,
    }
    assert firm.once()["rotations"][0]["phase"] == "DONE"


def test_people_answer_and_ask(firm: VaultFirm) -> None:
    """With the people's policy alone: resolve a question, then ask for a rotation."""
    firm.once()
    third = firm.sandbox.new_key("bybit", label="third", scopes=["read"], addresses=None)
    firm.put("trading/bybit/desk0", third)
    assert firm.once()["rotations"][0]["phase"] == "QUARANTINED"
    answered = firm.by("people", "resolve", "desk0", "abort", "--json")
    assert (answered.code, answered.json["version"]) == (0, 3), answered.err
    assert firm.once()["rotations"][0]["phase"] == "DRAINING_BACK"
    assert firm.by("people", "complete", "desk0").code == 0
    assert firm.once()["rotations"][0]["phase"] == "ABORTED"
    asked = firm.by("people", "rotate", "desk0", "--json")
    assert (asked.code, asked.json["version"]) == (0, 3), asked.err
    [manual] = firm.once()["rotations"]
    assert (manual["reason"], manual["phase"]) == ("manual", "DRAINING")


def test_people_may_not_check(firm: VaultFirm) -> None:
    """`check` and `doctor` need the keys; a person's login is told so in one sentence."""
    firm.once()
    done = firm.by("people", "check")
    assert (done.code, done.out) == (1, "")
    assert "rotator status" in done.err
    told = firm.by("people", "doctor", "-o", "json")
    failed = {c["name"] for c in told.json["checks"] if not c["ok"]}
    assert (told.code, {"values", "state", "pepper"} <= failed) == (1, True)
    assert firm.by("people", "strays").code == 0


def test_each_role_of_the_daemon_is_well(firm: VaultFirm) -> None:
    """`doctor` is content with the rotate policy, and with watch where nothing is armed."""
    made = firm.by("rotate", "doctor", "-o", "json")
    assert made.code == 0, made.out
    assert "seal" in {c["name"] for c in firm.by("watch", "doctor", "--json").json["checks"]}
    assert firm.by("watch", "doctor").code == 1
    firm.settings["rotation"]["armed"] = []
    firm.write()
    watch = firm.by("watch", "doctor", "-o", "json")
    assert watch.code == 0, watch.out
    assert firm.by("watch", "check").code == 3
    assert firm.by("watch", "status").code in (0, 3)


def test_a_sealed_vault(firm: VaultFirm) -> None:
    """A sealed Vault is told with how to unseal it."""
    firm.vault.seal()
    try:
        done = firm.do("status")
        assert (done.code, "vault operator unseal" in done.err) == (1, True)
        store = {c["name"]: c for c in firm.do("doctor", "--json").json["checks"]}["store"]
        assert (store["ok"], store["cure"]) == (False, "unseal it: vault operator unseal")
    finally:
        firm.vault.unseal()
