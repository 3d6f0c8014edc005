"""Checks of what a look at the key came to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rotator.core.checks.inputs import Case
from rotator.core.checks.said import Said
from rotator.core.cures import by_hand, command, keys_page
from rotator.core.facts import Validity
from rotator.core.findings import Code
from rotator.core.outcome import Failure, Meaning
from rotator.core.policy import Verify
from rotator.core.words import key_told, listed, time_told, told

UNREACHED = frozenset({Validity.EXCHANGE_DOWN, Validity.THROTTLED, Validity.UNKNOWN})

SAFE_WAIT = (
    "Nothing; it is asked again at the next look. If it stays, read the exchange's status page."
)

UNREACHED_CURES: dict[Meaning, str] = {
    Meaning.CLOCK_SKEW: "Set this machine's clock (NTP); the exchange refuses our time.",
    Meaning.BANNED: "Wait until the ban ends; lower the exchange's `share` if it comes again.",
    Meaning.RATE_LIMITED: "Lower `share` for the exchange if this stays: its limit is used up.",
    Meaning.BAD_REQUEST: "Report this with the code: the request is not what the exchange wants.",
}
"""What to do when an answer tells nothing of the key; else wait."""


def _reason(failure: Failure | None) -> str:
    """Return the exchange's own words in brackets, as far as there are any."""
    if failure is None:
        return ""
    code, message = told(failure.code, 40), told(failure.message, 160)
    words = message if code in message else f"{code} {message}".strip()
    return f" ({words})" if words else f" ({failure.meaning})"


def _failure(case: Case) -> Failure | None:
    return case.input.look.failure if case.input.look else None


def _ended(case: Case) -> bool:
    """Say whether a dead key's known end lies in the past."""
    return isinstance(case.expires, datetime) and case.expires <= case.now


def _is_expired(case: Case) -> bool:
    return case.validity is Validity.EXPIRED or (case.validity is Validity.INVALID and _ended(case))


def _replace(case: Case) -> str:
    """Say how a dead key is replaced."""
    if case.by_program and not case.lacks_parent:
        return f"Run `{command('rotate', case.name)}` if the key was not revoked on purpose."
    return by_hand(case.name, case.context.traits)


def invalid(case: Case) -> Iterator[Said]:
    """Report that the exchange refuses the key, or shows it switched off."""
    if case.validity is Validity.INVALID and not _is_expired(case):
        why = _reason(_failure(case))
        yield Said(f"The exchange refuses the {key_told(case.key_id)}{why}.", _replace(case))
    elif case.validity is Validity.VALID and case.facts and case.facts.enabled is False:
        yield Said(
            f"The exchange shows the {key_told(case.key_id)} as switched off.",
            f"Switch it on at {keys_page(case.context.traits)}, or replace it.",
        )


def expired(case: Case) -> Iterator[Said]:
    """Report that the key has come to its end."""
    if not _is_expired(case):
        return
    when = f" on {time_told(case.expires)}" if isinstance(case.expires, datetime) else ""
    yield Said(f"The {key_told(case.key_id)} expired{when}.", _replace(case))


def wrong_account(case: Case) -> Iterator[Said]:
    """Report that the key belongs to another account than the metadata says."""
    wanted, facts = case.credential.account, case.known
    if wanted is None or facts is None or facts.account_id in (None, wanted):
        return
    yield Said(
        f"The key belongs to account {told(str(facts.account_id))}, "
        f"the metadata says {told(wanted)}.",
        f"Write the right key to {told(case.name, 200)}, or correct `account` in its metadata.",
    )


def wrong_environment(case: Case) -> Iterator[Said]:
    """Report that the exchange itself says that the key is of another environment."""
    facts, wanted = case.known, case.credential.environment
    if facts is None or facts.environment in (None, wanted):
        return
    yield Said(
        f"The exchange says that the key is of {told(str(facts.environment))}, "
        f"the metadata says {told(wanted)}.",
        f"Correct `environment` in the metadata of {told(case.name, 200)}, or write the right key.",
    )


def ip_blocked(case: Case) -> Iterator[Said]:
    """Report that our address is not on the key's list."""
    if case.validity is not Validity.IP_BLOCKED:
        return
    egress = case.context.egress
    ours = (
        f"our addresses are {listed(egress)}" if egress else "`egress` names none of our addresses"
    )
    yield Said(
        f"The key's address list refuses us{_reason(_failure(case))}; {ours}.",
        "Send our calls through an address on the list (`exchanges.*.proxy`), or let the "
        "parent's list stand in (`verify: list`). Do not widen the key's list to let us in.",
    )


def vantage_blocked(case: Case) -> Iterator[Said]:
    """Report that a new key would have the same list, so that we could not verify it."""
    if case.validity is not Validity.IP_BLOCKED or not case.by_program:
        return
    if case.policy.verify is Verify.LIST:
        return
    yield Said(
        "A new key could not be verified from here: its address list would refuse us as well.",
        "Set `exchanges.*.proxy` to an address on the list, or `verify: list` in policy "
        f"{told(case.policy.name)}.",
    )


def permission_denied(case: Case) -> Iterator[Said]:
    """Report that the key is real but may not read its own facts."""
    if case.validity is not Validity.PERMISSION_DENIED:
        return
    yield Said(
        f"The key may not read what it is{_reason(_failure(case))}.",
        f"Give it the read permission at {keys_page(case.context.traits)}.",
    )


def unreachable(case: Case) -> Iterator[Said]:
    """Report that the answer tells nothing certain of the key.

    An answer that covers several meanings is told here as well, with all of them:
    it is neither proof of a dead key nor of a living one.
    """
    if case.validity not in UNREACHED:
        return
    failure = _failure(case)
    if failure is not None and failure.candidates:
        names = listed(m.value for m in failure.candidates)
        yield Said(
            f"The exchange's answer can mean several things: {names}{_reason(failure)}.",
            f"Sign in with the key from an address on its list, or look at it at "
            f"{keys_page(case.context.traits)}.",
        )
        return
    cure = UNREACHED_CURES.get(failure.meaning, SAFE_WAIT) if failure else SAFE_WAIT
    yield Said(f"The exchange told nothing of the key{_reason(failure)}.", cure)


def exchange_closing(case: Case) -> Iterator[Said]:
    """Report that the exchange has said when it closes."""
    traits = case.context.traits
    if traits is None or traits.closes_at is None:
        return
    yield Said(
        f"{told(traits.name)} closes on {time_told(traits.closes_at)} "
        f"({told(traits.source, 160)}).",
        "Move the funds and stop the consumers before that day.",
    )


def exchange_closed(case: Case) -> Iterator[Said]:
    """Report that the exchange is closed; nothing is sent to its hosts any more."""
    traits = case.context.traits
    if traits is None or traits.closes_at is None or not case.closed:
        return
    yield Said(
        f"{told(traits.name)} is closed since {time_told(traits.closes_at)} "
        f"({told(traits.source, 160)}).",
        f"Stop its consumers, move what funds are left, and take {told(case.name, 200)} "
        "out of the store.",
    )


CHECKS = (
    (Code.INVALID, invalid),
    (Code.EXPIRED, expired),
    (Code.WRONG_ACCOUNT, wrong_account),
    (Code.WRONG_ENVIRONMENT, wrong_environment),
    (Code.IP_BLOCKED, ip_blocked),
    (Code.PERMISSION_DENIED, permission_denied),
    (Code.UNREACHABLE, unreachable),
    (Code.VANTAGE_BLOCKED, vantage_blocked),
    (Code.EXCHANGE_CLOSING, exchange_closing),
)
