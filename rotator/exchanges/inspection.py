"""`rotator inspect`: the credential it reads and the JSON it prints.  Pure.

Field names and words are the contract of the command line; what is unknown is
null, what does not expire is `never`, times are ISO 8601 UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import orjson

from rotator.core.facts import NEVER, KeyFacts, Look, Never
from rotator.core.names import AccountId, KeyId, Secrets, Sensitive, SigningKey
from rotator.core.outcome import Failure
from rotator.exchanges.port import Listing

MAX_CREDENTIAL: Final = 64 * 1024
SECRETS: Final = ("api_secret", "private_key")
FIELDS: Final = ("api_key", *SECRETS, "passphrase", "key_id", "account")


class CredentialError(ValueError):
    """The credential given cannot be used; the text names the field and the cure."""


@dataclass(frozen=True, slots=True)
class Presented:
    """A credential as a person hands it over, and the account to list if one is named."""

    key: SigningKey
    account: AccountId | None = None


def parse_credential(text: str | bytes) -> Presented:
    """Read a credential from JSON; raise CredentialError, which never repeats a value.

    Needs `api_key` and one of `api_secret`, `private_key`; `passphrase`, `key_id`
    and `account` may be there, anything else is ignored, null and "" are absent.
    """
    if len(text) > MAX_CREDENTIAL:
        raise CredentialError("the credential is longer than 64 KiB: give one JSON object")
    try:
        told = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise CredentialError(
            'the credential is no JSON: give {"api_key": "...", "api_secret": "..."}'
        ) from None
    if not isinstance(told, dict):
        raise CredentialError("the credential must be one JSON object with the field `api_key`")
    found = {name: _value(name, told.get(name)) for name in FIELDS}
    api_key = found["api_key"]
    if api_key is None:
        raise CredentialError("the field `api_key` is missing: give the key's public id")
    if all(found[name] is None for name in SECRETS):
        raise CredentialError(
            "the field `api_secret` is missing: give it, or `private_key` for Ed25519 and RSA keys"
        )
    if all(found[name] is not None for name in SECRETS):
        raise CredentialError(
            "the field `private_key` stands beside `api_secret`: give the one that signs"
        )
    secrets = Secrets(
        _sensitive(found["api_secret"]),
        _sensitive(found["private_key"]),
        _sensitive(found["passphrase"]),
    )
    account = found["account"]
    return Presented(SigningKey(KeyId(api_key), secrets), AccountId(account) if account else None)


def look_document(exchange: str, look: Look) -> dict[str, object]:
    """Return what `rotator inspect` prints for a look."""
    return {
        "exchange": exchange,
        "validity": look.validity.value,
        "reason": look.reason.value if look.reason else None,
        "candidates": _candidates(look.failure),
        **_facts(look.facts or KeyFacts(key_id=None)),
    }


def listing_document(exchange: str, told: Listing | Failure) -> dict[str, object]:
    """Return what `rotator inspect --keys` prints; `reason` says why there is no list."""
    failure = told if isinstance(told, Failure) else None
    listing = Listing((), complete=False) if isinstance(told, Failure) else told
    return {
        "exchange": exchange,
        "complete": listing.complete,
        "keys": [_facts(facts) for facts in listing.keys],
        "reason": failure.meaning.value if failure else None,
        "candidates": _candidates(failure),
    }


def _facts(facts: KeyFacts) -> dict[str, object]:
    return {
        "key_id": facts.key_id,
        "label": facts.label,
        "account_id": facts.account_id,
        "scopes": None if facts.scopes is None else sorted(s.value for s in facts.scopes),
        "native_permissions": None if facts.native is None else sorted(facts.native),
        "ip_restricted": facts.ip_restricted,
        "ip_allowlist": None if facts.ip_allowlist is None else list(facts.ip_allowlist),
        "created_at": _time(facts.created_at),
        "expires_at": _time(facts.expires_at),
        "last_used_at": _time(facts.last_used_at),
        "enabled": facts.enabled,
    }


def _candidates(failure: Failure | None) -> list[str]:
    return [m.value for m in failure.candidates] if failure else []


def _time(at: datetime | Never | None) -> str | None:
    if at is None:
        return None
    if at is NEVER:
        return "never"
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _value(name: str, value: object) -> str | None:
    if value is None or value == "":
        return None
    if name == "account" and type(value) is int:
        return str(value)
    if not isinstance(value, str):
        raise CredentialError(f"the field `{name}` must be a text in quotes")
    return value


def _sensitive(value: str | None) -> Sensitive | None:
    return Sensitive(value) if value else None
