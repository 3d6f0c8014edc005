"""Relays TCP: `python relay.py HOST:PORT=HOST:PORT ...`, each a listener and its target."""

from __future__ import annotations

import asyncio
import contextlib
import sys


async def copied(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Copy until one side ends."""
    with contextlib.suppress(OSError):
        while chunk := await source.read(65536):
            sink.write(chunk)
            await sink.drain()
    sink.close()


async def relay(order: str) -> None:
    """Serve one listener for ever."""
    here, _, there = order.partition("=")
    listen, target = here.rpartition(":"), there.rpartition(":")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            back, out = await asyncio.open_connection(target[0], int(target[2]))
        except OSError:
            writer.close()
            return
        await asyncio.gather(copied(reader, out), copied(back, writer))

    server = await asyncio.start_server(serve, listen[0], int(listen[2]))
    async with server:
        print("ready", flush=True)
        await server.serve_forever()


async def main() -> None:
    """Relay everything that the command line names."""
    await asyncio.gather(*(relay(order) for order in sys.argv[1:]))


if __name__ == "__main__":
    asyncio.run(main())
