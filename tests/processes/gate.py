"""A loopback proxy that stops the traffic of a process at one chosen request."""

from __future__ import annotations

import contextlib
import http.client
import json
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})
PATIENCE_SECONDS = 45.0


class Side(Enum):
    """Where on a request's way it is stopped."""

    BEFORE = "before the call"
    AFTER = "after the call, before its answer"


class Fate(Enum):
    """What becomes of a stopped request in the end."""

    GO_ON = auto()
    LOST = auto()


@dataclass(frozen=True, slots=True)
class Crossing:
    """One request as it passed: what it is for, and whether it changes anything."""

    number: int
    label: str


@dataclass
class Stop:
    """An order to stop the traffic at the `count`-th request of a label, once.

    `label` None counts every request of the rotation.  Who gave the order waits for
    `reached`, does what it likes, and says by `end` what becomes of the request.
    """

    label: str | None
    side: Side
    count: int = 1
    reached: threading.Event = field(default_factory=threading.Event)
    _go: threading.Event = field(default_factory=threading.Event)
    _fate: Fate = Fate.LOST

    def end(self, fate: Fate) -> None:
        """Let the request go on its way, or lose it."""
        self._fate = fate
        self._go.set()

    def wait(self) -> Fate:
        """Hold the request until its fate is known."""
        self.reached.set()
        return self._fate if self._go.wait(PATIENCE_SECONDS) else Fate.LOST


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object, empty if it is none."""
        return _object(self.body)


@dataclass(frozen=True, slots=True)
class Told:
    """One answer of the server behind the gate."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object, empty if it is none."""
        return _object(self.body)


Named = Callable[[Asked], str | None]
"""Says what a request is for; None for what is no part of a rotation."""

Heard = Callable[[Asked, Told], None]
"""Is told of every request and its answer."""

Changed = Callable[[Told], Told]
"""Makes another answer of an answer."""


def as_it_is(told: Told) -> Told:
    """Leave an answer as it is."""
    return told


class Road:
    """The requests of one process to all its servers, in the order of their coming."""

    def __init__(self) -> None:
        self.crossings: list[Crossing] = []
        self._lock = threading.Lock()
        self._stop: Stop | None = None
        self._counted: dict[str | None, int] = {}

    def stop_at(self, stop: Stop | None) -> None:
        """Order a stop, or take it back; counts begin now."""
        with self._lock:
            self._stop, self._counted = stop, {}

    def labels(self) -> list[str]:
        """Return what has passed."""
        with self._lock:
            return [c.label for c in self.crossings]

    def enter(self, label: str | None) -> Stop | None:
        """Count a request; return the stop that it meets."""
        if label is None:
            return None
        with self._lock:
            self.crossings.append(Crossing(len(self.crossings) + 1, label))
            for name in (label, None):
                self._counted[name] = self._counted.get(name, 0) + 1
            stop = self._stop
            if stop is None or stop.label not in (label, None):
                return None
            if self._counted[stop.label] != stop.count:
                return None
            self._stop = None
            return stop


class QuietServer(ThreadingHTTPServer):
    """Takes it calmly when a process dies in the middle of a request."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, gate: Gate) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.gate = gate

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of broken connections."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Gate:
    """Forwards HTTP to one server; requests that a road stops wait here."""

    def __init__(self, target: str, road: Road, named: Named, heard: Heard) -> None:
        self._target = urlsplit(target).netloc
        self.road, self.named, self.heard = road, named, heard
        self.changed: Changed = as_it_is
        self._closed = False
        self._server = QuietServer(self)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        """Stop serving: nothing listens any more, and what is connected gets no answer."""
        self._closed = True
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def connection(self) -> http.client.HTTPConnection:
        """Open a connection to the server behind the gate."""
        return http.client.HTTPConnection(self._target, timeout=30)

    def cross(self, asked: Asked, behind: http.client.HTTPConnection) -> Told | None:
        """Bring one request to the server; None if it or its answer is lost."""
        if self._closed:
            return None
        stop = self.road.enter(self.named(asked))
        if stop is not None and stop.side is Side.BEFORE and stop.wait() is Fate.LOST:
            return None
        told = _sent(asked, behind)
        self.heard(asked, told)
        if stop is not None and stop.side is Side.AFTER and stop.wait() is Fate.LOST:
            return None
        return self.changed(told)


def _sent(asked: Asked, behind: http.client.HTTPConnection) -> Told:
    headers = {k: v for k, v in asked.headers if k.lower() not in HOP}
    behind.request(asked.method, asked.path, body=asked.body or None, headers=headers)
    answer = behind.getresponse()
    return Told(answer.status, tuple(answer.getheaders()), answer.read())


class Handler(BaseHTTPRequestHandler):
    """Takes the requests of one connection through a gate."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: QuietServer

    def setup(self) -> None:
        """Open the connection behind the gate as well."""
        super().setup()
        self.behind = self.server.gate.connection()

    def finish(self) -> None:
        """Close both."""
        self.behind.close()
        with contextlib.suppress(OSError):
            super().finish()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def serve(self) -> None:
        """Bring one request across, and its answer back."""
        length = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(length)
        asked = Asked(self.command, self.path, tuple(self.headers.items()), body)
        try:
            told = self.server.gate.cross(asked, self.behind)
        except (OSError, http.client.HTTPException):
            told = None
        self.close_connection = told is None
        if told is not None:
            with contextlib.suppress(OSError):
                self.answer(told)

    def answer(self, told: Told) -> None:
        """Send an answer on."""
        self.send_response_only(told.status)
        for name, value in told.headers:
            if name.lower() not in HOP:
                self.send_header(name, value)
        if told.status != 204:
            self.send_header("Content-Length", str(len(told.body)))
        self.end_headers()
        self.wfile.write(told.body)
        self.wfile.flush()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_LIST = serve  # noqa: N815


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
