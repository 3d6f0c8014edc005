"""Prometheus, Alertmanager and the receiver of its messages, on loopback."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml
from urllib3.exceptions import HTTPError

from tests.deploy.conftest import program
from tests.processes.program import HTTP, until
from tests.servers.vault_server import free_port


@dataclass(frozen=True, slots=True)
class Message:
    """One delivery: when it came (monotonic), to which path, and its alerts."""

    at: float
    path: str
    alerts: tuple[dict[str, Any], ...]


class Receiver:
    """Whom Alertmanager tells: keeps every message."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        kept = self.messages

        class Handler(BaseHTTPRequestHandler):
            """Takes a message."""

            def do_POST(self) -> None:
                """Keep a message and say yes."""
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                kept.append(Message(time.monotonic(), self.path, tuple(body["alerts"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def firing(self, **labels: str) -> tuple[float, dict[str, Any]] | None:
        """Return when an alert with these labels first arrived firing, and what it said."""
        for message in list(self.messages):
            for alert in message.alerts:
                fits = all(alert["labels"].get(k) == v for k, v in labels.items())
                if fits and alert["status"] == "firing":
                    return message.at, alert
        return None

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@dataclass
class Served:
    """A program of Debian's that serves HTTP, with its log."""

    name: str
    folder: Path
    port: int = field(default_factory=free_port)

    def start(self, *arguments: str) -> None:
        """Start it and wait until it is ready."""
        with (self.folder / f"{self.name}.log").open("wb") as log:
            self.process = subprocess.Popen(
                [program(self.name), *arguments, f"--web.listen-address=127.0.0.1:{self.port}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )
        until(self._ready, f"{self.name} is ready; {self.folder}", 30)

    def _ready(self) -> bool:
        try:
            return HTTP.request("GET", f"{self.url}/-/ready").status == 200
        except HTTPError:
            return False

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, **fields: str) -> Any:
        """Ask it for JSON."""
        answer = HTTP.request("GET", self.url + path, fields=fields)
        assert answer.status == 200, answer.data
        return json.loads(answer.data)

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()


def alertmanager(folder: Path, configuration: str) -> Served:
    """Start an Alertmanager of one."""
    file = folder / "alertmanager.yaml"
    file.write_text(configuration)
    served = Served("prometheus-alertmanager", folder)
    served.start(
        f"--config.file={file}",
        f"--storage.path={folder / 'alertmanager'}",
        "--cluster.listen-address=",
    )
    return served


def prometheus(
    folder: Path, rules: dict[str, str], targets: dict[str, list[int]], manager: Served
) -> Served:
    """Start a Prometheus that asks each job's ports every second, and judges as often."""
    files = []
    for stage, text in rules.items():
        file = folder / f"{stage}.rules.yaml"
        file.write_text(text)
        files.append(str(file))
    document = {
        "global": {
            "scrape_interval": "1s",
            "scrape_timeout": "1s",
            "evaluation_interval": "1s",
        },
        "rule_files": files,
        "alerting": {
            "alertmanagers": [{"static_configs": [{"targets": [manager.url.split("//")[1]]}]}]
        },
        "scrape_configs": [
            {
                "job_name": job,
                "static_configs": [{"targets": [f"127.0.0.1:{port}" for port in ports]}],
            }
            for job, ports in targets.items()
        ],
    }
    file = folder / "prometheus.yaml"
    file.write_text(yaml.safe_dump(document))
    served = Served("prometheus", folder)
    served.start(f"--config.file={file}", f"--storage.tsdb.path={folder / 'tsdb'}")
    return served
