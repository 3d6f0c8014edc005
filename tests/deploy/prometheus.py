"""A real Prometheus on loopback that scrapes one daemon every second."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from urllib3.exceptions import HTTPError

from tests.processes.program import HTTP, until
from tests.servers.build import packaged
from tests.servers.vault_server import free_port

SCRAPE_SECONDS: Final = 1


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running server."""

    url: str

    def now(self, expr: str) -> list[dict[str, Any]]:
        """Return the present series of an expression, as the API tells them."""
        return self._ask("query", query=expr)

    def over(self, expr: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        """Return the series of an expression over time (seconds since the epoch)."""
        times = {"start": str(start), "end": str(end), "step": str(step)}
        return self._ask("query_range", query=expr, **times)

    def _ask(self, way: str, **fields: str) -> list[dict[str, Any]]:
        answer = HTTP.request("POST", f"{self.url}/api/v1/{way}", fields=fields)
        told = json.loads(answer.data)
        assert told["status"] == "success", f"{fields['query']}: {told}"
        return list(told["data"]["result"])


@contextmanager
def prometheus(folder: Path, target: int) -> Iterator[Prometheus]:
    """Run a Prometheus that scrapes a port of this machine as the job `rotator`.

    Raises ServerMissing.
    """
    program = str(packaged("prometheus"))
    config = folder / "prometheus.yml"
    jobs = [{"job_name": "rotator", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}]
    scraping = {"scrape_interval": f"{SCRAPE_SECONDS}s", "scrape_timeout": f"{SCRAPE_SECONDS}s"}
    config.write_text(yaml.safe_dump({"global": scraping, "scrape_configs": jobs}))
    port = free_port()
    command = [
        program,
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'series'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "prometheus.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    server = Prometheus(f"http://127.0.0.1:{port}")
    try:
        until(lambda: _ready(server.url), "Prometheus is ready")
        yield server
    finally:
        process.terminate()
        process.wait(20)


def _ready(url: str) -> bool:
    try:
        return HTTP.request("GET", f"{url}/-/ready").status == 200
    except HTTPError:
        return False
