"""Runs the command line: as a process of its own, or inside this one for speed."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from coverage import Coverage
from typer.testing import CliRunner

from rotator.cli.app import run
from tests.net.plugin import NET

PATIENCE_SECONDS = 20.0
ROOT = Path(__file__).resolve().parents[2]
PROGRAM = [sys.executable, "-m", "rotator"]
MEASURED = (
    {
        "COVERAGE_PROCESS_START": str(ROOT / "pyproject.toml"),
        "COVERAGE_FILE": str(ROOT / ".coverage"),
    }
    if Coverage.current() is not None
    else {}
)
"""What makes a process tell which lines it ran.  Only the programs of these tests do: it
makes a start dearer by half, and daemons that are killed by the hundred show nothing new."""

CLEAN = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("ROTATOR_", "VAULT_", "NO_COLOR"))
} | MEASURED


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, read as one JSON value."""
        return json.loads(self.out)


class Heard(subprocess.Popen[bytes]):
    """A process of the program; what its pipes say in the end is searched for secrets."""

    def __init__(self, arguments: Sequence[str], **options: Any) -> None:
        super().__init__([*PROGRAM, *arguments], **options)
        self._line = arguments
        NET.process(self.pid)

    def communicate(
        self,
        input: bytes | None = None,  # noqa: A002  # Popen's own name
        timeout: float | None = None,
    ) -> tuple[Any, Any]:
        """Wait for its end and return its output and its errors."""
        out, err = super().communicate(input, timeout)
        heard(self._line, out or b"", err or b"")
        return out, err


def heard(line: Sequence[str], out: bytes, err: bytes) -> None:
    """Search what a command said, but for what it was asked to reveal."""
    command = " ".join(line[:2])
    if not command.startswith("sandbox") and command != "store get":
        NET.look(f"the output of {command}", out)
    NET.look(f"the errors of {command}", err)


def started(
    *arguments: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, **options: Any
) -> Heard:
    """Start the program as a process; by default all its streams are pipes."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return Heard(
        arguments,
        cwd=cwd,
        env={**CLEAN, "PYTHONPATH": str(ROOT), **(env or {})},
        **{**pipes, **options},
    )


def process(
    *arguments: str,
    stdin: bytes = b"",
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Done:
    """Run the program as a process to its end."""
    with started(*arguments, cwd=cwd, env=env) as child:
        out, err = child.communicate(stdin, timeout=50)
        return Done(child.returncode, out.decode(), err.decode())


def rotator(
    *arguments: str | Path, stdin: bytes | str = b"", env: Mapping[str, str | None] | None = None
) -> Done:
    """Obey a command line inside this process."""
    hidden = {name: None for name in os.environ if name not in CLEAN}
    with CliRunner().isolation(stdin, env={**hidden, **(env or {})}) as (out, err, _):
        line = [str(argument) for argument in arguments]
        code = run(line)
        sys.stdout.flush()
        sys.stderr.flush()
        heard(line, out.getvalue(), err.getvalue())
        return Done(code, out.getvalue().decode(), err.getvalue().decode())


@dataclass(frozen=True, slots=True)
class Screen:
    """How a command ended on a terminal and all that stood there."""

    code: int
    text: str


def on_terminal(
    *arguments: str,
    typed: Sequence[tuple[str, str]] = (),
    cwd: Path,
    env: Mapping[str, str] | None = None,
) -> Screen:
    """Run the program with a terminal for all its streams.

    `typed` are prompts and what is typed at each, because a hidden prompt drops what
    was typed before it.
    """
    ours, theirs = pty.openpty()
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), theirs)
    settings = {"TERM": "xterm", "COLUMNS": "120", **(env or {})}
    with started(*arguments, cwd=cwd, env=settings, start_new_session=True, **streams) as child:
        os.close(theirs)
        shown, owed = b"", list(typed)
        while part := _read(ours):
            shown += part
            if owed and shown.endswith(owed[0][0].encode()):
                os.write(ours, owed.pop(0)[1].encode())
        os.close(ours)  # hangs up a program that still waits
        heard(arguments, shown, b"")
        return Screen(child.wait(timeout=50), shown.decode())


def _read(terminal: int) -> bytes:
    ready, _, _ = select.select([terminal], [], [], PATIENCE_SECONDS)
    if not ready:
        return b""
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other end is closed
        return b""


class Sandbox:
    """A running sandbox: what it announced, and its control."""

    def __init__(self, announced: dict[str, Any]) -> None:
        self.announced = announced
        self._control = httpx.Client(base_url=announced["control"], trust_env=False)

    def url(self, exchange: str) -> str:
        """Return an exchange's address."""
        return str(self.announced["exchanges"][exchange]["base_url"])

    def key(self, exchange: str, number: int = 0) -> dict[str, Any]:
        """Return one of the keys that were there from the start."""
        return dict(self.announced["exchanges"][exchange]["keys"][number])

    def parent(self, exchange: str) -> dict[str, Any]:
        """Return the key of the master account."""
        return dict(self.announced["exchanges"][exchange]["parents"][0])

    def new_key(self, exchange: str, **wish: Any) -> dict[str, Any]:
        """Make a key on the first sub-account."""
        account = self.key(exchange)["account_id"]
        return dict(self.control("POST", "/keys", exchange=exchange, account=account, **wish))

    def fault(self, exchange: str, fault: str, operation: str = "any") -> None:
        """Order one fault."""
        order = {"exchange": exchange, "operation": operation, "fault": fault, "times": 1}
        self.control("POST", "/faults", **order)

    def control(self, method: str, path: str, **body: Any) -> Any:
        """Send one call to the control port and return its JSON."""
        sent = body if method == "POST" else None
        return self._control.request(method, path, json=sent).raise_for_status().json()

    def look(self, exchange: str, key: Mapping[str, Any], *options: str) -> Done:
        """Run `rotator inspect` on a key in the JSON form."""
        line = ("inspect", exchange, "--base-url", self.url(exchange), "-o", "json", *options)
        return rotator(*line, stdin=json.dumps(key))

    def close(self) -> None:
        """Close the connection to the control port."""
        self._control.close()
