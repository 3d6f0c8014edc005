"""The inventory: every credential under `paths:`, and what the store says of its key.

A value is read again only when its version changed; nothing is read twice in
one pass.  Values stay in memory as `Sensitive`, for signing and comparing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from rotator.core.credentials import RuleBook
from rotator.core.facts import Credential
from rotator.core.names import CredentialName, Fingerprint, SigningKey, StorePath
from rotator.core.outcome import StoreError
from rotator.stores.bulk import read_many
from rotator.stores.fingerprints import Fingerprints
from rotator.stores.held import Entry, Held, Place
from rotator.stores.port import KvStore, Metadata, Secret, StoreFault

T = TypeVar("T")

BATCH: Final = 100
"""Secrets worked on before the event loop gets its turn."""

READS: Final = 500
"""Values asked for at once."""

SHOWN: Final = 100
"""Paths of secrets that are no credential, named in the result."""

Breathe = Callable[[], Awaitable[None]]
NeedsAge = Callable[[Credential], bool]


@dataclass(frozen=True, slots=True)
class InventoryResult:
    """What one inventory found.

    `others` counts secrets that are no credential, `other_paths` names the
    first hundred.  `complete`: every folder was listed and every secret
    read or unchanged.  `places` tells where each key id, secret and unmapped
    value stands, by fingerprint.
    """

    entries: tuple[Entry, ...]
    others: int
    other_paths: tuple[StorePath, ...]
    complete: bool
    faults: tuple[StoreFault, ...]
    paths_cover_mount: bool
    places: Mapping[Fingerprint, Sequence[Place]]


def _always(_credential: Credential) -> bool:
    return True


class Inventory:
    """Walks the paths, and remembers values between passes."""

    def __init__(
        self,
        kv: KvStore,
        paths: Sequence[StorePath],
        state: StorePath,
        rules: RuleBook,
        fingerprints: Fingerprints,
        *,
        clock: Callable[[], datetime],
        breathe: Breathe,
        needs_age: NeedsAge = _always,
    ) -> None:
        """Prepare an inventory; one `take` at a time.

        `breathe` gives the event loop its turn; `needs_age` says of which
        credentials the age must be found in older versions.
        """
        self._kv = kv
        self._roots = _outermost(paths)
        self._state = StorePath(state.strip("/"))
        self._rules = rules
        self._marks = fingerprints
        self._clock = clock
        self._breathe = breathe
        self._needs_age = needs_age
        self._held: dict[StorePath, Held] = {}
        self._names: dict[CredentialName, Credential] = {}

    def signing_key(self, name: CredentialName) -> SigningKey | None:
        """Return a credential's key as the last inventory read it."""
        credential = self._names.get(name)
        held = self._held.get(credential.path) if credential else None
        return held.signing_key(credential) if credential and held else None

    async def take(self) -> InventoryResult:
        """Walk, read what changed, and resolve; raises StoreError if the store is lost."""
        now = self._clock()
        found, faults = await self._walk()
        sweep = await self._kv.read_many_metadata(found)
        wanted = await self._note(sweep, now)
        faults += [m for m in sweep.values() if isinstance(m, StoreFault)]
        faults += await self._read_current(wanted)
        aging = await self._read_older(now)
        await self._build(set(found), faults, now)
        return await self._result(tuple(faults), tuple(aging))

    async def _walk(self) -> tuple[list[StorePath], list[StoreFault]]:
        paths: list[StorePath] = []
        faults: list[StoreFault] = []
        for root in self._roots:
            walk = await self._kv.walk(root, (self._state,))
            paths += [p for p in walk.paths if not f"{p}/".startswith(f"{self._state}/")]
            faults += walk.faults
        return paths, faults

    async def _note(
        self, sweep: Mapping[StorePath, Metadata | None | StoreFault], now: datetime
    ) -> list[StorePath]:
        """Take in the metadata; return the paths whose current version must be read."""
        wanted: list[StorePath] = []
        async for path, metadata in self._in_turns(sweep.items()):
            if metadata is None:
                self._held.pop(path, None)
                continue
            held = self._held.get(path)
            if held is None:
                held = self._held[path] = Held(self._rules.rules_for(path))
            if isinstance(metadata, Metadata) and held.note(metadata, now):
                wanted.append(path)
        return wanted

    async def _read_current(self, wanted: Sequence[StorePath]) -> list[StoreFault]:
        faults: list[StoreFault] = []
        for start in range(0, len(wanted), READS):
            batch = [(path, self._known(path).current) for path in wanted[start : start + READS]]
            answers = await read_many(self._kv, batch)
            async for (path, _), answer in self._in_turns(zip(batch, answers, strict=True)):
                held = self._held[path]
                if isinstance(answer, Secret) and answer.data is not None:
                    held.take(answer.data, self._known(path), self._marks)
                    continue
                held.drop()
                moved = StoreFault(path, "the secret changed while it was read")
                faults.append(answer if isinstance(answer, StoreFault) else moved)
        return faults

    async def _read_older(self, now: datetime) -> list[StoreFault]:
        """Look into older versions for the age of keys that nothing else tells."""
        wanted: list[tuple[StorePath, int | None]] = []
        async for path, held in self._in_turns(list(self._held.items())):
            needed = any(held.wants_age(c) and self._needs_age(c) for c in held.credentials)
            if needed and held.metadata is not None:
                wanted += [(path, number) for number in held.unread_older(held.metadata, now)]
        faults: list[StoreFault] = []
        for start in range(0, len(wanted), READS):
            batch = wanted[start : start + READS]
            answers = await read_many(self._kv, batch)
            async for (path, number), answer in self._in_turns(zip(batch, answers, strict=True)):
                if isinstance(answer, StoreFault):
                    faults.append(answer)
                elif number is not None:
                    data = answer.data if answer is not None else None
                    self._held[path].take_older(number, data or {}, self._marks)
        return faults

    async def _build(
        self, found: set[StorePath], faults: Sequence[StoreFault], now: datetime
    ) -> None:
        """Make every secret's entries; a secret that may still be there is not forgotten."""
        problems = {fault.path: fault.message for fault in faults}
        folders = tuple((fault.path.strip("/") + "/", fault.message) for fault in faults)
        async for path, held in self._in_turns(list(self._held.items())):
            problem = problems.get(path)
            if problem is None and path not in found:
                problem = next((m for folder, m in folders if path.startswith(folder)), None)
                if problem is None:
                    del self._held[path]
                    continue
            if problem is not None:
                held.build_blind(path, f"the store does not show it now: {problem}")
            elif held.metadata is not None:
                held.build(held.metadata, now)

    async def _result(
        self, faults: tuple[StoreFault, ...], aging: tuple[StoreFault, ...]
    ) -> InventoryResult:
        entries: list[Entry] = []
        others: list[StorePath] = []
        places: dict[Fingerprint, tuple[Place] | list[Place]] = {}
        names: dict[CredentialName, Credential] = {}
        async for path, held in self._in_turns(self._held.items()):
            entries += held.entries
            names.update((e.credential.name, e.credential) for e in held.entries)
            if not held.credentials and held.version:
                others.append(path)
            for mark, place in held.places(path):
                _put(places, mark, place)
        self._names = names
        return InventoryResult(
            entries=tuple(entries),
            others=len(others),
            other_paths=tuple(others[:SHOWN]),
            complete=not faults,
            faults=faults + aging,
            paths_cover_mount=self._cover_mounts(),
            places=places,
        )

    def _known(self, path: StorePath) -> Metadata:
        metadata = self._held[path].metadata
        if metadata is None:
            raise StoreError(f"{path}: its metadata was not read")
        return metadata

    def _cover_mounts(self) -> bool:
        """Say whether every mount that is touched is walked from its root."""
        try:
            shapes = [(root, self._kv.api_path("metadata", root)) for root in self._roots]
        except StoreError:
            return False
        return all(api.strip("/") == f"{root}/metadata" for root, api in shapes)

    async def _in_turns(self, items: Iterable[T]) -> AsyncIterator[T]:
        """Yield the items, and give the event loop its turn after every BATCH of them."""
        for number, item in enumerate(items, 1):
            yield item
            if number % BATCH == 0:
                await self._breathe()


def _put(
    places: dict[Fingerprint, tuple[Place] | list[Place]], mark: Fingerprint, place: Place
) -> None:
    """Add a place; almost every value stands at one alone, and a tuple of one is smallest."""
    found = places.get(mark)
    if found is None:
        places[mark] = (place,)
    elif isinstance(found, list):
        found.append(place)
    else:
        places[mark] = [*found, place]


def _outermost(paths: Iterable[StorePath]) -> tuple[StorePath, ...]:
    """Return the folders without those that lie in another, so that none is read twice."""
    kept: list[StorePath] = []
    for path in sorted({f"{path.strip('/')}/" for path in paths}):
        if not path.startswith(tuple(f"{root}/" for root in kept)):
            kept.append(StorePath(path.rstrip("/")))
    return tuple(kept)
