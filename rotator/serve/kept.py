"""Rendered texts that need not be rendered again: those of the newest state alone."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final

MOST_BYTES: Final = 4_000_000


class Kept:
    """Keeps texts of one version; safe to call from any thread."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._version: int | None = None
        self._texts: OrderedDict[Hashable, bytes] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, version: int, what: Hashable, make: Callable[[], bytes]) -> bytes:
        """Return a text of a version, made by `make` unless it is kept."""
        with self._lock:
            if version == self._version and what in self._texts:
                self._texts.move_to_end(what)
                return self._texts[what]
        text = make()
        with self._lock:
            self._keep(version, what, text)
        return text

    def _keep(self, version: int, what: Hashable, text: bytes) -> None:
        if version != self._version:
            self._texts.clear()
            self._version, self._size = version, 0
        if what in self._texts or len(text) > self._most:
            return
        self._texts[what] = text
        self._size += len(text)
        while self._size > self._most:
            _, oldest = self._texts.popitem(last=False)
            self._size -= len(oldest)
