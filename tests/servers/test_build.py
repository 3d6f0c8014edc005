"""Where the Vault server comes from."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.servers.build import PINS, cached


def test_the_cache_is_named_by_the_pins() -> None:
    """The server's folder lies outside the clone, and its name changes with the pins."""
    pins = b"".join((PINS / name).read_bytes() for name in ("go.mod", "go.sum"))
    name = f"vault-1.21.1-{hashlib.sha256(pins).hexdigest()[:16]}"
    assert cached({"XDG_CACHE_HOME": "/c"}) == Path("/c/rotator/servers") / name / "vault"
    home = Path("/home/me/.cache/rotator/servers")
    assert cached({"HOME": "/home/me"}) == home / name / "vault"
    assert cached({"HOME": "/home/me", "XDG_CACHE_HOME": ""}) == home / name / "vault"
