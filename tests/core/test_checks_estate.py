"""Findings over all credentials: mass death, copies, a restored store, uncovered mounts."""

from __future__ import annotations

from dataclasses import replace

from rotator.core.checks import (
    Holding,
    Watched,
    estate_findings,
    mass_invalidation,
    same_keys,
)
from rotator.core.facts import StoredKey, Validity
from rotator.core.findings import Code
from rotator.core.names import CredentialName, ExchangeName, Fingerprint, StorePath

BYBIT, OKX = ExchangeName("bybit"), ExchangeName("okx")
STATE = StorePath("secret/rotator/")


def seen(n: int, *, dead: bool, looks: int = 2, exchange: ExchangeName = BYBIT) -> Watched:
    """Return a key that was alive before."""
    validity = Validity.INVALID if dead else Validity.VALID
    return Watched(CredentialName(f"c{n}"), exchange, validity, looks if dead else 0, True)


def test_many_dead_keys_of_one_exchange_are_one_incident() -> None:
    """Three newly dead of six inspected, each seen twice, are an incident of that exchange."""
    crowd = [seen(n, dead=n < 3) for n in range(6)]
    (incident,) = mass_invalidation([*crowd, seen(9, dead=True, exchange=OKX)])
    assert incident.exchange == BYBIT
    assert incident.credentials == {"c0", "c1", "c2"}
    assert incident.inspected == 6


def test_few_or_unsure_deaths_are_none() -> None:
    """Two keys, less than half, one look, keys never alive and unknown looks are no incident."""
    assert not mass_invalidation([seen(n, dead=True) for n in range(2)])
    assert not mass_invalidation([seen(n, dead=n < 3) for n in range(7)])
    assert not mass_invalidation([seen(n, dead=True, looks=1) for n in range(5)])
    never = [replace(seen(n, dead=True), was_alive=False) for n in range(5)]
    assert not mass_invalidation(never)
    unknown = [replace(seen(n, dead=True), validity=Validity.UNKNOWN) for n in range(5)]
    assert not mass_invalidation(unknown)


def test_unknown_looks_do_not_water_down_an_incident() -> None:
    """Keys whose look told nothing count neither as inspected nor as dead."""
    dead = [seen(n, dead=True) for n in range(3)]
    unknown = [replace(seen(n, dead=False), validity=Validity.THROTTLED) for n in range(9, 20)]
    (incident,) = mass_invalidation([*dead, *unknown])
    assert incident.inspected == 3


def held(name: str, key: str | None, secret: str | None = None, *more: str) -> Holding:
    """Return what a path holds, by made-up fingerprints."""
    path = StorePath(name.partition("#")[0])
    stored = StoredKey(
        path,
        1,
        None if key is None else Fingerprint(key),
        None if secret is None else Fingerprint(secret),
        unmapped_fps=tuple(Fingerprint(m) for m in more),
    )
    return Holding(CredentialName(name), stored)


def test_the_same_key_is_found_at_every_place() -> None:
    """Another path, an unmapped field and a secret that is no credential are second places."""
    found = same_keys(
        [held("s/a", "k1", "s1"), held("s/b", "k1", "s2"), held("s/c", "k3", "s3", "s2")],
        [(StorePath("s/notes"), [Fingerprint("k3")])],
    )
    assert found == {
        "s/a": ("s/b",),
        "s/b": ("s/a", "s/c (another field)"),
        "s/c": ("s/notes",),
    }


def test_siblings_of_one_secret_are_not_copies() -> None:
    """A field that a sibling credential of the same secret maps is no second place."""
    siblings = [held("s/a#one", "k1", "s1", "k2", "s2"), held("s/a#two", "k2", "s2", "k1", "s1")]
    assert same_keys(siblings) == {}
    assert same_keys([held("s/x", None), held("s/y", None)]) == {}
    assert same_keys([held("s/a#one", "k1"), held("s/a#two", "k1")]) == {
        "s/a#one": ("s/a#two",),
        "s/a#two": ("s/a#one",),
    }


def test_a_key_copied_into_its_own_secret_is_a_copy() -> None:
    """The same secret in an unmapped field of its own path is told."""
    assert same_keys([held("s/a", "k1", "s1", "s9"), held("s/b", "k2", "s9")]) == {
        "s/b": ("s/a (another field)",)
    }


def test_a_pass_tells_of_restore_and_gaps() -> None:
    """StoreRestored and PathsIncomplete stand under the state prefix, escaped."""
    found = estate_findings(STATE, restored="epoch 3\x1b is below 9", uncovered=("kv/", "secret/"))
    assert [f.code for f in found] == [Code.STORE_RESTORED, Code.PATHS_INCOMPLETE]
    assert {f.credential for f in found} == {"secret/rotator"}
    assert "\x1b" not in found[0].message
    assert "rotator resume" in found[0].cure
    assert estate_findings(STATE) == ()
