"""Is a key alive?  The one judgement on which deletions rest.

Both answers must be certain, because each of them lets something be deleted:
a key that is *alive* lets the other key go, a key that is *dead* is deleted or
replaced.  Everything in between is BLOCKED or UNKNOWN and lets nothing happen.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from rotator.core.facts import KeyFacts, Look, Validity
from rotator.core.names import KeyId
from rotator.core.outcome import Meaning

MALFORMED = "malformed_key"
"""Code of a failure of a credential that cannot even sign: no exchange was asked."""

REFUSALS = frozenset({Meaning.INVALID_KEY, Meaning.NOT_FOUND, Meaning.EXPIRED})
"""Answers that say the key itself is no more.

Not bad_signature: there the exchange knows the key, and only our secret is
wrong.  Not permission_denied: there the key is real.
"""


class Liveness(StrEnum):
    """What is certain of a key."""

    ALIVE = "alive"
    DEAD = "dead"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"


class Listed(StrEnum):
    """What its parent's list says of a key."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    ABSENT = "absent"
    UNKNOWN = "unknown"


def judge(
    first: Look,
    second: Look | None = None,
    control: Look | None = None,
    listed: Listed = Listed.UNKNOWN,
) -> Liveness:
    """Judge a key by one or two looks at it, in the order in which they were taken.

    `control` is a look, from the same address, at *another* key of the same
    exchange; `listed` is what a list says (`listed_in`).

    - The latest look signs in: ALIVE, whatever came before.
    - The latest look is refused because of our address: ALIVE if the list shows
      the key enabled, else BLOCKED, even if a list lacks it.
    - A complete list that shows the key known to be alive lacks this one: DEAD.
    - Both looks are refusals of the key itself while the control signs in: DEAD,
      unless a list still shows it enabled.
    - All else, also permission_denied and every ambiguous answer: UNKNOWN.
    """
    latest = second or first
    if latest.validity is Validity.VALID:
        return Liveness.ALIVE
    if latest.validity is Validity.IP_BLOCKED:
        return Liveness.ALIVE if listed is Listed.ENABLED else Liveness.BLOCKED
    if listed is Listed.ABSENT:
        return Liveness.DEAD
    answers = control is not None and control.validity is Validity.VALID
    refused_twice = second is not None and _refuses(first) and _refuses(second)
    if answers and refused_twice and listed is not Listed.ENABLED:
        return Liveness.DEAD
    return Liveness.UNKNOWN


def listed_in(
    keys: Iterable[KeyFacts],
    key_id: KeyId,
    *,
    complete: bool,
    known_alive: KeyId | None,
) -> Listed:
    """Say what a list tells of `key_id`.

    A list proves an absence only if it is complete, shows no key without its
    full id, and shows `known_alive`, a key of the same account known to be
    alive.  A key shown without its state, or twice in two states, is UNKNOWN.
    """
    shown: dict[KeyId, set[bool | None]] = {}
    named = True
    for key in keys:
        named = named and key.key_id is not None and not _masked(key.key_id)
        if key.key_id is not None:
            shown.setdefault(key.key_id, set()).add(key.enabled)
    if key_id in shown:
        states = shown[key_id]
        return _STATE[states.pop()] if len(states) == 1 else Listed.UNKNOWN
    proves = known_alive is not None and False not in shown.get(known_alive, {False})
    return Listed.ABSENT if complete and named and proves else Listed.UNKNOWN


_STATE = {True: Listed.ENABLED, False: Listed.DISABLED, None: Listed.UNKNOWN}


def _masked(key_id: str) -> bool:
    return "*" in key_id or "…" in key_id


def _refuses(look: Look) -> bool:
    failure = look.failure
    return (
        failure is not None
        and not failure.candidates
        and failure.meaning in REFUSALS
        and failure.code != MALFORMED
    )
