"""The daemon as a process: its memory, what a scrape costs, and what it costs to do nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import urllib3

from tests.bench.estate import Place
from tests.bench.servers import ROOT, STOP_SECONDS, Filler
from tests.servers.vault_server import free_port

FIRST_PASS_SECONDS: Final = 240.0
QUIET_SECONDS: Final = 8.0
"""How long a pass's afterwork (metrics, tidy) is waited for."""

POLL_SECONDS: Final = 0.2
INVENTORY_SECONDS: Final = 300.0
"""The default of `every.inventory`: one pass falls into so many idle seconds."""

AS_PROMETHEUS_ASKS: Final = {
    "Accept": "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5",
    "Accept-Encoding": "gzip",
}
MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Daemon:
    """A running `rotator run`, its log and its port."""

    pid: int
    log: Path
    url: str

    def cpu(self) -> float:
        """Return the seconds of CPU that the process has used, all threads, to the nanosecond."""
        return time.clock_gettime(~self.pid << 3 | 2)

    def rss_mib(self) -> float:
        """Return the resident memory."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * 4096 / MIB

    def passes(self) -> list[dict[str, Any]]:
        """Return the log lines of the passes so far."""
        lines = (json.loads(line) for line in self.log.read_bytes().splitlines())
        return [line for line in lines if line.get("event") == "pass"]

    def wait_for_passes(self, count: int) -> None:
        """Wait until so many passes have ended."""
        _wait(lambda: len(self.passes()) >= count, f"pass {count} does not end: {self.log}")


@contextmanager
def daemon_on(place: Place) -> Iterator[Daemon]:
    """Run the daemon with its defaults on a place."""
    port = free_port()
    config, log = place.folder / "rotator.yaml", place.folder / "rotator.log"
    config.write_text(json.dumps(place.document(serve={"listen": f"127.0.0.1:{port}"})))
    command = [sys.executable, "-m", "rotator", "run", "--config", str(config)]
    with log.open("wb") as logs, subprocess.Popen(command, cwd=ROOT, stderr=logs) as child:
        try:
            yield Daemon(child.pid, log, f"http://127.0.0.1:{port}")
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(timeout=3 * STOP_SECONDS)


def measure(place: Place, filler: Filler, scrapes: int, idle_seconds: float) -> dict[str, float]:
    """Return `rss_mib`, `scrape_cpu_ms`, `idle_cpu_percent` and `pass_cpu_percent`.

    The first pass looks at every key; a second, which looks at none, is asked
    for by a command that is void.  Idle is a stretch in which nothing is due, not
    even an inventory.  What that second pass adds, as one comes every five
    minutes, stands beside it: most of it is the HTTP client at 10,000 requests.
    """
    with daemon_on(place) as daemon:
        daemon.wait_for_passes(1)
        time.sleep(QUIET_SECONDS)
        before, count = daemon.cpu(), len(daemon.passes())
        began = time.monotonic()
        command = {"command": "rotate", "rotation": "", "version": 0}
        filler.document(place.mount, "rotator/commands/nobody", command)
        daemon.wait_for_passes(count + 1)
        time.sleep(QUIET_SECONDS)
        spent, lasted = daemon.cpu() - before, time.monotonic() - began
        rss = daemon.rss_mib()
        scrape = _scrape_cpu(daemon, scrapes)
        idle = _idle(daemon, idle_seconds)
    one_pass = max(0.0, spent - idle * lasted)
    return {
        "rss_mib": rss,
        "scrape_cpu_ms": scrape * 1000,
        "idle_cpu_percent": 100 * idle,
        "pass_cpu_percent": 100 * one_pass / INVENTORY_SECONDS,
    }


def _scrape_cpu(daemon: Daemon, scrapes: int) -> float:
    """Return the CPU seconds of the daemon per scrape."""
    with urllib3.PoolManager(retries=False) as pool:
        for _ in range(2):
            _scrape(pool, daemon.url)
        before = daemon.cpu()
        for _ in range(scrapes):
            _scrape(pool, daemon.url)
        return (daemon.cpu() - before) / scrapes


def _scrape(pool: urllib3.PoolManager, url: str) -> None:
    answer = pool.request("GET", f"{url}/metrics", headers=AS_PROMETHEUS_ASKS)
    if answer.status != 200 or answer.headers.get("Content-Encoding") != "gzip":
        raise RuntimeError(f"the scrape was answered by {answer.status}")
    if b"rotator_pass_last_success_timestamp_seconds" not in answer.data:
        raise RuntimeError("the scrape tells of no pass")


def _idle(daemon: Daemon, seconds: float) -> float:
    """Return the CPU seconds per second of a stretch in which no pass ends."""
    passes, before, began = len(daemon.passes()), daemon.cpu(), time.monotonic()
    time.sleep(seconds)
    spent, lasted = daemon.cpu() - before, time.monotonic() - began
    if len(daemon.passes()) != passes:
        raise RuntimeError("a pass ended while the daemon should have been idle")
    return spent / lasted


def _wait(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + FIRST_PASS_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(what)
        time.sleep(POLL_SECONDS)
