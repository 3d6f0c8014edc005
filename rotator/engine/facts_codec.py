"""Key facts as JSON: written in full, read with tolerance.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from rotator.core.facts import NEVER, KeyFacts, Never
from rotator.core.names import AccountId, Fingerprint, KeyId
from rotator.core.outcome import Failure, Meaning
from rotator.core.scopes import Scope

FACTS_VERSION: Final = 1
MAX_MESSAGE: Final = 300
NOTHING: Final = KeyFacts(None)
"""The facts of a key that no look has read."""

_TEXTS: Final = ("label", "handle", "key_type", "environment")
_TIMES: Final = ("created_at", "updated_at", "last_used_at")
_FLAGS: Final = ("ip_restricted", "enabled")


@dataclass(frozen=True, slots=True)
class Remembered:
    """The last facts of one key; `key_fp` says of which key they speak.

    `failure` is why the last certain look told no facts: then `facts` are older.
    """

    key_fp: Fingerprint
    facts: KeyFacts
    seen_at: datetime | None = None
    failure: Failure | None = None

    @property
    def known(self) -> KeyFacts | None:
        """The facts, None if no look has ever told any."""
        return None if self.facts == NOTHING else self.facts


def encode_facts(remembered: Remembered) -> dict[str, Any]:
    """Return the facts as a document's data; no secret is in them."""
    facts = remembered.facts
    return {
        "facts_version": FACTS_VERSION,
        "key_fp": remembered.key_fp,
        "seen_at": _told_time(remembered.seen_at),
        "failure": _told_failure(remembered.failure),
        "key_id": facts.key_id,
        "account_id": facts.account_id,
        "parent_account_id": facts.parent_account_id,
        "scopes": None if facts.scopes is None else sorted(s.value for s in facts.scopes),
        "native": None if facts.native is None else list(facts.native),
        "native_flags": [list(pair) for pair in facts.native_flags],
        "unknown_native": list(facts.unknown_native),
        "ip_allowlist": None if facts.ip_allowlist is None else list(facts.ip_allowlist),
        "expires_at": _told_time(facts.expires_at),
        **{name: getattr(facts, name) for name in (*_TEXTS, *_FLAGS)},
        **{name: _told_time(getattr(facts, name)) for name in _TIMES},
    }


def decode_facts(data: Mapping[str, Any]) -> Remembered | None:
    """Return what a document remembers; None if it does not say of which key.

    A field of a wrong type is unknown, never an error.
    """
    key_fp = _text(data.get("key_fp"))
    if key_fp is None or data.get("facts_version") != FACTS_VERSION:
        return None
    key_id, account = _text(data.get("key_id")), _text(data.get("account_id"))
    parent = _text(data.get("parent_account_id"))
    facts = KeyFacts(
        key_id=None if key_id is None else KeyId(key_id),
        account_id=None if account is None else AccountId(account),
        parent_account_id=None if parent is None else AccountId(parent),
        scopes=_scopes(data.get("scopes")),
        native=_texts(data.get("native")),
        native_flags=_pairs(data.get("native_flags")),
        unknown_native=_texts(data.get("unknown_native")) or (),
        ip_allowlist=_texts(data.get("ip_allowlist")),
        expires_at=_end(data.get("expires_at")),
        label=_text(data.get("label")),
        handle=_text(data.get("handle")),
        key_type=_text(data.get("key_type")),
        environment=_text(data.get("environment")),
        ip_restricted=_flag(data.get("ip_restricted")),
        enabled=_flag(data.get("enabled")),
        created_at=_time(data.get("created_at")),
        updated_at=_time(data.get("updated_at")),
        last_used_at=_time(data.get("last_used_at")),
    )
    failure = _failure(data.get("failure"))
    return Remembered(Fingerprint(key_fp), facts, _time(data.get("seen_at")), failure)


def differ(one: KeyFacts, two: KeyFacts) -> bool:
    """Say whether two looks differ in more than the last use."""
    return replace(one, last_used_at=None) != replace(two, last_used_at=None)


def _told_failure(failure: Failure | None) -> dict[str, Any] | None:
    if failure is None:
        return None
    return {
        "meaning": failure.meaning.value,
        "candidates": [meaning.value for meaning in failure.candidates],
        "message": failure.message[:MAX_MESSAGE],
        "code": failure.code[:MAX_MESSAGE],
    }


def _failure(value: object) -> Failure | None:
    if not isinstance(value, Mapping):
        return None
    words = (value.get("meaning"), *(_texts(value.get("candidates")) or ()))
    known = {meaning.value: meaning for meaning in Meaning}
    meanings = tuple(known.get(str(word), Meaning.OTHER) for word in words)
    message, code = _text(value.get("message")) or "", _text(value.get("code")) or ""
    return Failure.of(
        meanings[0], message[:MAX_MESSAGE], code=code[:MAX_MESSAGE], candidates=meanings[1:]
    )


def _told_time(at: datetime | Never | None) -> str | None:
    if at is None:
        return None
    return "never" if at is NEVER else at.astimezone(UTC).isoformat()


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _texts(value: object) -> tuple[str, ...] | None:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        return None
    return tuple(value)


def _pairs(value: object) -> tuple[tuple[str, str], ...]:
    found = (_texts(item) for item in value) if isinstance(value, list) else ()
    return tuple((pair[0], pair[1]) for pair in found if pair is not None and len(pair) == 2)


def _scopes(value: object) -> frozenset[Scope] | None:
    names = _texts(value)
    if names is None:
        return None
    known = {scope.value for scope in Scope}
    return frozenset(Scope(n) if n in known else Scope.OTHER for n in names)


def _time(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return None
    return None if at.tzinfo is None else _in_utc(at)


def _in_utc(at: datetime) -> datetime | None:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        return None


def _end(value: object) -> datetime | Never | None:
    return NEVER if value == "never" else _time(value)
