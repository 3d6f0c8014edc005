"""Starts the sandbox as a real server."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from rotator.engine.clock import SystemClock
from rotator.observe import events, log
from rotator.observe.redact import Redactor
from rotator.sandbox import server


def serve_sandbox(
    port_base: int, emit: Callable[[dict[str, object]], None], logs: BinaryIO, *, limits: bool
) -> int:
    """Serve until SIGTERM or SIGINT and return the exit code.

    `emit` gets the object of `rotator sandbox` once everything answers, `logs` gets
    JSON lines; `limits` False switches the exchanges' rate limits off.
    """
    clock = SystemClock()
    log.configure(logs, "info", Redactor(), clock.now)
    told = log.logger(part="sandbox")

    def ready(announced: dict[str, object]) -> None:
        emit(announced)
        told.info(events.LISTENING, url=announced["control"], limits=limits)

    code = server.run(port_base, limits, ready, now=clock.now)
    if code == 0:
        told.info(events.STOPPED)
    return code
