"""A real sandbox server for other people's clients, which call it from this process."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from rotator.sandbox.server import serve

Ready = dict[str, Any]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Ready]:
    """A seeded sandbox on loopback: the object that `rotator sandbox` prints."""
    told: queue.Queue[tuple[Ready, asyncio.AbstractEventLoop, asyncio.Event]] = queue.Queue()

    async def main() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()

        def announce(ready: Ready) -> None:
            told.put((ready, loop, stop))

        await serve(0, True, announce, stop, now=lambda: datetime.now(UTC))

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    ready, loop, stop = told.get(timeout=30)
    yield ready
    loop.call_soon_threadsafe(stop.set)
    thread.join(timeout=10)
    assert not thread.is_alive()
