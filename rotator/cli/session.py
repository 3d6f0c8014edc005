"""What commands open: the configuration, and the store for the length of one task."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from rotator.cli.failures import Failed, store_sentence
from rotator.core.outcome import StoreError

if TYPE_CHECKING:
    from rotator.config import Config
    from rotator.stores.port import KvStore

T = TypeVar("T")


def configured(file: Path, token_file: Path | None = None) -> Config:
    """Return the configuration, with a person's own login if a token file is named.

    Raises SetupError.
    """
    from rotator.wiring.settings import read_config, with_token_file

    config = read_config(file, os.environ)
    return config if token_file is None else with_token_file(config, token_file)


def on_store(config: Config, task: Callable[[KvStore], Awaitable[T]]) -> T:
    """Open the store, run a task on it, close it; raises Failed and SetupError."""
    from rotator.engine.clock import SystemClock
    from rotator.wiring.stores import check_login_files, explained, open_store

    async def session() -> T:
        store = open_store(config, os.environ, SystemClock())
        interrupted = False
        try:
            return await task(store)
        except asyncio.CancelledError:
            interrupted = True
            raise
        finally:
            if not interrupted:  # closing waits for answers that nobody wants any more
                await store.close()

    check_login_files(config)
    try:
        return asyncio.run(session())
    except StoreError as error:
        raise Failed(store_sentence(error, explained(error))) from None
