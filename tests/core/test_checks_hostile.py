"""Whatever metadata, exchange and store say: findings, never an exception, never a leak."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given, strategies as st

from rotator.core.checks import CheckInput, Context, ListedKey, OpenRotation, Slots, Standing, judge
from rotator.core.cures import by_hand, command, keys_page
from rotator.core.facts import NEVER, Credential, KeyFacts, Look, StoredKey, Validity
from rotator.core.findings import Code
from rotator.core.outcome import Failure, Happened, Meaning
from rotator.core.policy import AddressRules, ExchangeTraits, Policy, ScopeRules
from rotator.core.schedule import Candidate, Surroundings, plan
from rotator.core.scopes import Scope
from rotator.core.words import TOLD_LENGTH, listed, span_told, time_told, told
from tests.core.kit import DAY, WATCHED

words = st.text(max_size=30) | st.sampled_from(
    ["\x1b[31m", "a\nb", "\u202e", "{x}", "%s", "\ud800"]
)
maybe_word = st.none() | words
times = st.datetimes(timezones=st.just(UTC))
maybe_time = st.none() | times
many_words = st.lists(words, max_size=4).map(tuple)

facts = st.builds(
    KeyFacts,
    key_id=maybe_word,
    label=maybe_word,
    account_id=maybe_word,
    scopes=st.none() | st.frozensets(st.sampled_from(Scope)),
    native=st.none() | many_words,
    native_flags=st.lists(st.tuples(words, words), max_size=3).map(tuple),
    unknown_native=many_words,
    ip_restricted=st.none() | st.booleans(),
    ip_allowlist=st.none() | many_words,
    created_at=maybe_time,
    expires_at=maybe_time | st.just(NEVER),
    last_used_at=maybe_time,
    enabled=st.none() | st.booleans(),
    key_type=maybe_word,
    environment=maybe_word,
)
failures = st.builds(
    Failure,
    st.sampled_from(Meaning),
    st.sampled_from(Happened),
    words,
    words,
    st.lists(st.sampled_from(Meaning), max_size=3).map(tuple),
)
looks = st.none() | st.builds(
    Look, st.sampled_from(Validity), st.none() | facts, st.none() | failures
)
credentials = st.builds(
    Credential,
    name=words,
    path=words,
    exchange=maybe_word,
    account=maybe_word,
    policy=words,
    parent=maybe_word,
    strategy=maybe_word | st.just("overlap"),
    consumers=many_words,
    environment=words,
    managed=st.booleans(),
    malformed=st.lists(st.tuples(words, words), max_size=3).map(tuple),
)
stored_keys = st.none() | st.builds(
    StoredKey,
    path=words,
    version=st.integers(),
    key_fp=maybe_word,
    key_id=maybe_word,
    key_since=maybe_time,
    deletes_at=maybe_time,
)
traits = st.none() | st.builds(
    ExchangeTraits,
    name=words,
    creates_keys=st.booleans(),
    deletes_keys=st.booleans(),
    overlap=st.booleans(),
    needs_parent=st.booleans(),
    keys_page=words,
    closes_at=maybe_time,
    source=words,
    life_without_addresses=st.none() | st.just(30 * DAY),
)
contexts = st.builds(
    Context,
    traits=traits,
    last_facts=st.none() | facts,
    known_policy=st.booleans(),
    armed=st.booleans(),
    parent=st.sampled_from(Standing),
    parent_reason=words,
    serves_as_parent=st.booleans(),
    listed=st.lists(
        st.builds(
            ListedKey,
            st.sampled_from([Code.FOREIGN_KEY, Code.STRAY_KEY, Code.UNSERVED_KEY]),
            words,
            maybe_word,
            maybe_word,
            st.frozensets(words, max_size=3),
        ),
        max_size=3,
    ).map(tuple),
    rotation=st.none()
    | st.builds(OpenRotation, words, words, times, maybe_time, maybe_word, many_words, maybe_word),
    same_key=many_words,
    slots=st.none() | st.builds(Slots, st.integers(), st.integers()),
    cannot_reproduce=maybe_word,
    egress=many_words,
)
policies = st.builds(
    Policy,
    scopes=st.builds(ScopeRules, many_words, many_words, many_words),
    addresses=st.builds(
        AddressRules, st.booleans(), st.none() | many_words, st.none() | many_words
    ),
    key_type=maybe_word,
)


@given(st.builds(CheckInput, credentials, stored_keys, looks, policies, times, contexts))
def test_hostile_data_give_findings_only(
    case: CheckInput,
) -> None:
    """Any metadata, facts and context give a judgement whose sentences are one bounded line."""
    judgement = judge(case)
    for finding in judgement.findings:
        assert finding.message.isprintable()
        assert finding.message
        assert len(finding.message) < 2000
        assert finding.cure.isprintable()
    planned = plan([Candidate(judgement)], Surroundings(), case.now)
    assert len(planned) == (judgement.due is not None)


@given(st.text(max_size=500))
def test_told_is_one_bounded_line(text: str) -> None:
    """A text from outside is told without control characters and never longer than its bound."""
    said = told(text)
    assert said.isprintable()
    assert len(said) <= TOLD_LENGTH


@given(st.text(max_size=20))
def test_a_command_is_one_shell_word_per_part(name: str) -> None:
    """A credential's name is quoted, so that a pasted command has no second meaning."""
    said = command("rotate", name)
    assert said.startswith("rotator rotate ")
    assert said.isprintable()


def test_words_read_well() -> None:
    """Lists are cut, spans take their greatest unit, times are UTC."""
    assert listed(str(n) for n in range(10)) == "0, 1, 2, 3, 4, 5, 6, 7 and 2 more"
    assert [span_told(DAY * n / 24) for n in (0, 1, 30, 72)] == [
        "less than a minute",
        "1 hour",
        "1 day",
        "3 days",
    ]
    assert time_told(datetime(2026, 1, 2, 3, 4, tzinfo=UTC)) == "2026-01-02 03:04 UTC"


def test_a_page_is_named_even_if_unknown() -> None:
    """Without a page the cure still names the exchange, and without an exchange says so."""
    bare: Any = ExchangeTraits(WATCHED.name)
    assert "binance" in keys_page(bare)
    assert "the exchange's page" in by_hand("secret/x", None)
