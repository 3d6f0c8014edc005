"""`rotator config`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.cli.kit import process, rotator

GOOD = "store: {local: {}}\nexchanges: {bybit: {proxy: 'http://me:mallard@p.example:3128'}}\n"


def written(folder: Path, text: str) -> Path:
    """Write a configuration."""
    file = folder / "rotator.yaml"
    file.write_text(text)
    return file


def test_init_writes_what_check_accepts(tmp_path: Path) -> None:
    """`config init` writes a file that loads, and never over one that is there."""
    file = tmp_path / "rotator.yaml"
    assert rotator("config", "init", "--config", file).code == 0
    assert rotator("config", "check", "--config", file).code == 0
    file.write_text("mine: true\n")
    again = rotator("config", "init", "--config", file)
    assert (again.code, file.read_text()) == (1, "mine: true\n")
    assert "--force" in again.err
    assert rotator("config", "init", "--config", file, "--force").code == 0
    assert rotator("config", "init", "--stdout").out == file.read_text()


def test_check(tmp_path: Path) -> None:
    """A configuration that can be used ends with 0 in every form."""
    file = written(tmp_path, GOOD)
    assert rotator("config", "check", "--config", file).out == f"{file} can be used.\n"
    told = rotator("config", "check", "--config", file, "-o", "json").json
    assert told == {"file": str(file), "ok": True, "problem": None}


@pytest.mark.parametrize(
    ("text", "field", "cure"),
    [
        ("store: {local: {}}\nrotatoin: {}\n", "rotatoin", "Did you mean `rotation`?"),
        (
            "store: {local: {}}\npolicies: {desk: {max_age: mallard}}\n",
            "policies.desk.max_age",
            "30d",
        ),
        ("store: {local: {}}\nexchanges: {bybitt: {}}\n", "exchanges.bybitt", "bybit"),
        (
            "store: {local: {}}\nexchanges: {bybit: {proxy: 'socks5://mallard@p.example:1'}}\n",
            "exchanges.bybit",
            "http://",
        ),
        ("store: {vault: {}}\n", "store.vault.address", "VAULT_ADDR"),
        ("a: b: c\n", "rotator.yaml", "line 1"),
    ],
)
def test_a_wrong_configuration(tmp_path: Path, text: str, field: str, cure: str) -> None:
    """The first thing wrong is one sentence with field and cure, exit code 1, no value in it."""
    file = written(tmp_path, text)
    done = rotator("config", "check", "--config", file)
    assert (done.code, done.out) == (1, "")
    assert field in done.err
    assert cure in done.err
    assert "mallard" not in done.err
    told = rotator("config", "check", "--config", file, "-o", "json")
    assert (told.code, told.json["ok"], told.json["problem"]["field"]) == (1, False, field)


WEB = "store: {local: {}}\nserve: {web_config: web.yaml}\n"


def test_check_reads_the_web_config(tmp_path: Path) -> None:
    """What is wrong in it is named, and what has no effect is told."""
    file = written(tmp_path, WEB)
    missing = rotator("config", "check", "--config", file)
    assert (missing.code, missing.out) == (1, "")
    assert "web.yaml: cannot be read" in missing.err
    (tmp_path / "web.yaml").write_text("basic_auth_users: {ann: mallard}\n")
    told = rotator("config", "check", "--config", file, "-o", "json")
    assert (told.code, told.json["ok"]) == (1, False)
    assert told.json["problem"]["field"] == "web.yaml: basic_auth_users.ann"
    assert "mallard" not in told.err + told.out
    (tmp_path / "web.yaml").write_text("http_server_config: {http2: true}\n")
    sound = rotator("config", "check", "--config", file)
    assert (sound.code, sound.out) == (0, f"{file} can be used.\n")
    assert "HTTP/1.1" in sound.err


def test_the_daemon_does_not_start_with_a_broken_web_config(tmp_path: Path) -> None:
    """The port is never open without the TLS that was asked for."""
    file = written(tmp_path, WEB)
    (tmp_path / "web.yaml").write_text("tls_server_config: {cert_file: gone.pem}\n")
    done = rotator("run", "--config", file)
    assert done.code == 1
    assert "web.yaml: tls_server_config." in done.err


@pytest.mark.parametrize("command", [["config", "show"], ["store", "list"], ["audit", "verify"]])
def test_a_missing_configuration(tmp_path: Path, command: list[str]) -> None:
    """Without a configuration each command that needs one says how to name or make it."""
    done = rotator(*command, "--config", tmp_path / "absent.yaml")
    assert (done.code, done.out) == (1, "")
    assert "absent.yaml" in done.err
    assert "config init" in done.err


def test_the_variable_names_the_file(tmp_path: Path) -> None:
    """ROTATOR_CONFIG names the configuration, --config wins over it, and rotator.yaml is last."""
    file = written(tmp_path, GOOD)
    other = tmp_path / "other.yaml"
    other.write_text("store: {local: {file: other.db}}\n")
    named = rotator("config", "show", "--json", env={"ROTATOR_CONFIG": str(file)}).json
    assert named["store"]["local"]["file"] == "rotator.db"
    options = ("--config", other)
    both = rotator("config", "show", "--json", *options, env={"ROTATOR_CONFIG": str(file)}).json
    assert both["store"]["local"]["file"] == "other.db"
    assert process("config", "check", cwd=tmp_path).code == 0


def test_show(tmp_path: Path) -> None:
    """`config show` prints what is in force, variables included, a proxy's password left out."""
    file = written(tmp_path, GOOD)
    env = {"ROTATOR_ROTATION__IN_FLIGHT": "7"}
    for form in ("yaml", "json", "table"):
        shown = rotator("config", "show", "--config", file, "-o", form, env=env)
        assert (shown.code, shown.err) == (0, "")
        assert "mallard" not in shown.out
        assert "7" in shown.out
    text = rotator("config", "show", "--config", file, env=env).out
    assert yaml.safe_load(text)["rotation"]["in_flight"] == 7


def test_schema() -> None:
    """The schema is JSON, or YAML if asked for, and needs no configuration."""
    schema = json.loads(rotator("config", "schema").out)
    assert "store" in schema["properties"]
    assert yaml.safe_load(rotator("config", "schema", "-o", "yaml").out) == schema


def test_inspect_goes_by_the_configuration(tmp_path: Path) -> None:
    """A broken configuration stops `inspect` too, because its proxy would be missed."""
    file = written(tmp_path, "store: {local: {}}\nexchanges: {bybit: {prxy: x}}\n")
    done = rotator("inspect", "bybit", "--config", file, stdin='{"api_key":"k","api_secret":"s"}')
    assert (done.code, done.out) == (1, "")
    assert "prxy" in done.err
