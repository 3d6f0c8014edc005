"""The API of the real daemon under requests that schemathesis invents from its description."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.pages import scenes
from tests.processes.program import Sandbox

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(240)]

CASES = 20
"""For each operation and phase; more find nothing new and cost minutes."""

PROGRAM = Path(sys.executable).with_name("schemathesis")


def test_the_api_holds_what_it_describes(sandbox: Sandbox, tmp_path: Path) -> None:
    """No 500, every answer as described, and what the description forbids is refused."""
    scene = scenes.healthy(tmp_path / "invented", sandbox)
    with scene.daemon() as daemon:
        daemon.looked(13)
        tried = subprocess.run(
            [
                PROGRAM,
                "run",
                f"{daemon.url}/api/v1/openapi.json",
                f"--url={daemon.url}/api/v1",
                "--phases=examples,coverage,fuzzing",
                "--mode=all",
                f"--max-examples={CASES}",
                "--generation-deterministic",
                "--request-timeout=20",
                "--no-color",
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )
        print(tried.stdout[-3000:])
        assert tried.returncode == 0, tried.stdout[-6000:] + tried.stderr[-2000:]
        assert daemon.program.alive
        assert daemon.json("health")["stale"] is False
