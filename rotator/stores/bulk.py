"""Many secrets at once: by the store's own means where it has them, else side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol, runtime_checkable

from rotator.core.names import StorePath
from rotator.core.outcome import StoreDenied, StoreError
from rotator.stores.port import KvStore, Secret, StoreFault

Wanted = Sequence[tuple[StorePath, int | None]]
Answer = Secret | None | StoreFault

LANES: Final = 16


@runtime_checkable
class ReadsMany(Protocol):
    """A store that can read many secrets with one call."""

    async def read_many(self, wanted: Wanted) -> list[Answer]:
        """Return one answer for each (path, version), in that order; None = newest version."""
        ...


async def read_many(kv: KvStore, wanted: Wanted, lanes: int = LANES) -> list[Answer]:
    """Return one answer for each (path, version), in that order; a fault per path.

    Once the store itself cannot be reached, the rest is not asked for.
    """
    if isinstance(kv, ReadsMany):
        return await kv.read_many(wanted)
    answers: list[Answer] = [None] * len(wanted)
    todo = iter(enumerate(wanted))
    lost: list[StoreError] = []

    async def lane() -> None:
        for index, (path, version) in todo:
            if lost:
                answers[index] = _fault(path, lost[0])
                continue
            try:
                answers[index] = await kv.read(path, version)
            except StoreError as error:
                answers[index] = _fault(path, error)
                if error.status is None and not isinstance(error, StoreDenied):
                    lost.append(error)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(lanes, len(wanted))):
            group.create_task(lane())
    return answers


def _fault(path: StorePath, error: StoreError) -> StoreFault:
    return StoreFault(path, str(error), isinstance(error, StoreDenied))
