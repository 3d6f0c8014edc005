"""What to do about a finding: commands as they are typed, and where to click."""

from __future__ import annotations

import shlex

from rotator.core.policy import ExchangeTraits
from rotator.core.words import told

NAME_LENGTH = 1000


def command(verb: str, name: str, *more: str) -> str:
    """Return a command on a credential, quoted for a shell; control characters are escaped."""
    return " ".join(("rotator", verb, shlex.quote(told(name, NAME_LENGTH)), *more))


def keys_page(traits: ExchangeTraits | None) -> str:
    """Return where a person manages keys at an exchange."""
    if traits is None:
        return "the exchange's page for API keys"
    if not traits.keys_page:
        return f"the page for API keys of {told(traits.name)}"
    return told(traits.keys_page, 200)


def by_hand(name: str, traits: ExchangeTraits | None) -> str:
    """Say how a person replaces a key that no program can replace."""
    return (
        f"Create a new key with the same permissions and addresses at {keys_page(traits)}, "
        f"write it to {told(name, 200)}, and delete the old key when no consumer uses it any more."
    )
