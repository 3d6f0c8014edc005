"""Paths: which mount holds one, and how it is written into a URL."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from rotator.core.names import StorePath
from rotator.core.outcome import Happened, StoreError


class Mounts:
    """The mounts seen so far.  Vault lets no mount lie inside another, so a prefix decides."""

    def __init__(self, ask: Callable[[str], str]) -> None:
        self._ask = ask
        self._known: tuple[str, ...] = ()

    def split(self, path: str) -> tuple[str, str]:
        """Return the mount of a path (ending in `/`) and the rest, asking Vault once a mount."""
        slashed = path + "/"
        for mount in self._known:
            if slashed.startswith(mount):
                return mount, path[len(mount) :]
        check(path)
        mount = self._ask(path)
        if not slashed.startswith(mount) or len(mount) < 2 or mount[-1] != "/":
            raise StoreError("Vault named a mount that does not hold the path")
        self._known = (*self._known, mount)
        return mount, path[len(mount) :]

    def forget(self) -> None:
        """Drop what is known, after an answer that says a mount is no longer there."""
        self._known = ()


def url(mount: str, kind: str, rest: str) -> str:
    """Return the quoted URL path of one KV v2 call."""
    return f"/v1/{quote(mount)}{kind}/{quote(rest)}"


def check(path: str) -> None:
    """Raise StoreError for a path that no request can name."""
    if not all(is_name(segment) for segment in path.split("/")):
        raise StoreError("the path cannot be addressed in Vault", happened=Happened.REFUSED)


def is_name(segment: str) -> bool:
    """Say whether one segment of a path can be addressed."""
    return segment not in ("", ".", "..") and segment.isprintable()


def is_below(path: str, prefixes: tuple[str, ...]) -> bool:
    """Say whether a path is one of the prefixes or lies below one."""
    return any(path == p or path.startswith(p + "/") for p in prefixes)


def joined(folder: StorePath, name: str) -> StorePath:
    """Return the path of a name in a folder."""
    return StorePath(f"{folder}/{name}")
