"""A loopback TCP relay in front of a server; its kinds decide what becomes of what is sent."""

from __future__ import annotations

import contextlib
import socket
import threading
from abc import ABC, abstractmethod
from enum import Enum, auto
from typing import Self


class Way(Enum):
    """Which way bytes are under way."""

    TO_SERVER = auto()
    TO_CLIENT = auto()


class Fate(Enum):
    """What becomes of bytes: they arrive, vanish, or the connection closes in their place."""

    ARRIVES = auto()
    VANISHES = auto()
    CLOSES = auto()


class Wire(ABC):
    """Relays connections to a port."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @abstractmethod
    def fate(self, way: Way) -> Fate:
        """Say what becomes of the bytes that just came; called in many threads."""

    def drop_all(self) -> None:
        """Close every connection that is open."""
        for one in list(self._open):
            self._drop(one)

    def close(self) -> None:
        """Close the listener and every connection."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop_all()
        for thread in self._threads:
            thread.join(timeout=5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target_port))
            except OSError:
                client.close()
                continue
            self._open |= {client, server}
            for way in ((client, server, Way.TO_SERVER), (server, client, Way.TO_CLIENT)):
                thread = threading.Thread(target=self._pump, args=way, daemon=True)
                self._threads.append(thread)
                thread.start()

    def _pump(self, source: socket.socket, sink: socket.socket, way: Way) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(65536):
                fate = self.fate(way)
                if fate is Fate.CLOSES:
                    break
                if fate is Fate.ARRIVES:
                    sink.sendall(chunk)
        self._drop(source)
        self._drop(sink)

    def _drop(self, one: socket.socket) -> None:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
        self._open.discard(one)
