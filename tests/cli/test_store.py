"""`rotator store` on the embedded store and on a real Vault."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.kit import Done, on_terminal, process, rotator
from tests.servers.vault_server import VaultServer

DESK = "secret/trading/bybit/desk0"
FIELDS = {"api_key": "kkkkkkkkkkabcd", "api_secret": "canary-secret", "extra": {"n": [1, 2.5]}}
RULE = "rules: [{match: secret/trading/bybit/**, exchange: bybit}]\n"

Command = Callable[..., Done]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with an embedded store in the same folder."""
    file = tmp_path / "rotator.yaml"
    file.write_text("store: {local: {}}\n" + RULE)
    return file


@pytest.fixture
def store(config: Path) -> Command:
    """`rotator store` with that configuration, in the JSON form."""

    def command(verb: str, *arguments: str, stdin: str = "") -> Done:
        return rotator("store", verb, *arguments, "--config", config, "--json", stdin=stdin)

    return command


def test_put_get_list(store: Command) -> None:
    """A secret written from standard input is listed, shown masked, and revealed on request."""
    put = store("put", DESK, "--metadata", "policy=desk", stdin=json.dumps(FIELDS))
    assert put.json == {"path": DESK, "version": 1, "metadata": {"policy": "desk"}}
    masked = store("get", DESK)
    assert masked.json["fields"] == {"api_key": "…abcd", "api_secret": "***", "extra": "***"}
    assert masked.json["metadata"] == {"policy": "desk"}
    assert store("get", DESK, "--reveal").json["fields"] == FIELDS
    listed = store("list").json
    assert [(s["path"], s["version"]) for s in listed["secrets"]] == [(DESK, 1)]
    assert listed["complete"] is True
    for done in (put, masked, store("list")):
        assert "canary" not in done.out + done.err


def test_versions(store: Command) -> None:
    """Each put is a next version that replaces all fields; older ones can be read."""
    store("put", DESK, stdin=json.dumps(FIELDS))
    assert store("put", DESK, stdin='{"api_key": "new"}').json["version"] == 2
    assert store("get", DESK, "--reveal").json["fields"] == {"api_key": "new"}
    assert store("get", DESK, "--version", "1", "--reveal").json["fields"] == FIELDS
    missing = store("get", DESK, "--version", "9")
    assert missing.code == 1
    assert "version 9" in missing.err


def test_compare_and_set(store: Command) -> None:
    """--cas refuses to write over a version that the caller has not seen."""
    store("put", DESK, stdin=json.dumps(FIELDS))
    refused = store("put", DESK, "--cas", "0", stdin='{"api_key": "new"}')
    assert (refused.code, refused.out) == (1, "")
    assert "Somebody else" in refused.err
    assert store("get", DESK).json["version"] == 1


def test_metadata_is_merged(store: Command) -> None:
    """--only-metadata writes no version; an empty value removes a key; others stay."""
    assert store("put", DESK, "--only-metadata", "--metadata", "a=b").code == 1
    store("put", DESK, "--metadata", "owner=ana", "--metadata", "note=x=y", stdin='{"k": "v"}')
    store("put", DESK, "--only-metadata", "--metadata", "owner=")
    told = store("get", DESK).json
    assert (told["version"], told["metadata"]) == (1, {"note": "x=y"})


def test_hints(store: Command) -> None:
    """What keeps a new secret from being watched is said on standard error."""
    body = json.dumps(FIELDS)
    assert store("put", DESK, stdin=body).err == ""
    assert "no rule" in store("put", "secret/trading/x", stdin=body).err
    assert "store.paths" in store("put", "other/x", "--metadata", "exchange=bybit", stdin=body).err
    wrong = store("put", DESK, "--metadata", "exchange=bybitt", stdin=body).err
    assert "bybitt" in wrong
    assert "binance" in wrong


@pytest.mark.parametrize(
    ("arguments", "stdin", "named"),
    [
        (["desk0"], "{}", "PATH"),
        (["secret/rotator/holds/x"], '{"a": "b"}', "secret/rotator/"),
        ([DESK], "{canary", "standard input"),
        ([DESK], "", "standard input"),
        ([DESK], '["canary"]', "one JSON object"),
        ([DESK], "{}", "one JSON object"),
        ([DESK], "[" * 100_000, "standard input"),
        ([DESK, "--metadata", "exchange"], "{}", "KEY=VALUE"),
        ([DESK, "--metadata", "rotator_key_fp=1"], "{}", "rotator_"),
        ([DESK, "--only-metadata"], "", "--metadata"),
        ([DESK, "--cas", "-1"], "{}", "--cas"),
    ],
)
def test_bad_input(store: Command, arguments: list[str], stdin: str, named: str) -> None:
    """What cannot be written ends with 2 and a sentence that names it, and writes nothing."""
    done = store("put", *arguments, stdin=stdin)
    assert (done.code, done.out) == (2, "")
    assert named in done.err
    assert "canary" not in done.err
    assert "Traceback" not in done.err
    assert store("list").json["secrets"] == []


def test_from_a_file(store: Command, tmp_path: Path) -> None:
    """--file is read instead of standard input; a missing one is said."""
    file = tmp_path / "desk.key"
    missing = store("put", DESK, "--file", str(file))
    assert missing.code == 1
    assert "desk.key" in missing.err
    file.write_text(json.dumps(FIELDS))
    assert store("put", DESK, "--file", str(file)).code == 0
    assert store("get", DESK, "--reveal").json["fields"] == FIELDS


def test_nothing_there(store: Command) -> None:
    """A path without a secret is said, and no such folder is an empty list."""
    done = store("get", DESK)
    assert (done.code, done.out) == (1, "")
    assert DESK in done.err
    assert store("list", "secret/nowhere/").json["secrets"] == []


def test_the_state_is_not_listed(store: Command) -> None:
    """Folders may be named; Rotator's own documents are left out."""
    store("put", DESK, stdin=json.dumps(FIELDS))
    assert [s["path"] for s in store("list", "secret/").json["secrets"]] == [DESK]


def test_files_lie_beside_the_configuration(config: Path, tmp_path: Path) -> None:
    """Relative file names are meant from the configuration's folder, wherever one stands."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    line = ("store", "put", DESK, "--config", str(config))
    assert process(*line, stdin=json.dumps(FIELDS).encode(), cwd=elsewhere).code == 0
    assert list(elsewhere.iterdir()) == []
    key = tmp_path / "rotator.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert b"canary" not in (tmp_path / "rotator.db").read_bytes()


def test_a_key_that_others_may_read(config: Path, tmp_path: Path, store: Command) -> None:
    """A key file with a wide mode is refused with the command that mends it."""
    store("list")
    (tmp_path / "rotator.key").chmod(0o644)
    done = store("list")
    assert done.code == 1
    assert "chmod 600" in done.err


def test_typed_on_a_terminal(config: Path, tmp_path: Path) -> None:
    """On a terminal the fields are asked for and do not appear; a reveal there needs --yes."""
    typed = [("api_key: ", "kkkkkkkkkkabcd\n"), ("api_secret: ", "canary-secret\n")]
    put = on_terminal("store", "put", DESK, typed=typed, cwd=tmp_path)
    assert put.code == 0, put.text
    assert "canary" not in put.text
    refused = on_terminal("store", "get", DESK, "--reveal", cwd=tmp_path)
    assert refused.code == 2
    assert "--yes" in refused.text
    assert "canary" not in refused.text
    shown = on_terminal("store", "get", DESK, "--reveal", "--yes", cwd=tmp_path)
    assert (shown.code, "canary-secret" in shown.text) == (0, True)


def vault_config(folder: Path, address: str, mount: str, auth: str) -> Path:
    """Write a configuration for a Vault."""
    file = folder / "vault.yaml"
    vault = f"{{address: '{address}', auth: {auth}}}"
    file.write_text(
        f"store: {{vault: {vault}, paths: [{mount}/trading/], state: {mount}/rotator/}}\n"
    )
    return file


@pytest.mark.real
def test_on_a_vault(vault: VaultServer, mount: str, tmp_path: Path) -> None:
    """Put, get and list work on a Vault with the caller's own token from a file."""
    token = tmp_path / "token"
    token.write_text(vault.root_token)
    auth = "{method: approle, role_id_file: absent, secret_id_file: absent}"
    config = vault_config(tmp_path, vault.address, mount, auth)
    path = f"{mount}/trading/desk0"
    common = ("--config", config, "--json")
    without = rotator("store", "list", *common)
    assert without.code == 1
    assert "store.vault.auth.role_id_file" in without.err
    assert "--token-file" in without.err
    own = (*common, "--token-file", token)
    put = rotator(
        "store", "put", path, "--metadata", "exchange=bybit", *own, stdin=json.dumps(FIELDS)
    )
    assert (put.code, put.err) == (0, "")
    assert rotator("store", "get", path, "--reveal", *own).json["fields"] == FIELDS
    by_variable = rotator("store", "list", *common, env={"ROTATOR_TOKEN_FILE": str(token)})
    assert [s["metadata"] for s in by_variable.json["secrets"]] == [{"exchange": "bybit"}]


@pytest.mark.real
def test_a_vault_that_refuses(vault: VaultServer, mount: str, tmp_path: Path) -> None:
    """A token that may not, a wrong token and a wrong mount are one sentence each."""
    token = tmp_path / "token"
    vault.policy("look-elsewhere", 'path "elsewhere/*" { capabilities = ["read"] }')
    config = vault_config(tmp_path, vault.address, mount, "{method: token, token_file: token}")
    for content in (vault.token(["look-elsewhere"]), "hvs.not-a-token"):
        token.write_text(content)
        done = rotator("store", "get", f"{mount}/trading/desk0", "--config", config)
        assert (done.code, done.out) == (1, "")
        assert done.err.count("\n") == 1
        assert content not in done.err


def test_no_vault(tmp_path: Path) -> None:
    """A Vault that is not there is one sentence that names the address's field."""
    (tmp_path / "token").write_text("not-a-token")
    auth = "{method: token, token_file: token}"
    config = vault_config(tmp_path, "http://127.0.0.1:9", "secret", auth)
    done = rotator("store", "get", DESK, "--config", config)
    assert (done.code, done.out) == (1, "")
    assert "store.vault.address" in done.err


def test_secrets_are_no_arguments(config: Path) -> None:
    """No option of the store's commands takes a secret."""
    text = rotator("store", "put", "--help").out
    assert "--api-secret" not in text
    assert os.linesep in text
