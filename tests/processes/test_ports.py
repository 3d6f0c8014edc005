"""A guarded port, and beside it one for the probes of Kubernetes."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from tests.processes.program import HTTP, Program
from tests.serve.web import hashed

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]


def guarded(folder: Path, probes: str) -> Program:
    """Start a daemon whose port asks for a password."""
    (folder / "web.yaml").write_text(f'basic_auth_users: {{ann: "{hashed()}"}}\n')
    (folder / "rotator.yaml").write_text(
        "store: {local: {file: s.db, key_file: s.key}, state: secret/rotator/}\n"
        f"serve: {{listen: '127.0.0.1:0', web_config: web.yaml, probes: '{probes}'}}\n"
    )
    return Program(folder, "daemon", "run")


def test_probes_need_no_password(tmp_path: Path) -> None:
    """And get nothing but health: neither metrics nor page nor reload."""
    daemon = guarded(tmp_path, "127.0.0.1:0")
    try:
        assert daemon.page("/-/healthy")[0] == 401
        port = daemon.wait_for("probes_listening")["port"]
        daemon.wait_for("pass")

        def status(path: str, method: str = "GET") -> int:
            return int(HTTP.request(method, f"http://127.0.0.1:{port}{path}").status)

        healthy = ("/-/healthy", "/-/ready", "/healthz", "/readyz")
        assert [status(path) for path in healthy] == [200] * 4
        others = ("/", "/metrics", "/api/v1/status", "/-/reload")
        assert [status(path) for path in others] == [404] * 4
        assert status("/-/reload", "POST") == 404
        assert daemon.stop() == 0
    finally:
        daemon.close()


def test_a_port_that_is_taken_ends_the_daemon(tmp_path: Path) -> None:
    """The one sentence names the field, and the other port is given back."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        daemon = guarded(tmp_path, f"127.0.0.1:{taken.getsockname()[1]}")
        assert daemon.ended() == 1
    assert re.search(r"serve\.probes: 127\.0\.0\.1:[0-9]+ cannot be taken", daemon.log())
