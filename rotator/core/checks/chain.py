"""The chain of checks, and the judgement that comes out of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from rotator.core.checks import access, keeping, lifetime, powers, rotating
from rotator.core.checks.inputs import Case, CheckInput
from rotator.core.checks.said import Check
from rotator.core.due import Due
from rotator.core.facts import Validity
from rotator.core.findings import Code, Finding, Severity, Verdict
from rotator.core.names import AccountId, CredentialName, ExchangeName, StorePath
from rotator.core.policy import PROGRAM, Policy, Strategy
from rotator.core.verdict import blocked_by, severity_of, verdict_of

CHECKS: tuple[tuple[Code, Check], ...] = (
    *powers.CHECKS,
    *access.CHECKS,
    *lifetime.CHECKS,
    *keeping.CHECKS,
    *rotating.CHECKS,
)
"""Every check of a credential with its reason code, in the order in which they run."""

CLOSED_CHECKS: tuple[tuple[Code, Check], ...] = ((Code.EXCHANGE_CLOSED, access.exchange_closed),)
"""A credential of a closed exchange is judged from the store alone."""

_ORDER = {severity: place for place, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the checks came to for one credential.

    `blocking` are the words that keep its rotation shut as far as they lie in
    the credential itself; a schedule adds holds, incidents, limits and times.
    """

    credential: CredentialName
    path: StorePath
    exchange: ExchangeName | None
    account: AccountId | None
    policy: Policy
    findings: tuple[Finding, ...]
    verdict: Verdict
    validity: Validity | None
    strategy: Strategy
    due: Due | None
    expires_at: datetime | None
    armed: bool
    managed: bool
    blocking: tuple[str, ...]

    @property
    def by_program(self) -> bool:
        """Say whether a program carries out the strategy."""
        return self.strategy in PROGRAM

    @property
    def due_at(self) -> datetime | None:
        """When the rotation is due, jitter included; None if that is unknown."""
        return self.due.at if self.due else None


def findings_of(case: Case) -> tuple[Finding, ...]:
    """Run the chain: the gravest findings first, else in the order of the checks."""
    if not case.credential.managed:
        return ()
    chain = CLOSED_CHECKS if case.closed else CHECKS
    return tuple(sorted(_run(chain, case), key=lambda f: _ORDER[f.severity]))


def judge(given: CheckInput) -> Judgement:
    """Judge one credential.  Pure: the same input gives the same judgement."""
    case = Case.of(given)
    findings = findings_of(case)
    managed, credential = case.credential.managed, case.credential
    blocking = _blocking(case, findings) if managed else ()
    due = case.due if managed and not case.closed else None
    facts_account = case.known.account_id if case.known else None
    return Judgement(
        credential=credential.name,
        path=credential.path,
        exchange=credential.exchange,
        account=credential.account or facts_account,
        policy=given.policy,
        findings=findings,
        verdict=_verdict(case, findings, blocking),
        validity=case.validity,
        strategy=case.strategy if managed else Strategy.OBSERVE,
        due=due,
        expires_at=case.expires if isinstance(case.expires, datetime) else None,
        armed=given.context.armed,
        managed=managed,
        blocking=blocking,
    )


def _run(chain: tuple[tuple[Code, Check], ...], case: Case) -> Iterator[Finding]:
    for code, check in chain:
        for said in check(case):
            severity = severity_of(case.policy, code)
            yield Finding(case.name, code, severity, said.message, said.cure)


def _blocking(case: Case, findings: tuple[Finding, ...]) -> tuple[str, ...]:
    """Return the blocking words, those included that are told only when a rotation is near."""
    codes = {f.code for f in findings}
    if not case.closed and case.by_program:
        codes |= {Code.NOT_ARMED} if not case.context.armed else set()
        codes |= {Code.PARENT_MISSING} if case.lacks_parent else set()
    return blocked_by(codes)


def _verdict(case: Case, findings: tuple[Finding, ...], blocking: tuple[str, ...]) -> Verdict:
    if not case.credential.managed:
        return Verdict.HEALTHY
    told = {f.code.value for f in findings}
    # A blocker that is not told yet, because no rotation is near, leaves the verdict alone.
    near = tuple(b for b in blocking if b in told)
    return verdict_of(findings, case.validity, due=case.is_due and not case.closed, blocking=near)
