"""What KV v2 accepts: paths, custom_metadata, sizes, and what each version's limits come to.

Limits as HashiCorp's KV v2 plugin has them.  Everything refused is a StoreError
with the status that Vault would answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final, cast

from rotator.core.names import StorePath
from rotator.core.outcome import Happened, StoreError

DEFAULT_MAX_VERSIONS: Final = 10
MAX_CUSTOM_KEYS: Final = 64
MAX_CUSTOM_KEY_BYTES: Final = 128
MAX_CUSTOM_VALUE_BYTES: Final = 512
MAX_VALUE_BYTES: Final = 1024 * 1024
MAX_PATH_BYTES: Final = 1024


def refused(message: str, status: int = 400) -> StoreError:
    """Return the error of a request that will be refused again."""
    return StoreError(message, happened=Happened.REFUSED, status=status)


def split_mount(path: str) -> tuple[str, str]:
    """Return (mount, rest) of a secret's path: a local mount is its first segment."""
    if not is_path(path):
        raise refused(f"{path[:120]!r} is not a path such as secret/desk0")
    mount, _, rest = path.partition("/")
    return mount, rest


def is_path(path: str) -> bool:
    """Say whether a secret can lie here: mount and name, printable, at most 1024 bytes."""
    segments = path.split("/")
    addressable = len(segments) > 1 and all(_good_segment(s) for s in segments)
    return addressable and len(path.encode()) <= MAX_PATH_BYTES


def folder_of(path: str) -> str:
    """Return a folder's name with exactly one trailing slash."""
    bare = path.strip("/")
    if not bare or not all(_good_segment(s) for s in bare.split("/")):
        raise refused(f"{path[:120]!r} is not a folder such as secret/trading/")
    return bare + "/"


def _good_segment(segment: str) -> bool:
    return bool(segment) and segment not in {".", ".."} and segment.isprintable()


def merged_custom(
    path: StorePath, present: Mapping[str, str], patch: Mapping[str, str | None]
) -> dict[str, str]:
    """Return custom_metadata after a merge patch; None removes a key."""
    merged = dict(present)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
            continue
        _check_custom(path, key, value)
        merged[key] = value
    if len(merged) > MAX_CUSTOM_KEYS:
        raise refused(f"{path}: custom_metadata may have at most {MAX_CUSTOM_KEYS} keys")
    return merged


def _check_custom(path: StorePath, key: str, value: str) -> None:
    for what, text, limit in (
        ("key", key, MAX_CUSTOM_KEY_BYTES),
        ("value", value, MAX_CUSTOM_VALUE_BYTES),
    ):
        if not (isinstance(text, str) and text.isprintable() and 1 <= len(text.encode()) <= limit):
            raise refused(
                f"{path}: custom_metadata validation failed: a {what} must be a printable "
                f"text of 1 to {limit} bytes"
            )


def encoded(path: StorePath, data: Mapping[str, Any]) -> bytes:
    """Return a version's data as JSON bytes."""
    try:
        text = json.dumps(
            dict(data), allow_nan=False, ensure_ascii=False, separators=(",", ":")
        ).encode()
    except (TypeError, ValueError) as error:
        # The error's own text may quote a value, so it stays out of the message.
        raise refused(f"{path}: the data is not JSON ({type(error).__name__})") from None
    if len(text) > MAX_VALUE_BYTES:
        raise refused(f"{path}: a version may have at most {MAX_VALUE_BYTES} bytes", 413)
    return text


def decoded(raw: bytes) -> dict[str, Any]:
    """Return the data of a version that `encoded` made."""
    return cast("dict[str, Any]", json.loads(raw))


def effective_max_versions(of_path: int, of_mount: int) -> int:
    """Return how many versions are kept: a path cannot lower its mount's number."""
    return max(of_path, of_mount) or DEFAULT_MAX_VERSIONS


def effective_retention(of_path: timedelta, of_mount: timedelta) -> timedelta:
    """Return after what time a version deletes itself; zero = never."""
    return min((t for t in (of_path, of_mount) if t > timedelta(0)), default=timedelta(0))


def first_kept(current: int, oldest: int, max_versions: int) -> int:
    """Return the oldest version kept once `current` is written.

    As KV v2 does it, the number stays 0 until the window is full for the first time.
    """
    return current - max_versions + 1 if current - oldest >= max_versions else oldest
