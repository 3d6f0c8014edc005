"""`rotator inspect` against exchanges on sockets: one test or case for each answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rotator.core.facts import Validity
from tests.cli.kit import Sandbox, on_terminal, process, rotator
from tests.servers.scripted import Asked, Reply, ScriptedServer

FIELDS = [
    "exchange",
    "validity",
    "reason",
    "candidates",
    "key_id",
    "label",
    "account_id",
    "scopes",
    "native_permissions",
    "ip_restricted",
    "ip_allowlist",
    "created_at",
    "expires_at",
    "last_used_at",
    "enabled",
]
HERE = ["127.0.0.1"]
ELSEWHERE = ["198.51.100.7"]
NOBODY = {"api_key": "N" * 18, "api_secret": "canary-secret"}
NOBODY_64 = {"api_key": "N" * 64, "api_secret": "canary-secret"}


def said(sandbox: Sandbox, exchange: str, key: dict[str, Any], *options: str) -> tuple[str, ...]:
    """Return validity and reason; the command must end with 0 and say nothing else is known."""
    done = sandbox.look(exchange, key, *options)
    assert done.code == 0, done.err
    assert list(done.json) == FIELDS
    assert done.json["scopes"] is None
    assert str(key.get("api_secret", "?")) not in done.out + done.err
    return done.json["validity"], done.json["reason"]


def test_a_valid_bybit_key(sandbox: Sandbox) -> None:
    """All facts of a Bybit key are printed as the exchange has them."""
    key = sandbox.key("bybit")
    done = sandbox.look("bybit", key)
    assert (done.code, done.err) == (0, "")
    told = done.json
    assert list(told) == FIELDS
    assert (told["validity"], told["reason"], told["candidates"]) == ("valid", None, [])
    assert told["key_id"] == key["api_key"]
    assert (told["account_id"], told["scopes"]) == (key["account_id"], key["scopes"])
    assert (told["ip_restricted"], told["ip_allowlist"]) == (True, ["127.0.0.1"])
    assert (told["expires_at"], told["last_used_at"], told["enabled"]) == ("never", None, True)
    assert told["created_at"].endswith("Z")


@pytest.mark.parametrize(("exchange", "number"), [("bybit", 3), ("binance", 2), ("binance", 3)])
def test_keys_that_are_pairs_sign_in(sandbox: Sandbox, exchange: str, number: int) -> None:
    """RSA and Ed25519 keys are given as private_key."""
    key = sandbox.key(exchange, number)
    assert "private_key" in key
    assert sandbox.look(exchange, key).json["validity"] == "valid"


def test_a_valid_binance_key(sandbox: Sandbox) -> None:
    """What Binance does not say is null; that it may withdraw is said."""
    key = sandbox.key("binance")
    told = sandbox.look("binance", key).json
    assert (told["validity"], told["reason"]) == ("valid", None)
    assert "withdraw" in told["scopes"]
    assert told["ip_restricted"] is True
    assert [told[name] for name in ("label", "account_id", "ip_allowlist", "expires_at")] == (
        [None] * 4
    )


def test_the_program_itself(sandbox: Sandbox) -> None:
    """The command as typed in a shell prints one JSON object on standard output."""
    line = ("inspect", "bybit", "--base-url", sandbox.url("bybit"), "-o", "json")
    done = process(*line, stdin=json.dumps(sandbox.key("bybit")).encode())
    assert (done.code, done.err) == (0, "")
    assert done.json["validity"] == "valid"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (NOBODY, ("invalid", "invalid_key")),
        ({"api_secret": "not-its-secret"}, ("invalid", "bad_signature")),
    ],
)
def test_an_invalid_bybit_key(
    sandbox: Sandbox, change: dict[str, str], expected: tuple[str, str]
) -> None:
    """An unknown key and a wrong secret are invalid, each with its reason."""
    assert said(sandbox, "bybit", {**sandbox.key("bybit"), **change}) == expected


def test_a_killed_bybit_key(sandbox: Sandbox) -> None:
    """A key that was deleted at the exchange is invalid."""
    key = sandbox.new_key("bybit", addresses=["127.0.0.1"])
    sandbox.control("POST", "/kill", exchange="bybit", key_id=key["api_key"])
    assert said(sandbox, "bybit", key) == ("invalid", "invalid_key")


def test_an_expired_bybit_key(own_sandbox: Sandbox) -> None:
    """A key without an address list is expired after 90 days, which its look foretells."""
    key = own_sandbox.new_key("bybit", addresses=None)
    assert own_sandbox.look("bybit", key).json["expires_at"].endswith("Z")
    own_sandbox.control("POST", "/clock", advance="91d")
    assert said(own_sandbox, "bybit", key) == ("expired", "expired")


def test_a_blocked_address(sandbox: Sandbox) -> None:
    """A key whose list does not hold our address is ip_blocked, not invalid."""
    key = sandbox.new_key("bybit", addresses=ELSEWHERE)
    assert said(sandbox, "bybit", key) == ("ip_blocked", "ip_blocked")


@pytest.mark.parametrize("exchange", ["bybit", "binance"])
@pytest.mark.parametrize(
    ("fault", "validity", "reasons"),
    [
        ("rate_limited", "throttled", {"rate_limited"}),
        ("banned", "throttled", {"banned"}),
        ("maintenance", "exchange_down", {"maintenance", "unknown_outcome"}),
        ("error_after_apply", "exchange_down", {"unknown_outcome"}),
        ("not_applied", "exchange_down", {"unknown_outcome"}),
        ("truncated", "exchange_down", {"unknown_outcome"}),
        ("html", "exchange_down", {"unknown_outcome"}),
        ("clock_skew", "unknown", {"clock_skew"}),
    ],
)
def test_faults_of_an_exchange(
    sandbox: Sandbox, exchange: str, fault: str, validity: str, reasons: set[str]
) -> None:
    """Each way in which an exchange can fail has its validity, and is no dead key."""
    sandbox.fault(exchange, fault)
    found, reason = said(sandbox, exchange, sandbox.key(exchange))
    assert found == validity
    assert reason in reasons


@pytest.mark.parametrize("exchange", ["bybit", "binance"])
def test_nobody_answers(exchange: str) -> None:
    """Without a connection the exchange is down, and the command still ends with 0."""
    line = ("inspect", exchange, "--base-url", "http://127.0.0.1:9", "-o", "json")
    done = rotator(*line, stdin=json.dumps(NOBODY))
    assert done.code == 0
    assert (done.json["validity"], done.json["reason"]) == ("exchange_down", "unknown_outcome")
    assert done.err.startswith("rotator: ")


@pytest.mark.parametrize("exchange", ["bybit", "binance"])
@pytest.mark.parametrize("now", ["2026-01-01T00:00:00Z", "2099-01-01T00:00:00+01:00"])
def test_a_fixed_clock(sandbox: Sandbox, exchange: str, now: str) -> None:
    """--now fixes the time of the signature, so a wrong one is a clock skew: unknown."""
    assert said(sandbox, exchange, sandbox.key(exchange), "--now", now) == ("unknown", "clock_skew")


@pytest.mark.parametrize("why", ["killed", "unknown", "address"])
def test_an_answer_that_means_four_things(sandbox: Sandbox, why: str) -> None:
    """Binance's -2015 is unknown with its candidates, whatever the cause was."""
    key: dict[str, Any] = NOBODY_64
    if why != "unknown":
        key = sandbox.new_key("binance", addresses=ELSEWHERE if why == "address" else None)
    if why == "killed":
        sandbox.control("POST", "/kill", exchange="binance", key_id=key["api_key"])
    told = sandbox.look("binance", key).json
    assert (told["validity"], told["reason"]) == ("unknown", "invalid_key")
    assert set(told["candidates"]) == {"invalid_key", "ip_blocked", "permission_denied", "expired"}


def test_a_wrong_binance_secret(sandbox: Sandbox) -> None:
    """A signature that does not fit is invalid at Binance too."""
    wrong = {**sandbox.key("binance"), "api_secret": "not-its-secret"}
    assert said(sandbox, "binance", wrong) == ("invalid", "bad_signature")


def test_the_second_probe() -> None:
    """If -2015 meets a key that reads its account, the permission is what is missing."""

    def script(asked: Asked) -> Reply:
        if "apiRestrictions" in asked.path:
            return Reply(401, b'{"code": -2015, "msg": "Invalid API-key, IP, or permissions."}')
        return Reply(200, b'{"canTrade": true, "permissions": ["SPOT"], "uid": 5}')

    with ScriptedServer(script) as server:
        line = ("inspect", "binance", "--base-url", server.address, "-o", "json")
        told = rotator(*line, stdin=json.dumps(NOBODY_64)).json
        asked = [a.path.split("?")[0] for a in server.asked]
    assert (told["validity"], told["reason"]) == ("permission_denied", "permission_denied")
    assert asked == ["/sapi/v1/account/apiRestrictions", "/api/v3/account"]


def test_a_key_without_the_reading_flag(sandbox: Sandbox) -> None:
    """It reads its account and not its flags: permission_denied, with nothing left open."""
    key = sandbox.new_key("binance", scopes=["trade:spot"], addresses=HERE)
    told = sandbox.look("binance", key).json
    assert (told["validity"], told["reason"]) == ("permission_denied", "permission_denied")
    assert (told["candidates"], told["scopes"]) == ([], None)


def test_every_validity_that_binance_tells(sandbox: Sandbox) -> None:
    """All but expired and ip_blocked, which Binance never says apart from others."""
    key = sandbox.key("binance")
    told = {
        sandbox.look("binance", key).json["validity"],
        said(sandbox, "binance", {**key, "api_secret": "canary-secret"})[0],
        said(sandbox, "binance", NOBODY_64)[0],
        said(sandbox, "binance", sandbox.new_key("binance", scopes=["trade:spot"]))[0],
    }
    for fault in ("maintenance", "rate_limited"):
        sandbox.fault("binance", fault)
        told.add(said(sandbox, "binance", key)[0])
    assert set(Validity) - told == {Validity.EXPIRED, Validity.IP_BLOCKED}


def test_the_keys_of_one_account(sandbox: Sandbox) -> None:
    """--keys with an account lists the keys of that account, surely all of them."""
    account = sandbox.key("bybit", 1)["account_id"]
    parent = {**sandbox.parent("bybit"), "account": account}
    told = sandbox.look("bybit", parent, "--keys").json
    assert (told["exchange"], told["complete"]) == ("bybit", True)
    assert {key["account_id"] for key in told["keys"]} == {account}
    expected = {sandbox.key("bybit", n)["api_key"] for n in (1, 2, 3)}
    assert {key["key_id"] for key in told["keys"]} == expected


def test_the_keys_of_all_accounts(sandbox: Sandbox) -> None:
    """--keys without an account lists the keys of every account that the key manages."""
    told = sandbox.look("bybit", sandbox.parent("bybit"), "--keys").json
    listed = {key["key_id"] for key in told["keys"]}
    assert {sandbox.key("bybit", n)["api_key"] for n in range(4)} <= listed


def test_keys_that_may_not_be_listed(sandbox: Sandbox) -> None:
    """A key that manages no account gets an incomplete empty list, and the reason."""
    done = sandbox.look("bybit", sandbox.key("bybit"), "--keys")
    assert done.code == 0
    assert (done.json["complete"], done.json["keys"]) == (False, [])
    assert done.json["reason"] == "permission_denied"


def test_a_closed_exchange() -> None:
    """Nothing is sent to an exchange that is closed; standard error says why."""
    done = rotator("inspect", "bitmex", "-o", "json", stdin=json.dumps(NOBODY))
    assert (done.code, done.json["validity"]) == (0, "unknown")
    assert "closed" in done.err


@pytest.mark.parametrize(
    ("stdin", "named"),
    [
        ("", "no JSON"),
        ("{", "no JSON"),
        ("[]", "api_key"),
        ('{"api_secret": "canary-secret"}', "api_key"),
        ('{"api_key": "kkkkkkkk"}', "api_secret"),
        ('{"api_key": "kkkkkkkk", "api_secret": 7}', "api_secret"),
        ('{"api_key": "k", "api_secret": "canary-secret", "private_key": "x"}', "private_key"),
        ("x" * 70_000, "64 KiB"),
        (b"\xff\xfe\x00", "no JSON"),
    ],
)
def test_a_bad_credential(stdin: str | bytes, named: str) -> None:
    """A credential that cannot be used is a usage error that names the field, not the value."""
    done = rotator("inspect", "bybit", stdin=stdin)
    assert (done.code, done.out) == (2, "")
    assert named in done.err
    assert done.err.count("\n") == 1
    assert "canary" not in done.err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["inspect"], "EXCHANGE"),
        (["inspect", "krakenn"], "bybit"),
        (["inspect", "bybit", "--base-url", "ftp://x"], "base_url"),
        (["inspect", "bybit", "--base-url", "http://api.example"], "https"),
        (["inspect", "bybit", "--environment", "moon"], "environment"),
        (["inspect", "bybit", "--now", "yesterday"], "--now"),
        (["inspect", "bybit", "--now", "2026-01-01T00:00:00"], "--now"),
        (["inspect", "bybit", "--proxy", "http://me:canary@p.example:1"], "exchanges.<name>.proxy"),
        (["inspect", "bybit", "-o", "xml"], "json"),
        (["inspect", "bybit", "--frobnicate"], "--frobnicate"),
    ],
)
def test_a_bad_command_line(arguments: list[str], named: str) -> None:
    """A command line that cannot be used ends with 2 and says which part of it."""
    done = rotator(*arguments, stdin=json.dumps(NOBODY))
    assert (done.code, done.out) == (2, "")
    assert named in done.err
    assert "canary" not in done.err
    assert "Traceback" not in done.err


def test_the_form_for_people(sandbox: Sandbox) -> None:
    """Without -o each fact stands on its own line, unknown ones as a dash."""
    line = ("inspect", "binance", "--base-url", sandbox.url("binance"))
    done = rotator(*line, stdin=json.dumps(sandbox.key("binance")))
    rows = dict(row.split(maxsplit=1) for row in done.out.splitlines())
    assert (rows["validity"], rows["label"], rows["ip_restricted"]) == ("valid", "-", "yes")


def test_the_list_for_people(sandbox: Sandbox) -> None:
    """--keys without -o is a table, with a word where the list may not be complete."""
    line = ("inspect", "bybit", "--base-url", sandbox.url("bybit"), "--keys")
    listed = rotator(*line, stdin=json.dumps(sandbox.parent("bybit")))
    assert listed.out.splitlines()[0].split()[0] == "KEY_ID"
    assert sandbox.key("bybit")["api_key"] in listed.out
    refused = rotator(*line, stdin=json.dumps(sandbox.key("bybit")))
    assert "may not be complete" in refused.out


def test_typed_on_a_terminal(sandbox: Sandbox, tmp_path: Path) -> None:
    """On a terminal the credential is asked for, and the secret does not appear."""
    key = sandbox.key("bybit")
    typed = [
        ("api_key: ", f"{key['api_key']}\n"),
        ("api_secret: ", f"{key['api_secret']}\n"),
        ("none): ", "\n"),
    ]
    line = ("inspect", "bybit", "--base-url", sandbox.url("bybit"))
    seen = on_terminal(*line, typed=typed, cwd=tmp_path, env={"NO_COLOR": "1"})
    assert seen.code == 0
    assert "desk0" in seen.text
    assert key["api_secret"] not in seen.text
