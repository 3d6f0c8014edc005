"""Logs: one JSON object a line, through one redactor, whoever writes.

Our own lines go through structlog, libraries' lines through the standard
library's root logger; both end in the same `Sink`.  A log that cannot be written
(a full disk, a closed pipe) is counted and never stops the daemon.

    {"at": "2026-11-24T06:48:01.123Z", "level": "info", "event": "pass", ...}
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, MutableMapping
from datetime import datetime
from types import TracebackType
from typing import Any, BinaryIO

import orjson
import structlog

from rotator.observe import events
from rotator.observe.redact import Redactor

QUIET = {
    "apscheduler": logging.WARNING,
    "asyncio": logging.WARNING,
    "hpack": logging.WARNING,
    "httpcore": logging.WARNING,
    "httpx": logging.WARNING,
    "hvac": logging.WARNING,
    "urllib3": logging.WARNING,
    "uvicorn": logging.ERROR,
    "uvicorn.access": logging.ERROR,
    "uvicorn.error": logging.ERROR,
}
"""Libraries that talk too much: only this level and worse is written.

Of uvicorn only errors, as it warns of each malformed request that anybody sends.
"""

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

Logger = structlog.typing.FilteringBoundLogger
Fields = MutableMapping[str, Any]


class Sink:
    """Writes whole lines to a stream; `lost` counts those that it refused."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self.lost = 0

    def msg(self, line: bytes) -> None:
        """Write one line."""
        with self._lock:
            try:
                self._stream.write(line + b"\n")
                self._stream.flush()
            except (OSError, ValueError):  # full, gone, or closed
                self.lost += 1

    log = debug = info = warning = warn = error = critical = exception = fatal = msg


class Line:
    """Turns an event's fields into one line: time, exception, redaction, JSON."""

    def __init__(self, redactor: Redactor, now: Callable[[], datetime]) -> None:
        self._redactor = redactor
        self._now = now

    def __call__(self, _logger: object, method: str, fields: Fields) -> bytes:
        """Render; the last processor of the chain."""
        head: dict[str, Any] = {
            "at": _instant(self._now()),
            "level": fields.pop("level", method),
            "event": fields.pop("event", ""),
        }
        error = fields.pop("exc_info", None)
        if error:
            fields["exception"] = _traceback(error)
        return orjson.dumps(self._redactor.plain({**head, **fields}))


class Foreign(logging.Handler):
    """Takes the records of libraries into the same lines."""

    def __init__(self, sink: Sink, line: Line) -> None:
        super().__init__()
        self._sink = sink
        self._line = line

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; a message that cannot be formatted is written as it is."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):
            message = str(record.msg)
        fields: dict[str, Any] = {
            "level": record.levelname.lower(),
            "event": events.FOREIGN,
            "logger": record.name,
            "message": message,
        }
        if record.exc_info:
            fields["exc_info"] = record.exc_info
        self._sink.msg(self._line(None, "", fields))


def configure(
    stream: BinaryIO, level: str, redactor: Redactor, now: Callable[[], datetime]
) -> Sink:
    """Send every log line of the process to `stream` from now on.

    `level` is a word of `LEVELS` (else ValueError); `now` gives aware times.
    """
    if level not in LEVELS:
        raise ValueError(f"log level {level!r}: use one of {', '.join(LEVELS)}")
    sink, line = Sink(stream), Line(redactor, now)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            line,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=lambda *_: sink,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    for handler in [h for h in root.handlers if isinstance(h, Foreign)]:
        root.removeHandler(handler)
    root.addHandler(Foreign(sink, line))
    root.setLevel(LEVELS[level])
    for name, least in QUIET.items():
        logging.getLogger(name).setLevel(max(LEVELS[level], least))
    return sink


def logger(**context: object) -> Logger:
    """Return a logger that adds `context` to each of its lines."""
    bound: Logger = structlog.get_logger(**context)
    return bound


def context(**fields: object) -> Mapping[str, object]:
    """Add fields to every line of this task and the tasks it starts."""
    structlog.contextvars.bind_contextvars(**fields)
    return fields


def _instant(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def _traceback(error: object) -> str:
    """Return the traceback as text, without the values of local variables."""
    if isinstance(error, BaseException):
        lines = traceback.format_exception(error)
    elif isinstance(error, tuple) and len(error) == 3 and error[1] is not None:
        lines = traceback.format_exception(*error)
    else:
        lines = traceback.format_exception(*sys.exc_info())
    return "".join(lines)
