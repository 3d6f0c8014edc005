"""KV v2 JSON to the port's types.  Tolerant of unknown fields, strict on those we use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from sys import intern
from typing import Any

from rotator.core.names import StorePath
from rotator.core.outcome import StoreError
from rotator.stores.port import Metadata, Secret, Version

DEFAULT_MAX_VERSIONS = 10
_UNIT_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|ns)")
_NONE = timedelta(0)


def moment(text: Any) -> datetime:
    """Return an RFC 3339 time (any precision) as aware UTC."""
    if not isinstance(text, str):
        raise malformed("a time")
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise malformed("a time") from None
    if when.tzinfo is None:
        raise malformed("a time")
    return when if when.tzinfo is UTC else when.astimezone(UTC)


def duration(text: Any) -> timedelta:
    """Return a Go duration ("1h30m0s") or a number of seconds."""
    if isinstance(text, int) and not isinstance(text, bool):
        text = f"{text}s"
    if text == "0s" or text is None or text == "":
        return _NONE
    if not isinstance(text, str) or _PART.sub("", text) or not _PART.match(text):
        raise malformed("a duration")
    seconds = sum(float(n) * _UNIT_S[unit] for n, unit in _PART.findall(text))
    try:
        return timedelta(seconds=seconds)
    except OverflowError:
        raise malformed("a duration") from None


def whole(value: Any) -> int:
    """Return a non-negative whole number."""
    if type(value) is not int or value < 0:
        raise malformed("a number")
    return value


def metadata(path: StorePath, data: Mapping[str, Any]) -> Metadata:
    """Return a path's metadata from the `data` of GET metadata."""
    entries = data.get("versions") or {}
    if not isinstance(entries, dict):
        raise malformed("versions")
    created_at = moment(data.get("created_time"))
    versions = [_version(number, entry, created_at) for number, entry in entries.items()]
    if len(versions) > 1:
        versions.sort(key=lambda v: v.number)
    return Metadata(
        path=path,
        current=whole(data.get("current_version")),
        oldest=whole(data.get("oldest_version", 0)),
        created_at=created_at,
        versions=tuple(versions),
        custom=custom(data.get("custom_metadata")),
        max_versions=whole(data.get("max_versions", 0)),
        delete_version_after=duration(data.get("delete_version_after")),
    )


def secret(path: StorePath, data: Mapping[str, Any]) -> Secret:
    """Return one version from the `data` of GET data, deleted ones too."""
    told, content = data.get("metadata"), data.get("data")
    if not isinstance(told, dict) or not isinstance(content, dict | None):
        raise malformed("a secret")
    return Secret(
        path=path,
        version=whole(told.get("version")),
        data=content,
        created_at=moment(told.get("created_time")),
        deletes_at=_optional_moment(told.get("deletion_time")),
        destroyed=told.get("destroyed") is True,
        custom=custom(told.get("custom_metadata")),
    )


def custom(value: Any) -> Mapping[str, str]:
    """Return custom_metadata; unset is empty, a value of another type is its text."""
    if not value:
        return {}
    if not isinstance(value, dict):
        raise malformed("custom_metadata")
    # Thousands of paths say the same few words: each is kept once.
    return {
        intern(key): intern(text if isinstance(text, str) else str(text))
        for key, text in value.items()
    }


def names(data: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of a LIST answer."""
    keys = data.get("keys")
    if not isinstance(keys, list) or not all(isinstance(k, str) for k in keys):
        raise malformed("a list of names")
    return tuple(keys)


def malformed(what: str) -> StoreError:
    """Return the error of an answer with a field that cannot be read."""
    return StoreError(f"Vault's answer has no readable field: {what}", status=200)


def _version(number: Any, entry: Any, path_created: datetime) -> Version:
    if not isinstance(entry, dict) or not isinstance(number, str) or not number.isdecimal():
        raise malformed("a version")
    by, created_at = entry.get("created_by"), moment(entry.get("created_time"))
    return Version(
        int(number),
        path_created if created_at == path_created else created_at,
        _optional_moment(entry.get("deletion_time")),
        entry.get("destroyed") is True,
        _actor(by) if by else None,
    )


def _optional_moment(text: Any) -> datetime | None:
    return moment(text) if text else None


def _actor(by: Any) -> str | None:
    actor = by.get("actor") if isinstance(by, dict) else by
    return intern(actor) if isinstance(actor, str) else None
