"""What people ask of Rotator, written to the store under their own login.

An order is a document under `commands/`, a hold one under `holds/`; whoever runs
the daemon obeys.  Nothing here reads a key, and nothing here needs the daemon.
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from rotator.config import Config, rules
from rotator.core.credentials import RuleBook
from rotator.core.facts import Credential
from rotator.core.names import CredentialName, StorePath
from rotator.core.words import told
from rotator.engine.clock import Clock, SystemClock
from rotator.stores.documents import ROTATIONS, Documents
from rotator.stores.journal import Journal
from rotator.stores.port import KvStore
from rotator.stores.shelf import Shelf
from rotator.wiring.stores import open_store

T = TypeVar("T")

NEAR: Final = 5
CANDIDATES: Final = 10


class Refused(Exception):
    """An order that makes no sense now; the text says why, and what to do.

    `usage` is set where the command line itself cannot be meant.
    """

    def __init__(self, sentence: str, *, usage: bool = False) -> None:
        super().__init__(sentence)
        self.usage = usage


@dataclass(frozen=True, slots=True)
class People:
    """The store as people see it."""

    config: Config
    environ: Mapping[str, str]
    kv: KvStore
    clock: Clock

    @property
    def documents(self) -> Documents:
        """The state documents."""
        return Documents(self.kv, StorePath(self.config.store.state.strip("/")))

    @property
    def journal(self) -> Journal:
        """The records, their secrets sealed."""
        return Journal(self.documents, None)

    @property
    def shelf(self) -> Shelf:
        """The credentials, without values."""
        paths = [StorePath(p.strip("/")) for p in self.config.store.paths]
        book = RuleBook(rules(self.config))
        return Shelf(self.kv, paths, self.documents.prefix, book, self.clock.now)


@dataclass(frozen=True, slots=True)
class Target:
    """What a KEY means; `credential` is None where only a record is left of it."""

    name: CredentialName
    path: StorePath
    credential: Credential | None = None


async def on_people(
    config: Config, environ: Mapping[str, str], task: Callable[[People], Awaitable[T]]
) -> T:
    """Open the store, run a task on it, close it.  Raises SetupError and StoreError."""
    clock = SystemClock()
    kv = open_store(config, environ, clock)
    interrupted = False
    try:
        return await task(People(config, environ, kv, clock))
    except asyncio.CancelledError:
        interrupted = True
        raise
    finally:
        if not interrupted:  # closing waits for answers that nobody wants any more
            await kv.close()


# which credential


async def find(people: People, key: str) -> Target:
    """Return the credential that KEY names: its name, its path, or an end of one of them.

    Raises Refused for none (with near names) or several.
    """
    wanted = key.strip("/")
    exact = await _exact(people, wanted)
    if exact is not None:
        return exact
    result = await people.shelf.take()
    targets = [Target(e.credential.name, e.credential.path, e.credential) for e in result.entries]
    found = [t for t in targets if _means(wanted, t)] or await _recorded(people, wanted)
    if len(found) == 1:
        return found[0]
    if found:
        raise Refused(f"KEY: {told(key)} may mean {several(t.name for t in found)}", usage=True)
    unread = f" ({len(result.faults)} places could not be read)" if result.faults else ""
    raise Refused(
        f"{told(key)}: no credential under store.paths has this name or end{unread}."
        f"{_near(wanted, [t.name for t in targets])}"
    )


async def _exact(people: People, wanted: str) -> Target | None:
    """Look at one path alone, so that a full name costs one request."""
    path = StorePath(wanted.partition("#")[0])
    inside = any(path.startswith(folder.strip("/") + "/") for folder in people.config.store.paths)
    metadata = await people.kv.read_metadata(path) if inside else None
    entries = people.shelf.entries(metadata) if metadata is not None else ()
    for entry in entries:
        if entry.credential.name == wanted:
            return Target(entry.credential.name, path, entry.credential)
    return None


def _means(wanted: str, target: Target) -> bool:
    name, path = target.name, target.path
    return (
        wanted in (name, path)
        or name.endswith((f"/{wanted}", f"#{wanted}"))
        or (path.endswith(f"/{wanted}"))
    )


async def _recorded(people: People, wanted: str) -> list[Target]:
    """Return the paths of records that KEY may mean: their credential may have left the store."""
    documents = people.documents
    walk = await people.kv.walk(StorePath(f"{documents.at(ROTATIONS)}/"), ())
    paths = [StorePath(documents.subject(ROTATIONS, place)) for place in walk.paths]
    targets = [Target(CredentialName(path), path) for path in paths]
    return [t for t in targets if _means(wanted, t)]


def several(names: Iterable[str]) -> str:
    """Return names for a sentence, the first few of many."""
    known = sorted(names)
    more = f" and {len(known) - CANDIDATES} more" if len(known) > CANDIDATES else ""
    return ", ".join(told(n, 200) for n in known[:CANDIDATES]) + more


def _near(wanted: str, names: list[CredentialName]) -> str:
    last = wanted.rpartition("/")[2]
    ends = difflib.get_close_matches(last, {name.rpartition("/")[2] for name in names}, NEAR)
    close: list[str] = [name for name in names if name.rpartition("/")[2] in ends]
    close += difflib.get_close_matches(wanted, names, NEAR)
    close = list(dict.fromkeys(close))[:NEAR]
    if close:
        return f" Near it: {', '.join(told(n, 200) for n in close)}"
    return " List them with: rotator status"
