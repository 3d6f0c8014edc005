"""What holds for every command: help, exit codes, streams, colours."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
import typer

from rotator import __version__
from rotator.cli.app import build
from tests.cli.kit import CLEAN, PROGRAM, ROOT, on_terminal, process, rotator, started

ESCAPE = "\x1b["
TYPER = "import typer"
TIMES_TYPER = 5
"""How much dearer a start may be than that of the library that reads command lines.

With all that a daemon needs it would be seven times as dear.
"""


def commands() -> Iterator[tuple[str, Any]]:
    """Yield every command by the words that one types."""
    yield from _within("", typer.main.get_command(build()))


def _within(prefix: str, command: Any) -> Iterator[tuple[str, Any]]:
    for name, inner in command.commands.items():
        words = f"{prefix}{name}"
        if hasattr(inner, "commands"):
            yield from _within(f"{words} ", inner)
        else:
            yield words, inner


@pytest.mark.parametrize("words", [words for words, _ in commands()])
def test_help_teaches(words: str) -> None:
    """Each command's help has an example to type and the option --config."""
    done = rotator(*words.split(), "--help")
    assert (done.code, done.err) == (0, "")
    assert re.search(rf"Examples?:\n  .*rotator {words}", done.out)
    assert "--config" in done.out


def test_every_command_chooses_a_form() -> None:
    """Each command that prints data has -o; `demo` tells a story, `config init` writes a file."""
    without = [words for words, c in commands() if "output" not in {p.name for p in c.params}]
    assert set(without) == {"demo", "config init"}


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["store", "put", "--help"]])
def test_help_is_fast(arguments: list[str]) -> None:
    """Help and version need few times the processor time that typer needs to be there."""
    helps, typers = zip(
        *((_spent(*PROGRAM, *arguments), _spent(sys.executable, "-c", TYPER)) for _ in range(4)),
        strict=True,
    )
    assert min(helps) < TIMES_TYPER * min(typers)


def _spent(*line: str) -> float:
    """Return the processor time of a process, in seconds."""
    bare = {name: value for name, value in CLEAN.items() if not name.startswith("COV")}
    before = os.times()
    subprocess.run(line, cwd=ROOT, env=bare, check=True, capture_output=True)
    after = os.times()
    return after.children_user + after.children_system - before[2] - before[3]


def test_version() -> None:
    """--version prints the version and nothing else."""
    assert rotator("--version").out == f"rotator {__version__}\n"


def test_nothing_heavy_is_imported_for_help() -> None:
    """Help imports no exchange, no store, no configuration."""
    heavy = ("apscheduler", "httpx", "hvac", "rich", "rotator.config", "uvicorn", "yaml")
    code = (
        "import atexit, os, sys; from rotator.cli import main;"
        f"atexit.register(lambda: os._exit(any(m in sys.modules for m in {heavy})));"
        "main(['run', '--help'])"
    )
    line = [PROGRAM[0], "-c", code]
    subprocess.run(line, cwd=ROOT, env=CLEAN, check=True, capture_output=True)


def test_no_command_is_a_usage_error() -> None:
    """Without a command it shows its help and ends with 2; a misspelt one is corrected."""
    assert rotator().code == 2
    done = rotator("inspct")
    assert (done.code, "Did you mean 'inspect'" in done.err) == (2, True)


def test_a_closed_pipe_is_quiet(tmp_path: Path) -> None:
    """If nobody reads standard output any more, no word is said of it."""
    ours, theirs = os.pipe()
    os.close(ours)
    with started("config", "schema", cwd=tmp_path, stdout=theirs) as child:
        os.close(theirs)
        assert child.stderr is not None
        said = child.stderr.read()
        assert child.wait(timeout=20) == 1
    assert said == b""


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    """Standard output that cannot be written is one sentence, exit code 1."""
    with (
        Path("/dev/full").open("wb") as full,
        started("config", "schema", cwd=tmp_path, stdout=full) as child,
    ):
        assert child.stderr is not None
        said = child.stderr.read().decode()
        assert child.wait(timeout=20) == 1
    assert said.startswith("rotator: standard output cannot be written")
    assert said.count("\n") == 1


def test_interrupted() -> None:
    """Ctrl-C ends a command at once with 130 and no traceback, even while it waits."""
    with SilentServer() as server:
        line = ("inspect", "bybit", "--base-url", server.address)
        with started(*line) as child:
            assert child.stdin is not None
            assert child.stderr is not None
            child.stdin.write(b'{"api_key": "kkkkkkkkkkkkkkkkkk", "api_secret": "canary-secret"}')
            child.stdin.close()
            server.wait_until_asked()
            child.send_signal(signal.SIGINT)
            assert child.wait(timeout=20) == 130
            assert child.stderr.read() == b""


def test_interrupted_on_the_store(tmp_path: Path) -> None:
    """Ctrl-C does not wait for a Vault that keeps silent."""
    with SilentServer() as server:
        (tmp_path / "token").write_text("not-a-token")
        config = tmp_path / "rotator.yaml"
        vault = f"{{address: '{server.address}', auth: {{method: token, token_file: token}}}}"
        config.write_text(f"store: {{vault: {vault}}}\n")
        with started("store", "list", "--config", str(config)) as child:
            server.wait_until_asked()
            child.send_signal(signal.SIGINT)
            assert child.wait(timeout=20) == 130
            assert child.stderr is not None
            assert child.stderr.read() == b""


class SilentServer:
    """Takes a request on loopback and never answers it."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(20)
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: list[socket.socket] = []

    def wait_until_asked(self) -> None:
        """Return once a request has begun to arrive."""
        connection, _ = self._listener.accept()
        self._open.append(connection)
        connection.settimeout(20)
        assert connection.recv(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._listener, *self._open):
            each.close()


def test_colours_only_on_a_terminal(tmp_path: Path) -> None:
    """Colours stand on a terminal, not with NO_COLOR, TERM=dumb or in a pipe."""
    (tmp_path / "rotator.yaml").write_text("store: {local: {}}\n")
    line = ("config", "show", "-o", "table")
    coloured = on_terminal(*line, cwd=tmp_path)
    assert coloured.code == 0
    assert ESCAPE in coloured.text
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        plain = on_terminal(*line, cwd=tmp_path, env=env)
        assert "store.state" in plain.text
        assert ESCAPE not in plain.text
    assert ESCAPE not in process(*line, cwd=tmp_path).out


def test_json_on_a_terminal_is_for_reading(tmp_path: Path) -> None:
    """JSON is indented on a terminal and stands on one line in a pipe."""
    (tmp_path / "rotator.yaml").write_text("store: {local: {}}\n")
    line = ("config", "show", "-o", "json")
    assert on_terminal(*line, cwd=tmp_path).text.count("\n") > 10
    assert process(*line, cwd=tmp_path).out.count("\n") == 1
