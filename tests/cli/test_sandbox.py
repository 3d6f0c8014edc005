"""`rotator sandbox` as a process."""

from __future__ import annotations

import json
import signal
import socket

import pytest

from tests.cli.kit import Sandbox, rotator, started


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it(ending: signal.Signals) -> None:
    """It prints one line when it is ready, logs JSON, and ends with 0 at SIGTERM and Ctrl-C."""
    with started("sandbox", "--port-base", "0", "-o", "json") as child:
        assert child.stdout is not None
        ready = json.loads(child.stdout.readline())
        child.send_signal(ending)
        out, err = child.communicate(timeout=20)
    assert child.returncode == 0
    assert out == b""
    assert set(ready) == {"control", "exchanges"}
    assert [json.loads(line)["event"] for line in err.splitlines()] == ["listening", "stopped"]


def test_the_seeds(sandbox: Sandbox) -> None:
    """Parents and keys are in the form that inspect reads, with account and scopes."""
    for exchange in sandbox.announced["exchanges"].values():
        assert exchange["keys"]
        for key in [*exchange["keys"], *exchange["parents"]]:
            assert {"api_key", "account_id", "scopes"} <= set(key)
            assert ("api_secret" in key) != ("private_key" in key)


def test_a_taken_port() -> None:
    """A port that another program holds is said in one sentence, exit code 1."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        with started("sandbox", "--port-base", port) as child:
            out, err = child.communicate(timeout=20)
    assert (child.returncode, out) == (1, b"")
    assert port in err.decode()
    assert b"Traceback" not in err


@pytest.mark.parametrize(
    "wrong", [["--port-base", "x"], ["--port-base", "99999"], ["--limits", "maybe"]]
)
def test_wrong_options(wrong: list[str]) -> None:
    """An option that cannot be is a usage error."""
    done = rotator("sandbox", *wrong)
    assert done.code == 2
    assert wrong[0] in done.err


def test_limits_can_be_switched_off() -> None:
    """With --limits off no number of calls is refused."""
    with started("sandbox", "--limits", "off", "--json") as child:
        assert child.stdout is not None
        sandbox = Sandbox(json.loads(child.stdout.readline()))
        looks = [sandbox.look("bybit", sandbox.key("bybit")) for _ in range(15)]
        sandbox.close()
        child.terminate()
        child.communicate(timeout=20)
    assert {look.json["validity"] for look in looks} == {"valid"}


def test_the_form_for_people() -> None:
    """Without -o it prints where the exchanges are and keeps the secrets to itself."""
    with started("sandbox") as child:
        assert child.stdout is not None
        shown = [child.stdout.readline().decode() for _ in range(4)]
        child.terminate()
        rest, _ = child.communicate(timeout=20)
    assert [line.split()[0] for line in shown] == ["EXCHANGE", "(control)", "binance", "bybit"]
    assert b"api_secret" not in rest
