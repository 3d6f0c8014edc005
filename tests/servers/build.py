"""Where the Vault server binary comes from: PATH, then the cache, then a build of our own.

The build takes HashiCorp Vault from its published Go modules with the pins in
`vault/`; the cache lies outside the clone and is named by the pins' hash.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

VERSION = "1.21.1"
PINS = Path(__file__).parent / "vault"
HOW_TO = "Install the `vault` server or Go 1.26 to run the tests against a real Vault."


class ServerMissing(Exception):
    """No server is there and none can be built; the message says what to install."""


def cached(environment: dict[str, str] | None = None) -> Path:
    """Return the path where the built server lies or will lie."""
    env = dict(os.environ) if environment is None else environment
    root = Path(env.get("XDG_CACHE_HOME") or Path(env.get("HOME", "/")) / ".cache")
    pins = (PINS / "go.mod").read_bytes() + (PINS / "go.sum").read_bytes()
    digest = hashlib.sha256(pins).hexdigest()[:16]
    return root / "rotator" / "servers" / f"vault-{VERSION}-{digest}" / "vault"


def found() -> Path | None:
    """Return the server on PATH or in the cache, None if neither is there."""
    on_path = shutil.which("vault")
    if on_path:
        return Path(on_path)
    return cached() if cached().is_file() else None


def build() -> Path:
    """Build the server into the cache (minutes) and return its path."""
    go = shutil.which("go")
    if go is None:
        raise ServerMissing(HOW_TO)
    target = cached()
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f"vault.{os.getpid()}.tmp")
    command = [go, "build", "-trimpath", "-ldflags", "-s -w", "-o", str(unfinished)]
    try:
        subprocess.run([*command, "github.com/hashicorp/vault"], cwd=PINS, check=True)
        unfinished.rename(target)
    finally:
        unfinished.unlink(missing_ok=True)
    return target


def ensured() -> Path:
    """Return a server, built if need be; raise ServerMissing if that is impossible."""
    return found() or build()
