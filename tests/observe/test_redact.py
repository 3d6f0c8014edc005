"""No secret gets past the redactor."""

from __future__ import annotations

import string
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given, settings, strategies as st

from rotator.core.facts import Validity
from rotator.core.names import Secrets, Sensitive
from rotator.observe.redact import BLANK, MAX_DEPTH, MAX_ITEMS, MAX_TEXT, Redactor
from tests.observe import canary

SECRET = st.text(string.ascii_letters + string.digits + "+/=-_!", min_size=8, max_size=120)
ANY = st.text(max_size=60)


def knowing(*secrets: str) -> Redactor:
    """Return a redactor that knows these secrets."""
    redactor = Redactor(b"key")
    redactor.remember(*(Sensitive(s) for s in secrets))
    return redactor


@pytest.mark.parametrize("secret", [canary.API, canary.ODD, canary.PEM])
def test_a_known_secret_is_found_in_every_form(secret: str) -> None:
    """Plain, base64 at any alignment, hex, URL-encoded, as JSON and as a literal."""
    redactor = knowing(secret)
    for form in canary.encoded(secret):
        for text in (form, f"the exchange said {form}, sorry", f"https://x/?a=1&s={form}&b=2"):
            assert canary.told(redactor.text(text)) == [], form


@settings(max_examples=200, deadline=None)
@given(secret=SECRET, before=ANY, after=ANY)
def test_a_secret_is_found_wherever_it_stands(secret: str, before: str, after: str) -> None:
    """Whatever stands around it, the secret is gone."""
    assert secret not in knowing(secret).text(before + secret + after)


@settings(max_examples=200, deadline=None)
@given(text=st.text(string.ascii_letters + " ./_-", max_size=200))
def test_a_text_without_secrets_is_left_as_it_is(text: str) -> None:
    """Ordinary words are not blanked."""
    assert knowing("QQQQ9999QQQQ", "short1").text(text) == text


def test_two_secrets_with_the_same_start_are_told_apart() -> None:
    """Only a whole secret is blanked."""
    redactor = knowing("trading-desk-one-1", "trading-desk-two-2")
    assert redactor.text("path trading-desk and trading-desk-two-2 .") == (
        f"path trading-desk and {BLANK} ."
    )


def test_a_secret_too_short_to_tell_from_a_word_is_not_looked_for() -> None:
    """A three-letter secret would blank out the whole log."""
    assert knowing("abc").text("abc") == "abc"


def test_the_oldest_secrets_are_forgotten_beyond_the_capacity() -> None:
    """Memory is bounded, and meeting a secret again keeps it."""
    redactor = Redactor(b"key", capacity=2)
    first, second, third = "first-secret-1", "first-secret-2", "first-secret-3"
    for secret in (first, second, first, third):
        redactor.remember(Sensitive(secret))
    assert redactor.text(f"{first} {second} {third}") == f"{BLANK} {second} {BLANK}"
    redactor.remember(Sensitive(second), Sensitive(first))
    assert redactor.text(f"{first} {second} {third}") == f"{BLANK} {BLANK} {third}"


@pytest.mark.parametrize("length", [97, 144, 145, 500])
def test_a_long_secret_is_found_whole_and_in_part(length: int) -> None:
    """Long secrets are looked for piece by piece, in every form."""
    secret = "".join(chr(33 + (n * 7 + n * n) % 90) for n in range(length))
    redactor = knowing(secret)
    for form in canary.encoded(secret):
        blank = redactor.text(f"it said {form} there")
        for start in range(0, len(form) - 24, 8):
            assert form[start : start + 24] not in blank
    assert secret[-97:-1] not in redactor.text(f"a part {secret[-97:]}")


def test_forgetting_a_secret_leaves_nothing_of_it() -> None:
    """The index shrinks with the secrets."""
    redactor = Redactor(b"key", capacity=1)
    redactor.remember(Sensitive("qwertyuiop-1"))
    size = sum(len(t) for t in redactor._anchors.values())
    for number in range(20):
        redactor.remember(Sensitive(f"{number:02d}-asdfghjkl"))
    assert sum(len(t) for t in redactor._anchors.values()) <= size + 2


@pytest.mark.parametrize(
    "text",
    [
        "token hvs.CAESIJ0123456789abcdefghij",
        "Authorization: Bearer abcdefgh12345678",
        "GET /v5?api_key=abcdef123456&signature=deadbeef0123",
        '{"secret": "abcdef123456"}',
        canary.PEM,
    ],
)
def test_what_looks_like_a_credential_is_blanked_unmet(text: str) -> None:
    """A secret that this process never met is caught by its look."""
    blank = Redactor().text(text)
    assert BLANK in blank
    for part in ("hvs.", "abcdef", "deadbeef", "12345678", "canary"):
        assert part not in blank


@pytest.mark.parametrize(
    "name", ["api_secret", "API-Secret", "X-Vault-Token", "passphrase", "new_secret", "apiKey"]
)
def test_values_under_telling_names_are_dropped(name: str) -> None:
    """A field's name is enough."""
    assert Redactor().plain({"outer": [{name: "anything"}]}) == {"outer": [{name: BLANK}]}


def test_names_that_only_sound_alike_are_kept() -> None:
    """Counts and times of credentials and tokens are no secrets."""
    fields = {"credentials": 12, "token_expires_at": "never", "path": "secret/trading/bybit"}
    assert Redactor().plain(fields) == fields


def test_secrets_hide_nowhere_in_a_value() -> None:
    """Keys, nested values, bytes, objects and exceptions are searched too."""

    @dataclass
    class Odd:
        inner: str

    value = {
        canary.API: 1,
        "list": [canary.ODD, (canary.API,), {canary.API}],
        "bytes": canary.API.encode(),
        "object": Odd(canary.API),
        "error": ValueError(canary.ODD),
        "key": Sensitive(canary.API),
    }
    plain = knowing(canary.API, canary.ODD).plain(value)
    assert canary.told(orjson.dumps(plain).decode()) == []


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
        max_leaves=20,
    )
)
def test_every_value_becomes_json(value: object) -> None:
    """Whatever is logged can be written."""
    orjson.dumps(Redactor().plain(value))


def test_values_are_bounded() -> None:
    """Depth, width and length have an end."""
    deep: list[object] = []
    for _ in range(100):
        deep = [deep]
    redactor = Redactor()
    assert orjson.dumps(redactor.plain(deep)).count(b"[") == MAX_DEPTH
    wide = redactor.plain(list(range(10_000)))
    assert isinstance(wide, list)
    assert len(wide) == MAX_ITEMS
    assert len(redactor.text("x " * MAX_TEXT)) == MAX_TEXT + 1


def test_a_secret_across_the_cut_leaves_no_part() -> None:
    """The search looks further than the text that is kept."""
    redactor = knowing(canary.API)
    text = redactor.text("x " * (MAX_TEXT // 2 - 10) + canary.API + " y" * 100)
    assert "canary" not in text


def test_times_and_words_are_readable() -> None:
    """A time is ISO 8601, a duration seconds, an enumeration its word."""
    at = datetime(2026, 11, 24, tzinfo=UTC)
    assert Redactor().plain([at, timedelta(hours=1), Validity.VALID, 2**70]) == [
        "2026-11-24T00:00:00+00:00",
        "3600s",
        "valid",
        hex(2**70),
    ]


def test_a_key_s_secrets_are_remembered_together() -> None:
    """Whatever signs is blanked."""
    redactor = Redactor()
    redactor.remember_all(Secrets(api_secret=Sensitive(canary.API)))
    assert canary.told(redactor.text(canary.API)) == []
