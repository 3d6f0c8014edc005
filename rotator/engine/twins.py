"""Which credentials hold the same key, found without blocking the loop for long."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from rotator.core.checks import Holding, same_keys
from rotator.core.names import CredentialName, Fingerprint, StorePath
from rotator.stores.held import Entry
from rotator.stores.inventory import InventoryResult

BATCH: Final = 1000


async def find_twins(
    result: InventoryResult, breathe: Callable[[], Awaitable[None]]
) -> dict[CredentialName, tuple[str, ...]]:
    """Return for each credential the other places of its key or secret.

    Only keys that stand at two places at least are compared in full, and these
    are few.
    """
    doubled: dict[StorePath, set[Fingerprint]] = {}
    crowded: set[StorePath] = set()
    before: StorePath | None = None
    for number, entry in enumerate(result.entries, 1):
        path = entry.credential.path
        if path == before:
            crowded.add(path)  # two credentials of one secret may map the same field
        before = path
        _note(doubled, entry, result)
        if number % BATCH == 0:
            await breathe()
    holdings: list[Holding] = []
    for number, entry in enumerate(result.entries, 1):
        if entry.credential.path in doubled or entry.credential.path in crowded:
            holdings.append(Holding(entry.credential.name, entry.stored))
        if number % BATCH == 0:
            await breathe()
    held = {holding.stored.path for holding in holdings}
    others = [(path, marks) for path, marks in doubled.items() if path not in held]
    return same_keys(holdings, others)


def _note(
    doubled: dict[StorePath, set[Fingerprint]], entry: Entry, result: InventoryResult
) -> None:
    """Note every place of a key or secret that stands at more than one."""
    for mark in (entry.stored.key_fp, entry.stored.secret_fp):
        if mark is None:
            continue
        places = result.places.get(mark, ())
        if len(places) > 1:
            for place in places:
                doubled.setdefault(place.path, set()).add(mark)
