"""Where the real servers come from."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.servers.build import HERE, PACKAGES, SERVERS, Server, ServerMissing, packaged


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: f"{server.name} {server.version}")
def test_the_cache_is_named_by_the_pins(server: Server) -> None:
    """A server's folder lies outside the clone, and its name changes with the pins."""
    pins = b"".join((HERE / server.pins / name).read_bytes() for name in ("go.mod", "go.sum"))
    name = f"{server.name}-{server.version}-{hashlib.sha256(pins).hexdigest()[:16]}"
    where = Path("rotator/servers") / name / server.name
    assert server.cached({"XDG_CACHE_HOME": "/c"}) == Path("/c") / where
    assert server.cached({"HOME": "/home/me"}) == Path("/home/me/.cache") / where
    assert server.cached({"HOME": "/home/me", "XDG_CACHE_HOME": ""}) == (
        Path("/home/me/.cache") / where
    )


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: f"{server.name} {server.version}")
def test_the_pins_name_the_version(server: Server) -> None:
    """What is built is what the table says."""
    assert f" v{server.version}\n" in (HERE / server.pins / "go.mod").read_text()


@pytest.mark.parametrize(("program", "package"), PACKAGES.items())
def test_what_debian_packages_is_named_when_it_is_missing(program: str, package: str) -> None:
    """A missing program names the package that brings it."""
    with pytest.raises(ServerMissing, match=f"package {package} "):
        packaged(program, path="/nowhere")
