"""What Vault's answers mean: status and body to a value or to one StoreError.

The only place that looks at Vault's status codes and error texts.
"""

from __future__ import annotations

from typing import Any

import orjson

from rotator.core.outcome import Happened, StoreConflict, StoreDenied, StoreError
from rotator.stores.vault.adapter import Answer, VaultAway

RETRIED_READS = frozenset({412, 429, 500, 502, 503, 504})
RETRIED_WRITES = frozenset({412, 429})
"""Both surely not applied: the node was stale, the quota was spent."""

SHOWN = 200
_CONFLICT = "check-and-set parameter did not match"
_SEALED = "vault is sealed"
_MOUNT_REFUSED = "preflight capability check"
_DEAD_TOKEN = "invalid token"


def parsed(answer: Answer, *, write: bool) -> dict[str, Any]:
    """Return the JSON object of a successful answer; raise the error it is otherwise.

    A success that is not a JSON object (a captive proxy, a maintenance page)
    leaves a write's fate unknown.
    """
    if answer.status == 204:
        return {}
    if answer.status != 200:
        raise fault_of(answer, write=write)
    try:
        value = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise unreadable(write=write)
    return value


def data_of(value: dict[str, Any], *, write: bool = False) -> dict[str, Any]:
    """Return the `data` object of an answer."""
    data = value.get("data")
    if not isinstance(data, dict):
        raise unreadable(write=write)
    return data


def unreadable(*, write: bool = False) -> StoreError:
    """Return the error of an answer that is not what Vault answers."""
    happened = Happened.UNKNOWN if write else Happened.NOT_APPLIED
    return StoreError("Vault's answer is not the JSON expected", happened=happened, status=200)


def is_absent(answer: Answer) -> bool:
    """Say whether a 404 means that surely nothing is there: its `errors` are an empty list.

    Any other 404 (unknown mount, wrong namespace, a proxy) is a fault of the setup.
    """
    if answer.status != 404:
        return False
    body = _object(answer.body)
    return body.get("errors") == [] and "data" not in body


def fault_of(answer: Answer, *, write: bool) -> StoreError:
    """Return the error that an unsuccessful answer is."""
    text = said(answer.body)
    status = answer.status
    message = f"Vault answered {status}" + (f": {text}" if text else "")
    if status == 400 and _CONFLICT in text.lower():
        return StoreConflict(message, happened=Happened.REFUSED, status=status)
    if status == 403:
        return StoreDenied(message, happened=Happened.REFUSED, status=status)
    if status == 503 and _SEALED in text.lower():
        return VaultAway(message, status=status, sealed=True)
    happened = _happened(status, write=write)
    return StoreError(message, happened=happened, status=status, retry_after=answer.retry_after)


def is_worth_repeating(answer: Answer, *, write: bool) -> bool:
    """Say whether the same request may soon be answered better, and harms nothing if sent."""
    retried = RETRIED_WRITES if write else RETRIED_READS
    return answer.status in retried and _SEALED not in said(answer.body).lower()


def is_mount_refusal(answer: Answer) -> bool:
    """Say whether a 403 is about a mount that a living token may not see, or that is not there."""
    return answer.status == 403 and _MOUNT_REFUSED in said(answer.body)


def is_dead_token(answer: Answer) -> bool:
    """Say whether a 403 surely is about the token itself (Vault from 1.17 on says so)."""
    return answer.status == 403 and _DEAD_TOKEN in said(answer.body)


def said(body: bytes) -> str:
    """Return Vault's own error texts as one short printable line; nothing of any other body."""
    errors = _object(body).get("errors")
    if not isinstance(errors, list):
        return ""
    text = " ".join("; ".join(str(e) for e in errors[:5]).split())
    return "".join(c if c.isprintable() else "?" for c in text)[:SHOWN]


def _happened(status: int, *, write: bool) -> Happened:
    if not write or status in RETRIED_WRITES:
        return Happened.NOT_APPLIED
    return Happened.UNKNOWN if status >= 500 or status < 400 else Happened.REFUSED


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}
