"""Checks of age, expiry and use."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from rotator.core.checks.inputs import DEAD, Case
from rotator.core.checks.said import Said
from rotator.core.cures import by_hand, command, keys_page
from rotator.core.due import Due, Why
from rotator.core.facts import NEVER
from rotator.core.findings import Code
from rotator.core.words import key_told, span_told, time_told, told

IMMINENT = timedelta(hours=24)
PULLED_IN = timedelta(days=1)
"""An end told in whole days moves by up to a day without any change."""


def _end(case: Case) -> datetime | None:
    """Return the known end of a key that is not dead."""
    if case.validity in DEAD or not isinstance(case.expires, datetime):
        return None
    return case.expires


def _next_key(case: Case) -> str:
    """Say what is to be done about a key that must be replaced."""
    if not case.by_program:
        return by_hand(case.name, case.context.traits)
    if case.lacks_parent:
        return (
            f"Name its `parent`, or replace it by hand: {by_hand(case.name, case.context.traits)}"
        )
    if case.context.rotation is not None:
        return f"Its rotation is open: `{command('explain', case.name)}`."
    if not case.context.armed:
        at_once = f"at once with `{command('rotate', case.name)}`"
        return f"Arm its path (`rotation.armed`): then it is rotated by itself, or {at_once}."
    return f"Nothing, if nothing blocks its rotation: `{command('explain', case.name)}`."


def expiry_imminent(case: Case) -> Iterator[Said]:
    """Report that the exchange ends the key within a day, or should have ended it."""
    end = _end(case)
    if end is None or end - case.now >= IMMINENT:
        return
    left = (
        "should have ended" if end <= case.now else f"has {span_told(end - case.now)} left and ends"
    )
    yield Said(f"The {key_told(case.key_id)} {left} on {time_told(end)}.", _next_key(case))


def expires_soon(case: Case) -> Iterator[Said]:
    """Report that the exchange ends the key within the policy's lead."""
    end = _end(case)
    if end is None or not IMMINENT <= end - case.now <= case.policy.expiry_lead:
        return
    yield Said(
        f"The {key_told(case.key_id)} ends on {time_told(end)}, in {span_told(end - case.now)}.",
        _next_key(case),
    )


def expiry_pulled_in(case: Case) -> Iterator[Said]:
    """Report that the exchange now ends the key earlier than it said before."""
    last = case.last.expires_at if case.last else None
    now = case.facts.expires_at if case.facts else None
    if last is None or not isinstance(now, datetime):
        return
    if last is not NEVER and last - now <= PULLED_IN:
        return
    before = "never" if last is NEVER else f"on {time_told(last)}"
    yield Said(
        f"The exchange now ends the key on {time_told(now)}; before it said {before}.",
        "Find out why: a password change or a removed address list shortens keys. "
        + _next_key(case),
    )


def _why(due: Due, case: Case) -> str:
    """Say for which reason a key is due."""
    if due.why is Why.VIOLATION:
        return f"it has powers that policy {told(case.policy.name)} forbids"
    if due.why is Why.EXPIRY and isinstance(case.expires, datetime):
        return f"it ends on {time_told(case.expires)}"
    age = "" if case.created is None else f"it is {span_told(case.now - case.created)} old and "
    return f"{age}should have been replaced by {time_told(due.deadline)}"


def overdue(case: Case) -> Iterator[Said]:
    """Report that the key is past its age; or it is due and only a person can replace it."""
    due = case.due
    if due is None:
        return
    late = due.why is Why.AGE and due.deadline <= case.now
    if late or (case.is_due and not case.by_program):
        yield Said(f"The {key_told(case.key_id)} is due: {_why(due, case)}.", _next_key(case))


def due_soon(case: Case) -> Iterator[Said]:
    """Report that the key will be due within the policy's warning time, or is due just now."""
    due = case.due
    if due is None or due.why is not Why.AGE or case.now >= due.deadline:
        return
    if due.at - case.now > case.policy.warn_before or (case.is_due and not case.by_program):
        return
    yield Said(f"The key is due on {time_told(due.at)}.", _next_key(case))


def age_unknown(case: Case) -> Iterator[Said]:
    """Report that neither exchange nor store tell when the key was made."""
    # Of a key that could not be read, another check says so.
    if case.created is not None or case.known is None:
        return
    yield Said(
        "Nobody tells how old the key is: the exchange does not, and the store's oldest "
        "version with this key is gone.",
        f"Replace the key once, or set `rotator_key_since` in the metadata of "
        f"{told(case.name, 200)} with its fingerprint.",
    )


def will_self_delete(case: Case) -> Iterator[Said]:
    """Report that the store itself will delete the current version."""
    stored = case.input.stored
    if stored is None or stored.deletes_at is None:
        return
    yield Said(
        f"The store deletes this version on {time_told(stored.deletes_at)} "
        "(`delete_version_after`).",
        f"Set `delete_version_after` of {told(stored.path, 200)} and of its mount to 0.",
    )


def dormant(case: Case) -> Iterator[Said]:
    """Report that nobody has used the key for long."""
    facts = case.powers
    used = facts.last_used_at if facts else None
    if used is None or case.now - used < case.policy.dormant_after:
        return
    yield Said(
        f"The key was last used on {time_told(used)}, {span_told(case.now - used)} ago.",
        f"If nobody needs it, delete it at {keys_page(case.context.traits)} and take "
        f"{told(case.name, 200)} out of the store.",
    )


CHECKS = (
    (Code.EXPIRY_IMMINENT, expiry_imminent),
    (Code.OVERDUE, overdue),
    (Code.EXPIRES_SOON, expires_soon),
    (Code.EXPIRY_PULLED_IN, expiry_pulled_in),
    (Code.AGE_UNKNOWN, age_unknown),
    (Code.WILL_SELF_DELETE, will_self_delete),
    (Code.DUE_SOON, due_soon),
    (Code.DORMANT, dormant),
)
