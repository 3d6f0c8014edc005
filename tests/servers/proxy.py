"""A loopback TCP proxy that loses requests or answers on demand."""

from __future__ import annotations

import contextlib
import socket
import threading
from enum import Enum, auto
from types import TracebackType
from typing import Self


class Cut(Enum):
    """What is lost of the next exchange."""

    NOTHING = auto()
    REQUEST = auto()
    ANSWER = auto()


class CuttingProxy:
    """Forwards connections to a port; `cut` says how often what is lost.

    REQUEST: the connection closes when the request arrives, nothing is forwarded.
    ANSWER: the server works and answers, and the connection closes instead.
    """

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._lock = threading.Lock()
        self._what, self._left = Cut.NOTHING, 0
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def address(self) -> str:
        """Return the URL to use in place of the server's."""
        return f"http://127.0.0.1:{self.port}"

    def cut(self, what: Cut, times: int = 1) -> None:
        """Lose this of the next exchanges."""
        with self._lock:
            self._what, self._left = what, times

    def close(self) -> None:
        """Close the listener and every connection."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in list(self._open):
            self._drop(one)
        for thread in self._threads:
            thread.join(timeout=5)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target_port))
            except OSError:
                return
            self._open |= {client, server}
            for source, sink, lost in (
                (client, server, Cut.REQUEST),
                (server, client, Cut.ANSWER),
            ):
                thread = threading.Thread(target=self._pump, args=(source, sink, lost), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _pump(self, source: socket.socket, sink: socket.socket, lost: Cut) -> None:
        try:
            while chunk := source.recv(65536):
                if self._loses(lost):
                    break
                sink.sendall(chunk)
        except OSError:
            pass
        finally:
            self._drop(source)
            self._drop(sink)

    def _loses(self, what: Cut) -> bool:
        with self._lock:
            if self._what is not what or not self._left:
                return False
            self._left -= 1
            return True

    def _drop(self, one: socket.socket) -> None:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
        self._open.discard(one)
