"""checkov, whose pins agree with nobody's, in an environment of its own outside the clone."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tests.servers.build import ServerMissing

LOCK: Final = Path(__file__).parents[2] / "requirements" / "checkov.txt"


def environment() -> Path:
    """Return the folder of the environment; make it (a minute) if it is not there.

    Raises ServerMissing if the packages of the lock cannot be had.
    """
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    tag = f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    target = root / "rotator" / f"checkov-py{tag}-{digest}"
    if not (target / "complete").is_file():
        shutil.rmtree(target, ignore_errors=True)
        try:
            _install(target)
        except subprocess.CalledProcessError as fault:
            raise ServerMissing(f"checkov could not be installed from {LOCK.name}.") from fault
        (target / "complete").touch()
    return target


def _install(target: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(target)], check=True)
    pip = [str(target / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-input"]
    options = ["--disable-pip-version-check", "--require-hashes", "--no-deps"]
    subprocess.run([*pip, *options, "-r", str(LOCK)], check=True)


def failed_checks(made: Path, folder: Path, skipped: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return (check, resource, what it says) of each check that the manifests in a folder fail.

    `made` is the environment, `skipped` are checks that are not made.
    """
    done = subprocess.run(
        [
            *(str(made / "bin" / "python"), "-W", "ignore", "-m", "checkov.main"),
            *("--directory", str(folder), "--framework", "kubernetes", "--skip-download"),
            *("--skip-check", ",".join(skipped), "--output", "json", "--soft-fail"),
        ],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "LOG_LEVEL": "ERROR"},
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
    )
    report: dict[str, Any] = json.loads(done.stdout)
    assert report["summary"]["passed"], "checkov looked at nothing"
    return [
        (each["check_id"], each["resource"], each["check_name"])
        for each in report["results"]["failed_checks"]
    ]
