"""A proxy that loses requests or answers on demand."""

from __future__ import annotations

import threading
from enum import Enum

from tests.servers.wire import Fate, Way, Wire


class Cut(Enum):
    """What is lost of the next exchanges: by the way that it is going."""

    NOTHING = None
    REQUEST = Way.TO_SERVER
    ANSWER = Way.TO_CLIENT


class CuttingProxy(Wire):
    """`cut` says how often what is lost.

    REQUEST: the connection closes when the request arrives, nothing is forwarded.
    ANSWER: the server works and answers, and the connection closes instead.
    """

    def __init__(self, target_port: int) -> None:
        self._lock = threading.Lock()
        self._what, self._left = Cut.NOTHING, 0
        super().__init__(target_port)

    @property
    def address(self) -> str:
        """Return the URL to use in place of the server's."""
        return f"http://127.0.0.1:{self.port}"

    def cut(self, what: Cut, times: int = 1) -> None:
        """Lose this of the next exchanges."""
        with self._lock:
            self._what, self._left = what, times

    def fate(self, way: Way) -> Fate:
        """Close in place of what is to be lost, so often as was said."""
        with self._lock:
            if self._what.value is not way or not self._left:
                return Fate.ARRIVES
            self._left -= 1
            return Fate.CLOSES
