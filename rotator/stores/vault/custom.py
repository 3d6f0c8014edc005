"""The limits of custom_metadata, checked before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping

from rotator.core.outcome import Happened, StoreError

MOST_KEYS = 64
LONGEST_KEY = 128
LONGEST_VALUE = 512


def check(changes: Mapping[str, str | None]) -> None:
    """Raise StoreError for a key or value that Vault refuses (lengths are in bytes)."""
    for key, value in changes.items():
        if not _fits(key, LONGEST_KEY):
            raise _refused(f"a key must be 1 to {LONGEST_KEY} printable bytes")
        if value is not None and not _fits(value, LONGEST_VALUE):
            raise _refused(f"a value must be 1 to {LONGEST_VALUE} printable bytes")


def check_count(held: Mapping[str, str], changes: Mapping[str, str | None]) -> None:
    """Raise StoreError if the merged map would be larger than Vault lets a POST be."""
    kept = (held.keys() | changes.keys()) - {k for k, v in changes.items() if v is None}
    if len(kept) > MOST_KEYS:
        raise _refused(f"at most {MOST_KEYS} keys")


def _fits(text: object, limit: int) -> bool:
    if not isinstance(text, str) or not text.isprintable():
        return False
    return 1 <= len(text.encode(errors="replace")) <= limit


def _refused(rule: str) -> StoreError:
    return StoreError(f"custom_metadata is refused: {rule}", happened=Happened.REFUSED, status=400)
