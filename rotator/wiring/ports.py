"""The ports of the daemon: that of everything, and that of the probes alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.types import ASGIApp

from rotator.observe import events, log
from rotator.serve.server import OPEN, serve
from rotator.serve.webconfig_live import InForce
from rotator.wiring import SetupError

LISTEN: Final = "serve.listen"
PROBES: Final = "serve.probes"
EVENTS: Final = {LISTEN: events.LISTENING, PROBES: events.PROBES_LISTENING}


@dataclass(frozen=True, slots=True)
class Port:
    """What is answered at an address; `field` of the configuration names it."""

    field: str
    address: str
    app: ASGIApp
    in_force: Callable[[], InForce] = lambda: OPEN


async def answer_on(ports: Sequence[Port], shut: asyncio.Event) -> None:
    """Answer on all ports until `shut` is set.

    Raises SetupError if one of the addresses cannot be taken, and then shuts the others.
    """
    tasks = [asyncio.create_task(_answer(port, shut), name=port.field) for port in ports]
    try:
        await asyncio.gather(*tasks)
    finally:
        shut.set()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _answer(port: Port, shut: asyncio.Event) -> None:
    host, _, number = port.address.rpartition(":")

    def started(address: str, number: int) -> None:
        log.logger().info(EVENTS[port.field], address=address, port=number)

    try:
        await serve(
            port.app,
            host.strip("[]"),
            int(number),
            shut,
            in_force=port.in_force,
            started=started,
        )
    except OSError as error:
        why = f"{port.address} cannot be taken ({error.strerror})"
        raise SetupError(f"{port.field}: {why}") from None
