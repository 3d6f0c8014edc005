"""Findings that concern all credentials at once: restored store, uncovered mounts, mass death."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from rotator.core.checks.inputs import DEAD, Incident
from rotator.core.facts import StoredKey, Validity
from rotator.core.findings import Code, Finding
from rotator.core.names import CredentialName, ExchangeName, Fingerprint, StorePath
from rotator.core.verdict import SEVERITY
from rotator.core.words import listed, told

MASS_COUNT = 3
"""Fewer newly dead keys of one exchange than this are no incident."""

SURE_LOOKS = 2
"""Looks in a row that must say so before a key counts as dead."""


@dataclass(frozen=True, slots=True)
class Watched:
    """One inspected key.

    `validity` is what the last look said, `dead_looks` how many looks in a row
    said that it is dead; `was_alive` tells whether an earlier look saw it alive.
    """

    credential: CredentialName
    exchange: ExchangeName
    validity: Validity
    dead_looks: int
    was_alive: bool


def mass_invalidation(watched: Iterable[Watched]) -> tuple[Incident, ...]:
    """Return the exchanges where many keys died at once.

    At least three, and at least half of the keys inspected there that were alive
    before; each of them dead in two looks.  Keys that were never seen alive, and
    keys whose look told nothing, count on neither side.
    """
    inspected: dict[ExchangeName, int] = defaultdict(int)
    died: dict[ExchangeName, set[CredentialName]] = defaultdict(set)
    for key in watched:
        if not key.was_alive or (key.validity is not Validity.VALID and key.validity not in DEAD):
            continue
        inspected[key.exchange] += 1
        if key.validity in DEAD and key.dead_looks >= SURE_LOOKS:
            died[key.exchange].add(key.credential)
    return tuple(
        Incident(exchange, frozenset(names), inspected[exchange])
        for exchange, names in sorted(died.items())
        if len(names) >= MASS_COUNT and 2 * len(names) >= inspected[exchange]
    )


@dataclass(frozen=True, slots=True)
class Holding:
    """The fingerprints at one path: of the keys that credentials map, and of other fields."""

    credential: CredentialName
    stored: StoredKey


def same_keys(
    holdings: Iterable[Holding],
    others: Iterable[tuple[StorePath, Iterable[Fingerprint]]] = (),
) -> dict[CredentialName, tuple[str, ...]]:
    """Return for each credential the other places that hold its key or secret.

    `others` are secrets that are no credential, with the fingerprints of their
    values.  A field that a sibling of the same path maps is no second place.
    """
    kept = tuple(holdings)
    places: dict[Fingerprint, set[str]] = defaultdict(set)
    mapped: dict[StorePath, set[Fingerprint]] = defaultdict(set)
    for held in kept:
        for print_ in _prints(held.stored):
            places[print_].add(held.credential)
            mapped[held.stored.path].add(print_)
    for held in kept:
        for print_ in set(held.stored.unmapped_fps) - mapped[held.stored.path]:
            places[print_].add(f"{held.stored.path} (another field)")
    for path, prints in others:
        for print_ in set(prints):
            places[print_].add(path)
    found: dict[CredentialName, tuple[str, ...]] = {}
    for held in kept:
        twins: set[str] = set()
        for print_ in _prints(held.stored):
            twins |= places[print_]
        twins.discard(held.credential)
        if twins:
            found[held.credential] = tuple(sorted(twins))
    return found


def estate_findings(
    state: StorePath, *, restored: str | None = None, uncovered: Iterable[str] = ()
) -> tuple[Finding, ...]:
    """Return the findings of a pass as a whole, told under the state prefix.

    `restored` says why the store looks restored; `uncovered` are the mounts or
    folders that `paths:` leaves out.
    """
    found: list[Finding] = []
    name = CredentialName(state.rstrip("/"))
    if restored is not None:
        found.append(
            Finding(
                name,
                Code.STORE_RESTORED,
                SEVERITY[Code.STORE_RESTORED],
                f"The store looks restored from an older state: {told(restored, 300)}. "
                "Nothing is rotated or deleted.",
                "Compare the keys in the store with those at the exchanges (`rotator check`), "
                "then run `rotator resume`.",
            )
        )
    missing = tuple(uncovered)
    if missing:
        found.append(
            Finding(
                name,
                Code.PATHS_INCOMPLETE,
                SEVERITY[Code.PATHS_INCOMPLETE],
                f"The inventory does not cover {listed(missing)}: a copy of a key there "
                "would not be seen.",
                "Add it to `store.paths`, if credentials can be there.",
            )
        )
    return tuple(found)


def _prints(stored: StoredKey) -> tuple[Fingerprint, ...]:
    return tuple(p for p in (stored.key_fp, stored.secret_fp) if p is not None)
