"""What the pages are made from, as callables: `serve` knows no other part."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from rotator.serve.view import Views

MAX_BEAT_AGE = 15.0
"""Seconds without a heartbeat after which the process counts as dead."""


class MetricsText(Protocol):
    """Gives the whole exposition; called in a worker thread."""

    def __call__(self, *, gzip: bool) -> bytes:
        """Return the text, compressed if `gzip`."""
        ...


@dataclass(frozen=True, slots=True)
class ServeState:
    """All that the endpoints ask.

    `beat_age` gives the seconds since the event loop's last heartbeat;
    `not_ready` gives None when the configuration is loaded and the store login
    works, else one plain sentence why not (no secret, it is shown as it is);
    `reload` reads the configuration again and says whether that succeeded; `views`
    gives what page and API are made from.
    """

    metrics: MetricsText
    metrics_type: str
    beat_age: Callable[[], float]
    not_ready: Callable[[], str | None]
    reload: Callable[[], Awaitable[bool]]
    version: str
    views: Views
    max_beat_age: float = MAX_BEAT_AGE
