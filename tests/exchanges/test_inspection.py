"""The JSON that `rotator inspect` reads and prints."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest
from hypothesis import given, strategies as st

from rotator.core.facts import NEVER, KeyFacts, Look, Validity
from rotator.core.names import AccountId, KeyId
from rotator.core.outcome import Failure, Meaning
from rotator.core.scopes import Scope
from rotator.exchanges.inspection import (
    CredentialError,
    listing_document,
    look_document,
    parse_credential,
)
from rotator.exchanges.port import Listing

FACTS = KeyFacts(
    key_id=KeyId("k"),
    label="desk",
    account_id=AccountId("7"),
    scopes=frozenset({Scope.TRADE_SPOT, Scope.READ}),
    native=("b", "a"),
    ip_restricted=True,
    ip_allowlist=("192.0.2.2", "192.0.2.1"),
    created_at=datetime(2026, 1, 2, 5, 4, 5, tzinfo=timezone(timedelta(hours=2))),
    expires_at=NEVER,
    enabled=True,
)
DOCUMENT = {
    "key_id": "k",
    "label": "desk",
    "account_id": "7",
    "scopes": ["read", "trade:spot"],
    "native_permissions": ["a", "b"],
    "ip_restricted": True,
    "ip_allowlist": ["192.0.2.2", "192.0.2.1"],
    "created_at": "2026-01-02T03:04:05Z",
    "expires_at": "never",
    "last_used_at": None,
    "enabled": True,
}
NOTHING = dict.fromkeys(DOCUMENT)


def test_a_valid_look() -> None:
    """A look that succeeded prints its facts, scopes sorted, times in UTC, unknown as null."""
    assert look_document("bybit", Look(Validity.VALID, FACTS)) == {
        "exchange": "bybit",
        "validity": "valid",
        "reason": None,
        "candidates": [],
        **DOCUMENT,
    }


@pytest.mark.parametrize(
    ("meaning", "validity"),
    [
        (Meaning.INVALID_KEY, "invalid"),
        (Meaning.BAD_SIGNATURE, "invalid"),
        (Meaning.NOT_FOUND, "invalid"),
        (Meaning.RATE_LIMITED, "throttled"),
        (Meaning.BANNED, "throttled"),
        (Meaning.MAINTENANCE, "exchange_down"),
        (Meaning.UNKNOWN_OUTCOME, "exchange_down"),
        (Meaning.NEEDS_2FA, "permission_denied"),
        (Meaning.CLOCK_SKEW, "unknown"),
        (Meaning.BAD_REQUEST, "unknown"),
        (Meaning.QUOTA_EXCEEDED, "unknown"),
        (Meaning.OTHER, "unknown"),
        (Meaning.IP_BLOCKED, "ip_blocked"),
        (Meaning.PERMISSION_DENIED, "permission_denied"),
        (Meaning.EXPIRED, "expired"),
    ],
)
def test_each_reason_and_its_validity(meaning: Meaning, validity: str) -> None:
    """Each error meaning is printed as reason, with the validity that it stands for."""
    assert look_document("x", Look.failed(Failure.of(meaning))) == {
        "exchange": "x",
        "validity": validity,
        "reason": meaning.value,
        "candidates": [],
        **NOTHING,
    }


def test_an_ambiguous_look() -> None:
    """An answer that covers several meanings is unknown, with the first as reason."""
    failure = Failure.of(Meaning.INVALID_KEY, candidates=(Meaning.INVALID_KEY, Meaning.IP_BLOCKED))
    told = look_document("binance", Look.failed(failure))
    assert (told["validity"], told["reason"]) == ("unknown", "invalid_key")
    assert told["candidates"] == ["invalid_key", "ip_blocked"]


def test_an_empty_list_is_not_null() -> None:
    """No scopes and no addresses are empty lists, unknown ones are null."""
    facts = KeyFacts(key_id=KeyId("k"), scopes=frozenset(), native=(), ip_allowlist=())
    told = look_document("x", Look(Validity.VALID, facts))
    assert (told["scopes"], told["native_permissions"], told["ip_allowlist"]) == ([], [], [])


def test_a_listing() -> None:
    """Each key of a listing is printed with the same fields as one look."""
    told = listing_document("bybit", Listing((FACTS,), complete=True))
    assert told["complete"] is True
    assert told["keys"] == [DOCUMENT]
    assert told["reason"] is None


def test_a_listing_that_failed() -> None:
    """A list that could not be had is incomplete, empty, and says why."""
    told = listing_document("bybit", Failure.of(Meaning.PERMISSION_DENIED))
    assert (told["complete"], told["keys"]) == (False, [])
    assert told["reason"] == "permission_denied"


def test_a_credential_is_read() -> None:
    """The fields of a credential go where they belong; strange ones are ignored."""
    given_ = {"api_key": "k", "api_secret": "s", "passphrase": "p", "account": "7", "scopes": []}
    told = parse_credential(orjson.dumps(given_))
    assert told.key.key_id == "k"
    assert told.account == "7"
    secrets = told.key.secrets
    assert [v.reveal() for v in secrets.values()] == ["s", "p"]
    assert "'s'" not in repr(told)


def test_absent_null_and_empty_are_the_same() -> None:
    """A field that is null or empty is as if it were not there."""
    told = parse_credential(
        '{"api_key": "k", "api_secret": "", "private_key": "P", "account": null}'
    )
    assert told.key.secrets.api_secret is None
    assert told.account is None


def test_an_account_may_be_a_number() -> None:
    """An account id written as a number is read as text."""
    assert parse_credential('{"api_key": "k", "api_secret": "s", "account": 7}').account == "7"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "api_key"),
        ("canary", "no JSON"),
        ("[]", "api_key"),
        ("{}", "api_key"),
        ('{"api_key": ""}', "api_key"),
        ('{"api_key": 7, "api_secret": "canary"}', "api_key"),
        ('{"api_key": "k"}', "api_secret"),
        ('{"api_key": "k", "api_secret": ["canary"]}', "api_secret"),
        ('{"api_key": "k", "api_secret": "canary", "private_key": "canary"}', "private_key"),
        ('{"api_key": "k", "api_secret": "canary", "account": true}', "account"),
        (" " * 70_000, "64 KiB"),
    ],
)
def test_a_bad_credential_is_one_clear_error(text: str, named: str) -> None:
    """The error names the field and never repeats what it held."""
    with pytest.raises(CredentialError) as raised:
        parse_credential(text)
    assert named in str(raised.value)
    assert "canary" not in str(raised.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.binary() | JSON.map(lambda v: orjson.dumps(v, option=0) if _dumps(v) else b"{}"))
def test_any_input_is_a_credential_or_one_error(text: bytes) -> None:
    """Whatever comes on standard input, there is a credential or a CredentialError."""
    with contextlib.suppress(CredentialError):
        assert parse_credential(text).key.key_id


def _dumps(value: object) -> bool:
    try:
        orjson.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


@given(st.datetimes(timezones=st.just(UTC)) | st.none() | st.just(NEVER))
def test_any_time_is_printed(at: object) -> None:
    """Every time is printed as ISO 8601 with Z, `never` or null."""
    facts = KeyFacts(key_id=None, expires_at=at)  # type: ignore[arg-type]
    shown = look_document("x", Look(Validity.VALID, facts))["expires_at"]
    assert shown is None or shown == "never" or str(shown).endswith("Z")
