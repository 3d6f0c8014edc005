"""Where an exchange is reached: one pinned host per exchange and environment."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

import httpx


class SettingsError(ValueError):
    """An exchange's settings cannot be used; the text says which and what to do."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port that every request of an exchange goes to."""

    scheme: str
    host: str
    port: int | None
    loopback: bool

    @property
    def pin(self) -> tuple[str, str, int | None]:
        """What the gate compares a request's address with."""
        return (self.scheme, self.host, self.port)

    @property
    def url(self) -> str:
        """The address without a path."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + (f":{self.port}" if self.port else "")


def pinned(
    exchange: str,
    hosts: Mapping[str, str],
    environment: str,
    base_url: str | None,
) -> Origin:
    """Return the origin of an environment, or the one `base_url` puts in its place.

    Raises SettingsError for an environment that the exchange does not have, and
    for plain http anywhere but on loopback.
    """
    if base_url is not None:
        return _origin(exchange, base_url)
    if environment not in hosts:
        known = ", ".join(sorted(hosts))
        raise SettingsError(
            f"{exchange} has no environment {environment!r}: use one of {known}, or set base_url"
        )
    return _origin(exchange, hosts[environment])


def is_loopback(host: str) -> bool:
    """Say whether a host name or address stays on this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _origin(exchange: str, base_url: str) -> Origin:
    where = f"exchanges.{exchange}.base_url"
    try:
        url = httpx.URL(base_url)
    except (httpx.InvalidURL, TypeError):
        raise SettingsError(f"{where} is no URL: write https://host[:port]") from None
    if url.userinfo or url.query or url.fragment or url.path not in {"", "/"} or not url.host:
        raise SettingsError(f"{where} only replaces the host: write https://host[:port]")
    loopback = is_loopback(url.host)
    if url.scheme != "https" and not (url.scheme == "http" and loopback):
        raise SettingsError(f"{where} must be https (plain http is for loopback only)")
    return Origin(url.scheme, url.host, url.port, loopback)
