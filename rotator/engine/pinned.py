"""Whether a rotation's pins still fit the configuration (rule 8).  Pure."""

from __future__ import annotations

from rotator.core.facts import Credential
from rotator.core.names import AccountId
from rotator.core.record import Pins


def pins_problem(pins: Pins, now: Credential, owner: AccountId | None) -> str | None:
    """Say which pins a credential contradicts as it is configured now.

    `owner` is the account of the pinned parent's key as the exchange told it.
    Where either account is unknown, nothing contradicts.
    """
    both = owner is not None and pins.parent_account is not None
    told = (
        ("exchange", now.exchange != pins.exchange),
        ("environment", now.environment != pins.environment),
        ("parent", now.parent != pins.parent),
        ("parent's account", both and owner != pins.parent_account),
        ("field map", tuple(sorted(now.fields.items())) != pins.fields),
    )
    wrong = [name for name, changed in told if changed]
    if not wrong:
        return None
    return f"the credential's {', '.join(wrong)} changed since the rotation was opened"
