"""`rotator demo` as a process: what it shows, and that nothing of it stays behind."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rotator.cli.demo_stage import due_told, step_line
from rotator.core.names import StorePath
from rotator.engine.clock import SystemClock
from rotator.stores.local import load_key, open_local
from rotator.wiring.demo.estate import ESTATE
from rotator.wiring.demo.steps import DaemonLog, Step
from rotator.wiring.settings import read_config
from tests.cli.kit import PROGRAM, started

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

MARK = "DEMO_OF_TEST"
ARMED = {planted.path for planted in ESTATE if planted.armed}
WAY = ["CREATING", "STAGED", "VERIFIED", "DRAINING", "REVOKING", "PROVING", "CLOSING", "DONE"]
PATIENCE_SECONDS = 50.0


@dataclass(slots=True)
class Room:
    """Where a demo runs: a folder for its temporary files, and a mark on its processes."""

    folder: Path
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def environ(self) -> dict[str, str]:
        """What a demo in this room gets as its environment."""
        return {"TMPDIR": str(self.folder), MARK: self.mark, "TERM": "xterm"}

    @contextlib.contextmanager
    def demo(self, *arguments: str, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
        """Run a demo in this room; one that a failed test leaves behind is ended."""
        environ = {**self.environ, **options.pop("env", {})}
        with started("demo", *arguments, env=environ, cwd=self.folder, **options) as child:
            try:
                yield child
            finally:
                if child.poll() is None:
                    child.terminate()

    def processes(self) -> list[str]:
        """Return the command lines of all that still runs and was started here."""
        sign = f"{MARK}={self.mark}".encode()
        return [_command(p) for p in Path("/proc").glob("[0-9]*") if sign in _read(p / "environ")]

    def left(self) -> list[str]:
        """Return the temporary folders that are still here."""
        return sorted(p.name for p in self.folder.glob("rotator-demo-*"))


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


def _command(process: Path) -> str:
    return _read(process / "cmdline").replace(b"\0", b" ").decode(errors="replace")


@pytest.fixture
def room(tmp_path: Path) -> Room:
    """A room for one demo."""
    return Room(tmp_path)


@dataclass(frozen=True, slots=True)
class Kept:
    """A demo that ran to its end, and its folder."""

    room: Room
    folder: Path
    code: int
    out: str
    err: str

    @property
    def steps(self) -> dict[str, list[str]]:
        """The phases that were told of each credential, in their order."""
        found: dict[str, list[str]] = {}
        for line in self.err.splitlines():
            words = line.removeprefix("rotator: ").split()
            if len(words) > 2 and words[1].isupper():
                found.setdefault(words[0], []).append(words[1])
        return found


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """One demo without a terminal, whose files are kept."""
    room = Room(tmp_path_factory.mktemp("demo"))
    folder = room.folder / "files" / "kept"
    with room.demo("--keep", str(folder)) as child:
        out, err = child.communicate(timeout=60)
        yield Kept(room, folder, child.returncode, out.decode(), err.decode())


def test_it_ends_well(kept: Kept) -> None:
    """Without a terminal it exits 0 within a minute, and its last line says what was done."""
    assert kept.code == 0, kept.err
    last = kept.out.splitlines()[-1]
    assert re.match(r"DONE: 15 credentials, \d+ findings, 3 of them critical; ", last)
    assert "3 rotated, 3 old keys proved dead" in last
    assert "binance/treasury" in last
    assert "Traceback" not in kept.err


def test_every_step_is_told(kept: Kept) -> None:
    """Each armed, overdue key goes the whole way, a line of standard error for each step."""
    assert set(kept.steps) == ARMED
    for phases in kept.steps.values():
        assert list(dict.fromkeys(phases)) == WAY


def test_every_trouble_is_found(kept: Kept) -> None:
    """Each kind of trouble is found at its credential, with a cure."""
    found = set(re.findall(r"^  (\w+): secret/trading/(\S+)$", kept.out, re.MULTILINE))
    assert {
        ("WithdrawEnabled", "binance/treasury"),
        ("Overdue", "binance/treasury"),
        ("NoAddressList", "binance/desk1"),
        ("ExchangeClosed", "bitmex/desk"),
        ("ForeignKey", "bybit/market-maker"),
        ("Invalid", "bybit/old-bot"),
        ("ExpiresSoon", "bybit/signals"),
        ("NotArmed", "bybit/legacy-bot"),
        ("Overdue", "bybit/legacy-bot"),
        ("MetadataMalformed", "bybit/news"),
        ("SameKeyTwice", "bybit/pairs"),
        ("SameKeyTwice", "research/pairs"),
    } <= found
    assert not [path for _, path in found if path in {"bybit/reports", "bybit/master"}]
    assert kept.out.count("    Cure: ") >= len(found)


def test_the_places_are_told(kept: Kept) -> None:
    """The summary names metrics, health, the sandbox, the configuration and the log."""
    for name in ("metrics", "health", "sandbox", "bybit", "binance"):
        assert re.search(rf"^  {name} +http://127\.0\.0\.1:\d+", kept.out, re.MULTILINE)
    assert str(kept.folder / "rotator.yaml") in kept.out
    assert str(kept.folder / "daemon.log") in kept.out


def test_no_process_stays(kept: Kept) -> None:
    """The daemon and the sandbox have ended, each by itself, and nothing else was made."""
    assert kept.room.processes() == []
    assert kept.room.left() == []
    for name in ("daemon", "sandbox"):
        last = (kept.folder / f"{name}.log").read_text().splitlines()[-1]
        assert json.loads(last)["event"] == "stopped"


def test_the_folder_can_be_used(kept: Kept) -> None:
    """What --keep leaves is a configuration and a store that the other commands read."""
    line = [*PROGRAM, "store", "list", "--config", str(kept.folder / "rotator.yaml"), "-o", "json"]
    done = subprocess.run(line, capture_output=True, check=True, timeout=30)
    paths = {secret["path"] for secret in json.loads(done.stdout)["secrets"]}
    assert paths == {f"secret/trading/{planted.path}" for planted in ESTATE}
    line = [*PROGRAM, "status", "--config", str(kept.folder / "rotator.yaml"), "-o", "json"]
    done = subprocess.run(line, capture_output=True, check=False, timeout=50)
    told = json.loads(done.stdout)
    assert {c["credential"] for c in told["credentials"]} == paths
    assert {rotation["phase"] for rotation in told["rotations"]} <= {"DONE"}


def test_no_secret_is_told(kept: Kept) -> None:
    """No secret of the store stands in its output, its logs, its audit or its configuration."""
    secrets = _secrets(kept.folder)
    assert len(secrets) >= len(ESTATE)
    texts = {name: (kept.folder / name).read_text() for name in _texts(kept.folder)}
    texts |= {"stdout": kept.out, "stderr": kept.err}
    assert {"daemon.log", "sandbox.log", "audit.jsonl", "rotator.yaml"} <= set(texts)
    for name, text in texts.items():
        for secret in secrets:
            assert secret not in text, name
            assert base64.b64encode(secret.encode()).decode() not in text, name


def _texts(folder: Path) -> list[str]:
    return [p.name for p in folder.iterdir() if p.suffix in {".log", ".jsonl", ".yaml"}]


def _secrets(folder: Path) -> set[str]:
    """Return every secret that the kept store can still tell, and the key of the store."""
    local = read_config(folder / "rotator.yaml", {}).store.local
    assert local is not None
    file, key_file = Path(local.file), Path(local.key_file)

    async def read() -> set[str]:
        store = open_local(file, load_key(key_file, {}), SystemClock().now)
        found: set[str] = set()
        for planted in ESTATE:
            secret = await store.read(StorePath(f"secret/trading/{planted.path}"))
            assert secret is not None
            assert secret.data is not None
            found |= {str(v) for k, v in secret.data.items() if k != "api_key"}
        await store.close()
        return found

    return asyncio.run(read()) | {key_file.read_text().strip()}


# ---------------------------------------------------------------- ending it


@pytest.mark.parametrize(
    ("at", "ending"),
    [
        ("starting the sandbox", signal.SIGINT),
        ("starting the daemon", signal.SIGTERM),
        ("starting the daemon", signal.SIGHUP),
        ("STAGED", signal.SIGINT),
    ],
)
def test_a_signal_ends_it(room: Room, at: str, ending: signal.Signals) -> None:
    """A signal ends it wherever it is: no process, no folder, no traceback."""
    with room.demo("--once", stdin=subprocess.DEVNULL) as child:
        assert child.stderr is not None
        said = b""
        while at.encode() not in said:
            line = child.stderr.readline()
            assert line, said.decode()
            said += line
        child.send_signal(ending)
        out, err = child.communicate(timeout=PATIENCE_SECONDS)
    assert room.processes() == []
    assert room.left() == []
    assert b"Traceback" not in err
    if at != "starting the sandbox":  # there a signal may come before anybody takes it
        assert (child.returncode, out) == (130, b"")


def test_on_a_terminal_it_goes_on_until_ctrl_c(room: Room) -> None:
    """On a terminal there is a live table, a summary, and then it waits; Ctrl-C ends it, 0."""
    ours, theirs = pty.openpty()
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), theirs)
    environ = {"COLUMNS": "100", "LINES": "40", "NO_COLOR": "1"}
    with room.demo(env=environ, start_new_session=True, **streams) as child:
        os.close(theirs)
        shown = b""
        while b"Ctrl-C ends it." not in shown:
            part = _part(ours)
            assert part, shown.decode(errors="replace")
            shown += part
        assert child.poll() is None
        assert room.left() != []
        child.send_signal(signal.SIGINT)
        while part := _part(ours):
            shown += part
        code = child.wait(timeout=PATIENCE_SECONDS)
        os.close(ours)
    screen = shown.decode()
    assert code == 0, screen
    assert room.processes() == []
    assert room.left() == []
    assert "Traceback" not in screen
    assert "7 DRAINING" in screen
    assert "DONE: 15 credentials" in screen
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", screen), "NO_COLOR was not obeyed"


def _part(terminal: int) -> bytes:
    ready, _, _ = select.select([terminal], [], [], PATIENCE_SECONDS)
    try:
        return os.read(terminal, 65536) if ready else b""
    except OSError:  # the other end is closed
        return b""


# ---------------------------------------------------------------- what cannot be


@pytest.mark.parametrize("place", [0, 1])
def test_a_taken_port(room: Room, place: int) -> None:
    """A port that another program holds is said in one sentence, exit code 1, nothing stays."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with room.demo("--once", "--port-base", str(taken - place)) as child:
            out, err = child.communicate(timeout=PATIENCE_SECONDS)
    assert (child.returncode, out) == (1, b"")
    assert str(taken) in err.decode().splitlines()[-1]
    assert b"Traceback" not in err
    assert room.processes() == []
    assert room.left() == []


def test_a_folder_that_is_in_use(room: Room) -> None:
    """--keep does not write into a folder that holds something."""
    (room.folder / "mine").mkdir()
    (room.folder / "mine" / "file").write_text("x")
    with room.demo("--once", "--keep", "mine") as child:
        _, err = child.communicate(timeout=PATIENCE_SECONDS)
    assert child.returncode == 1
    assert "is not empty" in err.decode().splitlines()[-1]
    assert [p.name for p in (room.folder / "mine").iterdir()] == ["file"]


def test_without_a_vault(room: Room) -> None:
    """--vault without any Vault says in one sentence what to do."""
    with room.demo("--once", "--vault", env={"PATH": ""}) as child:
        _, err = child.communicate(timeout=PATIENCE_SECONDS)
    assert child.returncode == 1
    assert "install the `vault`" in err.decode().splitlines()[-1]
    assert room.processes() == []
    assert room.left() == []


@pytest.mark.real
def test_with_a_vault(room: Room, vault: Any) -> None:
    """--vault does the same on a real Vault in memory, which ends with it."""
    folder = room.folder / "kept"
    path = f"{vault.binary.parent}:{os.environ['PATH']}"
    with room.demo("--once", "--vault", "--keep", str(folder), env={"PATH": path}) as child:
        out, err = child.communicate(timeout=PATIENCE_SECONDS)
    assert child.returncode == 0, err.decode()
    assert "3 rotated, 3 old keys proved dead" in out.decode().splitlines()[-1]
    assert room.processes() == []
    token = (folder / "vault-token").read_text()
    assert not [name for name in _texts(folder) if token in (folder / name).read_text()]


# ---------------------------------------------------------------- its parts


def test_the_log_is_followed(tmp_path: Path) -> None:
    """Lines are taken once and whole, whatever else stands between them."""
    file = tmp_path / "daemon.log"
    log = DaemonLog(file)
    assert log.new_steps() == ()
    step = {"event": "step", "credential": "a", "phase": "STAGED", "because": "created"}
    line = json.dumps(step)
    file.write_text('{"event":"listening","address":"127.0.0.1","port":7}\n[]\nnoise\n' + line[:9])
    assert log.new_steps() == ()
    with file.open("a") as opened:
        opened.write(line[9:] + '\n{"event":"pass"}\n')
    assert log.new_steps() == (Step("a", "STAGED", "created", "", ""),)
    assert log.new_steps() == ()
    assert (log.url, log.passes) == ("http://127.0.0.1:7", 1)


def test_last_words(tmp_path: Path) -> None:
    """Why a process could not run is its last line that is no log line."""
    file = tmp_path / "daemon.log"
    assert DaemonLog(file).last_words() == ""
    file.write_text('{"event":"x"}\nrotator: serve.listen: taken\n{"event":"y"}\n')
    assert DaemonLog(file).last_words() == "serve.listen: taken"


@pytest.mark.parametrize(
    ("due", "said"),
    [
        (None, "-"),
        ("2026-01-10T12:00:00Z", "in 9d"),
        ("2026-01-01T12:00:00Z", "today"),
        ("2025-12-31T23:00:00Z", "now"),
        ("2025-12-01T00:00:00Z", "31d ago"),
    ],
)
def test_due_times(due: str | None, said: str) -> None:
    """A due time is told in whole days from now."""
    assert due_told(due, datetime(2026, 1, 1, tzinfo=UTC)) == said


def test_a_step_is_one_printable_line() -> None:
    """What came from elsewhere cannot break the line."""
    assert "\n" not in step_line(Step("a\nb", "STAGED", "x\x1b[31m", "", "…abcd"))
