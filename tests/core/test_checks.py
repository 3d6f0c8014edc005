"""Each check of the chain, one spoilt fact at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from rotator.core.checks import (
    CHECKS,
    Case,
    CheckInput,
    Context,
    Incident,
    ListedKey,
    OpenRotation,
    Slots,
    Standing,
    judge,
)
from rotator.core.checks.access import exchange_closed
from rotator.core.facts import NEVER, Look, Validity
from rotator.core.findings import Code, Severity, Verdict
from rotator.core.names import AccountId, CredentialName, KeyId, RotationId
from rotator.core.outcome import Meaning
from rotator.core.policy import AddressRules, OnViolation, Policy, Revoke, ScopeRules, Verify
from rotator.core.scopes import Scope
from rotator.core.verdict import BLOCKING, SEVERITY, blocked_by
from tests.core.kit import (
    CREDENTIAL,
    DAY,
    FACTS,
    ISSUING,
    NAME,
    NOW,
    PAGE,
    STORED,
    WATCHED,
    codes,
    failed,
    given,
    judged,
    look,
    sentence,
)

HOUR = timedelta(hours=1)
OPEN = OpenRotation(RotationId("abcd2345"), "DRAINING", NOW - DAY)
DEMANDING = Policy(addresses=AddressRules(require=True))
EXACT = Policy(addresses=AddressRules(exact=("10.0.0.1",)))
SUBSET = Policy(addresses=AddressRules(subset=("10.0.0.0/24", "2001:db8::/32")))


def scoped(*scopes: Scope, **facts: Any) -> Look:
    """Return a look at a key with just these scopes."""
    return look(scopes=frozenset(scopes), **facts)


CASES: list[tuple[Code, dict[str, Any]]] = [
    (Code.WITHDRAW_ENABLED, {"at": scoped(Scope.WITHDRAW)}),
    (Code.OVERSCOPED, {"policy": Policy(scopes=ScopeRules(allow=("read",)))}),
    (Code.OVERSCOPED, {"at": look(unknown_native=("CopyTrade",))}),
    (Code.UNDERSCOPED, {"policy": Policy(scopes=ScopeRules(require=("transfer",)))}),
    (Code.SCOPE_DRIFT, {"last_facts": replace(FACTS, native=("Spot.Trade", "Wallet"))}),
    (Code.SCOPE_DRIFT, {"last_facts": replace(FACTS, native_flags=(("readOnly", "1"),))}),
    (
        Code.SCOPE_DRIFT,
        {
            "at": look(native=None),
            "last_facts": replace(FACTS, native=None, scopes=frozenset({Scope.READ})),
        },
    ),
    (Code.NO_ADDRESS_LIST, {"at": look(ip_allowlist=()), "policy": DEMANDING}),
    (
        Code.NO_ADDRESS_LIST,
        {
            "at": look(ip_allowlist=None, ip_restricted=False),
            "policy": EXACT,
        },
    ),
    (
        Code.ADDRESS_UNKNOWN,
        {
            "at": look(ip_allowlist=None, ip_restricted=None),
            "policy": DEMANDING,
        },
    ),
    (Code.ADDRESS_UNKNOWN, {"at": look(ip_allowlist=None), "policy": SUBSET}),
    (Code.ADDRESS_DRIFT, {"at": look(ip_allowlist=("10.0.0.1", "10.0.0.2")), "policy": EXACT}),
    (Code.ADDRESS_DRIFT, {"at": look(ip_allowlist=("10.0.0.2",)), "policy": EXACT}),
    (Code.ADDRESS_DRIFT, {"at": look(ip_allowlist=("10.0.1.2",)), "policy": SUBSET}),
    (Code.ADDRESS_DRIFT, {"at": look(ip_allowlist=("2001:db9::1",)), "policy": SUBSET}),
    (Code.ADDRESS_DRIFT, {"at": look(ip_allowlist=("not an address",)), "policy": SUBSET}),
    (Code.ADDRESS_DRIFT, {"last_facts": replace(FACTS, ip_allowlist=("10.0.0.9",))}),
    (Code.WEAK_KEY_TYPE, {"at": look(key_type="HMAC"), "policy": Policy(key_type="ed25519")}),
    (Code.INVALID, {"at": failed(Meaning.INVALID_KEY, "unknown key", code="10003")}),
    (Code.INVALID, {"at": look(enabled=False)}),
    (Code.EXPIRED, {"at": failed(Meaning.EXPIRED)}),
    (
        Code.EXPIRED,
        {
            "at": failed(Meaning.INVALID_KEY),
            "last_facts": replace(FACTS, expires_at=NOW - DAY),
        },
    ),
    (Code.WRONG_ACCOUNT, {"at": look(account_id=AccountId("43"))}),
    (Code.WRONG_ENVIRONMENT, {"at": look(environment="testnet")}),
    (Code.IP_BLOCKED, {"at": failed(Meaning.IP_BLOCKED)}),
    (Code.VANTAGE_BLOCKED, {"at": failed(Meaning.IP_BLOCKED)}),
    (Code.PERMISSION_DENIED, {"at": failed(Meaning.PERMISSION_DENIED)}),
    (Code.PERMISSION_DENIED, {"at": failed(Meaning.NEEDS_2FA)}),
    (Code.UNREACHABLE, {"at": failed(Meaning.MAINTENANCE)}),
    (Code.UNREACHABLE, {"at": failed(Meaning.RATE_LIMITED)}),
    (Code.UNREACHABLE, {"at": Look(Validity.UNKNOWN)}),
    (Code.EXCHANGE_CLOSING, {"traits": replace(ISSUING, closes_at=NOW + DAY)}),
    (Code.EXCHANGE_CLOSED, {"traits": replace(ISSUING, closes_at=NOW - DAY)}),
    (Code.EXPIRY_IMMINENT, {"at": look(expires_at=NOW + 23 * HOUR)}),
    (Code.EXPIRY_IMMINENT, {"at": look(expires_at=NOW - HOUR)}),
    (Code.EXPIRES_SOON, {"at": look(expires_at=NOW + 24 * HOUR)}),
    (Code.EXPIRES_SOON, {"at": look(expires_at=NOW + 7 * DAY)}),
    (Code.EXPIRY_PULLED_IN, {"at": look(expires_at=NOW + 60 * DAY), "last_facts": FACTS}),
    (
        Code.EXPIRY_PULLED_IN,
        {
            "at": look(expires_at=NOW + 60 * DAY),
            "last_facts": replace(FACTS, expires_at=NOW + 62 * DAY),
        },
    ),
    (Code.OVERDUE, {"at": look(created_at=NOW - 90 * DAY)}),
    (Code.DUE_SOON, {"at": look(created_at=NOW - 89 * DAY)}),
    (Code.AGE_UNKNOWN, {"at": look(created_at=None)}),
    (Code.WILL_SELF_DELETE, {"stored": replace(STORED, deletes_at=NOW + DAY)}),
    (Code.DORMANT, {"at": look(last_used_at=NOW - 91 * DAY)}),
    (Code.FOREIGN_KEY, {"listed": (ListedKey(Code.FOREIGN_KEY, KeyId("sample-key-9999")),)}),
    (Code.UNSERVED_KEY, {"listed": (ListedKey(Code.UNSERVED_KEY, KeyId("sample-key-9999")),)}),
    (Code.STRAY_KEY, {"listed": (ListedKey(Code.STRAY_KEY, KeyId("sample-key-9999")),)}),
    (Code.METADATA_MALFORMED, {"credential": replace(CREDENTIAL, malformed=(("a", "b"),))}),
    (Code.METADATA_MALFORMED, {"known_policy": False}),
    (Code.METADATA_MALFORMED, {"credential": replace(CREDENTIAL, strategy="magic")}),
    (Code.METADATA_MALFORMED, {"traits": None}),
    (Code.SAME_KEY_TWICE, {"same_key": ("secret/trading/other",)}),
    (Code.MASS_INVALIDATION, {"incident": Incident(ISSUING.name, frozenset({NAME}), 5)}),
    (Code.ROTATION_STUCK, {"rotation": replace(OPEN, question="Which key shall live?")}),
    (Code.ROTATION_STUCK, {"rotation": replace(OPEN, deadline=NOW - HOUR)}),
    (Code.REVOCATION_OWED, {"rotation": replace(OPEN, owed="refused: permission_denied")}),
    (Code.PARENT_MISSING, {"parent": Standing.MISSING}),
    (Code.PARENT_MISSING, {"credential": replace(CREDENTIAL, parent=None)}),
    (Code.PARENT_INVALID, {"parent": Standing.INVALID, "parent_reason": "refused"}),
    (Code.PARENT_OVERSCOPED, {"at": scoped(Scope.WITHDRAW), "serves_as_parent": True}),
    (Code.SLOTS_FULL, {"slots": Slots(20, 20)}),
    (Code.CANNOT_REPRODUCE, {"cannot_reproduce": "its addresses are unknown"}),
    (Code.NO_CONSUMERS, {"credential": replace(CREDENTIAL, consumers=())}),
    (Code.NOT_ARMED, {"at": look(created_at=NOW - 89 * DAY), "armed": False}),
]


@pytest.mark.parametrize(("code", "changes"), CASES, ids=lambda v: getattr(v, "value", ""))
def test_each_spoilt_fact_gives_its_finding(code: Code, changes: dict[str, Any]) -> None:
    """One spoilt fact gives the finding of its code, with its severity, a sentence and a cure."""
    found = [f for f in judged(**changes).findings if f.code is code]
    assert len(found) == 1
    assert found[0].severity is SEVERITY[code]
    assert found[0].message.strip()
    assert len(found[0].cure) > 10


def test_every_code_of_the_chain_is_shown() -> None:
    """No check stands in the chain without a case here that makes it speak."""
    assert {code for code, _ in CASES} == {code for code, _ in CHECKS} | {Code.EXCHANGE_CLOSED}


def test_a_healthy_credential_has_no_findings() -> None:
    """Where all is well nothing is said and the verdict is healthy."""
    judgement = judged()
    assert judgement.findings == ()
    assert judgement.verdict is Verdict.HEALTHY
    assert judgement.blocking == ()


QUIET: list[dict[str, Any]] = [
    {"at": scoped(Scope.WITHDRAW), "policy": Policy(scopes=ScopeRules(allow=("withdraw",)))},
    {"at": look(scopes=None)},
    {"at": look(ip_allowlist=())},
    {"at": look(ip_allowlist=None), "policy": DEMANDING},
    {"at": look(ip_allowlist=("10.0.0.0/28", "2001:db8::1")), "policy": SUBSET},
    {"at": look(ip_allowlist=("10.0.0.1/32",)), "policy": EXACT},
    {"last_facts": replace(FACTS, key_id=KeyId("another"), native=())},
    {"last_facts": FACTS},
    {"last_facts": replace(FACTS, native=None, scopes=None)},
    {"at": look(key_type="ED25519"), "policy": Policy(key_type="ed25519")},
    {"at": look(expires_at=NOW + 60 * DAY), "last_facts": replace(FACTS, expires_at=None)},
    {
        "at": look(expires_at=NOW + 60 * DAY),
        "last_facts": replace(FACTS, expires_at=NOW + 61 * DAY),
    },
    {"at": look(expires_at=NOW + 7 * DAY + HOUR, created_at=NOW)},
    {"at": look(last_used_at=NOW - 5 * DAY)},
    {"at": look(account_id=None)},
    {"slots": Slots(19, 20)},
    {"rotation": replace(OPEN, deadline=NOW + HOUR)},
    {"incident": Incident(ISSUING.name, frozenset({CredentialName("other")}), 5)},
    {"credential": replace(CREDENTIAL, managed=False, malformed=(("a", "b"),))},
    {"armed": False},
    {"serves_as_parent": True},
    {"credential": replace(CREDENTIAL, parent=None), "armed": False},
    {"credential": replace(CREDENTIAL, consumers=()), "policy": Policy(consumers=("bot",))},
    {"at": look(scopes=None), "policy": Policy(scopes=ScopeRules(require=("read",)))},
]


@pytest.mark.parametrize("changes", QUIET)
def test_nothing_is_said_without_a_reason(changes: dict[str, Any]) -> None:
    """What is allowed, unknown, unchanged or of another key gives no finding."""
    assert codes(judged(**changes)) == set()


def test_an_answer_with_several_meanings_is_unknown() -> None:
    """An ambiguous answer is neither invalid nor fine: unreachable, with its candidates."""
    judgement = judged(
        failed(
            Meaning.INVALID_KEY, candidates=(Meaning.INVALID_KEY, Meaning.IP_BLOCKED), code="-2015"
        )
    )
    assert codes(judgement) == {Code.UNREACHABLE}
    assert judgement.verdict is Verdict.UNKNOWN
    said = sentence(judgement, Code.UNREACHABLE)
    assert "invalid_key, ip_blocked" in said
    assert "-2015" in said


def test_an_unreadable_key_keeps_its_last_known_powers() -> None:
    """A withdraw scope does not vanish from the findings because one look failed."""
    last = replace(FACTS, scopes=frozenset({Scope.WITHDRAW}))
    judgement = judged(failed(Meaning.MAINTENANCE), last_facts=last)
    assert codes(judgement) == {Code.UNREACHABLE, Code.WITHDRAW_ENABLED}


def test_a_dead_key_has_no_powers() -> None:
    """What a dead key could do once is not told any more."""
    last = replace(FACTS, scopes=frozenset({Scope.WITHDRAW}), ip_allowlist=("10.0.0.7",))
    assert codes(judged(failed(Meaning.INVALID_KEY), last_facts=last)) == {Code.INVALID}


def test_a_closed_exchange_is_judged_from_the_store_alone() -> None:
    """Of a credential of a closed exchange only ExchangeClosed is said, and it is not due."""
    judgement = judged(
        scoped(Scope.WITHDRAW, created_at=NOW - 400 * DAY),
        traits=replace(ISSUING, closes_at=NOW - DAY),
    )
    assert codes(judgement) == {Code.EXCHANGE_CLOSED}
    assert judgement.verdict is Verdict.BLOCKED
    assert judgement.due is None


def test_an_open_exchange_is_not_told_as_closed() -> None:
    """The check of a closed exchange is silent while the exchange is open."""
    assert not list(exchange_closed(Case.of(given())))


def test_a_due_key_that_only_a_person_can_replace_names_the_page() -> None:
    """Overdue of a watch-only exchange tells where a person makes the new key."""
    judgement = judged(look(created_at=NOW - 400 * DAY), traits=WATCHED)
    said = sentence(judgement, Code.OVERDUE)
    assert PAGE in said
    assert "400 days old" in said
    assert judgement.verdict is Verdict.DUE
    assert not judgement.by_program


def test_a_person_s_key_is_due_by_expiry_too() -> None:
    """A key near its end that no program can replace is Overdue as well."""
    judgement = judged(look(expires_at=NOW + 3 * DAY, created_at=NOW - 80 * DAY), traits=WATCHED)
    assert {Code.OVERDUE, Code.EXPIRES_SOON} <= codes(judgement)
    assert "it ends on 2026-11-27" in sentence(judgement, Code.OVERDUE)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({}, "Nothing, if nothing blocks"),
        ({"armed": False}, "rotation.armed"),
        ({"rotation": OPEN}, "rotator explain"),
        ({"credential": replace(CREDENTIAL, parent=None)}, "Name its `parent`"),
    ],
)
def test_the_cure_of_an_overdue_key_fits_its_state(changes: dict[str, Any], word: str) -> None:
    """An overdue key's cure says what is missing for its rotation."""
    judgement = judged(look(created_at=NOW - 400 * DAY), **changes)
    assert word in sentence(judgement, Code.OVERDUE)


def test_a_forbidden_scope_makes_due_where_the_policy_says_so() -> None:
    """With on_violation rotate, a forbidden scope seen twice makes a rotation due now."""
    policy = Policy(on_violation=OnViolation.ROTATE, scopes=ScopeRules(forbid=("withdraw",)))
    bad = scoped(Scope.WITHDRAW)
    judgement = judged(bad, policy=policy, last_facts=bad.facts)
    assert judgement.due_at == NOW
    assert judgement.verdict is Verdict.DUE
    assert "forbids" in sentence(
        judged(bad, policy=policy, last_facts=bad.facts, traits=WATCHED), Code.OVERDUE
    )


@pytest.mark.parametrize("scope", [Scope.WITHDRAW, Scope.TRADE_SPOT])
def test_a_freeze_that_no_program_can_do_is_said(scope: Scope) -> None:
    """Nobody may think that the power is gone."""
    code = {Scope.WITHDRAW: Code.WITHDRAW_ENABLED}.get(scope, Code.OVERSCOPED)
    rules = ScopeRules(allow=("read",))
    for on_violation, said in ((OnViolation.FREEZE, True), (OnViolation.ALERT, False)):
        judgement = judged(scoped(scope), policy=Policy(on_violation=on_violation, scopes=rules))
        assert ("only alerts" in sentence(judgement, code)) is said


def test_our_addresses_explain_a_refusal() -> None:
    """IpBlocked tells the configured egress, and verify: list lifts VantageBlocked."""
    judgement = judged(
        failed(Meaning.IP_BLOCKED),
        egress=("203.0.113.7",),
        policy=Policy(verify=Verify.LIST, revoke=Revoke.ACKED),
    )
    assert codes(judgement) == {Code.IP_BLOCKED}
    assert "203.0.113.7" in sentence(judgement, Code.IP_BLOCKED)
    assert judgement.verdict is Verdict.UNKNOWN


def test_a_dead_key_s_cure_depends_on_who_can_replace_it() -> None:
    """A program's key is rotated by command, a person's key at the exchange's page."""
    dead = failed(Meaning.INVALID_KEY)
    assert f"rotator rotate {NAME}" in sentence(judged(dead), Code.INVALID)
    assert PAGE in sentence(judged(dead, traits=WATCHED), Code.INVALID)


def test_a_policy_changes_severity_but_not_blocking() -> None:
    """A blocking code made info by a policy still blocks."""
    policy = Policy(severity={Code.SAME_KEY_TWICE: Severity.INFO})
    judgement = judged(policy=policy, same_key=("elsewhere",))
    assert judgement.findings[0].severity is Severity.INFO
    assert judgement.blocking == ("SameKeyTwice",)
    assert judgement.verdict is Verdict.BLOCKED


def test_unarmed_and_parentless_block_before_they_are_told() -> None:
    """A young, unarmed key without a parent is healthy, yet its rotation is shut."""
    judgement = judged(credential=replace(CREDENTIAL, parent=None), armed=False)
    assert judgement.findings == ()
    assert judgement.blocking == ("ParentMissing", "NotArmed")
    assert judgement.verdict is Verdict.HEALTHY


def test_an_unmanaged_credential_is_not_judged() -> None:
    """managed: false gives no findings, no due time and no blocks."""
    judgement = judged(
        scoped(Scope.WITHDRAW, created_at=NOW - 400 * DAY),
        credential=replace(CREDENTIAL, managed=False),
    )
    assert (judgement.findings, judgement.due, judgement.blocking) == ((), None, ())


VERDICTS: list[tuple[dict[str, Any], Verdict]] = [
    ({"at": look(created_at=NOW - 400 * DAY)}, Verdict.DUE),
    ({"at": look(created_at=NOW - 400 * DAY), "armed": False}, Verdict.BLOCKED),
    ({"at": failed(Meaning.MAINTENANCE)}, Verdict.UNKNOWN),
    ({"at": look(created_at=None)}, Verdict.UNKNOWN),
    ({"at": scoped(Scope.WITHDRAW)}, Verdict.DUE),
    ({"at": failed(Meaning.INVALID_KEY)}, Verdict.DUE),
    ({"at": look(created_at=NOW - 85 * DAY)}, Verdict.HEALTHY),
    ({"slots": Slots(2, 2)}, Verdict.BLOCKED),
]


@pytest.mark.parametrize(("changes", "verdict"), VERDICTS)
def test_the_verdict_is_the_sum(changes: dict[str, Any], verdict: Verdict) -> None:
    """Blocked wins over due, due over unknown, unknown over healthy."""
    policy = Policy(warn_before=DAY, max_age=100 * DAY)
    assert judged(policy=policy, **changes).verdict is verdict


def test_a_credential_never_looked_at_is_unknown() -> None:
    """Without a look and without a stored key nothing is known, and that is the verdict."""
    unseen = CheckInput(CREDENTIAL, None, None, Policy(), NOW, Context(traits=ISSUING))
    judgement = judge(unseen)
    assert judgement.verdict is Verdict.UNKNOWN
    assert judgement.findings == ()


def test_the_gravest_finding_comes_first() -> None:
    """Findings are sorted by severity."""
    judgement = judged(scoped(Scope.WITHDRAW, created_at=NOW - 89 * DAY), same_key=("elsewhere",))
    severities = [f.severity for f in judgement.findings]
    assert severities == [Severity.CRITICAL, Severity.WARNING, Severity.INFO]


def test_blocking_words_are_ordered_and_name_the_hold() -> None:
    """Blocking codes come as declared, holds by name after them; other codes don't block."""
    words = blocked_by({Code.NOT_ARMED, Code.WRONG_ACCOUNT, Code.OVERSCOPED}, ("freeze", "audit"))
    assert words == ("WrongAccount", "NotArmed", "Hold:audit", "Hold:freeze")
    assert Code.OVERDUE not in BLOCKING


def test_every_code_has_a_severity() -> None:
    """The table of severities is complete."""
    assert set(SEVERITY) == set(Code)


def test_a_known_end_is_told_with_an_expired_key() -> None:
    """Expired tells the date where it is known, and says nothing made up where it is not."""
    known = judged(failed(Meaning.EXPIRED), last_facts=replace(FACTS, expires_at=NOW - DAY))
    assert "expired on 2026-11-23" in sentence(known, Code.EXPIRED)
    unknown = judged(failed(Meaning.EXPIRED), last_facts=replace(FACTS, expires_at=NEVER))
    assert "expired." in sentence(unknown, Code.EXPIRED)


def test_due_soon_tells_the_jittered_time() -> None:
    """DueSoon names the time at which the rotation will open, not the last one allowed."""
    judgement = judged(look(created_at=NOW - 80 * DAY))
    assert judgement.due is not None
    if judgement.due.at - NOW <= 7 * DAY:
        assert f"{judgement.due.at:%Y-%m-%d}" in sentence(judgement, Code.DUE_SOON)
    assert isinstance(judgement.due.at, datetime)
