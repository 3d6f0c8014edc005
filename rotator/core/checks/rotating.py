"""Checks of what stands in the way of a rotation, before and during it."""

from __future__ import annotations

from collections.abc import Iterator

from rotator.core.checks.inputs import Case, Standing
from rotator.core.checks.said import Said
from rotator.core.cures import command, keys_page
from rotator.core.findings import Code
from rotator.core.scopes import Scope
from rotator.core.words import listed, time_told, told


def _near(case: Case) -> bool:
    """Say whether a rotation is due within the policy's warning time."""
    return case.due is not None and case.due.at - case.now <= case.policy.warn_before


def rotation_stuck(case: Case) -> Iterator[Said]:
    """Report that the open rotation waits for an answer, or is past its deadline."""
    open_ = case.context.rotation
    if open_ is None:
        return
    if open_.question is not None:
        answers = "|".join(told(a, 20) for a in open_.answers[:5]) or "adopt|abort|retry"
        yield Said(
            f"Rotation {told(open_.rotation)} is quarantined: {told(open_.question, 300)}",
            f"Answer with `{command('resolve', case.name, answers)}`.",
        )
    elif open_.deadline is not None and case.now > open_.deadline:
        yield Said(
            f"Rotation {told(open_.rotation)} is in {told(open_.phase)} and should have been "
            f"done by {time_told(open_.deadline)}.",
            f"See what it waits for: `{command('explain', case.name)}`.",
        )


def revocation_owed(case: Case) -> Iterator[Said]:
    """Report that the exchange refuses to delete a key that should be gone."""
    open_ = case.context.rotation
    if open_ is None or open_.owed is None:
        return
    yield Said(
        f"A key that rotation {told(open_.rotation)} replaced still lives, because its deletion "
        f"was refused: {told(open_.owed, 200)}",
        f"Delete it at {keys_page(case.context.traits)}; the rotation then proves it and ends.",
    )


def parent_missing(case: Case) -> Iterator[Said]:
    """Report that no parent is named, or the named one is not in the store."""
    if not case.lacks_parent:
        return
    parent = case.credential.parent
    if parent is not None:
        yield Said(
            f"The parent {told(parent, 200)} is not in the inventory.",
            "Write the parent's key there, or correct `parent` in the metadata or rule.",
        )
    elif case.context.armed or _near(case):
        yield Said(
            "No parent is named, so that no key may create or delete keys of this account.",
            "Name the credential of the master account as `parent` in the metadata or rule.",
        )


def parent_invalid(case: Case) -> Iterator[Said]:
    """Report that the parent's key does not work, so that nothing can be created or deleted."""
    if not case.by_program or case.lacks_parent or case.context.parent is not Standing.INVALID:
        return
    parent = case.credential.parent or case.name
    why = case.context.parent_reason
    yield Said(
        f"The key of the parent {told(parent, 200)} does not work"
        f"{f' ({told(why, 160)})' if why else ''}.",
        f"Replace the parent's key at {keys_page(case.context.traits)}.",
    )


def parent_overscoped(case: Case) -> Iterator[Said]:
    """Report that a parent may do more than manage keys: it may withdraw."""
    facts = case.powers
    if not case.context.serves_as_parent or facts is None or facts.scopes is None:
        return
    if Scope.WITHDRAW in facts.scopes:
        yield Said(
            "This parent's key may withdraw funds, which managing keys does not need.",
            f"Replace it at {keys_page(case.context.traits)} by one that may only manage keys.",
        )


def slots_full(case: Case) -> Iterator[Said]:
    """Report that the account has no room for a second key."""
    slots = case.context.slots
    if slots is None or not case.by_program or slots.used < slots.limit:
        return
    yield Said(
        f"The account holds {slots.used} of {slots.limit} keys: there is no room for a new one.",
        f"Delete a key that nobody uses: `rotator strays`, or {keys_page(case.context.traits)}.",
    )


def cannot_reproduce(case: Case) -> Iterator[Said]:
    """Report that a create call could not make what the key has."""
    reason = case.context.cannot_reproduce
    if reason is None or not case.by_program:
        return
    yield Said(
        f"A new key could not be made like this one: {told(reason, 300)}",
        f"Replace it by hand at {keys_page(case.context.traits)}, or change what it has.",
    )


def no_consumers(case: Case) -> Iterator[Said]:
    """Report that nobody is named who reads this credential."""
    if not case.by_program or case.credential.consumers or case.policy.consumers:
        return
    yield Said(
        f"No consumer is named; after a rotation the old key goes by rule `{case.policy.revoke}`.",
        "Name who reads it as `consumers` in the metadata, the rule or the policy.",
    )


def not_armed(case: Case) -> Iterator[Said]:
    """Report that a rotation is near, but the path is only watched."""
    if case.context.armed or not case.by_program or not _near(case):
        return
    yield Said(
        "A program could rotate this key, but its path is not armed: it is only watched.",
        f"Add a glob that covers {told(listed([case.credential.path]), 200)} to `rotation.armed`.",
    )


CHECKS = (
    (Code.ROTATION_STUCK, rotation_stuck),
    (Code.REVOCATION_OWED, revocation_owed),
    (Code.PARENT_MISSING, parent_missing),
    (Code.PARENT_INVALID, parent_invalid),
    (Code.PARENT_OVERSCOPED, parent_overscoped),
    (Code.SLOTS_FULL, slots_full),
    (Code.CANNOT_REPRODUCE, cannot_reproduce),
    (Code.NO_CONSUMERS, no_consumers),
    (Code.NOT_ARMED, not_armed),
)
