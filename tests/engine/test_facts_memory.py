"""The last facts of each key, kept in the store."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from rotator.core.facts import NEVER, KeyFacts
from rotator.core.names import AccountId, Fingerprint, KeyId
from rotator.core.outcome import StoreDenied, StoreError
from rotator.core.scopes import Scope
from rotator.engine.facts_codec import Remembered, decode_facts, encode_facts
from rotator.engine.facts_memory import Noted
from tests.engine.estate import Estate, name, play

AT = datetime(2026, 11, 1, tzinfo=UTC)
PRINT = Fingerprint("ab" * 16)
FACTS = KeyFacts(
    KeyId("key-1"),
    label="desk",
    account_id=AccountId("42"),
    scopes=frozenset({Scope.READ}),
    native=("Spot.SpotTrade",),
    native_flags=(("readOnly", "0"),),
    ip_allowlist=(),
    created_at=AT,
    expires_at=NEVER,
    last_used_at=AT,
)

times = st.none() | st.datetimes(timezones=st.just(UTC))
texts = st.none() | st.text(max_size=20)
every_facts = st.builds(
    KeyFacts,
    key_id=st.none() | st.text(max_size=20).map(KeyId),
    label=texts,
    scopes=st.none() | st.frozensets(st.sampled_from(list(Scope))),
    native=st.none() | st.lists(st.text(max_size=9)).map(tuple),
    native_flags=st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5))).map(tuple),
    ip_restricted=st.none() | st.booleans(),
    ip_allowlist=st.none() | st.lists(st.text(max_size=9)).map(tuple),
    created_at=times,
    expires_at=times | st.just(NEVER),
    last_used_at=times,
    enabled=st.none() | st.booleans(),
    handle=texts,
    key_type=texts,
    environment=texts,
)
json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(every_facts, times)
def test_what_was_written_is_read_back(facts: KeyFacts, seen_at: datetime | None) -> None:
    """Decoding what was encoded gives the same facts, unknown kept apart from none."""
    remembered = Remembered(PRINT, facts, seen_at)
    assert decode_facts(encode_facts(remembered)) == remembered


@given(st.data())
def test_a_spoilt_document_is_no_error(data: st.DataObject) -> None:
    """Whatever a field holds, the rest is still read, and nothing is raised."""
    document: dict[str, Any] = encode_facts(Remembered(PRINT, FACTS, AT))
    spoilt = data.draw(st.sampled_from(sorted(document)))
    found = decode_facts({**document, spoilt: data.draw(json)})
    if spoilt not in {"key_fp", "facts_version"}:
        assert found is not None
        assert found.key_fp == PRINT


def puts(estate: Estate) -> int:
    """Count the facts written so far."""
    return sum(1 for op, args in estate.front.asked if op == "write" and "/facts/" in args[0])


def noted(facts: KeyFacts, mark: Fingerprint = PRINT) -> list[Noted]:
    """Return what a look has told of a desk."""
    return [Noted(name(0), mark, facts)]


def test_facts_outlive_the_process_and_are_bound_to_their_key(tmp_path: Path) -> None:
    """A second daemon knows the facts of the same key, and none of another key's."""

    async def scenario(estate: Estate) -> None:
        await estate.facts.note(noted(FACTS))
        estate.build()
        await estate.facts.load()
        assert estate.facts.last(name(0), PRINT) == FACTS
        assert estate.facts.last(name(0), Fingerprint("other")) is None
        assert estate.facts.last(name(1), PRINT) is None

    play(tmp_path, scenario)


def test_only_a_change_is_written(tmp_path: Path) -> None:
    """The same facts are written once, a last use at most once a day, a new label at once."""

    async def scenario(estate: Estate) -> None:
        await estate.facts.note(noted(FACTS))
        await estate.facts.note(noted(FACTS))
        used = replace(FACTS, last_used_at=AT + timedelta(hours=1))
        await estate.facts.note(noted(used))
        assert puts(estate) == 1
        estate.clock.later(days=1)
        await estate.facts.note(noted(used))
        assert puts(estate) == 2
        await estate.facts.note(noted(replace(used, label="renamed")))
        assert puts(estate) == 3

    play(tmp_path, scenario)


def test_a_role_that_may_not_write_is_a_counted_problem(tmp_path: Path) -> None:
    """A denied write keeps the facts in memory and stops further attempts of that round."""

    async def scenario(estate: Estate) -> None:
        estate.front.refuse = lambda op, _args: StoreDenied("denied") if op == "write" else None
        many = [Noted(name(n), PRINT, FACTS) for n in range(100)]
        await estate.facts.note(many)
        assert estate.facts.problem == "denied"
        assert puts(estate) <= 8
        assert estate.facts.last(name(99), PRINT) == FACTS
        estate.front.refuse = lambda _op, _args: None
        await estate.facts.note(many)
        assert estate.facts.last(name(99), PRINT) == FACTS
        estate.build()
        await estate.facts.load()
        assert estate.facts.last(name(99), PRINT) == FACTS

    play(tmp_path, scenario)


def test_a_folder_that_cannot_be_read_is_asked_for_again(tmp_path: Path) -> None:
    """Loading without an answer is a problem and not an error, and the next pass loads."""

    async def scenario(estate: Estate) -> None:
        await estate.facts.note(noted(FACTS))
        estate.build()
        estate.front.refuse = lambda op, _args: StoreError("down") if op == "walk" else None
        await estate.facts.load()
        assert estate.facts.problems == 1
        estate.front.refuse = lambda _op, _args: None
        await estate.facts.load()
        assert estate.facts.last(name(0), PRINT) == FACTS

    play(tmp_path, scenario)


def test_another_daemon_that_wrote_first_is_written_over(tmp_path: Path) -> None:
    """A conflict costs one more read, and the newer look stands."""

    async def scenario(estate: Estate) -> None:
        await estate.kv.write(estate.documents.facts(name(0)), {"facts_version": 9}, 0)
        await estate.facts.note(noted(FACTS))
        assert estate.facts.problems == 0
        found = await estate.documents.read(estate.documents.facts(name(0)))
        assert found.version == 2
        assert decode_facts(found.data or {}) is not None

    play(tmp_path, scenario)


@pytest.mark.parametrize("version", [0, 2, None, "1"])
def test_a_document_of_another_form_is_not_guessed(version: object) -> None:
    """Facts of an unknown form say nothing."""
    document = encode_facts(Remembered(PRINT, FACTS, AT))
    assert decode_facts({**document, "facts_version": version}) is None
