"""`doctor` finds what a daemon would miss, before it is started."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.firm import DESK, MASTER, Firm
from tests.cli.kit import Sandbox, rotator


@pytest.fixture
def firm(tmp_path: Path, own_sandbox: Sandbox) -> Firm:
    """A firm without any key."""
    return Firm(tmp_path, own_sandbox)


def checks(firm: Firm, code: int) -> dict[str, dict[str, Any]]:
    """Return the checks by name; the command must end with `code`."""
    done = firm.do("doctor", "-o", "json")
    assert done.code == code, done.out
    assert set(done.json) == {"checks"}
    for check in done.json["checks"]:
        assert set(check) == {"name", "ok", "message", "cure"}
        assert check["ok"] or check["cure"], check
    return {check["name"]: check for check in done.json["checks"]}


def failed(firm: Firm) -> dict[str, dict[str, Any]]:
    """Return the checks that are not met."""
    return {name: check for name, check in checks(firm, 1).items() if not check["ok"]}


def test_all_is_well(firm: Firm) -> None:
    """Where nothing is missing, every check is met, and nothing is written or created."""
    firm.settings["audit"] = {"file": "audit.jsonl"}
    firm.write()
    firm.desk()
    firm.store("secret/trading/binance/own", firm.sandbox.key("binance"))
    before = firm.creates()
    found = checks(firm, 0)
    assert all(check["ok"] for check in found.values())
    assert {"config", "store", "login", "retention", "anchor", "pepper", "seal"} <= set(found)
    assert {"exchange bybit", "clock bybit", "exchange binance", "audit file"} <= set(found)
    assert found["armed"]["message"].startswith("1 of 3")
    assert firm.documents() == {}
    assert firm.creates() == before
    assert not (firm.folder / "audit.jsonl").exists()
    table = firm.do("doctor")
    assert (table.code, "failed" in table.out) == (0, False)


def test_what_is_configured_and_not_there(firm: Firm) -> None:
    """A glob that arms nothing, a missing parent, an unknown exchange, an empty folder."""
    firm.desk()
    firm.settings["rotation"]["armed"].append("secret/trading/bybit/dseks/*")
    firm.settings["store"]["paths"].append("secret/nothing/")
    firm.write()
    meta = ("--only-metadata", "--metadata", "parent=secret/trading/bybit/gone")
    assert firm.do("store", "put", DESK, *meta).code == 0
    firm.store("secret/trading/new", {"api_key": "k" * 18, "api_secret": "s"})
    new = ("--only-metadata", "--metadata", "exchange=kraken")
    assert firm.do("store", "put", "secret/trading/new", *new).code == 0
    found = failed(firm)
    assert set(found) == {"armed", "parents", "exchange names", "path secret/nothing/"}
    assert "dseks" in found["armed"]["message"]
    assert f"secret/trading/bybit/gone (of {DESK})" in found["parents"]["message"]
    lines = firm.do("doctor").out.splitlines()
    assert lines[0].startswith("failed")
    assert lines[1].startswith("    Cure: ")


def test_secrets_without_an_exchange(firm: Firm) -> None:
    """A secret that names no exchange is listed, and is no fault."""
    firm.desk()
    firm.store("secret/trading/database", {"password": "s"})
    other = checks(firm, 0)["other secrets"]
    assert "secret/trading/database" in other["message"]
    assert "--metadata exchange=NAME" in other["cure"]


def test_an_exchange_that_is_silent(firm: Firm) -> None:
    """An exchange that cannot be reached is told with what was tried."""
    firm.desk()
    firm.settings["exchanges"]["bybit"]["base_url"] = "http://127.0.0.1:9"
    firm.write()
    assert set(failed(firm)) == {"exchange bybit"}


def test_a_refused_key_still_shows_that_the_exchange_answers(firm: Firm) -> None:
    """The exchange is reachable even if it refuses the key that asks."""
    firm.desk()
    firm.kill("bybit", firm.sandbox.parent("bybit"))
    assert checks(firm, 0)["exchange bybit"]["message"].startswith("answers")


def test_a_store_that_may_be_restored(firm: Firm) -> None:
    """A journal in use without an anchor is told with its cure."""
    firm.desk()
    firm.write_document("rotations/secret/trading/bybit/desk0", {"not": "a record"})
    assert "rotator resume" in failed(firm)["anchor"]["cure"]


def test_files_that_cannot_be_written(firm: Firm) -> None:
    """A file that lies where no folder can be is told, with the field that names it."""
    firm.desk()
    (firm.folder / "plain").write_text("")
    firm.settings["audit"] = {"file": "plain/audit.jsonl"}
    firm.settings["lease"] = {"file": "plain/lease"}
    firm.write()
    found = failed(firm)
    assert set(found) == {"audit file", "lease file"}
    assert "audit.file" in found["audit file"]["cure"]


def test_without_a_store_the_rest_is_still_told(firm: Firm) -> None:
    """A Vault that gives no answer is one failed check; this machine's files are told too."""
    token = firm.private("token", "not-a-token")
    firm.settings["store"].pop("local")
    auth = {"method": "token", "token_file": str(token)}
    firm.settings["store"]["vault"] = {"address": "http://127.0.0.1:9", "auth": auth}
    firm.write()
    found = checks(firm, 1)
    assert [n for n, c in found.items() if not c["ok"]] == ["store"]
    assert "anchor file" in found
    token.unlink()
    assert "login" in failed(firm)


def test_a_configuration_that_does_not_read(tmp_path: Path) -> None:
    """A broken configuration is a failed check with its sentence, in every form."""
    file = tmp_path / "rotator.yaml"
    file.write_text("store: {local: {}}\nlokal: {}\n")
    done = rotator("doctor", "--config", file, "-o", "json")
    [check] = json.loads(done.out)["checks"]
    assert (done.code, check["name"], check["ok"]) == (1, "config", False)
    assert "lokal" in check["message"]


def test_unmanaged_parents_serve(firm: Firm) -> None:
    """The master's key, which is not managed, is a parent like any other."""
    firm.desk()
    assert MASTER not in checks(firm, 0)["parents"]["message"]
