"""The program itself as a process: started, asked, stopped and killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import urllib3

from tests.net.pages import see_pages
from tests.net.plugin import ANNOUNCED, NET

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 50.0
POLL_SECONDS = 0.03
ROTATOR = ("-m", "rotator")

HTTP = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(total=10), maxsize=8)


def surroundings(home: Path) -> dict[str, str]:
    """Return the environment of a process that knows nothing of this machine's settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ROTATOR_", "VAULT_", "XDG_"))}
    return {**kept, "HOME": str(home), "PYTHONPATH": str(ROOT)}


def until(condition: Callable[[], Any], what: str, patience: float = PATIENCE_SECONDS) -> Any:
    """Poll until a condition holds and return what it said."""
    end = time.monotonic() + patience
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"did not come about within {patience:.0f} s: {what}")
        time.sleep(POLL_SECONDS)


class Program:
    """One process of `rotator ...`; its streams go to files in `folder`."""

    def __init__(
        self,
        folder: Path,
        name: str,
        *arguments: str,
        program: tuple[str, ...] = ROTATOR,
        stdin: Any = subprocess.DEVNULL,
        environ: Mapping[str, str] | None = None,
        prefix: tuple[str, ...] = (),
    ) -> None:
        self.out_file, self.log_file = folder / f"{name}.out", folder / f"{name}.log"
        with self.out_file.open("ab") as out, self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [*prefix, sys.executable, *program, *arguments],
                cwd=folder,
                env={**surroundings(folder), **(environ or {})},
                stdin=stdin,
                stdout=out,
                stderr=log,
            )
        NET.process(self.pid)
        for file in (self.out_file, self.log_file):
            if file.name != ANNOUNCED:
                NET.watch(file)

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self.process.pid

    @property
    def alive(self) -> bool:
        """Say whether it runs (a frozen one runs)."""
        return self.process.poll() is None

    def log(self) -> str:
        """Return what it has written to standard error."""
        return self.log_file.read_text(errors="replace")

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return its log lines of one event."""
        return [e for e in _lines(self.log()) if e.get("event") == name]

    def wait_for(self, name: str, **fields: Any) -> dict[str, Any]:
        """Wait until it has logged an event with these fields."""

        def seen() -> dict[str, Any] | None:
            for event in self.events(name):
                if all(event.get(k) == v for k, v in fields.items()):
                    return event
            if not self.alive:
                raise AssertionError(f"ended with {self.process.returncode}:\n{self.log()[-3000:]}")
            return None

        found: dict[str, Any] = until(seen, f"{name} {fields}; log:\n{self.log()[-1500:]}")
        return found

    def metrics(self) -> str:
        """Return its metrics page."""
        status, text = self.page("/metrics")
        assert status == 200
        return text

    def page(self, path: str) -> tuple[int, str]:
        """Return the status and the text of one of its pages."""
        port = self.wait_for("listening")["port"]
        answer = HTTP.request("GET", f"http://127.0.0.1:{port}{path}")
        NET.look(f"the page {path}", answer.data)
        return answer.status, answer.data.decode()

    def command_line(self) -> bytes:
        """Return the arguments as every user of the machine sees them."""
        return Path(f"/proc/{self.pid}/cmdline").read_bytes()

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        """Freeze it (SIGSTOP)."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen one go on (SIGCONT)."""
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> int:
        """Ask it to end and return its exit code; its pages are searched before."""
        see_pages(self.log())
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_SECONDS)

    def ended(self) -> int:
        """Wait for its end and return its exit code."""
        return self.process.wait(PATIENCE_SECONDS)

    def close(self) -> None:
        """Make sure that it is gone."""
        if self.alive:
            self.kill()

    def json(self) -> dict[str, Any]:
        """Return what a `run --once -o json` printed."""
        return dict(json.loads(self.out_file.read_text()))


def _lines(text: str) -> list[dict[str, Any]]:
    whole = [line for line in text.splitlines() if line.startswith("{") and line.endswith("}")]
    return [dict(json.loads(line)) for line in whole]


class Sandbox:
    """A running `rotator sandbox` without rate limits, and its control port."""

    def __init__(self, folder: Path) -> None:
        self._program = Program(
            folder, "sandbox", "sandbox", "--port-base", "0", "--limits", "off", "-o", "json"
        )
        ready = until(self._program.out_file.read_text, "the sandbox is ready")
        self.announced: dict[str, Any] = json.loads(ready)

    def url(self, exchange: str) -> str:
        """Return an exchange's address."""
        return str(self.announced["exchanges"][exchange]["base_url"])

    def seeded(self, exchange: str, kind: str = "keys") -> dict[str, Any]:
        """Return the first of the keys (or parents) that were there from the start."""
        return dict(self.announced["exchanges"][exchange][kind][0])

    def ledger(self, exchange: str) -> dict[str, Any]:
        """Return an exchange's books."""
        return dict(self._ask("GET", "/ledger")["exchanges"][exchange])

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        """Send one order to the control port."""
        return self._ask("POST", path, body)

    def clear_faults(self) -> None:
        """Take back every fault."""
        self._ask("DELETE", "/faults")

    def freeze(self) -> None:
        """Let no exchange answer."""
        self._program.freeze()

    def thaw(self) -> None:
        """Let them answer again."""
        self._program.thaw()

    def close(self) -> None:
        """Stop it."""
        self._program.thaw()
        self._program.close()

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        sent = None if body is None else json.dumps(body).encode()
        answer = HTTP.request(method, self.announced["control"] + path, body=sent)
        assert answer.status == 200, answer.data
        return dict(json.loads(answer.data))
