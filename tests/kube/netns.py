"""A network of its own for one process, joined to ours by a wire that can be pulled out."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

RELAY = str(Path(__file__).with_name("relay.py"))


def possible() -> bool:
    """Say whether this user may make network namespaces."""
    if os.getuid() != 0:
        return False
    name = f"rt{secrets.token_hex(3)}"
    if not _done("ip", "netns", "add", name):
        return False
    wired = _done(
        "ip", "-n", name, "link", "add", f"{name}a", "type", "veth", "peer", "name", f"{name}b"
    )
    _done("ip", "netns", "del", name)
    return wired


@dataclass(frozen=True, slots=True)
class Network:
    """A namespace whose loopback ports lead to ours over one wire."""

    name: str
    wire: str

    @property
    def prefix(self) -> tuple[str, ...]:
        """Return what starts a program in it."""
        return ("ip", "netns", "exec", self.name)

    def cut(self) -> None:
        """Pull the wire out at our end."""
        _run("ip", "link", "set", self.wire, "down")

    def mend(self) -> None:
        """Put it back."""
        _run("ip", "link", "set", self.wire, "up")


@contextmanager
def network(ports: list[int]) -> Iterator[Network]:
    """Make a network in which these loopback ports are ours, as far as the wire carries them."""
    name = f"rt{secrets.token_hex(3)}"
    here, there = f"{name}h", f"{name}n"
    number = 1 + secrets.randbelow(250)
    ours, theirs = f"10.213.{number}.1", f"10.213.{number}.2"
    with ExitStack() as stack:
        _run("ip", "netns", "add", name)
        stack.callback(_done, "ip", "netns", "del", name)
        _run("ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", name)
        _run("ip", "addr", "add", f"{ours}/30", "dev", here)
        _run("ip", "link", "set", here, "up")
        _run("ip", "-n", name, "addr", "add", f"{theirs}/30", "dev", there)
        _run("ip", "-n", name, "link", "set", there, "up")
        _run("ip", "-n", name, "link", "set", "lo", "up")
        outer = [f"{ours}:{port}=127.0.0.1:{port}" for port in ports]
        inner = [f"127.0.0.1:{port}={ours}:{port}" for port in ports]
        made = Network(name, here)
        for prefix, orders in (((), outer), (made.prefix, inner)):
            stack.enter_context(_relay(prefix, orders))
        yield made


@contextmanager
def _relay(prefix: tuple[str, ...], orders: list[str]) -> Iterator[None]:
    command = [*prefix, sys.executable, RELAY, *orders]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            for _ in orders:
                assert process.stdout.readline() == b"ready\n"
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def _done(*command: str) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0
