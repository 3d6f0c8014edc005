"""How much each reason code matters, what blocks a rotation, and the sum of it all."""

from __future__ import annotations

from collections.abc import Iterable

from rotator.core.facts import Validity
from rotator.core.findings import Code, Finding, Severity, Verdict
from rotator.core.policy import Policy

_CRITICAL = (
    Code.WITHDRAW_ENABLED,
    Code.FOREIGN_KEY,
    Code.UNSERVED_KEY,
    Code.INVALID,
    Code.EXPIRED,
    Code.WRONG_ACCOUNT,
    Code.EXPIRY_IMMINENT,
    Code.ROTATION_STUCK,
    Code.REVOCATION_OWED,
    Code.MASS_INVALIDATION,
    Code.STORE_RESTORED,
)
_INFO = (
    Code.DUE_SOON,
    Code.NO_CONSUMERS,
    Code.DORMANT,
    Code.ADDRESS_UNKNOWN,
    Code.NOT_ARMED,
    Code.PATHS_INCOMPLETE,
)

SEVERITY: dict[Code, Severity] = {
    **dict.fromkeys(Code, Severity.WARNING),
    **dict.fromkeys(_CRITICAL, Severity.CRITICAL),
    **dict.fromkeys(_INFO, Severity.INFO),
}
"""Severity of each code unless a policy says otherwise."""

BLOCKING: frozenset[Code] = frozenset(
    {
        Code.METADATA_MALFORMED,
        Code.WRONG_ACCOUNT,
        Code.WRONG_ENVIRONMENT,
        Code.SAME_KEY_TWICE,
        Code.PARENT_MISSING,
        Code.PARENT_INVALID,
        Code.SLOTS_FULL,
        Code.CANNOT_REPRODUCE,
        Code.VANTAGE_BLOCKED,
        Code.EXCHANGE_CLOSED,
        Code.MASS_INVALIDATION,
        Code.STORE_RESTORED,
        Code.NOT_ARMED,
    }
)
"""Findings that keep a rotation from being opened; a policy cannot change that."""

HOLD = "Hold"

CERTAIN: frozenset[Validity] = frozenset({Validity.VALID, Validity.INVALID, Validity.EXPIRED})

DUE_CODES: frozenset[Code] = frozenset(
    {Code.OVERDUE, Code.INVALID, Code.EXPIRED, Code.EXPIRES_SOON, Code.EXPIRY_IMMINENT}
)


def severity_of(policy: Policy, code: Code) -> Severity:
    """Return a code's severity under a policy."""
    return policy.severity.get(code, SEVERITY[code])


def blocked_by(codes: Iterable[Code], holds: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the words that keep a rotation shut: blocking codes as declared, then holds."""
    blocking = BLOCKING.intersection(codes)
    words = tuple(c.value for c in Code if c in blocking) if blocking else ()
    return (*words, *(f"{HOLD}:{name}" for name in sorted(holds)))


def verdict_of(
    findings: Iterable[Finding],
    validity: Validity | None,
    *,
    due: bool,
    blocking: Iterable[str] = (),
) -> Verdict:
    """Return the sum of a credential's findings.

    blocked   something blocks the rotation of this credential
    due       a rotation is due, or the key needs a person: it is dead, or breaks its policy
    unknown   the last look told nothing certain, or nobody knows the key's age
    healthy   none of these, and no finding above info
    """
    found = tuple(findings)
    codes = {f.code for f in found}
    blocks = set(blocking) | set(blocked_by(codes))
    if blocks - {Code.NOT_ARMED.value} or (due and blocks):
        return Verdict.BLOCKED
    if due or codes & DUE_CODES:
        return Verdict.DUE
    if validity not in CERTAIN or Code.AGE_UNKNOWN in codes:
        return Verdict.UNKNOWN
    grave = any(f.severity is not Severity.INFO for f in found)
    return Verdict.DUE if grave else Verdict.HEALTHY
