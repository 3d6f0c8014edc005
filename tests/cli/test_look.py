"""`check`, `status`, `explain`, `plan` over the embedded store and a real sandbox."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.cli.firm import DESK, LONG_AGO, MASTER, Firm
from tests.cli.kit import Sandbox, process, started
from tests.cli.test_conventions import SilentServer

STATUS = {"as_of", "credentials", "findings", "rotations"}
CREDENTIAL = {"credential", "exchange", "account", "verdict", "validity", "due_at"}
FINDING = {"credential", "code", "severity", "message", "cure"}
ROTATION = {
    "rotation",
    "credential",
    "strategy",
    "phase",
    "reason",
    "started_at",
    "waits_for",
    "question",
    "answers",
}
MORE = {"inventory_complete", "problems", "holds"}


@pytest.fixture
def firm(tmp_path: Path, own_sandbox: Sandbox) -> Firm:
    """A firm without any key."""
    return Firm(tmp_path, own_sandbox)


def codes(document: dict[str, list[dict[str, str]]], name: str) -> set[str]:
    """Return the codes of a credential's findings."""
    return {f["code"] for f in document["findings"] if f["credential"] == name}


def test_check_judges_every_key(firm: Firm) -> None:
    """`check` prints the form of `status` and ends with 3 where a key may withdraw."""
    firm.desk()
    firm.store("secret/trading/binance/own", firm.sandbox.key("binance"))
    done = firm.do("check", "-o", "json")
    assert done.code == 3
    assert set(done.json) == STATUS | MORE
    assert {frozenset(c) for c in done.json["credentials"]} == {frozenset(CREDENTIAL)}
    assert {frozenset(f) for f in done.json["findings"]} == {frozenset(FINDING)}
    by = {c["credential"]: c for c in done.json["credentials"]}
    assert by[DESK]["validity"] == "valid"
    assert "WithdrawEnabled" in codes(done.json, "secret/trading/binance/own")
    assert "ForeignKey" in codes(done.json, DESK)


def test_check_changes_nothing(firm: Firm) -> None:
    """`check` writes no state document, no anchor and no audit, and asks for no change."""
    firm.settings["audit"] = {"file": "audit.jsonl"}
    firm.write()
    firm.desk()
    before = firm.creates()
    firm.do("check")
    assert firm.documents() == {}
    assert firm.creates() == before
    assert {p.name for p in firm.folder.iterdir()} == {"rotator.yaml", "s.db", "s.key"}
    firm.once()
    documents, anchor = firm.documents(), (firm.folder / "anchor").read_text()
    assert firm.do("check").code == 3
    assert firm.documents() == documents
    assert (firm.folder / "anchor").read_text() == anchor


def test_nothing_critical_is_fine(firm: Firm) -> None:
    """`check` and `status` end with 0 where the worst finding is a warning."""
    firm.settings["rules"] = [{"match": "secret/trading/**", "exchange": "bybit"}]
    firm.write()
    firm.desk(age=LONG_AGO)
    for command in ("check", "status"):
        done = firm.do(command, "-o", "json")
        assert done.code == 0, done.out
        assert {f["severity"] for f in done.json["findings"]} >= {"warning"}


def test_status_asks_no_exchange(firm: Firm) -> None:
    """`status` tells from the store what the last pass saw, at the time of that pass."""
    firm.desk()
    passed = firm.once()
    for exchange in firm.settings["exchanges"].values():
        exchange["base_url"] = "http://127.0.0.1:9"
    firm.write()
    told = firm.json("status")
    assert set(told) == STATUS | MORE
    by = {c["credential"]: c for c in told["credentials"]}
    assert by[DESK]["validity"] == "valid"
    assert by[DESK]["due_at"] is not None
    assert told["as_of"] <= passed["as_of"]
    assert told["problems"] == []


def test_status_remembers_a_dead_key(firm: Firm) -> None:
    """A key that the last pass saw refused is told as invalid, and that ends with 3."""
    firm.desk()
    key = firm.sandbox.new_key("bybit", label="lone", scopes=["read"], addresses=None)
    firm.store(DESK, key)
    firm.once()
    firm.kill("bybit", key)
    assert {c["validity"] for c in firm.json("status")["credentials"]} == {"valid"}
    firm.once()
    done = firm.do("status", "-o", "json")
    by = {c["credential"]: c["validity"] for c in done.json["credentials"]}
    assert (done.code, by[DESK], by[MASTER]) == (3, "invalid", "valid")
    assert "Invalid" in codes(done.json, DESK)


def test_status_before_the_first_pass(firm: Firm) -> None:
    """Over a store that nobody has looked at, `status` asks the exchanges and says so."""
    firm.desk()
    told = firm.json("status")
    assert {c["validity"] for c in told["credentials"]} == {"valid"}
    assert "no pass was ever made" in told["problems"][0]
    assert firm.documents() == {}


def test_status_tells_rotations_and_holds(firm: Firm) -> None:
    """An open rotation is told from its record, with the command that it waits for."""
    firm.desk(age=LONG_AGO)
    firm.once()
    told = firm.json("status")
    [rotation] = told["rotations"]
    assert set(rotation) == ROTATION
    assert (rotation["phase"], rotation["credential"]) == ("DRAINING", DESK)
    assert rotation["waits_for"].endswith(f"rotator complete {DESK}")
    firm.do("hold", "desk0", "--reason", "night", "--name", "n")
    told = firm.json("status")
    assert told["rotations"][0]["waits_for"].endswith("rotator release n")
    [hold] = told["holds"]
    assert (hold["hold"], hold["match"], hold["until"]) == ("n", DESK, None)
    firm.do("release", "n")
    firm.do("complete", "desk0")
    assert "has not obeyed" in firm.json("status")["rotations"][0]["waits_for"]


def test_a_restored_store_is_critical(firm: Firm) -> None:
    """`status` and `check` tell StoreRestored where the anchor is gone, and end with 3."""
    firm.settings["rules"] = [{"match": "secret/trading/**", "exchange": "bybit"}]
    firm.write()
    firm.desk()
    firm.write_document("rotations/secret/trading/bybit/desk0", {"not": "a record"})
    for command in ("check", "status"):
        done = firm.do(command, "-o", "json")
        assert done.code == 3
        assert "StoreRestored" in {f["code"] for f in done.json["findings"]}
        assert done.json["rotations"][0]["phase"] == "QUARANTINED"


def test_explain(firm: Firm) -> None:
    """`explain` tells verdict, findings and what comes next, for any end of a name."""
    firm.desk()
    for key in (DESK, "desk0", "bybit/desk0", f"/{DESK}/"):
        told = firm.json("explain", key)
        assert set(told) >= {"credential", "verdict", "findings", "next"}
        assert told["credential"] == DESK
    assert "due on" in told["next"]
    assert {frozenset(f) for f in told["findings"]} == {frozenset(FINDING)}


def test_explain_looks_now(firm: Firm) -> None:
    """`explain` asks the exchange about this one key, whatever the store remembers."""
    key = firm.desk()
    firm.once()
    firm.kill("bybit", key)
    told = firm.json("explain", "desk0")
    assert told["validity"] == "invalid"
    assert "Invalid" in {f["code"] for f in told["findings"]}


def test_a_key_that_is_none_or_several(firm: Firm) -> None:
    """A KEY without a meaning ends with 1 and names what is near; with several, with 2."""
    firm.desk()
    firm.store("secret/trading/other/desk0", {"api_key": "k" * 18, "api_secret": "s"})
    firm.settings["rules"].append({"match": "secret/trading/other/**", "exchange": "bybit"})
    firm.write()
    near = firm.do("explain", "dsek0")
    assert near.code == 1
    assert f"Near it: {DESK}, secret/trading/other/desk0" in near.err
    several = firm.do("explain", "desk0")
    assert several.code == 2
    assert DESK in several.err
    assert "secret/trading/other/desk0" in several.err
    assert several.out == ""
    assert firm.do("explain", "esk0").code == 1


def test_names_with_several_credentials(firm: Firm) -> None:
    """Of a secret with two credentials, `path#name` and the name alone are meant exactly."""
    firm.settings["rules"] = [
        {"match": "secret/trading/**", "exchange": "bybit", "name": name, "fields": fields}
        for name, fields in (
            ("a", {"api_key": "ka", "api_secret": "sa"}),
            ("b", {"api_key": "kb", "api_secret": "sb"}),
        )
    ]
    firm.write()
    key = firm.sandbox.key("bybit")
    both = {f"k{n}": key["api_key"] for n in "ab"} | {f"s{n}": key["api_secret"] for n in "ab"}
    firm.store(DESK, both)
    assert firm.json("explain", f"{DESK}#a")["credential"] == f"{DESK}#a"
    assert firm.json("explain", "b")["credential"] == f"{DESK}#b"
    assert firm.do("explain", "desk0").code == 2


def test_plan(firm: Firm) -> None:
    """`plan` lists what is due within the span, the earliest first, with what blocks it."""
    firm.desk(age=LONG_AGO)
    firm.desk(1)
    firm.settings["rotation"]["armed"] = []
    firm.write()
    told = firm.json("plan", "--within", "1d")
    assert set(told) >= {"rotations"}
    [first] = told["rotations"]
    assert set(first) >= {"credential", "due_at", "strategy", "blocked_by"}
    assert (first["credential"], first["strategy"]) == (DESK, "overlap")
    assert "NotArmed" in first["blocked_by"]
    names = [r["credential"] for r in firm.json("plan", "--within", "5w")["rotations"]]
    assert names == [DESK, "secret/trading/bybit/desk1"]
    assert firm.do("plan", "--within", "soon").code == 2


def test_hostile_names_do_not_reach_the_terminal(firm: Firm) -> None:
    """Escape sequences in a label, a hold or a typed KEY are shown as text."""
    label = "\x1b[31mred"
    firm.desk()
    firm.sandbox.new_key("bybit", label=label, scopes=["read"], addresses=None)
    hold = {"match": "\x1b[2J**", "reason": "\x1b[2J", "until": None}
    firm.write_document("holds/x", hold)
    for command in (["check"], ["status"], ["plan", "--within", "60w"], ["strays"]):
        done = firm.do(*command)
        assert done.out, done.err
        assert "\x1b" not in done.out + done.err, command
    assert "\\x1b[2J" in firm.do("status").out
    assert "\x1b" not in firm.do("explain", "\x1b[31m").err
    assert "\\x1b[31mred" in firm.do("strays").out


def test_findings_stand_under_each_other(firm: Firm) -> None:
    """For people each finding is a heading with its sentence and its cure below."""
    firm.store("secret/trading/binance/own", firm.sandbox.key("binance"))
    lines = firm.do("check").out.splitlines()
    at = lines.index("critical  WithdrawEnabled  secret/trading/binance/own")
    assert lines[at + 1].startswith("    The key ")
    assert lines[at + 2].startswith("    Cure: ")


def test_as_a_process(firm: Firm) -> None:
    """As a process of its own, standard output is the JSON document and nothing else."""
    firm.desk()
    done = process("check", "--config", str(firm.config), "--json")
    assert done.code == 3
    assert set(json.loads(done.out)) == STATUS | MORE
    assert done.err == ""


@pytest.mark.parametrize("line", [["check"], ["status"], ["explain", "x"], ["run", "--once"]])
def test_interrupted_on_a_silent_store(tmp_path: Path, line: list[str]) -> None:
    """Ctrl-C ends a command at once with 130, though a Vault keeps silent."""
    with SilentServer() as server:
        (tmp_path / "token").write_text("not-a-token")
        auth = "{method: token, token_file: token}"
        config = tmp_path / "rotator.yaml"
        config.write_text(f"store: {{vault: {{address: '{server.address}', auth: {auth}}}}}\n")
        with started(*line, "--config", str(config)) as child:
            server.wait_until_asked()
            child.send_signal(signal.SIGINT)
            assert child.wait(timeout=10) == 130


def test_no_store_and_no_configuration(tmp_path: Path) -> None:
    """Without a configuration, or with a key that does not open the store, it ends with 1."""
    assert process("status", cwd=tmp_path).code == 1
    (tmp_path / "rotator.yaml").write_text(
        "store: {vault: {address: 'http://127.0.0.1:9', auth: {method: token, token_file: t}}}"
    )
    (tmp_path / "t").write_text("not-a-token")
    done = process("status", cwd=tmp_path)
    assert (done.code, done.out) == (1, "")
    assert "store.vault.address" in done.err
