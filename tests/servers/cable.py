"""A cable that can be cut: nothing arrives any more, and nothing is closed."""

from __future__ import annotations

import threading

from tests.servers.wire import Fate, Way, Wire


class Cable(Wire):
    """`cut` swallows what is sent, both ways, until `mend`.

    As on a network that drops packets: neither side is told.  What was swallowed is
    gone, so a mended cable closes the connections that lost something.
    """

    def __init__(self, target_port: int) -> None:
        self._whole = threading.Event()
        self._whole.set()
        super().__init__(target_port)

    def cut(self) -> None:
        """Let nothing through."""
        self._whole.clear()

    def mend(self) -> None:
        """Let new connections through; those of before are closed."""
        self.drop_all()
        self._whole.set()

    def fate(self, way: Way) -> Fate:
        """Let bytes arrive while it is whole."""
        return Fate.ARRIVES if self._whole.is_set() else Fate.VANISHES
