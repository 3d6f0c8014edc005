"""A healthy credential, to be spoilt in one place per test."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from rotator.core.checks import CheckInput, Context, Judgement, judge
from rotator.core.facts import NEVER, Credential, KeyFacts, Look, StoredKey, Validity
from rotator.core.findings import Code
from rotator.core.names import AccountId, CredentialName, ExchangeName, KeyId, StorePath
from rotator.core.outcome import Failure, Meaning
from rotator.core.policy import DEFAULT_POLICY, ExchangeTraits, Policy
from rotator.core.scopes import Scope

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)
PATH = StorePath("secret/trading/bybit/desk0")
NAME = CredentialName(PATH)
PARENT = CredentialName("secret/trading/bybit/master")
PAGE = "https://exchange.example/keys"

ISSUING = ExchangeTraits(
    ExchangeName("bybit"),
    creates_keys=True,
    deletes_keys=True,
    lists_keys=True,
    overlap=True,
    keys_page=PAGE,
)
WATCHED = ExchangeTraits(ExchangeName("binance"), keys_page=PAGE)

CREDENTIAL = Credential(
    NAME, PATH, ExchangeName("bybit"), AccountId("42"), parent=PARENT, consumers=("bot",)
)
FACTS = KeyFacts(
    KeyId("sample-key-0001"),
    account_id=AccountId("42"),
    scopes=frozenset({Scope.READ, Scope.TRADE_SPOT}),
    native=("Spot.Trade",),
    ip_restricted=True,
    ip_allowlist=("10.0.0.1",),
    created_at=NOW - 10 * DAY,
    expires_at=NEVER,
    enabled=True,
)
STORED = StoredKey(PATH, 3, None, key_id=FACTS.key_id)
CONTEXT = Context(traits=ISSUING, armed=True)


def look(validity: Validity = Validity.VALID, **facts: Any) -> Look:
    """Return a look at the healthy key with some facts changed."""
    return Look(validity, replace(FACTS, **facts))


def failed(meaning: Meaning, message: str = "", **more: Any) -> Look:
    """Return a look that an error ended."""
    return Look.failed(Failure.of(meaning, message, **more))


def given(
    at: Look | None = None,
    *,
    policy: Policy = DEFAULT_POLICY,
    credential: Credential = CREDENTIAL,
    stored: StoredKey | None = STORED,
    now: datetime = NOW,
    **context: Any,
) -> CheckInput:
    """Return a check's input; what is not said is healthy."""
    seen = look() if at is None else at
    return CheckInput(credential, stored, seen, policy, now, replace(CONTEXT, **context))


def judged(at: Look | None = None, **more: Any) -> Judgement:
    """Judge the healthy credential with some things changed."""
    return judge(given(at, **more))


def codes(judgement: Judgement) -> set[Code]:
    """Return the codes of a judgement's findings."""
    return {f.code for f in judgement.findings}


def sentence(judgement: Judgement, code: Code) -> str:
    """Return the sentence and cure of the only finding with a code."""
    (found,) = (f for f in judgement.findings if f.code is code)
    return f"{found.message} -> {found.cure}"
